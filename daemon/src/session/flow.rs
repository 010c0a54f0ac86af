//! Decides when a source of output on the host is to stop and when to go on. No I/O, no clock of its own.
//!
//! A source that runs slowly has a bucket of bytes that fills with time; empty, it is stopped until there is enough
//! for another burst. What was on its way then still comes, and is paid for by a longer stop.

use std::time::{Duration, Instant};

use crate::command::Demand;

/// Bytes a second of a source that runs slowly: little work, and still more than a person reads.
const RATE: i64 = 4 << 20; // 4 MiB
/// Microseconds in a second.
const MICROS: i64 = 1_000_000;
/// Bytes that a slow source may send at once.
const BURST: i64 = 1 << 20; // 1 MiB
/// No stop is longer than this for what came too much.
const DEBT_MAX: i64 = 4 << 20; // 4 MiB
/// When to look again after a follower that has enough to read.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes on their way when a source is told to stop: two windows of a channel. More: it did not hear of it.
const ON_THE_WAY: u64 = 4 << 20; // 4 MiB

/// A source of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The pair of FIFOs with this number.
    Pair(u8),
    /// The terminal.
    Terminal,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowOrder {
    /// It is to stop.
    Stop(Place),
    /// It is to go on.
    Go(Place),
}

struct Valve {
    place: Place,
    bucket: i64,
    filled: Instant,
    closed: Option<Closed>,
}

struct Closed {
    until: Instant,
    /// Bytes that came all the same.
    came: u64,
    /// When that is so many, it is told again.
    again: u64,
}

/// The valves of one session.
#[derive(Default)]
pub struct Flow(Vec<Valve>);

