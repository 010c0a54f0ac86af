//! When a lost connection is tried again: waits that grow, with jitter, and only where trying again can help. Tells no
//! time, sleeps nowhere and connects nothing.

use std::time::Duration;

use sshmcp_proto::{error::Fault, v1::Reason};

/// Before the first attempt: a server that only restarted is met at once, and many sessions do not come in one moment.
const FIRST: Duration = Duration::from_millis(250);
/// Before any attempt: a person who opens the laptop does not want to wait for longer, and a host that is down for a
/// night is asked 2,000 times.
const LONGEST: Duration = Duration::from_secs(30);

/// The waits of one session that has something to come back to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    tried: u32,
}

impl Backoff {
    /// Nothing was tried yet.
    pub const fn new() -> Self {
        Self { tried: 0 }
    }

    /// How often it was tried.
    pub const fn tried(&self) -> u32 {
        self.tried
    }

    /// How long to wait before the next attempt: about 0.25 s, doubled each time up to about 30 s, each 0.5 to 1.5 times
    /// that.
    pub fn wait(&mut self) -> Duration {
        self.wait_of(rand::random())
    }

    /// The same after this fault; none where trying again could only do harm (a login that is refused locks accounts) or
    /// where a person is asked for.
    pub fn after(&mut self, fault: &Fault) -> Option<Duration> {
        (fault.retryable || is_passing(fault.reason)).then(|| self.wait())
    }

    /// Begins anew: it was connected, or somebody wants to use it now.
    pub const fn reset(&mut self) {
        self.tried = 0;
    }

    /// With this random number between 0 and 1.
    fn wait_of(&mut self, random: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.tried.min(16));
        self.tried = self.tried.saturating_add(1);
        doubled.min(LONGEST).mul_f64(0.5 + random.clamp(0.0, 1.0))
    }
}

/// True if the same attempt may succeed later without anybody's doing. A name that is not found is: a machine that has
/// just woken up has no name server yet.
const fn is_passing(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Unreachable | Reason::ConnectionLost | Reason::HostNotFound | Reason::LimitReached
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits double up to the longest and stay there, however often it is tried.
    #[test]
    fn waits_grow_up_to_a_bound() {
        let mut backoff = Backoff::new();
        let waits: Vec<u128> = (0..10).map(|_| backoff.wait_of(0.5).as_millis()).collect();
        assert_eq!(
            waits,
            [
                250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000
            ]
        );
        backoff.tried = u32::MAX;
        assert_eq!(backoff.wait_of(0.5), LONGEST);
        backoff.reset();
        assert_eq!(backoff.wait_of(0.5), FIRST);
    }

    /// Fifty sessions of one host do not come in one moment, and none comes much too late.
    #[test]
    fn waits_are_spread() {
        let mut waits: Vec<Duration> = (0..50).map(|_| Backoff::new().wait()).collect();
        assert!(
            waits
                .iter()
                .all(|wait| (FIRST / 2..=FIRST * 3 / 2).contains(wait))
        );
        waits.sort();
        waits.dedup();
        assert!(waits.len() > 10, "{waits:?}");
        assert!(Backoff { tried: 9 }.wait_of(7.0) <= LONGEST * 3 / 2);
    }

    /// A refused login is not repeated by itself: it would lock the account.
    #[test]
    fn what_a_person_must_mend_is_not_tried_again() {
        for reason in [
            Reason::AuthFailed,
            Reason::AuthInputRequired,
            Reason::HostKeyChanged,
            Reason::HostKeyUnknown,
            Reason::ConfigInvalid,
            Reason::NotSupported,
        ] {
            assert_eq!(
                Backoff::new().after(&Fault::new(reason, "no")),
                None,
                "{reason:?}"
            );
        }
        for reason in [Reason::Unreachable, Reason::ConnectionLost, Reason::HostNotFound] {
            let mut backoff = Backoff::new();
            assert!(
                backoff.after(&Fault::new(reason, "not now")).is_some(),
                "{reason:?}"
            );
            assert_eq!(backoff.tried(), 1);
        }
    }
}
