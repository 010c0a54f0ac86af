//! One task owns one session; everybody else holds a handle. A session outlives its shell: where that ended or its
//! connection was lost, the next use opens a new one and says so. A shell that a tmux keeps is come back to.

mod actor;
mod claims;
mod control;
mod device;
mod flow;
mod kept;
mod label;
mod link;
mod machine;
mod mask;
mod open;
mod outbox;
mod run;
mod saved;
mod spot;
mod sudo;
mod summary;
pub mod view;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::{mpsc, oneshot, watch};

pub use crate::config::Keeper;
pub use claims::Claims;
pub use control::{Held, Holder};
pub use device::Enable;
pub use label::{FORGOTTEN, Labels, NOT_FOUND, key};
pub use machine::SLOTS_MAX;
pub(crate) use run::{Durable, Given, Run};
pub use summary::{SessionState, Summary};
pub use view::Shown;

use control::Control;
use open::NotOpened;

use crate::{
    command::{Command, Commands, Readers},
    config::{Kind, SecretSource},
    connection::{Connection, Pool, Road},
    host::{Overrides, Target},
    id::{CommandId, SessionName},
    recording::Recorder,
    shell::front::Foreground,
    state::{SavedSession, Store},
    terminal::{fullscreen::InputMode, screen::Painting},
};

/// Requests that wait for a session's task: more than agents and people have calls in flight on one session.
const REQUESTS_MAX: usize = 64;

/// A look at the terminal is two probes at most; who asked for it goes on without after this.
const LOOK_MAX: Duration = Duration::from_millis(400);

/// What can be asked of a session.
pub(crate) enum Request {
    /// Makes sure that there is a shell.
    Open(Caller, oneshot::Sender<Result<bool, Fault>>),
    /// Runs a command in its turn; the reply says whether it was taken on.
    Run(Run),
    /// Takes a command that has not started out of the queue; false if it has started.
    Withdraw(CommandId, oneshot::Sender<bool>),
    /// Somebody began to wait for a command.
    Watch,
    /// Somebody wants to know now whether the running command waits for input; the reply comes when that is known.
    LookNow(oneshot::Sender<()>),
    /// Types.
    Type {
        bytes: Vec<u8>,
        secret: bool,
        /// A command's line, which must not meet a half-typed one.
        is_line: bool,
        client: Caller,
        reply: oneshot::Sender<Result<u64, Fault>>,
    },
    /// Sends a signal to what runs.
    Signal(Signalling),
    /// Who is in front of the shell.
    Foreground(oneshot::Sender<Foreground>),
    /// What the terminal showed.
    Look(Look, oneshot::Sender<Shown>),
    /// The screen for a person's terminal of so many columns and rows.
    Paint(u16, u16, oneshot::Sender<Painting>),
    /// The terminal gets so many columns and rows.
    Resize(u16, u16),
    /// Ends the session; the reply names the command that was running.
    Close(oneshot::Sender<Option<CommandId>>),
    /// The same, but a kept shell lives on.
    Leave(oneshot::Sender<Option<CommandId>>),
    /// Ends the session if nothing has happened in it for so long; the reply says whether.
    CloseIfIdle(Duration, oneshot::Sender<bool>),
}

/// Who asks: an id that tells two clients of one name apart, and the name that people know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Unique.
    pub id: String,
    /// For lists and words.
    pub name: String,
    /// It is a person's own program, and no agent's.
    pub is_person: bool,
}

/// A signal on its way.
pub(crate) struct Signalling {
    pub(crate) signal: Signal,
    /// Only if this command runs.
    pub(crate) only: Option<CommandId>,
    pub(crate) reply: oneshot::Sender<Result<Signalled, Fault>>,
}

/// What became of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// Nothing ran, or no longer the command that was meant: nothing was sent or typed.
    Nothing,
    /// This key was typed.
    Typed(&'static str),
    /// The helper did what this says.
    Sent(Foreground),
}

/// Which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Int,
    /// Ctrl-\.
    Quit,
    /// SIGTERM to the foreground process group.
    Term,
    /// SIGKILL to the foreground process group.
    Kill,
    /// SIGKILL to the session's shell.
    Shell,
}

/// What of the terminal to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The screen.
    Screen,
    /// The last lines, scrollback and screen together.
    Tail(usize),
    /// What is new since a cursor.
    Since(u64),
    /// The same, in at most so many characters: the first of it.
    Next(u64, usize),
    /// What is new since a cursor and no command's text or output; the screen is left out.
    Own(u64),
}

