//! What a machine is after an absence: its shell lived on, and what the terminal told meanwhile may never come.

use std::time::Instant;

use super::{Machine, Phase, Running};
use crate::{
    id::CommandId,
    shell::{frame::KeptStream, order::Capture},
};

/// The command that ran when an earlier daemon ended.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// Its id.
    pub id: CommandId,
    /// The pair of FIFOs, and which of the two its stdout and its stderr have; none: it has the terminal.
    pub pair: Option<(u8, u8, u8)>,
    /// What the terminal told meanwhile follows, and this is known: whether it had begun before.
    pub begun: Option<bool>,
}

impl Machine {
    /// A session whose shell was left by an earlier daemon, with its pairs of FIFOs as they are there, and the command
    /// that was running; whether that ever began is not known.
    pub fn resumed(shell_pid: u32, pairs: &[KeptStream], running: Option<Left>, now: Instant) -> Self {
        let mut machine = Self::new(shell_pid, now);
        for stream in pairs {
            machine.slots.resume(stream);
        }
        if let Some(Left { id, pair, begun }) = running {
            if let Some((set, out, err)) = pair {
                machine.slots.own(set, id, (out, err));
            }
            let capture = pair.map_or(Capture::Terminal, |_| Capture::Apart);
            let slot = pair.map(|(set, ..)| set);
            let mut running = Running::new(id, capture, slot, now);
            if begun == Some(true) {
                (running.started, running.unstarted) = (true, None);
            }
            machine.phase = Phase::Busy(running);
            if begun.is_none() {
                machine.returned(now);
            }
        } else {
            machine.unknown = Some(false);
        }
        machine
    }

    /// The way to the shell was lost and found again: what is timed begins anew, and what the terminal told meanwhile may
    /// never come.
    pub fn returned(&mut self, now: Instant) {
        self.probes.asked_at = None;
        self.probes.forget();
        self.probes.begin(now);
        match &mut self.phase {
            Phase::Busy(running) => {
                running.seen_reading = false;
                running.synced = None;
                if running.unstarted.take().is_some() {
                    // It may have begun, and even ended: its shell knows.
                    running.in_doubt = true;
                    running.started = true;
                    running.streams_done = Some(now);
                } else if running.status.is_none()
                    && (running.slot.is_none() || running.streams_done.is_some())
                {
                    running.streams_done = Some(now);
                }
                if let Some((_, _, at)) = &mut running.status {
                    *at = now;
                }
            }
            Phase::Typed | Phase::Settling { .. } => self.phase = Phase::Settling { since: now },
            Phase::Ready { .. } => {}
        }
    }

    /// Something runs that nobody here gave to the shell.
    pub const fn runs_unknown(&self) -> bool {
        matches!((&self.phase, self.unknown), (Phase::Settling { .. }, Some(true)))
    }

    /// Which FIFOs of a pair are used now, for stdout and stderr.
    pub fn turns(&self, pair: u8) -> (u8, u8) {
        self.slots.turns(pair)
    }
}
