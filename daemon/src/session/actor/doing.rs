//! What goes out: commands started and ended, keys typed, signals sent, drains opened.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use sshmcp_proto::{error::Fault, v1::Reason};

use super::{Actor, taking::TERMINAL_TEXT_MAX};
use crate::{
    command::{Command, State, Status},
    connection::Channel,
    id::CommandId,
    output::StreamKind,
    session::{
        Caller, Run, SLOTS_MAX,
        machine::{Effect, Event, Start},
        outbox::Sent,
        view::Sign,
    },
    shell::{
        fish,
        order::{self, Capture},
        probe::Probe,
        sudo::{self, Sudo},
        typed,
    },
    terminal::clean::clean,
};

/// How a command ended; each as in `Effect::Complete`.
pub(super) struct End {
    pub(super) id: CommandId,
    pub(super) status: Option<i32>,
    pub(super) cwd: Option<String>,
    pub(super) interrupted: bool,
    pub(super) torn: bool,
}

impl Actor {
    /// Types the next command of the queue; the shell is at its prompt.
    pub(super) async fn start_command(&mut self) {
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
        self.begin_mirror(capture == Capture::Apart, line.len().saturating_sub(1));
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

    pub(super) async fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Complete {
                    id,
                    status,
                    cwd,
                    interrupted,
                    torn,
                } => {
                    let end = End {
                        id,
                        status,
                        cwd,
                        interrupted,
                        torn,
                    };
                    self.ended(end).await;
                }
                Effect::NotStarted(id) => self.not_started(id),
                Effect::Awaiting { id, asked } => self.awaiting(id, asked),
                Effect::Working(id) => {
                    if let Some(command) = self.shell.as_ref().and_then(|shell| shell.find(id)) {
                        command.change(|state| {
                            if matches!(state.status, Status::Awaiting(_)) {
                                state.status = Status::Running;
                            }
                        });
                    }
                }
                Effect::Settled(asked) => self.settled(asked),
                Effect::Cwd(cwd) => {
                    if !cwd.is_empty() {
                        self.cwd = cwd;
                    }
                }
                Effect::Probe(level) => {
                    let Some(shell) = &mut self.shell else { return };
                    if shell.link.has_helper() {
                        self.order_look(level);
                    } else {
                        // Nobody can look: only the text is left, and silence for a prompt.
                        let effects = shell.machine.on(Event::Probe(Probe::blind()), Instant::now());
                        Box::pin(self.carry_out(effects)).await;
                    }
                }
                Effect::TypeLong(id) => {
                    if let Some(shell) = &mut self.shell {
                        shell.link.has_alias = false;
                        let line = order::type_run(
                            &shell.link.shell,
                            &shell.link.hello.dir,
                            &shell.link.nonce,
                            id,
                            Capture::Apart,
                            false,
                            &Sudo::Ignored,
                        );
                        shell.link.write(line);
                    }
                }
                Effect::TypeSync => {
                    if let Some(shell) = &mut self.shell {
                        shell.link.write(order::type_sync(&shell.link.shell.kind));
                    }
                }
                Effect::Broken => {
                    self.lose("the session's set-up on the host was damaged", false)
                        .await;
                }
            }
        }
    }

    /// Ends the running command as the machine said.
    pub(super) async fn end(&mut self, end: End) {
        let Some(shell) = &mut self.shell else { return };
        let Some(command) = shell.running.take_if(|command| command.id == end.id) else {
            return;
        };
        shell.unfetched = None;
        if let Some((shown, is_dialogue)) = shell.fish_text.take() {
            keep_fish_text(&command, &shown, is_dialogue);
        }
        shell.late.push(command.clone());
        shell.forget_late();
        if end.torn {
            command.notice("its output may be incomplete: its streams did not end in order");
        }
        self.sudo_ended(&command, end.status, end.interrupted);
        self.complete(&command, end.status, end.cwd, end.interrupted);
        self.finish_if_exited().await;
    }

    /// Ends a command that is not lost.
    pub(super) fn complete(
        &mut self,
        command: &Arc<Command>,
        code: Option<i32>,
        cwd: Option<String>,
        interrupted: bool,
    ) {
        self.session.touch();
        self.view.release();
        let shell_gone = self.shell.as_ref().is_some_and(|shell| shell.exit_at.is_some());
        // A directory is told by the end mark; without one it was the shell's own end that ended the command.
        let by_exit = cwd.as_deref().is_none_or(str::is_empty);
        if shell_gone
            && by_exit
            && let Some(shell) = &mut self.shell
        {
            let mut shown = std::mem::take(&mut shell.terminal_text);
            if interrupted {
                without_keys(&mut shown);
            }
            if shell.link.shell.kind == "fish" {
                keep_fish_text(command, &shown, shell.typed_meanwhile);
            } else if !shown.is_empty() {
                command.append(StreamKind::Stdout, &shown);
                command.notice("the end of its stdout is what the terminal showed: there this shell prints what an EXIT trap does");
            }
        }
        if shell_gone {
            command.notice("the shell ended with this command; the next use of the session opens a new one");
        }
        if let Some(cwd) = cwd.as_deref().filter(|cwd| !cwd.is_empty()) {
            if *cwd != self.cwd {
                self.cwd_client.clone_from(&self.last_client);
            }
            cwd.clone_into(&mut self.cwd);
        }
        if command.internal {
            if code != Some(0) && command.text.starts_with(" cd ") {
                self.summary.send_modify(|summary| {
                    summary.notice = "the earlier working directory could not be entered again".into();
                });
                if let Some(run) = self.queue.front() {
                    run.command
                        .notice("the earlier working directory could not be entered again");
                }
            }
            self.commands.forget(command.id);
        }
        if code.is_none() {
            command.notice("the shell did not tell the exit code");
        }
        let code = code.map(|code| {
            shell_code(
                self.shell.as_ref().map(|shell| shell.link.shell.kind.as_str()),
                code,
                interrupted,
            )
        });
        if let Some(shell) = &mut self.shell {
            shell.note_end(code, interrupted);
        }
        let status = if interrupted {
            Status::Interrupted
        } else {
            Status::Completed
        };
        command.end(status, code, Some(self.cwd.clone()));
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

    /// The further pair of FIFOs is there: a channel of its own drains it.
    pub(super) fn drain(&mut self, set: u8) {
        let Some(shell) = &self.shell else { return };
        let (dir, nonce) = (&shell.link.hello.dir, &shell.link.nonce);
        let (command, script) = if shell.link.kept.is_some() {
            order::follow_command(dir, nonce, &[('o', set, 1, 0), ('e', set, 1, 0)])
        } else {
            order::drain_command(dir, nonce, set)
        };
        self.open_drain(set, command, script);
    }

    pub(super) fn open_drain(&mut self, set: u8, command: String, script: Vec<u8>) {
        let Some(shell) = &self.shell else { return };
        let (pool, target) = (self.pool.clone(), self.session.target());
        let road = shell.link.road.clone();
        self.draining = Some((
            set,
            tokio::spawn(async move {
                let (_, channel) = pool.open_on(&target, &road, &command).await?;
                channel.writer().write(Bytes::from(script)).await?;
                Ok(channel)
            }),
        ));
    }

    pub(super) async fn on_drained(&mut self, set: u8, outcome: Result<Channel, Fault>) {
        self.draining = None;
        match (outcome, &mut self.shell) {
            (Ok(channel), Some(shell)) => {
                shell.link.add_drain(set, channel);
                shell.add_streams(set);
                shell.machine.add_slot(set);
            }
            (Err(fault), Some(_)) => {
                if let Some(run) = self.queue.pop_front() {
                    run.fail(fault);
                }
            }
            (_, None) => {}
        }
        self.follow_next();
    }
}

