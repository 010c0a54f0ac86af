//! From a name to a target: explicit values over the configuration over ssh_config, hop by hop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

use super::directives::Directives;
use super::name::{HostName, check_port, check_user};
use super::openssh::{self, Question};
use super::options;
use super::target::{AgentSource, OpenSsh, Target};
use super::tokens::{Tokens, local_user};
use super::{aliases, builtin};
use crate::config::{Config, Connection, HostKeyPolicy, SecretSource};
use crate::secret::Secret;

/// Hops within hops; more is a mistake in somebody's configuration.
const MAX_DEPTH: usize = 8;

/// Keys that OpenSSH tries where nothing is said; it is asked where it is installed.
const DEFAULT_IDENTITIES: [&str; 5] = [
    "~/.ssh/id_rsa",
    "~/.ssh/id_ecdsa",
    "~/.ssh/id_ecdsa_sk",
    "~/.ssh/id_ed25519",
    "~/.ssh/id_ed25519_sk",
];

/// Keys that some versions of it try as well.
const OTHER_IDENTITIES: [&str; 3] = ["~/.ssh/id_dsa", "~/.ssh/id_xmss", "~/.ssh/id_mldsa44_ed25519"];

/// What a caller lays over a host's configuration.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Login name.
    pub username: Option<String>,
    /// TCP port; what is none is `invalid_argument`.
    pub port: Option<u32>,
    /// Private key file.
    pub key_filename: Option<String>,
    /// Password for this login.
    pub password: Option<Secret>,
    /// What is dialled.
    pub hostname: Option<String>,
}

/// The target of a host. Whether it exists is found out by connecting.
pub async fn resolve(config: &Config, host: &str, overrides: &Overrides) -> Result<Target, Fault> {
    let ssh = openssh::program();
    resolve_by(ssh.as_deref(), config, host, overrides).await
}

/// The same by this `ssh`, or by our own parser.
pub(super) async fn resolve_by(
    ssh: Option<&Path>,
    config: &Config,
    host: &str,
    overrides: &Overrides,
) -> Result<Target, Fault> {
    let asked = Asked { config, ssh };
    hop(asked, host.to_owned(), overrides.clone(), Vec::new(), true).await
}

/// Who is asked.
#[derive(Clone, Copy)]
struct Asked<'a> {
    config: &'a Config,
    ssh: Option<&'a Path>,
}

/// One hop; `path` are the hops that led here, `own_jump` whether its own jump hosts count.
fn hop<'a>(
    asked: Asked<'a>,
    host: String,
    overrides: Overrides,
    mut path: Vec<String>,
    own_jump: bool,
) -> BoxFuture<'a, Result<Target, Fault>> {
    async move {
        let config = asked.config;
        if path.contains(&host) {
            return Err(
                Fault::new(Reason::ConfigInvalid, "the jump hosts lead in a circle")
                    .hint("look at `jump` in config.toml and ProxyJump in ssh_config"),
            );
        }
        if path.len() >= MAX_DEPTH {
            return Err(Fault::new(
                Reason::ConfigInvalid,
                format!("more than {MAX_DEPTH} jump hosts lead to one another"),
            )
            .hint("look at `jump` in config.toml and ProxyJump in ssh_config"));
        }
        let wanted = Wanted::new(config, &host, &overrides)?;
        path.push(host.clone());
        let (said, resolved_by) = ask(asked, &wanted).await?;
        let jump = match wanted.jump(&said).filter(|_| own_jump) {
            None => Vec::new(),
            Some(hops) => chain(asked, hops, &path).await?,
        };
        let typed = typed(&host, &overrides);
        wanted
            .target(config, host, &said, jump, resolved_by)
            .map(|target| Target { typed, ..target })
    }
    .boxed()
}

/// A host as a person gives it to `sshctl`. Where it stands for another address that is not to be shown, it stands alone.
fn typed(host: &str, overrides: &Overrides) -> String {
    let mut typed = host.to_owned();
    if overrides.hostname.is_some() {
        return typed;
    }
    let port = overrides.port.map(|port| port.to_string());
    let flags = [
        (" -l ", overrides.username.as_ref()),
        (" -p ", port.as_ref()),
        (" --key ", overrides.key_filename.as_ref()),
    ];
    for (flag, value) in flags {
        if let Some(value) = value {
            typed += flag;
            typed += &shell_word(value);
        }
    }
    typed
}

