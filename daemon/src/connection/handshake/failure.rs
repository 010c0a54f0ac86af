//! Why there is no SSH connection, in words: by what came before the greeting, or of the key exchange.

use sshmcp_proto::{error::Fault, v1::Reason};

use super::handler::HandlerError;
use crate::{
    connection::{
        algorithms,
        dial::Greeting,
        words::{cause_words, place},
    },
    host::Target,
};

/// A handshake that failed.
pub(in crate::connection) struct Failure {
    pub(in crate::connection) fault: Fault,
    /// The server hung up before it named itself: sshd does that when too many are logging in (MaxStartups).
    pub(in crate::connection) dropped: bool,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            dropped: false,
        }
    }
}

pub(super) fn silent(target: &Target, greeting: &Greeting) -> Fault {
    let what = if greeting.is_ssh() {
        "the key exchange did not end in time".to_owned()
    } else {
        match greeting.first_line() {
            line if line.is_empty() => "something accepts connections there but says nothing".to_owned(),
            line => format!("it answers {line:?}, which is not SSH"),
        }
    };
    unreachable_host(target, &what)
}

pub(super) fn failure(target: &Target, error: &HandlerError, greeting: &Greeting) -> Failure {
    let words = match error {
        HandlerError::Ssh(error) => cause_words(error),
        HandlerError::Refused => "the host key was refused".to_owned(),
    };
    if greeting.is_ssh() {
        let fault = match error {
            HandlerError::Ssh(russh::Error::NoCommonAlgo { kind, theirs, .. }) => Fault::new(
                Reason::NotSupported,
                format!("{} and we share no algorithm: {words}", place(target)),
            )
            .hint(match algorithms::on_request(kind, theirs) {
                Some((directive, name)) if algorithms::is_offered(kind, &name) => format!(
                    "the {directive} that ssh_config says for this host leave out all that the server offers: take that line away, or add {name} to it"
                ),
                Some((directive, name)) => format!(
                    "it is no longer safe, but `{directive} +{name}` for this host in ssh_config has it offered; better update the server"
                ),
                None => "OpenSSH's own client may have one: open the session with the keeper `local-tmux`, which uses that".to_owned(),
            }),
            _ => unreachable_host(target, &format!("the key exchange failed: {words}")),
        };
        return fault.into();
    }
    let line = greeting.first_line();
    let hung_up = line.is_empty() || line.contains("MaxStartups") || line.starts_with("Not allowed");
    let what = match line.as_str() {
        "" => format!("{words} before the server's greeting"),
        _ => format!("it answers {line:?}, which is not SSH"),
    };
    Failure {
        fault: unreachable_host(target, &what),
        dropped: hung_up,
    }
}

pub(in crate::connection) fn unreachable_host(target: &Target, what: &str) -> Fault {
    Fault::new(
        Reason::Unreachable,
        format!("no SSH connection to {}: {what}", place(target)),
    )
    .hint("check address and port, and that an SSH server is running there, then try again")
    .retryable()
}
