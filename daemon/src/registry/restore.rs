//! What an earlier daemon left: sessions that have something to come back to are made again, the others are remembered as
//! gone. Attaching is the session's own.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::{Instant, timeout_at};

use super::{HostCall, Registry, local};
use crate::{
    command::{Command, Status},
    config::Keeper,
    durable::Place,
    host::{Overrides, Target},
    id::SessionName,
    session::{NOT_FOUND, Opening, Session, key},
    state::SavedSession,
};

/// Hosts that are resolved at a time: each may be a process.
const AT_A_TIME: usize = 8;
/// Nobody is served before that; hosts that are not resolved then are so while others are served.
const RESOLVE_MAX: Duration = Duration::from_millis(1500);
/// A durable command's host that cannot be resolved is tried again after this.
const RESOLVE_AGAIN: Duration = Duration::from_secs(15);
/// Sessions that ended with an earlier daemon are remembered for whoever asks for them again: so many, the latest.
const GONE_MAX: usize = 100;

pub(super) fn call(saved: &SavedSession) -> HostCall {
    HostCall {
        host: saved.host.clone(),
        overrides: Overrides {
            username: saved.username.clone(),
            port: saved.port,
            key_filename: saved.key_filename.clone(),
            password: None,
            hostname: saved.hostname.clone(),
        },
    }
}

impl Registry {
    /// Makes the sessions again that an earlier daemon left; before anybody is served.
    pub async fn restore(&self, mut saved: Vec<SavedSession>) {
        local::add(&self.store, &mut saved).await;
        let (kept, mut gone): (Vec<_>, Vec<_>) = saved.into_iter().partition(SavedSession::is_kept);
        gone.sort_by_key(|session| std::cmp::Reverse(session.last_used_ms));
        for (number, session) in gone.into_iter().enumerate() {
            match SessionName::parse(&session.name) {
                Ok(name) if number < GONE_MAX => {
                    self.lock().gone.insert(name, session);
                }
                Ok(_) | Err(_) => self.store.remove_session(&session.name),
            }
        }
        self.store.sweep_shown();
        let until = Instant::now() + RESOLVE_MAX;
        for some in kept.chunks(AT_A_TIME) {
            join_all(some.iter().map(|session| self.restore_one(session, until))).await;
        }
        self.end_orphans();
    }

    async fn restore_one(&self, saved: &SavedSession, until: Instant) {
        let Ok(name) = SessionName::parse(&saved.name) else {
            self.store.remove_session(&saved.name);
            return;
        };
        let call = call(saved);
        let key = key(saved);
        let resolved = timeout_at(until, self.resolve(&call)).await;
        let target = resolved
            .ok()
            .and_then(Result::ok)
            .filter(|target| target.key() == key);
        let is_resolved = target.is_some();
        let own = target.as_ref().and_then(|target| target.orphan_after);
        let orphan_after = own.unwrap_or(self.config.current().settings.orphan_after);
        let opening = Opening {
            name: name.clone(),
            host: saved.host.clone(),
            target: target.unwrap_or_else(|| Target::bare(&saved.host, &key)),
            cols: saved.cols,
            rows: saved.rows,
            cwd: None,
            overrides: call.overrides.clone(),
            keeper: Keeper::from_word(&saved.keeper).unwrap_or_default(),
            orphan_after,
            ended: Some("the daemon was started again".to_owned()),
            kept: Some(saved.clone()),
            is_found: false,
        };
        let session = self.start(opening);
        tracing::info!(session = %name, keeper = %saved.keeper, is_resolved, "made again");
        let mut inner = self.lock();
        if !is_resolved {
            inner.unresolved.insert(name.clone(), call);
        }
        if saved.is_default {
            inner.defaults.insert(key, name.clone());
        }
        inner.sessions.insert(name, session);
    }

    /// Follows the durable commands that an earlier daemon left, each as soon as its host can be resolved.
    pub fn follow_again(self: Arc<Self>) {
        for command in self.commands.list() {
            if let Some(place) = Place::of(&command) {
                let registry = self.clone();
                tokio::spawn(async move { registry.follow_one_again(command, place).await });
            }
        }
    }

    async fn follow_one_again(&self, command: Arc<Command>, place: Place) {
        let call = HostCall {
            host: place.host.name.clone(),
            overrides: place.host.overrides(),
        };
        let mut told: Option<String> = None;
        loop {
            let why = match self.resolve(&call).await {
                Ok(target) if target.key() == place.host.key() => {
                    if let Some(words) = told {
                        command.change(|state| state.notices.retain(|notice| *notice != words));
                    }
                    self.durables.follow(command, target, place);
                    return;
                }
                Ok(target) => format!(
                    "the command runs on {}, and the host {:?} means {} now: it is followed again when it means that",
                    place.host.key(),
                    call.host,
                    target.key()
                ),
                Err(fault) => format!(
                    "the command's host cannot be resolved ({}); it is followed again when it can",
                    fault.message
                ),
            };
            command.notice(why.clone());
            told = Some(why);
            tokio::time::sleep(RESOLVE_AGAIN).await;
        }
    }

    /// Commands that an earlier daemon left unended, and to which nobody comes back.
    fn end_orphans(&self) {
        for command in self.commands.unfinished() {
            let has_session = self.session(command.session.as_str()).is_ok();
            let is_kept = has_session || !command.place().is_null();
            let status = command.state().status.clone();
            if status == Status::Queued {
                command.notice("nothing was run: the daemon ended before its turn came");
                command.end(Status::Lost, None, None);
            } else if !is_kept {
                command.notice(
                    "its session ended with the daemon; whether the command ended, and how, is not known",
                );
                command.end(Status::Lost, None, None);
            } else if !has_session && Place::of(&command).is_none() {
                command.notice(NOT_FOUND);
            }
        }
    }

    /// Resolves the hosts for which there was no time before. What is refused then is told at the next use.
    pub async fn resolve_rest(&self) {
        let names: Vec<SessionName> = self.lock().unresolved.keys().cloned().collect();
        for some in names.chunks(AT_A_TIME) {
            let each = some.iter().filter_map(|name| self.session(name.as_str()).ok());
            let each = each.map(|session| async move {
                match self.resolve_again(&session).await {
                    // It may be about to come back to its shell.
                    Ok(()) => session.watch(),
                    Err(fault) => tracing::info!(session = %session.name, %fault, "its host is not resolved"),
                }
            });
            join_all(each).await;
        }
    }

    /// A session whose host could not be resolved at the start: it is tried again now.
    pub(super) async fn resolve_again(&self, session: &Arc<Session>) -> Result<(), Fault> {
        let call = self.lock().unresolved.get(&session.name).cloned();
        let Some(call) = call else { return Ok(()) };
        let target = self.resolve(&call).await?;
        let (now, bound) = (target.key(), session.target().key());
        if now != bound {
            return Err(Fault::new(
                Reason::Conflict,
                format!(
                    "the session {} is on {bound}, and the host {:?} means {now} now",
                    session.name, call.host
                ),
            )
            .hint("close the session, or name another"));
        }
        session.refresh(target);
        self.lock().unresolved.remove(&session.name);
        Ok(())
    }
}
