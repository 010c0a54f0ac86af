//! One channel: what it says as events, a writer for what it is told, and an end that says why.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client::Msg};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{Connection, lease::Lease, pane::Pane, process::Told, words::plain};
use crate::tmux::{command, control::Screen};

/// tmux attaches in milliseconds.
const ATTACH_MAX: Duration = Duration::from_secs(10);

/// How a channel ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// In order: either side closed it.
    Normal,
    /// The connection under it died; the cause in words.
    ConnectionLost(String),
}

/// What a channel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// Bytes of standard output, or of the terminal.
    Stdout(Bytes),
    /// Bytes of standard error.
    Stderr(Bytes),
    /// The program's exit code. More output may follow.
    ExitStatus(u32),
    /// The program died of a signal.
    ExitSignal {
        /// The signal's name without `SIG`.
        name: String,
        /// True if it left a core dump.
        core_dumped: bool,
    },
    /// No more output will come.
    Eof,
    /// A pane of tmux looks so at this place between its outputs.
    Screen(Box<Screen>),
    /// What the pane wrote from here to the next `Screen` was not sent.
    Gap,
    /// The end; nothing follows.
    Closed {
        /// How it ended.
        reason: CloseReason,
    },
}

/// The reading side of a channel, and its owner: dropping it closes the channel.
///
/// **It must be drained without waiting for anything else.** All channels of a connection share one reader: a
/// channel that nobody reads stops every other one, the keepalives included, as soon as its buffer is full.
pub struct Channel {
    read: Reading,
    writer: ChannelWriter,
    state: State,
    /// Gone only while it is dropped; a pane has its control client's.
    lease: Option<Lease>,
}

enum Reading {
    Ssh {
        read: ChannelReadHalf,
        early: VecDeque<ChannelMsg>,
        connection: Arc<Connection>,
    },
    Pane(Box<Pane>),
    Process(mpsc::Receiver<ChannelEvent>),
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    /// The server has closed it, or the connection is gone; nothing is to be told to the far side.
    Ended,
}

impl Channel {
    pub(super) fn new(channel: russh::Channel<Msg>, early: VecDeque<ChannelMsg>, lease: Lease) -> Self {
        let (read, write) = channel.split();
        let writer = ChannelWriter {
            half: Half::Ssh(Arc::new(write)),
            pane: None,
            closed: Arc::new(watch::Sender::new(false)),
            lost: lease.connection().ended(),
        };
        Self {
            read: Reading::Ssh {
                read,
                early,
                connection: lease.connection().clone(),
            },
            writer,
            state: State::Open,
            lease: Some(lease),
        }
    }

    /// A program of this machine whose input and outputs are the channel. `closed` and `lost` are told to it, and by it.
    pub(super) const fn of_process(
        told: mpsc::Sender<Told>,
        events: mpsc::Receiver<ChannelEvent>,
        closed: Arc<watch::Sender<bool>>,
        lost: watch::Receiver<Option<Arc<str>>>,
    ) -> Self {
        Self {
            read: Reading::Process(events),
            writer: ChannelWriter {
                half: Half::Process(told),
                pane: None,
                closed,
                lost,
            },
            state: State::Open,
            lease: None,
        }
    }

    /// The terminal of a pane, by way of a tmux in control mode that runs in this channel. What is written is typed
    /// there, and what the pane shows is its stdout; it has no stderr and no exit code.
    pub fn of_pane(self, id: &str) -> Self {
        let mut writer = self.writer();
        let pane = Pane::new(self, id);
        writer.pane = Some(PaneWriter {
            id: id.into(),
            attached: pane.attached(),
        });
        writer.closed = Arc::new(watch::Sender::new(false));
        Self {
            read: Reading::Pane(Box::new(pane)),
            writer,
            state: State::Open,
            lease: None,
        }
    }

