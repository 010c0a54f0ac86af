//! Commands in their turn: taken on or refused, given to the shell once it can take one, and given back where it did not.

use std::time::Instant;

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::mpsc;

use super::{Actor, Shell};
use crate::{
    command::{State, Status},
    id::CommandId,
    session::{Caller, Request, Run, SLOTS_MAX, SessionState, machine::Start, outbox::Sent, view::Sign},
    shell::{
        order::{self, Capture},
        sudo::{self, Sudo},
        typed,
    },
};

impl Actor {
    /// Refuses a command when too many wait already.
    pub(super) fn refuse_when_full(&self, run: Run) -> Option<Run> {
        let limit = run.queue_max;
        if self.queue.len() < limit {
            return Some(run);
        }
        let fault = Fault::new(
            Reason::LimitReached,
            format!(
                "{limit} commands wait for their turn in session {}, as many as max_queued_commands allows; nothing was run",
                self.session.name
            ),
        )
        .hint(
            "wait for some of them, use another session, or raise max_queued_commands in [settings] of config.toml",
        )
        .retryable();
        run.fail(fault);
        None
    }

    /// Commands that came with the order to close are told so, with all others that wait.
    pub(super) fn take_the_rest(&mut self, requests: &mut mpsc::Receiver<Request>) {
        while let Ok(request) = requests.try_recv() {
            if let Request::Run(run) = request {
                self.queue.push_back(run);
            }
        }
    }

    /// Gives the shell the next command if it can take one.
    pub(super) async fn start_next(&mut self) {
        if !self.waiting_open.is_empty() && self.shell.as_ref().is_some_and(|shell| shell.machine.is_ready())
        {
            self.publish();
            for reply in self.waiting_open.drain(..) {
                let _ = reply.send(Ok(true));
            }
        }
        if self.shell.as_ref().is_some_and(|shell| shell.is_dead) {
            self.lose("its shell did not take commands any more", false).await;
        }
        if self.queue.is_empty() {
            return;
        }
        if let Some(question) = self.asked() {
            let fault = question.fault(&self.session.name);
            for run in self.queue.drain(..) {
                run.fail(fault.clone());
            }
            return;
        }
        if self.is_away() {
            self.return_now();
            return;
        }
        if self.shell.is_none() {
            self.ensure_shell();
            return;
        }
        let now = Instant::now();
        let can_start = |shell: &Shell| {
            shell.machine.is_ready() && !shell.signals.is_ending() && shell.signals.key_until(now).is_none()
        };
        // What was typed at this prompt before it was drawn comes first.
        let is_typed_at = !self.held.is_empty();
        if self.draining.is_some() || is_typed_at || !self.shell.as_ref().is_some_and(can_start) {
            return;
        }
        self.start_command().await;
    }

