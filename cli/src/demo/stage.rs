//! What the demo is played on: a private directory with keys, configuration and homes, the host, and its end.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use sshmcp_proto::client::{ConnectOptions, connect};
use sshmcp_proto::endpoint::{CONFIG_VARIABLE, DAEMON_VARIABLE, SOCKET_VARIABLE, STATE_VARIABLE};
use sshmcp_proto::v1::{Client, StopRequest};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::Broken;
use super::channel::Host;
use super::server::{self, Server};
use super::shell;

/// The name under which the host is configured.
pub(super) const NAME: &str = "demo";

/// A daemon without work ends in milliseconds; a loaded machine gets this much.
const STOP_TIME: Duration = Duration::from_secs(5);
/// How long a daemon that somebody began to start may take to come up, when all is cleared away.
const START_TIME: Duration = Duration::from_secs(1);
/// Between two looks whether it has ended.
const STOP_PAUSE: Duration = Duration::from_millis(10);

/// Everything that must go away again.
#[derive(Debug)]
pub(crate) struct Stage {
    directory: TempDir,
    server: Server,
    shell: PathBuf,
    programs: PathBuf,
}

impl Stage {
    /// Makes the directory, the keys and the configuration, and starts the host.
    pub(crate) async fn build() -> Result<Self, Broken> {
        let own = std::env::current_exe()?.canonicalize()?;
        let programs = own.parent().unwrap_or(Path::new("/")).to_owned();
        // TempDir makes it 0700.
        let directory = tempfile::Builder::new().prefix("sshmcp-demo-").tempdir()?;
        let (here, host_home) = (directory.path().join("home"), directory.path().join("host"));
        for private in [&here, &here.join(".ssh"), &host_home] {
            fs::DirBuilder::new().mode(0o700).create(private)?;
        }
        // Without one zsh asks a new user what to put into it.
        private_file(&host_home.join(".zshrc"), "")?;
        let (host_key, client_key) = (new_key(), new_key());
        let client_public = client_key.public_key().clone();
        let private = client_key
            .to_openssh(LineEnding::LF)
            .map_err(|error| Broken(error.to_string()))?;
        let key_path = here.join(".ssh/id_ed25519");
        private_file(&key_path, &private)?;
        let host_public = host_key
            .public_key()
            .to_openssh()
            .map_err(|error| Broken(error.to_string()))?;
        let shell = shell::own();
        let host = Host {
            environment: environment(&host_home, &shell),
            home: host_home,
            shell: shell.clone(),
        };
        let server = server::start(host_key, client_public, host).await?;
        let port = server.address.port();
        private_file(
            &here.join(".ssh/known_hosts"),
            &format!("[127.0.0.1]:{port} {host_public}\n"),
        )?;
        let stage = Self {
            directory,
            server,
            shell,
            programs,
        };
        private_file(
            &stage.config(),
            &format!(
                "[connections.{NAME}]\nhost = \"127.0.0.1\"\nport = {port}\nuser = {:?}\nkey_path = {:?}\n\
                 description = \"a throw-away host, made for this demo\"\n",
                user(),
                key_path.display().to_string(),
            ),
        )?;
        Ok(stage)
    }

    /// Fails unless the programs that the story is about are beside this one.
    pub(crate) fn check_programs(&self) -> Result<(), Broken> {
        for program in ["mcp-ssh", "sshmcpd"] {
            if !self.programs.join(program).is_file() {
                return Err(Broken(format!(
                    "{program} is not in {}, where sshctl is; build or install all three programs",
                    self.programs.display()
                )));
            }
        }
        Ok(())
    }

    /// Where the host is.
    pub(super) fn address(&self) -> String {
        format!("{}@{}", user(), self.server.address)
    }

    /// How a person logs in with OpenSSH's client.
    pub(crate) fn ssh_command(&self) -> String {
        let ssh = self.directory.path().join("home/.ssh");
        format!(
            "ssh -F none -o IdentitiesOnly=yes -o IdentityAgent=none -i {0}/id_ed25519 -o UserKnownHostsFile={0}/known_hosts \
             -p {1} {2}@127.0.0.1",
            ssh.display(),
            self.server.address.port(),
            user(),
        )
    }

