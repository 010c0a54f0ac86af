//! What somebody types, into the terminal or to a start-up file that asks. The reply comes once the far side has taken it.
//!
//! What is typed to a command waits until the shell has fetched that: before, the shell's line editor has the terminal in modes
//! of its own, and Enter would not be one when these go. What is typed behind a command's end waits for the prompt, a moment:
//! before, the terminal shows it, and the line editor once more, or the prompt is drawn behind it.

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
/// A prompt is drawn in milliseconds, and later on a busy host; what is typed before a slow one is typed ahead.
const PROMPT_MAX: Duration = Duration::from_secs(1);
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
    /// Types once a command that was handed over is fetched, or the prompt behind one is drawn, in the order in which it came.
    pub(super) async fn type_in_turn(
        &mut self,
        client: Caller,
        bytes: Vec<u8>,
        secret: bool,
        reply: oneshot::Sender<Result<u64, Fault>>,
    ) {
        let longest = if self.is_unfetched() {
            FETCH_MAX
        } else if !self.held.is_empty() || self.draws_prompt() {
            PROMPT_MAX
        } else {
            self.type_as(&client, bytes, secret, reply).await;
            return;
        };
        if self.held.len() >= HELD_MAX {
            let fault = Fault::new(
                Reason::LimitReached,
                format!("{HELD_MAX} inputs wait for a command that begins; nothing of this one was typed"),
            );
            let _ = reply.send(Err(fault.hint("type it again in a moment").retryable()));
            return;
        }
        self.held.push_back(Held {
            client,
            bytes,
            secret,
            reply,
            due: Instant::now() + longest,
        });
    }

    fn is_unfetched(&self) -> bool {
        let shell = self.shell.as_ref();
        shell.is_some_and(|shell| shell.unfetched.is_some() && !shell.machine.has_started())
    }

    /// A command has ended, and the prompt behind it is on its way. What was typed ahead runs first.
    fn draws_prompt(&self) -> bool {
        let shell = self.shell.as_ref();
        shell.is_some_and(|shell| match shell.machine.phase() {
            Phase::Settling { .. } => shell.exit_at.is_none() && !shell.machine.has_ahead(),
            // Elsewhere the prompt itself tells that it comes.
            Phase::Ready { half_typed: false } => {
                matches!(shell.link.shell.kind.as_str(), "bash" | "zsh" | "fish") && self.view.is_drawing()
            }
            Phase::Ready { half_typed: true } => false,
            Phase::Busy(_) | Phase::Typed => false,
        })
    }

    /// When what waits is typed whatever else comes.
    pub(super) fn held_due(&self) -> Option<Instant> {
        self.held.front().map(|held| held.due)
    }

    /// Types what need not wait any more.
    pub(super) async fn type_held(&mut self) {
        while let Some(due) = self.held_due() {
            let waits = self.is_unfetched() || self.draws_prompt();
            if waits && due > Instant::now() {
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
        // Ctrl-C runs nothing there, and on an empty line brings no prompt.
        let is_fish = shell.link.shell.kind == "fish";
        let clears = bytes
            .last()
            .is_some_and(|byte| *byte == 0x15 || is_fish && *byte == 0x03);
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
