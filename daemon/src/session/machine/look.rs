//! When to look at the terminal, and when what was seen is told: a wait for input only when it was seen twice, its end
//! at once, and nothing while nobody waits.

use std::time::{Duration, Instant};

use super::{Machine, Phase, word::Asked};
use crate::{
    output::StreamKind,
    shell::probe::{self, Clue, LineMode, Probe, Verdict},
};

/// First look at a running command that somebody waits for; doubled at each look.
const PROBE_FIRST: Duration = Duration::from_millis(60);
/// A wait for input is told within a second: two looks, so never further apart than this.
const PROBE_LAST: Duration = Duration::from_millis(500);
/// The second look that confirms a wait, so that a process on its way out of a read is not taken for a reader.
const PROBE_CONFIRM: Duration = Duration::from_millis(40);
/// The same of a program that takes keys: vim polls for 100 ms before it ends, for answers of its terminal (9.0).
const KEYS_CONFIRM: Duration = Duration::from_millis(140);
/// A probe that was not answered by then is asked again.
const PROBE_LOST: Duration = Duration::from_secs(3);
/// What was written before a look comes at once; a reader on the host that is stopped or gone is not waited for longer.
const LEVEL_LATE: Duration = Duration::from_millis(300);
/// Behind a relay the text decides, and only when it has stood for this long.
const TEXT_QUIET: Duration = Duration::from_millis(700);

/// A shell that reads may be at its prompt, with the end of a command that wrote much still on its way: that is there when
/// nothing has come for this long.
const PROMPT_QUIET: Duration = Duration::from_millis(300);

/// What is certain enough to be told.
pub(super) enum Seen {
    /// It waits for input.
    Asks(Asked),
    /// It does so no more.
    Works,
}

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
    /// What was written before a look that confirms a wait.
    level: Level,
    /// Somebody typed since the terminal was last seen to be no relay's: what sudo took it for may be over.
    typed: bool,
    /// The last look saw the terminal take lines.
    took_lines: bool,
    /// All that had come over the terminal's connection was taken from it then; none: not known.
    pub(super) drained: Option<Instant>,
}

/// The number of the look whose frames are awaited, and in which stream they came.
#[derive(Default)]
struct Level {
    number: u32,
    out: bool,
    err: bool,
    held: Option<Held>,
}

/// A look that waits for them, and until when.
struct Held {
    level: probe::Level,
    verdict: Verdict,
    until: Instant,
}

impl Level {
    const fn has(&self, level: probe::Level) -> bool {
        level.number != self.number || ((self.out || !level.out) && (self.err || !level.err))
    }
}

