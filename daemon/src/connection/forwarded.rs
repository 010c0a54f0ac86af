//! Agent forwarding: a host that ssh_config's ForwardAgent names may ask the agent of this machine, a few at a time.

use std::sync::Arc;

use russh::{Channel, ChannelOpenFailure, client::ChannelOpenHandle, client::Msg};
use tokio::{io::copy_bidirectional, sync::Semaphore};

use super::identity::connect_socket;
use crate::host::AgentSource;

/// Programs of a host that ask at a time: each is a login onwards, and holds a channel and a socket.
const AT_ONCE: usize = 16;

/// The questions of one connection.
pub(super) struct Forwarded(Arc<Semaphore>);

impl Default for Forwarded {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Forwarded {
    /// Connects a channel that the server opens with the agent.
    pub(super) async fn admit(&self, agent: &AgentSource, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        let Ok(turn) = self.0.clone().try_acquire_owned() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return;
        };
        let Some(mut socket) = connect_socket(agent).await else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return;
        };
        reply.accept().await;
        tokio::spawn(async move {
            let mut stream = channel.into_stream();
            // Either side may go at any moment; there is nothing to tell anybody.
            let _ = copy_bidirectional(&mut stream, &mut socket).await;
            drop(turn);
        });
    }
}
