//! What the shell says, and what the ends of streams say: whether the command began, and that it has ended.

use std::time::Instant;

use super::{HOOK_GRACE, Machine, Phase, START_GRACE, word::Effect};
use crate::{
    output::StreamKind,
    shell::{frame::StreamFrame, mark::Mark},
};

impl Machine {
    pub(super) fn on_mark(&mut self, mark: Mark, now: Instant) -> Vec<Effect> {
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

    pub(super) fn on_frame(
        &mut self,
        slot: u8,
        stream: StreamKind,
        frame: &StreamFrame,
        now: Instant,
    ) -> Vec<Effect> {
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

    pub(super) fn complete(&mut self, now: Instant, torn: bool) -> Vec<Effect> {
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
}
