//! Who is let in: processes of our own user that speak HTTP/2. Everything else is closed here, before it costs more than
//! a descriptor. A client too many is let in without a seat, so that whoever answers its calls can tell it why.

use std::{
    collections::VecDeque,
    future::Future as _,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use sshmcp_proto::local::LocalStream;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
    time::{Sleep, sleep, timeout},
};
use tonic::transport::server::Connected;

use super::seats::{Peer, Seats};

/// Connections without a seat: enough to tell many at once why, few beside the descriptors that we have.
const STANDING_MAX: usize = 64;
/// A client that got no seat in this time is closed: it connects again when it has something to say.
const STANDING_TIME: Duration = Duration::from_secs(5);
/// Connections that have not spoken yet; one more closes the eldest, so that a flood of them keeps nobody out.
const SILENT_MAX: usize = 128;
/// A client speaks at once; this much is for a machine under load.
const PREFACE_TIME: Duration = Duration::from_secs(5);
/// Connections let in that the server has not picked up.
const QUEUE: usize = 16;
/// After an error of accept (no descriptors left): the pause in which others may end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What every HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Lets connections in.
#[derive(Clone, Debug)]
pub struct Admission {
    uid: u32,
    seats: Arc<Seats>,
    clients: Arc<AtomicU32>,
}

impl Admission {
    /// Admission for processes of our own user; `limit` tells how many of them get a seat, whenever one wants one.
    pub fn new(limit: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self {
            uid: rustix::process::geteuid().as_raw(),
            seats: Arc::new(Seats::new(limit)),
            clients: Arc::new(AtomicU32::new(0)),
        }
    }

    /// Connections that are open now.
    pub fn clients(&self) -> u32 {
        self.clients.load(Ordering::Relaxed)
    }

    /// Accepts until the task is aborted; when it has ended, the listener is closed.
    pub fn run(&self, listener: UnixListener) -> (mpsc::Receiver<io::Result<Connection>>, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = tokio::spawn(self.clone().accept(listener, sender));
        (receiver, task)
    }

    async fn accept(self, listener: UnixListener, sender: mpsc::Sender<io::Result<Connection>>) {
        let mut silent: VecDeque<AbortHandle> = VecDeque::with_capacity(SILENT_MAX);
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if sender.is_closed() {
                return;
            }
            if let Err(error) = self.check_peer(&stream) {
                tracing::warn!(%error, "a connection was refused");
                continue;
            }
            silent.retain(|task| !task.is_finished());
            if silent.len() >= SILENT_MAX
                && let Some(eldest) = silent.pop_front()
            {
                eldest.abort();
            }
            let task = tokio::spawn(self.clone().admit(stream, sender.clone()));
            silent.push_back(task.abort_handle());
        }
    }

    /// Another user is refused whoever it is; root has other ways to everything that is ours.
    fn check_peer(&self, stream: &UnixStream) -> io::Result<()> {
        let peer = stream.peer_cred()?.uid();
        if peer == self.uid {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("it is of user {peer}"),
        ))
    }

    async fn admit(self, mut stream: UnixStream, sender: mpsc::Sender<io::Result<Connection>>) {
        let mut preface = [0; PREFACE.len()];
        match timeout(PREFACE_TIME, stream.read_exact(&mut preface)).await {
            Ok(Ok(_)) if preface == PREFACE => {}
            // A probe that only connects and closes is how clients look for us.
            _ => return,
        }
        let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
        let Some(peer) = Peer::admit(&self.seats, process, STANDING_MAX) else {
            tracing::warn!("a connection was refused: too many are open, also of those without a seat");
            return;
        };
        let stream = match LocalStream::new(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be watched");
                return;
            }
        };
        self.clients.fetch_add(1, Ordering::Relaxed);
        let connection = Connection {
            stream,
            replay: PREFACE.len(),
            standing: (!peer.is_seated()).then(|| Box::pin(sleep(STANDING_TIME))),
            peer,
            _place: Place(Arc::clone(&self.clients)),
        };
        // The server is gone: so is the connection.
        let _gone = sender.send(Ok(connection)).await;
    }
}

