//! The session of a network device: one task that owns its terminal, types lines there, and tells by its prompt when they
//! are over. For everybody else it is a session like any other. What text means is not known here, but in `device`.

mod enabling;
mod ending;
mod opening;
mod running;
mod typing;
mod waking;

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use sshmcp_proto::error::Fault;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

pub use self::enabling::Enable;
use self::{enabling::Enabling, running::Busy, waking::Wake};
use super::{
    Caller, Opening, Request, Run, Session, SessionState, Signalling, Summary, outbox::Outbox, view::View,
};
use crate::{
    command::{Status, now_ms},
    connection::{Channel, ChannelEvent, CloseReason, Connection, Pool, Pulse},
    device::{Dialect, Exchange, Learned, Lines, Verdict},
    secret::Secret,
};

/// After so many turns of a flooding terminal in a row, whatever else there is has its own.
const EVENTS_IN_A_ROW: u32 = 16;

/// What a device's session is called where others have their shell.
pub(super) const NETWORK: &str = "network";

/// What a session was before it was known to be a device's.
pub(super) struct Handover {
    pub(super) opening: Opening,
    pub(super) session: Arc<Session>,
    pub(super) pool: Arc<Pool>,
    pub(super) summary: watch::Sender<Summary>,
    pub(super) view: View,
    pub(super) waiting_open: Vec<oneshot::Sender<Result<bool, Fault>>>,
    pub(super) queue: VecDeque<Run>,
    /// Why an earlier terminal is gone.
    pub(super) ended: Option<String>,
}

type Opened = Result<(Arc<Connection>, Channel), Fault>;

pub(super) struct Device {
    opening: Opening,
    session: Arc<Session>,
    pool: Arc<Pool>,
    summary: watch::Sender<Summary>,
    view: View,
    waiting_open: Vec<oneshot::Sender<Result<bool, Fault>>>,
    queue: VecDeque<Run>,
    ended: Option<String>,
    terminal: Option<Terminal>,
    starting: Option<JoinHandle<Opened>>,
    /// The configured password for the privileged mode is being fetched for the first command of the queue.
    fetching: Option<JoinHandle<Result<Secret, Fault>>>,
}

/// A device's open terminal.
struct Terminal {
    connection: Arc<Connection>,
    channel: Channel,
    outbox: Outbox,
    pulse: watch::Receiver<Pulse>,
    lines: Lines,
    dialect: &'static Dialect,
    prompt: Option<Learned>,
    stage: Stage,
    /// When it last showed something.
    last: Instant,
    /// The longest pause within what it shows now.
    pause: Duration,
    /// What the unfinished line will mean if nothing follows it until then.
    due: Option<(Instant, Verdict)>,
    /// Its pager is off.
    is_unpaged: bool,
    /// The privileged mode: it is entered once a session.
    enabled: enabling::Tried,
    /// A secret that was typed, until the line that it was typed in has ended: should it be echoed, nobody sees it.
    hidden: Option<typing::Hidden>,
    /// What its pager showed, where a key was typed at that and its line has not ended.
    paged: Option<String>,
    /// Keys that were typed at it since, to no avail.
    vain: u8,
}

/// What a terminal is at.
enum Stage {
    /// Before the first prompt.
    Greeting(opening::Greeting),
    /// Its pager is being turned off.
    Setup(opening::Setup),
    /// At its prompt.
    Ready,
    /// Somebody typed at the prompt.
    Typed(Exchange),
    /// On its way to the privileged mode.
    Enabling(Box<Enabling>),
    /// A command runs.
    Busy(Box<Busy>),
}

