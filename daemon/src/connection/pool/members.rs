//! Which connections there are: found with room or made, once for all who wait, and taken out when they have died or nobody
//! uses them.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, MutexGuard, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

use futures::future::{FutureExt as _, Shared as SharedFuture};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{sync::Semaphore, time::Instant};

use super::{CONNECTIONS_MAX, Pool};
use crate::{
    connection::{Connection, ConnectionId, Room, establish, lease::Lease, words::place},
    host::{Target, TargetKey},
};

/// Handshakes at a time to one target: sshd starts to drop at 10 unauthenticated connections (MaxStartups 10:30:100).
const HANDSHAKES_MAX: usize = 5;
/// A place that is still not free belongs to a program that outlives its channel; ask again after this.
const CLEARING_TIME: Duration = Duration::from_millis(500);

type Connecting = SharedFuture<Pin<Box<dyn Future<Output = Result<Arc<Connection>, Fault>> + Send>>>;

pub(super) struct Entry {
    pub(super) connections: Vec<Arc<Connection>>,
    attempts: Vec<Attempt>,
    pub(super) handshakes: Arc<Semaphore>,
    /// Channels that a connection took before it refused one.
    capacity: Option<usize>,
}

/// A connection that is being made.
struct Attempt {
    number: u64,
    /// Only a call that would log in the same way may share it: its fault names what was tried.
    target: Target,
    waiting: usize,
    connecting: Connecting,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            connections: Vec::new(),
            attempts: Vec::new(),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            capacity: None,
        }
    }
}

impl Entry {
    fn free(&self) -> Option<Lease> {
        let free = self
            .connections
            .iter()
            // What does not answer may come back, but whoever comes new need not wait for that.
            .find(|connection| {
                connection.is_alive() && connection.answers() && connection.usage.borrow().has_room()
            });
        free.map(|connection| Lease::new(connection.clone()))
    }
}

enum Found {
    Ready(Lease),
    Wait(Connecting),
    TooMany,
}

impl Pool {
    /// The right to use some live connection of the target; makes one if there is none with room.
    pub(in crate::connection) async fn lease(self: &Arc<Self>, target: &Target) -> Result<Lease, Fault> {
        let found = self.find(target);
        match found {
            Found::Ready(lease) => Ok(lease),
            Found::Wait(connecting) => connecting.await.map(Lease::new),
            Found::TooMany => Err(Fault::new(
                Reason::LimitReached,
                format!(
                    "there are {CONNECTIONS_MAX} connections to {} already",
                    place(target)
                ),
            )
            .hint("close sessions that are no longer needed")),
        }
    }

    /// A connection of the target that takes more.
    pub(in crate::connection) fn free(&self, target: &Target) -> Option<Lease> {
        self.targets().get(&target.key()).and_then(Entry::free)
    }

    fn find(self: &Arc<Self>, target: &Target) -> Found {
        let mut targets = self.targets();
        let entry = targets.entry(target.key()).or_default();
        if let Some(lease) = entry.free() {
            return Found::Ready(lease);
        }
        let capacity = entry.capacity.unwrap_or(usize::MAX);
        let shared = entry
            .attempts
            .iter_mut()
            .find(|attempt| attempt.waiting < capacity && attempt.target.logs_in_like(target));
        if let Some(attempt) = shared {
            attempt.waiting = attempt.waiting.saturating_add(1);
            return Found::Wait(attempt.connecting.clone());
        }
        if entry.connections.len().saturating_add(entry.attempts.len()) >= CONNECTIONS_MAX {
            return Found::TooMany;
        }
        let number = self.next_attempt.fetch_add(1, Ordering::Relaxed);
        let connecting = self.connect(target, number, entry.handshakes.clone());
        entry.attempts.push(Attempt {
            number,
            target: target.clone(),
            waiting: 1,
            connecting: connecting.clone(),
        });
        Found::Wait(connecting)
    }

