//! The right to use a connection, and what is counted by it. Decides nothing.

use std::sync::Arc;

use super::{Connection, Room, Usage};

/// The right to use a connection: while one exists, the connection is not idle.
pub(super) struct Lease {
    connection: Arc<Connection>,
    channel: bool,
}

impl Lease {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        connection
            .usage
            .send_modify(|usage| usage.leases = usage.leases.saturating_add(1));
        Self {
            connection,
            channel: false,
        }
    }

    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Counts an open channel until the lease is dropped.
    pub(super) fn holds_channel(&mut self) {
        if !self.channel {
            self.channel = true;
            self.connection.usage.send_modify(|usage| {
                usage.channels = usage.channels.saturating_add(1);
            });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection.usage.send_modify(|usage: &mut Usage| {
            usage.leases = usage.leases.saturating_sub(1);
            if self.channel {
                usage.channels = usage.channels.saturating_sub(1);
                usage.room = Room::Free;
            }
        });
    }
}
