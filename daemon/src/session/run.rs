//! A command as it is handed to a session: what it is, and what the caller gave with it.

use std::sync::Arc;

use sshmcp_proto::error::Fault;
use tokio::sync::oneshot;

use super::{Caller, Enable};
use crate::{
    command::{Command, Status},
    secret::Secret,
    shell::durable::Launch,
};

/// A command for a session.
pub(crate) struct Run {
    pub(crate) command: Arc<Command>,
    pub(crate) stdin: Option<Vec<u8>>,
    /// sudo's password that the caller gave: the text runs below sudo, or is sudo's own.
    pub(crate) sudo_password: Option<Secret>,
    /// The privileged mode of a network device, where the call asks for it.
    pub(crate) enable: Option<Box<Enable>>,
    /// In sudo's prompt, once the command was handed over.
    pub(crate) sudo_nonce: Option<String>,
    pub(crate) client: Caller,
    /// Answered with a fault if it could not be run; nothing was run then.
    pub(crate) failed: oneshot::Sender<Fault>,
    /// How often a shell did not fetch it.
    pub(crate) attempts: u8,
    /// How many may wait for their turn, this one included.
    pub(crate) queue_max: usize,
    /// It only starts this one, which outlives the session.
    pub(crate) durable: Option<Durable>,
}

/// What a call gives beside a command's text.
#[derive(Default)]
pub(crate) struct Given {
    /// The command's standard input.
    pub(crate) stdin: Option<Vec<u8>>,
    /// With which it runs below sudo.
    pub(crate) sudo_password: Option<Secret>,
    /// The privileged mode of a network device.
    pub(crate) enable: Option<Enable>,
}

/// A command that is started from a session's shell and is none of the session's.
pub(crate) struct Durable {
    pub(crate) launch: Launch,
    /// As callers see it.
    pub(crate) command: Arc<Command>,
}

impl Run {
    /// It could not be run. Whoever still waits is told so; for everybody else it stands in the command.
    pub(crate) fn fail(self, fault: Fault) {
        let Self { command, failed, .. } = self;
        let words = format!("nothing was run: {}", fault.message);
        if failed.send(fault).is_err() {
            command.notice(words);
            command.end(Status::Lost, None, None);
        }
    }
}
