//! The demo's one-time host, used by OpenSSH's own client as the daemon uses it. Skips nothing: `ssh` must be there.

#[path = "../../tests/src/patient.rs"]
mod patient;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use patient::Patient;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A running host, and how to log in there.
struct Host {
    sshctl: Child,
    login: Vec<String>,
    /// Where the host makes its own directory.
    place: TempDir,
}

impl Host {
    fn start() -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        let mut sshctl = Command::new(env!("CARGO_BIN_EXE_sshctl"))
            .args(["demo", "--host-only"])
            .env("SHELL", "/bin/bash")
            .env("TMPDIR", place.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sshctl runs");
        let mut line = String::new();
        let stdout = sshctl.stdout.take().expect("piped");
        BufReader::new(Patient::new(stdout))
            .read_line(&mut line)
            .expect("a line");
        let login = line.split_whitespace().map(str::to_owned).collect();
        Self { sshctl, login, place }
    }

    fn ssh(&self, options: &[&str], words: &[&str]) -> Command {
        let (destination, own) = self.login[1..].split_last().expect("a command line");
        let mut ssh = Command::new(&self.login[0]);
        ssh.args(own)
            .arg("-oBatchMode=yes")
            .args(options)
            .arg(destination)
            .args(words);
        ssh
    }

    fn run(&self, options: &[&str], words: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .ssh(options, words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ssh runs");
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = patient::output(child);
        writer.join().expect("no panic").expect("ssh takes the input");
        output
    }

    /// Closes the host's stdin, and sees that it ends and leaves nothing.
    fn end(mut self) {
        drop(self.sshctl.stdin.take());
        assert!(patient::end(&mut self.sshctl).success());
        let left: Vec<_> = fs::read_dir(self.place.path())
            .expect("readable")
            .filter_map(|entry| entry.expect("readable").file_name().into_string().ok())
            .filter(|name| name.starts_with("sshmcp-demo"))
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Commands without a terminal: streams apart, exit codes, signals, input, and bytes as they are.
#[test]
fn commands_on_pipes() {
    let host = Host::start();
    let output = host.run(&["-T"], &["echo out; echo err >&2; exit 7"], b"");
    assert_eq!(
        (text(&output.stdout), text(&output.stderr), output.status.code()),
        ("out\n".to_owned(), "err\n".to_owned(), Some(7))
    );
    let input: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let output = host.run(&["-T"], &["cat"], &input);
    assert!(
        output.stdout == input && output.status.success(),
        "{} bytes came back",
        output.stdout.len()
    );
    let output = host.run(&["-T"], &["kill -TERM $$"], b"");
    assert_ne!(output.status.code(), Some(0), "a signal is no success");
    host.end();
}

/// A shell on a real terminal: it is the controlling one, Ctrl-C works, and its size is the client's.
#[test]
fn shell_on_a_terminal() {
    let host = Host::start();
    let output = host.run(&["-tt"], &["tty; stty size; ps -o tty= -p $$; echo $SHELL"], b"");
    let shown = text(&output.stdout);
    assert!(shown.starts_with("/dev/"), "{shown:?}");
    assert!(
        shown.contains("pts/") || shown.contains("ttys"),
        "no controlling terminal: {shown:?}"
    );
    let mut shell = host
        .ssh(&["-tt"], &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("ssh runs");
    let mut keyboard = shell.stdin.take().expect("piped");
    let mut screen = BufReader::new(Patient::new(shell.stdout.take().expect("piped")));
    keyboard
        // Not a subshell: bash loses an interrupt that comes between its last builtin and `exec`.
        .write_all(b"sh -c 'echo started; exec sleep 300'\n")
        .expect("typed");
    let mut line = String::new();
    while !line.starts_with("started") && !line.ends_with("\rstarted\r\n") {
        line.clear();
        assert_ne!(screen.read_line(&mut line).expect("text"), 0, "the shell ended");
    }
    keyboard.write_all(b"\x03").expect("typed");
    keyboard
        .write_all(b"echo \"code $?\"; shopt -q login_shell && echo login; cd /; exit 3\n")
        .expect("typed");
    let mut shown = String::new();
    screen.read_to_string(&mut shown).expect("text");
    assert!(
        shown.contains("code 130") && shown.contains("\nlogin\r\n"),
        "{shown:?}"
    );
    assert_eq!(patient::end(&mut shell).code(), Some(3), "{shown:?}");
    host.end();
}

/// Only the one key gets in; nothing is forwarded.
#[test]
fn nobody_else_gets_in() {
    let host = Host::start();
    let other = host.place.path().join("other");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&other)
        .status()
        .expect("ssh-keygen runs");
    assert!(made.success());
    let port = host
        .login
        .iter()
        .skip_while(|word| *word != "-p")
        .nth(1)
        .expect("a port");
    let known = host
        .login
        .iter()
        .find(|word| word.starts_with("UserKnownHostsFile="))
        .expect("named");
    let output = Command::new("ssh")
        .args([
            "-F",
            "none",
            "-oBatchMode=yes",
            "-oIdentitiesOnly=yes",
            "-oIdentityAgent=none",
            "-p",
            port,
            "-o",
            known,
        ])
        .arg("-i")
        .arg(&other)
        .args(["agent@127.0.0.1", "true"])
        .output()
        .expect("ssh runs");
    assert_eq!(output.status.code(), Some(255));
    assert!(
        text(&output.stderr).contains("Permission denied"),
        "{}",
        text(&output.stderr)
    );
    let output = host.run(&["-W", "127.0.0.1:1"], &[], b"");
    assert!(!output.status.success(), "no forwarding");
    host.end();
}

/// A client that goes away takes its shell along, and the next one is served all the same.
#[test]
fn a_lost_client_leaves_no_shell() {
    let host = Host::start();
    let mut child = host
        .ssh(&["-tt"], &["echo $$; exec sleep 300"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("ssh runs");
    let mut line = String::new();
    let mut stdout = BufReader::new(Patient::new(child.stdout.take().expect("piped")));
    stdout.read_line(&mut line).expect("a line");
    let pid = line.trim().to_owned();
    assert!(
        Path::new(&format!("/proc/{pid}")).exists() || cfg!(not(target_os = "linux")),
        "{pid:?}"
    );
    child.kill().expect("killed");
    child.wait().expect("reaped");
    let mut rest = String::new();
    // Not an error: the pipe of a killed client only ends.
    let _ended = stdout.read_to_string(&mut rest);
    // The host says itself when the process is gone: `kill -0` fails.
    let wait = format!("while kill -0 {pid} 2>/dev/null; do :; done; echo gone");
    let output = host.run(&["-T"], &[&wait], b"");
    assert_eq!(text(&output.stdout), "gone\n");
    host.end();
}

/// Ctrl-C, or the end of the terminal, clears up as well.
#[test]
fn signals_clear_up() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let host = Host::start();
        let pid = i32::try_from(host.sshctl.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("it runs");
        host.end();
    }
}