/// The end of a captured command's stderr in fish: what its terminal showed. That is all that command substitutions
/// wrote there, and fish's own messages; only these where a dialogue is among it.
fn keep_fish_text(command: &Command, shown: &[u8], is_dialogue: bool) {
    let is_cut = shown.len() >= TERMINAL_TEXT_MAX;
    let shown = clean(shown);
    // What was typed before fish read it is echoed once more when it does.
    let shown = match shown.rfind("__sshmcp_") {
        Some(at) => shown.split_at(at).1.split_once('\n').map_or("", |(_, rest)| rest),
        None => &shown,
    };
    let own = fish::messages(shown);
    // A trace is of our own lines, too.
    let is_trace = shown
        .lines()
        .any(|line| line.starts_with('-') && line.trim_start_matches('-').starts_with("> "));
    let kept = if is_dialogue || is_trace { own } else { shown };
    if kept.is_empty() {
        return;
    }
    command.append(StreamKind::Stderr, kept.as_bytes());
    if kept != own {
        command.notice(
            "the end of its stderr is what the terminal showed: there fish leaves what command substitutions write to stderr",
        );
    }
    if is_cut {
        command.notice("more than 64 KiB of it came on the terminal; the rest is not in its stderr");
    }
}

/// What the terminal showed, without the keys of our interrupts.
fn without_keys(shown: &mut Vec<u8>) {
    while let Some(at) = shown.windows(2).position(|two| matches!(two, b"^C" | b"^\\")) {
        shown.drain(at..at + 2);
    }
}

/// ksh tells a signal as 256 + n, where everybody else says 128 + n.
/// A loop of its that is interrupted has 256 and no more.
pub(super) fn shell_code(kind: Option<&str>, code: i32, interrupted: bool) -> i32 {
    match code {
        256 if kind == Some("ksh") && interrupted => 130,
        257.. if kind == Some("ksh") => code - 128,
        _ => code,
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