/// A text as one word of a shell's line.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._-+@%:=/,~".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The hops of a jump chain. As with OpenSSH, only the first hop's own jump hosts count.
async fn chain(asked: Asked<'_>, hops: Vec<String>, path: &[String]) -> Result<Vec<Target>, Fault> {
    if hops.len() > MAX_DEPTH {
        return Err(Fault::new(
            Reason::ConfigInvalid,
            format!("more than {MAX_DEPTH} jump hosts in a row"),
        ));
    }
    let mut found: Vec<Target> = Vec::new();
    for (index, name) in hops.into_iter().enumerate() {
        let mut target = hop(asked, name, Overrides::default(), path.to_vec(), index == 0).await?;
        if index == 0 {
            found.append(&mut target.jump.clone());
        } else {
            target.jump.clone_from(&found);
            // It is reached through the hop before it, and by nothing else.
            target.options.proxy_command = None;
        }
        found.push(target);
    }
    Ok(found)
}

/// What is known of a host before ssh_config is asked.
struct Wanted<'a> {
    connection: Option<&'a Connection>,
    /// What ssh_config is asked about.
    name: String,
    user: Option<String>,
    /// True if the user is another than the configured passwords are for.
    other_user: bool,
    port: Option<u16>,
    key: Option<PathBuf>,
    password: Option<SecretSource>,
    /// Dialled instead of what is configured.
    hostname: Option<String>,
}

impl<'a> Wanted<'a> {
    fn new(config: &'a Config, host: &str, overrides: &Overrides) -> Result<Self, Fault> {
        let Overrides {
            username,
            port,
            key_filename,
            password,
            hostname,
        } = overrides;
        if let Some(user) = username {
            check_user(user)?;
        }
        let port = port.map(check_port).transpose()?;
        // A configured name is taken as it is, even if it would read as `user@host`; and `user@NAME` is NAME with
        // another user.
        let (connection, given) = match config.connection(host)? {
            Some(connection) => (Some(connection), None),
            None => {
                let given = parse(config, host)?;
                (config.connection(&given.name)?, Some(given))
            }
        };
        let (given_user, given_port, given_name) = match given {
            Some(HostName { user, name, port }) => (user, port, Some(name)),
            None => (None, None, None),
        };
        let dialled = match connection {
            Some(connection) => HostName::parse(connection.host.as_deref().unwrap_or(&connection.name))?,
            None => HostName {
                user: None,
                name: given_name.unwrap_or_else(|| host.to_owned()),
                port: None,
            },
        };
        let configured_user = connection
            .and_then(|connection| connection.user.clone())
            .or(dialled.user);
        let explicit_user = username.clone().or(given_user);
        let hostname = hostname.as_deref().map(dialled_instead).transpose()?;
        Ok(Self {
            other_user: explicit_user.is_some()
                && configured_user.is_some()
                && explicit_user != configured_user,
            user: explicit_user.or(configured_user),
            port: port
                .or(given_port)
                .or(connection.and_then(|connection| connection.port))
                .or(dialled.port),
            name: dialled.name,
            key: key_file(&config.home, key_filename.as_deref(), connection)?,
            password: password.clone().map(SecretSource::Literal),
            hostname,
            connection,
        })
    }

    /// The hops that are wanted, if any.
    fn jump(&self, said: &Directives) -> Option<Vec<String>> {
        let own = self.connection.and_then(|connection| connection.jump.clone());
        own.or_else(|| {
            let hops = said.proxy_jump.as_ref()?;
            Some(hops.split(',').map(|hop| hop.trim().to_owned()).collect())
        })
    }

