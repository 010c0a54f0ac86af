//! Commands that outlive their session, its connection and us: each is followed by a task of its own, over whatever
//! connection there is, from the byte where it was left. Knows no sessions; how one is started is `execute`'s.

mod follow;
mod place;
mod stream;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

pub use place::{Host, Place};

use crate::{
    command::Command,
    connection::Pool,
    host::Target,
    id::CommandId,
    shell::durable::{Launch, Reached},
};
use follow::Follower;

/// Signals to one command that wait for its follower: more than callers send at once.
const ASKS_MAX: usize = 8;
/// A host that is there answers within this time.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The same for what is to be removed there as we end.
const CLEAR_WAIT: Duration = Duration::from_secs(2);

/// A signal on its way to a command.
struct Ask {
    signal: &'static str,
    reply: oneshot::Sender<Result<Reached, Fault>>,
}

/// All durable commands that are followed.
pub struct Durables {
    pool: Arc<Pool>,
    followed: Arc<Followed>,
    /// One is not followed any more.
    over: Arc<Notify>,
    starting: Mutex<BTreeMap<CommandId, Starting>>,
}

/// A command that is being started.
struct Starting {
    /// The command of ours that starts it.
    by: CommandId,
    asks: mpsc::Receiver<Ask>,
}

/// Who follows which.
type Followed = Mutex<BTreeMap<CommandId, mpsc::Sender<Ask>>>;

impl Durables {
    /// None yet.
    pub fn new(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            followed: Arc::default(),
            over: Arc::default(),
            starting: Mutex::default(),
        }
    }

    /// A command is being started by another of ours. Who signals it waits until it is followed.
    pub fn begin(&self, id: CommandId, by: CommandId) {
        let (sender, asks) = mpsc::channel(ASKS_MAX);
        lock(&self.followed).insert(id, sender);
        lock(&self.starting).insert(id, Starting { by, asks });
    }

    /// It was not started.
    pub fn refused(&self, id: CommandId) {
        lock(&self.followed).remove(&id);
        lock(&self.starting).remove(&id);
    }

    /// As which command its session has a command.
    pub fn in_session(&self, id: CommandId) -> CommandId {
        lock(&self.starting).get(&id).map_or(id, |starting| starting.by)
    }

    /// What starts a command of this text, of which its host keeps everything for so long while nobody comes for it.
    pub fn launch(text: &str, keep_for: Duration) -> Launch {
        Launch {
            nonce: format!("{:016x}", rand::random::<u64>()),
            text: text.to_owned(),
            keep_for: keep_for.as_secs(),
        }
    }

    /// Follows a command that was started, or may have been, until it has ended and its output is taken.
    pub fn follow(&self, command: Arc<Command>, target: Target, place: Place) {
        let id = command.id;
        let starting = lock(&self.starting).remove(&id);
        let asks = starting.map_or_else(
            || {
                let (sender, asks) = mpsc::channel(ASKS_MAX);
                lock(&self.followed).insert(id, sender);
                asks
            },
            |starting| starting.asks,
        );
        let follower = Follower::new(command, target, self.pool.clone(), place, asks);
        let followed = Arc::downgrade(&self.followed);
        let over = self.over.clone();
        tokio::spawn(async move {
            follower.run().await;
            if let Some(followed) = followed.upgrade() {
                lock(&followed).remove(&id);
            }
            over.notify_waiters();
        });
    }

    /// Waits, a short time, until hosts have nothing left of those that have ended: nobody may come back for them.
    pub async fn clear(&self, has_ended: impl Fn(CommandId) -> bool) {
        let clearing = async {
            loop {
                let next = self.over.notified();
                if !lock(&self.followed).keys().any(|id| has_ended(*id)) {
                    return;
                }
                next.await;
            }
        };
        if timeout(CLEAR_WAIT, clearing).await.is_err() {
            tracing::info!("a host still has what is left of a durable command that has ended");
        }
    }

    /// None is.
    pub fn is_empty(&self) -> bool {
        lock(&self.followed).is_empty()
    }

    /// Signals the process group of a command, by the signal's name without `SIG`.
    pub async fn signal(&self, id: CommandId, signal: &'static str) -> Result<Reached, Fault> {
        let sender = lock(&self.followed).get(&id).cloned();
        let (reply, answer) = oneshot::channel();
        let asked = match sender {
            Some(sender) => sender.try_send(Ask { signal, reply }).is_ok(),
            None => false,
        };
        if !asked {
            return Err(away("nobody follows the command any more"));
        }
        match timeout(ANSWER_WAIT, answer).await {
            Ok(Ok(reached)) => reached,
            Ok(Err(_)) => Err(Fault::new(
                Reason::ConnectionLost,
                format!("the connection was lost while {signal} was on its way: it is not known whether that was sent"),
            )
            .hint("look at the command with get_command_output, and interrupt it again if it still runs")),
            Err(_) => Err(Fault::new(
                Reason::Unreachable,
                format!("the host did not answer in time: it is not known whether {signal} was sent"),
            )
            .hint("look at the command with get_command_output, and interrupt it again if it still runs")),
        }
    }
}

/// The host is not connected now.
fn away(cause: &str) -> Fault {
    Fault::new(
        Reason::ConnectionLost,
        format!("the host cannot be reached now ({cause}); nothing was sent"),
    )
    .hint("the command goes on there; try again when the host is back")
    .retryable()
}

fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}