impl Device {
    pub(super) fn new(handover: Handover) -> Self {
        handover.summary.send_modify(|summary| summary.is_device = true);
        Self {
            opening: handover.opening,
            session: handover.session,
            pool: handover.pool,
            summary: handover.summary,
            view: handover.view,
            waiting_open: handover.waiting_open,
            queue: handover.queue,
            ended: handover.ended,
            terminal: None,
            starting: None,
            fetching: None,
        }
    }

    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        if !self.waiting_open.is_empty() {
            self.ensure_terminal();
        }
        let mut turns = 0;
        loop {
            self.start_next();
            self.publish();
            turns = (turns + 1) % EVENTS_IN_A_ROW;
            match self.next(&mut requests, turns == 0).await {
                Wake::Request(None) => {
                    self.close().await;
                    self.session.recorder.closed().await;
                    return;
                }
                Wake::Request(Some(Request::Close(reply) | Request::Leave(reply))) => {
                    self.end(&mut requests, |running| {
                        // Whoever asked may be gone.
                        let _ = reply.send(running);
                    })
                    .await;
                    return;
                }
                Wake::Request(Some(Request::CloseIfIdle(limit, reply))) => {
                    let idle = self.session.idle_for().is_some_and(|idle| idle >= limit);
                    if !idle || !self.queue.is_empty() || !requests.is_empty() {
                        let _ = reply.send(false);
                        continue;
                    }
                    self.session.closing.store(true, Ordering::Relaxed);
                    self.end(&mut requests, |_| {
                        let _ = reply.send(true);
                    })
                    .await;
                    return;
                }
                Wake::Request(Some(request)) => self.on_request(request),
                Wake::Started(opened) => self.on_started(opened),
                Wake::Fetched(password) => self.on_fetched(password),
                Wake::Channel(event) => self.on_channel(event),
                // What it means is published above.
                Wake::Pulse => {}
                Wake::Time => self.on_time(),
            }
        }
    }

    fn on_request(&mut self, request: Request) {
        match request {
            Request::Open(client, reply) => {
                self.used_by(&client);
                match self.terminal.as_ref().map(|terminal| &terminal.stage) {
                    None => {
                        self.waiting_open.push(reply);
                        self.ensure_terminal();
                    }
                    Some(Stage::Greeting(_) | Stage::Setup(_)) => match self.asked() {
                        Some(fault) => drop(reply.send(Err(fault))),
                        None => self.waiting_open.push(reply),
                    },
                    Some(_) => drop(reply.send(Ok(false))),
                }
            }
            Request::Run(run) => {
                self.used_by(&run.client);
                if let Some(run) = self.refuse(run) {
                    self.queue.push_back(run);
                }
            }
            Request::Withdraw(id, reply) => {
                let before = self.queue.len();
                // The first may be on its way: its password is being fetched.
                let first = self.queue.front().map(|run| run.command.id);
                if first == Some(id)
                    && let Some(task) = self.fetching.take()
                {
                    task.abort();
                }
                self.queue.retain(|run| run.command.id != id);
                let _ = reply.send(self.queue.len() < before);
            }
            Request::Watch => {}
            Request::LookNow(reply) => drop(reply.send(())),
            Request::Type {
                bytes,
                secret,
                is_line,
                client,
                reply,
            } => {
                self.used_by(&client);
                if is_line && !secret && self.is_half_typed() {
                    let _ = reply.send(Err(self.session.half_typed()));
                    return;
                }
                self.type_as(bytes, secret, reply);
            }
            Request::Signal(Signalling { signal, only, reply }) => {
                let outcome = self.signal(signal, only);
                let _ = reply.send(outcome);
            }
            Request::Foreground(reply) => drop(reply.send(crate::shell::front::Foreground::unknown())),
            Request::Look(look, reply) => drop(reply.send(self.view.look(look))),
            Request::Paint(cols, rows, reply) => drop(reply.send(self.view.paint(cols, rows))),
            Request::Resize(cols, rows) => {
                // Its terminal stays as wide as it was made, so that nothing wraps: the view alone changes.
                if self.view.size() != (cols, rows) {
                    (self.opening.cols, self.opening.rows) = (cols, rows);
                    self.view.resize(cols, rows);
                }
            }
            Request::Close(_) | Request::Leave(_) | Request::CloseIfIdle(..) => {}
        }
    }

    fn on_channel(&mut self, event: Option<ChannelEvent>) {
        match event {
            Some(ChannelEvent::Stdout(bytes) | ChannelEvent::Stderr(bytes)) => self.on_bytes(&bytes),
            Some(ChannelEvent::Closed {
                reason: CloseReason::ConnectionLost(cause),
            }) => self.lose(&format!("the connection was lost ({cause})"), true),
            Some(ChannelEvent::Closed {
                reason: CloseReason::Normal,
            })
            | None => self.lose("the device ended the session", false),
            Some(
                ChannelEvent::ExitStatus(_)
                | ChannelEvent::ExitSignal { .. }
                | ChannelEvent::Eof
                | ChannelEvent::Screen(_)
                | ChannelEvent::Gap,
            ) => {}
        }
    }

    fn used_by(&self, client: &Caller) {
        self.session.touch();
        self.summary.send_modify(|summary| {
            summary.last_used_ms = now_ms();
            summary.client.clone_from(&client.name);
        });
    }

    fn publish(&mut self) {
        let stage = self.terminal.as_ref().map(|terminal| &terminal.stage);
        let state = match stage {
            None if self.starting.is_some() => SessionState::Opening,
            None => SessionState::Disconnected,
            Some(Stage::Greeting(greeting)) if greeting.is_asking() => SessionState::Awaiting,
            Some(Stage::Greeting(_) | Stage::Setup(_)) => SessionState::Opening,
            Some(Stage::Ready) => SessionState::Ready,
            Some(Stage::Typed(_)) if self.is_half_typed() => SessionState::Ready,
            Some(Stage::Typed(_) | Stage::Enabling(_)) => SessionState::Busy,
            Some(Stage::Busy(busy)) => match busy.command.state().status {
                Status::Awaiting(_) => SessionState::Awaiting,
                _ => SessionState::Busy,
            },
        };
        let running = match stage {
            Some(Stage::Busy(busy)) => Some(busy.command.id),
            _ => None,
        };
        let silent_since = self
            .terminal
            .as_ref()
            .and_then(|terminal| match *terminal.pulse.borrow() {
                Pulse::Stalled { since } => Some(since),
                Pulse::Answers => None,
            });
        let shell = self.terminal.as_ref().map(|terminal| terminal.dialect.name);
        let (cursor, size, input) = (self.view.cursor(), self.view.size(), self.view.input());
        self.summary.send_if_modified(|summary| {
            let before = summary.clone();
            summary.state = state;
            summary.running = running;
            summary.silent_since = silent_since;
            summary.cursor = cursor;
            summary.size = size;
            summary.input = input;
            if let Some(shell) = shell {
                shell.clone_into(&mut summary.shell);
            }
            *summary != before
        });
    }

    /// Gives the device the next command if it can take one.
    fn start_next(&mut self) {
        let stage = self.terminal.as_ref().map(|terminal| &terminal.stage);
        if matches!(stage, Some(Stage::Ready)) && !self.waiting_open.is_empty() {
            self.publish();
            for reply in self.waiting_open.drain(..) {
                let _ = reply.send(Ok(true));
            }
        }
        let stage = self.terminal.as_ref().map(|terminal| &terminal.stage);
        if self.queue.is_empty() {
            return;
        }
        match stage {
            None => self.ensure_terminal(),
            Some(Stage::Greeting(_)) => {
                if let Some(fault) = self.asked() {
                    self.fail_all(&fault);
                }
            }
            Some(Stage::Ready) if self.fetching.is_none() => self.start(),
            Some(_) => {}
        }
    }
}
