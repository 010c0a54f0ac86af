//! Private tmux servers on this machine, one for each session that OpenSSH's own client carries: begun, found again and
//! ended; and the ways to what runs in one. Nothing that a user or a host wrote is ever put into a command of tmux's or a
//! shell's.

mod asking;
pub mod pane;
mod tools;

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{process::Command, time::timeout};

pub use asking::{Reader, hides_typing, reader};
pub use tools::Tools;

use crate::tmux;
use pane::Ended;

/// Where the sessions' directories are, below what they are found by.
const BELOW: &str = "local";
/// Programs of this machine that only look or tell answer in milliseconds; a stuck one is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pane's facts, in this order.
const FACTS: &str = "#{pane_id} #{pane_pid}";
/// What a directory of ours is called, and the server with it.
const PREFIX: &str = "sshmcp-";

/// Files of a session's directory.
pub mod files {
    use std::{
        fs,
        io::{self, Write as _},
        os::unix::fs::OpenOptionsExt as _,
        path::Path,
    };

    /// The socket of OpenSSH's connection; named from within the directory, for a socket's path has little room.
    pub const CONTROL: &str = "ctl";
    /// What stands in every mark of the session.
    pub const NONCE: &str = "nonce";
    /// How the pane's client ended.
    pub const EXIT: &str = "exit";
    /// What runs in the pane.
    pub const PROGRAM: &str = "sshmcp-pane";
    /// What is remembered of the session, for a daemon whose state was lost.
    pub const SESSION: &str = "session.json";

    /// Writes a file of ours, whole or not at all.
    pub fn put(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
        let partial = directory.join(format!("{name}.new"));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&partial)?.write_all(bytes)?;
        fs::rename(partial, directory.join(name))
    }
}

/// A session's place on this machine: its directory, and the tmux server of that name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Of the user alone.
    pub directory: PathBuf,
    /// tmux that began the server.
    pub tmux: PathBuf,
    /// OpenSSH's client.
    pub ssh: PathBuf,
}

/// A pane that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pane {
    /// `%0`.
    pub id: String,
    /// Its process.
    pub pid: u32,
}

