//! Which sessions exist: finds, opens, lists and closes them by name and by host. Knows nothing of bytes and prompts.

mod adopt;
mod local;
mod resolved;
mod restore;
mod road;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use sshmcp_proto::{error::Fault, v1::Reason};

use crate::{
    command::{Commands, Status},
    config::{ConfigStore, Keeper, Kind},
    connection::Pool,
    durable::Durables,
    host::{Overrides, Target, TargetKey},
    id::{CommandId, SessionName, shorten},
    recording::Recordings,
    session::{self, Claims, Labels, Opening, Session, SessionState},
    state::{SavedSession, Store},
};
use resolved::Resolved;

/// Terminal size of a session that nobody gave one: wide enough for tables, high enough for a screen of text.
pub const COLS: u16 = 120;
/// As `COLS`.
pub const ROWS: u16 = 40;

/// Shortest and longest time between two looks for sessions in which nothing happens.
const IDLE_LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
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

/// How a session is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The host; none: the session must exist.
    pub host: Option<HostCall>,
    /// The session's name; none: the host's default session.
    pub session: Option<String>,
    /// Terminal size if it has to be opened.
    pub size: Option<(u16, u16)>,
    /// What is to keep its shell, if it has to be opened.
    pub keeper: Option<Keeper>,
}

/// A session for a call.
pub struct Found {
    /// The session.
    pub session: Arc<Session>,
    /// What the caller must know of how it was chosen.
    pub notice: Option<String>,
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

    /// The session that a call means: it is there, or is begun now.
    pub async fn find(&self, wanted: &Wanted) -> Result<Found, Fault> {
        let Some(call) = &wanted.host else {
            let name = wanted.session.as_deref().ok_or_else(|| {
                Fault::new(Reason::InvalidArgument, "neither `host` nor `session` is given")
                    .hint("name a host, or a session that list_sessions shows")
            })?;
            let session = self.session(name)?;
            self.resolve_again(&session).await?;
            return Ok(Found {
                session,
                notice: None,
            });
        };
        let target = self.resolve(call).await?;
        let key = target.key();
        let named = wanted.session.as_deref().map(SessionName::parse).transpose()?;
        if named.is_none()
            && let Some(session) = self.default_of(&key)
            && self.is_held(&session)
        {
            // It may have come to read the terminal since, and then it has to be answered.
            session.look_now().await;
        }
        let mut inner = self.lock();
        inner.sessions.retain(|_, session| !session.is_closing());
        if let Some(name) = named {
            return match inner.sessions.get(&name) {
                Some(session) if session.target().key() == key => {
                    session.refresh(target);
                    Ok(Found {
                        session: session.clone(),
                        notice: None,
                    })
                }
                Some(session) => Err(Fault::new(
                    Reason::Conflict,
                    format!(
                        "the session {name} is on another target, {}",
                        session.target().key()
                    ),
                )
                .hint("choose another name, or close that session")),
                None => self.begin(&mut inner, name, call, target, wanted, None),
            };
        }
        let default = inner.defaults.get(&key).cloned();
        let existing = default
            .as_ref()
            .and_then(|name| inner.sessions.get(name).cloned());
        match existing {
            Some(session) if self.is_held(&session) => {
                let name = Self::free_name(&inner, &SessionName::for_host(&session.host));
                let cwd = session.summary().cwd;
                let running = session.summary().running;
                let held = running.map_or_else(String::new, |id| format!(" ({id})"));
                let notice = format!(
                    "session {} is held by a command that is still running{held}; this ran in the further session {name}, in the same directory, which is the host's default from now on",
                    session.name
                );
                let mut found = self.begin(&mut inner, name, call, target, wanted, Some(cwd))?;
                inner.make_default(key, &found.session);
                found.notice = Some(notice);
                Ok(found)
            }
            Some(session) => {
                session.refresh(target);
                Ok(Found {
                    session,
                    notice: None,
                })
            }
            None => {
                let name = SessionName::for_host(&call.host);
                let name = match inner.sessions.get(&name).cloned() {
                    Some(session) if session.target().key() == key => {
                        session.refresh(target);
                        inner.make_default(key, &session);
                        return Ok(Found {
                            session,
                            notice: None,
                        });
                    }
                    Some(_) => Self::free_name(&inner, &name),
                    None => name,
                };
                let found = self.begin(&mut inner, name, call, target, wanted, None)?;
                inner.make_default(key, &found.session);
                Ok(found)
            }
        }
    }

    /// A command runs there and its caller was told so: the next call need not wait behind it. A command that waits
    /// for input is different: it has to be answered there.
    fn is_held(&self, session: &Session) -> bool {
        let summary = session.summary();
        if summary.state != SessionState::Busy {
            return false;
        }
        summary
            .running
            .and_then(|id| self.commands.find(&id.to_string()).ok())
            .is_some_and(|command| {
                let state = command.state();
                state.told_running && !state.status.is_final() && !matches!(state.status, Status::Awaiting(_))
            })
    }

    fn free_name(inner: &Inner, base: &SessionName) -> SessionName {
        (2..)
            .map(|number| base.numbered(number))
            .find(|name| !inner.sessions.contains_key(name))
            .unwrap_or_else(|| base.clone())
    }

