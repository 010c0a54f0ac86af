//! What every verb works with: the global flags, the printer, and the way to the daemon.

use sshmcp_proto::client::{ConnectOptions, Daemon, connect};
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{Client, HostRef};

use crate::args::{Global, Login};
use crate::output::Output;

/// What is the same for every verb of one run.
#[derive(Debug)]
pub(crate) struct Context {
    /// The flags.
    pub(crate) global: Global,
    /// The printer.
    pub(crate) out: Output,
    client: Client,
}

impl Context {
    /// For one run of `sshctl`.
    pub(crate) fn new(global: Global) -> Self {
        let out = Output::new(global.json);
        Self {
            global,
            out,
            client: Client {
                program: "sshctl".to_owned(),
                name: login_name(),
                // One person at one shell is one client, however often the program is started there.
                id: format!(
                    "sshctl-{}",
                    rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get())
                ),
                pid: std::process::id(),
            },
        }
    }

    /// The daemon; started if there is none.
    pub(crate) async fn daemon(&self) -> Result<Daemon, Fault> {
        connect(ConnectOptions {
            start: true,
            ..self.options()
        })
        .await
    }

    /// The daemon that runs, of whatever version; none is started.
    pub(crate) async fn running_daemon(&self) -> Result<Daemon, Fault> {
        connect(ConnectOptions {
            any_version: true,
            ..self.options()
        })
        .await
    }

    fn options(&self) -> ConnectOptions {
        ConnectOptions {
            socket: self.global.socket.clone(),
            config: self.global.config.clone(),
            client: self.client.clone(),
            ..ConnectOptions::default()
        }
    }
}

/// Who is at the keyboard, for lists of clients; proves nothing.
fn login_name() -> String {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// A host as the command line names it.
pub(crate) fn host_ref(host: &str, login: &Login) -> HostRef {
    let Login { user, port, key } = login;
    HostRef {
        host: host.to_owned(),
        username: user.clone(),
        port: port.map(u32::from),
        key_filename: key.clone(),
        ..HostRef::default()
    }
}

/// A host by its name alone.
pub(crate) fn host_named(host: &str) -> HostRef {
    HostRef {
        host: host.to_owned(),
        ..HostRef::default()
    }
}

/// True for `c1`, `c2`, …: what names a command and not a session.
pub(crate) fn is_command_id(name: &str) -> bool {
    name.strip_prefix('c')
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Seconds as people give them, in the wire's milliseconds; negative ones and no numbers are none.
pub(crate) fn milliseconds(seconds: f64) -> u64 {
    // The cast saturates, which is what a wait of more than all time means.
    (seconds * 1000.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a `c` and a number is a command's id.
    #[test]
    fn command_ids() {
        for (name, expected) in [
            ("c1", true),
            ("c042", true),
            ("c", false),
            ("c1x", false),
            ("web1", false),
        ] {
            assert_eq!(is_command_id(name), expected, "{name}");
        }
    }

    /// Odd numbers of seconds do no harm.
    #[test]
    fn seconds() {
        for (seconds, ms) in [(1.5, 1500), (-1.0, 0), (f64::NAN, 0), (f64::INFINITY, u64::MAX)] {
            assert_eq!(milliseconds(seconds), ms);
        }
    }
}
