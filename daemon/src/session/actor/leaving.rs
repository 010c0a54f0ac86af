//! What is cleared away on a host after a helper that was killed and could not do it itself.

use std::time::Duration;

use bytes::Bytes;

use super::Actor;
use crate::{connection::ChannelEvent, shell::order};

/// Removing a directory takes milliseconds; a host that is slower does it without us.
const CLEAR_WAIT: Duration = Duration::from_secs(5);

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
        tokio::spawn(async move {
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
        });
    }
}
