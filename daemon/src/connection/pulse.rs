//! Whether the far side of a connection answers: seen by the bytes that come, and only while we wait for some. The
//! keepalives that it should answer, and the end of a connection that stays silent, are the SSH library's.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::sleep;

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

/// Since when somebody who reads has been waiting for bytes; none while bytes are there, or nobody reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Ear(Arc<Mutex<Option<Instant>>>);

impl Ear {
    /// Somebody reads, and nothing is there.
    pub(super) fn waits(&self) {
        self.since().get_or_insert_with(Instant::now);
    }

    /// Something came.
    pub(super) fn hears(&self) {
        *self.since() = None;
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells, again and again, whether a connection answers whose keepalives are so far apart. Never ends.
pub(super) async fn watch(ear: &Ear, interval: Duration, tell: impl Fn(Pulse)) -> Infallible {
    if interval.is_zero() {
        return std::future::pending().await;
    }
    let mut judge = Judge::new(interval, Instant::now());
    loop {
        let waiting_since = *ear.since();
        let (found, pause) = judge.look(waiting_since, Instant::now());
        tell(found);
        sleep(pause).await;
    }
}

/// What a silence means.
struct Judge {
    /// A silence that is longer than this is the far side's: the library asks after an interval.
    limit: Duration,
    /// What was before, we may have slept through.
    awake_since: Instant,
    /// When the next look is due.
    due: Instant,
    is_stalled: bool,
}

impl Judge {
    fn new(interval: Duration, now: Instant) -> Self {
        Self {
            limit: interval + interval / 2,
            awake_since: now,
            due: now,
            is_stalled: false,
        }
    }

    /// Whether the far side answers, and when to look again.
    fn look(&mut self, waiting_since: Option<Instant>, now: Instant) -> (Pulse, Duration) {
        // What was silent before stays so until it says something.
        if !self.is_stalled && now.saturating_duration_since(self.due) > STOPPED {
            self.awake_since = now;
        }
        let since = waiting_since.map_or(now, |since| since.max(self.awake_since));
        let silence = now.saturating_duration_since(since);
        self.is_stalled = silence >= self.limit;
        let (pulse, pause) = if self.is_stalled {
            (Pulse::Stalled { since }, LOOK)
        } else {
            (Pulse::Answers, self.limit - silence)
        };
        self.due = now + pause;
        (pulse, pause)
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
                judge: Judge::new(Duration::from_secs(10), began),
                began,
            }
        }

        /// Looks as often as it is told to from one second to another, with a reader waiting since a third; what the last
        /// look found.
        fn looks(&mut self, from: u64, until: u64, waiting_since: Option<u64>) -> Pulse {
            let at = |seconds: u64| self.began + Duration::from_secs(seconds);
            let (mut now, until, waiting) = (at(from), at(until), waiting_since.map(at));
            loop {
                let (pulse, pause) = self.judge.look(waiting, now);
                assert!(!pause.is_zero());
                if now + pause > until {
                    return pulse;
                }
                now += pause;
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
