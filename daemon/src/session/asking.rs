//! Calls to a session's task: each is a request, and most wait for what comes back.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::oneshot;

use super::{
    Caller, Durable, Given, LOOK_MAX, Look, Request, Run, Session, Shown, Signal, Signalled, Signalling,
};
use crate::{command::Command, id::CommandId, shell::front::Foreground, terminal::screen::Painting};

/// A shell that does not go is left to sshd after this.
const CLOSE_WAIT: Duration = Duration::from_secs(4);

impl Session {
    /// Makes sure that there is a shell; true if one was opened for this.
    pub async fn open(&self, client: Caller) -> Result<bool, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Open(client, reply)).await?;
        answer.await.map_err(|_| self.gone())?
    }

    /// Ends the session if nothing has happened in it for so long; says whether it was ended.
    pub async fn close_if_idle(&self, limit: Duration) -> bool {
        let (reply, answer) = oneshot::channel();
        if self.ask(Request::CloseIfIdle(limit, reply)).await.is_err() {
            return false;
        }
        answer.await.unwrap_or(false)
    }

    /// Hands a command over, unless as many wait for their turn already as may; what comes back fires if it could not be
    /// run.
    pub(crate) async fn run(
        &self,
        command: Arc<Command>,
        given: Given,
        client: Caller,
        queue_max: usize,
        durable: Option<Durable>,
    ) -> Result<oneshot::Receiver<Fault>, Fault> {
        let (failed, failure) = oneshot::channel();
        self.ask(Request::Run(Run {
            command,
            stdin: given.stdin,
            sudo_password: given.sudo_password,
            enable: given.enable.map(Box::new),
            sudo_nonce: None,
            client,
            failed,
            attempts: 0,
            queue_max,
            durable,
        }))
        .await?;
        Ok(failure)
    }

    /// Takes a command back that has not started; false if it has.
    pub async fn withdraw(&self, id: CommandId) -> bool {
        let (reply, answer) = oneshot::channel();
        if self.ask(Request::Withdraw(id, reply)).await.is_err() {
            return false;
        }
        answer.await.unwrap_or(false)
    }

    /// Tells it that somebody waits for a command of its.
    pub fn watch(&self) {
        // A full queue means that its task is about to look anyway.
        let _ = self.requests.try_send(Request::Watch);
    }

    /// Has the running command looked at, so that what is said of it is true now; returns when that is done, or takes
    /// too long.
    pub async fn look_now(&self) {
        let (reply, answer) = oneshot::channel();
        if self.requests.try_send(Request::LookNow(reply)).is_ok() {
            let _ = tokio::time::timeout(LOOK_MAX, answer).await;
        }
    }

    /// Types bytes into the terminal; the prompt that answers them comes when `prompts` is above what comes back.
    pub async fn type_bytes(&self, bytes: Vec<u8>, client: Caller) -> Result<u64, Fault> {
        self.type_in(bytes, false, false, client).await
    }

    /// Types a command's line, unless a half-typed one stands at the prompt.
    pub async fn type_line(&self, bytes: Vec<u8>, client: Caller) -> Result<u64, Fault> {
        self.type_in(bytes, false, true, client).await
    }

    /// Types a secret with its Enter, unless the shell is at its prompt, which would show it.
    pub async fn type_secret(&self, bytes: Vec<u8>, client: Caller) -> Result<u64, Fault> {
        self.type_in(bytes, true, true, client).await
    }

    async fn type_in(
        &self,
        bytes: Vec<u8>,
        secret: bool,
        is_line: bool,
        client: Caller,
    ) -> Result<u64, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Type {
            bytes,
            secret,
            is_line,
            client,
            reply,
        })
        .await?;
        answer.await.map_err(|_| self.gone())?
    }

    /// Signals what runs; with `only`, nothing but that command.
    pub async fn signal(&self, signal: Signal, only: Option<CommandId>) -> Result<Signalled, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Signal(Signalling { signal, only, reply }))
            .await?;
        answer.await.map_err(|_| self.gone())?
    }

    /// Who is in front of the shell.
    pub async fn foreground(&self) -> Foreground {
        let (reply, answer) = oneshot::channel();
        match self.ask(Request::Foreground(reply)).await {
            Ok(()) => answer.await.unwrap_or(Foreground::unknown()),
            Err(_) => Foreground::unknown(),
        }
    }

    /// What the terminal showed.
    pub async fn look(&self, look: Look) -> Result<Shown, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Look(look, reply)).await?;
        answer.await.map_err(|_| self.gone())
    }

    /// The screen for a person's terminal of so many columns and rows.
    pub async fn paint(&self, cols: u16, rows: u16) -> Result<Painting, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Paint(cols, rows, reply)).await?;
        answer.await.map_err(|_| self.gone())
    }

    /// Gives its terminal so many columns and rows.
    pub async fn resize(&self, cols: u16, rows: u16) -> Result<(), Fault> {
        self.ask(Request::Resize(cols, rows)).await
    }

    /// Lets go of a session whose shell is kept, as the daemon ends: the next one comes back to it. Any other is ended.
    pub async fn leave(&self) -> Option<CommandId> {
        self.closing.store(true, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Leave(reply)).await.ok()?;
        tokio::time::timeout(CLOSE_WAIT, answer).await.ok()?.ok()?
    }

    /// Ends the session, and returns when its shell is gone; the command that was running comes back.
    pub async fn close(&self) -> Option<CommandId> {
        self.closing.store(true, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Close(reply)).await.ok()?;
        tokio::time::timeout(CLOSE_WAIT, answer).await.ok()?.ok()?
    }

    async fn ask(&self, request: Request) -> Result<(), Fault> {
        self.requests.send(request).await.map_err(|_| self.gone())
    }

    fn gone(&self) -> Fault {
        Fault::new(
            Reason::SessionNotFound,
            format!("the session {} was closed", self.name),
        )
        .hint("open it again with open_session")
    }
}
