//! A command on a device, from its first line that is typed to the prompt behind its last.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{Device, Stage, Terminal};
use crate::{
    command::{Command, Question, Status},
    device::{Exchange, Learned, Verdict, hides, is_error, renamed},
    id::shorten,
    output::StreamKind,
    session::{Run, SessionState},
};

/// Pages of one command that are turned: more than the largest configuration has.
const PAGES_MAX: u32 = 20_000;
/// Error lines that are quoted.
const ERRORS_MAX: usize = 5;
/// The first key has so long to end a command, then the next is typed.
const KEY_WAIT: Duration = Duration::from_millis(1200);

/// Ctrl-U, by which line editors take a line away.
const CLEAR_LINE: u8 = 0x15;

/// A command that runs.
pub(super) struct Busy {
    pub(super) command: Arc<Command>,
    pub(super) exchange: Exchange,
    /// The name that the line gives the device.
    pub(super) renamed: Option<String>,
    /// It has said something.
    pub(super) has_output: bool,
    /// Lines that are still to be typed.
    rest: VecDeque<String>,
    /// The line that is at work, where there are several.
    line: Option<String>,
    pages: u32,
    errors: usize,
    /// Output that is not the command's yet.
    buffer: Vec<u8>,
    is_interrupted: bool,
    /// Further keys that end it, and when the next is typed.
    keys: VecDeque<u8>,
    key_at: Option<Instant>,
}

impl Busy {
    pub(super) fn line(&mut self, line: String, prompt: &Learned) {
        let lines = self.exchange.line(line, prompt);
        self.write(lines);
    }

    fn write(&mut self, lines: Vec<String>) {
        for line in lines {
            self.has_output = true;
            if is_error(&line) && self.errors < ERRORS_MAX {
                self.errors += 1;
                self.command.change(|state| state.reported_error = true);
                let quoted = shorten(line.trim(), 200);
                self.command.notice(match &self.line {
                    Some(of) => format!("the device reports an error for {:?}: {quoted}", shorten(of, 80)),
                    None => format!("the device reports an error: {quoted}"),
                });
            }
            self.buffer.extend_from_slice(line.as_bytes());
            self.buffer.push(b'\n');
        }
    }

    /// The command gets what it wrote.
    pub(super) fn flush(&mut self) {
        if !self.buffer.is_empty() {
            // A device is slowed by nobody: its output is bounded like every other's.
            let _ = self.command.append(StreamKind::Stdout, &self.buffer);
            self.buffer.clear();
        }
    }

    /// Somebody typed.
    pub(super) fn answered(&self) {
        self.command.change(|state| {
            if matches!(state.status, Status::Awaiting(_)) {
                state.status = Status::Running;
            }
        });
    }

