//! Signals to what runs, and looks at who is in front. A signal is held back until its command can take it, reaches no
//! other command, and what it reached is what is told.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::oneshot;

use super::{
    Actor, Shell,
    answers::Question,
    doing::{End, shell_code},
};
use crate::{
    id::CommandId,
    session::{
        Signal, Signalled, Signalling,
        machine::{Event, Phase},
    },
    shell::front::{Foreground, Place, Sent, names},
};

/// A shell that is about to put a command in front takes a Ctrl-C for itself, and the command never sees it.
const SIGNAL_GRACE: Duration = Duration::from_millis(100);
/// A command that its shell has not fetched by then may never be: what holds the shell up has to be got at.
const FETCH_MAX: Duration = Duration::from_secs(2);
/// A prompt that is not there after this is held up by what the user's own hooks run: Ctrl-C may end that.
const PROMPT_SLOW: Duration = Duration::from_secs(1);
/// Signals that may be held back, and questions to the helper: more than anybody has calls in flight on one session.
const ASKED_MAX: usize = 64;
/// A key is judged by a look that came after it, perhaps at what came next: only who has not ended by then was spared.
const SPARE_AFTER: Duration = Duration::from_millis(500);
/// The helper answers a look in milliseconds; an end does not wait longer for it.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Signals and looks on their way.
#[derive(Default)]
pub(super) struct Signals {
    /// Came before their command could take them.
    held: VecDeque<Signalling>,
    /// Asked of the helper, which answers in order.
    asked: VecDeque<(u32, Asked)>,
    last: u32,
    /// The last command died of a signal, and its shell does not look after the terminal.
    pub(super) killed: bool,
    /// A command whose end waits for a look at what was stopped.
    ending: Option<(End, Instant)>,
    /// Seems to ignore the key that it was sent; from when on that is taken for true.
    sparing: Option<(CommandId, Instant)>,
}

pub(super) enum Asked {
    Signal {
        number: u32,
        /// What ran then; another command has nothing to do with the answer.
        of: Option<CommandId>,
        /// An earlier one had reached the command already.
        again: bool,
        reply: oneshot::Sender<Result<Signalled, Fault>>,
    },
    /// A key was typed before: where this is answered, the terminal has taken it.
    Key {
        number: u32,
        of: Option<CommandId>,
        again: bool,
        at: Instant,
    },
    Look(oneshot::Sender<Foreground>),
    /// What a program asked of its terminal; typed if one is there that takes keys.
    Answers(Question),
    End,
}

impl Signals {
    /// The shell is gone.
    pub(super) fn lose(&mut self, cause: &str) {
        let fault = Fault::new(Reason::ConnectionLost, cause.to_owned()).retryable();
        for held in self.held.drain(..) {
            let _ = held.reply.send(Ok(Signalled::Nothing));
        }
        for (_, asked) in self.asked.drain(..) {
            match asked {
                Asked::Signal { reply, .. } => drop(reply.send(Err(fault.clone()))),
                Asked::Look(reply) => drop(reply.send(Foreground::unknown())),
                Asked::Key { .. } | Asked::Answers(_) | Asked::End => {}
            }
        }
    }

    /// What a program asked of its terminal is about to be answered.
    pub(super) fn is_answering(&self) -> bool {
        self.asked
            .iter()
            .any(|(_, asked)| matches!(asked, Asked::Answers(_)))
    }

    /// A command's end waits.
    pub(super) const fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Until when a key is on its way to the terminal: the next command's line must not meet it there.
    pub(super) fn key_until(&self, now: Instant) -> Option<Instant> {
        let keys = self.asked.iter().filter_map(|(_, asked)| match asked {
            Asked::Key { at, .. } => Some(*at + LOOK_MAX),
            Asked::Signal { .. } | Asked::Look(_) | Asked::Answers(_) | Asked::End => None,
        });
        keys.filter(|until| now < *until).max()
    }

    fn answered(&mut self, number: u32) -> Option<Asked> {
        let at = self.asked.iter().position(|(asked, _)| *asked == number)?;
        self.asked.drain(..at);
        self.asked.pop_front().map(|(_, asked)| asked)
    }
}

impl Shell {
    /// When a signal that came too early may be given to the command, or a look is given up.
    pub(super) fn signal_due(&self) -> Option<Instant> {
        let look = self.signals.ending.as_ref().map(|(_, asked)| *asked + LOOK_MAX);
        let now = Instant::now();
        let (key, held) = (self.signals.key_until(now), self.held_due(now));
        let sparing = self.signals.sparing.map(|(_, at)| at);
        look.into_iter().chain(key).chain(held).chain(sparing).min()
    }