/// A connection's place among those that are open.
#[derive(Debug)]
struct Place(Arc<AtomicU32>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that was let in; reads as if its first bytes had not been read yet.
#[derive(Debug)]
pub struct Connection {
    stream: LocalStream,
    /// How many bytes of the preface are still to be read again.
    replay: usize,
    peer: Peer,
    /// Until when it may stay without a seat.
    standing: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.replay > 0 {
            let size = self.replay.min(buffer.remaining());
            let begin = PREFACE.len() - self.replay;
            buffer.put_slice(PREFACE.get(begin..begin + size).unwrap_or_default());
            self.replay -= size;
            return Poll::Ready(Ok(()));
        }
        if let Some(standing) = &mut self.standing
            && standing.as_mut().poll(context).is_ready()
        {
            self.standing = None;
            if !self.peer.is_seated() {
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(uid: u32) -> (Admission, UnixListener, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("tempdir");
        let listener = UnixListener::bind(directory.path().join("s")).expect("bind");
        let admission = Admission {
            uid,
            ..Admission::new(|| 1)
        };
        (admission, listener, directory)
    }

    async fn speak(directory: &tempfile::TempDir) -> UnixStream {
        use tokio::io::AsyncWriteExt as _;
        let mut stream = UnixStream::connect(directory.path().join("s"))
            .await
            .expect("connect");
        // One that was refused may be closed already.
        let _closed = stream.write_all(&PREFACE).await;
        stream
    }

    /// Ours is let in, and reads as if nothing had been read; it is counted until it ends.
    #[tokio::test]
    async fn ours_is_let_in() {
        let (admission, listener, directory) = admission(rustix::process::geteuid().as_raw());
        let (mut incoming, _task) = admission.run(listener);
        let _stream = speak(&directory).await;
        let mut connection = incoming.recv().await.expect("open").expect("accepted");
        let mut read = [0; PREFACE.len()];
        connection.read_exact(&mut read).await.expect("replayed");
        assert_eq!((read, admission.clients()), (PREFACE, 1));
        drop(connection);
        assert_eq!(admission.clients(), 0);
    }

    /// Another user's process reads the end of the stream, and the server never sees it.
    #[tokio::test]
    async fn another_user_is_closed() {
        let (admission, listener, directory) = admission(rustix::process::geteuid().as_raw().wrapping_add(1));
        let (mut incoming, _task) = admission.run(listener);
        let mut stream = speak(&directory).await;
        let mut answer = Vec::new();
        // Closed with our bytes unread, which some kernels tell as a reset.
        let _reset = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
        assert!(incoming.try_recv().is_err());
    }

    /// A flood of silent connections closes its own eldest, and keeps nobody out.
    #[tokio::test]
    async fn silence_keeps_nobody_out() {
        let (admission, listener, directory) = admission(rustix::process::geteuid().as_raw());
        let (mut incoming, _task) = admission.run(listener);
        let mut silent = Vec::new();
        for _ in 0..SILENT_MAX + 1 {
            silent.push(
                UnixStream::connect(directory.path().join("s"))
                    .await
                    .expect("connect"),
            );
        }
        let _stream = speak(&directory).await;
        incoming.recv().await.expect("open").expect("accepted");
        let mut eldest = silent.swap_remove(0);
        assert_eq!(eldest.read(&mut [0]).await.expect("closed"), 0);
    }

    /// A client too many is let in without a seat; it gets one as soon as one is free.
    #[tokio::test]
    async fn a_client_too_many_has_no_seat() {
        let (admission, listener, directory) = admission(rustix::process::geteuid().as_raw());
        let (mut incoming, _task) = admission.run(listener);
        let _first = speak(&directory).await;
        let first = incoming.recv().await.expect("open").expect("accepted");
        let _second = speak(&directory).await;
        let second = incoming.recv().await.expect("open").expect("accepted");
        assert_eq!(first.connect_info().sit_down(), Ok(()));
        assert_eq!(second.connect_info().sit_down(), Err(1));
        assert!(second.standing.is_some() && first.standing.is_none());
        drop(first);
        assert_eq!(second.connect_info().sit_down(), Ok(()));
    }
}
