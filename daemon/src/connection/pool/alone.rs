//! A connection for one shell alone: network devices give one channel a connection, and some end it over a second. What a
//! server calls itself, before anything is opened there; and the end of what is of no further use.

use std::sync::{Arc, atomic::Ordering};

use sshmcp_proto::error::Fault;

use super::{
    super::{
        Connection, ConnectionId, Room,
        channel::Channel,
        establish,
        lease::Lease,
        open::{NoChannel, Program, Pty, open},
    },
    Pool,
    channels::{failed_within, refuses_all},
    close_all,
    members::watch_over,
};
use crate::host::{Target, TargetKey};

impl Pool {
    /// What the target's server calls itself; whoever opens something there next has the same connection.
    pub async fn server_version(self: &Arc<Self>, target: &Target) -> Result<String, Fault> {
        let lease = self.lease(target).await?;
        Ok(lease.connection().server_version())
    }

    /// An interactive shell on a connection of its own, which nothing else is ever opened on.
    pub async fn open_alone(
        self: &Arc<Self>,
        target: &Target,
        pty: Pty,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        let (pool, target) = (self.clone(), target.clone());
        // A task of its own: a caller that goes away leaves nothing half-open behind.
        tokio::spawn(async move { pool.open_alone_now(&target, pty).await })
            .await
            .unwrap_or_else(|_| Err(failed_within()))
    }

    async fn open_alone_now(
        self: &Arc<Self>,
        target: &Target,
        pty: Pty,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        let handshakes = self.targets().entry(target.key()).or_default().handshakes.clone();
        let permit = handshakes.acquire_owned().await;
        let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let connection = Arc::new(establish::connect(self, target, id, None).await?);
        drop(permit);
        connection.usage.send_modify(|usage| usage.room = Room::Full);
        let lease = Lease::new(connection.clone());
        {
            let mut targets = self.targets();
            if self.ended.load(Ordering::Relaxed) {
                return Err(failed_within());
            }
            let entry = targets.entry(target.key()).or_default();
            entry.connections.push(connection.clone());
        }
        tokio::spawn(watch_over(
            Arc::downgrade(self),
            connection.clone(),
            self.settings.idle,
        ));
        match open(lease, &Program::Shell(pty)).await {
            Ok(channel) => Ok((connection, channel)),
            Err(NoChannel::Refused) => Err(refuses_all(target)),
            Err(NoChannel::Gone(fault) | NoChannel::Failed(fault)) => Err(fault),
        }
    }

    /// Ends a connection that was one shell's alone.
    pub async fn end_alone(&self, connection: &Arc<Connection>) {
        self.remove(connection);
        connection.disconnect("its session was closed").await;
    }

    /// Closes the connections of a target that carry nothing.
    pub(in crate::connection) async fn close_unused(&self, key: &TargetKey, cause: &str) {
        let mut closing = Vec::new();
        if let Some(entry) = self.targets().get_mut(key) {
            let (unused, used) = std::mem::take(&mut entry.connections)
                .into_iter()
                .partition(|connection| connection.is_unused());
            (closing, entry.connections) = (unused, used);
        }
        close_all(closing, cause).await;
    }
}
