//! Why a running daemon ends: a signal, an order, or want of work; and who started it. How it ends is the server's.

use std::{fmt, fs, io, sync::Arc, time::Duration};

use sshmcp_proto::endpoint::Socket;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{core::Core, listener::try_start_lock, rpc::Gate, service};

/// Who started the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StartedBy {
    /// A client that found none; such a daemon leaves when it has had no work for a while.
    Client,
    /// systemd, by its unit.
    Systemd,
    /// launchd, by its property list.
    Launchd,
    /// A person.
    Manual,
}

impl fmt::Display for StartedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Systemd => "systemd",
            Self::Launchd => "launchd",
            Self::Manual => "manual",
        })
    }
}

/// Why the daemon ends.
#[derive(Debug)]
pub enum Cause {
    /// A signal of this name.
    Signal(&'static str),
    /// A client's order.
    Order,
    /// Want of work. While this lock is held no client starts another daemon; it is held until the socket is gone.
    Idle {
        /// The start lock.
        start_lock: fs::File,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(name) => f.write_str(name),
            Self::Order => f.write_str("told to stop"),
            Self::Idle { .. } => f.write_str("no work for a while"),
        }
    }
}

/// The signals that mean something to us; from its making on none of them kills the process.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes the signals over.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next order to end.
    pub async fn end(&mut self) -> Cause {
        tokio::select! {
            _ = self.terminate.recv() => Cause::Signal("SIGTERM"),
            _ = self.interrupt.recv() => Cause::Signal("SIGINT"),
        }
    }

    /// Waits for an order to end, and has the configuration read again at each SIGHUP until then.
    async fn end_reloading(&mut self, core: &dyn Core) -> Cause {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Cause::Signal("SIGTERM"),
                _ = self.interrupt.recv() => return Cause::Signal("SIGINT"),
                _ = self.hang_up.recv() => {
                    service::reloading();
                    let outcome = core.reload().await;
                    service::ready();
                    tracing::info!(applied = outcome.applied, problems = ?outcome.problems, "configuration read again");
                }
            }
        }
    }
}

/// Waits until there is a cause to end.
pub async fn cause(
    core: &Arc<dyn Core>,
    signals: &mut Signals,
    stop: &CancellationToken,
    gate: &Gate,
    started_by: StartedBy,
    socket: &Socket,
) -> Cause {
    tokio::select! {
        cause = signals.end_reloading(core.as_ref()) => cause,
        () = stop.cancelled() => Cause::Order,
        start_lock = idle(core.as_ref(), gate, socket), if started_by == StartedBy::Client => {
            Cause::Idle { start_lock }
        }
    }
}

/// Shortest and longest time between two looks at whether there is work.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

/// Waits until there has been neither work nor call for the configured time, and closes the gate in the same moment.
async fn idle(core: &dyn Core, gate: &Gate, socket: &Socket) -> fs::File {
    let mut since = Instant::now();
    loop {
        let Some(limit) = core.idle_exit() else {
            sleep(LOOK.1).await;
            since = Instant::now();
            continue;
        };
        sleep((limit / 10).clamp(LOOK.0, LOOK.1)).await;
        if !core.is_idle() {
            since = Instant::now();
            continue;
        }
        if since.elapsed() < limit {
            continue;
        }
        // Held by a client: it is about to call.
        let Ok(Some(start_lock)) = try_start_lock(socket) else {
            continue;
        };
        if gate.close_if_quiet(limit) {
            return start_lock;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use sshmcp_proto::error::Fault;

    use super::*;
    use crate::core::{Facts, Reloaded, Stopped};

    /// Long against a machine's hiccup, short against a person's patience.
    const IDLE: Duration = Duration::from_millis(200);

    /// A core that has work until told otherwise.
    struct Busy(AtomicBool);

    #[tonic::async_trait]
    impl Core for Busy {
        fn facts(&self) -> Facts {
            Facts::default()
        }

        fn is_idle(&self) -> bool {
            !self.0.load(Ordering::SeqCst)
        }

        fn idle_exit(&self) -> Option<Duration> {
            Some(IDLE)
        }

        async fn reload(&self) -> Reloaded {
            Reloaded::default()
        }

        async fn stop(&self, _force: bool) -> Result<Stopped, Fault> {
            Ok(Stopped::default())
        }

        fn add_services(self: Arc<Self>, _routes: &mut tonic::service::RoutesBuilder) -> Vec<&'static str> {
            Vec::new()
        }
    }

    /// It leaves only when there is no work and no client is about to call; then the gate is shut in the same moment,
    /// and no client can start another daemon before the socket is gone.
    #[tokio::test]
    async fn leaves_for_want_of_work_alone() {
        let directory = tempfile::tempdir().expect("tempdir");
        let socket = Socket::find(Some(&directory.path().join("s"))).expect("short");
        let gate = Gate::new();
        let core = Busy(AtomicBool::new(true));
        let mut leaving = std::pin::pin!(idle(&core, &gate, &socket));

        let stays = tokio::time::timeout(IDLE * 3, &mut leaving).await;
        assert!(stays.is_err(), "there is work");
        core.0.store(false, Ordering::SeqCst);
        let client = try_start_lock(&socket).expect("open").expect("free");
        let stays = tokio::time::timeout(IDLE * 3, &mut leaving).await;
        assert!(stays.is_err(), "a client is about to call");
        drop(client);
        let _held = leaving.await;
        assert!(gate.close_if_quiet(Duration::MAX), "shut already");
        assert!(try_start_lock(&socket).expect("open").is_none());
    }
}
