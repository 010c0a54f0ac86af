//! How much is measured: enough to tell, or just enough to see that measuring works.

/// Runs and numbers of everything.
pub(crate) struct Sizes {
    /// Rounds of each way in turn, so that a busy moment of the machine hits all of them.
    pub(crate) rounds: usize,
    /// Runs of the ways that take a millisecond, a round.
    pub(crate) runs: usize,
    /// Runs of the way that starts a process, a round.
    pub(crate) process_runs: usize,
    /// Runs before the first that counts.
    pub(crate) warm_up: usize,
    /// Targets of the cold runs, and of the first number of sessions at once.
    pub(crate) some: usize,
    /// Targets of the second number of sessions at once.
    pub(crate) many: usize,
    /// Rounds of sessions at once.
    pub(crate) openings: usize,
    /// First calls that start the daemon.
    pub(crate) starts: usize,
    /// Starts of the shim.
    pub(crate) shims: usize,
    /// Runs of the command with much output.
    pub(crate) bulk_runs: usize,
    /// Runs of the command with very much output.
    pub(crate) flood_runs: usize,
    /// The bytes of the latter.
    pub(crate) flood: u64,
    /// Warm commands over the slow link.
    pub(crate) far_runs: usize,
    /// First commands over the slow link.
    pub(crate) far_logins: usize,
    /// Bytes that a screen is fed with.
    pub(crate) feed: usize,
    /// Seconds in which idle sessions are watched.
    pub(crate) idle_seconds: u64,
}

impl Sizes {
    /// What a table is made from.
    pub(crate) const FULL: Self = Self {
        rounds: 10,
        runs: 100,
        process_runs: 50,
        warm_up: 50,
        some: 50,
        many: 200,
        openings: 5,
        starts: 10,
        shims: 50,
        bulk_runs: 20,
        flood_runs: 5,
        flood: 100_000_000,
        far_runs: 50,
        far_logins: 5,
        feed: 500_000_000,
        idle_seconds: 60,
    };
    /// What shows that everything here still works; its figures mean nothing.
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        runs: 3,
        process_runs: 1,
        warm_up: 1,
        some: 4,
        many: 6,
        openings: 1,
        starts: 1,
        shims: 1,
        bulk_runs: 1,
        flood_runs: 1,
        flood: 3_000_000,
        far_runs: 3,
        far_logins: 1,
        feed: 5_000_000,
        idle_seconds: 1,
    };
}
