//! Authenticated SSH connections and the channels on them; the only code that touches the SSH library. Knows
//! nothing of sessions, prompts or RPCs.
//!
//! A [`Pool`] holds the connections of every target and shares them. [`Pool::open_shell`] and [`Pool::open_exec`]
//! give a [`Channel`]: its owner must drain it (see there), and dropping it closes it.

mod accepted;
mod algorithms;
mod asking;
mod auth;
mod backoff;
mod certificate;
mod channel;
mod dial;
mod establish;
mod forwarded;
mod handshake;
mod host_key;
mod identity;
mod lease;
mod login;
mod open;
mod openssh;
mod pane;
mod pool;
mod process;
mod proxy;
mod pulse;
mod signing;
mod tries;
mod trust;
mod words;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use russh::client::Handle;
use tokio::{sync::watch, time::Instant};

pub use self::{
    asking::{Asked, Asker, Question, is_for_password},
    backoff::Backoff,
    channel::{Channel, ChannelEvent, ChannelWriter, CloseReason},
    host_key::{KnownKey, Verdict},
    identity::find_agent,
    open::Pty,
    openssh::{Master, Road},
    pool::{Pair, Pool, PoolSettings},
    pulse::Pulse,
    trust::{Scan, Trusted},
    words::plain,
};
use self::{
    handshake::{Handler, Shared},
    lease::Lease,
};
use crate::host::{Options, TargetKey};

/// A goodbye to a connection whose task is stuck or whose peer is gone is not waited for longer.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection's number, unique in one daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// One that no connection has.
    #[cfg(test)]
    pub const fn for_test(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One authenticated transport to a target.
pub struct Connection {
    id: ConnectionId,
    key: TargetKey,
    handle: Handle<Handler>,
    shared: Arc<Shared>,
    usage: watch::Sender<Usage>,
    times: Times,
    /// Time between two keepalives.
    keepalive: Duration,
    pulse: watch::Sender<Pulse>,
    /// Set when another connection runs through this one.
    acknowledge_at_once: Option<Arc<AtomicBool>>,
    /// Set while the far side does not answer.
    take_back: Option<Arc<AtomicBool>>,
    /// What ssh_config says for its channels.
    options: Options,
    /// The jump host's connection under this one.
    under: Option<Lease>,
}

/// How long a connection took to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Until the TCP connection was there; none through a jump host.
    pub tcp: Option<Duration>,
    /// From there (through a jump host: from the start) until the host key was proved.
    pub handshake: Duration,
    /// From there until the server let us in.
    pub login: Duration,
}

/// Who uses a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    /// Channels, openings under way, and connections that run through this one.
    leases: usize,
    /// Channels that are open.
    channels: usize,
    room: Room,
}

/// Whether a connection takes a further channel.
#[derive(Clone, Copy, Debug, Default)]
enum Room {
    /// As far as is known.
    #[default]
    Free,
    /// The server refused one; until one of the open ones closes.
    Full,
    /// The server refused one while none was open: it is still clearing up what was closed.
    FullUntil(Instant),
}

impl Usage {
    /// True if a further channel may be tried.
    fn has_room(&self) -> bool {
        match self.room {
            Room::Free => true,
            Room::Full => false,
            Room::FullUntil(when) => Instant::now() >= when,
        }
    }
}

impl Connection {
    /// Its number.
    pub const fn id(&self) -> ConnectionId {
        self.id
    }

    /// The target that it leads to.
    pub const fn target(&self) -> &TargetKey {
        &self.key
    }

    const fn options(&self) -> &Options {
        &self.options
    }

    /// How long it took to make.
    pub const fn times(&self) -> Times {
        self.times
    }

    /// The server's host key as `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.shared
            .key()
            .map(|key| host_key::fingerprint(&key))
            .unwrap_or_default()
    }

    /// What is to be said of its host key, and of its jump hosts', where nobody had compared them: once, to whoever asks
    /// first.
    pub fn take_accepted_key(&self) -> Option<String> {
        let under = self.under.as_ref();
        let under = under.and_then(|lease| lease.connection().take_accepted_key());
        let all: Vec<String> = under.into_iter().chain(self.shared.take_accepted()).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// What the server calls itself, e.g. `SSH-2.0-OpenSSH_9.2p1`.
    pub fn server_version(&self) -> String {
        self.shared.server_version()
    }

    /// Waits for the end of the connection and says its cause.
    pub async fn closed(&self) -> String {
        let mut ended = self.shared.ended();
        let cause = ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|end| end.clone());
        cause.map_or_else(
            || "the connection was closed".to_owned(),
            |cause| cause.to_string(),
        )
    }

    /// Why the connection ended; none while it lives.
    pub fn end_cause(&self) -> Option<String> {
        self.shared.cause().map(|cause| cause.to_string())
    }

    /// True until the connection ends.
    pub fn is_alive(&self) -> bool {
        self.shared.cause().is_none() && !self.handle.is_closed()
    }

    /// Whether the far side answers; every change of it.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
    }

    /// When all that had come over it was last read; none: it never was.
    pub fn drained(&self) -> Option<std::time::Instant> {
        self.shared.ear().drained()
    }

    /// Tells whether the far side answers, as long as this is polled.
    async fn feel_pulse(&self) -> std::convert::Infallible {
        // A connection that is too busy to take it is not silent, or known to be.
        let ask = || drop(self.handle.send_keepalive(true).now_or_never());
        let tell = |pulse| {
            let is_stalled = matches!(pulse, Pulse::Stalled { .. });
            if let Some(flag) = &self.take_back {
                flag.store(is_stalled, Ordering::Relaxed);
            }
            self.pulse
                .send_if_modified(|known| std::mem::replace(known, pulse) != pulse);
        };
        pulse::watch(self.shared.ear(), self.keepalive, ask, tell).await
    }

    /// True unless it is known to be stalled.
    fn answers(&self) -> bool {
        *self.pulse.borrow() == Pulse::Answers
    }

    /// Waits for one answer of the server, at most as long as said. False if none came.
    pub async fn ping(&self, wait: Duration) -> bool {
        let answered = tokio::time::timeout(wait, self.handle.send_ping()).await;
        matches!(answered, Ok(Ok(()))) && self.is_alive()
    }

    fn ended(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.shared.ended()
    }

    /// The cause for a reader whose channel ended without being closed.
    fn cause_of_end(&self) -> String {
        self.end_cause()
            .unwrap_or_else(|| "the connection was closed".to_owned())
    }

    /// Says goodbye; everything on the connection ends with this cause.
    async fn disconnect(&self, cause: &str) {
        self.shared.end(cause);
        let goodbye = self.handle.disconnect(russh::Disconnect::ByApplication, "", "");
        match tokio::time::timeout(GOODBYE_TIMEOUT, goodbye).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => tracing::debug!(connection = %self.id, "ended without a goodbye"),
        }
    }

    /// True while no channel is open.
    fn is_unused(&self) -> bool {
        self.usage.borrow().channels == 0
    }

    fn carry_another(&self) {
        if let Some(flag) = &self.acknowledge_at_once {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} to {})", self.id, self.key)
    }
}