/// What a session is opened with.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its name.
    pub name: SessionName,
    /// The host as it was named.
    pub host: String,
    /// The host resolved.
    pub target: Target,
    /// Terminal width.
    pub cols: u16,
    /// Terminal height.
    pub rows: u16,
    /// Where to begin instead of the home directory.
    pub cwd: Option<String>,
    /// What was given beside the host's name, without a password.
    pub overrides: Overrides,
    /// What is to keep its shell alive.
    pub keeper: Keeper,
    /// A kept shell that nobody comes back to ends after so long.
    pub orphan_after: Duration,
    /// Why the shell that an earlier session of this name had is gone; its first result says so.
    pub ended: Option<String>,
    /// What an earlier daemon remembered of this very session: there is a shell to come back to.
    pub kept: Option<SavedSession>,
    /// Nobody remembered that: its host did.
    pub is_found: bool,
}

/// A session as everybody else holds it.
pub struct Session {
    /// Its name.
    pub name: SessionName,
    /// The host as it was named when it was opened.
    pub host: String,
    /// When it was opened, milliseconds since the Unix epoch.
    pub opened_ms: i64,
    /// Its transcript and recording.
    pub recorder: Recorder,
    saving: saved::Saving,
    target: Mutex<Target>,
    requests: mpsc::Sender<Request>,
    summary: watch::Receiver<Summary>,
    control: Control,
    /// How far each client has been shown its terminal.
    seen: Mutex<Readers>,
    /// Calls that wait until what they typed to reads again.
    settlers: AtomicUsize,
    closing: AtomicBool,
    began: Instant,
    /// When something last happened, in milliseconds since `began`.
    active_ms: AtomicU64,
}

impl Session {
    /// Begins a session; its task runs until it is closed.
    pub fn begin(
        mut opening: Opening,
        pool: Arc<Pool>,
        claims: Arc<Claims>,
        commands: Arc<Commands>,
        recorder: Recorder,
        store: Store,
    ) -> Arc<Self> {
        let (requests, mut receiver) = mpsc::channel(REQUESTS_MAX);
        if opening.target.kind == Kind::Network {
            // No tmux runs there, and no shell of OpenSSH's is opened there.
            opening.keeper = Keeper::Daemon;
        }
        let now = crate::command::now_ms();
        let earlier = opening.kept.clone();
        let earlier = earlier.unwrap_or_else(|| SavedSession {
            opened_ms: now,
            last_used_ms: now,
            ..SavedSession::default()
        });
        let (summary_sender, summary) = watch::channel(Summary {
            state: SessionState::Disconnected,
            shell: earlier.shell.clone(),
            is_device: opening.target.kind == Kind::Network,
            keeper: opening.keeper,
            apart: earlier.apart,
            cwd: earlier.cwd.clone(),
            silent_since: None,
            running: None,
            cursor: earlier.cursor,
            size: (opening.cols, opening.rows),
            settling: false,
            input: InputMode::default(),
            reads: false,
            prompts: 0,
            notice: earlier.notice.clone(),
            last_used_ms: earlier.last_used_ms,
            client: earlier.client.clone(),
            greeting: String::new(),
        });
        let session = Arc::new(Self {
            name: opening.name.clone(),
            host: opening.host.clone(),
            opened_ms: earlier.opened_ms,
            saving: saved::Saving::new(&opening, store),
            recorder,
            target: Mutex::new(opening.target.clone()),
            requests,
            summary,
            control: Control::default(),
            seen: Mutex::new(Readers::of(earlier.seen)),
            settlers: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            began: Instant::now(),
            active_ms: AtomicU64::new(0),
        });
        let actor = actor::Actor::new(opening, session.clone(), pool, claims, commands, summary_sender);
        tokio::spawn(async move {
            if let Some(handover) = actor.run(&mut receiver).await {
                device::Device::new(handover).run(receiver).await;
            }
        });
        session
    }

    /// The target it is bound to.
    pub fn target(&self) -> Target {
        self.target.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the password for sudo's own prompt comes from, as it is configured.
    pub(crate) fn sudo_password(&self) -> Option<SecretSource> {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        target.sudo_password.clone()
    }

    /// Credentials and routes of the same target as they are configured now, for the next login.
    pub fn refresh(&self, target: Target) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// What it is and does.
    pub fn summary(&self) -> Summary {
        self.summary.borrow().clone()
    }

    /// Sees every change of its summary from now on.
    pub fn changes(&self) -> watch::Receiver<Summary> {
        self.summary.clone()
    }

    /// It is being closed: nothing new is taken on.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed) || self.requests.is_closed()
    }

