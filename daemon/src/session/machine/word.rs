//! What goes into the machine and what comes out of it.

use super::SlotNames;
use crate::{
    id::CommandId,
    output::StreamKind,
    shell::{
        frame::StreamFrame,
        mark::Mark,
        probe::{Clue, Probe},
    },
};

/// What happens to a session.
#[derive(Clone, Debug)]
pub enum Event {
    /// The shell printed a mark.
    Mark(Mark),
    /// A frame came in a stream of a pair of FIFOs.
    Frame(u8, StreamKind, StreamFrame),
    /// The helper looked at the terminal.
    Probe(Probe),
    /// Bytes came from the command or its terminal.
    Activity,
    /// Something was typed; true if it ended a line.
    Input {
        /// The last thing typed was Enter (or a control character that ends a line).
        entered: bool,
    },
    /// The half-typed line at the prompt was taken away again.
    Cleared,
    /// The password was typed for sudo, which asked for it on the terminal as it is.
    Answered,
    /// The command was interrupted by a signal of ours.
    Interrupted,
    /// That signal reached nobody, or only who ignores it: an end from now on is the command's own.
    Spared,
    /// Time passed.
    Tick,
}

/// What has to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The command ended.
    Complete {
        /// Which one.
        id: CommandId,
        /// Its status; none if the shell could not tell.
        status: Option<i32>,
        /// Working directory; none if not told.
        cwd: Option<String>,
        /// It ended after our interrupt.
        interrupted: bool,
        /// Its streams did not end in order: output may be missing.
        torn: bool,
    },
    /// The text was never fetched: the command did not run.
    NotStarted(CommandId),
    /// It reads from the terminal.
    Awaiting {
        /// Which one.
        id: CommandId,
        /// What is known of the question.
        asked: Asked,
    },
    /// It does not read from the terminal any more.
    Working(CommandId),
    /// What somebody typed to, and is no command's, reads again; or it does so no more.
    Settled(Option<Asked>),
    /// The working directory at a prompt.
    Cwd(String),
    /// Ask the helper to look at the terminal, and to say with this number in the command's streams what came before.
    Probe(Option<u32>),
    /// The short line means nothing to this shell any more: type the long one.
    TypeLong(CommandId),
    /// Type the line that makes the shell report the last status.
    TypeSync,
    /// The capture is of no more use: a reader on the host was killed.
    Broken,
}

/// How a wait for input was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A line is read from the terminal.
    Line {
        /// What is typed is shown.
        echo: bool,
    },
    /// A full-screen program, a pager or a line editor waits for keys.
    Keys {
        /// What is typed is shown.
        echo: bool,
    },
    /// Only the text says so, or little more.
    Text {
        /// What is typed is shown.
        echo: bool,
        /// What speaks for it beside the text.
        clue: Clue,
    },
}

/// Where a new command's output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// It may start, with these FIFOs.
    Go(SlotNames),
    /// Background jobs hold every pair; this one has to be made first.
    NeedSlot(u8),
    /// Background jobs hold as many pairs as there may be.
    Full,
}