    /// The next event; none after `Closed`. May be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Option<ChannelEvent> {
        if self.state == State::Ended {
            return None;
        }
        let (read, early) = match &mut self.read {
            Reading::Ssh { read, early, .. } => (read, early),
            Reading::Pane(pane) => {
                let mut closed = self.writer.closed.subscribe();
                let event = tokio::select! {
                    biased;
                    event = pane.next() => event,
                    _ = closed.wait_for(|closed| *closed) => ChannelEvent::Closed { reason: CloseReason::Normal },
                };
                return Some(match event {
                    ChannelEvent::Closed { reason } => self.end(reason),
                    event => event,
                });
            }
            Reading::Process(events) => {
                return Some(match events.recv().await {
                    Some(ChannelEvent::Closed { reason }) => self.end(reason),
                    Some(event) => event,
                    None => self.end(CloseReason::Normal),
                });
            }
        };
        loop {
            let message = match early.pop_front() {
                Some(message) => Some(message),
                None => {
                    let mut closed = self.writer.closed.subscribe();
                    tokio::select! {
                        biased;
                        message = read.wait() => message,
                        // russh forgets a channel that we close: no answer would ever come.
                        _ = closed.wait_for(|closed| *closed) => Some(ChannelMsg::Close),
                    }
                }
            };
            let event = match message {
                Some(ChannelMsg::Data { data }) => ChannelEvent::Stdout(data),
                Some(ChannelMsg::ExtendedData { data, .. }) => ChannelEvent::Stderr(data),
                Some(ChannelMsg::ExitStatus { exit_status }) => ChannelEvent::ExitStatus(exit_status),
                Some(ChannelMsg::ExitSignal {
                    signal_name,
                    core_dumped,
                    ..
                }) => ChannelEvent::ExitSignal {
                    name: signal_text(&signal_name),
                    core_dumped,
                },
                Some(ChannelMsg::Eof) => ChannelEvent::Eof,
                Some(ChannelMsg::Close) => self.end(CloseReason::Normal),
                Some(_) => continue,
                None => {
                    let cause = self.cause_of_end();
                    self.end(CloseReason::ConnectionLost(cause))
                }
            };
            return Some(event);
        }
    }

    fn cause_of_end(&self) -> String {
        match &self.read {
            Reading::Ssh { connection, .. } => connection.cause_of_end(),
            Reading::Pane(_) | Reading::Process(_) => String::new(),
        }
    }

    fn end(&mut self, reason: CloseReason) -> ChannelEvent {
        self.state = State::Ended;
        self.writer.closed.send_replace(true);
        ChannelEvent::Closed { reason }
    }

    /// A handle for what the channel is told.
    pub fn writer(&self) -> ChannelWriter {
        self.writer.clone()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let was_closed = self.writer.closed.send_replace(true);
        // A pane's control client closes with its own channel.
        if self.state == State::Ended || was_closed || self.writer.pane.is_some() {
            return;
        }
        // russh does not close a dropped channel: the program would run on, and its output keep coming.
        let Half::Ssh(half) = &self.writer.half else {
            return;
        };
        let half = half.clone();
        let lease = self.lease.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if half.close().await.is_err() {
                    tracing::trace!("the connection ended before its channel was closed");
                }
                drop(lease);
            });
        }
    }
}

/// The way to the far side.
#[derive(Clone)]
enum Half {
    Ssh(Arc<ChannelWriteHalf<Msg>>),
    Process(mpsc::Sender<Told>),
}

/// The far side takes nothing more.
struct Deaf;

impl Half {
    async fn data(&self, bytes: Bytes) -> Result<(), Deaf> {
        match self {
            Self::Ssh(half) => half.data_bytes(bytes).await.map_err(|_| Deaf),
            Self::Process(told) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let piece = rest.split_to(rest.len().min(Told::PIECE));
                    told.send(Told::Bytes(piece)).await.map_err(|_| Deaf)?;
                }
                Ok(())
            }
        }
    }

    async fn eof(&self) -> Result<(), Deaf> {
        match self {
            Self::Ssh(half) => half.eof().await.map_err(|_| Deaf),
            Self::Process(told) => told.send(Told::Eof).await.map_err(|_| Deaf),
        }
    }

    /// A process has no terminal of ours: its size is a matter of what runs in it.
    async fn resize(&self, cols: u16, rows: u16) -> Result<(), Deaf> {
        match self {
            Self::Ssh(half) => {
                let told = half.window_change(u32::from(cols), u32::from(rows), 0, 0);
                told.await.map_err(|_| Deaf)
            }
            Self::Process(_) => Ok(()),
        }
    }

    /// What runs on the far side of a process cannot be signalled through it: it is left alone.
    async fn signal(&self, name: &str) -> Result<(), Deaf> {
        match self {
            Self::Ssh(half) => half.signal(signal_named(name)).await.map_err(|_| Deaf),
            Self::Process(_) => Err(Deaf),
        }
    }

    /// A process ends when it is told that its channel is closed.
    async fn close(&self) -> Result<(), Deaf> {
        match self {
            Self::Ssh(half) => half.close().await.map_err(|_| Deaf),
            Self::Process(_) => Ok(()),
        }
    }
}

