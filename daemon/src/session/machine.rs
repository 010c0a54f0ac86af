//! Decides what a session's events mean: when a command has ended, when it waits for input, when the next may start.
//! Does no I/O and does not tell the time; `now` is given to it.

mod look;
mod phase;
mod resumed;
mod seen;
mod slots;
mod told;
mod word;

use std::time::{Duration, Instant};

pub use phase::{Phase, Running};
pub use resumed::Left;
pub use word::{Asked, Effect, Event, Start};

use look::Probes;
use slots::Slots;
pub use slots::{SLOTS_MAX, SlotNames};

use crate::{id::CommandId, output::StreamKind, shell::order::Capture};

/// After a command's status is known, its streams end at once; longer without a byte means that a reader on the host was
/// killed.
pub const STREAM_GRACE: Duration = Duration::from_secs(2);
/// A prompt follows a command's end within the time that the user's own prompt takes; then the terminal is asked.
const PROMPT_GRACE: Duration = Duration::from_millis(300);
/// Streams that ended without a status: the shell's hook is lost, or a command closed its own output.
const HOOK_GRACE: Duration = Duration::from_millis(150);
/// A typed line is read within this time, or the shell is asked whether it sits at its prompt. On a loaded host a shell
/// may be later; it never runs an id twice, so that a line typed again does no harm.
const START_GRACE: Duration = Duration::from_secs(3);

/// An answer of ours is on its way to a program that was seen to wait for it; it reads it within this time.
const ANSWERED: Duration = Duration::from_millis(400);

/// The state of one session's shell.
pub struct Machine {
    phase: Phase,
    slots: Slots,
    shell_pid: u32,
    probes: Probes,
    /// The shell's process runs another program since.
    replaced: bool,
    /// Typed since the last command's end and before its prompt; true if a line was entered.
    ahead: Option<bool>,
    /// When something was last typed that was for no command.
    typed_at: Option<Instant>,
    /// What the shell did when it was found is not known; true once it was seen to be at work.
    unknown: Option<bool>,
}

impl Machine {
    /// A session whose shell was just set up and shows its prompt next.
    pub fn new(shell_pid: u32, now: Instant) -> Self {
        Self {
            phase: Phase::Settling { since: now },
            slots: Slots::new(),
            shell_pid,
            probes: Probes::new(now),
            replaced: false,
            ahead: None,
            typed_at: None,
            unknown: None,
        }
    }

    /// What the session does now.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The running command.
    pub const fn running(&self) -> Option<CommandId> {
        match &self.phase {
            Phase::Busy(running) => Some(running.id),
            Phase::Ready { .. } | Phase::Typed | Phase::Settling { .. } => None,
        }
    }

    /// The pair of FIFOs that the running command's output comes through.
    pub const fn pair(&self) -> Option<u8> {
        match &self.phase {
            Phase::Busy(running) => running.slot,
            Phase::Ready { .. } | Phase::Typed | Phase::Settling { .. } => None,
        }
    }

    /// The running command was sent a signal by us.
    pub const fn was_interrupted(&self) -> bool {
        matches!(&self.phase, Phase::Busy(running) if running.interrupted)
    }

    /// A line that was typed before the prompt runs at it, or will.
    pub const fn runs_ahead(&self) -> bool {
        matches!((&self.phase, self.ahead), (Phase::Settling { .. }, Some(true)))
    }

    /// Something was typed before the prompt.
    pub const fn has_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// Somebody typed since the last command, and no command runs.
    const fn has_typed(&self) -> bool {
        self.typed_at.is_some() && matches!(self.phase, Phase::Ready { .. } | Phase::Typed)
    }

