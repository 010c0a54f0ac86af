//! What is known of a shell that a tmux keeps, enough to come back to it from another connection, or another daemon.

use serde::{Deserialize, Serialize};

use crate::{
    local::Place,
    output::{Consumed, StreamKind},
    shell::mark::ShellHello,
};

/// A kept shell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Its session's name for tmux.
    pub name: String,
    /// In every frame and mark.
    pub nonce: String,
    /// The helper's directory there.
    pub dir: String,
    /// The host's boot id; empty where it has none.
    pub boot_id: String,
    /// What the shell said of itself.
    pub shell: ShellHello,
    /// The integration script's alias is there.
    pub has_alias: bool,
    /// Where OpenSSH's client carries it on this machine; none: the host's own tmux keeps it.
    #[serde(default)]
    pub local: Option<Place>,
    /// What ran in it when it was left is not known: the state was lost.
    #[serde(default)]
    pub unsure: bool,
}

/// How far a stream was taken in: a segment on the host, and the offset there behind the last byte, or whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// From 1.
    pub segment: u64,
    /// Bytes.
    pub offset: u64,
}

impl Taken {
    /// The beginning.
    pub const START: Self = Self {
        segment: 1,
        offset: 0,
    };

    /// As a command remembers it.
    pub fn consumed(self, set: u8, kind: StreamKind) -> Consumed {
        Consumed {
            source: source(set, kind),
            segment: u32::try_from(self.segment).unwrap_or(u32::MAX),
            offset: self.offset,
        }
    }

    /// From what a command remembers.
    pub fn of(consumed: Consumed) -> Self {
        Self {
            segment: consumed.segment.into(),
            offset: consumed.offset,
        }
    }
}

/// A stream's number among a session's: two for each pair.
pub const fn source(set: u8, kind: StreamKind) -> u8 {
    match kind {
        StreamKind::Stdout => set.saturating_mul(2),
        StreamKind::Stderr => set.saturating_mul(2).saturating_add(1),
    }
}

/// The terminal's number among them: no pair's, and the last that a command remembers.
pub const TERMINAL: u8 = u8::MAX - 1;

/// As a command that has the terminal remembers a place of that.
pub const fn shown(place: u64) -> Consumed {
    Consumed {
        source: TERMINAL,
        segment: 1,
        offset: place,
    }
}

/// Where a command's output comes from on the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// The pair of FIFOs; none: it has the terminal.
    pub set: Option<u8>,
    /// Which of the two FIFOs of the stdout, and of the stderr.
    pub turns: (u8, u8),
    /// Where each stream was when it began.
    pub from: (Taken, Taken),
    /// Where the terminal was, if that was known.
    #[serde(default)]
    pub shown: Option<u64>,
}
