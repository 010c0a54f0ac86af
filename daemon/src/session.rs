//! One task owns one session; everybody else holds a handle. A session outlives its shell: where that ended or its
//! connection was lost, the next use opens a new one and says so. A shell that a tmux keeps is come back to.

mod actor;
mod asking;
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
mod request;
mod run;
mod saved;
mod spot;
mod sudo;
mod summary;
mod tried;
pub mod view;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, watch};

pub use crate::config::Keeper;
pub use claims::Claims;
pub use control::{Held, Holder};
pub use device::Enable;
pub use label::{FORGOTTEN, Labels, NOT_FOUND, key};
pub use machine::SLOTS_MAX;
pub use request::{Caller, Look, Signal, Signalled};
pub(crate) use request::{Request, Signalling};
pub(crate) use run::{Durable, Given, Run};
pub use summary::{SessionState, Summary};
pub use tried::{Tried, try_shell};
pub use view::Shown;

use control::Control;

use crate::{
    command::{Commands, Readers},
    config::{Kind, SecretSource},
    connection::Pool,
    host::{Overrides, Target},
    id::SessionName,
    recording::Recorder,
    state::{SavedSession, Store},
    terminal::fullscreen::InputMode,
};

/// Requests that wait for a session's task: more than agents and people have calls in flight on one session.
const REQUESTS_MAX: usize = 64;

/// A look at the terminal is two probes at most; who asked for it goes on without after this.
const LOOK_MAX: Duration = Duration::from_millis(400);

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
}

/// Counts as somebody who waits until the terminal settles.
pub struct SettleGuard<'s>(&'s Session);

impl Drop for SettleGuard<'_> {
    fn drop(&mut self) {
        self.0.settlers.fetch_sub(1, Ordering::Relaxed);
    }
}