impl Machine {
    /// What was typed takes a line away.
    pub fn clears(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Busy(_)) {
            self.typed_at = Some(now);
            self.probes.restart(now);
        }
    }

    /// When all that had come over the terminal's connection was last taken from it; before each look's answer.
    pub const fn note_drained(&mut self, at: Option<Instant>) {
        self.probes.drained = at;
    }

    /// Somebody waits for the running command, or nobody does any more.
    pub fn set_wanted(&mut self, wanted: bool, now: Instant) {
        self.probes.want(wanted, now);
    }

    /// Somebody wants to know now whether the running command waits for input.
    pub fn look_now(&mut self, now: Instant) {
        self.probes.look_now(now);
    }

    /// That is known.
    pub fn has_looked(&self) -> bool {
        self.probes.has_looked()
    }

    /// The text does not look like a question after all; the wait that `Asked::Text` told is taken back.
    pub fn not_a_question(&mut self) {
        self.probes.told = false;
        self.probes.seen = None;
    }
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
            level: Level {
                number: 0,
                out: false,
                err: false,
                held: None,
            },
            typed: false,
            took_lines: false,
            drained: None,
        }
    }

    /// A command begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.restart(now);
        self.typed = false;
        self.took_lines = false;
    }

    /// Somebody typed. What a line answers that was asked for on the terminal as it is, is no answer to what runs behind
    /// sudo later.
    pub(super) fn typed(&mut self) {
        self.typed |= !(self.told && self.took_lines);
    }

    /// The number that the next look has to put into the command's streams: where it may confirm a wait.
    pub(super) fn ask_level(&mut self) -> Option<u32> {
        if self.seen.is_none() || self.told {
            return None;
        }
        self.level = Level {
            number: self.level.number.wrapping_add(1),
            ..Level::default()
        };
        Some(self.level.number)
    }

    /// A number came in a stream: the look that waited for it.
    pub(super) fn level(&mut self, stream: StreamKind, number: u32) -> Option<Verdict> {
        if number != self.level.number {
            return None;
        }
        match stream {
            StreamKind::Stdout => self.level.out = true,
            StreamKind::Stderr => self.level.err = true,
        }
        let held = self.level.held.as_ref()?;
        if self.level.has(held.level) {
            return self.release();
        }
        None
    }

    /// The look that waits for what was written before it, which is not waited for any more.
    pub(super) fn release(&mut self) -> Option<Verdict> {
        let held = self.level.held.take()?;
        self.asked_at = None;
        Some(held.verdict)
    }

    /// What a look says of the command, whose output is captured or not; none while something is on its way that was
    /// written before.
    pub(super) fn arrived(&mut self, probe: &Probe, captured: bool, now: Instant) -> Option<Verdict> {
        self.note_stir(probe.stir(), now);
        self.took_lines = probe.modes.line == LineMode::Canonical;
        self.typed &= !self.took_lines;
        let verdict = match probe.verdict() {
            Verdict::Unclear {
                echo,
                clue: Clue::Handed,
            } if self.typed || !captured => Verdict::Unclear {
                echo,
                clue: Clue::Text,
            },
            verdict => verdict,
        };
        match probe.level.filter(|level| !self.level.has(*level)) {
            Some(level) if verdict != Verdict::Working => {
                self.level.held = Some(Held {
                    level,
                    verdict,
                    until: now + LEVEL_LATE,
                });
                self.asked_at = Some(now);
                None
            }
            Some(_) | None => Some(verdict),
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
        let held = self.level.held.as_ref().map(|held| held.until);
        held.or_else(|| self.asked_at.map(|at| at + PROBE_LOST))
    }

    pub(super) fn restart(&mut self, now: Instant) {
        self.release();
        self.pause = PROBE_FIRST;
        self.next = Some(now + PROBE_FIRST);
        self.seen = None;
        self.told = false;
        self.last_activity = now;
    }

    pub(super) fn forget(&mut self) {
        self.release();
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

    /// What the terminal shows is still coming, and nothing was told: the next look is when it may have ended.
    pub(super) fn waits_for_quiet(&mut self, asked: Option<Instant>, now: Instant) -> bool {
        let quiet_at = self.last_activity + PROMPT_QUIET;
        // Where other channels hold the connection up, silence says nothing.
        let is_held_up = matches!((self.drained, asked), (Some(drained), Some(asked)) if drained < asked);
        if self.told || now >= quiet_at && !is_held_up {
            return false;
        }
        self.seen = None;
        self.next = Some(quiet_at.max(now + PROBE_CONFIRM));
        true
    }

    /// Takes note of processes that may not be looked into and have run meanwhile: they are at work.
    fn note_stir(&mut self, stir: Vec<(u32, String)>, now: Instant) {
        if self.stir != stir {
            self.last_activity = now;
            self.stir = stir;
        }
    }

    /// Tells a wait when it was seen twice, and its end at once. What was told is told again at each look, for its
    /// words may have changed.
    pub(super) fn judge(&mut self, verdict: Verdict, now: Instant) -> Option<Seen> {
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
                return None;
            }
        };
        match asked {
            None => {
                self.seen = None;
                if std::mem::take(&mut self.told) {
                    return Some(Seen::Works);
                }
            }
            Some(asked) if self.seen == Some(asked) => {
                self.told = true;
                return Some(Seen::Asks(asked));
            }
            Some(asked) => {
                self.seen = Some(asked);
                let pause = match asked {
                    Asked::Keys { .. } => KEYS_CONFIRM,
                    Asked::Line { .. } | Asked::Text { .. } => PROBE_CONFIRM,
                };
                self.next = Some(now + pause);
            }
        }
        None
    }
}