    fn held_due(&self, now: Instant) -> Option<Instant> {
        if self.signals.held.is_empty() {
            return None;
        }
        match (self.machine.running(), self.started_at) {
            (None, _) => Some(now),
            (Some(_), Some(at)) => Some(at + SIGNAL_GRACE),
            (Some(_), None) => self.handed_at().map(|at| at + FETCH_MAX),
        }
    }

    /// When the running command was handed to the shell.
    fn handed_at(&self) -> Option<Instant> {
        self.running.as_ref().and_then(|command| command.state().started)
    }

    /// The running command has not begun, or not for long.
    fn is_beginning(&self, now: Instant) -> bool {
        match self.started_at {
            Some(at) => now < at + SIGNAL_GRACE,
            None => self.handed_at().is_none_or(|at| now < at + FETCH_MAX),
        }
    }

    /// What an end by a signal leaves to do before the next command.
    pub(super) fn note_end(&mut self, code: Option<i32>, interrupted: bool) {
        let Some(code) = code else { return };
        // ksh does, but with the modes from when its program had already begun: it may put back what that had made of them.
        let bare = matches!(
            self.link.shell.kind.as_str(),
            "dash" | "ash" | "zsh" | "fish" | "ksh"
        );
        self.signals.killed = bare && (interrupted || KILLED.contains(&code));
        // A Ctrl-C that came as the command ended is the prompt's, and changes what it remembers.
        if interrupted || self.signals.killed {
            self.last_status = Some(code);
        }
    }

    pub(super) fn ask_in_front(&mut self, what: &str, asked: Asked) {
        if self.signals.asked.len() >= ASKED_MAX {
            self.signals.asked.pop_front();
        }
        let number = self.signals.last.wrapping_add(1);
        self.signals.last = number;
        self.signals.asked.push_back((number, asked));
        // A link that is gone says so itself, and answers what was asked then.
        self.link.order(format!("k {number} {what}\n").into_bytes());
    }
}

impl Actor {
    pub(super) async fn signal(&mut self, asked: Signalling) {
        let Some(shell) = &mut self.shell else {
            let _ = asked.reply.send(Ok(Signalled::Nothing));
            return;
        };
        let now = Instant::now();
        let running = shell.machine.running();
        let key = matches!(asked.signal, Signal::Int | Signal::Quit);
        let takes = match shell.machine.phase() {
            Phase::Busy(_) => asked.only.is_none_or(|only| running == Some(only)),
            Phase::Typed => asked.only.is_none(),
            Phase::Settling { since } => {
                let late = key && now >= *since + PROMPT_SLOW;
                asked.only.is_none() && (late || shell.machine.runs_ahead())
            }
            Phase::Ready { .. } => false,
        };
        if !takes {
            let _ = asked.reply.send(Ok(Signalled::Nothing));
            return;
        }
        if running.is_some() && shell.is_beginning(now) {
            if shell.signals.held.len() < ASKED_MAX {
                shell.signals.held.push_back(asked);
            }
            return;
        }
        if let Some(run) = &mut shell.unfetched {
            // What was interrupted before it began is not given to another shell.
            run.attempts = 1;
        }
        let Signalling { signal, reply, .. } = asked;
        let (number, what) = match signal {
            Signal::Int => (2, "Ctrl-C"),
            Signal::Quit => (3, "Ctrl-\\"),
            Signal::Term => (15, "TERM"),
            Signal::Kill => (9, "KILL"),
            Signal::Shell => (9, "SHELL"),
        };
        let sees = shell.link.has_helper();
        if !key && !sees {
            let _ = reply.send(Ok(Signalled::Sent(Foreground::unknown())));
            return;
        }
        // Before it is sent: the end that it brings may be told before its own answer.
        let of = running;
        let again = shell.machine.was_interrupted() && shell.signals.sparing.take().is_none();
        shell.machine.on(Event::Interrupted, now);
        if key {
            let byte = if signal == Signal::Int { 0x03 } else { 0x1c };
            let typed = shell.link.write(vec![byte]);
            shell.open_running(now);
            typed.tell(reply, Signalled::Typed(what));
            if sees {
                let at = now;
                shell.ask_in_front(
                    if signal == Signal::Int {
                        "KEYINT"
                    } else {
                        "KEYQUIT"
                    },
                    Asked::Key {
                        number,
                        of,
                        again,
                        at,
                    },
                );
            }
        } else {
            shell.open_running(now);
            let asked = Asked::Signal {
                number,
                of,
                again,
                reply,
            };
            shell.ask_in_front(what, asked);
        }
    }

