//! What somebody types, into the terminal or to a start-up file that asks. The reply comes once the far side has taken it.
//!
//! What is typed to a command waits until the shell has fetched that: before, the shell's line editor has the terminal in modes
//! of its own, and Enter would not be one when these go.

use std::time::{Duration, Instant};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::oneshot;

use super::Actor;
use crate::session::{
    Caller,
    machine::{Event, Phase},
    outbox::Sent,
};

/// A shell fetches in milliseconds, and in seconds on a busy host. One that has not by then may never do, and somebody has to get
/// at it.
const FETCH_MAX: Duration = Duration::from_secs(2);
/// As many as wait before the session itself.
const HELD_MAX: usize = 64;

/// What waits to be typed.
pub(super) struct Held {
    client: Caller,
    bytes: Vec<u8>,
    secret: bool,
    reply: oneshot::Sender<Result<u64, Fault>>,
    due: Instant,
}

impl Actor {
    /// Types once a command that was handed over is fetched, in the order in which it came.
    pub(super) async fn type_in_turn(
        &mut self,
        client: Caller,
        bytes: Vec<u8>,
        secret: bool,
        reply: oneshot::Sender<Result<u64, Fault>>,
    ) {
        let waits = !self.held.is_empty() || self.is_unfetched();
        if !waits || self.held.len() >= HELD_MAX {
            self.type_as(&client, bytes, secret, reply).await;
            return;
        }
        self.held.push_back(Held {
            client,
            bytes,
            secret,
            reply,
            due: Instant::now() + FETCH_MAX,
        });
    }

    fn is_unfetched(&self) -> bool {
        let shell = self.shell.as_ref();
        shell.is_some_and(|shell| shell.unfetched.is_some() && !shell.machine.has_started())
    }

    /// When what waits is typed whatever else comes.
    pub(super) fn held_due(&self) -> Option<Instant> {
        self.held.front().map(|held| held.due)
    }

    /// Types what need not wait any more.
    pub(super) async fn type_held(&mut self) {
        while let Some(due) = self.held_due() {
            if self.is_unfetched() && due > Instant::now() {
                return;
            }
            let Some(held) = self.held.pop_front() else { return };
            let Held {
                client,
                bytes,
                secret,
                reply,
                due: _,
            } = held;
            self.type_as(&client, bytes, secret, reply).await;
        }
    }

    /// Types for one who may not answer everything: what OpenSSH asks at a login is a person's.
    pub(super) async fn type_as(
        &mut self,
        client: &Caller,
        bytes: Vec<u8>,
        secret: bool,
        reply: oneshot::Sender<Result<u64, Fault>>,
    ) {
        let login = self.asked().filter(|asked| asked.login.is_some());
        match login.filter(|_| !client.is_person) {
            Some(question) => {
                let _ = reply.send(Err(question.fault(&self.session.name)));
            }
            None => self.type_bytes(client.is_person, bytes, secret, reply).await,
        }
    }

    /// Types; the reply comes once the far side has taken all of it.
    async fn type_bytes(
        &mut self,
        is_person: bool,
        bytes: Vec<u8>,
        secret: bool,
        reply: oneshot::Sender<Result<u64, Fault>>,
    ) {
        if self.shell.is_none()
            && let Some(starting) = self.starting.as_ref()
            // A person types the rest of an answer when its first key is there already, and asks no more.
            && (self.asked().is_some() || is_person && starting.has_asked)
        {
            if secret {
                self.mask.add(&bytes, Instant::now());
            }
            // Start-up files wait for it.
            let prompts = self.summary.borrow().prompts;
            starting.dialog.answer(bytes, prompts, reply);
            return;
        }
        let Some(shell) = &mut self.shell else {
            let fault = Fault::new(
                Reason::ConnectionLost,
                "the session has no shell now; nothing was typed",
            );
            let _ = reply.send(Err(fault.hint("execute_command or open_session opens one")));
            return;
        };
        let entered = bytes
            .last()
            .is_some_and(|byte| matches!(byte, b'\r' | b'\n' | 0x03 | 0x04 | 0x15 | 0x1c));
        let clears = bytes.last() == Some(&0x15);
        if shell.machine.is_ready() {
            self.view.begin_line();
        }
        let echo = shell.shows_what_is_typed(secret).then(|| bytes.clone());
        if secret {
            self.mask.add(&bytes, Instant::now());
        }
        let sent = shell.link.write(bytes);
        if let Sent::Done(Err(fault)) = sent {
            let _ = reply.send(Err(fault));
            return;
        }
        tracing::debug!(session = %self.session.name, secret, "typed");
        shell.wrote_since_input = false;
        shell.typed_meanwhile = true;
        self.view.typed();
        if let Some(echo) = echo {
            self.view.expect_echo(&echo);
        }
        // Whatever is run there has a status of its own.
        shell.last_status = None;
        let now = Instant::now();
        let at_prompt = matches!(
            shell.machine.phase(),
            Phase::Ready { .. } | Phase::Settling { .. }
        );
        let is_settling = matches!(shell.machine.phase(), Phase::Settling { .. });
        let effects = if at_prompt && clears {
            shell.machine.clears(now);
            Vec::new()
        } else {
            shell.machine.on(Event::Input { entered }, now)
        };
        // The prompt that is on its way already is not the answer to this.
        let earlier = u64::from(is_settling);
        self.summary.send_modify(|summary| summary.reads = false);
        let prompts = self.summary.borrow().prompts + earlier;
        self.carry_out(effects).await;
        sent.tell(reply, prompts);
    }
}