    /// Makes sure that there is a shell; true if one was opened for this.
    pub async fn open(&self, client: Caller) -> Result<bool, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Open(client, reply)).await?;
        answer.await.map_err(|_| self.gone())?
    }

    /// Counts somebody as waiting for its terminal to settle until the guard is dropped.
    pub fn settle_guard(&self) -> SettleGuard<'_> {
        self.settlers.fetch_add(1, Ordering::Relaxed);
        SettleGuard(self)
    }

    /// Somebody waits for its terminal to settle.
    pub fn is_to_settle(&self) -> bool {
        self.settlers.load(Ordering::Relaxed) > 0
    }

    /// Something happens in it.
    pub(crate) fn touch(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.active_ms.store(now, Ordering::Relaxed);
    }

    /// When something last happened: something run, typed or printed.
    pub fn last_active(&self) -> Instant {
        self.began + Duration::from_millis(self.active_ms.load(Ordering::Relaxed))
    }

    /// How far a client has been shown its terminal.
    pub fn shown_to(&self, client: &str) -> u64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.shown_to(client)
    }

    /// Remembers how far a client has been shown its terminal.
    pub fn show_to(&self, client: &str, cursor: u64) {
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.show_to(client, cursor);
        }
        if self.is_kept() {
            self.save();
        }
    }

    /// For how long nothing has happened: nothing run, typed or printed. None while anything is under way.
    pub fn idle_for(&self) -> Option<Duration> {
        let summary = self.summary.borrow();
        let at_rest = matches!(summary.state, SessionState::Ready | SessionState::Disconnected);
        let active = Duration::from_millis(self.active_ms.load(Ordering::Relaxed));
        (at_rest && summary.running.is_none()).then(|| self.began.elapsed().saturating_sub(active))
    }

    /// Ends the session if nothing has happened in it for so long; says whether it was ended.
    pub async fn close_if_idle(&self, limit: Duration) -> bool {
        let (reply, answer) = oneshot::channel();
        if self.ask(Request::CloseIfIdle(limit, reply)).await.is_err() {
            return false;
        }
        answer.await.unwrap_or(false)
    }

    /// Hands a command over, unless as many wait for their turn already as may; what comes back fires if it could not be
    /// run.
    pub(crate) async fn run(
        &self,
        command: Arc<Command>,
        given: Given,
        client: Caller,
        queue_max: usize,
        durable: Option<Durable>,
    ) -> Result<oneshot::Receiver<Fault>, Fault> {
        let (failed, failure) = oneshot::channel();
        self.ask(Request::Run(Run {
            command,
            stdin: given.stdin,
            sudo_password: given.sudo_password,
            enable: given.enable.map(Box::new),
            sudo_nonce: None,
            client,
            failed,
            attempts: 0,
            queue_max,
            durable,
        }))
        .await?;
        Ok(failure)
    }

    /// Takes a command back that has not started; false if it has.
    pub async fn withdraw(&self, id: CommandId) -> bool {
        let (reply, answer) = oneshot::channel();
        if self.ask(Request::Withdraw(id, reply)).await.is_err() {
            return false;
        }
        answer.await.unwrap_or(false)
    }

    /// Tells it that somebody waits for a command of its.
    pub fn watch(&self) {
        // A full queue means that its task is about to look anyway.
        let _ = self.requests.try_send(Request::Watch);
    }

    /// Has the running command looked at, so that what is said of it is true now; returns when that is done, or takes
    /// too long.
    pub async fn look_now(&self) {
        let (reply, answer) = oneshot::channel();
        if self.requests.try_send(Request::LookNow(reply)).is_ok() {
            let _ = tokio::time::timeout(LOOK_MAX, answer).await;
        }
    }

    /// Types bytes into the terminal; the prompt that answers them comes when `prompts` is above what comes back.
    pub async fn type_bytes(&self, bytes: Vec<u8>, client: Caller) -> Result<u64, Fault> {
        self.type_in(bytes, false, false, client).await
    }

    /// Types a command's line, unless a half-typed one stands at the prompt.
    pub async fn type_line(&self, bytes: Vec<u8>, client: Caller) -> Result<u64, Fault> {
        self.type_in(bytes, false, true, client).await
    }

    /// Types a secret with its Enter, unless the shell is at its prompt, which would show it.
    pub async fn type_secret(&self, bytes: Vec<u8>, client: Caller) -> Result<u64, Fault> {
        self.type_in(bytes, true, true, client).await
    }

    async fn type_in(
        &self,
        bytes: Vec<u8>,
        secret: bool,
        is_line: bool,
        client: Caller,
    ) -> Result<u64, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Type {
            bytes,
            secret,
            is_line,
            client,
            reply,
        })
        .await?;
        answer.await.map_err(|_| self.gone())?
    }

    /// Signals what runs; with `only`, nothing but that command.
    pub async fn signal(&self, signal: Signal, only: Option<CommandId>) -> Result<Signalled, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Signal(Signalling { signal, only, reply }))
            .await?;
        answer.await.map_err(|_| self.gone())?
    }

    /// Who is in front of the shell.
    pub async fn foreground(&self) -> Foreground {
        let (reply, answer) = oneshot::channel();
        match self.ask(Request::Foreground(reply)).await {
            Ok(()) => answer.await.unwrap_or(Foreground::unknown()),
            Err(_) => Foreground::unknown(),
        }
    }

    /// What the terminal showed.
    pub async fn look(&self, look: Look) -> Result<Shown, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Look(look, reply)).await?;
        answer.await.map_err(|_| self.gone())
    }

    /// The screen for a person's terminal of so many columns and rows.
    pub async fn paint(&self, cols: u16, rows: u16) -> Result<Painting, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Paint(cols, rows, reply)).await?;
        answer.await.map_err(|_| self.gone())
    }

    /// Gives its terminal so many columns and rows.
    pub async fn resize(&self, cols: u16, rows: u16) -> Result<(), Fault> {
        self.ask(Request::Resize(cols, rows)).await
    }

    /// Lets go of a session whose shell is kept, as the daemon ends: the next one comes back to it. Any other is ended.
    pub async fn leave(&self) -> Option<CommandId> {
        self.closing.store(true, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Leave(reply)).await.ok()?;
        tokio::time::timeout(CLOSE_WAIT, answer).await.ok()?.ok()?
    }

    /// Ends the session, and returns when its shell is gone; the command that was running comes back.
    pub async fn close(&self) -> Option<CommandId> {
        self.closing.store(true, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Close(reply)).await.ok()?;
        tokio::time::timeout(CLOSE_WAIT, answer).await.ok()?.ok()?
    }

    async fn ask(&self, request: Request) -> Result<(), Fault> {
        self.requests.send(request).await.map_err(|_| self.gone())
    }

    fn gone(&self) -> Fault {
        Fault::new(
            Reason::SessionNotFound,
            format!("the session {} was closed", self.name),
        )
        .hint("open it again with open_session")
    }
}

