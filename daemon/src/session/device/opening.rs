//! From a connection to the first prompt that is sure: what the device greets with, its prompt asked for again by an empty
//! line, and its pager turned off.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{Device, NETWORK, Opened, Stage, Terminal, enabling};
use crate::{
    config::Keeper,
    connection::Pty,
    device::{Dialect, Exchange, Learned, Lines, Verdict, asks_for_enter, is_error, judge_greeting},
    id::shorten,
    recording,
    session::outbox::Outbox,
};

/// A terminal so wide that hardly a line wraps.
const COLS: u16 = 511;
/// Devices may take this long to their first prompt; what is asked meanwhile gives more.
const GREETING_MAX: Duration = Duration::from_secs(30);
/// Nothing but silence this long: an empty line may wake it.
const SILENCE: Duration = Duration::from_secs(4);
/// Empty lines that are typed before the first prompt, one after the other.
const ENTERS_MAX: u8 = 6;
/// What turns the pager off is answered by then, or left.
const SETUP_MAX: Duration = Duration::from_secs(15);
/// Of the greeting.
const SHOWN_MAX: usize = 16 << 10; // 16 KiB

/// Before the first prompt.
pub(super) struct Greeting {
    began: Instant,
    text: String,
    /// What looked like the prompt before the last empty line.
    candidate: Option<String>,
    enters: u8,
    /// It asks for something.
    question: Option<String>,
}

impl Greeting {
    pub(super) fn deadline(&self, last: Instant) -> Instant {
        let end = self.began + GREETING_MAX;
        if self.enters < 2 && self.candidate.is_none() && self.question.is_none() {
            (last.max(self.began) + SILENCE).min(end)
        } else {
            end
        }
    }

    pub(super) const fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        if self.text.len() > SHOWN_MAX {
            let half = self.text.char_indices().nth(self.text.chars().count() / 2);
            self.text.drain(..half.map_or(0, |(at, _)| at));
        }
    }

    pub(super) fn typed(&mut self) {
        self.question = None;
        self.began = Instant::now();
    }
}

/// The pager is being turned off.
pub(super) struct Setup {
    pub(super) exchange: Exchange,
    command: &'static str,
    rest: VecDeque<&'static str>,
    /// It refused the last.
    pub(super) is_refused: bool,
    began: Instant,
}

impl Setup {
    pub(super) fn deadline(&self) -> Instant {
        self.began + SETUP_MAX
    }

    pub(super) fn line(&mut self, line: String, prompt: &Learned) {
        for line in self.exchange.line(line, prompt) {
            self.is_refused |= is_error(&line);
        }
    }
}

impl Device {
    pub(super) fn ensure_terminal(&mut self) {
        if self.terminal.is_some() || self.starting.is_some() {
            return;
        }
        let (pool, target) = (self.pool.clone(), self.session.target());
        let pty = Pty {
            term: "vt100".into(),
            cols: COLS.max(self.opening.cols),
            rows: self.opening.rows,
        };
        self.starting = Some(tokio::spawn(async move { pool.open_alone(&target, pty).await }));
    }

    pub(super) fn on_started(&mut self, opened: Opened) {
        self.starting = None;
        self.session.touch();
        let (connection, channel) = match opened {
            Ok(opened) => opened,
            Err(fault) => {
                tracing::info!(session = %self.session.name, %fault, "the session could not be opened");
                self.ended = Some(fault.message.clone());
                self.summary
                    .send_modify(|summary| summary.not_opened(&fault.message));
                // Before anybody is told: who is told looks at what the session is now.
                self.publish();
                self.fail_all(&fault);
                return;
            }
        };
        self.session.recorder.opened(recording::Opened {
            target: self.session.target().key().to_string(),
            shell: NETWORK.to_owned(),
            size: self.view.size(),
        });
        let now = Instant::now();
        let accepted = connection.take_accepted_key();
        self.terminal = Some(Terminal {
            outbox: Outbox::new(channel.writer()),
            pulse: connection.pulse(),
            connection,
            channel,
            lines: Lines::default(),
            dialect: Dialect::of("", "", ""),
            prompt: None,
            stage: Stage::Greeting(Greeting {
                began: now,
                text: String::new(),
                candidate: None,
                enters: 0,
                question: None,
            }),
            last: now,
            pause: Duration::ZERO,
            due: None,
            is_unpaged: false,
            enabled: enabling::Tried::No,
            hidden: None,
            paged: None,
            vain: 0,
        });
        self.summary.send_modify(|summary| {
            summary.notice.clear();
            summary.keeper = Keeper::Daemon;
            summary.apart = false;
        });
        if let Some(words) = accepted {
            match self.queue.front() {
                Some(run) => run.command.notice(words),
                None => self.summary.send_modify(|summary| summary.add_notice(&words)),
            }
        }
    }

