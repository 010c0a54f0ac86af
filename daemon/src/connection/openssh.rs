//! A connection that OpenSSH's own client made in a pane of a local tmux: further channels go over its control socket,
//! each by a process of this machine. Knows no SSH.

use std::{io, sync::Arc, time::Duration};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    process::Command,
    sync::{Notify, watch},
    task::AbortHandle,
};

use super::{
    Channel, ConnectionId, Pulse, process,
    pulse::{self, Ear},
};
use crate::local::Place;

/// The connection of one session.
pub struct Master {
    id: ConnectionId,
    place: Place,
    /// The client tells nobody whether its host answers, so that it is heard by what comes over its connection.
    pulse: watch::Receiver<Pulse>,
    ear: Ear,
    asks: Arc<Notify>,
    watching: AbortHandle,
}

impl Drop for Master {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Master {
    /// `keepalive`: time between two questions whether the host answers.
    pub(super) fn new(id: ConnectionId, place: Place, keepalive: Duration) -> Self {
        let (told, pulse) = watch::channel(Pulse::Answers);
        let (ear, asks) = (Ear::default(), Arc::<Notify>::default());
        let (heard, asked) = (ear.clone(), asks.clone());
        let watching = tokio::spawn(async move {
            let tell = |pulse| {
                told.send_if_modified(|known| std::mem::replace(known, pulse) != pulse);
            };
            pulse::watch(&heard, keepalive, || asked.notify_one(), tell).await
        });
        Self {
            id,
            place,
            pulse,
            ear,
            asks,
            watching: watching.abort_handle(),
        }
    }

    /// Its number.
    pub const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Where its session is on this machine.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.clone()
    }

    /// When the host is to be asked whether it answers: by whatever has it say a word over this connection.
    pub async fn asks(&self) {
        self.asks.notified().await;
    }

    /// A command without a terminal.
    pub fn open_exec(&self, command: &str) -> Result<Channel, Fault> {
        self.start(self.place.exec(command))
    }

    /// A subsystem of the server's; where it is refused the channel ends.
    pub fn open_subsystem(&self, name: &str) -> Result<Channel, Fault> {
        self.start(self.place.subsystem(name))
    }

    fn start(&self, command: Command) -> Result<Channel, Fault> {
        let place = self.place.clone();
        let lost = |_| async move {
            let is_up = place.is_up().await;
            (!is_up).then(|| "OpenSSH's connection to the host has ended".to_owned())
        };
        let channel = process::start(command, self.ear.clone(), lost);
        channel.map_err(|error| not_started("ssh", &error))
    }

    /// The control client of its pane.
    pub fn attach(&self) -> Result<Channel, Fault> {
        local("tmux", self.place.attach())
    }
}

fn local(name: &str, command: Command) -> Result<Channel, Fault> {
    process::start(command, Ear::default(), |_| std::future::ready(None))
        .map_err(|error| not_started(name, &error))
}

fn not_started(name: &str, error: &io::Error) -> Fault {
    Fault::new(
        Reason::ConnectionLost,
        format!("`{name}` could not be started on this machine: {error}"),
    )
    .hint("look at the limits of processes and open files")
    .retryable()
}

/// How a session's host is reached.
#[derive(Clone)]
pub enum Road {
    /// By a connection of the daemon's own.
    Pooled(Arc<super::Connection>),
    /// By one that OpenSSH's client made for this session.
    OpenSsh(Arc<Master>),
}

impl Road {
    /// The connection's number.
    pub fn id(&self) -> ConnectionId {
        match self {
            Self::Pooled(connection) => connection.id(),
            Self::OpenSsh(master) => master.id(),
        }
    }

    /// What is to be said of its host key; OpenSSH says it itself.
    pub fn take_accepted_key(&self) -> Option<String> {
        match self {
            Self::Pooled(connection) => connection.take_accepted_key(),
            Self::OpenSsh(_) => None,
        }
    }

    /// Whether its far side answers, as far as that is known; every change of it.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        match self {
            Self::Pooled(connection) => connection.pulse(),
            Self::OpenSsh(master) => master.pulse(),
        }
    }

    /// When all that had come over it was last read; none: it never was, or nobody knows.
    pub fn drained(&self) -> Option<std::time::Instant> {
        match self {
            Self::Pooled(connection) => connection.drained(),
            // Each channel comes by a way of its own.
            Self::OpenSsh(_) => None,
        }
    }

    /// The local session, where OpenSSH carries it.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Pooled(_) => None,
            Self::OpenSsh(master) => Some(master.place()),
        }
    }
}
