//! Targets for tests: everything explicit, nothing from the machine's own configuration.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use sshmcp_proto::error::Fault;
use sshmcpd::{
    config::{HostKeyPolicy, Kind, SecretSource},
    connection::{Channel, ChannelEvent, CloseReason, Connection, Pool, PoolSettings, Pty},
    host::{AgentSource, OpenSsh, Options, Target},
    secret::Secret,
};

use crate::sshd::{Sshd, keygen, user};

/// A channel that is silent for so long would be for ever, and the whole run with it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A home of the test's own: keys and known hosts.
pub(crate) struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a key pair and gives the private file.
    pub(crate) fn key(&self, name: &str, kind: &str, passphrase: &str) -> PathBuf {
        let path = self.path(name);
        keygen(&path, kind, passphrase);
        path
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.path("known_hosts")
    }

    /// Writes the server's key down as known.
    pub(crate) fn know(&self, sshd: &Sshd) {
        self.know_as(&format!("[127.0.0.1]:{} {}", sshd.port, sshd.host_key("ed25519")));
    }

    pub(crate) fn know_as(&self, line: &str) {
        let mut text = fs::read_to_string(self.known_hosts()).unwrap_or_default();
        text.push_str(line);
        text.push('\n');
        fs::write(self.known_hosts(), text).expect("known_hosts");
    }

    /// A target that is nothing but user, address and this home's known hosts.
    pub(crate) fn target(&self, port: u16) -> Target {
        Target {
            alias: "box".to_owned(),
            typed: "box".to_owned(),
            unread: None,
            user: user().to_owned(),
            hostname: "127.0.0.1".to_owned(),
            port,
            jump: Vec::new(),
            identities: Vec::new(),
            certificates: Vec::new(),
            identities_only: true,
            identity_agent: AgentSource::None,
            password: None,
            host_key_policy: HostKeyPolicy::Ask,
            host_key_alias: None,
            user_known_hosts: vec![self.known_hosts()],
            global_known_hosts: Vec::new(),
            connect_timeout: Duration::from_secs(15),
            keepalive: None,
            kind: Kind::Auto,
            keeper: None,
            orphan_after: None,
            description: String::new(),
            tags: Vec::new(),
            notes: Vec::new(),
            sudo_password: None,
            secrets: Vec::new(),
            enable_password: None,
            enable_command: None,
            source: "argument",
            resolved_by: "none",
            openssh: OpenSsh::default(),
            options: Options::default(),
        }
    }
}

/// A server, a key that it lets in, and a target that uses it: what most tests need.
pub(crate) struct Scene {
    pub(crate) home: Home,
    pub(crate) sshd: Sshd,
    pub(crate) target: Target,
    pub(crate) pool: Arc<Pool>,
}

impl Scene {
    pub(crate) fn new(options: &str) -> Self {
        let home = Home::new();
        let key = home.key("id", "ed25519", "");
        let sshd = Sshd::start(&[&public(&key)], options);
        home.know(&sshd);
        let mut target = home.target(sshd.port);
        target.identities = vec![key];
        Self {
            home,
            sshd,
            target,
            pool: Pool::new(PoolSettings::default()),
        }
    }

    pub(crate) async fn shell(&self) -> (Arc<Connection>, Channel) {
        self.pool.open_shell(&self.target, pty()).await.expect("a shell")
    }

    pub(crate) async fn refused(&self) -> Fault {
        refused(&self.pool, &self.target).await
    }
}

/// The fault with which a shell is refused.
pub(crate) async fn refused(pool: &Arc<Pool>, target: &Target) -> Fault {
    match pool.open_shell(target, pty()).await {
        Ok(_) => panic!("a shell was opened"),
        Err(fault) => fault,
    }
}

pub(crate) fn pty() -> Pty {
    Pty {
        term: "xterm-256color".to_owned(),
        cols: 80,
        rows: 24,
    }
}

pub(crate) fn public(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

pub(crate) fn secret(text: &str) -> Option<SecretSource> {
    Some(SecretSource::Literal(Secret::new(text.to_owned())))
}

/// Everything that a channel said.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) stdout: BytesMut,
    pub(crate) stderr: BytesMut,
    pub(crate) status: Option<u32>,
    pub(crate) signal: Option<String>,
    pub(crate) end: Option<CloseReason>,
}

/// Reads a channel to its end.
pub(crate) async fn drain(channel: &mut Channel) -> Said {
    let mut said = Said::default();
    loop {
        let event = tokio::time::timeout(PATIENCE, channel.next()).await;
        let Some(event) = event.expect("a channel that goes on or ends") else {
            return said;
        };
        match event {
            ChannelEvent::Stdout(bytes) => said.stdout.extend_from_slice(&bytes),
            ChannelEvent::Stderr(bytes) => said.stderr.extend_from_slice(&bytes),
            ChannelEvent::ExitStatus(status) => said.status = Some(status),
            ChannelEvent::ExitSignal { name, .. } => said.signal = Some(name),
            ChannelEvent::Eof | ChannelEvent::Screen(_) | ChannelEvent::Gap => {}
            ChannelEvent::Closed { reason } => said.end = Some(reason),
        }
    }
}

/// Reads until the text was seen, and gives all that came with it: who waits twice must not wait for what came at once.
pub(crate) async fn until(channel: &mut Channel, text: &str) -> String {
    let mut seen = String::new();
    loop {
        let event = tokio::time::timeout(PATIENCE, channel.next()).await;
        let Some(event) = event.unwrap_or_else(|_| panic!("{text:?} does not come: {seen}")) else {
            panic!("the channel ended without {text:?}: {seen}");
        };
        if let ChannelEvent::Stdout(bytes) = event {
            seen.push_str(&String::from_utf8_lossy(&bytes));
            if seen.contains(text) {
                return seen;
            }
        }
    }
}

/// Types a line.
pub(crate) async fn type_line(channel: &Channel, line: &str) {
    let bytes = Bytes::from(format!("{line}\n"));
    channel.writer().write(bytes).await.expect("a write");
}
