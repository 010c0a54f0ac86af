//! When to look at the terminal, and when what was seen is told: a wait for input only when it was seen twice, its end
//! at once, and nothing while nobody waits.

use std::time::{Duration, Instant};

use super::word::{Asked, Effect};
use crate::{id::CommandId, shell::probe::Verdict};

/// First look at a running command that somebody waits for; doubled at each look.
const PROBE_FIRST: Duration = Duration::from_millis(60);
/// A wait for input is told within a second: two looks, so never further apart than this.
const PROBE_LAST: Duration = Duration::from_millis(500);
/// The second look that confirms a wait, so that a process on its way out of a read is not taken for a reader.
const PROBE_CONFIRM: Duration = Duration::from_millis(40);
/// A probe that was not answered by then is asked again.
const PROBE_LOST: Duration = Duration::from_secs(3);
/// Behind a relay the text decides, and only when it has stood for this long.
const TEXT_QUIET: Duration = Duration::from_millis(700);

/// When to look at the terminal.
pub(super) struct Probes {
    /// Somebody waits for the running command.
    pub(super) wanted: bool,
    pub(super) next: Option<Instant>,
    pub(super) pause: Duration,
    pub(super) asked_at: Option<Instant>,
    pub(super) seen: Option<Asked>,
    pub(super) told: bool,
    pub(super) last_activity: Instant,
    /// How often the processes had run that may not be looked into.
    stir: Vec<(u32, String)>,
    /// Somebody wants a look now, and none was made since.
    wants_look: bool,
}

impl Probes {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            wanted: false,
            next: None,
            pause: PROBE_FIRST,
            asked_at: None,
            seen: None,
            told: false,
            last_activity: now,
            stir: Vec::new(),
            wants_look: false,
        }
    }

    /// Somebody waits for the running command, or nobody does any more.
    pub(super) fn want(&mut self, wanted: bool, now: Instant) {
        if wanted && !self.wanted {
            self.next = Some(now + self.pause.min(PROBE_FIRST));
        }
        self.wanted = wanted;
    }

    /// Somebody wants to know now.
    pub(super) fn look_now(&mut self, now: Instant) {
        self.wants_look = true;
        self.next = Some(now);
    }

    /// What was wanted to be known is known: a wait that was seen once is not.
    pub(super) fn has_looked(&self) -> bool {
        !self.wants_look && (self.seen.is_none() || self.told)
    }

    /// When a question that is out counts as lost.
    pub(super) fn lost_at(&self) -> Option<Instant> {
        self.asked_at.map(|at| at + PROBE_LOST)
    }

    pub(super) fn restart(&mut self, now: Instant) {
        self.pause = PROBE_FIRST;
        self.next = Some(now + PROBE_FIRST);
        self.seen = None;
        self.told = false;
        self.last_activity = now;
    }

    pub(super) fn forget(&mut self) {
        self.next = None;
        self.asked_at = None;
        self.seen = None;
        self.told = false;
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    pub(super) fn later(&mut self, now: Instant) {
        self.next = Some(now + self.pause);
        self.pause = (self.pause * 2).min(PROBE_LAST);
    }

    /// Takes note of processes that may not be looked into and have run meanwhile: they are at work.
    pub(super) fn note_stir(&mut self, stir: Vec<(u32, String)>, now: Instant) {
        if self.stir != stir {
            self.last_activity = now;
            self.stir = stir;
        }
    }

    /// Tells a wait when it was seen twice, and its end at once. What was told is told again at each look, for its
    /// words may have changed.
    pub(super) fn judge(&mut self, id: CommandId, verdict: Verdict, now: Instant) -> Vec<Effect> {
        self.wants_look = false;
        let quiet_at = self.last_activity + TEXT_QUIET;
        let asked = match verdict {
            Verdict::Working => None,
            Verdict::Reading { echo } => Some(Asked::Line { echo }),
            Verdict::Keys { echo } => Some(Asked::Keys { echo }),
            Verdict::Unclear { echo, clue } if now >= quiet_at || self.told => {
                Some(Asked::Text { echo, clue })
            }
            Verdict::Unclear { .. } => {
                self.seen = None;
                self.next = Some(quiet_at);
                return Vec::new();
            }
        };
        match asked {
            None => {
                self.seen = None;
                if std::mem::take(&mut self.told) {
                    return vec![Effect::Working(id)];
                }
            }
            Some(asked) if self.seen == Some(asked) => {
                self.told = true;
                return vec![Effect::Awaiting { id, asked }];
            }
            Some(asked) => {
                self.seen = Some(asked);
                self.next = Some(now + PROBE_CONFIRM);
            }
        }
        Vec::new()
    }
}
