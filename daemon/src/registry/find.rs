//! The session that a call means: by its name or by its host, there already or begun now.

use std::sync::Arc;

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{COLS, HostCall, Inner, ROWS, Registry};
use crate::{
    command::Status,
    config::Keeper,
    host::{Overrides, Target},
    id::SessionName,
    session::{self, Opening, Session, SessionState},
};

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

    pub(super) fn free_name(inner: &Inner, base: &SessionName) -> SessionName {
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
}
