//! What a session's task waits for: its channels first, but nothing else for ever behind them.

use std::time::Instant;

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{sync::mpsc, time::sleep_until};

use super::{Actor, Shell, returning::Returning, starting::Starting, taking};
use crate::{
    connection::Channel,
    secret::Secret,
    session::{
        Request,
        link::LinkEvent,
        open::{Back, NotBack, NotOpened, Opened},
    },
};

/// What woke a session.
pub(super) enum Wake {
    Request(Option<Request>),
    Link(Option<LinkEvent>),
    Pulse,
    Started(Box<Result<Opened, NotOpened>>),
    Returned(Box<Result<Back, NotBack>>),
    Asked,
    Drained(u8, Result<Channel, Fault>),
    Fetched(Result<Secret, Fault>),
    Time,
}

impl Actor {
    /// What comes next. `others_first`: not what the channels say, if there is anything else.
    pub(super) async fn next(&mut self, requests: &mut mpsc::Receiver<Request>, others_first: bool) -> Wake {
        let deadline = self.deadline();
        if others_first {
            if let Ok(request) = requests.try_recv() {
                return Wake::Request(Some(request));
            }
            if deadline.is_some_and(|at| at <= Instant::now()) {
                return Wake::Time;
            }
        }
        let deadline = deadline.map(tokio::time::Instant::from_std);
        let shell = &mut self.shell;
        let starting = &mut self.starting;
        let returning = &mut self.returning;
        let draining = &mut self.draining;
        let fetching = &mut self.fetching;
        tokio::select! {
            biased;
            woken = async {
                let Some(Shell { link, pulse, .. }) = shell else {
                    return std::future::pending().await;
                };
                tokio::select! {
                    biased;
                    Ok(()) = pulse.changed() => Wake::Pulse,
                    event = link.next() => Wake::Link(event),
                }
            } => woken,
            woken = async {
                let Some(Starting { task, dialog, .. }) = starting else {
                    return std::future::pending().await;
                };
                tokio::select! {
                    biased;
                    Ok(()) = dialog.asked.changed() => Wake::Asked,
                    outcome = task => {
                        Wake::Started(Box::new(outcome.unwrap_or_else(|error| Err(failed_task(&error).into()))))
                    }
                }
            } => woken,
            outcome = async {
                let Some(Returning { task: Some(task), .. }) = returning else {
                    return std::future::pending().await;
                };
                task.await.unwrap_or_else(|error| Err(failed_task(&error).into()))
            } => Wake::Returned(Box::new(outcome)),
            (set, outcome) = async {
                match draining {
                    Some((set, task)) => (*set, task.await),
                    None => std::future::pending().await,
                }
            } => Wake::Drained(set, outcome.unwrap_or_else(|error| Err(failed_task(&error)))),
            outcome = async {
                match fetching {
                    Some(task) => task.await,
                    None => std::future::pending().await,
                }
            } => Wake::Fetched(outcome.unwrap_or_else(|error| Err(failed_task(&error)))),
            request = requests.recv() => Wake::Request(request),
            () = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            } => Wake::Time,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if let Some(returning) = &self.returning {
            return returning.deadline();
        }
        let shell = self.shell.as_ref()?;
        let exit = shell.exit_at.map(|at| at + taking::EXIT_GRACE);
        [
            shell.machine.deadline(),
            exit,
            shell.signal_due(),
            shell.question_due(),
            shell.flow.deadline(),
            self.mirror_due(),
            self.view.echo_due(),
            self.mask.due(),
            self.held_due(),
            shell.interest,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

fn failed_task(error: &tokio::task::JoinError) -> Fault {
    Fault::new(Reason::Internal, format!("a task of the session failed: {error}"))
}
