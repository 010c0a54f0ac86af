//! `[connections.NAME]`: one configured connection, each field as the first file that sets it says.

use std::{path::PathBuf, time::Duration};

use super::fields;
use super::problem::{Pos, Problem};
use super::reading::{Checked, Reading};
use super::secret_source::SecretSource;
use super::tree::Entry;

/// What to do with a host key that no known_hosts file has. A changed or revoked key always fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostKeyPolicy {
    /// Fail, and say how a person accepts the key.
    Ask,
    /// Write it down and go on.
    AcceptNew,
    /// Fail.
    Strict,
}

impl HostKeyPolicy {
    /// The policy of a word that the shape has let through.
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "ask" => Self::Ask,
            "accept-new" => Self::AcceptNew,
            _ => Self::Strict,
        }
    }
}

/// What answers on the far side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// To be found out by asking.
    #[default]
    Auto,
    /// A Unix shell.
    Posix,
    /// A router, switch or firewall with a command line of its own.
    Network,
    /// A Windows shell.
    Windows,
}

impl Kind {
    fn from_word(word: &str) -> Self {
        match word {
            "posix" => Self::Posix,
            "network" => Self::Network,
            "windows" => Self::Windows,
            _ => Self::Auto,
        }
    }
}

/// What keeps a session's shell alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeper {
    /// The daemon: it ends with that, and with its connection.
    #[default]
    Daemon,
    /// A tmux on the host.
    RemoteTmux,
    /// OpenSSH's client in a tmux on our own machine.
    LocalTmux,
    /// A tmux on the host where it has one that serves, else the daemon.
    Auto,
}

impl Keeper {
    /// From its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "daemon" => Self::Daemon,
            "remote-tmux" => Self::RemoteTmux,
            "local-tmux" => Self::LocalTmux,
            "auto" => Self::Auto,
            _ => return None,
        })
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::RemoteTmux => "remote-tmux",
            Self::LocalTmux => "local-tmux",
            Self::Auto => "auto",
        }
    }
}

/// One configured connection that is fit for use. What is `None` is left to ssh_config.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The name in the file.
    pub name: String,
    /// The file that has it, `config` or `mcp-ssh-interactive`; of several the first.
    pub source: &'static str,
    /// What to connect to; the connection's own name if missing.
    pub host: Option<String>,
    /// Login name.
    pub user: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// The private key file; it was there when the file was read.
    pub key_path: Option<PathBuf>,
    /// Login password.
    pub password: Option<SecretSource>,
    /// What the host is.
    pub description: Option<String>,
    /// What answers there.
    pub kind: Option<Kind>,
    /// What keeps its sessions' shells.
    pub keeper: Option<Keeper>,
    /// How long a kept shell of its sessions waits for somebody to come back.
    pub orphan_after: Option<Duration>,
    /// Hops, first hop first; empty for "none".
    pub jump: Option<Vec<String>>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// For sudo's own prompt.
    pub sudo_password: Option<SecretSource>,
    /// By name, to be typed at prompts that hide them.
    pub secrets: Option<Vec<(String, SecretSource)>>,
    /// For a network device's privileged mode.
    pub enable_password: Option<SecretSource>,
    /// What enters a network device's privileged mode.
    pub enable_command: Option<String>,
    /// What to do with an unknown host key.
    pub host_key_policy: Option<HostKeyPolicy>,
    /// Markdown written by a person for agents.
    pub notes_path: Option<PathBuf>,
    /// The same of its tags, in the order of its tags.
    pub tag_notes: Vec<NotesFile>,
}

/// Notes for agents: one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotesFile {
    /// The tag whose they are; none: the host's own.
    pub tag: Option<String>,
    /// Where they are, if they are there.
    pub path: PathBuf,
}

impl Connection {
    /// Its own notes, then its tags'.
    pub(crate) fn notes(&self) -> Vec<NotesFile> {
        let own = self.notes_path.iter().map(|path| NotesFile {
            tag: None,
            path: path.clone(),
        });
        own.chain(self.tag_notes.iter().cloned()).collect()
    }
}

/// One connection as one file has it, right or wrong.
#[derive(Clone)]
pub(super) struct Draft {
    /// Its name.
    pub(super) name: String,
    /// The right fields.
    pub(super) connection: Connection,
    /// Where it begins.
    pub(super) at: (PathBuf, Pos),
    /// Where its key file is named; whether that is there is asked when the field wins.
    pub(super) key_at: Option<(PathBuf, Pos)>,
    /// Where its tags are.
    pub(super) tags_at: Option<(PathBuf, Pos)>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
}

