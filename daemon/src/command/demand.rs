//! How fast a command's output is wanted now. Whoever follows it is waited for; what nobody follows and is dropped
//! anyway comes slowly.

use std::time::{Duration, Instant};

use super::{Command, State};

/// What every command may write at full speed though nobody follows it: as much, or twice what is kept of it.
const FREE_BYTES: u64 = 128 << 20; // 128 MiB
/// How far output may be ahead of whoever follows it; half of what is kept behind the dropped middle, if that is less,
/// so that nothing is lost with what is still on its way.
const LEAD_MAX: u64 = 16 << 20; // 16 MiB
/// A follower that took nothing for this long is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(5);

/// How fast output is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// As fast as it comes.
    Free,
    /// Slowly: it is kept by nobody.
    Slow,
    /// Not now: who follows it has enough to read.
    Wait,
}

/// One caller that reads output as it comes.
pub(super) struct Follower {
    key: u64,
    /// How far it has taken it.
    position: u64,
    moved: Instant,
}

impl State {
    /// How fast its output is wanted.
    pub fn demand(&self, now: Instant) -> Demand {
        let total = self.output.total();
        let kept = self.output.limits().disk_bytes;
        // The furthest counts: one that stalls holds up no other.
        let Some(furthest) = self.followers.iter().max_by_key(|follower| follower.position) else {
            return if total <= FREE_BYTES.max(kept.saturating_mul(2)) {
                Demand::Free
            } else {
                Demand::Slow
            };
        };
        let lead = total.saturating_sub(furthest.position);
        // What is on its way when the source is stopped must still find room.
        if lead <= LEAD_MAX.min(kept / 4) || total <= kept / 4 * 3 {
            return Demand::Free;
        }
        let lives = |follower: &Follower| now < follower.moved + PATIENCE;
        if self.followers.iter().any(lives) {
            Demand::Wait
        } else {
            Demand::Slow
        }
    }
}

/// Follows a command's output until it is dropped.
pub struct Following<'c> {
    command: &'c Command,
    key: u64,
}

impl Command {
    /// Somebody reads its output as it comes, from this offset.
    pub fn follow(&self, offset: u64) -> Following<'_> {
        let mut state = self.state();
        let key = state.next_follower;
        state.next_follower += 1;
        state.followers.push(Follower {
            key,
            position: offset,
            moved: Instant::now(),
        });
        Following { command: self, key }
    }
}

impl Following<'_> {
    /// It was taken up to here.
    pub fn taken(&self, offset: u64) {
        let mut state = self.command.state();
        if let Some(follower) = state.followers.iter_mut().find(|one| one.key == self.key) {
            follower.position = offset;
            follower.moved = Instant::now();
        }
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        let key = self.key;
        self.command.state().followers.retain(|one| one.key != key);
    }
}