    /// What lies in the home directory there that is neither the story's nor a shell's own history.
    pub(super) fn left_on_host(&self) -> Result<Vec<String>, Broken> {
        let mut left = Vec::new();
        for entry in fs::read_dir(self.directory.path().join("host"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !["shop", ".zshrc", ".bash_history", ".zsh_history"].contains(&name.as_str()) {
                left.push(name);
            }
        }
        Ok(left)
    }

    /// The shell that runs there.
    pub(super) fn shell(&self) -> &Path {
        &self.shell
    }

    /// The directory that holds it all.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The MCP server's program.
    pub(super) fn shim(&self) -> PathBuf {
        self.programs.join("mcp-ssh")
    }

    /// The environment of an MCP server: HOME and PATH, as clients pass on, and where things are.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let here = self.directory.path();
        vec![
            ("HOME", here.join("home").into()),
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            (SOCKET_VARIABLE, self.socket().into()),
            (CONFIG_VARIABLE, self.config().into()),
            (STATE_VARIABLE, here.join("state").into()),
            (DAEMON_VARIABLE, self.programs.join("sshmcpd").into()),
        ]
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("config.toml")
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("run/sshmcpd.sock")
    }

    /// Stops the daemon, if one was started, then the host, and removes the directory.
    pub(crate) async fn strike(self) -> Result<(), Broken> {
        let stopped = self.stop_daemon().await;
        let Self {
            directory, server, ..
        } = self;
        drop(server);
        directory.close()?;
        stopped
    }

    async fn stop_daemon(&self) -> Result<(), Broken> {
        let options = ConnectOptions {
            socket: Some(self.socket()),
            any_version: true,
            client: Client {
                program: "sshctl".to_owned(),
                name: "demo".to_owned(),
                ..Client::default()
            },
            ..ConnectOptions::default()
        };
        // A program that we ended in mid-start may have left a daemon that only just comes up.
        let until = Instant::now() + START_TIME;
        let daemon = loop {
            match connect(options.clone()).await {
                Ok(daemon) => break daemon,
                Err(_) if self.socket().with_file_name("").exists() && Instant::now() < until => {
                    sleep(STOP_PAUSE).await;
                }
                Err(_) => return Ok(()),
            }
        };
        let (pid, lock) = (daemon.hello().pid, daemon.socket().life_lock());
        let asked = daemon.daemon().stop(StopRequest { force: true }).await;
        let give_up = Instant::now() + STOP_TIME;
        while daemon.alive().await || holds(&lock) {
            if Instant::now() >= give_up {
                let cause = asked
                    .err()
                    .map_or_else(String::new, |status| format!(": {}", status.message()));
                return Err(Broken(format!(
                    "the demo's daemon, process {pid}, did not stop{cause}"
                )));
            }
            sleep(STOP_PAUSE).await;
        }
        Ok(())
    }

    /// The last lines of what the daemon logged, to understand a failure.
    pub(crate) fn daemon_log(&self) -> String {
        let mut files = vec![self.directory.path().join("state")];
        let mut text = String::new();
        while let Some(path) = files.pop() {
            if path.is_dir() {
                let inside = fs::read_dir(&path)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|entry| entry.path());
                files.extend(inside);
            } else if path.to_string_lossy().contains("sshmcpd")
                && let Ok(log) = fs::read_to_string(&path)
            {
                text.push_str(&log);
            }
        }
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(20)..)
            .unwrap_or_default()
            .join("\n")
    }
}

/// True if a daemon still holds the lock that it holds for life.
fn holds(lock: &Path) -> bool {
    fs::File::open(lock).is_ok_and(|file| {
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err()
    })
}

/// A key for one run, from the system's random numbers.
fn new_key() -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&rand::random()))
}

fn private_file(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// The login name; the host lets the key in under any.
fn user() -> String {
    ["USER", "LOGNAME"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        })
        .unwrap_or_else(|| "agent".to_owned())
}

/// What sshd would give a login there; the home is the demo's, so that no history or rc file of the user's is touched.
fn environment(home: &Path, shell: &Path) -> Vec<(OsString, OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut environment: Vec<(OsString, OsString)> = vec![
        ("HOME".into(), home.into()),
        ("SHELL".into(), shell.into()),
        ("USER".into(), user().into()),
        ("LOGNAME".into(), user().into()),
        ("PATH".into(), path),
    ];
    for name in ["LANG", "LC_ALL", "TZ"] {
        environment.extend(std::env::var_os(name).map(|value| (name.into(), value)));
    }
    environment
}