impl Flow {
    /// Bytes came from there.
    pub fn passed(&mut self, place: Place, bytes: usize, demand: Demand, now: Instant) -> Option<FlowOrder> {
        if demand == Demand::Free && !self.0.iter().any(|valve| valve.place == place) {
            return None;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let valve = self.valve(place, now);
        if let Some(closed) = &mut valve.closed {
            closed.came = closed.came.saturating_add(bytes);
            let is_deaf = closed.came >= closed.again;
            if is_deaf {
                closed.again = closed.again.saturating_mul(2);
            }
            valve.spend(bytes, now);
            return is_deaf.then_some(FlowOrder::Stop(place));
        }
        let until = match demand {
            Demand::Free => {
                valve.bucket = BURST;
                valve.filled = now;
                return None;
            }
            Demand::Slow => {
                valve.spend(bytes, now);
                if valve.bucket > 0 {
                    return None;
                }
                now + valve.time_to_fill()
            }
            Demand::Wait => now + LOOK,
        };
        valve.closed = Some(Closed {
            until,
            came: 0,
            again: ON_THE_WAY,
        });
        Some(FlowOrder::Stop(place))
    }

    /// When `due` has something next.
    pub fn deadline(&self) -> Option<Instant> {
        let closed = |valve: &Valve| valve.closed.as_ref().map(|closed| closed.until);
        self.0.iter().filter_map(closed).min()
    }

    /// The places whose stop is over, unless `decide` finds otherwise.
    pub fn due(&self, now: Instant) -> Vec<Place> {
        let is_due = |valve: &&Valve| valve.closed.as_ref().is_some_and(|closed| now >= closed.until);
        self.0.iter().filter(is_due).map(|valve| valve.place).collect()
    }

    /// Whether a stopped place is to go on now.
    pub fn decide(&mut self, place: Place, demand: Demand, now: Instant) -> Option<FlowOrder> {
        let valve = self.valve(place, now);
        valve.fill(now);
        let until = match demand {
            Demand::Free => now,
            Demand::Slow => now + valve.time_to_fill(),
            Demand::Wait => now + LOOK,
        };
        let closed = valve.closed.as_mut()?;
        if until > now {
            closed.until = until;
            return None;
        }
        valve.closed = None;
        Some(FlowOrder::Go(place))
    }

    /// What comes from there is wanted now, whatever it was before.
    pub fn open(&mut self, place: Place, now: Instant) -> Option<FlowOrder> {
        let valve = self.0.iter_mut().find(|valve| valve.place == place)?;
        valve.bucket = BURST;
        valve.filled = now;
        valve.closed.take().map(|_| FlowOrder::Go(place))
    }

    /// Everything is wanted now.
    pub fn open_all(&mut self, now: Instant) -> Vec<FlowOrder> {
        let places: Vec<Place> = self.0.iter().map(|valve| valve.place).collect();
        places
            .into_iter()
            .filter_map(|place| self.open(place, now))
            .collect()
    }

    /// It is to be stopped at present.
    pub fn is_closed(&self, place: Place) -> bool {
        self.0
            .iter()
            .any(|valve| valve.place == place && valve.closed.is_some())
    }

    fn valve(&mut self, place: Place, now: Instant) -> &mut Valve {
        let found = self.0.iter().position(|valve| valve.place == place);
        let at = found.unwrap_or_else(|| {
            self.0.push(Valve {
                place,
                bucket: BURST,
                filled: now,
                closed: None,
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

impl Valve {
    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled);
        self.filled = now;
        let more = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        self.bucket = self
            .bucket
            .saturating_add(more.saturating_mul(RATE) / MICROS)
            .min(BURST);
    }

    fn spend(&mut self, bytes: u64, now: Instant) {
        self.fill(now);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bucket = self.bucket.saturating_sub(bytes).max(-DEBT_MAX);
    }

    /// Until there is a burst in the bucket again.
    fn time_to_fill(&self) -> Duration {
        let missing = u64::try_from(BURST - self.bucket).unwrap_or(0);
        Duration::from_micros(missing * MICROS.unsigned_abs() / RATE.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAIR: Place = Place::Pair(0);

    /// A source as the host would be: it sends so many bytes a millisecond unless it is stopped, and hears of that late.
    fn simulate(demand: Demand, speed: usize, delay_ms: usize, seconds: usize) -> (u64, usize) {
        let mut flow = Flow::default();
        let start = Instant::now();
        let mut heard = std::collections::VecDeque::from(vec![true; delay_ms]);
        let (mut flows, mut bytes, mut orders) = (true, 0, 0);
        for ms in 0..seconds * 1000 {
            let now = start + Duration::from_millis(ms as u64);
            heard.push_back(flows);
            let sends = heard.pop_front() == Some(true);
            let mut all = Vec::new();
            if sends {
                bytes += speed as u64;
                all.extend(flow.passed(PAIR, speed, demand, now));
            }
            for place in flow.due(now) {
                all.extend(flow.decide(place, demand, now));
            }
            for order in all {
                orders += 1;
                flows = order == FlowOrder::Go(PAIR);
            }
        }
        (bytes, orders)
    }

    /// What is wanted is never stopped; what is not comes at its rate, at the cost of few orders, however fast it
    /// could be.
    #[test]
    fn rates() {
        let (bytes, orders) = simulate(Demand::Free, 300_000, 2, 3);
        assert_eq!((bytes, orders), (900_000_000, 0));
        for (speed, delay) in [(300_000, 2), (100_000, 20), (10_000, 50)] {
            let (bytes, orders) = simulate(Demand::Slow, speed, delay, 60);
            let rate = bytes / 60;
            assert!(
                (1 << 20..6 << 20).contains(&rate),
                "{speed} {delay}: {rate} a second"
            );
            assert!(orders < 60 * 20, "{speed} {delay}: {orders} orders");
        }
        let (bytes, orders) = simulate(Demand::Slow, 2_000, 5, 60);
        assert_eq!(
            (bytes, orders),
            (120_000_000, 0),
            "slower than its rate is left alone"
        );
        let (bytes, _) = simulate(Demand::Wait, 100_000, 5, 60);
        assert!(bytes < 1_000_000, "{bytes}");
    }

    /// A source that does not hear of its stop is told again, ever more seldom.
    #[test]
    fn deaf_sources_are_told_again() {
        let mut flow = Flow::default();
        let now = Instant::now();
        let orders = (0..10_000)
            .filter_map(|_| flow.passed(PAIR, 100_000, Demand::Wait, now))
            .count();
        assert!((3..12).contains(&orders), "{orders}");
    }

    proptest! {
        /// Whatever comes in whatever order: stops and goes alternate for a place that hears them, what is stopped
        /// has a time to be looked at, and opening leaves nothing stopped.
        #[test]
        fn never_stopped_for_good(steps in proptest::collection::vec((0u8..5, 0usize..8_000_000, 0u64..400), 1..80)) {
            let mut flow = Flow::default();
            let mut now = Instant::now();
            let mut stopped = false;
            for (kind, bytes, ms) in steps {
                now += Duration::from_millis(ms);
                let demand = match kind % 3 { 0 => Demand::Free, 1 => Demand::Slow, _ => Demand::Wait };
                let order = match kind {
                    0..=2 => flow.passed(PAIR, bytes, demand, now),
                    3 => flow.due(now).into_iter().find_map(|place| flow.decide(place, demand, now)),
                    _ => flow.open(PAIR, now),
                };
                match order {
                    Some(FlowOrder::Stop(_)) => stopped = true,
                    Some(FlowOrder::Go(_)) => { prop_assert!(stopped); stopped = false }
                    None => {}
                }
                prop_assert_eq!(stopped, flow.is_closed(PAIR));
                prop_assert_eq!(stopped, flow.deadline().is_some());
            }
            flow.open_all(now);
            prop_assert!(flow.deadline().is_none() && !flow.is_closed(PAIR));
        }
    }
}
