//! A directory with the spool's script, and readers of it that follow from segment to segment as the daemon does.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    thread::sleep,
    time::{Duration, Instant},
};

use sshmcpd::shell::scan::{Piece, Scanner};

use crate::Segments;

pub(crate) const NONCE: &str = "5eed5eed";
/// What may be `/bin/sh` on a host.
pub(crate) const SHELLS: [&str; 4] = ["dash", "bash", "busybox sh", "mksh"];
const SCRIPT: &str = concat!(
    include_str!("../../src/shell/clear.sh"),
    include_str!("../../src/shell/keep.sh"),
    "\"$@\"\n"
);
/// A machine under load does anything that it does at all in this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the condition holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited {PATIENCE:?} in vain: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// One directory.
pub(crate) struct Place {
    /// Which shell runs the script.
    pub(crate) shell: &'static str,
    base: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new(shell: &'static str) -> Self {
        let base = tempfile::tempdir().expect("a directory");
        let place = Self { shell, base };
        fs::create_dir(place.path("")).expect("a directory");
        fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o700)).expect("ours");
        fs::create_dir(place.bin()).expect("a directory");
        if let Some((program, _)) = shell.split_once(' ') {
            // busybox with its own programs.
            let list = Command::new(program)
                .arg("--list")
                .output()
                .expect("busybox runs");
            let program = which(program);
            for applet in String::from_utf8_lossy(&list.stdout).lines() {
                symlink(&program, place.bin().join(applet)).expect("a link");
            }
        }
        let (program, rest) = shell.split_once(' ').unwrap_or((shell, ""));
        let interpreter = format!("{} {rest}", which(program).display());
        let script = format!(
            "d={}\nn={NONCE}\n{}",
            place.path("").display(),
            SCRIPT.replace("/bin/sh", interpreter.trim())
        );
        fs::write(place.path("k"), script).expect("a file");
        place
    }

    fn bin(&self) -> PathBuf {
        self.base.path().join("bin")
    }

    /// A file in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let directory = self.base.path().join("d");
        if name.is_empty() {
            directory
        } else {
            directory.join(name)
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut parts = self.shell.split(' ');
        let mut command = Command::new(which(parts.next().expect("a program")));
        command.args(parts).arg(self.path("k")).args(words);
        self.equip(&mut command);
        command
    }

    fn equip(&self, command: &mut Command) {
        if self.shell.starts_with("busybox") {
            command.env("PATH", self.bin());
        }
    }

    /// Runs one of the script's functions to its end.
    pub(crate) fn run(&self, words: &[&str]) {
        let status = self.command(words).status().expect("the shell runs");
        assert!(status.success(), "{}: {words:?}", self.shell);
    }

    /// Runs a script with the directory, the spool's script and the shell as its arguments, in a mount namespace of its
    /// own, and gives its output.
    pub(crate) fn mounted(&self, script: &str) -> Vec<u8> {
        let aside = self.base.path().join("k");
        fs::copy(self.path("k"), &aside).expect("a copy");
        let (program, rest) = self.shell.split_once(' ').unwrap_or((self.shell, ""));
        let mut command = Command::new(which("unshare"));
        command.args(["--map-root-user", "--mount", "/bin/sh", "-c", script]);
        command.args([self.path(""), aside]);
        command.arg(format!("{} {rest}", which(program).display()));
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("unshare runs");
        let said = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{}: {said}", self.shell);
        stdout
    }

    /// A stream's segments and their sizes.
    pub(crate) fn segments(&self, stream: &str) -> Segments {
        let begin = format!("s.{stream}.");
        let entries = fs::read_dir(self.path("")).expect("a directory").flatten();
        entries
            .filter_map(|entry| {
                let number = entry.file_name().to_str()?.strip_prefix(&begin)?.parse().ok()?;
                Some((number, entry.metadata().ok()?.len()))
            })
            .collect()
    }

    /// Somebody who reads.
    pub(crate) fn reader(&self) -> Reader {
        let mut command = self.command(&["follow"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the shell runs");
        let mut out = child.stdout.take().expect("a pipe");
        let (sender, pieces) = sync_channel(4);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(count) = out.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Reader {
            child,
            pieces: Some(pieces),
            left: Vec::new(),
            scanner: Scanner::new(format!("\x1e{NONCE};").as_bytes(), 0x1f),
            position: (1, 0),
        }
    }

    /// Removes the directory.
    pub(crate) fn remove(&self) {
        let directory = self.path("");
        self.run(&["clear", directory.to_str().expect("UTF-8")]);
    }

    /// Removes what is left, and sees that no process is.
    pub(crate) fn finish(self) {
        if self.path("k").exists() {
            self.remove();
        }
        let base = self.base.path().to_owned();
        eventually("no process is left", || at_home(&base).is_empty());
        self.base.close().expect("ours");
    }
}

/// Runs a script with this input in a mount namespace of its own; all that it says.
pub(crate) fn apart(script: &str, input: &[u8]) -> String {
    let mut child = Command::new(which("unshare"))
        .args(["--map-root-user", "--mount", "/bin/sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("it reads");
    drop(stdin);
    let Output { stdout, stderr, .. } = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
}

/// Processes that work in a directory or whose command line names it.
fn at_home(base: &Path) -> Vec<String> {
    let name = base.to_str().expect("UTF-8");
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(|entry| {
            let there = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            (there.starts_with(base) || line.contains(name)).then_some(line)
        })
        .collect()
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(program));
    found
        .into_iter()
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("{program} is missing"))
}

/// Somebody who reads one stream; it ends as with a lost connection: nobody takes what it writes, and its input ends.
pub(crate) struct Reader {
    child: Child,
    pieces: Option<Receiver<Vec<u8>>>,
    left: Vec<u8>,
    scanner: Scanner,
    position: (u64, usize),
}

impl Reader {
    fn order(&mut self, stream: &str) {
        let (segment, offset) = self.position;
        let order = format!("n {stream} {segment} {offset}\n");
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(order.as_bytes()).expect("a reader");
    }

    fn take(&mut self, most: usize) -> Vec<u8> {
        if self.left.is_empty() {
            let pieces = self.pieces.as_ref().expect("a reader");
            self.left = pieces.recv_timeout(PATIENCE).expect("more output");
        }
        let rest = self.left.split_off(most.min(self.left.len()));
        std::mem::replace(&mut self.left, rest)
    }

    /// At least so many bytes from a position on, frames among them but those that lead to another segment; no more
    /// where a frame ends there.
    pub(crate) fn read(&mut self, stream: &str, position: (u64, usize), length: usize) -> Vec<u8> {
        self.position = position;
        self.order(stream);
        let mut got = Vec::new();
        let mut there = position.1;
        while got.len() < length {
            let wanted = length.saturating_sub(got.len() + self.scanner.held());
            let bytes = self.take(wanted.max(1));
            there += bytes.len();
            for piece in self.scanner.feed(&bytes) {
                match piece {
                    Piece::Data(data) => got.extend(data),
                    Piece::Frame(body) if body.starts_with(b"G;") => {
                        let next = std::str::from_utf8(&body[2..]).expect("a number");
                        self.position.0 = next.parse().expect("a number");
                        there = 0;
                    }
                    Piece::Frame(body) => got.extend(crate::frame(std::str::from_utf8(&body).expect("ours"))),
                }
            }
            let turned = there == 0;
            self.position.1 = there - self.scanner.held();
            if turned {
                self.order(stream);
            }
        }
        got
    }

    /// Where the next byte is.
    pub(crate) fn position(&self) -> (u64, usize) {
        self.position
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.pieces.take());
        drop(self.child.stdin.take());
        self.child.wait().expect("ours");
    }
}
