//! What the end of a helper means, and what is cleared away on a host: after one that was killed and could not do it itself, and
//! what a connection that died on our side alone has left running.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::Actor;
use crate::{
    connection::{ChannelEvent, CloseReason, Pool, Road},
    host::Target,
    shell::order,
};

/// Removing a directory takes milliseconds; a host that is slower does it without us.
const CLEAR_WAIT: Duration = Duration::from_secs(5);

impl Actor {
    /// The helper's channel has ended.
    pub(super) async fn helper_ended(&mut self, reason: CloseReason) {
        let exiting = self.shell.as_ref().is_some_and(|shell| shell.exit_at.is_some());
        match reason {
            CloseReason::ConnectionLost(cause) if !exiting => {
                self.lose(&format!("the connection was lost ({cause})"), true)
                    .await;
            }
            CloseReason::Normal if !exiting && self.is_kept() => {
                self.lose("the session's helper on the host was ended", true)
                    .await;
            }
            CloseReason::Normal if !exiting => self.helper_died().await,
            CloseReason::ConnectionLost(_) | CloseReason::Normal => self.finish_shell().await,
        }
    }

    /// The helper's process has ended before its session: the shell goes too, and its directory after it.
    pub(super) async fn helper_died(&mut self) {
        let Some(shell) = self.shell.as_ref().filter(|shell| shell.exit_at.is_none()) else {
            return;
        };
        let (command, script) = order::clear_away(std::slice::from_ref(&shell.link.hello.dir));
        let has_directory = !shell.link.hello.dir.is_empty();
        let (pool, target) = (self.pool.clone(), self.session.target());
        let road = shell.link.road.clone();
        self.lose("the session's helper on the host was ended", false)
            .await;
        if !has_directory {
            return;
        }
        tokio::spawn(run(pool, target, road, command, script));
    }

    /// The server may not know for hours that our side is dead, and keep shell and helper until then.
    pub(super) fn leave_ghost(&self, directory: &str) {
        if !directory.is_empty() {
            let target = self.session.target().key();
            self.claims.leave_ghost(target, directory.to_owned());
        }
    }

    /// The same once the connection has died: it does not answer now, and the order to end may not arrive.
    pub(super) fn leave_ghost_later(&self, directory: &str, road: Road) {
        if directory.is_empty() {
            return;
        }
        let (claims, target) = (self.claims.clone(), self.session.target().key());
        let directory = directory.to_owned();
        tokio::spawn(async move {
            // A kept shell is no ghost.
            let Road::Pooled(connection) = road else { return };
            connection.closed().await;
            claims.leave_ghost(target, directory);
        });
    }

    /// Ends them, now that the host is reached again.
    pub(super) fn end_ghosts(&self) {
        let Some(shell) = &self.shell else { return };
        let target = self.session.target();
        let ghosts = self.claims.take_ghosts(&target.key());
        let remains = self.claims.take_remains(&target.key());
        let road = shell.link.road.clone();
        let mut scripts = Vec::new();
        if !ghosts.is_empty() {
            scripts.push(order::end_ghosts(&ghosts));
        }
        if !remains.is_empty() {
            scripts.push(order::clear_away(&remains));
        }
        for (command, script) in scripts {
            let (pool, target, road) = (self.pool.clone(), target.clone(), road.clone());
            tokio::spawn(run(pool, target, road, command, script));
        }
    }
}

/// Runs a script on the host, for what it does alone.
async fn run(pool: Arc<Pool>, target: Target, road: Road, command: String, script: Vec<u8>) {
    let Ok((_, mut channel)) = pool.open_on(&target, &road, &command).await else {
        return;
    };
    if channel.writer().write(Bytes::from(script)).await.is_err() {
        return;
    }
    let _ = tokio::time::timeout(CLEAR_WAIT, async {
        while let Some(event) = channel.next().await {
            if matches!(event, ChannelEvent::Closed { .. }) {
                return;
            }
        }
    })
    .await;
}
