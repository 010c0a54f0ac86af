//! Whether the far side of a connection answers: seen by the bytes that come, and only while we wait for some. It is asked
//! when all other silent connections are. The end of one that stays silent is the SSH library's, by keepalives of its own.

use std::{
    convert::Infallible,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::sleep;

/// All connections are asked at multiples of their interval from here on: many that idle cost one waking together, not one
/// each. Keepalives that each sent in its own time cost 50 connections five wakings and 0.4 ms of processor apiece.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Between two looks at a connection that is stalled: how late it is told that it answers again.
const LOOK: Duration = Duration::from_millis(200);
/// A pause that took so much longer than it should: we were stopped, and the silence meanwhile was our own.
const STOPPED: Duration = Duration::from_secs(2);

/// Whether the far side answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// As far as is known.
    Answers,
    /// A keepalive has been without an answer for half an interval. Whether that is the network or the host nobody knows.
    Stalled {
        /// Nothing has come since then.
        since: Instant,
    },
}

/// Hears whether bytes come.
#[derive(Clone, Debug, Default)]
pub(super) struct Ear(Arc<Mutex<Heard>>);

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// Since when somebody who reads has been waiting for bytes; none while bytes are there, or nobody reads.
    since: Option<Instant>,
    /// When nothing was left to read.
    drained: Option<Instant>,
}

impl Ear {
    /// Somebody reads, and nothing is there.
    pub(super) fn waits(&self) {
        let now = Instant::now();
        let mut heard = self.heard();
        heard.since.get_or_insert(now);
        heard.drained = Some(now);
    }

    /// Something came.
    pub(super) fn hears(&self) {
        self.heard().since = None;
    }

    /// When all that had come was read; none: it never was.
    pub(super) fn drained(&self) -> Option<Instant> {
        let heard = *self.heard();
        // Who still waits has read all that came until now.
        heard.since.map_or(heard.drained, |_| Some(Instant::now()))
    }

    /// Since when a reader has been waiting, in silence.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        self.heard().since
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells, again and again, whether a connection answers whose keepalives are at most so far apart, and asks it by `ask`.
/// Never ends.
pub(super) async fn watch(ear: &Ear, interval: Duration, ask: impl Fn(), tell: impl Fn(Pulse)) -> Infallible {
    if interval.is_zero() {
        return std::future::pending().await;
    }
    let mut judge = Judge::new(interval, *BEGAN, Instant::now());
    loop {
        let waiting_since = ear.silent_since();
        let found = judge.look(waiting_since, Instant::now());
        tell(found.pulse);
        if found.asks {
            ask();
        }
        sleep(found.pause).await;
    }
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    pulse: Pulse,
    /// A keepalive is due.
    asks: bool,
    /// Until the next look.
    pause: Duration,
}

/// What a silence means.
struct Judge {
    /// After so long a silence the library asks.
    interval: Duration,
    /// A silence that is longer than this is the far side's.
    limit: Duration,
    /// Between two times at which all are asked: before the library would ask of itself.
    step: Duration,
    /// One of these times.
    origin: Instant,
    /// What was before, we may have slept through.
    awake_since: Instant,
    /// When the next look is due.
    due: Instant,
    is_stalled: bool,
}

impl Judge {
    fn new(interval: Duration, origin: Instant, now: Instant) -> Self {
        Self {
            interval,
            limit: interval + interval / 2,
            step: interval * 9 / 10,
            origin,
            awake_since: now,
            due: now,
            is_stalled: false,
        }
    }

    /// Whether the far side answers, whether to ask it, and when to look again.
    fn look(&mut self, waiting_since: Option<Instant>, now: Instant) -> Found {
        // What was silent before stays so until it says something.
        if !self.is_stalled && now.saturating_duration_since(self.due) > STOPPED {
            self.awake_since = now;
        }
        let since = waiting_since.map_or(now, |since| since.max(self.awake_since));
        let silence = now.saturating_duration_since(since);
        self.is_stalled = silence >= self.limit;
        let (pulse, asks, pause) = if self.is_stalled {
            (Pulse::Stalled { since }, false, LOOK)
        } else {
            // Who was heard just now need not be asked; who did not answer the last time is asked by the library.
            let asks = silence > self.interval.saturating_sub(self.step) && silence <= self.interval;
            (
                Pulse::Answers,
                asks,
                self.until_all_are_asked(now).min(self.limit - silence),
            )
        };
        self.due = now + pause;
        Found { pulse, asks, pause }
    }