    /// Makes a connection in a task that outlives every waiter.
    fn connect(self: &Arc<Self>, target: &Target, number: u64, handshakes: Arc<Semaphore>) -> Connecting {
        let (pool, target) = (self.clone(), target.clone());
        let task = tokio::spawn(async move {
            let id = ConnectionId(pool.next_id.fetch_add(1, Ordering::Relaxed));
            let _permit = handshakes.acquire_owned().await;
            let made = establish::connect(&pool, &target, id, None).await.map(Arc::new);
            pool.made(&target, number, made.as_ref().ok());
            made
        });
        let joined = async move {
            task.await
                .unwrap_or_else(|_| Err(Fault::new(Reason::Internal, "connecting failed within")))
        };
        let boxed: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(joined);
        boxed.shared()
    }

    fn made(self: &Arc<Self>, target: &Target, number: u64, connection: Option<&Arc<Connection>>) {
        let mut targets = self.targets();
        let entry = targets.entry(target.key()).or_default();
        entry.attempts.retain(|attempt| attempt.number != number);
        match connection {
            Some(connection) if !self.ended.load(Ordering::Relaxed) => {
                entry.connections.push(connection.clone());
                tokio::spawn(watch_over(
                    Arc::downgrade(self),
                    connection.clone(),
                    self.settings.idle,
                ));
            }
            Some(_) | None => prune(&mut targets, &target.key()),
        }
    }

    /// Takes in a connection that was made elsewhere.
    pub(in crate::connection) fn has_been_made(
        self: &Arc<Self>,
        target: &Target,
        connection: Arc<Connection>,
        idle: Duration,
    ) {
        let mut targets = self.targets();
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        let entry = targets.entry(target.key()).or_default();
        entry.connections.push(connection.clone());
        tokio::spawn(watch_over(Arc::downgrade(self), connection, idle));
    }

    pub(super) fn is_full(&self, target: &Target, connection: &Connection) {
        let channels = connection.usage.borrow().channels;
        connection.usage.send_modify(|usage| {
            usage.room = if usage.channels > 0 {
                Room::Full
            } else {
                Room::FullUntil(Instant::now() + CLEARING_TIME)
            };
        });
        if let Some(entry) = self.targets().get_mut(&target.key()) {
            entry.capacity = Some(channels.max(entry.capacity.unwrap_or(1)));
        }
    }

    pub(super) fn remove(&self, connection: &Connection) {
        let mut targets = self.targets();
        if let Some(entry) = targets.get_mut(&connection.key) {
            entry.connections.retain(|other| other.id != connection.id);
        }
        prune(&mut targets, &connection.key);
    }

    /// Takes a connection out if nobody uses it; under the same lock under which leases are given.
    fn remove_if_idle(&self, connection: &Connection) -> bool {
        let mut targets = self.targets();
        if connection.usage.borrow().leases > 0 {
            return false;
        }
        if let Some(entry) = targets.get_mut(&connection.key) {
            entry.connections.retain(|other| other.id != connection.id);
        }
        prune(&mut targets, &connection.key);
        true
    }

    pub(super) fn targets(&self) -> MutexGuard<'_, HashMap<TargetKey, Entry>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prune(targets: &mut HashMap<TargetKey, Entry>, key: &TargetKey) {
    let unused = |entry: &Entry| entry.connections.is_empty() && entry.attempts.is_empty();
    if targets.get(key).is_some_and(unused) {
        targets.remove(key);
    }
}

/// Removes a connection when it has died, or when nobody has used it for a while.
pub(super) async fn watch_over(pool: Weak<Pool>, connection: Arc<Connection>, idle: Duration) {
    let mut usage = connection.usage.subscribe();
    let pulse = connection.feel_pulse();
    tokio::pin!(pulse);
    loop {
        let unused = usage.borrow_and_update().leases == 0;
        let idle_time = async {
            if unused {
                tokio::time::sleep(idle).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            cause = connection.closed() => {
                tracing::debug!(?connection, cause, "a connection ended");
                if let Some(pool) = pool.upgrade() {
                    pool.remove(&connection);
                }
                return;
            }
            never = &mut pulse => match never {},
            changed = usage.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = idle_time => {
                if pool.upgrade().is_none_or(|pool| pool.remove_if_idle(&connection)) {
                    connection.disconnect("nobody used the connection").await;
                    return;
                }
            }
        }
    }
}
