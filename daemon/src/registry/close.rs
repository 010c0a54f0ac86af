//! The end of sessions: closed on request, with the daemon, when nothing happens in them, or because they never had a shell.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;

use super::Registry;
use crate::{
    id::{CommandId, SessionName},
    session::{Session, SessionState},
};

/// Shortest and longest time between two looks for sessions in which nothing happens.
const IDLE_LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

impl Registry {
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
}