    /// The greeting's last line stands as it is for a while.
    pub(super) fn greeted(&mut self, verdict: &Verdict) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let tail = terminal.lines.tail();
        let Stage::Greeting(greeting) = &mut terminal.stage else {
            return;
        };
        match verdict {
            Verdict::Pager => {
                terminal.turn_page();
            }
            Verdict::Prompt => {
                let is_same = greeting.candidate.as_deref() == Some(tail.as_str());
                if is_same || greeting.enters >= ENTERS_MAX {
                    self.learn(&tail);
                    return;
                }
                // Text may look so: a prompt comes again.
                greeting.candidate = Some(tail);
                greeting.enters = greeting.enters.saturating_add(1);
                terminal.key(b"\r");
            }
            Verdict::Question if asks_for_enter(&tail) && greeting.enters < ENTERS_MAX => {
                greeting.enters = greeting.enters.saturating_add(1);
                terminal.key(b"\r");
            }
            Verdict::Question => {
                greeting.question = Some(tail);
                greeting.began = Instant::now();
                self.publish();
                if let Some(fault) = self.asked() {
                    self.fail_all(&fault);
                }
            }
            Verdict::OtherPrompt
            | Verdict::JoinedPrompt
            | Verdict::LoggedOver
            | Verdict::HelpShown
            | Verdict::NoHelp => {}
        }
    }

    /// What is asked before there is a prompt.
    pub(super) fn asked(&self) -> Option<Fault> {
        let Stage::Greeting(greeting) = &self.terminal.as_ref()?.stage else {
            return None;
        };
        let question = greeting.question.as_ref()?;
        let words = format!(
            "session {} is not open yet: the device asks before it shows its prompt: {}; nothing was run",
            self.session.name,
            shorten(question, 200)
        );
        Some(
            Fault::new(Reason::SessionBusy, words)
                .hint("answer with send_input in that session and call again, or close it")
                .retryable(),
        )
    }

    /// Nothing came for a while, or not what was waited for.
    pub(super) fn greeting_due(&mut self, now: Instant) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let Stage::Greeting(greeting) = &mut terminal.stage else {
            return;
        };
        if greeting.is_asking() && now < greeting.began + GREETING_MAX * 10 {
            // Whoever answers has time.
            greeting.began = now;
            return;
        }
        if now >= greeting.began + GREETING_MAX {
            let said = last_words(&terminal.lines.tail(), &greeting.text);
            let fault = Fault::new(
                Reason::NotSupported,
                format!("the device showed no prompt that could be recognised within {} s; its terminal shows: {said}", GREETING_MAX.as_secs()),
            )
            .hint("look at it with `sshctl attach`; a host with a Unix shell needs kind = \"posix\"");
            self.ended = Some(fault.message.clone());
            self.summary
                .send_modify(|summary| summary.not_opened(&fault.message));
            if let Some(terminal) = self.terminal.take() {
                let pool = self.pool.clone();
                tokio::spawn(async move { pool.end_alone(&terminal.connection).await });
            }
            self.publish();
            self.fail_all(&fault);
            return;
        }
        if now >= terminal.last.max(greeting.began) + SILENCE && greeting.enters < 2 {
            greeting.enters = greeting.enters.saturating_add(1);
            terminal.key(b"\r");
            terminal.last = now;
        }
    }

    /// The prompt is sure.
    fn learn(&mut self, line: &str) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let Some(prompt) = Learned::new(line) else { return };
        let Stage::Greeting(greeting) = &terminal.stage else {
            return;
        };
        let server = terminal.connection.server_version();
        terminal.dialect = Dialect::of(&server, &greeting.text, &prompt.text);
        let greeting = greeting.text.trim().to_owned();
        tracing::info!(
            session = %self.session.name, dialect = terminal.dialect.name, server, prompt = prompt.text, "device opened"
        );
        let is_shell = prompt.text.ends_with('%');
        terminal.prompt = Some(prompt);
        self.summary.send_modify(|summary| {
            summary.greeting = shorten(&greeting, 2000);
        });
        if let Some(cause) = self.ended.take() {
            let words =
                format!("the session was opened again because {cause}: the device is in its first mode");
            match self.queue.front() {
                Some(run) => run.command.notice(words),
                None => self.summary.send_modify(|summary| summary.notice = words),
            }
        }
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let enter = Some(terminal.dialect.enter).filter(|enter| is_shell && !enter.is_empty());
        let commands = enter.into_iter().chain(terminal.dialect.paging.iter().copied());
        terminal.set_up(commands.collect());
    }

    /// An answer of the set-up has come.
    pub(super) fn set_up_answered(&mut self) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let tail = terminal.lines.tail();
        terminal.follow(&tail, None);
        let Stage::Setup(setup) = &mut terminal.stage else {
            return;
        };
        let rest = std::mem::take(&mut setup.rest);
        let (command, is_refused) = (setup.command, setup.is_refused);
        if command == terminal.dialect.enter || is_refused {
            terminal.set_up(rest);
            return;
        }
        terminal.dialect = terminal.dialect.after(command);
        terminal.is_unpaged = true;
        terminal.stage = Stage::Ready;
    }
}

impl Terminal {
    /// Types the next of these, if there is one.
    pub(super) fn set_up(&mut self, mut commands: VecDeque<&'static str>) {
        let (Some(command), Some(prompt)) = (commands.pop_front(), &self.prompt) else {
            self.stage = Stage::Ready;
            return;
        };
        let exchange = Exchange::new(&prompt.text, command);
        self.stage = Stage::Setup(Setup {
            exchange,
            command,
            rest: commands,
            is_refused: false,
            began: Instant::now(),
        });
        self.type_line(command);
    }

    /// What the greeting's last line means.
    pub(super) fn judge_greeting(&self) -> Option<(Verdict, Duration)> {
        let Stage::Greeting(greeting) = &self.stage else {
            return None;
        };
        let tail = self.lines.tail();
        if asks_for_enter(&tail) {
            return Some((Verdict::Question, Duration::from_millis(300)));
        }
        judge_greeting(&tail).filter(|(verdict, _)| {
            // It stands as it was told already.
            *verdict != Verdict::Question || greeting.question.as_deref() != Some(tail.as_str())
        })
    }
}

/// For an error's words.
pub(super) fn last_words(tail: &str, text: &str) -> String {
    let line = Some(tail)
        .filter(|tail| !tail.trim().is_empty())
        .or_else(|| text.lines().rev().find(|line| !line.trim().is_empty()))
        .unwrap_or("nothing");
    shorten(line.trim(), 200)
}