    fn target(
        self,
        config: &Config,
        alias: String,
        said: &Directives,
        jump: Vec<Target>,
        resolved_by: &'static str,
    ) -> Result<Target, Fault> {
        let hostname = self.hostname.clone().or_else(|| said.hostname.clone());
        let hostname = hostname.unwrap_or_else(|| self.name.clone());
        // ssh_config may have built the name from tokens; what is dialled obeys the same rule.
        let hostname = match HostName::parse(&bracketed(&hostname)) {
            Ok(HostName { name, .. }) => name,
            Err(fault) => {
                return Err(Fault::new(
                    Reason::ConfigInvalid,
                    format!("ssh_config gives no usable HostName: {}", fault.message),
                ));
            }
        };
        let user = self
            .user
            .clone()
            .or_else(|| said.user.clone())
            .unwrap_or_else(local_user);
        let port = self.port.or(said.port).unwrap_or(22);
        let tokens = Tokens {
            home: &config.home,
            hostname: &hostname,
            name: &self.name,
            port,
            remote_user: &user,
            jump: said.proxy_jump.as_deref().unwrap_or_default(),
            host_key_alias: said.host_key_alias.as_deref(),
        };
        let own_jump = self
            .connection
            .is_some_and(|connection| connection.jump.is_some());
        let openssh = OpenSsh {
            name: self.name.clone(),
            key: self.key.clone(),
            own_jump,
            instead: said.instead.clone(),
        };
        // A stored secret is for the user and the address that it was stored for.
        let is_other = self.other_user || self.hostname.is_some();
        let mut options = options::of(said, &tokens, jump.is_empty() && !own_jump)?;
        let (identities, identities_only) = match self.key {
            Some(key) => (vec![key], true),
            None => (identities(&tokens, &said.identity_files), said.identities_only),
        };
        if identities.iter().any(|file| options::is_security_key(file)) {
            options
                .only_openssh
                .push("a security key (FIDO) in IdentityFile".to_owned());
        }
        let files = |said: &Option<Vec<String>>, default: [&str; 2]| -> Vec<PathBuf> {
            match said {
                Some(files) => files.iter().filter_map(|file| tokens.path(file)).collect(),
                None => default.iter().filter_map(|file| tokens.path(file)).collect(),
            }
        };
        let connection = self.connection;
        let own = |pick: fn(&Connection) -> &Option<SecretSource>| connection.and_then(|c| pick(c).clone());
        Ok(Target {
            identities,
            identities_only,
            certificates: said
                .certificate_files
                .iter()
                .filter_map(|file| tokens.path(file))
                .filter(|file| file.is_file())
                .collect(),
            identity_agent: agent(&tokens, said.identity_agent.as_deref()),
            password: self
                .password
                .or_else(|| own(|c| &c.password).filter(|_| !is_other)),
            sudo_password: own(|c| &c.sudo_password).filter(|_| !is_other),
            secrets: connection
                .and_then(|c| c.secrets.clone())
                .filter(|_| !is_other)
                .unwrap_or_default(),
            enable_password: own(|c| &c.enable_password).filter(|_| self.hostname.is_none()),
            enable_command: connection.and_then(|c| c.enable_command.clone()),
            host_key_policy: connection
                .and_then(|c| c.host_key_policy)
                .or(config.settings.host_key_policy)
                .or(said.host_key_policy)
                .unwrap_or(HostKeyPolicy::Ask),
            user_known_hosts: files(
                &said.user_known_hosts,
                ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"],
            ),
            global_known_hosts: files(
                &said.global_known_hosts,
                ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"],
            ),
            host_key_alias: said
                .host_key_alias
                .as_deref()
                .and_then(|alias| tokens.text(alias)),
            connect_timeout: said.connect_timeout.unwrap_or(config.settings.connect_timeout),
            keepalive: said.keepalive,
            kind: connection.and_then(|c| c.kind).unwrap_or_default(),
            keeper: connection.and_then(|c| c.keeper),
            orphan_after: connection.and_then(|c| c.orphan_after),
            description: connection.and_then(|c| c.description.clone()).unwrap_or_default(),
            tags: connection.and_then(|c| c.tags.clone()).unwrap_or_default(),
            notes: connection.map(Connection::notes).unwrap_or_default(),
            source: match connection {
                Some(connection) => connection.source,
                None if aliases::scan(&config.home).contains(&self.name) => "ssh_config",
                None => "argument",
            },
            typed: alias.clone(),
            unread: config
                .problems
                .first()
                .filter(|_| connection.is_none())
                .map(ToString::to_string),
            alias,
            user,
            hostname,
            port,
            jump,
            resolved_by,
            openssh,
            options,
        })
    }
}

/// A host that is no configured name. An alias that the user's own file has literally is taken even where it would
/// not pass as a host; OpenSSH's own rule holds for it.
fn parse(config: &Config, host: &str) -> Result<HostName, Fault> {
    HostName::parse(host).or_else(|fault| {
        let harmless = !host.starts_with('-')
            && !host
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || "'`\"$\\;&<>|(){}".contains(c));
        if harmless && aliases::scan(&config.home).iter().any(|alias| alias == host) {
            Ok(HostName {
                user: None,
                name: host.to_owned(),
                port: None,
            })
        } else {
            Err(fault)
        }
    })
}

/// What a call has dialled instead of what is configured.
fn dialled_instead(hostname: &str) -> Result<String, Fault> {
    match HostName::parse(&bracketed(hostname)) {
        Ok(HostName {
            user: None,
            name,
            port: None,
        }) => Ok(name),
        // It is not repeated: who set it may want it hidden.
        _ => Err(Fault::new(
            Reason::InvalidArgument,
            "the hostname to dial is no name or address",
        )
        .hint("give a bare hostname or address, with neither user nor port")),
    }
}