/// What a channel can be told. Clones write to the same channel.
#[derive(Clone)]
pub struct ChannelWriter {
    half: Half,
    /// What is written is told to tmux in control mode, for this pane.
    pane: Option<PaneWriter>,
    closed: Arc<watch::Sender<bool>>,
    lost: watch::Receiver<Option<Arc<str>>>,
}

#[derive(Clone)]
struct PaneWriter {
    id: Arc<str>,
    attached: watch::Receiver<bool>,
}

impl ChannelWriter {
    /// Writes all bytes; waits while the far side takes no more. A write that is dropped may have been done in part.
    pub async fn write(&self, bytes: Bytes) -> Result<(), Fault> {
        match &self.pane {
            // An empty line would end the control client.
            Some(_) if bytes.is_empty() => Ok(()),
            Some(pane) => self.tell_pane(pane, command::keys(&pane.id, &bytes)).await,
            None => self.tell(self.half.data(bytes)).await,
        }
    }

    /// Asks tmux what the pane shows; it comes as `ChannelEvent::Screen`. Nothing is asked of any other channel.
    pub async fn capture(&self) -> Result<(), Fault> {
        match &self.pane {
            Some(pane) => self.tell_pane(pane, command::capture(&pane.id)).await,
            None => Ok(()),
        }
    }

    /// Tells tmux what is for its pane, once what comes of it will be shown.
    async fn tell_pane(&self, pane: &PaneWriter, lines: Vec<u8>) -> Result<(), Fault> {
        let mut attached = pane.attached.clone();
        let telling = self.tell(async {
            attached.wait_for(|attached| *attached).await.map_err(|_| Deaf)?;
            Ok(())
        });
        timeout(ATTACH_MAX, telling).await.unwrap_or_else(|_| {
            let words = "tmux did not attach to the session that it keeps";
            Err(Fault::new(Reason::Unreachable, words).retryable())
        })?;
        self.tell(self.half.data(lines.into())).await
    }

    /// Tells tmux one of its commands.
    pub(super) async fn tell_tmux(&self, line: Vec<u8>) -> Result<(), Fault> {
        self.tell(self.half.data(line.into())).await
    }

    /// Tells the size of the terminal.
    pub async fn resize(&self, cols: u16, rows: u16) -> Result<(), Fault> {
        if let Some(pane) = &self.pane {
            return self.tell_pane(pane, command::resize(&pane.id, cols, rows)).await;
        }
        self.tell(self.half.resize(cols, rows)).await
    }

    /// Sends a signal by its name without `SIG`. Many servers ignore signals for a shell.
    pub async fn signal(&self, name: &str) -> Result<(), Fault> {
        self.tell(self.half.signal(name)).await
    }

    /// Ends the program's standard input. A pane's control client detaches.
    pub async fn eof(&self) -> Result<(), Fault> {
        self.tell(self.half.eof()).await
    }

    /// Closes the channel; its reader sees `Closed` after what was already received.
    pub async fn close(&self) -> Result<(), Fault> {
        let told = self.tell(self.half.close()).await;
        self.closed.send_replace(true);
        told
    }

    /// Does one thing unless the channel has ended, and no longer than it lives: russh waits for window for ever.
    async fn tell(&self, action: impl Future<Output = Result<(), Deaf>>) -> Result<(), Fault> {
        let mut closed = self.closed.subscribe();
        let mut lost = self.lost.clone();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Err(self.gone()),
            _ = lost.wait_for(Option::is_some) => Err(self.gone()),
            done = action => done.map_err(|Deaf| self.gone()),
        }
    }

    fn gone(&self) -> Fault {
        let cause = self.lost.borrow().clone();
        Fault::new(
            Reason::ConnectionLost,
            cause.map_or_else(
                || "the channel is closed".to_owned(),
                |cause| format!("the connection is lost: {cause}"),
            ),
        )
    }
}

fn signal_named(name: &str) -> Sig {
    match name {
        "ABRT" => Sig::ABRT,
        "ALRM" => Sig::ALRM,
        "FPE" => Sig::FPE,
        "HUP" => Sig::HUP,
        "ILL" => Sig::ILL,
        "INT" => Sig::INT,
        "KILL" => Sig::KILL,
        "PIPE" => Sig::PIPE,
        "QUIT" => Sig::QUIT,
        "SEGV" => Sig::SEGV,
        "TERM" => Sig::TERM,
        "USR1" => Sig::USR1,
        other => Sig::Custom(other.to_owned()),
    }
}

fn signal_text(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => plain(name),
        known => format!("{known:?}"),
    }
}