impl Draft {
    /// Reads one connection.
    pub(super) fn read(reading: Reading<'_>, entry: &Entry, source: &'static str) -> Self {
        let mut draft = Self {
            name: entry.key.clone(),
            connection: Connection {
                name: entry.key.clone(),
                source,
                ..Connection::default()
            },
            at: (reading.file.to_owned(), entry.at),
            key_at: None,
            tags_at: None,
            problems: Vec::new(),
        };
        let Some(entries) = entry.node.table() else {
            draft
                .problems
                .push(reading.no_table(&entry.node, "a connection", "connections.NAME"));
            return draft;
        };
        for entry in entries {
            let read = reading
                .field(entry, fields::CONNECTION)
                .and_then(|field| Ok((field, reading.value(entry, field)?)));
            let checked = match read {
                Ok((field, Some(value))) => draft.set(reading, entry, field.name, value),
                Ok((_, None)) => Ok(()),
                Err(problem) => Err(problem),
            };
            if let Err(problem) = checked {
                draft.problems.push(problem);
            }
        }
        draft
    }

    fn set(
        &mut self,
        reading: Reading<'_>,
        entry: &Entry,
        name: &str,
        value: Checked,
    ) -> Result<(), Problem> {
        let at = entry.node.at;
        let connection = &mut self.connection;
        match (name, value) {
            ("host", Checked::Text(text)) => {
                crate::host::name::HostName::parse(&text).map_err(|_| {
                    reading
                        .at(at, "`host` is no host name, address or alias")
                        .hint("write `name`, `user@name:port` or `[address]:port`")
                })?;
                connection.host = Some(text);
            }
            ("user", Checked::Text(text)) => {
                crate::host::name::check_user(&text)
                    .map_err(|_| reading.at(at, "`user` is no login name"))?;
                connection.user = Some(text);
            }
            ("port", Checked::Number(number)) => connection.port = u16::try_from(number).ok(),
            ("key_path", Checked::Path(path)) => {
                self.key_at = Some((reading.file.to_owned(), at));
                connection.key_path = Some(path);
            }
            ("password", Checked::Secret(secret)) => connection.password = Some(secret),
            ("description", Checked::Text(text)) => connection.description = Some(text),
            ("kind", Checked::Word(word)) => connection.kind = Some(Kind::from_word(word)),
            ("keeper", Checked::Word(word)) => connection.keeper = Keeper::from_word(word),
            ("orphan_after", Checked::Number(number)) => {
                connection.orphan_after = u64::try_from(number).ok().map(Duration::from_secs);
            }
            ("jump", Checked::List(hops)) => {
                for hop in &hops {
                    crate::host::name::HostName::parse(hop)
                        .map_err(|_| reading.at(at, "`jump` has a hop that is no host"))?;
                }
                connection.jump = Some(hops);
            }
            ("tags", Checked::List(tags)) => {
                self.tags_at = Some((reading.file.to_owned(), at));
                connection.tags = Some(tags);
            }
            ("sudo_password", Checked::Secret(secret)) => connection.sudo_password = Some(secret),
            ("secrets", Checked::Secrets(secrets)) => connection.secrets = Some(secrets),
            ("enable_password", Checked::Secret(secret)) => connection.enable_password = Some(secret),
            ("enable_command", Checked::Text(text)) => connection.enable_command = Some(text),
            ("host_key_policy", Checked::Word(word)) => {
                connection.host_key_policy = Some(HostKeyPolicy::from_word(word));
            }
            ("notes_path", Checked::Path(path)) => connection.notes_path = Some(path),
            // A field of the table that no arm takes would be accepted and ignored.
            _ => return Err(reading.at(at, format!("`{name}` is not supported yet"))),
        }
        Ok(())
    }

    /// Lays this draft over one of a later file: per field, the first that sets it wins.
    pub(super) fn over(self, later: Self) -> Self {
        let (first, second) = (self.connection, later.connection);
        let mut problems = self.problems;
        problems.extend(later.problems);
        Self {
            name: self.name,
            at: self.at,
            key_at: if first.key_path.is_some() {
                self.key_at
            } else {
                later.key_at
            },
            tags_at: if first.tags.is_some() {
                self.tags_at
            } else {
                later.tags_at
            },
            connection: Connection {
                name: first.name,
                source: first.source,
                host: first.host.or(second.host),
                user: first.user.or(second.user),
                port: first.port.or(second.port),
                key_path: first.key_path.or(second.key_path),
                password: first.password.or(second.password),
                description: first.description.or(second.description),
                kind: first.kind.or(second.kind),
                keeper: first.keeper.or(second.keeper),
                orphan_after: first.orphan_after.or(second.orphan_after),
                jump: first.jump.or(second.jump),
                tags: first.tags.or(second.tags),
                sudo_password: first.sudo_password.or(second.sudo_password),
                secrets: first.secrets.or(second.secrets),
                enable_password: first.enable_password.or(second.enable_password),
                enable_command: first.enable_command.or(second.enable_command),
                host_key_policy: first.host_key_policy.or(second.host_key_policy),
                notes_path: first.notes_path.or(second.notes_path),
                tag_notes: Vec::new(),
            },
            problems,
        }
    }
}