    /// Types the next command of the queue; the shell is at its prompt.
    async fn start_command(&mut self) {
        let Some(shell) = &mut self.shell else { return };
        let Some(mut run) = self.queue.pop_front() else {
            return;
        };
        // A command alone has a default that clients fill in.
        if run
            .enable
            .as_ref()
            .is_some_and(|enable| enable.password.is_some())
        {
            run.fail(no_privileged_mode());
            return;
        }
        let now = Instant::now();
        let command = run.command.clone();
        let capture = if shell.link.typed.is_some() {
            Capture::Terminal
        } else {
            command.capture
        };
        if shell.link.typed.is_some()
            && let Some(fault) = cannot_type(&run)
        {
            run.fail(fault);
            return;
        }
        let names = match shell.machine.start(command.id, capture, now) {
            Start::Go(names) => names,
            Start::NeedSlot(set) => {
                self.queue.push_front(run);
                if let Sent::Done(Err(fault)) = shell.link.order(format!("o {set}\n").into_bytes()) {
                    self.lose(&fault.message, true).await;
                }
                self.draining = Some((set, tokio::spawn(std::future::pending())));
                return;
            }
            Start::Full => {
                let fault = Fault::new(
                    Reason::LimitReached,
                    format!("background jobs of {SLOTS_MAX} earlier commands still hold their output in this session; nothing was run"),
                )
                .hint(
                    "end some of them (`terminal: true` still runs commands here), start them with their output sent to a file, or use another session",
                )
                .retryable();
                run.fail(fault);
                return;
            }
        };
        let begin = |state: &mut State| {
            state.status = Status::Running;
            state.started = Some(now);
            state.apart = capture == Capture::Apart;
            state.cwd.clone_from(&self.cwd);
        };
        if !command.internal {
            // Whoever is told that it runs finds the session held.
            self.summary.send_modify(|summary| {
                summary.state = SessionState::Busy;
                summary.running = Some(command.id);
            });
        }
        command.change(begin);
        let mut starts = None;
        if let Some(durable) = &run.durable {
            // From here on it may have been started, and it is on disk that it may.
            durable.command.change(begin);
            let (text, input) = durable
                .launch
                .order(&shell.link.shell.kind, &shell.link.hello.shell);
            (starts, run.stdin) = (Some(text), Some(input));
        }
        shell.wrote_since_input = false;
        if shell.link.kept.is_some() && !command.internal {
            shell.keep(&command);
        }
        let announced = run.durable.as_ref().map_or(&command, |durable| &durable.command);
        if !announced.internal {
            self.view
                .announce(&announced.text, Sign::of(&shell.link.shell.kind));
        }
        shell.open_running(now);
        let sudo = match starts {
            Some(_) => Sudo::Ignored,
            None => self.meet_sudo(&mut run, capture),
        };
        let Some(shell) = &mut self.shell else { return };
        let stdin = run.stdin.as_deref();
        let (text, line) = match shell.link.typed {
            None => {
                let mode = order::mode(capture, stdin.is_some(), &sudo);
                let mut text = order::text(
                    &shell.link.shell.kind,
                    command.id,
                    &names.out,
                    &names.err,
                    &mode,
                    stdin,
                    starts.as_deref().unwrap_or(&command.text),
                );
                if matches!(sudo, Sudo::Below { .. }) {
                    let mut first = sudo::text(&command.text);
                    first.append(&mut text);
                    text = first;
                }
                let is_plain = capture == Capture::Apart && stdin.is_none() && sudo == Sudo::Ignored;
                let line = if shell.link.has_alias && is_plain {
                    order::type_run_short(&shell.link.shell.kind, command.id)
                } else {
                    order::type_run(
                        &shell.link.shell,
                        &shell.link.hello.dir,
                        &shell.link.nonce,
                        command.id,
                        capture,
                        stdin.is_some(),
                        &sudo,
                    )
                };
                (text, line)
            }
            Some(dialect) => (
                Vec::new(),
                typed::run(dialect, &shell.link.nonce, command.id, &command.text),
            ),
        };
        shell.machine.set_wanted(command.is_awaited(), now);
        let line = match (shell.last_status.take(), shell.link.typed) {
            (Some(status), None) => order::with_status(&shell.link.shell.kind, status, &line),
            (Some(_) | None, _) => line,
        };
        let line = if std::mem::take(&mut shell.signals.killed) && shell.link.typed.is_none() {
            order::mending(&shell.link.shell.kind, command.id, &line)
        } else {
            line
        };
        self.begin_mirror(capture == Capture::Apart);
        self.forget_secrets();
        let Some(shell) = &mut self.shell else { return };
        shell.started_at = None;
        shell.names = (capture == Capture::Apart).then_some(names);
        shell.running = Some(command);
        self.note_cwd(&run);
        let Some(shell) = &mut self.shell else { return };
        shell.unfetched = Some(run);
        // Text first: the shell waits for it, not the other way round.
        let sent = shell.link.order(text);
        if let Sent::Done(Err(fault)) = shell.link.write_after(sent, line) {
            tracing::info!(session = %self.session.name, %fault, "a command could not be handed over");
        }
    }

    /// Says when another client's command was the last to change the working directory.
    fn note_cwd(&mut self, run: &Run) {
        if run.client.id.is_empty() {
            return;
        }
        if !self.cwd_client.id.is_empty() && self.cwd_client != run.client {
            let name = &self.cwd_client.name;
            run.command.notice(format!(
                "another client ({name}) changed the working directory to {}",
                self.cwd
            ));
            self.cwd_client = Caller::default();
        }
    }

    /// The shell never fetched the text: it is given to the next shell, once.
    pub(super) fn not_started(&mut self, id: CommandId) {
        let Some(shell) = &mut self.shell else { return };
        let Some(command) = shell.running.take_if(|command| command.id == id) else {
            return;
        };
        let Some(mut run) = shell.unfetched.take() else {
            return;
        };
        if let Some(answering) = shell.answering.take_if(|answering| answering.id == id) {
            let (password, failed) = answering.give_back();
            run.sudo_password = password;
            run.failed = failed.unwrap_or(run.failed);
        }
        if run.attempts == 0 {
            run.attempts = 1;
            let durable = run.durable.as_ref().map(|durable| &durable.command);
            for command in durable.into_iter().chain([&command]) {
                command.change(|state| {
                    state.status = Status::Queued;
                    state.started = None;
                });
            }
            self.queue.push_front(run);
        } else {
            let fault = Fault::new(
                Reason::ConnectionLost,
                "the shell did not take the command; nothing was run",
            )
            .hint("look at the session with get_terminal_output")
            .retryable();
            run.fail(fault);
            // A shell that twice did not take a command will take no other.
            shell.is_dead = true;
        }
    }
}

/// What cannot be typed whole into a shell without FIFOs.
fn cannot_type(run: &Run) -> Option<Fault> {
    let what = if run.durable.is_some() {
        "`durable` needs a writable directory on the host, or a login shell other than csh"
    } else if run.sudo_password.is_some() {
        "`sudo_password` needs a writable directory on the host, or a login shell other than csh"
    } else if run.stdin.is_some() {
        "`stdin` needs a writable directory on the host, or a login shell other than csh"
    } else if run.command.text.len() > typed::TEXT_MAX {
        "a command over 32 KiB needs a writable directory on the host, or a login shell other than csh"
    } else {
        return None;
    };
    Some(
        Fault::new(Reason::NotSupported, format!("{what}; nothing was run"))
            .hint("put the data into a file first"),
    )
}

fn no_privileged_mode() -> Fault {
    Fault::new(
        Reason::NotSupported,
        "`enable_password` and `enable_command` are for network devices, and this is a shell; nothing was run",
    )
    .hint("with sudo_password a command runs below sudo; a device that looks like a shell needs kind = \"network\"")
}