    fn until_all_are_asked(&self, now: Instant) -> Duration {
        let into = now.saturating_duration_since(self.origin).as_nanos() % self.step.as_nanos().max(1);
        self.step - Duration::from_nanos(u64::try_from(into).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A judge of keepalives that are 10 s apart, with the clock in its hand.
    struct Bench {
        judge: Judge,
        began: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let began = Instant::now();
            Self {
                judge: Judge::new(Duration::from_secs(10), began, began),
                began,
            }
        }

        /// Looks as often as it is told to from one second to another, with a reader waiting since a third; what the last
        /// look found.
        fn looks(&mut self, from: u64, until: u64, waiting_since: Option<u64>) -> Pulse {
            let at = |seconds: u64| self.began + Duration::from_secs(seconds);
            let (mut now, until, waiting) = (at(from), at(until), waiting_since.map(at));
            loop {
                let found = self.judge.look(waiting, now);
                assert!(!found.pause.is_zero());
                if now + found.pause > until {
                    return found.pulse;
                }
                now += found.pause;
            }
        }

        fn stalled_since(&self, second: u64) -> Pulse {
            Pulse::Stalled {
                since: self.began + Duration::from_secs(second),
            }
        }
    }

    /// Silence counts from the last byte, is told at one and a half intervals, and ends with the next byte.
    #[test]
    fn silence_is_told_and_forgiven() {
        let mut bench = Bench::new();
        assert_eq!(bench.looks(0, 14, Some(0)), Pulse::Answers);
        // An answer came at the tenth second.
        assert_eq!(bench.looks(15, 24, Some(10)), Pulse::Answers);
        assert_eq!(bench.looks(25, 30, Some(10)), bench.stalled_since(10));
        assert_eq!(bench.looks(30, 31, Some(30)), Pulse::Answers);
    }

    /// Silent connections are looked at and asked at the same times, whenever their last byte came; one that has not answered
    /// is not asked again, and one that is heard is not either.
    #[test]
    fn all_are_asked_together() {
        let origin = Instant::now();
        let at = |millis: u64| origin + Duration::from_millis(millis);
        for last in [0, 1_300, 3_900] {
            let mut judge = Judge::new(Duration::from_secs(10), origin, at(last));
            let found = judge.look(Some(at(last)), at(last));
            assert!(!found.asks);
            assert_eq!(at(last) + found.pause, at(9_000));
            let found = judge.look(Some(at(last)), at(9_000));
            assert!(found.asks);
            // Without an answer the next look is the one that finds it stalled.
            let limit = (last + 15_000).min(18_000);
            assert_eq!(at(9_000) + found.pause, at(limit));
            let _ = judge.look(Some(at(9_010)), at(limit));
            let answered = judge.look(Some(at(9_010)), at(18_000));
            assert!(answered.asks);
            assert_eq!(answered.pause, Duration::from_millis(15_000 - 8_990));
            let _ = judge.look(Some(at(18_010)), at(24_010));
            let heard = judge.look(Some(at(26_500)), at(27_000));
            assert!(!heard.asks);
        }
        let mut judge = Judge::new(Duration::from_secs(10), origin, origin);
        assert!(!judge.look(Some(origin), at(11_000)).asks);
    }

    /// While we do not read (a reader of ours is slow), the far side is not to blame.
    #[test]
    fn our_own_slowness_is_no_silence() {
        let mut bench = Bench::new();
        assert_eq!(bench.looks(0, 100, None), Pulse::Answers);
        assert_eq!(bench.looks(101, 110, Some(101)), Pulse::Answers);
    }

    /// Whoever was stopped for a minute has heard nothing for a minute, and that says nothing of the far side; silence
    /// from then on does. A silence that was told before stays told.
    #[test]
    fn a_machine_that_slept_blames_nobody() {
        let mut bench = Bench::new();
        assert_eq!(bench.looks(0, 1, Some(0)), Pulse::Answers);
        assert_eq!(bench.looks(60, 74, Some(0)), Pulse::Answers);
        assert_eq!(bench.looks(75, 76, Some(0)), bench.stalled_since(60));
        assert_eq!(bench.looks(200, 201, Some(0)), bench.stalled_since(60));
        assert_eq!(bench.looks(202, 203, Some(202)), Pulse::Answers);
    }
}
