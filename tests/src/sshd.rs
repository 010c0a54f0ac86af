//! An sshd on loopback: its own port, host key and options. It and all below it are gone when it is dropped.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    time::Instant,
};

use rustix::process::Signal;

use crate::{
    process::{MARK, Process},
    program::tool,
    user::{Shell, User},
    wait::{LONG, eventually},
};

/// Lines of the log that are kept for a reader; a login writes a handful.
const LOG_LINES: usize = 10_000;
/// How often a port that was free is taken by somebody else before we can.
const PORT_ATTEMPTS: usize = 5;
/// Below those that Linux gives to who asks for any.
const PORTS: Range<u16> = 10_000..32_000;

/// What differs from one sshd to the next.
#[derive(Clone, Debug, Default)]
pub struct SshdOptions {
    /// Channels a connection; the server's own default is 10.
    pub max_sessions: Option<u32>,
    /// Further lines of its configuration; `%MARK` is what a `SetEnv` of their own has to set too.
    pub lines: Vec<String>,
    /// What a shell does first in a mount namespace, in which the server and all its users live then: another kind of
    /// host. For root alone.
    pub world: Option<String>,
    /// It asks PAM, of which this is the service: the lines of a file below `/etc/pam.d`. For root alone.
    pub pam: Option<String>,
}

/// A running sshd, which lets the host users in with the keys that `keys/NAME` of its directory lists.
pub struct Sshd {
    port: u16,
    directory: PathBuf,
    mark: String,
    options: SshdOptions,
    child: Child,
    log: Mutex<Receiver<String>>,
    _service: Option<Service>,
}

/// A PAM service of one sshd's own, which is that of its program's name.
struct Service {
    file: PathBuf,
    program: PathBuf,
}

impl Service {
    fn make(directory: &Path, mark: &str, lines: &str) -> Self {
        assert!(User::many(), "a PAM service is made in /etc: run this as root");
        let place = directory.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("sshmcp-t-{mark}-{place}");
        let service = Self {
            file: Path::new("/etc/pam.d").join(&name),
            program: directory.join(&name),
        };
        fs::write(&service.file, lines).expect("a PAM service");
        std::os::unix::fs::symlink(tool("sshd"), &service.program).expect("a link");
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        fs::remove_file(&self.program).ok();
        fs::remove_file(&self.file).ok();
    }
}

impl Sshd {
    /// Starts one with its files in this (new) directory; `mark` is in the environment of all that it starts.
    pub fn start(directory: &Path, mark: &str, options: &SshdOptions) -> Self {
        fs::create_dir_all(directory.join("keys")).expect("a directory for keys");
        keygen(&directory.join("host_key"));
        if User::many() {
            fs::create_dir_all("/run/sshd").expect("/run/sshd");
        }
        let mut said = String::new();
        for _ in 0..PORT_ATTEMPTS {
            match Self::listen(directory, mark, options, free_port()) {
                Ok(sshd) => return sshd,
                Err(words) => said = words,
            }
        }
        panic!("sshd does not start: {said}");
    }

    /// Ends it with all its connections; what their users started ends by itself.
    pub fn stop(&mut self) {
        let serving = self.serving();
        self.child.kill().ok();
        self.child.wait().ok();
        for process in serving.iter().filter(|process| serves(process)) {
            process.signal(Signal::KILL);
        }
        eventually("what served ends", || !serving.iter().any(Process::lives));
    }

    /// Ends it with all its connections; what their users started may stay.
    pub fn stop_serving(&mut self) {
        let serving = self.serving();
        self.child.kill().ok();
        self.child.wait().ok();
        let sshds: Vec<&Process> = serving.iter().filter(|process| serves(process)).collect();
        for process in &sshds {
            process.signal(Signal::KILL);
        }
        eventually("its connections end", || {
            !sshds.iter().any(|process| process.lives())
        });
    }

    /// Starts it again where it was, with the same key.
    pub fn start_again(&mut self) {
        self._service = None;
        let again = Self::listen(&self.directory, &self.mark, &self.options, self.port);
        *self = again.expect("sshd starts again");
    }

