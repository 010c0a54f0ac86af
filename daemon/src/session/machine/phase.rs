//! Where a session's shell is between one prompt and the next, and what is known of the command that runs.

use std::time::Instant;

use crate::{id::CommandId, shell::order::Capture};

/// What a session does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// At the prompt.
    Ready {
        /// Something stands on the prompt's line that was typed and not entered.
        half_typed: bool,
    },
    /// Something typed by `send_input` or by a person runs.
    Typed,
    /// A command runs.
    Busy(Running),
    /// A command ended; the prompt has not been seen yet.
    Settling {
        /// Since when.
        since: Instant,
    },
}

/// The running command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Which one.
    pub id: CommandId,
    pub(super) capture: Capture,
    pub(super) slot: Option<u8>,
    pub(super) started: bool,
    pub(super) status: Option<(i32, String, Instant)>,
    pub(super) streams_done: Option<Instant>,
    pub(super) prompt_seen: bool,
    /// Since when it could have started, until it does: what was typed may have been swallowed.
    pub(super) unstarted: Option<Instant>,
    /// The shell was seen to read since.
    pub(super) seen_reading: bool,
    pub(super) interrupted: bool,
    /// When the shell was asked for the last status.
    pub(super) synced: Option<Instant>,
    /// After an absence it is not known whether it began.
    pub(super) in_doubt: bool,
}

impl Running {
    /// A command that is handed over now.
    pub(super) const fn new(id: CommandId, capture: Capture, slot: Option<u8>, now: Instant) -> Self {
        Self {
            id,
            capture,
            slot,
            started: false,
            status: None,
            streams_done: None,
            prompt_seen: false,
            unstarted: Some(now),
            seen_reading: false,
            interrupted: false,
            synced: None,
            in_doubt: false,
        }
    }
}