    pub(super) fn look_in_front(&mut self, reply: oneshot::Sender<Foreground>) {
        match &mut self.shell {
            Some(shell) if shell.link.has_helper() => {
                shell.ask_in_front("LOOK", Asked::Look(reply));
            }
            _ => drop(reply.send(Foreground::unknown())),
        }
    }

    /// The helper's answer to a signal or a look.
    pub(super) async fn on_foreground(&mut self, answer: u32, front: Foreground) {
        let Some(shell) = &mut self.shell else { return };
        let now = Instant::now();
        match shell.signals.answered(answer) {
            Some(Asked::Signal {
                number,
                of,
                again,
                reply,
            }) => {
                if of.is_some() && shell.machine.running() == of {
                    let spared = front.sent != Sent::Sent || all_ignore(&front, number);
                    if !spared {
                        shell.machine.on(Event::Interrupted, now);
                    } else if !again {
                        shell.machine.on(Event::Spared, now);
                    }
                }
                let _ = reply.send(Ok(Signalled::Sent(front)));
            }
            Some(Asked::Key {
                number, of, again, ..
            }) => {
                let same = of.is_some() && shell.machine.running() == of;
                if same && !again && all_ignore(&front, number) {
                    shell.signals.sparing = of.map(|id| (id, now + SPARE_AFTER));
                }
                // A terminal can have another key for it than Ctrl-C.
                let own = front
                    .interrupt
                    .filter(|key| front.signals && number == 2 && *key != 0x03 && key.is_ascii_control());
                if let Some(key) = own
                    && same
                {
                    shell.link.write(vec![key]);
                }
            }
            Some(Asked::Look(reply)) => drop(reply.send(front)),
            Some(Asked::Answers(question)) => {
                let effects = shell.answer(&front, question, Instant::now());
                self.carry_out(effects).await;
            }
            Some(Asked::End) => self.end_stopped(Some(&front)).await,
            None => {}
        }
    }

    /// Gives held signals to their command, and ends a command whose look did not come.
    pub(super) async fn signals_due(&mut self, now: Instant) {
        let Some(shell) = &mut self.shell else { return };
        if shell
            .signals
            .ending
            .as_ref()
            .is_some_and(|(_, asked)| now >= *asked + LOOK_MAX)
        {
            self.end_stopped(None).await;
        }
        let Some(shell) = &mut self.shell else { return };
        if let Some((id, _)) = shell.signals.sparing.take_if(|(_, at)| now >= *at)
            && shell.machine.running() == Some(id)
        {
            shell.machine.on(Event::Spared, now);
            // The key stands on the terminal all the same.
            shell.typed_meanwhile = true;
        }
        if shell.held_due(now).is_some_and(|at| now >= at) {
            for held in std::mem::take(&mut shell.signals.held) {
                self.signal(held).await;
            }
        }
    }

    /// The machine has seen a command's end. A status that a stopped program has is looked into first, so that a job
    /// which is left in the shell is told.
    pub(super) async fn ended(&mut self, end: End) {
        let Some(shell) = &mut self.shell else { return };
        let kind = shell.link.shell.kind.as_str();
        let stopped = end
            .status
            .is_some_and(|code| STOPPED.contains(&shell_code(Some(kind), code, false)));
        if stopped && shell.link.has_helper() && shell.exit_at.is_none() {
            shell.signals.ending = Some((end, Instant::now()));
            shell.ask_in_front("LOOK", Asked::End);
        } else {
            self.end(end).await;
        }
    }

    /// Ends the command that waits for a look, also where none came.
    pub(super) async fn end_stopped(&mut self, front: Option<&Foreground>) {
        let Some(shell) = &mut self.shell else { return };
        let Some((end, _)) = shell.signals.ending.take() else {
            return;
        };
        let left = front.map(|front| names(front.stopped())).unwrap_or_default();
        if let Some(command) = shell.running.as_ref().filter(|_| !left.is_empty()) {
            command.notice(format!(
                "it was stopped, not ended: {left} is left as a stopped job; `fg` or `bg` lets it go on, `jobs` lists it, `kill -KILL PID` ends it"
            ));
        }
        self.end(end).await;
    }
}

/// 128 + SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, with the numbers of Linux and of the BSDs.
const STOPPED: std::ops::RangeInclusive<i32> = 145..=150;

/// 128 + QUIT, ILL, ABRT, BUS, FPE, KILL, SEGV, TERM: what ends a program before it can give the terminal back.
const KILLED: [i32; 8] = [131, 132, 134, 135, 136, 137, 139, 143];

fn all_ignore(front: &Foreground, number: u32) -> bool {
    let mut all = front.at(Place::InFront).peekable();
    all.peek().is_some() && all.all(|member| member.ignores(number))
}
