//! The way back to a shell that is kept: begun when its connection is lost, tried again with growing pauses, and at once
//! when somebody wants it. What ran goes on meanwhile; nothing is run twice.

mod shell;

use std::{sync::Arc, time::Instant};

use sshmcp_proto::error::Fault;
use tokio::task::JoinHandle;

use super::{Actor, Shell, catching::shown_until};
use crate::{
    command::{Command, Status},
    config::Keeper,
    connection::Backoff,
    recording,
    session::{
        kept::Kept,
        label::{FORGOTTEN, NOT_FOUND},
        open::{Back, NotBack, come_back},
    },
    shell::order,
    state::SavedSession,
};

/// On the way back.
pub(super) struct Returning {
    pub(super) kept: Kept,
    /// What ran when an earlier daemon ended, where it is not known here yet.
    pub(super) running: Option<Arc<Command>>,
    /// The attempt that is under way.
    pub(super) task: Option<JoinHandle<Result<Back, NotBack>>>,
    /// The next one, unless somebody wants it sooner; none: not by itself.
    due: Option<Instant>,
    backoff: Backoff,
    since: Instant,
    cause: String,
    /// Nobody remembered it: it was found on its host.
    is_found: bool,
    /// Where a command that has the terminal was in what that shows, if it is known.
    from: Option<u64>,
}

