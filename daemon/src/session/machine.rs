//! Decides what a session's events mean: when a command has ended, when it waits for input, when the next may start.
//! Does no I/O and does not tell the time; `now` is given to it.

mod look;
mod phase;
mod resumed;
mod slots;
mod word;

use std::time::{Duration, Instant};

pub use phase::{Phase, Running};
pub use resumed::Left;
pub use word::{Asked, Effect, Event, Start};

use look::{Probes, Seen};
use slots::Slots;
pub use slots::{SLOTS_MAX, SlotNames};

use crate::{
    id::CommandId,
    output::StreamKind,
    shell::{
        frame::StreamFrame,
        mark::Mark,
        order::Capture,
        probe::{Probe, Verdict},
    },
};

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
/// A shell that was seen to read may have told the start on the terminal just before, and be the command's own `read`:
/// that word comes within this time, or the shell is at its prompt.
const START_WORD: Duration = Duration::from_millis(800);

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

    /// When `Event::Tick` is due next.
    pub fn deadline(&self) -> Option<Instant> {
        let asked = self.probes.lost_at();
        match &self.phase {
            Phase::Ready { .. } | Phase::Typed if self.has_typed() && self.probes.wanted => {
                asked.or(self.probes.next)
            }
            Phase::Ready { .. } | Phase::Typed => None,
            Phase::Settling { since } => asked.or_else(|| {
                let grace = *since + PROMPT_GRACE;
                Some(self.probes.next.map_or(grace, |next| next.max(grace)))
            }),
            Phase::Busy(running) => match (&running.status, running.streams_done) {
                (Some((_, _, at)), _) => Some((*at).max(self.probes.last_activity) + STREAM_GRACE),
                (None, _) if asked.is_some() => asked,
                (None, _) if running.unstarted.is_some() => running
                    .unstarted
                    .map(|at| self.probes.next.map_or(at, |next| next.max(at + START_GRACE))),
                (None, Some(at)) => {
                    let grace = running.synced.map_or(at + HOOK_GRACE, |at| at + START_GRACE);
                    Some(self.probes.next.map_or(grace, |next| next.max(grace)))
                }
                (None, _) if self.probes.wanted => self.probes.next,
                (None, _) => None,
            },
        }
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

    fn on_mark(&mut self, mark: Mark, now: Instant) -> Vec<Effect> {
        match mark {
            Mark::Hello(_)
            | Mark::Terminal(_)
            | Mark::Here(_)
            | Mark::Below(_)
            | Mark::Exit(_)
            | Mark::Gone
            | Mark::Ours(_)
            | Mark::Place(_) => Vec::new(),
            Mark::Start(started) => match &mut self.phase {
                Phase::Busy(running) if started == Some(running.id) => {
                    running.in_doubt = false;
                    running.started = true;
                    running.prompt_seen = false;
                    running.unstarted = None;
                    Vec::new()
                }
                Phase::Busy(running) if started.is_none() => {
                    let id = running.id;
                    self.phase = Phase::Settling { since: now };
                    vec![Effect::NotStarted(id), Effect::Broken]
                }
                Phase::Busy(_) | Phase::Ready { .. } | Phase::Typed | Phase::Settling { .. } => Vec::new(),
            },
            Mark::NoAlias(id) if self.running() == Some(id) && !self.has_started() => {
                vec![Effect::TypeLong(id)]
            }
            Mark::NoAlias(_) => Vec::new(),
            Mark::End {
                id,
                status,
                cwd,
                aborted: _,
            } => {
                if let Phase::Busy(running) = &mut self.phase
                    && running.id == id
                    && running.status.is_none()
                {
                    running.started = true;
                    running.status = Some((status, cwd, now));
                }
                self.check(now)
            }
            Mark::Prompt { cwd } => self.on_prompt(cwd, now),
        }
    }

    fn on_prompt(&mut self, cwd: String, now: Instant) -> Vec<Effect> {
        let mut effects = vec![Effect::Cwd(cwd)];
        match &mut self.phase {
            Phase::Ready { .. } | Phase::Typed | Phase::Settling { .. } => {
                self.unknown = None;
                if self.ahead.is_some() {
                    self.probes.restart(now);
                }
                self.phase = match self.ahead.take() {
                    Some(true) => Phase::Typed,
                    ahead => Phase::Ready {
                        half_typed: ahead.is_some(),
                    },
                };
            }
            Phase::Busy(running) => {
                running.prompt_seen = true;
                if running.status.is_some() {
                    effects.extend(self.check(now));
                } else if running.started {
                    // Our variables were unset, or the mark is only somebody's output: the terminal is asked, and
                    // then the shell.
                    running.prompt_seen = false;
                    if running.synced.is_some() && running.in_doubt {
                        // It was asked how it ended, and told of another.
                        let id = running.id;
                        self.phase = Phase::Ready { half_typed: false };
                        self.probes.forget();
                        self.slots.release(id);
                        effects.push(Effect::NotStarted(id));
                    } else if running.synced.is_some() {
                        let (id, interrupted) = (running.id, running.interrupted);
                        self.phase = Phase::Ready { half_typed: false };
                        effects.push(Effect::Complete {
                            id,
                            status: None,
                            cwd: None,
                            interrupted,
                            torn: true,
                        });
                    } else {
                        running.streams_done = Some(now);
                        self.probes.next = Some(now + HOOK_GRACE);
                    }
                } else {
                    // Line editors draw a prompt anew, and a text that is typed in lines brings one for each.
                    running.unstarted = Some(now);
                    self.probes.next = Some(now + START_GRACE);
                }
            }
        }
        effects
    }

    fn on_frame(&mut self, slot: u8, stream: StreamKind, frame: &StreamFrame, now: Instant) -> Vec<Effect> {
        match frame {
            StreamFrame::End(id) => self.slots.end(slot, stream, *id),
            StreamFrame::Eof(turn) => self.slots.eof(slot, stream, *turn),
            StreamFrame::Below(_) | StreamFrame::Ended(_) | StreamFrame::Next(_) | StreamFrame::Dropped => {
                return Vec::new();
            }
            StreamFrame::Level(number) => {
                let verdict = self.probes.level(stream, *number);
                return self.judge(verdict, now);
            }
            StreamFrame::Broken => return vec![Effect::Broken],
        }
        self.check(now)
    }

    /// Completes the running command if its status is known and its streams have ended.
    fn check(&mut self, now: Instant) -> Vec<Effect> {
        let Phase::Busy(running) = &mut self.phase else {
            return Vec::new();
        };
        let done = running.slot.is_none_or(|slot| self.slots.ended(slot, running.id));
        if done && running.slot.is_some() && running.streams_done.is_none() {
            running.streams_done = Some(now);
            self.probes.next = Some(now + HOOK_GRACE);
        }
        if !done || running.status.is_none() {
            return Vec::new();
        }
        self.complete(now, false)
    }

    fn complete(&mut self, now: Instant, torn: bool) -> Vec<Effect> {
        let next = Phase::Settling { since: now };
        let Phase::Busy(running) = std::mem::replace(&mut self.phase, next) else {
            return Vec::new();
        };
        if running.prompt_seen {
            self.phase = Phase::Ready { half_typed: false };
        }
        if torn && let Some(slot) = running.slot {
            self.slots.give_up(slot);
        }
        self.probes.forget();
        let (status, cwd) = running
            .status
            .map_or((None, None), |(status, cwd, _)| (Some(status), Some(cwd)));
        vec![Effect::Complete {
            id: running.id,
            status,
            cwd,
            interrupted: running.interrupted,
            torn,
        }]
    }

    /// The shell is gone and told its exit status otherwise: the command ends as soon as its streams have.
    pub fn shell_ended(&mut self, status: Option<i32>, now: Instant) -> Vec<Effect> {
        if let Phase::Busy(running) = &mut self.phase
            && running.status.is_none()
            && let Some(status) = status
        {
            running.status = Some((status, String::new(), now));
        }
        self.check(now)
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

    fn on_tick(&mut self, now: Instant) -> Vec<Effect> {
        if let Some(lost) = self.probes.lost_at() {
            if now < lost {
                return self.expire(now);
            }
            self.probes.asked_at = None;
            let verdict = self.probes.release();
            if verdict.is_some() {
                return self.judge(verdict, now);
            }
        }
        let due = match &self.phase {
            Phase::Settling { since } => now >= *since + PROMPT_GRACE && self.probes.is_due(now),
            Phase::Busy(running) => {
                let hook = running.status.is_none()
                    && running.streams_done.is_some_and(|at| now >= at + HOOK_GRACE)
                    && running.synced.is_none_or(|at| now >= at + START_GRACE);
                let unstarted = running.unstarted.is_some_and(|at| now >= at + START_GRACE);
                let wanted = running.status.is_none() && running.unstarted.is_none() && self.probes.wanted;
                (hook || unstarted || wanted) && self.probes.is_due(now)
            }
            Phase::Ready { .. } | Phase::Typed => {
                self.has_typed() && self.probes.wanted && self.probes.is_due(now)
            }
        };
        if due {
            self.probes.asked_at = Some(now);
            return vec![Effect::Probe(self.probes.ask_level())];
        }
        self.expire(now)
    }

    fn expire(&mut self, now: Instant) -> Vec<Effect> {
        if let Phase::Busy(running) = &self.phase
            && let Some((_, _, at)) = &running.status
            && now >= (*at).max(self.probes.last_activity) + STREAM_GRACE
        {
            return self.complete(now, true);
        }
        Vec::new()
    }

    fn on_probe(&mut self, probe: &Probe, now: Instant) -> Vec<Effect> {
        // What was asked before a command was typed says nothing of it, however late the answer comes.
        let asked = self.probes.asked_at.take();
        let is_since = |at: Instant| asked.is_some_and(|asked| asked >= at);
        self.probes.later(now);
        self.replaced |= probe.replaced;
        let captured = matches!(&self.phase, Phase::Busy(running) if running.slot.is_some());
        let verdict = self.probes.arrived(probe, captured, now);
        let shell_reads = probe.shell_reads(self.shell_pid);
        match &mut self.phase {
            Phase::Settling { since } => {
                // Where nobody can look, a terminal that has fallen silent after a command's end is at its prompt.
                let silent = probe.is_blind() && now >= self.probes.last_activity + PROMPT_GRACE;
                if is_since(*since) && (shell_reads || silent) {
                    let half_typed = self.ahead.take() == Some(false);
                    self.phase = Phase::Ready { half_typed };
                    self.unknown = None;
                } else if is_since(*since) && !probe.is_blind() {
                    self.unknown = self.unknown.map(|_| true);
                }
                Vec::new()
            }
            Phase::Ready { .. } | Phase::Typed => {
                // The shell reads until it has taken the line; a `read` of its own is seen to last.
                let line_stands = self.phase == Phase::Typed && shell_reads;
                let is_told = |at| is_since(at) && (!line_stands || now >= at + START_GRACE);
                let verdict = verdict.filter(|_| self.typed_at.is_some_and(is_told));
                self.judge(verdict, now)
            }
            Phase::Busy(running) if running.unstarted.is_some() => {
                let id = running.id;
                let silent = probe.is_blind() && now >= self.probes.last_activity + START_GRACE;
                if !running.unstarted.is_some_and(is_since) {
                    return Vec::new();
                }
                let read_before = std::mem::replace(&mut running.seen_reading, shell_reads);
                if shell_reads && !read_before {
                    self.probes.next = Some(now + START_WORD);
                } else if shell_reads || silent {
                    self.phase = Phase::Ready { half_typed: false };
                    self.probes.forget();
                    self.slots.release(id);
                    return vec![Effect::NotStarted(id)];
                }
                Vec::new()
            }
            Phase::Busy(running) => {
                let lost_hook =
                    running.streams_done.is_some() || (running.interrupted && running.slot.is_none());
                if running.status.is_none() && lost_hook && shell_reads {
                    let Some(at) = running.synced else {
                        running.synced = Some(now);
                        return vec![Effect::TypeSync];
                    };
                    if now >= at + START_GRACE {
                        // Its own builtins were taken from it: the command is over, and nobody can say how.
                        let mut effects = self.complete(now, false);
                        effects.push(Effect::Broken);
                        return effects;
                    }
                    return Vec::new();
                }
                if (running.slot.is_none() || running.in_doubt) && !running.interrupted && !shell_reads {
                    // It was only not known after an absence; from here on its end is seen.
                    running.streams_done = None;
                }
                // The look goes past what the command wrote to the terminal, and past the mark of its end behind that.
                let is_overtaking = running.slot.is_none() && probe.shell_may_prompt(self.shell_pid);
                let verdict = verdict.filter(|_| !is_overtaking || !self.probes.waits_for_quiet(asked, now));
                self.judge(verdict, now)
            }
        }
    }

    fn judge(&mut self, verdict: Option<Verdict>, now: Instant) -> Vec<Effect> {
        let has_typed = self.has_typed();
        let Some(seen) = verdict.and_then(|verdict| self.probes.judge(verdict, now)) else {
            return Vec::new();
        };
        let effect = match (&self.phase, seen) {
            (Phase::Busy(running), Seen::Asks(asked)) => Effect::Awaiting {
                id: running.id,
                asked,
            },
            (Phase::Busy(running), Seen::Works) => Effect::Working(running.id),
            (_, Seen::Asks(asked)) if has_typed => Effect::Settled(Some(asked)),
            (_, Seen::Works) if has_typed => Effect::Settled(None),
            _ => return Vec::new(),
        };
        vec![effect]
    }
}

#[cfg(test)]
mod tests;
