//! Connections that OpenSSH's own client made for a session, and what goes over them: the session's channels, and what
//! outlives sessions for as long as one lives. Opens none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::watch;

use super::Pool;
use crate::{
    connection::{ConnectionId, Master, Road, channel::Channel, handshake::keepalive, words::place},
    host::{Target, TargetKey},
    local::Place,
};

/// Those that others than their session may use.
#[derive(Default)]
pub(super) struct Lent {
    masters: Mutex<Vec<(TargetKey, Weak<Master>)>>,
    news: watch::Sender<()>,
}

impl Lent {
    fn masters(&self) -> MutexGuard<'_, Vec<(TargetKey, Weak<Master>)>> {
        self.masters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on(&self, key: &TargetKey) -> Vec<Arc<Master>> {
        let masters = self.masters();
        let there = masters.iter().filter(|(target, _)| target == key);
        there.filter_map(|(_, master)| master.upgrade()).collect()
    }
}

impl Pool {
    /// The road of a session that OpenSSH's client carries, from this place on this machine.
    pub fn by_openssh(&self, target: &Target, place: Place) -> Arc<Master> {
        let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        Arc::new(Master::new(id, place, keepalive(target).0))
    }

    /// A command without a terminal on a session's own road; which one it was in the end.
    pub async fn open_on(
        self: &Arc<Self>,
        target: &Target,
        road: &Road,
        command: &str,
    ) -> Result<(Road, Channel), Fault> {
        match road {
            Road::Pooled(connection) => {
                let (connection, channel) = self.open_exec(target, connection, command).await?;
                Ok((Road::Pooled(connection), channel))
            }
            Road::OpenSsh(master) => Ok((road.clone(), master.open_exec(command)?)),
        }
    }

    /// A client has logged in: what is no session's may use its connection, as long as its session has it.
    pub fn lend(&self, target: &Target, master: &Arc<Master>) {
        let mut masters = self.lent.masters();
        masters.retain(|(_, other)| other.strong_count() > 0);
        masters.push((target.key(), Arc::downgrade(master)));
        drop(masters);
        self.lent.news.send_replace(());
    }

    /// Sees when connections are lent, from now on.
    pub fn lent_news(&self) -> watch::Receiver<()> {
        self.lent.news.subscribe()
    }

    /// Waits until one to this target is lent.
    pub async fn wait_for_lent(&self, key: &TargetKey, news: &mut watch::Receiver<()>) {
        // The sender is ours.
        while news.changed().await.is_ok() {
            if !self.lent.on(key).is_empty() {
                return;
            }
        }
    }

    /// A command without a terminal, on whatever connection there is: of ours, or of a session's client; or on one that is made,
    /// where that is not OpenSSH's client's matter alone. `was_lent`: one that was lent was of no use just now.
    pub async fn open_anyhow(
        self: &Arc<Self>,
        target: &Target,
        command: &str,
        was_lent: bool,
    ) -> Result<(Road, Channel), Fault> {
        let only = target.only_keeper();
        // Its server may take no further channel on that one.
        let is_by_own = was_lent && only.is_none();
        if self.free(target).is_none() && !is_by_own {
            for master in self.lent.on(&target.key()) {
                if master.place().is_up().await {
                    let channel = master.open_exec(command)?;
                    return Ok((Road::OpenSsh(master), channel));
                }
            }
            if let Some(keeper) = only {
                return Err(Fault::new(
                    Reason::Unreachable,
                    format!(
                        "only OpenSSH's client logs in on {}, and no session of it is open there",
                        place(target)
                    ),
                )
                .hint(format!("open one with the keeper {keeper}"))
                .retryable());
            }
        }
        let (connection, channel) = self.open_beside(target, command).await?;
        Ok((Road::Pooled(connection), channel))
    }
}
