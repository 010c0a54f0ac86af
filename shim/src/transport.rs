//! stdin and stdout as a transport that tells when either ends; it looks into no message beyond its kind.

use std::{future::Future, io};

use rmcp::{
    RoleServer,
    model::JsonRpcMessage,
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::{Transport, async_rw::AsyncRwTransport},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// One JSON text a line, both ways.
pub(crate) struct Stdio<R: AsyncRead, W: AsyncWrite> {
    lines: AsyncRwTransport<RoleServer, R, W>,
    /// A request has been seen.
    opened: bool,
    ended: CancellationToken,
    broken: CancellationToken,
}

impl<R, W> Stdio<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// `ended` is cancelled at the end of the input, `broken` when the output cannot be written.
    pub(crate) fn new(reader: R, writer: W, ended: CancellationToken, broken: CancellationToken) -> Self {
        Self {
            lines: AsyncRwTransport::new_server(reader, writer),
            opened: false,
            ended,
            broken,
        }
    }
}

impl<R, W> Transport<RoleServer> for Stdio<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let sending = self.lines.send(item);
        let broken = self.broken.clone();
        async move { sending.await.inspect_err(|_| broken.cancel()) }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let Some(message) = self.lines.receive().await else {
                self.ended.cancel();
                return None;
            };
            self.opened |= matches!(message, JsonRpcMessage::Request(_));
            // A client that probes for an era may send a late notification first, which the SDK takes as fatal.
            if self.opened {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.lines.close().await
    }
}
