//! What is known of a session without asking its task: for lists, and for decisions of whoever waits for it.

use std::time::Instant;

use crate::{config::Keeper, id::CommandId, terminal::fullscreen::InputMode};

/// What a session is and does, for lists and decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Where it is in its life.
    pub state: SessionState,
    /// The shell's kind; empty if not known yet.
    pub shell: String,
    /// It is a network device's command line and no shell's.
    pub is_device: bool,
    /// What keeps its shell alive.
    pub keeper: Keeper,
    /// Commands' stdout and stderr are got apart.
    pub apart: bool,
    /// Working directory; empty if not known.
    pub cwd: String,
    /// Its host does not answer, and has said nothing since then; what it is and does is as it was at that time.
    pub silent_since: Option<Instant>,
    /// The running command.
    pub running: Option<CommandId>,
    /// Position behind the last byte of what the terminal showed.
    pub cursor: u64,
    /// Columns and rows of its terminal.
    pub size: (u16, u16),
    /// A command has ended, and its prompt was not drawn yet.
    pub settling: bool,
    /// How what is typed is to be sent now.
    pub input: InputMode,
    /// What somebody typed to, and is no command, reads again.
    pub reads: bool,
    /// Counts prompts, so that somebody can wait for the next one.
    pub prompts: u64,
    /// What a caller should know; empty if nothing.
    pub notice: String,
    /// When it was last used, milliseconds since the Unix epoch.
    pub last_used_ms: i64,
    /// Who used it last.
    pub client: String,
    /// What the shell printed before its first prompt, cleaned.
    pub greeting: String,
}

impl Summary {
    /// Adds what a caller should know.
    pub(super) fn add_notice(&mut self, words: &str) {
        if !self.notice.is_empty() {
            self.notice.push_str("; ");
        }
        self.notice.push_str(words);
    }

    /// It could not be opened; whoever asked for that may not have waited.
    pub(super) fn not_opened(&mut self, why: &str) {
        self.notice = format!("it could not be opened: {why}; the next use tries again");
    }

    /// Where it is in its life, if its host is not reached now.
    pub const fn away(&self) -> Option<&'static str> {
        if self.silent_since.is_some() {
            return Some("stalled");
        }
        match self.state {
            SessionState::Disconnected => Some("disconnected"),
            SessionState::Reconnecting => Some("reconnecting"),
            SessionState::Opening | SessionState::Ready | SessionState::Busy | SessionState::Awaiting => None,
        }
    }
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Connecting, logging in, or waiting for the first prompt.
    Opening,
    /// At its prompt.
    Ready,
    /// Something runs.
    Busy,
    /// A command reads from the terminal.
    Awaiting,
    /// Without a shell.
    Disconnected,
    /// Its connection was lost, and it is on its way back to what it had.
    Reconnecting,
}

impl SessionState {
    /// It has no shell that could take a command, and may get one.
    pub const fn is_on_its_way(self) -> bool {
        matches!(self, Self::Opening | Self::Disconnected | Self::Reconnecting)
    }
}