impl Place {
    /// Makes one with this name (letters, digits, `_` and `-`) below a directory.
    pub fn make(state: &Path, name: &str, tools: Tools) -> io::Result<Self> {
        let root = state.join(BELOW);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&root)?;
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700))?;
        let directory = root.join(name);
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        Ok(Self {
            directory,
            tmux: tools.tmux,
            ssh: tools.ssh,
        })
    }

    /// All directories that there are below one, each with the session that it remembers.
    pub fn all(state: &Path, tools: &Tools) -> Vec<(Self, Option<Vec<u8>>)> {
        let entries = fs::read_dir(state.join(BELOW)).into_iter().flatten().flatten();
        let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
        ours.map(|entry| {
            let directory = entry.path();
            let session = fs::read(directory.join(files::SESSION)).ok();
            let place = Self {
                directory,
                tmux: tools.tmux.clone(),
                ssh: tools.ssh.clone(),
            };
            (place, session)
        })
        .collect()
    }

    /// The server's name, for `tmux -L`.
    pub fn name(&self) -> String {
        self.directory
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Writes a file into the directory.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        files::put(&self.directory, name, bytes)
    }

    /// Begins the server, with OpenSSH's client as what runs in its pane; `arguments` are those before the host's name.
    pub async fn begin(
        &self,
        size: (u16, u16),
        arguments: &[OsString],
        host: &str,
        agent: Option<&Path>,
    ) -> Result<Pane, String> {
        let name = self.name();
        let mut command = self.tmux();
        command.arg("start-server");
        for option in SERVER_OPTIONS {
            command.arg(";").args(option);
        }
        let (cols, rows) = (size.0.to_string(), size.1.to_string());
        command.args([
            ";",
            "new-session",
            "-d",
            "-P",
            "-F",
            FACTS,
            "-s",
            &name,
            "-x",
            &cols,
            "-y",
            &rows,
        ]);
        let program = self.link_program()?;
        command.arg("--").arg(words_of(program.as_os_str())).arg("--pane");
        command
            .arg(words_of(self.directory.as_os_str()))
            .arg("--")
            .arg(&self.ssh)
            .arg("-tt");
        command
            .args(CLIENT_OPTIONS)
            .args(arguments.iter().map(|word| words_of(word)));
        command.arg("--").arg(words_of(OsStr::new(host)));
        if let Some(agent) = agent {
            command.env("SSH_AUTH_SOCK", agent);
        }
        // Who is to answer is at the terminal.
        command.env("SSH_ASKPASS_REQUIRE", "never");
        let said = run(command).await?;
        let pane = Pane::parse(&said).ok_or_else(|| format!("tmux said {said:?}"))?;
        // tmux 3.3a dies of this before there is a window.
        let mut sizing = self.tmux();
        sizing.args([
            "set-option",
            "-w",
            "-t",
            &format!("={name}:"),
            "window-size",
            "manual",
        ]);
        run(sizing).await?;
        Ok(pane)
    }

    /// Our own program under another name: whoever ends daemons by their name does not mean what is in panes.
    fn link_program(&self) -> Result<PathBuf, String> {
        let link = self.directory.join(files::PROGRAM);
        let failed = |error: io::Error| format!("our own program: {error}");
        let program = std::env::current_exe().map_err(failed)?;
        // One that was replaced while we run.
        let name = program.to_string_lossy();
        let program = PathBuf::from(name.strip_suffix(" (deleted)").unwrap_or(&name));
        // A name of its own as far as the kernel tells; not on another file system, nor of a file that is not ours.
        fs::hard_link(&program, &link)
            .or_else(|_| std::os::unix::fs::symlink(&program, &link))
            .map_err(failed)?;
        Ok(link)
    }

    /// The pane, if it is still there.
    pub async fn pane(&self) -> Option<Pane> {
        let mut command = self.tmux();
        command.args(["list-panes", "-t", &format!("={}:", self.name()), "-F", FACTS]);
        Pane::parse(&run(command).await.ok()?)
    }

    /// How the pane's client ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        let text = fs::read(self.directory.join(files::EXIT)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The client has logged in, and takes others along on its connection; or had so once.
    pub fn has_master(&self) -> bool {
        self.directory.join(files::CONTROL).exists()
    }

    /// The client's connection lives, as far as it knows.
    pub async fn is_up(&self) -> bool {
        self.has_master() && check_master(&self.ssh, &self.directory).await
    }

    /// What attaches to the pane in control mode.
    pub fn attach(&self) -> Command {
        let mut command = self.tmux();
        let target = format!("={}", self.name());
        let flags = format!("pause-after={}", tmux::command::PAUSE_AFTER);
        command.args(["-u", "-C", "attach-session", "-f", &flags, "-t", &target]);
        command
    }

    /// What runs a command on the host, over the client's connection and no other.
    pub fn exec(&self, command: &str) -> Command {
        let mut client = master_client(&self.ssh, &self.directory);
        client.args(["-q", "-T", "--", "master", command]);
        client
    }

    /// What runs a subsystem of the host's, over the client's connection and no other.
    pub fn subsystem(&self, name: &str) -> Command {
        let mut client = master_client(&self.ssh, &self.directory);
        client.args(["-q", "-T", "-s", "--", "master", name]);
        client
    }

    /// Ends what an earlier daemon attached in control mode: such a client of tmux 3.3a may hang for good once nobody reads
    /// what it says, and its server does not end before it. A person's own client is left alone.
    pub async fn drop_readers(&self) {
        let mut command = self.tmux();
        command.args(["list-clients", "-F", "#{client_control_mode} #{client_pid}"]);
        // There may be no server.
        let said = run(command).await.unwrap_or_default();
        for pid in said.lines().filter_map(|line| line.strip_prefix("1 ")) {
            let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid {
                // It may have gone by itself.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }

    /// Ends everything: server, client, its connection, directory.
    pub async fn end(&self) {
        self.drop_readers().await;
        let mut command = self.tmux();
        command.arg("kill-server");
        // There may be none.
        let _ = run(command).await;
        if self.has_master() {
            let mut client = master_client(&self.ssh, &self.directory);
            client.args(["-q", "-O", "exit", "--", "master"]);
            let _ = run(client).await;
        }
        // tmux leaves its socket behind.
        let _ = fs::remove_file(self.socket());
        if let Err(error) = fs::remove_dir_all(&self.directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(directory = %self.directory.display(), %error, "it cannot be removed");
        }
    }

    /// Where tmux has its socket, as it was begun: in the directory that it takes by itself.
    fn socket(&self) -> PathBuf {
        let user = rustix::process::getuid().as_raw();
        PathBuf::from(format!("/tmp/tmux-{user}")).join(self.name())
    }

    /// tmux, about this session's server.
    fn tmux(&self) -> Command {
        let mut command = Command::new(&self.tmux);
        command
            // No configuration of anybody's, whichever command begins a server.
            .args(["-f", "/dev/null", "-L", &self.name()])
            // Where a person's own `tmux -L` looks.
            .env_remove("TMUX_TMPDIR")
            .env_remove("TMUX")
            .env_remove("TMUX_PANE");
        command
    }
}

impl Pane {
    fn parse(said: &str) -> Option<Self> {
        let mut words = said.lines().next()?.split(' ');
        Some(Self {
            id: words.next().filter(|id| id.starts_with('%'))?.to_owned(),
            pid: words.next()?.parse().ok()?,
        })
    }
}

/// What holds of our servers, whoever's tmux it is.
const SERVER_OPTIONS: [&[&str]; 10] = [
    &["set-option", "-s", "exit-empty", "on"],
    &["set-option", "-s", "escape-time", "10"],
    &["set-option", "-s", "set-clipboard", "off"],
    &["set-option", "-g", "history-limit", "5000"],
    &["set-option", "-g", "allow-rename", "off"],
    &["set-option", "-g", "remain-on-exit", "off"],
    &["set-option", "-g", "destroy-unattached", "off"],
    &["set-option", "-g", "detach-on-destroy", "on"],
    // Hosts know it, where they know tmux's own or not.
    &["set-option", "-g", "default-terminal", "screen-256color"],
    &["set-option", "-g", "update-environment", ""],
];

/// What OpenSSH's client is told whatever the host: no key of the terminal's is its own, nor is a word in the shell's last
/// output; the connection takes others along; and nothing but a shell is wanted of it. What ssh_config says of the rest
/// holds.
const CLIENT_OPTIONS: [&str; 20] = [
    "-e",
    "none",
    "-o",
    "LogLevel=ERROR",
    "-o",
    "ControlMaster=yes",
    "-o",
    "ControlPath=ctl",
    "-o",
    "RemoteCommand=none",
    "-o",
    "RequestTTY=yes",
    "-o",
    "PermitLocalCommand=no",
    "-o",
    "ForwardX11=no",
    "-o",
    "Tunnel=no",
    "-o",
    "ClearAllForwardings=yes",
];

/// A word that tmux takes as it is: a `;` at its end would be tmux's own.
fn words_of(word: &OsStr) -> OsString {
    match word.to_str().and_then(|text| text.strip_suffix(';')) {
        Some(text) => format!("{text}\\;").into(),
        None => word.to_owned(),
    }
}

/// OpenSSH's client for a connection that is there: where it is not, none is made.
fn master_client(ssh: &Path, directory: &Path) -> Command {
    let mut command = Command::new(ssh);
    command.current_dir(directory).args([
        "-F",
        "/dev/null",
        "-o",
        "ControlPath=ctl",
        "-o",
        "ControlMaster=no",
        "-o",
        "BatchMode=yes",
        "-o",
        "ProxyCommand=false",
    ]);
    command
}

/// Whether the connection of the session with this directory lives.
async fn check_master(ssh: &Path, directory: &Path) -> bool {
    let mut command = master_client(ssh, directory);
    command.args(["-q", "-O", "check", "--", "master"]);
    run(command).await.is_ok()
}

/// What a program says, or what is wrong with that.
async fn run(mut command: Command) -> Result<String, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    match timeout(PATIENCE, command.output()).await {
        Ok(Ok(said)) if said.status.success() => Ok(String::from_utf8_lossy(&said.stdout).into_owned()),
        Ok(Ok(said)) => Err(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tmux takes every word as it is.
    #[test]
    fn words() {
        for (word, wanted) in [
            ("a;b", "a;b"),
            ("a;", "a\\;"),
            (";", "\\;"),
            ("#(x)", "#(x)"),
            ("", ""),
        ] {
            assert_eq!(words_of(OsStr::new(word)), OsString::from(wanted));
        }
    }

    /// What tmux says of a pane, and what it says where there is none.
    #[test]
    fn panes() {
        let pane = Pane::parse("%0 31304\n");
        let wanted = Pane {
            id: "%0".into(),
            pid: 31304,
        };
        assert_eq!(pane, Some(wanted));
        for said in ["", "no server running", "%0", "%0 x"] {
            assert_eq!(Pane::parse(said), None, "{said}");
        }
    }

    /// A place is the user's alone, and no name is taken twice.
    #[test]
    fn places() {
        let state = tempfile::tempdir().expect("a directory");
        let tools = Tools {
            tmux: "/usr/bin/tmux".into(),
            ssh: "/usr/bin/ssh".into(),
        };
        let place = Place::make(state.path(), "sshmcp-x-1", tools.clone()).expect("a place");
        place.put(files::NONCE, b"n").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&place.directory), 0o700);
        assert_eq!(mode(&place.directory.join(files::NONCE)), 0o600);
        assert!(Place::make(state.path(), "sshmcp-x-1", tools.clone()).is_err());
        assert_eq!(Place::all(state.path(), &tools), [(place.clone(), None)]);
        assert_eq!(
            (place.name().as_str(), place.ended(), place.has_master()),
            ("sshmcp-x-1", None, false)
        );
    }
}
