//! `Target`: a host resolved, with all that connecting needs; and `TargetKey`, what makes two targets the same.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::options::Options;
use crate::config::{HostKeyPolicy, Keeper, Kind, NotesFile, SecretSource};
use crate::secret::Secret;

/// Where the ssh-agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentSource {
    /// Where the daemon finds it.
    Default,
    /// None is to be asked.
    None,
    /// At this socket.
    Path(PathBuf),
}

/// What OpenSSH's own client is told beside what it reads in ssh_config by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenSsh {
    /// What ssh_config is asked about: the last argument.
    pub name: String,
    /// The one key file that is to be offered, if the call or the configuration names one.
    pub key: Option<PathBuf>,
    /// The jump hosts are the configuration's, which ssh_config does not know.
    pub own_jump: bool,
    /// Options against directives by which it would not give a shell in its terminal.
    pub instead: Vec<&'static str>,
}

/// A host resolved.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host as the user named it.
    pub alias: String,
    /// What a person gives to `sshctl` for the same login: the host, and what the call laid over it.
    pub typed: String,
    /// Login name.
    pub user: String,
    /// What keeps the configuration from being read, where the host is none that it is known to have.
    pub unread: Option<String>,
    /// What is dialled.
    pub hostname: String,
    /// TCP port.
    pub port: u16,
    /// Hops, first hop first; each hop's own `jump` is the hops before it.
    pub jump: Vec<Self>,
    /// Private key files to offer, in this order. A file may be missing where only its `.pub` is there: then it
    /// selects a key of the agent.
    pub identities: Vec<PathBuf>,
    /// Certificates that ssh_config names.
    pub certificates: Vec<PathBuf>,
    /// Whether of the agent's keys only those of `identities` may be offered.
    pub identities_only: bool,
    /// Where the agent is.
    pub identity_agent: AgentSource,
    /// Login password.
    pub password: Option<SecretSource>,
    /// What to do with an unknown host key.
    pub host_key_policy: HostKeyPolicy,
    /// The name under which known_hosts has the key, instead of `hostname`.
    pub host_key_alias: Option<String>,
    /// The user's known_hosts files; new keys go into the first.
    pub user_known_hosts: Vec<PathBuf>,
    /// The system's known_hosts files.
    pub global_known_hosts: Vec<PathBuf>,
    /// Time for connecting.
    pub connect_timeout: Duration,
    /// Interval and number of unanswered keepalives, if ssh_config asks for any.
    pub keepalive: Option<(Duration, u32)>,
    /// What answers there.
    pub kind: Kind,
    /// What keeps its sessions' shells, as it is configured.
    pub keeper: Option<Keeper>,
    /// How long a kept shell waits for somebody to come back; the setting if none.
    pub orphan_after: Option<Duration>,
    /// What its owner says it is.
    pub description: String,
    /// Labels.
    pub tags: Vec<String>,
    /// Files of markdown written by a person for agents.
    pub notes: Vec<NotesFile>,
    /// For sudo's own prompt.
    pub sudo_password: Option<SecretSource>,
    /// By name, to be typed at prompts that hide them.
    pub secrets: Vec<(String, SecretSource)>,
    /// For a network device's privileged mode.
    pub enable_password: Option<SecretSource>,
    /// What enters a network device's privileged mode.
    pub enable_command: Option<String>,
    /// Where the name comes from: `config`, `mcp-ssh-interactive`, `ssh_config`, `argument`.
    pub source: &'static str,
    /// Who read ssh_config: `ssh -G`, `built-in`, or `none` where there was nothing to read.
    pub resolved_by: &'static str,
    /// For a connection that OpenSSH's own client makes.
    pub openssh: OpenSsh,
    /// What else ssh_config says of the way there.
    pub options: Options,
}

impl Target {
    /// Why the daemon's own connections must not reach it, if they must not.
    pub fn needs_openssh(&self) -> Option<String> {
        let directives = self.options.needs_openssh.as_slice();
        (!directives.is_empty()).then(|| {
            format!(
                "ssh_config says {} for this host, which OpenSSH's own client alone can follow",
                directives.join(" and ")
            )
        })
    }

