//! What the machine decided, done: commands are ended with all that came for them, prompts are taken in, looks ordered.

use std::{sync::Arc, time::Instant};

use super::{Actor, taking::TERMINAL_TEXT_MAX};
use crate::{
    command::{Command, Status},
    id::CommandId,
    output::StreamKind,
    session::machine::{Effect, Event},
    shell::{
        fish,
        order::{self, Capture},
        probe::Probe,
        sudo::Sudo,
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
