//! The connections of all targets: who may use which, when another is needed, and when one goes. Speaks no SSH.
//!
//! A connection without a channel is closed after a minute. A dead one leaves at once. Connections to jump hosts
//! are ordinary members, shared by everything that runs through them.

mod alone;
mod lent;

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::{FutureExt as _, Shared as SharedFuture};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    Connection, ConnectionId, Room,
    asking::Given,
    channel::Channel,
    establish,
    lease::Lease,
    open::{NoChannel, Program, Pty, count, open},
    words::place,
};
use crate::host::{Target, TargetKey};

/// Handshakes at a time to one target: sshd starts to drop at 10 unauthenticated connections (MaxStartups 10:30:100).
const HANDSHAKES_MAX: usize = 5;
/// Connections to one target; with sshd's default of ten channels each, that is several hundred sessions.
const CONNECTIONS_MAX: usize = 64;
/// Connections that one opening tries before it gives up. Each refusal means that others took the places of a connection, and
/// among hundreds that open at once that can befall the same one on each.
const OPENINGS_MAX: usize = CONNECTIONS_MAX;

/// sshd frees a closed channel's place a moment after it said so: a short wait is cheaper than a login.
const CLEARING_WAIT: Duration = Duration::from_millis(10);
/// Doubled each time: 70 ms in all.
const CLEARING_TRIES: u32 = 3;
/// A place that is still not free belongs to a program that outlives its channel; ask again after this.
const CLEARING_TIME: Duration = Duration::from_millis(500);

/// What can be set on a pool.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// How long a connection without a channel is kept.
    pub idle: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            // Long enough that a session closed and opened again needs no login.
            idle: Duration::from_secs(60),
        }
    }
}

type Connecting = SharedFuture<Pin<Box<dyn Future<Output = Result<Arc<Connection>, Fault>> + Send>>>;

/// All connections of the daemon.
pub struct Pool {
    settings: PoolSettings,
    pub(super) next_id: AtomicU64,
    next_attempt: AtomicU64,
    targets: Mutex<HashMap<TargetKey, Entry>>,
    /// What persons gave at logins and servers took.
    pub(super) given: Mutex<HashMap<TargetKey, Given>>,
    /// Which keys opened a target last, by their labels.
    pub(super) opened: Mutex<HashMap<TargetKey, Vec<String>>>,
    /// Connections of OpenSSH's client that others may use.
    lent: lent::Lent,
    /// Set by the shutdown, under the lock of `targets`: a connection that is then still being made is dropped.
    ended: AtomicBool,
}