    pub(super) fn interrupt(&mut self, keys: &[(&'static str, u8)]) {
        self.is_interrupted = true;
        self.rest.clear();
        self.keys = keys.iter().skip(1).map(|(_, key)| *key).collect();
        self.key_at = Some(Instant::now() + KEY_WAIT);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.key_at.filter(|_| !self.keys.is_empty())
    }

    /// The next key that may end it, once it is due.
    pub(super) fn next_key(&mut self, now: Instant) -> Option<u8> {
        self.key_at.filter(|at| now >= *at)?;
        self.key_at = Some(now + KEY_WAIT);
        self.keys.pop_front()
    }

    /// The terminal is gone; its unfinished line was this.
    pub(super) fn lose(mut self, cause: &str, tail: &str) {
        let mut held = self.exchange.cut();
        if self.exchange.is_echoed() && !tail.is_empty() {
            held.push(tail.to_owned());
        }
        self.write(held);
        self.flush();
        if self.rest.is_empty() && leaves(self.line.as_deref().unwrap_or(&self.command.text)) {
            self.command.change(|state| state.by_prompt = false);
            self.command.notice(format!(
                "{cause}, as it was told to; the next use of the session connects again"
            ));
            self.command.end(Status::Completed, None, None);
            return;
        }
        self.command.notice(format!(
            "{cause}; whether the command ended, and how, is not known"
        ));
        self.command.end(Status::Lost, None, None);
    }
}

/// A line that ends the session.
fn leaves(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    ["exit", "quit", "logout", "lo", "/quit", "bye", "disconnect"].contains(&text.as_str())
}

/// What a device cannot take; nothing was run then.
fn cannot_run(run: &Run) -> Option<Fault> {
    let refused = |what: &str| {
        Fault::new(
            Reason::NotSupported,
            format!("{what} is not for network devices; nothing was run"),
        )
    };
    if run.durable.is_some() {
        return Some(
            refused("`durable`").hint("run it without; `timeout: 0` returns at once, and wait_for waits"),
        );
    }
    if run.stdin.is_some() {
        return Some(refused("`stdin`").hint("answer what the device asks with send_input"));
    }
    if run.sudo_password.is_some() {
        return Some(refused("`sudo_password`").hint("a privileged mode is entered with `enable_password`"));
    }
    let text = &run.command.text;
    let has_controls = text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    if has_controls {
        return Some(
            Fault::new(
                Reason::InvalidArgument,
                "the command has control characters, which a device's line editor takes for keys; nothing was run",
            )
            .hint("keys are typed with send_input"),
        );
    }
    None
}

impl Device {
    /// Refuses what cannot be run here, and what is one too many.
    pub(super) fn refuse(&self, run: Run) -> Option<Run> {
        let limit = run.queue_max;
        let fault = if self.queue.len() >= limit {
            Fault::new(
                Reason::LimitReached,
                format!("{limit} commands wait for their turn in session {}, as many as max_queued_commands allows; nothing was run", self.session.name),
            )
            .hint("wait for some of them, use another session, or raise max_queued_commands in [settings] of config.toml")
            .retryable()
        } else if let Some(fault) = cannot_run(&run) {
            fault
        } else {
            return Some(run);
        };
        run.fail(fault);
        None
    }

    /// Types the next command's first line, or what has to be before it.
    pub(super) fn start(&mut self) {
        let Some(run) = self.queue.pop_front() else { return };
        // What waited here before it was known to be a device was not looked at.
        if let Some(fault) = cannot_run(&run) {
            run.fail(fault);
            return;
        }
        let Some(run) = self.before(run) else { return };
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let command = run.command;
        // Whoever is told that it runs finds the session held.
        self.summary.send_modify(|summary| {
            summary.reads = false;
            summary.state = SessionState::Busy;
            summary.running = Some(command.id);
        });
        command.change(|state| {
            state.status = Status::Running;
            state.started = Some(Instant::now());
            state.apart = false;
            state.by_prompt = true;
        });
        let text = command.text.replace("\r\n", "\n").replace('\t', " ");
        let mut rest: VecDeque<String> = text
            .trim_end_matches('\n')
            .split('\n')
            .map(str::to_owned)
            .collect();
        let has_many = rest.len() > 1;
        let first = rest.pop_front().unwrap_or_default();
        let busy = Busy {
            command,
            exchange: Exchange::unknown(),
            renamed: None,
            has_output: false,
            rest,
            line: has_many.then(String::new),
            pages: 0,
            errors: 0,
            buffer: Vec::new(),
            is_interrupted: false,
            keys: VecDeque::new(),
            key_at: None,
        };
        terminal.stage = Stage::Busy(Box::new(busy));
        terminal.type_next(first);
    }

    /// The unfinished line of a running command has stood long enough.
    pub(super) fn ran(&mut self, verdict: &Verdict) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let tail = terminal.lines.tail();
        let Stage::Busy(busy) = &mut terminal.stage else {
            return;
        };
        match verdict {
            Verdict::HelpShown => {
                // What stands there is taken away, and the prompt comes.
                busy.exchange.help_is_over();
                terminal.key(&[CLEAR_LINE]);
            }
            Verdict::NoHelp => {
                busy.exchange.help_is_over();
                terminal.key(b"\r");
            }
            Verdict::Pager if busy.pages < PAGES_MAX && !busy.is_interrupted => {
                busy.pages += 1;
                if !terminal.turn_page() {
                    self.asks(tail);
                }
            }
            Verdict::Pager | Verdict::Question => {
                self.asks(tail);
            }
            Verdict::Prompt | Verdict::OtherPrompt | Verdict::JoinedPrompt | Verdict::LoggedOver => {
                let held = busy.exchange.end();
                busy.write(held);
                busy.flush();
                if *verdict == Verdict::OtherPrompt {
                    let before = terminal.prompt.as_ref().map_or("", |prompt| prompt.text.as_str());
                    busy.command.notice(format!(
                        "the prompt was {before} and is {} now: the device has another name, or this is another device",
                        shorten(&tail, 80)
                    ));
                }
                // Somebody may have seen it ask since.
                busy.answered();
                let renamed = busy.renamed.clone();
                let next = busy.rest.pop_front();
                terminal.follow(&tail, renamed.as_deref());
                match next {
                    Some(line) => terminal.type_next(line),
                    None => self.finish(),
                }
            }
        }
    }

    /// What runs waits for an answer.
    fn asks(&mut self, text: String) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let Stage::Busy(busy) = &mut terminal.stage else {
            return;
        };
        let question = Question {
            echo: !hides(&text),
            text,
            exact: false,
            keys: false,
        };
        busy.command.change(|state| {
            if !state.status.is_final() {
                state.status = Status::Awaiting(Some(question));
            }
        });
    }

    fn finish(&mut self) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let Stage::Busy(busy) = std::mem::replace(&mut terminal.stage, Stage::Ready) else {
            return;
        };
        // Before anybody is told: who is told looks at what the session is now.
        self.prompted();
        self.publish();
        let status = if busy.is_interrupted {
            Status::Interrupted
        } else {
            Status::Completed
        };
        busy.command.end(status, None, None);
    }
}

impl Terminal {
    /// Types the next line of the running command.
    fn type_next(&mut self, line: String) {
        let prompt = self.prompt.as_ref().map_or("", |prompt| prompt.text.as_str());
        let Stage::Busy(busy) = &mut self.stage else {
            return;
        };
        let is_help = line.trim_end().ends_with('?');
        busy.exchange = if is_help {
            Exchange::help(prompt, &line)
        } else {
            Exchange::new(prompt, &line)
        };
        busy.renamed = renamed(&line);
        if let Some(of) = &mut busy.line {
            of.clone_from(&line);
        }
        if is_help {
            self.pause = Duration::ZERO;
            self.key(line.trim_end().as_bytes());
        } else {
            self.type_line(&line);
        }
    }
}
