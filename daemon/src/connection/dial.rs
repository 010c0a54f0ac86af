//! From a name to a byte stream: DNS and TCP, each bounded, and the two wrappers that a stream gets on its way to SSH.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

use super::{
    handshake::keepalive,
    pulse::Ear,
    words::{place, plain},
};
use crate::host::{AddressFamily, Target};

/// A resolver that does not answer: the C library's own limit is 5 s a server, tried twice.
const DNS_TIMEOUT: Duration = Duration::from_secs(10);
/// One address: three SYN (0, 1, 3 s) and time for a slow link to answer the last.
const TCP_TIMEOUT: Duration = Duration::from_secs(8);
/// Addresses of one name that are tried; a name with more is a trap or a test.
const ADDRESSES_MAX: usize = 8;
/// Unacknowledged bytes kill the connection after this long, or what the keepalives allow if that is longer: a dead
/// peer cannot be seen by keepalives while a write is stuck.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(40);

/// Resolves the target's name and connects to the first of its addresses that answers.
pub(super) async fn tcp(target: &Target, deadline: Instant) -> Result<Tcp, Fault> {
    let host = target.hostname.trim_start_matches('[').trim_end_matches(']');
    let lookup = tokio::net::lookup_host((host, target.port));
    let family = target.options.address_family;
    let addresses: Vec<SocketAddr> = match timeout(DNS_TIMEOUT.min(left(deadline)), lookup).await {
        Ok(Ok(found)) => found
            .filter(|address| is_of(*address, family))
            .take(ADDRESSES_MAX)
            .collect(),
        Ok(Err(error)) => return Err(unknown_host(target, &plain(&error.to_string()))),
        Err(_) => {
            return Err(unknown_host(target, "the name server did not answer in time").retryable());
        }
    };
    if addresses.is_empty() {
        return Err(unknown_host(
            target,
            match family {
                None => "the name has no address",
                Some(AddressFamily::V4) => {
                    "it has no IPv4 address, and ssh_config's AddressFamily allows no other"
                }
                Some(AddressFamily::V6) => {
                    "it has no IPv6 address, and ssh_config's AddressFamily allows no other"
                }
            },
        ));
    }
    let from = own_addresses(target, deadline).await?;
    let mut attempts = Vec::new();
    let mut untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        // A silent address must leave time for those after it.
        let share = left(deadline) / untried.max(1);
        untried = untried.saturating_sub(1);
        match timeout(TCP_TIMEOUT.min(share), connect(address, &from)).await {
            Ok(Ok(stream)) => return Ok(Tcp::new(stream, target)),
            Ok(Err(error)) => attempts.push(format!("{address}: {}", io_words(&error))),
            Err(_) => attempts.push(format!("{address}: no answer")),
        }
        if left(deadline).is_zero() {
            break;
        }
    }
    Err(Fault::new(
        Reason::Unreachable,
        format!("{} cannot be reached ({})", place(target), attempts.join("; ")),
    )
    .hint("check that the host is up and that the port is right, then try again")
    .retryable())
}

fn is_of(address: SocketAddr, family: Option<AddressFamily>) -> bool {
    match family {
        None => true,
        Some(AddressFamily::V4) => address.is_ipv4(),
        Some(AddressFamily::V6) => address.is_ipv6(),
    }
}

/// The addresses of this machine that ssh_config's BindAddress names; none: any will do.
async fn own_addresses(target: &Target, deadline: Instant) -> Result<Vec<SocketAddr>, Fault> {
    let Some(name) = target.options.bind_address.as_deref() else {
        return Ok(Vec::new());
    };
    let wrong = |why: &str| {
        let message = format!("ssh_config's BindAddress {:?} {why}", plain(name));
        Fault::new(Reason::ConfigInvalid, message).hint("give an address that this machine has")
    };
    match timeout(
        DNS_TIMEOUT.min(left(deadline)),
        tokio::net::lookup_host((name, 0)),
    )
    .await
    {
        Ok(Ok(found)) => Ok(found.take(ADDRESSES_MAX).collect()),
        Ok(Err(error)) => Err(wrong(&format!("is no address: {}", plain(&error.to_string())))),
        Err(_) => Err(wrong("was not found in time").retryable()),
    }
}