/// The key file of the call, else of the configuration: it must be there.
fn key_file(
    home: &Path,
    argument: Option<&str>,
    connection: Option<&Connection>,
) -> Result<Option<PathBuf>, Fault> {
    let Some(argument) = argument else {
        let configured = connection.and_then(|connection| connection.key_path.clone());
        return match configured {
            Some(key) if !key.is_file() => Err(Fault::new(
                Reason::ConfigInvalid,
                format!("the configured key file {} is not there", key.display()),
            )
            .hint("correct `key_path`, or create the key")),
            configured => Ok(configured),
        };
    };
    if argument.is_empty() || argument.chars().any(char::is_control) {
        return Err(Fault::new(Reason::InvalidArgument, "key_filename is no path")
            .hint("give the path of a private key file, or leave it out to use the configured keys"));
    }
    let key = match argument.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(argument),
    };
    if !key.is_absolute() {
        return Err(Fault::new(
            Reason::InvalidArgument,
            "key_filename must be absolute or begin with `~/`",
        )
        .hint("the daemon's working directory is not yours"));
    }
    if key.is_file() {
        Ok(Some(key))
    } else {
        Err(Fault::new(
            Reason::NotFound,
            format!("the key file {} is not there", key.display()),
        )
        .hint("correct key_filename, or leave it out to use the configured keys"))
    }
}

/// Identity files: those that somebody named, and of OpenSSH's own those that are there or whose public half is.
fn identities(tokens: &Tokens<'_>, said: &[String]) -> Vec<PathBuf> {
    let patterns: Vec<&str> = if said.is_empty() {
        DEFAULT_IDENTITIES.to_vec()
    } else {
        said.iter().map(String::as_str).collect()
    };
    let is_there = |file: &PathBuf| {
        let mut public = file.clone().into_os_string();
        public.push(".pub");
        file.is_file() || PathBuf::from(public).is_file()
    };
    patterns
        .into_iter()
        .filter_map(|pattern| {
            // `ssh -G` lists these where nobody named any.
            let is_default = DEFAULT_IDENTITIES.contains(&pattern) || OTHER_IDENTITIES.contains(&pattern);
            tokens.path(pattern).filter(|file| !is_default || is_there(file))
        })
        .collect()
}

/// Where the agent is that ssh_config names.
pub(super) fn agent(tokens: &Tokens<'_>, said: Option<&str>) -> AgentSource {
    match said {
        None | Some("SSH_AUTH_SOCK") => AgentSource::Default,
        Some("none") => AgentSource::None,
        Some(said) => {
            // `$NAME` is the whole value; `${NAME}` a part of a path.
            let path = match said.strip_prefix('$').filter(|name| !name.starts_with('{')) {
                Some(name) => std::env::var_os(name).map(PathBuf::from),
                None => tokens.path(said),
            };
            path.map_or(AgentSource::None, AgentSource::Path)
        }
    }
}

/// What ssh_config says, and who read it.
async fn ask(asked: Asked<'_>, wanted: &Wanted<'_>) -> Result<(Arc<Directives>, &'static str), Fault> {
    let question = Question {
        home: asked.config.home.clone(),
        name: wanted.name.clone(),
        user: wanted.user.clone(),
        port: wanted.port,
    };
    if let Some(file) = aliases::exposed(&question.home) {
        let file = file.display();
        return Err(Fault::new(
            Reason::ConfigInvalid,
            format!("ssh_config is not used, since others can change it: {file} has another owner or is writable for them"),
        )
        .hint(format!("look at what it says, then make it yours alone: chown $USER {file}; chmod go-w {file}")));
    }
    if let Some(ssh) = asked.ssh {
        return Ok((openssh::ask(ssh, &question).await?, "ssh -G"));
    }
    let is_there =
        aliases::own_config(&question.home).is_some() || Path::new(openssh::SYSTEM_CONFIG).is_file();
    if !is_there {
        return Ok((Arc::default(), "none"));
    }
    // It reads files, and waits for the programs of `Match exec`.
    let found = tokio::task::spawn_blocking(move || builtin::resolve(&question)).await;
    let found = found.map_err(|_| Fault::new(Reason::Internal, "ssh_config could not be read"))??;
    Ok((Arc::new(found), "built-in"))
}

/// An IPv6 address in the brackets that tell it from `host:port`.
fn bracketed(hostname: &str) -> String {
    if hostname.contains(':') {
        format!("[{hostname}]")
    } else {
        hostname.to_owned()
    }
}