    fn begin(
        &self,
        inner: &mut Inner,
        name: SessionName,
        call: &HostCall,
        target: Target,
        wanted: &Wanted,
        cwd: Option<String>,
    ) -> Result<Found, Fault> {
        let settings = &self.config.current().settings;
        let key = target.key();
        let there = inner
            .sessions
            .values()
            .filter(|session| session.target().key() == key)
            .count();
        if inner.sessions.len() >= settings.max_sessions || there >= settings.max_sessions_per_host {
            let (limit, place, name) = if there >= settings.max_sessions_per_host {
                (
                    settings.max_sessions_per_host,
                    format!(" on {key}"),
                    "max_sessions_per_host",
                )
            } else {
                (settings.max_sessions, String::new(), "max_sessions")
            };
            return Err(Fault::new(
                Reason::LimitReached,
                format!("{limit} sessions are open{place}, as many as {name} allows; nothing was opened"),
            )
            .hint(format!(
                "close sessions that are not used any more (list_sessions shows them), or raise {name} in [settings] of config.toml"
            )));
        }
        let (cols, rows) = wanted.size.unwrap_or((COLS, ROWS));
        let keeper = wanted.keeper.or(target.keeper).unwrap_or(settings.keeper);
        let gone = inner.gone.remove(&name);
        let gone = gone.filter(|gone| session::key(gone) == key);
        let opening = Opening {
            name: name.clone(),
            host: call.host.clone(),
            orphan_after: target.orphan_after.unwrap_or(settings.orphan_after),
            target,
            cols,
            rows,
            ended: gone
                .as_ref()
                .map(|_| "the earlier one ended with the daemon, which was started again".to_owned()),
            cwd: cwd.or_else(|| gone.map(|gone| gone.cwd)),
            overrides: Overrides {
                password: None,
                ..call.overrides.clone()
            },
            keeper,
            kept: None,
            is_found: false,
        };
        let session = self.start(opening);
        inner.sessions.insert(name, session.clone());
        Ok(Found {
            session,
            notice: None,
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

    /// Closes sessions for good, all at the same time; each comes back with the command that was still running.
    pub async fn close(&self, sessions: Vec<Arc<Session>>) -> Vec<(SessionName, Option<CommandId>)> {
        let closed = self.close_all(sessions, false).await;
        for (name, _) in &closed {
            self.store.remove_session(name.as_str());
        }
        closed
    }

    /// Ends sessions as the daemon ends, and lets go of those that are kept; the next one will remember all of them. Those
    /// that ended come back.
    pub async fn end(&self, sessions: Vec<Arc<Session>>) -> Vec<(SessionName, Option<CommandId>)> {
        let (kept, others): (Vec<_>, Vec<_>) = sessions.into_iter().partition(|session| session.is_kept());
        let (_, ended) = tokio::join!(self.close_all(kept, true), self.close_all(others, false));
        ended
    }

    async fn close_all(
        &self,
        sessions: Vec<Arc<Session>>,
        is_leaving: bool,
    ) -> Vec<(SessionName, Option<CommandId>)> {
        let closing = sessions.into_iter().map(|session| async move {
            let running = if is_leaving {
                session.leave().await
            } else {
                session.close().await
            };
            (session, running)
        });
        let closed = join_all(closing).await;
        let mut inner = self.lock();
        for (session, _) in &closed {
            inner.forget(session);
        }
        drop(inner);
        closed
            .into_iter()
            .map(|(session, running)| (session.name.clone(), running))
            .collect()
    }

    /// Closes the sessions in which nothing has happened for as long as the settings say, if they say so; for ever.
    pub async fn close_idle(&self) {
        loop {
            let limit = self.config.current().settings.close_idle_after;
            tokio::time::sleep(
                limit.map_or(IDLE_LOOK.1, |limit| (limit / 10).clamp(IDLE_LOOK.0, IDLE_LOOK.1)),
            )
            .await;
            let Some(limit) = limit else { continue };
            for session in self.list() {
                let idle = session.idle_for().is_some_and(|idle| idle >= limit);
                if idle {
                    self.close_one_idle(&session, limit).await;
                }
            }
        }
    }

    /// Who asks for it while it is being closed is told why already.
    async fn close_one_idle(&self, session: &Arc<Session>, limit: Duration) {
        let seconds = limit.as_secs();
        self.lock().remember_closed(&session.name, seconds);
        let closed = session.close_if_idle(limit).await;
        let mut inner = self.lock();
        if closed {
            inner.forget(session);
            self.store.remove_session(session.name.as_str());
            tracing::info!(session = %session.name, seconds, "closed: nothing happened in it");
        } else {
            inner.closed_idle.retain(|(name, _)| *name != session.name);
        }
    }

    /// Forgets a session that never had a shell, after it failed to open.
    pub async fn discard(&self, session: &Arc<Session>) {
        if !session.kept().is_null() {
            // There is a shell to come back to, when that is possible.
            return;
        }
        if session.summary().state == SessionState::Disconnected && session.summary().shell.is_empty() {
            self.close(vec![session.clone()]).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
