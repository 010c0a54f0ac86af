//! What a device's task waits for: its terminal first, but nothing else for ever behind it.

use std::time::Instant;

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{sync::mpsc, time::sleep_until};

use super::{Device, Opened, Stage, Terminal};
use crate::{connection::ChannelEvent, secret::Secret, session::Request};

pub(super) enum Wake {
    Request(Option<Request>),
    Started(Opened),
    Fetched(Result<Secret, Fault>),
    Channel(Option<ChannelEvent>),
    Pulse,
    Time,
}

impl Device {
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
        let Self {
            terminal,
            starting,
            fetching,
            ..
        } = self;
        tokio::select! {
            biased;
            woken = async {
                let Some(Terminal { channel, outbox, pulse, .. }) = terminal else {
                    return std::future::pending().await;
                };
                loop {
                    tokio::select! {
                        biased;
                        () = outbox.write_next(), if outbox.is_waiting() => {}
                        Ok(()) = pulse.changed() => return Wake::Pulse,
                        event = channel.next() => return Wake::Channel(event),
                    }
                }
            } => woken,
            opened = async {
                match starting {
                    Some(task) => task.await.unwrap_or_else(|error| Err(failed_task(&error))),
                    None => std::future::pending().await,
                }
            } => Wake::Started(opened),
            password = async {
                match fetching {
                    Some(task) => task.await.unwrap_or_else(|error| Err(failed_task(&error))),
                    None => std::future::pending().await,
                }
            } => Wake::Fetched(password),
            request = requests.recv() => Wake::Request(request),
            () = async {
                match deadline {
                    Some(at) => sleep_until(tokio::time::Instant::from_std(at)).await,
                    None => std::future::pending().await,
                }
            } => Wake::Time,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let terminal = self.terminal.as_ref()?;
        let stage = match &terminal.stage {
            Stage::Greeting(greeting) => Some(greeting.deadline(terminal.last)),
            Stage::Setup(setup) => Some(setup.deadline()),
            Stage::Enabling(enabling) => Some(enabling.deadline()),
            Stage::Busy(busy) => busy.deadline(),
            Stage::Ready | Stage::Typed(_) => None,
        };
        let due = terminal.due.as_ref().map(|(at, _)| *at);
        stage.into_iter().chain(due).min()
    }
}

fn failed_task(error: &tokio::task::JoinError) -> Fault {
    Fault::new(Reason::Internal, format!("a task of the session failed: {error}"))
}
