//! What is cleared away on a host: after a helper that was killed and could not do it itself, and what a connection that
//! died on our side alone has left running.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::Actor;
use crate::{
    connection::{ChannelEvent, Connection, Pool},
    host::Target,
    shell::order,
};

/// Removing a directory takes milliseconds; a host that is slower does it without us.
const CLEAR_WAIT: Duration = Duration::from_secs(5);

/// Shells that are remembered as left behind; one more means that the host is reached again and again, and each time
/// the earlier ones are ended.
const GHOSTS_MAX: usize = 4;

impl Actor {
    /// The helper's process has ended before its session: the shell goes too, and its directory after it.
    pub(super) async fn helper_died(&mut self) {
        let Some(shell) = self.shell.as_ref().filter(|shell| shell.exit_at.is_none()) else {
            return;
        };
        let (command, script) = order::clear_away(&shell.link.hello.dir);
        let has_directory = !shell.link.hello.dir.is_empty();
        let (pool, target) = (self.pool.clone(), self.session.target());
        let connection = shell.link.connection.clone();
        self.lose("the session's helper on the host was ended", false)
            .await;
        if !has_directory {
            return;
        }
        tokio::spawn(run(pool, target, connection, command, script));
    }

    /// The server may not know for hours that our side is dead, and keep shell and helper until then.
    pub(super) fn leave_ghost(&mut self, dir: &str) {
        if dir.is_empty() {
            return;
        }
        self.ghosts.truncate(GHOSTS_MAX - 1);
        self.ghosts.insert(0, dir.to_owned());
    }

    /// Ends them, now that the host is reached again.
    pub(super) fn end_ghosts(&mut self) {
        let Some(shell) = &self.shell else { return };
        for dir in self.ghosts.drain(..) {
            let (command, script) = order::end_ghost(&dir);
            let (pool, target) = (self.pool.clone(), self.session.target());
            let connection = shell.link.connection.clone();
            tokio::spawn(run(pool, target, connection, command, script));
        }
    }
}

/// Runs a script on the host, for what it does alone.
async fn run(pool: Arc<Pool>, target: Target, connection: Arc<Connection>, command: String, script: Vec<u8>) {
    let Ok((_, mut channel)) = pool.open_exec(&target, &connection, &command).await else {
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