    /// The keeper by which alone its sessions are to be had, where that is OpenSSH's own client.
    pub fn only_keeper(&self) -> Option<&'static str> {
        let is_only = self.needs_openssh().is_some() || self.keeper == Some(Keeper::LocalTmux);
        is_only.then(Self::openssh_keeper)
    }

    /// The keeper with which OpenSSH's own client asks whatever there is to ask.
    pub fn openssh_keeper() -> &'static str {
        Keeper::LocalTmux.word()
    }

    /// Secrets that stand in the configuration as they are.
    pub fn literal_secrets(&self) -> impl Iterator<Item = &Secret> {
        let own = [&self.password, &self.sudo_password, &self.enable_password];
        let named = self.secrets.iter().map(|(_, source)| source);
        let sources = own.into_iter().flatten().chain(named);
        sources.filter_map(|source| match source {
            SecretSource::Literal(secret) => Some(secret),
            _ => None,
        })
    }

    /// Connecting there has the same outcome as for this target: the same trust and the same credentials.
    pub fn logs_in_like(&self, other: &Self) -> bool {
        let password = match (&self.password, &other.password) {
            (None, None) => true,
            (Some(own), Some(theirs)) => own.is_same(theirs),
            (None, Some(_)) | (Some(_), None) => false,
        };
        password
            && self.alias == other.alias
            && self.host_key_policy == other.host_key_policy
            && self.host_key_alias == other.host_key_alias
            && self.identities == other.identities
            && self.identities_only == other.identities_only
            && self.identity_agent == other.identity_agent
            && self.options == other.options
    }

    /// The secret that its configuration has under this name.
    pub fn secret(&self, name: &str) -> Option<&SecretSource> {
        match name {
            "password" => self.password.as_ref(),
            "sudo_password" => self.sudo_password.as_ref(),
            "enable_password" => self.enable_password.as_ref(),
            _ => None,
        }
        .or_else(|| {
            let found = self.secrets.iter().find(|(own, _)| own == name);
            found.map(|(_, source)| source)
        })
    }

    /// A target of which nothing is known but its key: it trusts no host key and has nothing to log in with.
    pub fn bare(alias: &str, key: &TargetKey) -> Self {
        let mut hops: Vec<Self> = Vec::new();
        for (user, hostname, port) in key.hops() {
            hops.push(Self {
                alias: alias.to_owned(),
                typed: alias.to_owned(),
                unread: None,
                user: user.to_owned(),
                hostname: hostname.to_owned(),
                port,
                jump: hops.clone(),
                identities: Vec::new(),
                certificates: Vec::new(),
                identities_only: true,
                identity_agent: AgentSource::None,
                password: None,
                host_key_policy: HostKeyPolicy::Strict,
                host_key_alias: None,
                user_known_hosts: Vec::new(),
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
                source: "state",
                resolved_by: "none",
                openssh: OpenSsh::default(),
                options: Options::default(),
            });
        }
        // A key has a hop at least; an empty one comes from a file that somebody wrote.
        hops.pop().unwrap_or_else(|| {
            let nowhere = TargetKey::of([(String::new(), String::from("unknown.invalid"), 22)]);
            Self::bare(alias, &nowhere)
        })
    }

    /// What makes this target the same as another.
    pub fn key(&self) -> TargetKey {
        let mut hops = Vec::new();
        for hop in self.jump.iter().chain(std::iter::once(self)) {
            if let Some(command) = &hop.options.proxy_command {
                // Behind another program may be another host of the same name.
                hops.push((String::new(), by_program(command), 0));
            }
            hops.push((hop.user.clone(), hop.hostname.clone(), hop.port));
        }
        TargetKey { hops }
    }
}

/// A hop that is a program, in a word that is the same at every start and does not tell its arguments.
fn by_program(command: &str) -> String {
    // FNV-1a: what is told apart is one person's own configuration.
    let hash = command.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("proxy-{hash:016x}")
}

/// Same user, hostname, port and jump chain: same target. Shows itself as `user@hostname:port`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKey {
    /// User, hostname and port of each hop and, last, of the target.
    hops: Vec<(String, String, u16)>,
}

impl TargetKey {
    /// User, hostname and port of each hop and, last, of the target.
    pub fn hops(&self) -> impl Iterator<Item = (&str, &str, u16)> {
        let hops = self.hops.iter();
        hops.map(|(user, hostname, port)| (user.as_str(), hostname.as_str(), *port))
    }

    /// The key with these hops.
    pub fn of(hops: impl IntoIterator<Item = (String, String, u16)>) -> Self {
        Self {
            hops: hops.into_iter().collect(),
        }
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((user, hostname, port)) = self.hops.last() else {
            return Ok(());
        };
        if hostname.contains(':') {
            write!(f, "{user}@[{hostname}]:{port}")
        } else {
            write!(f, "{user}@{hostname}:{port}")
        }
    }
}
