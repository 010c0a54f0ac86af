//! When to look at the terminal, and when what was seen is told: a wait for input only when it was seen twice, its end
//! at once, and nothing while nobody waits.

use std::time::{Duration, Instant};

use super::word::{Asked, Effect};
use crate::{id::CommandId, shell::probe::Verdict};

/// First look at a running command that somebody waits for; doubled at each look.
const PROBE_FIRST: Duration = Duration::from_millis(60);
/// A wait for input is told within a second: two looks, so never further apart than this.
const PROBE_LAST: Duration = Duration::from_millis(400);
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
        }
    }

    /// Somebody waits for the running command, or nobody does any more.
    pub(super) fn want(&mut self, wanted: bool, now: Instant) {
        if wanted && !self.wanted {
            self.next = Some(now + self.pause.min(PROBE_FIRST));
        }
        self.wanted = wanted;
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

    /// Tells a wait when it was seen twice, and its end at once.
    pub(super) fn judge(&mut self, id: CommandId, verdict: Verdict, now: Instant) -> Vec<Effect> {
        let asked = match verdict {
            Verdict::Working => None,
            Verdict::Reading { echo } => Some(Asked::Line { echo }),
            Verdict::ShellPrompt => Some(Asked::Line { echo: true }),
            Verdict::FullScreen => Some(Asked::Keys),
            Verdict::Unclear { echo } if now >= self.last_activity + TEXT_QUIET => Some(Asked::Text { echo }),
            Verdict::Unclear { .. } => None,
        };
        match asked {
            None => {
                self.seen = None;
                if std::mem::take(&mut self.told) {
                    return vec![Effect::Working(id)];
                }
            }
            Some(asked) if self.seen == Some(asked) => {
                if !self.told {
                    self.told = true;
                    return vec![Effect::Awaiting { id, asked }];
                }
            }
            Some(asked) => {
                self.seen = Some(asked);
                self.next = Some(now + PROBE_CONFIRM);
            }
        }
        Vec::new()
    }
}