struct Entry {
    connections: Vec<Arc<Connection>>,
    attempts: Vec<Attempt>,
    handshakes: Arc<Semaphore>,
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

/// A shell and what runs beside it.
pub struct Pair {
    /// The shell's connection.
    pub connection: Arc<Connection>,
    /// The shell.
    pub shell: Channel,
    /// The command, if the host runs it.
    pub beside: Result<Channel, Fault>,
    /// The shell's connection had no place left for it: it is on another.
    pub is_apart: bool,
}

enum Found {
    Ready(Lease),
    Wait(Connecting),
    TooMany,
}

impl Pool {
    /// An empty pool.
    pub fn new(settings: PoolSettings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            next_id: AtomicU64::new(1),
            next_attempt: AtomicU64::new(1),
            targets: Mutex::default(),
            given: Mutex::default(),
            opened: Mutex::default(),
            lent: lent::Lent::default(),
            ended: AtomicBool::new(false),
        })
    }

    /// An interactive login shell on a connection of the target.
    pub async fn open_shell(
        self: &Arc<Self>,
        target: &Target,
        pty: Pty,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        self.open(target, None, Program::Shell(pty)).await
    }

    /// A command without a terminal, on the preferred connection if that takes another channel, else on another.
    pub async fn open_exec(
        self: &Arc<Self>,
        target: &Target,
        prefer: &Arc<Connection>,
        command: &str,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        let prefer = Some(prefer.clone());
        self.open(target, prefer, Program::Exec(command.to_owned())).await
    }

    /// A command without a terminal, on whatever connection there is or can be made.
    pub async fn open_beside(
        self: &Arc<Self>,
        target: &Target,
        command: &str,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        self.open(target, None, Program::Exec(command.to_owned())).await
    }

    /// A subsystem of the server's, on whatever connection there is or can be made. `not_supported`: it has none of that
    /// name, or refuses it to the account.
    pub async fn open_subsystem(
        self: &Arc<Self>,
        target: &Target,
        name: &'static str,
    ) -> Result<Channel, Fault> {
        let opened = self.open(target, None, Program::Subsystem(name)).await;
        opened.map(|(_, channel)| channel)
    }

    /// How many channels a connection takes, those that are open included and at most so many, and whether it refused one
    /// more. What is opened for that stays open until the connection ends.
    pub async fn count_channels(
        &self,
        connection: &Arc<Connection>,
        most: usize,
    ) -> Result<(usize, bool), Fault> {
        count(connection, most).await
    }

    /// A login shell, and a command beside it that is asked for in the same moment: on a slow link that is sooner than
    /// one after the other. The command is on the shell's connection if that takes both.
    pub async fn open_pair(
        self: &Arc<Self>,
        target: &Target,
        pty: Pty,
        command: &str,
    ) -> Result<Pair, Fault> {
        let (pool, target) = (self.clone(), target.clone());
        let (shell, command) = (Program::Shell(pty), Program::Exec(command.to_owned()));
        // A task of its own, as for one channel.
        tokio::spawn(async move { pool.open_pair_now(&target, &shell, &command).await })
            .await
            .unwrap_or_else(|_| Err(failed_within()))
    }

    /// Connections that live.
    pub fn connections(&self) -> usize {
        let targets = self.targets();
        targets.values().map(|entry| entry.connections.len()).sum()
    }

    /// Closes every connection of a target.
    pub async fn close_target(&self, key: &TargetKey) {
        let closing = self
            .targets()
            .get_mut(key)
            .map(|entry| std::mem::take(&mut entry.connections))
            .unwrap_or_default();
        close_all(closing, "the connection was closed on request").await;
    }

    /// Closes every connection.
    pub async fn shutdown(&self) {
        let entries = {
            let mut targets = self.targets();
            self.ended.store(true, Ordering::Relaxed);
            std::mem::take(&mut *targets)
        };
        let closing = entries
            .into_values()
            .flat_map(|entry| entry.connections)
            .collect();
        close_all(closing, "the daemon is ending").await;
    }

    /// Runs in a task of its own: a caller that goes away leaves no half-open channel behind.
    async fn open(
        self: &Arc<Self>,
        target: &Target,
        prefer: Option<Arc<Connection>>,
        program: Program,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        let (pool, target) = (self.clone(), target.clone());
        tokio::spawn(async move { pool.open_now(&target, prefer, &program).await })
            .await
            .unwrap_or_else(|_| Err(failed_within()))
    }

    async fn open_now(
        self: &Arc<Self>,
        target: &Target,
        prefer: Option<Arc<Connection>>,
        program: &Program,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        let mut prefer = prefer.and_then(|connection| {
            let usable = connection.is_alive() && connection.usage.borrow().has_room();
            usable.then(|| Lease::new(connection))
        });
        let mut clearing = 0;
        for _ in 0..OPENINGS_MAX {
            let lease = match prefer.take() {
                Some(lease) => lease,
                None => self.lease(target).await?,
            };
            let connection = lease.connection().clone();
            match open(lease, program).await {
                Ok(channel) => return Ok((connection, channel)),
                Err(no) => {
                    prefer = self
                        .without_channel(no, target, connection, &mut clearing)
                        .await?;
                }
            }
        }
        Err(refuses_all(target).retryable())
    }

    async fn open_pair_now(
        self: &Arc<Self>,
        target: &Target,
        shell: &Program,
        command: &Program,
    ) -> Result<Pair, Fault> {
        let mut prefer = None;
        let mut clearing = 0;
        for _ in 0..OPENINGS_MAX {
            let lease = match prefer.take() {
                Some(lease) => lease,
                None => self.lease(target).await?,
            };
            let connection = lease.connection().clone();
            let second = Lease::new(connection.clone());
            // The shell is asked for first: where there is one place left, it has it.
            match tokio::join!(open(lease, shell), open(second, command)) {
                (Ok(shell), beside) => {
                    let mut is_apart = false;
                    let beside = match beside {
                        Ok(channel) => Ok(channel),
                        Err(NoChannel::Failed(fault)) => Err(fault),
                        Err(NoChannel::Refused | NoChannel::Gone(_)) => {
                            let prefer = Some(connection.clone());
                            let opened = self.open_now(target, prefer, command).await;
                            opened.map(|(other, channel)| {
                                is_apart = other.id() != connection.id();
                                channel
                            })
                        }
                    };
                    return Ok(Pair {
                        connection,
                        shell,
                        beside,
                        is_apart,
                    });
                }
                (Err(no), _closed) => {
                    prefer = self
                        .without_channel(no, target, connection, &mut clearing)
                        .await?;
                }
            }
        }
        Err(refuses_all(target).retryable())
    }

    /// Takes in that a connection gave no channel: where to try next, if not on any connection.
    async fn without_channel(
        &self,
        no: NoChannel,
        target: &Target,
        connection: Arc<Connection>,
        clearing: &mut u32,
    ) -> Result<Option<Lease>, Fault> {
        match no {
            NoChannel::Refused if !connection.shared.has_opened() => Err(refuses_all(target)),
            NoChannel::Refused if *clearing < CLEARING_TRIES && connection.is_unused() => {
                tokio::time::sleep(CLEARING_WAIT * (1 << *clearing)).await;
                *clearing = clearing.saturating_add(1);
                Ok(Some(Lease::new(connection)))
            }
            NoChannel::Refused => {
                self.is_full(target, &connection);
                Ok(None)
            }
            // A connection may turn out to be dead only when it is used.
            NoChannel::Gone(fault) => {
                self.remove(&connection);
                if connection.shared.has_opened() {
                    Ok(None)
                } else {
                    Err(fault)
                }
            }
            NoChannel::Failed(fault) => Err(fault),
        }
    }

    /// The right to use some live connection of the target; makes one if there is none with room.
    pub(super) async fn lease(self: &Arc<Self>, target: &Target) -> Result<Lease, Fault> {
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
    pub(super) fn free(&self, target: &Target) -> Option<Lease> {
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
    pub(super) fn has_been_made(
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

    fn is_full(&self, target: &Target, connection: &Connection) {
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

    fn remove(&self, connection: &Connection) {
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

    fn targets(&self) -> MutexGuard<'_, HashMap<TargetKey, Entry>> {
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
async fn watch_over(pool: Weak<Pool>, connection: Arc<Connection>, idle: Duration) {
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

async fn close_all(connections: Vec<Arc<Connection>>, cause: &str) {
    let goodbyes = connections.iter().map(|connection| connection.disconnect(cause));
    futures::future::join_all(goodbyes).await;
}

fn failed_within() -> Fault {
    Fault::new(Reason::Internal, "opening a channel failed within")
}

fn refuses_all(target: &Target) -> Fault {
    Fault::new(
        Reason::LimitReached,
        format!("{} opens no session", place(target)),
    )
    .hint("its MaxSessions, or a limit of the account, is reached; ask the host's owner")
}
