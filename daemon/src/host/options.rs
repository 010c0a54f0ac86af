//! What ssh_config says about the way to a host and about a connection there, beside name, keys and trust.

use std::path::{Path, PathBuf};

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

use super::directives::Directives;
use super::lines;
use super::resolve::agent;
use super::target::AgentSource;
use super::tokens::Tokens;
use super::treatment::{self, Treatment};

/// Of ssh_config, as far as the daemon's own connections obey it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The program whose input and output are the connection, tokens put in.
    pub proxy_command: Option<String>,
    /// The only kind of address that may be dialled.
    pub address_family: Option<AddressFamily>,
    /// The address of this machine to dial from.
    pub bind_address: Option<String>,
    /// Algorithms.
    pub algorithms: Algorithms,
    /// What is sent may be compressed.
    pub compression: bool,
    /// The agent that the host may ask.
    pub forwarded_agent: Option<AgentSource>,
    /// Variables for what runs there; a server takes those that it likes.
    pub environment: Vec<(String, String)>,
    /// Kinds of login that may be tried, if not all.
    pub methods: Option<Vec<String>>,
    /// They are tried in the order in which they stand there (PreferredAuthentications).
    pub in_order: bool,
    /// Directives that OpenSSH's own client alone obeys, and that may be why a login fails.
    pub only_openssh: Vec<String>,
    /// Directives without which the host must not be connected to.
    pub needs_openssh: Vec<String>,
}

/// Lists of algorithms as ssh_config has them; `+`, `-` and `^` before one change the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Algorithms {
    /// `Ciphers`.
    pub ciphers: Option<String>,
    /// `KexAlgorithms`.
    pub kex: Option<String>,
    /// `MACs`.
    pub macs: Option<String>,
    /// `HostKeyAlgorithms`.
    pub host_keys: Option<String>,
    /// `PubkeyAcceptedAlgorithms`.
    pub user_keys: Option<String>,
}

/// A kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFamily {
    /// `inet`.
    V4,
    /// `inet6`.
    V6,
}

impl Options {
    /// Whether this kind of login may be tried, by its name in the protocol.
    pub fn allows(&self, method: &str) -> bool {
        let methods = self.methods.as_ref();
        methods.is_none_or(|methods| methods.iter().any(|allowed| allowed == method))
    }
}

/// Whether this machine looks as if it had Kerberos: Debian's ssh_config asks for it everywhere.
fn has_kerberos() -> bool {
    let cache = format!("/tmp/krb5cc_{}", rustix::process::getuid().as_raw());
    std::env::var_os("KRB5CCNAME").is_some_and(|name| !name.is_empty())
        || [cache.as_str(), "/etc/krb5.conf"]
            .map(PathBuf::from)
            .iter()
            .any(|file| file.exists())
}

/// Whether the key is in a device that the daemon does not speak to; an agent may.
pub(super) fn is_security_key(file: &Path) -> bool {
    let mut public = file.as_os_str().to_owned();
    public.push(".pub");
    let text = std::fs::read_to_string(PathBuf::from(public)).unwrap_or_default();
    text.starts_with("sk-")
}

/// What is said of the way there; `by_itself`: no jump host is on it.
pub(super) fn of(said: &Directives, tokens: &Tokens<'_>, by_itself: bool) -> Result<Options, Fault> {
    /// What would be more than a name to the shell that runs the command, as in OpenSSH.
    const SHELL: &str = "'`\"$\\;&<>|(){}";
    if let Some(why) = &said.refused {
        return Err(Fault::new(
            Reason::ConfigInvalid,
            format!("ssh_config refuses this host: {}", why.escape_debug()),
        )
        .hint("look at RefuseConnection in ssh_config"));
    }
    let proxy_command = match said.proxy_command.as_deref().filter(|_| by_itself) {
        None => None,
        Some(pattern) => {
            if pattern.contains("%r") && tokens.remote_user.contains(|c| SHELL.contains(c)) {
                return Err(Fault::new(
                    Reason::InvalidArgument,
                    "the user name has a character that ssh_config's ProxyCommand would give to a shell",
                )
                .hint("use a user name of letters and digits, or leave `%r` out of the ProxyCommand"));
            }
            let command = tokens.command(pattern).ok_or_else(|| {
                Fault::new(
                    Reason::ConfigInvalid,
                    "ssh_config's ProxyCommand has a `%` that is none of %% %h %n %p %r",
                )
                .hint("look at TOKENS in ssh_config(5)")
            })?;
            Some(command)
        }
    };
    let mut options = Options {
        proxy_command,
        address_family: said.address_family,
        bind_address: said.bind_address.clone(),
        algorithms: said.algorithms.clone(),
        compression: said.compression,
        forwarded_agent: match said.forward_agent.as_deref() {
            None => None,
            Some("yes" | "true") => Some(agent(tokens, said.identity_agent.as_deref())),
            Some(path) => Some(agent(tokens, Some(path))),
        },
        environment: environment(said),
        methods: said.methods(),
        in_order: said.preferred.is_some(),
        ..Options::default()
    };
    for (keyword, _) in &said.openssh {
        let name = treatment::spelling(keyword).to_owned();
        match treatment::of(keyword) {
            // It is about the program that there is none of.
            Some(Treatment::Needed) if keyword == "proxyusefdpass" && options.proxy_command.is_none() => {}
            Some(Treatment::Needed) => options.needs_openssh.push(name),
            Some(_) if keyword.starts_with("gssapi") && !has_kerberos() => {}
            _ => options.only_openssh.push(name),
        }
    }
    options.only_openssh.sort();
    options.needs_openssh.sort();
    Ok(options)
}

/// Variables for the far side: those of the daemon's own environment that are to be sent, then those that are set.
fn environment(said: &Directives) -> Vec<(String, String)> {
    /// A server takes far fewer.
    const VARIABLES_MAX: usize = 100;
    let is_sent = |name: &str| {
        let mut sent = false;
        for pattern in &said.send_env {
            match pattern.strip_prefix('-') {
                Some(pattern) => sent &= !lines::matches(pattern, name),
                None => sent |= lines::matches(pattern, name),
            }
        }
        sent
    };
    let own = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| is_sent(name) && !said.set_env.iter().any(|(set, _)| set == name));
    // The terminal is ours.
    let set = said.set_env.iter().filter(|(name, _)| name != "TERM").cloned();
    own.chain(set).take(VARIABLES_MAX).collect()
}