/// Connects, from one of these addresses if there are any.
async fn connect(to: SocketAddr, from: &[SocketAddr]) -> io::Result<TcpStream> {
    if from.is_empty() {
        return TcpStream::connect(to).await;
    }
    let from = from.iter().find(|from| from.is_ipv4() == to.is_ipv4());
    let from = from.ok_or_else(|| io::Error::other("BindAddress is of another kind"))?;
    let socket = if to.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket
        .bind(*from)
        .map_err(|error| io::Error::new(error.kind(), format!("BindAddress {}: {error}", from.ip())))?;
    socket.connect(to).await
}

/// What is left until the deadline.
pub(super) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn unknown_host(target: &Target, why: &str) -> Fault {
    Fault::new(
        Reason::HostNotFound,
        format!("the name {:?} was not found: {why}", plain(&target.hostname)),
    )
    .hint(match &target.unread {
        Some(problem) => format!("if it is configured: the configuration is wrong: {problem}"),
        None => "check the spelling; `sshctl hosts` lists what is configured".to_owned(),
    })
}

/// An error of the operating system in the words that people use.
pub(super) fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => "connection closed".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        _ => plain(&error.to_string()),
    }
}

/// A TCP stream that can acknowledge at once.
pub(super) struct Tcp {
    stream: TcpStream,
    /// Set once the connection carries another: a server that only forwards leaves Nagle's algorithm on, and
    /// that with our delayed acknowledgement costs 40 ms for every small answer.
    pub(super) acknowledge_at_once: Arc<AtomicBool>,
    /// Set while the far side does not answer: what it has not taken by the end is then taken back, or it would arrive, a
    /// command perhaps, when everybody believes the connection dead.
    pub(super) take_back: Arc<AtomicBool>,
}

impl Tcp {
    fn new(stream: TcpStream, target: &Target) -> Self {
        // Both are improvements only: a socket that refuses them still works.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        #[cfg(target_os = "linux")]
        {
            let (interval, count) = keepalive(target);
            let patience = interval.saturating_mul(count.saturating_add(1));
            let patience = patience.max(UNACKNOWLEDGED_TIMEOUT).as_millis();
            let patience = u32::try_from(patience).unwrap_or(u32::MAX);
            if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&stream, patience) {
                tracing::debug!(%error, "TCP_USER_TIMEOUT was refused");
            }
        }
        Self {
            stream,
            acknowledge_at_once: Arc::new(AtomicBool::new(false)),
            take_back: Arc::new(AtomicBool::new(false)),
        }
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        if self.take_back.load(Ordering::Relaxed)
            && let Err(error) = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
        {
            tracing::debug!(%error, "SO_LINGER was refused");
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(context, buffer);
        #[cfg(target_os = "linux")]
        if poll.is_ready() && self.acknowledge_at_once.load(Ordering::Relaxed) {
            // The kernel forgets this after a while, so it is said again after each read. Failure costs time only.
            let _ = rustix::net::sockopt::set_tcp_quickack(&self.stream, true);
        }
        poll
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The first bytes that a peer sent, so that an error can say what answered instead of SSH.
#[derive(Clone, Default)]
pub(super) struct Greeting(Arc<Mutex<Vec<u8>>>);

/// Enough for any SSH identification line (RFC 4253: 255 bytes).
const GREETING_MAX: usize = 255;

impl Greeting {
    fn add(&self, bytes: &[u8]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = GREETING_MAX.saturating_sub(seen.len());
        seen.extend(bytes.iter().take(room));
    }

    /// True once the peer has named itself as an SSH server.
    pub(super) fn is_ssh(&self) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-"))
    }

    /// The first line as plain text; empty if nothing came.
    pub(super) fn first_line(&self) -> String {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = seen
            .split(|byte| *byte == b'\n' || *byte == b'\r')
            .next()
            .unwrap_or_default();
        plain(&String::from_utf8_lossy(line))
    }
}

/// A stream whose greeting is overheard, and of which is known how long it has been silent.
pub(super) struct Overheard<S> {
    pub(super) stream: S,
    pub(super) greeting: Greeting,
    pub(super) heard: usize,
    pub(super) ear: Ear,
}

impl<S: AsyncRead + Unpin> AsyncRead for Overheard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(context, buffer);
        match &poll {
            Poll::Pending => self.ear.waits(),
            Poll::Ready(_) => self.ear.hears(),
        }
        if self.heard < GREETING_MAX {
            let new = buffer.filled().get(before..).unwrap_or_default();
            self.greeting.add(new);
            let new = new.len();
            self.heard = self.heard.saturating_add(new);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Overheard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
