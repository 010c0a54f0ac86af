//! sudo's prompt on its way: from the bytes of a command to the password that is typed. The decisions are `sudo`'s.

use std::{hash::BuildHasher as _, sync::Arc, time::Instant};

use sshmcp_proto::error::Fault;
use tokio::sync::oneshot;

use super::{Actor, Shell};
use crate::{
    command::Command,
    id::CommandId,
    output::StreamKind,
    secret::Secret,
    session::{
        Run,
        machine::Event,
        sudo::{Answering, Password, Step},
    },
    shell::{
        order::{self, Capture},
        sudo::{self, Front, Sudo},
    },
};

impl Actor {
    /// How the command meets sudo, and whoever answers its prompt from now on. The password goes out of the request.
    pub(super) fn meet_sudo(&mut self, run: &mut Run, capture: Capture) -> Sudo {
        let given = run.sudo_password.take();
        let Some(shell) = &mut self.shell else {
            return Sudo::Ignored;
        };
        shell.answering = None;
        if shell.link.typed.is_some() || run.command.internal {
            return Sudo::Ignored;
        }
        let text = &run.command.text;
        // A shell that seemed not to take the command may have: it has the nonce of the first time.
        let nonce = run
            .sudo_nonce
            .get_or_insert_with(|| format!("{:016x}", rand::random::<u64>()))
            .clone();
        let (password, sudo) = match (given, self.session.sudo_password()) {
            (Some(given), _) if sudo::begins_with_sudo(text) => {
                (Password::Given(given), Sudo::Answered(nonce))
            }
            (Some(given), _) => {
                let shell = sudo::child_shell(&shell.link.shell.kind, &shell.link.hello.shell);
                (Password::Given(given), Sudo::Below { nonce, shell })
            }
            (None, Some(source)) => (Password::Stored(source), Sudo::Answered(nonce)),
            (None, None) => return Sudo::Ignored,
        };
        let mode = order::mode(capture, run.stdin.is_some(), &sudo);
        let mut answering = Answering::new(run.command.id, &mode, password);
        if matches!(sudo, Sudo::Below { .. }) {
            let (unheard, _) = oneshot::channel();
            answering.set_below(std::mem::replace(&mut run.failed, unheard));
            if sudo::changes_shell(text) {
                run.command.notice(
                    "it ran in a child shell under sudo: the directory and variables that it set are not kept",
                );
            }
        }
        shell.answering = Some(answering);
        sudo
    }

    /// sudo's prompt came in the running command.
    pub(super) async fn sudo_asks(&mut self) {
        let step = self.answering(|answering| Some(answering.asked()));
        self.take_step(step).await;
    }

    /// The helper looked at the terminal.
    pub(super) async fn on_front(&mut self, front: Option<Front>) {
        let step = self.answering(|answering| answering.looked(front));
        self.take_step(step).await;
    }

    /// The stored password came, or did not.
    pub(super) async fn on_fetched(&mut self, outcome: Result<Secret, Fault>) {
        self.fetching = None;
        let hash = outcome.as_ref().ok().map(|secret| self.hash(secret));
        let is_refused = hash.is_some() && hash == self.refused;
        let step = self.answering(|answering| Some(answering.fetched(outcome, |_| is_refused)));
        self.take_step(step).await;
    }

    fn answering(&mut self, ask: impl FnOnce(&mut Answering) -> Option<Step>) -> Option<Step> {
        let shell = self.shell.as_mut()?;
        let running = shell.machine.running();
        let answering = shell.answering.as_mut()?;
        if running == Some(answering.id) {
            ask(answering)
        } else {
            None
        }
    }

    async fn take_step(&mut self, step: Option<Step>) {
        let Some(shell) = &mut self.shell else { return };
        let typed = match step {
            None => return,
            Some(Step::Fetch(source)) => {
                if self.fetching.is_none() {
                    self.fetching = Some(tokio::spawn(async move { source.resolve().await }));
                }
                return;
            }
            Some(Step::Look) => {
                shell.link.order(sudo::LOOK.to_vec());
                return;
            }
            Some(Step::Leave(why)) => {
                if let Some(command) = &shell.running {
                    command.notice(why);
                }
                return;
            }
            Some(Step::Abort) => vec![0x04],
            Some(Step::Release(secret)) => {
                self.released = Some(self.hasher.hash_one(secret.expose().as_bytes()));
                let mut line = secret.expose().as_bytes().to_vec();
                line.push(b'\n');
                line
            }
        };
        // A connection that is gone is told by its own event.
        shell.link.write(typed);
        shell.typed_meanwhile = true;
        // What the connection's buffers keep of it is written over by something longer that means nothing.
        shell.link.order(sudo::FILLER.to_vec());
        tracing::debug!(session = %self.session.name, "sudo's prompt was answered");
        let effects = shell.machine.on(Event::Answered, Instant::now());
        Box::pin(self.carry_out(effects)).await;
    }

    fn hash(&self, secret: &Secret) -> u64 {
        self.hasher.hash_one(secret.expose().as_bytes())
    }

    /// The command ended: says what sudo made of it. Whoever waits hears that it was not run before its end is told.
    pub(super) fn sudo_ended(&mut self, command: &Arc<Command>, code: Option<i32>, interrupted: bool) {
        let Some(shell) = &mut self.shell else { return };
        for rest in shell.rest_of_prompts() {
            command.append(rest.0, &rest.1);
        }
        let Some(answering) = shell.answering.take_if(|answering| answering.id == command.id) else {
            return;
        };
        let ended = answering.ended(code, interrupted);
        if ended.refused {
            self.refused = self.released.take();
        }
        if let Some(notice) = ended.notice {
            command.notice(notice);
        }
        if let Some((failed, fault)) = ended.fault {
            // Nobody waits any more: the notice tells it.
            let _ = failed.send(fault);
        }
    }
}

impl Shell {
    /// Bytes of the running command without our nonce in sudo's prompt; true if it asks.
    pub(super) fn without_nonce(&mut self, stream: Option<StreamKind>, data: Vec<u8>) -> (Vec<u8>, bool) {
        let running = self.machine.running();
        match &mut self.answering {
            // What is typed is echoed on the terminal until the shell has fetched the command.
            Some(answering)
                if running == Some(answering.id) && (stream.is_some() || self.machine.has_started()) =>
            {
                answering.filter(stream, &data)
            }
            Some(_) | None => (data, false),
        }
    }

    /// A frame ends what was written before it.
    pub(super) fn flush_prompts(&mut self, set: u8, stream: StreamKind) {
        let owner = self.machine.owner(set, stream);
        let Some(answering) = &mut self.answering else {
            return;
        };
        if owner != Some(answering.id) {
            return;
        }
        let rest = answering.rest(Some(stream));
        if let Some(command) = self.running.as_ref().filter(|_| !rest.is_empty()) {
            command.append(stream, &rest);
        }
    }

    /// What was held back of the terminal, at the command's end.
    fn rest_of_prompts(&mut self) -> Vec<(StreamKind, Vec<u8>)> {
        let Some(answering) = &mut self.answering else {
            return Vec::new();
        };
        let rest = answering.rest(None);
        let has_terminal = self.running.as_ref().is_none_or(|command| !command.state().apart);
        if rest.is_empty() || !has_terminal {
            return Vec::new();
        }
        vec![(StreamKind::Stdout, rest)]
    }

    /// The child shell says that it runs below sudo.
    pub(super) fn below_began(&mut self, id: CommandId) {
        if let Some(answering) = self.answering.as_mut().filter(|answering| answering.id == id) {
            answering.began();
        }
    }
}