    fn listen(directory: &Path, mark: &str, options: &SshdOptions, port: u16) -> Result<Self, String> {
        let d = directory.display();
        let service = options.pam.as_deref();
        let service = service.map(|lines| Service::make(directory, mark, lines));
        let pam = if service.is_some() { "yes" } else { "no" };
        let program = service
            .as_ref()
            .map_or_else(|| tool("sshd"), |service| service.program.clone());
        let mut config = format!(
            "ListenAddress 127.0.0.1:{port}\nPidFile none\nHostKey {d}/host_key\nAuthorizedKeysFile {d}/keys/%u\n\
             StrictModes no\nUsePAM {pam}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPrintMotd no\n\
             PrintLastLog no\nMaxStartups 100\nSetEnv {MARK}={mark}\n"
        );
        if let Some(number) = options.max_sessions {
            writeln!(config, "MaxSessions {number}").expect("a string takes all");
        }
        for line in &options.lines {
            let line = line.replace("%MARK", &format!("{MARK}={mark}"));
            writeln!(config, "{line}").expect("a string takes all");
        }
        let file = directory.join("sshd_config");
        fs::write(&file, config).expect("sshd_config");
        let mut command = match &options.world {
            None => Command::new(&program),
            Some(world) => {
                assert!(
                    User::many(),
                    "another kind of host is made by mounts: run this as root"
                );
                let mut command = Command::new(tool("unshare"));
                command
                    .args(["--mount", "--propagation", "private", "sh", "-ec"])
                    .arg(format!("{world}\nexec \"$@\""))
                    .arg("sh")
                    .arg(&program);
                command
            }
        };
        let mut child = command
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sshd runs");
        let stderr = child.stderr.take().expect("piped");
        let (sender, log) = sync_channel(LOG_LINES);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Read on when nobody listens: sshd must not block on its log.
                sender.try_send(line).ok();
            }
        });
        let until = Instant::now() + LONG;
        let mut said = String::new();
        loop {
            match log.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains("Server listening") => break,
                Ok(line) => said = said + &line + "\n",
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    child.kill().ok();
                    child.wait().ok();
                    return Err(said);
                }
            }
        }
        Ok(Self {
            port,
            directory: directory.to_owned(),
            mark: mark.to_owned(),
            options: options.clone(),
            child,
            log: Mutex::new(log),
            _service: service,
        })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The line for a known_hosts file.
    pub fn known_host(&self) -> String {
        let key = fs::read_to_string(self.directory.join("host_key.pub")).expect("a host key");
        let fields: Vec<&str> = key.split(' ').take(2).collect();
        format!("[127.0.0.1]:{} {}\n", self.port, fields.join(" "))
    }

    /// Lets somebody in with this public key.
    pub fn authorize(&self, user: &User, public_key: &str) {
        let file = self.directory.join("keys").join(&user.name);
        let mut keys = fs::read_to_string(&file).unwrap_or_default();
        keys.push_str(public_key);
        fs::write(file, keys).expect("authorized keys");
    }

    /// The processes that serve connections, and all below them.
    pub fn serving(&self) -> Vec<Process> {
        Process::below(self.child.id().cast_signed())
    }

    /// Kills what serves connections (not what their users started), and leaves the one that listens.
    pub fn cut_connections(&self) {
        let serving = self.serving();
        let sshds: Vec<&Process> = serving.iter().filter(|process| serves(process)).collect();
        for process in &sshds {
            process.signal(Signal::KILL);
        }
        eventually("cut connections end", || {
            !sshds.iter().any(|process| process.lives())
        });
    }

    /// What it logged so far and was not read yet.
    pub fn log(&self) -> Vec<String> {
        self.log
            .lock()
            .expect("no reader panics with it")
            .try_iter()
            .collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let serving = self.serving();
        self.child.kill().ok();
        self.child.wait().ok();
        for process in &serving {
            process.signal(Signal::KILL);
        }
    }
}

/// What is sshd, by whatever name it runs.
fn serves(process: &Process) -> bool {
    process.is_sshd() || process.name.starts_with("sshmcp-t-")
}

/// The lines that give a login this shell where the user is ourselves, whatever our own login shell is.
pub fn forced(login: &Path, shell: Shell, home: &Path) -> String {
    let (login, program, home) = (login.display(), shell.program(), home.display());
    format!("ForceCommand exec {login} {} {home}", program.display())
}

/// Makes a key pair without a passphrase.
pub fn keygen(path: &Path) {
    let status = Command::new(tool("ssh-keygen"))
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status();
    assert!(status.expect("ssh-keygen runs").success(), "ssh-keygen failed");
}

/// A port that nobody listens on just now, and no other story of this run is given. It is none of those that connections
/// begin at: one of them would be in the way of a server that comes again, or be answered by itself where none is.
pub fn free_port() -> u16 {
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
