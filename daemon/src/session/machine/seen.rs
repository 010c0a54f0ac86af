//! What silence means, and what was seen of the terminal: when the next look is due, and what comes of it.

use std::time::{Duration, Instant};

use super::{HOOK_GRACE, Machine, PROMPT_GRACE, Phase, START_GRACE, STREAM_GRACE, look::Seen, word::Effect};
use crate::shell::probe::{Probe, Verdict};

/// A shell that was seen to read may have told the start on the terminal just before, and be the command's own `read`:
/// that word comes within this time, or the shell is at its prompt.
const START_WORD: Duration = Duration::from_millis(800);

impl Machine {
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

    pub(super) fn on_tick(&mut self, now: Instant) -> Vec<Effect> {
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

    pub(super) fn on_probe(&mut self, probe: &Probe, now: Instant) -> Vec<Effect> {
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

    pub(super) fn judge(&mut self, verdict: Option<Verdict>, now: Instant) -> Vec<Effect> {
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
