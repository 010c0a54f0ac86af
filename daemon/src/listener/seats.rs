//! Seats for clients: as many as are allowed. Who has none may ask for one again at each call.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

/// All seats.
pub(super) struct Seats {
    limit: Box<dyn Fn() -> usize + Send + Sync>,
    taken: AtomicUsize,
    standing: AtomicUsize,
    /// Numbers those whose process is not known.
    next: AtomicU64,
}

impl Seats {
    pub(super) fn new(limit: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self {
            limit: Box::new(limit),
            taken: AtomicUsize::new(0),
            standing: AtomicUsize::new(0),
            next: AtomicU64::new(0),
        }
    }

    fn take(&self) -> Result<(), usize> {
        let limit = (self.limit)();
        let one_more = |taken: usize| (taken < limit).then(|| taken.saturating_add(1));
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map(|_| ())
            .map_err(|_| limit)
    }
}

impl fmt::Debug for Seats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seats({} taken)", self.taken.load(Ordering::Relaxed))
    }
}

/// The process at the other end of a connection, as each of its calls carries it.
#[derive(Clone, Debug)]
pub struct Peer {
    client: u64,
    seat: Arc<Seat>,
}

#[derive(Debug)]
struct Seat {
    seats: Arc<Seats>,
    is_taken: AtomicBool,
}

impl Peer {
    /// Gives it a seat if there is one; none comes back if as many as `standing_max` have none already.
    pub(super) fn admit(seats: &Arc<Seats>, process: Option<i32>, standing_max: usize) -> Option<Self> {
        let client = process
            .and_then(|process| u64::try_from(process).ok())
            .filter(|process| *process > 0)
            // Above all process ids.
            .unwrap_or_else(|| (1 << 32) + seats.next.fetch_add(1, Ordering::Relaxed));
        let is_taken = seats.take().is_ok();
        if !is_taken && seats.standing.load(Ordering::Relaxed) >= standing_max {
            return None;
        }
        if !is_taken {
            seats.standing.fetch_add(1, Ordering::Relaxed);
        }
        Some(Self {
            client,
            seat: Arc::new(Seat {
                seats: Arc::clone(seats),
                is_taken: AtomicBool::new(is_taken),
            }),
        })
    }

    /// The same for all connections of one process.
    pub const fn client(&self) -> u64 {
        self.client
    }

    /// It has a seat.
    pub(super) fn is_seated(&self) -> bool {
        self.seat.is_taken.load(Ordering::Relaxed)
    }

    /// Takes a seat unless it has one; the error is how many seats there are, all taken.
    pub fn sit_down(&self) -> Result<(), usize> {
        if self.is_seated() {
            return Ok(());
        }
        let Seat { seats, is_taken } = self.seat.as_ref();
        seats.take()?;
        if is_taken.swap(true, Ordering::Relaxed) {
            // Another call of the same connection was first.
            seats.taken.fetch_sub(1, Ordering::Relaxed);
        } else {
            seats.standing.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let count = if *self.is_taken.get_mut() {
            &self.seats.taken
        } else {
            &self.seats.standing
        };
        count.fetch_sub(1, Ordering::Relaxed);
    }
}