    /// A command may be typed now.
    pub const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready { half_typed: false })
    }

    /// Whose output comes from a stream, and whether it comes after the command's end.
    pub fn owner(&self, slot: u8, stream: StreamKind) -> Option<CommandId> {
        self.slots.owner(slot, stream)
    }

    /// Bytes came in a stream; whose they are.
    pub fn data(&mut self, slot: u8, stream: StreamKind) -> Option<CommandId> {
        self.slots.data(slot, stream);
        self.slots.owner(slot, stream)
    }

    /// The terminal shows the output of this command: it runs and has the terminal.
    pub const fn terminal_owner(&self) -> Option<CommandId> {
        match &self.phase {
            Phase::Busy(running)
                if running.started
                    && matches!(running.capture, Capture::Terminal)
                    && running.status.is_none() =>
            {
                Some(running.id)
            }
            Phase::Busy(_) | Phase::Ready { .. } | Phase::Typed | Phase::Settling { .. } => None,
        }
    }

    /// The running command was fetched by the shell, so that the echo of what we typed is over.
    pub const fn has_started(&self) -> bool {
        match &self.phase {
            Phase::Busy(running) => running.started,
            Phase::Ready { .. } | Phase::Typed | Phase::Settling { .. } => true,
        }
    }

    /// What comes on the terminal may be what the shell asks at its prompt: it is there, or its command has ended, or it has not
    /// run what was typed.
    pub const fn is_prompting(&self) -> bool {
        match &self.phase {
            Phase::Busy(running) => !running.started || running.status.is_some(),
            Phase::Ready { .. } | Phase::Settling { .. } => true,
            Phase::Typed => false,
        }
    }

    /// A further pair of FIFOs is there.
    pub fn add_slot(&mut self, slot: u8) {
        self.slots.add(slot);
    }

    /// Takes a command on; only when ready.
    pub fn start(&mut self, id: CommandId, capture: Capture, now: Instant) -> Start {
        let (slot, names) = match capture {
            Capture::Terminal => (None, SlotNames::none()),
            Capture::Apart => match self.slots.take(id) {
                Ok((slot, names)) => (Some(slot), names),
                Err(Some(missing)) => return Start::NeedSlot(missing),
                Err(None) => return Start::Full,
            },
        };
        self.typed_at = None;
        self.phase = Phase::Busy(Running::new(id, capture, slot, now));
        self.probes.begin(now);
        Start::Go(names)
    }

    /// The shell's process was seen running another program (`exec`).
    pub const fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// Takes an event in.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        match event {
            Event::Mark(mark) => self.on_mark(mark, now),
            Event::Frame(slot, stream, frame) => self.on_frame(slot, stream, &frame, now),
            Event::Probe(probe) => self.on_probe(&probe, now),
            Event::Activity => {
                self.probes.last_activity = now;
                Vec::new()
            }
            Event::Input { entered } => {
                self.probes.typed();
                self.on_input(entered, now)
            }
            Event::Cleared => {
                if let Phase::Ready { half_typed } = &mut self.phase {
                    *half_typed = false;
                }
                Vec::new()
            }
            Event::Answered => {
                let effects = self.on_input(true, now);
                self.probes.next = self.probes.next.map(|next| next.max(now + ANSWERED));
                effects
            }
            Event::Interrupted => {
                if let Phase::Busy(running) = &mut self.phase {
                    running.interrupted = true;
                    self.probes.restart(now);
                }
                Vec::new()
            }
            Event::Spared => {
                if let Phase::Busy(running) = &mut self.phase {
                    running.interrupted = false;
                }
                Vec::new()
            }
            Event::Tick => self.on_tick(now),
        }
    }

    fn on_input(&mut self, entered: bool, now: Instant) -> Vec<Effect> {
        match &mut self.phase {
            Phase::Ready { half_typed } => {
                if entered {
                    self.phase = Phase::Typed;
                } else {
                    *half_typed = true;
                }
                self.typed_at = Some(now);
                self.probes.restart(now);
                Vec::new()
            }
            Phase::Busy(running) => {
                let id = running.id;
                let told = std::mem::take(&mut self.probes.told);
                self.probes.restart(now);
                if told {
                    vec![Effect::Working(id)]
                } else {
                    Vec::new()
                }
            }
            Phase::Settling { .. } => {
                self.ahead = Some(entered || self.ahead == Some(true));
                self.typed_at = Some(now);
                Vec::new()
            }
            Phase::Typed => {
                self.typed_at = Some(now);
                self.probes.restart(now);
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests;