/// Counts as somebody who waits until the terminal settles.
pub struct SettleGuard<'s>(&'s Session);

impl Drop for SettleGuard<'_> {
    fn drop(&mut self) {
        self.0.settlers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A shell that was opened as a session's, for whoever only wants to know how it would be worked.
pub struct Tried {
    link: link::Link,
    connection: Arc<Connection>,
    /// From the login to its first prompt, our own set-up included.
    pub took: Duration,
}

/// Opens a shell as a session would; it belongs to no session.
pub async fn try_shell(pool: &Arc<Pool>, target: &Target) -> Result<Tried, Fault> {
    let began = Instant::now();
    if target.kind == Kind::Network {
        return Err(NotOpened::Device.into_fault());
    }
    let opened = open::open(pool, &Claims::default(), target, (120, 40), None, "")
        .await
        .map_err(NotOpened::into_fault)?;
    let Road::Pooled(connection) = opened.link.road.clone() else {
        return Err(Fault::new(
            Reason::Internal,
            "the shell has no connection of ours",
        ));
    };
    let times = connection.times();
    let connecting = times.tcp.unwrap_or_default() + times.handshake + times.login;
    Ok(Tried {
        took: began.elapsed().saturating_sub(connecting),
        link: opened.link,
        connection,
    })
}

impl Tried {
    /// The connection it is on.
    pub const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// `bash 5.2.15(1)-release`.
    pub fn shell(&self) -> String {
        let shell = &self.link.shell;
        format!("{} {}", shell.kind, shell.version).trim().to_owned()
    }

    /// Commands' stdout and stderr would be got apart.
    pub const fn is_apart(&self) -> bool {
        self.link.typed.is_none()
    }

    /// The private directory on the host; empty where none could be made.
    pub fn directory(&self) -> &str {
        &self.link.hello.dir
    }

    /// Ends it.
    pub async fn close(self) {
        self.link.close().await;
    }
}

/// A shell that does not go is left to sshd after this.
const CLOSE_WAIT: Duration = Duration::from_secs(4);
