//! A command that waits for input: what it asks, and looks for callers that want to know now.

use std::time::Instant;

use tokio::sync::oneshot;

use super::Actor;
use crate::{
    command::{Command, Question, Status},
    id::{CommandId, shorten},
    session::{LOOK_MAX, flow::Place, machine::Asked, sudo::Answering},
    shell::{
        order,
        probe::Clue,
        question::{asks_for_secret, looks_like_question},
    },
};

/// What is shown of a question.
const QUESTION_SHOWN: usize = 300;
/// Callers that want to know now: more than have calls in flight on one session; a further one goes without.
const LOOKERS_MAX: usize = 64;

/// What a look gave.
enum Found {
    Asks(Option<Question>),
    Works,
}

impl Actor {
    /// A process waits for input, as far as the machine can tell.
    pub(super) fn awaiting(&mut self, id: CommandId, asked: Asked) {
        let Some(shell) = &self.shell else { return };
        let Some(command) = shell.find(id) else { return };
        let is_answered =
            shell.signals.is_answering() || shell.answering.as_ref().is_some_and(Answering::is_pending);
        let found = if is_answered {
            // sudo's prompt, or a question to the terminal, is about to be answered: nobody else has to.
            Found::Works
        } else {
            self.found(&command, asked)
        };
        let Some(shell) = &mut self.shell else { return };
        let status = match found {
            Found::Asks(question) => Status::Awaiting(question),
            Found::Works => {
                shell.machine.not_a_question();
                Status::Running
            }
        };
        // Before the status, which the caller is answered for.
        if shell.machine.is_replaced() {
            command.notice(
                "the session's own shell was replaced by another program (exec): work there by send_input; when that ends, the session's shell has ended, and the next use opens a new one",
            );
        }
        let changes = {
            let state = command.state();
            !state.status.is_final() && state.status != status
        };
        if changes {
            command.change(|state| state.status = status);
        }
    }

    /// What somebody typed to reads again, or does so no more.
    pub(super) fn settled(&mut self, asked: Option<Asked>) {
        let reads = match asked {
            None => false,
            Some(Asked::Line { .. } | Asked::Keys { .. }) => true,
            Some(Asked::Text { clue, .. }) => match clue {
                Clue::Shell | Clue::Keys | Clue::Handed => true,
                Clue::Relay if self.view.is_full_screen() => true,
                Clue::Text | Clue::Relay => looks_like_question(self.view.unfinished_line().trim_end()),
            },
        };
        if asked.is_some()
            && !reads
            && let Some(shell) = &mut self.shell
        {
            shell.machine.not_a_question();
        }
        self.summary.send_modify(|summary| summary.reads = reads);
    }

    fn found(&self, command: &Command, asked: Asked) -> Found {
        let text = self.asked_line(command);
        let full_screen = self.view.is_full_screen();
        let question = |echo, exact, keys| {
            Found::Asks(Some(Question {
                text: text.clone(),
                echo,
                exact,
                keys,
            }))
        };
        match asked {
            Asked::Line { echo } => question(echo, true, false),
            Asked::Keys { .. } if full_screen => Found::Asks(None),
            // A secret is a line that is not shown; where every key is taken, the text has to ask for one.
            Asked::Keys { echo } => question(echo, true, !echo && !asks_for_secret(&text)),
            Asked::Text { echo, clue } => {
                let keys = matches!(clue, Clue::Relay | Clue::Keys | Clue::Handed);
                if keys && full_screen {
                    return Found::Asks(None);
                }
                let asks = match clue {
                    Clue::Shell | Clue::Keys | Clue::Handed => true,
                    Clue::Text | Clue::Relay => looks_like_question(&text),
                };
                // Whoever passes keys on shows nothing itself: what is asked for tells.
                let echo = echo && !(keys && asks_for_secret(&text));
                if asks {
                    question(echo, false, false)
                } else {
                    Found::Works
                }
            }
        }
    }

    /// The line that was not ended, of whichever wrote last: the terminal, or the command into its own streams.
    fn asked_line(&self, command: &Command) -> String {
        let shown = self.view.unfinished_line();
        let shell_wrote = self.shell.as_ref().is_some_and(|shell| shell.wrote_since_input);
        let text = if shell_wrote {
            let written = command.state().output.last_unfinished_line();
            let on_terminal = self.shell.as_ref().is_some_and(|shell| shell.last_on_terminal);
            if written.is_empty() || on_terminal && !shown.trim().is_empty() {
                shown
            } else {
                written
            }
        } else {
            shown
        };
        shorten(text.trim_end(), QUESTION_SHOWN)
    }

    /// The order to look. What the command wrote before comes first, unless its readers are stopped.
    pub(super) fn order_look(&mut self, level: Option<u32>) {
        let Some(shell) = &mut self.shell else { return };
        let open = shell
            .machine
            .pair()
            .is_some_and(|pair| !shell.flow.is_closed(Place::Pair(pair)));
        let level = match (level, &shell.names) {
            (Some(number), Some(names)) if open => Some((number, names.out.as_str(), names.err.as_str())),
            _ => None,
        };
        shell.link.order(order::look(level));
    }

    /// Somebody wants to know now whether the running command waits for input.
    pub(super) fn look_now(&mut self, reply: oneshot::Sender<()>) {
        let now = Instant::now();
        let Some(shell) = &mut self.shell else { return };
        if shell.running.is_none() || self.lookers.len() >= LOOKERS_MAX {
            return;
        }
        shell.machine.look_now(now);
        self.lookers.push((now + LOOK_MAX, reply));
        self.tell_wanted();
    }

    /// A probe was answered: who asked for a look has it, unless it is to be confirmed.
    pub(super) fn looked(&mut self) {
        let settled = self
            .shell
            .as_ref()
            .is_none_or(|shell| shell.running.is_none() || shell.machine.has_looked());
        let now = Instant::now();
        if settled {
            for (_, reply) in self.lookers.drain(..) {
                let _ = reply.send(());
            }
        } else {
            self.lookers.retain(|(until, _)| now < *until);
        }
    }

    /// Tells the machine whether anybody waits.
    pub(super) fn tell_wanted(&mut self) {
        let now = Instant::now();
        self.lookers
            .retain(|(until, reply)| now < *until && !reply.is_closed());
        let wanted = self.is_wanted();
        if let Some(shell) = &mut self.shell {
            shell.machine.set_wanted(wanted, now);
        }
    }

    fn is_wanted(&self) -> bool {
        !self.lookers.is_empty()
            || self.session.is_to_settle()
            || self
                .shell
                .as_ref()
                .and_then(|shell| shell.running.as_ref())
                .is_some_and(|command| command.is_awaited())
    }
}
