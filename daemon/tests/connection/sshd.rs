//! An sshd of the test's own: its port, keys and options; it and all its children are gone when it is dropped.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    ops::Range,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions};

/// A machine under load starts an sshd in seconds.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Below those that Linux gives to who asks for any.
const PORTS: Range<u16> = 10_000..32_000;

/// A running sshd.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    /// Holds `host_ed25519`, `host_rsa` and `authorized_keys`.
    pub(crate) dir: tempfile::TempDir,
    child: Child,
    log: Receiver<String>,
}

impl Sshd {
    /// Starts an sshd that lets `authorized` (public key files) in, with further lines for its configuration.
    pub(crate) fn start(authorized: &[&Path], options: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        keygen(&dir.path().join("host_ed25519"), "ed25519", "");
        keygen(&dir.path().join("host_rsa"), "rsa", "");
        let keys: String = authorized
            .iter()
            .map(|path| fs::read_to_string(path).expect("a public key"))
            .collect();
        fs::write(dir.path().join("authorized_keys"), keys).expect("authorized_keys");
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").expect("/run/sshd");
        }
        let port = free_port();
        let d = dir.path().display();
        let mut config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nHostKey {d}/host_ed25519\nHostKey {d}/host_rsa\n\
             AuthorizedKeysFile {d}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPrintMotd no\nPrintLastLog no\n"
        );
        writeln!(config, "{options}").expect("a string takes all");
        let file = dir.path().join("sshd_config");
        fs::write(&file, config).expect("sshd_config");
        // Orphans of a killed sshd become ours, so that none is left behind.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("subreaper");
        let mut child = Command::new(tool("sshd"))
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sshd");
        let stderr = child.stderr.take().expect("its log");
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Read on when nobody listens: sshd must not block on its log.
                sender.send(line).ok();
            }
        });
        let until = Instant::now() + START_TIMEOUT;
        let mut said = String::new();
        loop {
            match log.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains("Server listening") => break,
                Ok(line) => said.push_str(&line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("sshd did not start: {said}")
                }
            }
        }
        Self {
            port,
            dir,
            child,
            log,
        }
    }

    /// The public host key of this type: its known_hosts fields.
    pub(crate) fn host_key(&self, kind: &str) -> String {
        let file = self.dir.path().join(format!("host_{kind}.pub"));
        let text = fs::read_to_string(file).expect("host key");
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// What it logged and nobody asked for yet, until a line that begins so.
    pub(crate) fn log_until(&self, end: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.starts_with(end)) {
            let line = self.log.recv_timeout(START_TIMEOUT);
            lines.push(line.unwrap_or_else(|_| panic!("sshd never said {end:?}: {lines:?}")));
        }
        lines
    }

    /// Kills the processes that serve connections, and leaves the one that listens.
    pub(crate) fn kill_connections(&self) {
        kill(&descendants(self.child.id()));
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let children = descendants(self.child.id());
        self.child.kill().ok();
        self.child.wait().ok();
        kill(&children);
        reap_orphans();
    }
}

/// Takes in the processes of sshd's that ended after their parent: ours, and those of tests that run beside us.
fn reap_orphans() {
    for (pid, parent, stat) in processes() {
        let ended = ["(sshd) Z", "(bash) Z", "(sleep) Z", "(yes) Z"];
        if parent == std::process::id() && ended.iter().any(|words| stat.contains(words)) {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            // Another test may have been quicker.
            rustix::process::waitpid(pid, WaitOptions::NOHANG).ok();
        }
    }
}

/// Kills processes and waits until they are gone.
fn kill(processes: &[u32]) {
    let pids = processes
        .iter()
        .filter_map(|process| Pid::from_raw(i32::try_from(*process).ok()?));
    let mut left: Vec<Pid> = pids.collect();
    for pid in &left {
        rustix::process::kill_process(*pid, Signal::KILL).ok();
    }
    let until = Instant::now() + START_TIMEOUT;
    while !left.is_empty() {
        assert!(Instant::now() < until, "processes do not end: {left:?}");
        left.retain(|pid| {
            // Those whose parent died are ours to reap; the others are their parent's.
            rustix::process::waitpid(Some(*pid), WaitOptions::NOHANG).ok();
            Path::new(&format!("/proc/{pid}")).exists()
        });
        std::thread::yield_now();
    }
}

/// All processes: id, parent's id, and their line in /proc.
fn processes() -> Vec<(u32, u32, String)> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let read = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let after_name = stat.rsplit(')').next()?;
        let parent = after_name.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent, stat))
    });
    read.collect()
}

/// Every process below this one; sshd's children have sessions of their own, so no group holds them.
fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, parent, _) in processes() {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        let of_parent = children.get(&parent).cloned().unwrap_or_default();
        open.extend(&of_parent);
        found.extend(of_parent);
    }
    found
}

/// An agent of the test's own.
pub(crate) struct Agent {
    pub(crate) socket: PathBuf,
    child: Child,
    _dir: tempfile::TempDir,
}

impl Agent {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let socket = dir.path().join("agent");
        let child = Command::new(tool("ssh-agent"))
            .args(["-D", "-a"])
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent");
        let until = Instant::now() + START_TIMEOUT;
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < until, "ssh-agent did not start");
            std::thread::yield_now();
        }
        Self {
            socket,
            child,
            _dir: dir,
        }
    }

    /// Adds a key without a passphrase.
    pub(crate) fn add(&self, key: &Path) {
        let status = Command::new(tool("ssh-add"))
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.expect("ssh-add").success(), "ssh-add failed");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Makes a key pair, with a passphrase unless that is empty.
pub(crate) fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let status = Command::new(tool("ssh-keygen"))
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status();
    assert!(status.expect("ssh-keygen").success(), "ssh-keygen failed");
}

/// The ordinary user that tests log in as: ourselves, or one made for it where root runs the tests.
pub(crate) fn user() -> &'static str {
    static USER: OnceLock<String> = OnceLock::new();
    USER.get_or_init(|| {
        if !rustix::process::geteuid().is_root() {
            return output("id", &["-un"]).expect("id");
        }
        let name = "sshmcp-test-conn";
        // `*`: no password matches, yet the account is not locked. Another test run may have made it.
        let made = output("useradd", &["-m", "-s", "/bin/bash", "-p", "*", name]);
        let there = output("id", &["-un", name]);
        assert!(there.is_some(), "useradd made no user: {made:?}");
        name.to_owned()
    })
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool(program)).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Where a tool is; a missing one fails the test with its name.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(["/usr/sbin".into(), "/sbin".into()]);
    let found = places
        .into_iter()
        .map(|place| place.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; the tests need it"))
}

/// A port that nobody listens on just now, and no other test of this run is given. It is none of those that connections begin
/// at: one of them would be in the way of a server, or be answered by itself where none is.
pub(crate) fn free_port() -> u16 {
    static FIRST: LazyLock<usize> = LazyLock::new(|| usize::from(rand::random::<u16>()));
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    let all = PORTS.len();
    let free = (0..all).find_map(|_| {
        let number = FIRST.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.clone().nth(number % all)?;
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    });
    free.expect("a free port")
}
