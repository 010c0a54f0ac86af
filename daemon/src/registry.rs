//! Which sessions exist: finds, opens, lists and closes them by name and by host. Knows nothing of bytes and prompts.

mod adopt;
mod close;
mod find;
mod local;
mod resolved;
mod restore;
mod road;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sshmcp_proto::{error::Fault, v1::Reason};

use crate::{
    command::Commands,
    config::{ConfigStore, Kind},
    connection::Pool,
    durable::Durables,
    host::{Overrides, Target, TargetKey},
    id::{SessionName, shorten},
    recording::Recordings,
    session::{Claims, Labels, Opening, Session},
    state::{SavedSession, Store},
};
pub use find::{Found, Wanted};
use resolved::Resolved;

/// Terminal size of a session that nobody gave one: wide enough for tables, high enough for a screen of text.
pub const COLS: u16 = 120;
/// As `COLS`.
pub const ROWS: u16 = 40;

/// Sessions that were closed for that are remembered, for whoever asks for them again.
const CLOSED_IDLE_MAX: usize = 100;

/// All sessions, and what they are made of.
pub struct Registry {
    /// The configuration in force.
    pub config: Arc<ConfigStore>,
    /// All connections.
    pub pool: Arc<Pool>,
    /// All commands.
    pub commands: Arc<Commands>,
    /// All transcripts and recordings.
    pub recordings: Recordings,
    /// All commands that outlive their sessions.
    pub durables: Arc<Durables>,
    /// What is remembered of sessions beyond the daemon.
    pub store: Store,
    claims: Arc<Claims>,
    inner: Mutex<Inner>,
    resolved: Resolved,
}

#[derive(Default)]
struct Inner {
    sessions: BTreeMap<SessionName, Arc<Session>>,
    /// The session that calls use which name only a host.
    defaults: HashMap<TargetKey, SessionName>,
    /// Sessions that were closed because nothing happened in them, the latest last, and after how many seconds.
    closed_idle: VecDeque<(SessionName, u64)>,
    /// Sessions of an earlier daemon that ended with it.
    gone: BTreeMap<SessionName, SavedSession>,
    /// Sessions of an earlier daemon whose host could not be resolved to their target so far.
    unresolved: BTreeMap<SessionName, HostCall>,
}

impl Inner {
    fn remember_closed(&mut self, name: &SessionName, seconds: u64) {
        self.closed_idle.retain(|(closed, _)| closed != name);
        if self.closed_idle.len() >= CLOSED_IDLE_MAX {
            self.closed_idle.pop_front();
        }
        self.closed_idle.push_back((name.clone(), seconds));
    }

    /// Takes out a session that was closed, unless another has its name by now.
    fn forget(&mut self, session: &Arc<Session>) {
        let there = self.sessions.get(&session.name);
        if there.is_some_and(|there| Arc::ptr_eq(there, session)) {
            self.sessions.remove(&session.name);
        }
        self.defaults.retain(|_, name| *name != session.name);
    }

    /// Calls that name only this target use this session from now on.
    fn make_default(&mut self, key: TargetKey, session: &Arc<Session>) {
        let earlier = self.defaults.insert(key, session.name.clone());
        if let Some(earlier) = earlier.and_then(|name| self.sessions.get(&name)) {
            earlier.set_default(false);
        }
        session.set_default(true);
    }
}

/// A destination as a call names it.
#[derive(Clone, Debug, Default)]
pub struct HostCall {
    /// The host's name.
    pub host: String,
    /// What is laid over its configuration.
    pub overrides: Overrides,
}

impl Registry {
    /// No session yet.
    pub fn new(
        config: Arc<ConfigStore>,
        pool: Arc<Pool>,
        commands: Arc<Commands>,
        recordings: Recordings,
        store: Store,
    ) -> Self {
        let durables = Arc::new(Durables::new(pool.clone()));
        Self {
            config,
            pool,
            commands,
            recordings,
            durables,
            claims: Arc::new(Claims::with(Labels::new(store.clone()))),
            store,
            inner: Mutex::default(),
            resolved: Resolved::default(),
        }
    }

    /// The target of a host.
    pub async fn resolve(&self, call: &HostCall) -> Result<Target, Fault> {
        self.resolved.get(&self.config, call).await
    }

    /// The session of this name.
    pub fn session(&self, name: &str) -> Result<Arc<Session>, Fault> {
        let (mut found, mut closed, mut is_gone) = (None, None, false);
        if let Ok(name) = SessionName::parse(name) {
            let inner = self.lock();
            found = inner.sessions.get(&name).cloned();
            closed = inner
                .closed_idle
                .iter()
                .rfind(|(closed, _)| *closed == name)
                .map(|(_, after)| *after);
            is_gone = inner.gone.contains_key(&name);
        }
        found.filter(|session| !session.is_closing()).ok_or_else(|| {
            let closed = match closed {
                Some(seconds) => {
                    format!(
                        ": it was closed when nothing had happened in it for {seconds} s (close_idle_after)"
                    )
                }
                None if is_gone => {
                    ": it ended with an earlier daemon, and its shell and what ran there with it".to_owned()
                }
                None => String::new(),
            };
            Fault::new(
                Reason::SessionNotFound,
                format!("there is no session {:?}{closed}", shorten(name, 80)),
            )
            .hint("list_sessions shows the open ones; with `host` it would be opened under that name")
        })
    }

    fn start(&self, opening: Opening) -> Arc<Session> {
        if let (Some(labels), Some(saved)) = (self.claims.labels(), &opening.kept) {
            labels.hold(&saved.kept);
        }
        let recorder = self.recordings.recorder(&opening.name);
        let session = Session::begin(
            opening,
            self.pool.clone(),
            self.claims.clone(),
            self.commands.clone(),
            recorder,
            self.store.clone(),
        );
        session.save();
        session
    }

    /// What is wrong with what must survive the daemon.
    pub fn state_problems(&self) -> Vec<String> {
        let mut problems = self.store.problems();
        problems.extend(self.commands.problems());
        problems
    }

    /// All sessions, by name.
    pub fn list(&self) -> Vec<Arc<Session>> {
        self.lock()
            .sessions
            .values()
            .filter(|session| !session.is_closing())
            .cloned()
            .collect()
    }

    /// Sessions whose host is not reached now, each with its state.
    pub fn away(&self) -> Vec<String> {
        let all = self.list();
        all.iter()
            .filter_map(|session| Some(format!("{}: {}", session.name, session.summary().away()?)))
            .collect()
    }

    /// The sessions of one target.
    pub fn on_target(&self, key: &TargetKey) -> Vec<Arc<Session>> {
        self.list()
            .into_iter()
            .filter(|session| session.target().key() == *key)
            .collect()
    }

    /// A target as a session there has found it to be: a network device, or as it is configured.
    pub fn as_found(&self, mut target: Target) -> Target {
        let sessions = self.on_target(&target.key());
        if target.kind == Kind::Auto && sessions.iter().any(|session| session.summary().is_device) {
            target.kind = Kind::Network;
        }
        target
    }

    /// The session that calls use which name only this target.
    pub fn default_of(&self, key: &TargetKey) -> Option<Arc<Session>> {
        let inner = self.lock();
        let name = inner.defaults.get(key)?;
        inner
            .sessions
            .get(name)
            .filter(|session| !session.is_closing())
            .cloned()
    }

    /// This session is its target's default.
    pub fn is_default(&self, session: &Session) -> bool {
        self.lock().defaults.get(&session.target().key()) == Some(&session.name)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
