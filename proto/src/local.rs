//! A connected Unix socket that is woken only when there is something to read. Linux tells a socket's writer each time
//! that its peer has read; for short messages that is one needless wake-up each, in both processes.

use std::{
    io::{self, IoSlice, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream as StdStream,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd},
    net::UnixStream,
};

/// Either end of a connection between a client and the daemon.
#[derive(Debug)]
pub struct LocalStream {
    reader: AsyncFd<Arc<StdStream>>,
    /// Watches for room; only while the socket is full.
    room: Option<AsyncFd<Arc<StdStream>>>,
}

/// Looks at a connection that another task owns, without keeping it open.
#[derive(Debug, Default)]
pub struct Watch(Weak<StdStream>);

impl Watch {
    /// True if the connection was closed, here or by the peer: nothing that is written now reaches anybody. The kernel knows
    /// it at once, the task that owns the connection when it next reads.
    pub fn ended(&self) -> bool {
        let Some(stream) = self.0.upgrade() else {
            return true;
        };
        let mut looked = [PollFd::new(&*stream, PollFlags::empty())];
        // Only a closed end of a Unix socket is told without being asked for.
        poll(&mut looked, Some(&Timespec::default())).is_ok_and(|count| count > 0)
    }
}

impl LocalStream {
    /// Takes the socket over; it must be used within a tokio runtime.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let stream = stream.into_std()?;
        Ok(Self {
            reader: watch(Arc::new(stream), Interest::READABLE)?,
            room: None,
        })
    }

    /// A look at this connection from elsewhere.
    pub fn watched(&self) -> Watch {
        Watch(Arc::downgrade(self.reader.get_ref()))
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        send: impl Fn(&StdStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match send(self.reader.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                sent => {
                    self.room = None;
                    return Poll::Ready(sent);
                }
            }
            // A new registration tells room that came meanwhile.
            let room = match &self.room {
                Some(room) => room,
                None => {
                    let copy = self.reader.get_ref().try_clone()?;
                    self.room.insert(watch(Arc::new(copy), Interest::WRITABLE)?)
                }
            };
            ready!(room.poll_write_ready(context))?.clear_ready();
        }
    }
}

#[expect(
    deprecated,
    reason = "what replaces it is unsafe; that a descriptor stays open and the same, a UnixStream guarantees"
)]
fn watch(stream: Arc<StdStream>, interest: Interest) -> io::Result<AsyncFd<Arc<StdStream>>> {
    AsyncFd::with_interest(stream, interest)
}

impl AsyncRead for LocalStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.reader.poll_read_ready(context))?;
            let read = guard.try_io(|inner| (&**inner.get_ref()).read(buffer.initialize_unfilled()));
            match read {
                Ok(Ok(count)) => {
                    // A short read has emptied the socket; asking again would only be told so.
                    if count > 0 && count < buffer.remaining() {
                        guard.clear_ready();
                    }
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(context, |mut stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(context, |mut stream| stream.write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.reader.get_ref().shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// More than a socket holds arrives whole, both ways at once; the end is seen.
    #[tokio::test]
    async fn all_arrives() {
        let (left, right) = UnixStream::pair().expect("pair");
        let (mut left, mut right) = (
            LocalStream::new(left).expect("a runtime"),
            LocalStream::new(right).expect("a runtime"),
        );
        let sent: Vec<u8> = (0..4_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let copy = sent.clone();
        let writer = tokio::spawn(async move {
            left.write_all(&copy).await.expect("room");
            let mut answer = [0; 2];
            left.read_exact(&mut answer).await.expect("an answer");
            left.shutdown().await.expect("open");
            answer
        });
        let mut received = vec![0; sent.len()];
        right.read_exact(&mut received).await.expect("all of it");
        assert!(received == sent);
        right.write_all(b"ok").await.expect("room");
        assert_eq!(writer.await.expect("no panic"), *b"ok");
        assert_eq!(right.read(&mut [0; 1]).await.expect("the end"), 0);
    }
    /// That the peer has closed is seen though nobody reads, and nothing is kept open by looking.
    #[tokio::test]
    async fn an_end_is_seen_at_once() {
        let (left, mut right) = UnixStream::pair().expect("pair");
        let left = LocalStream::new(left).expect("a runtime");
        let watch = left.watched();
        right.write_all(b"unread").await.expect("room");
        assert!(!watch.ended());
        drop(right);
        assert!(watch.ended());

        let (left, mut right) = UnixStream::pair().expect("pair");
        let left = LocalStream::new(left).expect("a runtime");
        let watch = left.watched();
        assert!(!watch.ended());
        drop(left);
        assert!(watch.ended());
        assert_eq!(right.read(&mut [0; 1]).await.expect("the end"), 0);
        assert!(Watch::default().ended());
    }
}
