//! The end of a session, or of its shell alone: whoever waits is told, and what runs there is lost, ended or left.

use std::time::Duration;

use sshmcp_proto::{error::Fault, v1::Reason};

use super::Actor;
use crate::{
    command::Status,
    connection::Pulse,
    id::CommandId,
    session::open::{Back, come_back},
};

/// A session that is closed from afar is given up after this; on the host its own time ends it.
const ENDING_MAX: Duration = Duration::from_secs(3);

impl Actor {
    /// Ends everything; the id of the command that was running comes back.
    pub(super) async fn close(&mut self) -> Option<CommandId> {
        let gone = Fault::new(
            Reason::SessionNotFound,
            format!("the session {} was closed", self.session.name),
        )
        .hint("nothing was run; open the session again with open_session");
        for run in self.queue.drain(..) {
            run.fail(gone.clone());
        }
        for reply in self.waiting_open.drain(..) {
            let _ = reply.send(Err(gone.clone()));
        }
        if let Some(starting) = self.starting.take() {
            starting.task.abort();
            if let Some(place) = starting.begun.take() {
                place.end().await;
            }
        }
        let running = self.running_away().cloned();
        if let Some(command) = &running {
            command.notice("the session was closed while the command ran");
            command.end(Status::Lost, None, None);
        }
        if self.shell.is_none() && self.is_away() {
            self.end_from_afar().await;
            return running.map(|command| command.id);
        }
        let shell = self.shell.take()?;
        self.claims.remove(shell.link.road.id(), shell.link.shell.pid);
        if shell.link.is_down() {
            self.end_from_afar().await;
        } else {
            if shell.link.kept.is_none() && matches!(*shell.pulse.borrow(), Pulse::Stalled { .. }) {
                self.leave_ghost_later(&shell.link.hello.dir, shell.link.road.clone());
            }
            shell.link.close().await;
            if let Some(labels) = self.claims.labels() {
                labels.release(&self.session.kept());
            }
        }
        running
            .filter(|command| !command.internal)
            .map(|command| command.id)
    }

    /// The daemon ends: a kept shell is left as it is, any other is ended.
    pub(super) async fn leave(&mut self) -> Option<CommandId> {
        if !self.is_kept() {
            return self.close().await;
        }
        let gone = Fault::new(Reason::DaemonUnavailable, "the daemon is ending").retryable();
        for run in self.queue.drain(..) {
            run.fail(gone.clone());
        }
        for reply in self.waiting_open.drain(..) {
            let _ = reply.send(Err(gone.clone()));
        }
        self.returning = None;
        let shell = self.shell.take()?;
        let running = shell.running.clone();
        shell.link.leave().await;
        running
            .filter(|command| !command.internal && command.state().status != Status::Queued)
            .map(|command| command.id)
    }

    /// Ends a kept shell that we are away from, if the host can be reached now.
    async fn end_from_afar(&mut self) {
        let Some(returning) = self.returning.take() else {
            return;
        };
        let kept = returning.kept.clone();
        let (pool, target) = (self.pool.clone(), self.session.target());
        let _ = tokio::time::timeout(ENDING_MAX, async move {
            if let Ok(Back { link, .. }) = come_back(&pool, &target, kept, None).await {
                link.close().await;
            }
        })
        .await;
    }

    /// The shell is gone: the running command is lost unless it ended.
    pub(super) async fn lose(&mut self, cause: &str, connection_lost: bool) {
        // What has ended is not lost.
        Box::pin(self.end_stopped(None)).await;
        if connection_lost && self.go_away(cause) {
            return;
        }
        let Some(mut shell) = self.shell.take() else {
            return;
        };
        self.view.release();
        self.claims.remove(shell.link.road.id(), shell.link.shell.pid);
        self.draining = None;
        if let Some(command) = shell.running.take() {
            command.notice(format!(
                "{cause}; whether the command ended, and how, is not known"
            ));
            command.end(Status::Lost, None, None);
        }
        shell.signals.lose(cause);
        if shell.link.kept.is_some() {
            self.keep_nothing();
        }
        tracing::info!(session = %self.session.name, cause, connection_lost, "shell gone");
        self.ended = Some(cause.to_owned());
        if connection_lost {
            self.leave_ghost(&shell.link.hello.dir);
        }
        // Closing may wait for a host that is slow; the session goes on meanwhile.
        tokio::spawn(shell.link.close());
    }
}