impl Returning {
    /// When there is something to be done.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        if self.task.is_some() { None } else { self.due }
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Actor {
    /// The shell lives, and its connection does not.
    pub(super) const fn is_away(&self) -> bool {
        self.returning.is_some()
    }

    /// A tmux keeps the shell, wherever we are.
    pub(super) fn is_kept(&self) -> bool {
        self.is_away() || self.shell.as_ref().is_some_and(|shell| shell.link.kept.is_some())
    }

    /// What an earlier daemon left is gone back to.
    pub(super) fn begin_returning(&mut self) {
        let Some(saved) = self.opening.kept.take() else {
            return;
        };
        let cause = self.opening.ended.clone().unwrap_or_default();
        let name = saved.name;
        let running = self.commands.unfinished().into_iter().find(|command| {
            command.session.as_str() == name
                && command.state().status == Status::Running
                && !command.is_durable()
        });
        if let Some(command) = &running {
            command.change(|state| state.notices.retain(|notice| notice != NOT_FOUND));
        }
        let kept: Kept = match serde_json::from_value(saved.kept) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(session = name, %error, "what was remembered of it cannot be read");
                self.never_back(
                    running,
                    &format!("{cause}, and what was remembered of it cannot be read"),
                );
                return;
            }
        };
        // What a state that was lost says of it may be of an earlier shell.
        let running = running.filter(|command| {
            if kept.unsure {
                command.notice(format!(
                    "{cause}, and its state was lost; whether the command ended, and how, is not known"
                ));
                command.end(Status::Lost, None, None);
            }
            !kept.unsure
        });
        self.opened_before = true;
        let from = running.as_deref().and_then(shown_until);
        self.returning = Some(Returning {
            kept,
            running,
            task: None,
            due: None,
            backoff: Backoff::new(),
            since: Instant::now(),
            cause,
            is_found: self.opening.is_found,
            from,
        });
        self.return_now();
    }

    /// The shell of this session, which nobody remembered, was found on its host: it is gone back to instead of a new one.
    pub(super) fn take_over(&mut self, left: SavedSession) {
        (self.opening.cols, self.opening.rows) = (left.cols, left.rows);
        self.view.resize(left.cols, left.rows);
        self.opening.keeper = Keeper::RemoteTmux;
        let was_kept = self.session.is_kept();
        self.summary
            .send_modify(|summary| summary.keeper = Keeper::RemoteTmux);
        if !was_kept && let Some((log, shown)) = self.session.shown_log() {
            self.view.outlives(log, shown, left.cursor);
        }
        // It may be anywhere by now, and tells that with its next command.
        self.cwd.clear();
        self.opening.ended = Some(FORGOTTEN.to_owned());
        self.opening.is_found = true;
        self.session.keep(left.kept.clone());
        self.opening.kept = Some(left);
        self.begin_returning();
    }

    /// Has a kept session's directory on its host say whose it is and what.
    pub(super) fn say_whose(&mut self) {
        let Some(shell) = self.shell.as_mut().filter(|shell| {
            let kept = shell.link.kept.as_ref();
            kept.is_some_and(|kept| kept.local.is_none())
        }) else {
            return;
        };
        let labels = self.claims.labels();
        if let Some(label) = labels.and_then(|labels| labels.write(&self.session.as_saved())) {
            shell.link.order(order::label(&label));
        }
    }

    /// Nothing is kept any more of what the session found its shell by.
    pub(super) fn keep_nothing(&self) {
        if let Some(labels) = self.claims.labels() {
            labels.release(&self.session.kept());
        }
        self.session.keep(serde_json::Value::Null);
    }

    /// There is nothing to come back to.
    fn never_back(&mut self, running: Option<Arc<Command>>, cause: &str) {
        if let Some(command) = running {
            command.notice(format!(
                "{cause}; whether the command ended, and how, is not known"
            ));
            command.end(Status::Lost, None, None);
        }
        self.ended = Some(cause.to_owned());
        self.keep_nothing();
    }

    /// The connection was lost: a kept shell is gone back to. False if it is none, or has ended anyway.
    pub(super) fn go_away(&mut self, cause: &str) -> bool {
        let Some(shell) = &mut self.shell else {
            return false;
        };
        let Some(kept) = shell.link.kept.clone().filter(|_| !shell.is_dead) else {
            return false;
        };
        if shell.link.is_down() {
            return true;
        }
        let from = shell.spot.place().filter(|_| shell.shows_output());
        self.view.end_echo();
        shell.link.go_down();
        shell.signals.lose(cause);
        self.claims.remove(shell.link.road.id(), shell.link.shell.pid);
        self.draining = None;
        self.to_follow.clear();
        self.view.release();
        tracing::info!(session = %self.session.name, cause, "away from a kept shell");
        self.returning = Some(Returning {
            kept,
            running: None,
            task: None,
            due: None,
            backoff: Backoff::new(),
            since: Instant::now(),
            cause: cause.to_owned(),
            is_found: false,
            from,
        });
        self.return_now();
        true
    }

    /// Tries it, unless that is being done.
    pub(super) fn return_now(&mut self) {
        let Some(returning) = self
            .returning
            .as_mut()
            .filter(|returning| returning.task.is_none())
        else {
            return;
        };
        let (pool, target, kept) = (self.pool.clone(), self.session.target(), returning.kept.clone());
        let from = returning.from;
        returning.due = None;
        returning.task = Some(tokio::spawn(async move {
            come_back(&pool, &target, kept, from).await
        }));
    }

    pub(super) fn return_when_due(&mut self, now: Instant) {
        let due = self.returning.as_ref().and_then(Returning::deadline);
        if due.is_some_and(|due| due <= now) {
            self.return_now();
        }
    }

    pub(super) async fn on_returned(&mut self, outcome: Result<Back, NotBack>) {
        let Some(returning) = &mut self.returning else {
            return;
        };
        returning.task = None;
        match outcome {
            Ok(back) => self.is_back(back).await,
            Err(NotBack::Gone(words)) => {
                let cause = format!("{}, and {words}", returning.cause);
                let running = returning.running.take();
                if returning.kept.local.is_some() {
                    let remains = returning.kept.dir.clone();
                    self.claims.leave_remains(self.session.target().key(), remains);
                }
                self.returning = None;
                if let Some(shell) = &mut self.shell {
                    shell.link.kept = None;
                    self.lose(&cause, false).await;
                }
                self.never_back(running, &cause);
            }
            Err(NotBack::Failed(fault)) => {
                tracing::info!(session = %self.session.name, %fault, "not back yet");
                returning.due = returning.backoff.after(&fault).map(|wait| Instant::now() + wait);
                let fault = self.still_away(fault);
                for reply in self.waiting_open.drain(..) {
                    let _ = reply.send(Err(fault.clone()));
                }
                for run in self.queue.drain(..) {
                    run.fail(fault.clone());
                }
            }
        }
    }

    /// What a call is told that wanted the session while it is away.
    pub(super) fn still_away(&self, fault: Fault) -> Fault {
        let running = self.running_away();
        let running = running.map_or_else(String::new, |command| format!(" {} goes on there.", command.id));
        let seconds = self
            .returning
            .as_ref()
            .map_or(0, |returning| returning.since.elapsed().as_secs());
        Fault {
            message: format!(
                "session {} is away since {seconds} s and could not come back: {}; nothing was run",
                self.session.name, fault.message
            ),
            hint: format!(
                "its shell is kept on the host and is tried again by itself.{running} {}",
                fault.hint
            ),
            ..fault
        }
    }

    /// What runs there, as far as is known.
    pub(super) fn running_away(&self) -> Option<&Arc<Command>> {
        let left = self
            .returning
            .as_ref()
            .and_then(|returning| returning.running.as_ref());
        left.or_else(|| self.shell.as_ref().and_then(|shell| shell.running.as_ref()))
    }

    async fn is_back(&mut self, back: Back) {
        let Back {
            link,
            ended,
            streams,
            caught,
        } = back;
        let Some(mut returning) = self.returning.take() else {
            return;
        };
        let has_rest = caught.is_some();
        let now = Instant::now();
        self.claims.add(link.road.id(), link.shell.pid);
        match &mut self.shell {
            Some(shell) => {
                shell.come_up(link);
                if !has_rest {
                    shell.machine.returned(now);
                }
            }
            None => {
                let running = returning.running.take();
                self.session.recorder.opened(recording::Opened {
                    target: self.session.target().key().to_string(),
                    shell: link.shell.kind.clone(),
                    size: self.view.size(),
                });
                self.shell = Some(Shell::left_by_another(link, &streams, running, has_rest, now));
            }
        }
        let Some(shell) = &mut self.shell else { return };
        let seconds = returning.since.elapsed().as_secs();
        tracing::info!(session = %self.session.name, seconds, "back at a kept shell");
        let (cause, is_found) = (&returning.cause, returning.is_found);
        let words = if is_found {
            format!("{cause}; its shell was found on the host, and is as it was left")
        } else {
            let wrote = if shell.shows_output() && !has_rest {
                "what it wrote to its terminal meanwhile is not there"
            } else {
                "what it wrote is complete"
            };
            format!("{cause}; the session came back after {seconds} s: its shell lived on, and {wrote}")
        };
        let running = shell.running.as_ref();
        let next = self.queue.iter().filter(|_| is_found).map(|run| &run.command);
        let told = running.into_iter().chain(next).find(|command| !command.internal);
        match told {
            Some(command) => command.notice(words),
            None => self.summary.send_modify(|summary| summary.notice = words),
        }
        self.say_whose();
        let Some(shell) = &mut self.shell else { return };
        self.to_follow = shell.further_sets();
        self.follow_next();
        if let (Some(caught), Some(from)) = (caught, returning.from) {
            self.catch_up(caught, from).await;
        }
        if let Some(code) = ended {
            self.shell_exited(code).await;
            if let Some(shell) = &mut self.shell {
                shell.closed = true;
            }
            self.end_running().await;
            self.finish_if_exited().await;
            return;
        }
        self.tell_wanted();
        self.publish();
    }
}
