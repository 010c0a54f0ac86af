//! Waiting for what other processes bring about: a look again and again until a deadline, never a blind pause.

use std::{
    fmt::Debug,
    thread::sleep,
    time::{Duration, Instant},
};

/// A machine under load does anything that it does at all in this time.
pub const LONG: Duration = Duration::from_secs(90);
/// What is to be over in time takes no longer on one.
pub const IN_TIME: Duration = Duration::from_secs(30);
/// Between two looks: short beside what a process needs to start.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until the condition holds, and fails with `what` where it never does.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    eventually_some(what, || condition().then_some(()));
}

/// Waits until what is seen is as wanted, and gives it; fails with what was seen last where it never is.
pub fn eventually_seen<T: Debug>(what: &str, mut look: impl FnMut() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let mut last = None;
    let found = within(LONG, || {
        let seen = look();
        if wanted(&seen) {
            return Some(seen);
        }
        last = Some(seen);
        None
    });
    found.unwrap_or_else(|| panic!("waited {LONG:?} in vain: {what}; seen: {last:#?}"))
}

/// Waits until there is a value.
pub fn eventually_some<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(LONG, look).unwrap_or_else(|| panic!("waited {LONG:?} in vain: {what}"))
}

/// The first value that a look gives in this time.
pub fn within<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + time;
    loop {
        // A last look after the deadline: a machine may have slept through it.
        let late = Instant::now() >= until;
        if let Some(value) = look() {
            return Some(value);
        }
        if late {
            return None;
        }
        sleep(PAUSE);
    }
}
