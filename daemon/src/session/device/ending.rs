//! The end of a device's session, or of its terminal alone: whoever waits is told what was not run.

use std::time::Duration;

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::mpsc;

use super::{Device, Stage, opening};
use crate::{command::Status, id::CommandId, session::Request};

/// A device says goodbye at once, or its connection is ended.
const GOODBYE: Duration = Duration::from_secs(1);

impl Device {
    pub(super) async fn end(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
        tell: impl FnOnce(Option<CommandId>),
    ) {
        requests.close();
        while let Ok(request) = requests.try_recv() {
            if let Request::Run(run) = request {
                self.queue.push_back(run);
            }
        }
        let running = self.close().await;
        self.session.recorder.closed().await;
        tell(running);
    }

    /// Ends everything; the id of the command that was running comes back.
    pub(super) async fn close(&mut self) -> Option<CommandId> {
        let gone = Fault::new(
            Reason::SessionNotFound,
            format!("the session {} was closed", self.session.name),
        )
        .hint("nothing was run; open the session again with open_session");
        self.fail_all(&gone);
        if let Some(task) = self.starting.take() {
            task.abort();
        }
        if let Some(task) = self.fetching.take() {
            task.abort();
        }
        let terminal = self.terminal.take()?;
        let running = match terminal.stage {
            Stage::Busy(busy) => {
                busy.command
                    .notice("the session was closed while the command ran");
                busy.command.end(Status::Lost, None, None);
                Some(busy.command.id)
            }
            Stage::Enabling(enabling) => {
                enabling.run.fail(gone);
                None
            }
            Stage::Greeting(_) | Stage::Setup(_) | Stage::Ready | Stage::Typed(_) => None,
        };
        let _ = tokio::time::timeout(GOODBYE, terminal.outbox.writer().close()).await;
        drop(terminal.channel);
        self.pool.end_alone(&terminal.connection).await;
        running
    }

    /// Everybody who waits is told this.
    pub(super) fn fail_all(&mut self, fault: &Fault) {
        for run in self.queue.drain(..) {
            run.fail(fault.clone());
        }
        for reply in self.waiting_open.drain(..) {
            let _ = reply.send(Err(fault.clone()));
        }
    }

    /// The terminal is gone.
    pub(super) fn lose(&mut self, cause: &str, connection_lost: bool) {
        let Some(mut terminal) = self.terminal.take() else {
            return;
        };
        tracing::info!(session = %self.session.name, cause, connection_lost, "terminal gone");
        self.ended = Some(cause.to_owned());
        let said = terminal.lines.tail();
        match std::mem::replace(&mut terminal.stage, Stage::Ready) {
            Stage::Busy(busy) => busy.lose(cause, &said),
            Stage::Enabling(enabling) => enabling.run.fail(
                Fault::new(
                    Reason::ConnectionLost,
                    format!("{cause} before the command was typed; nothing was run"),
                )
                .hint("call again: the next call connects anew")
                .retryable(),
            ),
            Stage::Greeting(_) | Stage::Setup(_) => {
                let fault = Fault::new(
                    if connection_lost {
                        Reason::ConnectionLost
                    } else {
                        Reason::NotSupported
                    },
                    format!(
                        "{cause} before it showed its prompt; its terminal shows: {}",
                        opening::last_words(&said, &self.view.unfinished_line())
                    ),
                )
                .hint("look whether the account may open a terminal there");
                self.summary
                    .send_modify(|summary| summary.not_opened(&fault.message));
                self.publish();
                self.fail_all(&if connection_lost { fault.retryable() } else { fault });
            }
            Stage::Ready | Stage::Typed(_) => {}
        }
        let pool = self.pool.clone();
        tokio::spawn(async move { pool.end_alone(&terminal.connection).await });
    }
}
