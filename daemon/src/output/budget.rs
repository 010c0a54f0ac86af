//! What all spool files may take on disk together. Counts bytes; whose output gives way is for who knows all commands.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Room that is made before it is needed: some chunks, but no large part of a small limit.
const AHEAD: u64 = 1 << 20; // 1 MiB

/// The bytes that there are, and those that are used.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
    /// Something has ended whose bytes could be given back.
    has_spare: AtomicBool,
}

impl Budget {
    /// Nothing used yet.
    pub const fn new(limit: u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            used: AtomicU64::new(0),
            has_spare: AtomicBool::new(false),
        }
    }

    /// Another limit from now on; what is used already stays.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes that there are.
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Bytes that are used.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes so many bytes; false if there are not enough.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let limit = self.limit();
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= limit);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// Counts bytes that are used already.
    pub(super) fn charge(&self, bytes: u64) {
        let more = |used: u64| Some(used.saturating_add(bytes));
        // The closure never refuses.
        let _always = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Gives bytes back.
    pub(super) fn give(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        // The closure never refuses.
        let _always = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Bytes that an ended command holds may be given back: the next look for some is worth its while.
    pub fn has_spare(&self) {
        self.has_spare.store(true, Ordering::Relaxed);
    }

    /// True, once, if room should be made and there may be some to make.
    pub fn should_make_room(&self) -> bool {
        let limit = self.limit();
        self.used().saturating_add(AHEAD.min(limit / 8)) > limit
            && self.has_spare.swap(false, Ordering::Relaxed)
    }

    /// Enough room is made: twice what is looked ahead.
    pub fn has_room(&self) -> bool {
        let limit = self.limit();
        self.used().saturating_add(AHEAD.min(limit / 8).saturating_mul(2)) <= limit
    }
}
