//! How fast a durable command's output is taken: what nobody wants now stays on its host, whose spool fills, and the
//! command waits.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{Follower, Step, send};
use crate::{command::Demand, shell::durable as words};

/// Bytes a second of what nobody follows and nothing keeps.
const SLOW_RATE: u64 = 4 << 20; // 4 MiB
/// As many at once.
const SLOW_BURST: u64 = 1 << 20; // 1 MiB
/// No pause is longer than for as many.
const SLOW_DEBT: u64 = 8 << 20; // 8 MiB
/// When to look again after a follower that has enough to read.
const FOLLOWER_LOOK: Duration = Duration::from_millis(20);
const SLOWED: &str = "it writes more than anybody reads, so its output is slowed on the host: send it to a file there if all of it is wanted";

impl Follower {
    /// What nobody can take is not sent: then the spool fills, and the command waits.
    pub(super) fn slow_down(
        &mut self,
        demand: Demand,
        bytes: usize,
        orders: &mpsc::Sender<Vec<u8>>,
    ) -> Result<(), ()> {
        if demand == Demand::Slow {
            self.burst = self
                .burst
                .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
        // What was on its way is paid for at the end of the pause.
        if self.paused.is_some() {
            return Ok(());
        }
        let Some(wait) = self.wait(demand) else {
            return Ok(());
        };
        if demand == Demand::Slow {
            self.command.notice(SLOWED);
        }
        self.paused = Some(Instant::now() + wait);
        for stream in &self.streams {
            send(orders, words::pause(stream.name, true))?;
        }
        Ok(())
    }

    /// For how long nothing more is wanted; none: more is.
    fn wait(&mut self, demand: Demand) -> Option<Duration> {
        // The end is behind what was written before it.
        let is_urgent = self.urgent_until.is_some_and(|until| Instant::now() < until)
            || self.state.is_some_and(|state| state.code.is_some());
        match demand {
            _ if is_urgent => None,
            Demand::Free => {
                self.burst = 0;
                None
            }
            Demand::Wait => Some(FOLLOWER_LOOK),
            Demand::Slow if self.burst < SLOW_BURST => None,
            Demand::Slow => {
                let millis = std::mem::take(&mut self.burst).min(SLOW_DEBT) * 1000 / SLOW_RATE;
                Some(Duration::from_millis(millis))
            }
        }
    }

    /// The pause is over, unless it has to be longer.
    pub(super) fn resume(&mut self, orders: &mpsc::Sender<Vec<u8>>) -> Result<Step, ()> {
        let now = Instant::now();
        let demand = self.command.state().demand(now);
        if let Some(wait) = self.wait(demand) {
            self.paused = Some(now + wait);
            return Ok(Step::Go);
        }
        self.go_on(orders)
    }

    pub(super) fn go_on(&mut self, orders: &mpsc::Sender<Vec<u8>>) -> Result<Step, ()> {
        self.paused = None;
        let waits = std::mem::take(&mut self.next_waits);
        for (stream, waits) in self.streams.iter().zip(waits) {
            let (segment, offset) = stream.position();
            let order = if waits {
                words::go_on(stream.name, segment, offset)
            } else {
                words::pause(stream.name, false)
            };
            send(orders, order)?;
        }
        Ok(Step::Go)
    }
}
