//! What is typed into a device's terminal and what it shows: bytes to lines, and when the silence behind them means something.
//! A secret that is echoed after all is seen by nobody.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::oneshot;

use super::{Device, Stage, Terminal};
use crate::{
    device::{Exchange, Learned, Verdict, judge},
    id::CommandId,
    secret::Secret,
    session::{Signal, Signalled, outbox::Sent},
};

/// Where output comes in pieces, a prompt stands for so many of its longest pauses, but no longer than this.
const PAUSES: u32 = 3;
const PAUSE_MAX: Duration = Duration::from_millis(1500);

/// The next page, or the end, has come by then, or the key was none for that pager.
const PAGE_MAX: Duration = Duration::from_secs(3);
/// Keys that a pager gets for one page.
const VAIN_MAX: u8 = 2;

/// A secret that was typed.
pub(super) struct Hidden {
    secret: Secret,
    /// May be the beginning of its echo.
    held: Vec<u8>,
}

impl Hidden {
    pub(super) const fn new(secret: Secret) -> Self {
        Self {
            secret,
            held: Vec::new(),
        }
    }

    /// The bytes without the secret; true once its line has ended.
    fn filter(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let secret = self.secret.expose();
        let secret = secret.as_bytes();
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        if secret.is_empty() {
            return (all, true);
        }
        let mut shown = Vec::with_capacity(all.len());
        let mut rest = all.as_slice();
        while let Some(at) = memchr::memmem::find(rest, secret) {
            let (before, from) = rest.split_at(at);
            shown.extend_from_slice(before);
            shown.extend_from_slice(b"[hidden]");
            rest = from.get(secret.len()..).unwrap_or_default();
        }
        let begun = (1..secret.len().min(rest.len() + 1))
            .rev()
            .find(|len| secret.get(..*len).is_some_and(|begin| rest.ends_with(begin)));
        let (sure, held) = rest.split_at(rest.len() - begun.unwrap_or(0));
        shown.extend_from_slice(sure);
        if shown.contains(&b'\n') {
            shown.extend_from_slice(held);
            return (shown, true);
        }
        self.held = held.to_vec();
        (shown, false)
    }
}

impl Terminal {
    /// Types as it is.
    pub(super) fn key(&mut self, bytes: &[u8]) {
        self.due = None;
        // A terminal that is gone says so itself.
        let _ = self.outbox.send(bytes.to_vec(), None);
    }

    /// Types a line.
    pub(super) fn type_line(&mut self, text: &str) {
        self.pause = Duration::ZERO;
        let mut line = text.as_bytes().to_vec();
        line.push(b'\r');
        self.key(&line);
    }

    /// Types a secret as a line.
    pub(super) fn type_secret(&mut self, secret: &Secret) {
        self.hidden = Some(Hidden::new(secret.clone()));
        let mut line = secret.expose().as_bytes().to_vec();
        line.push(b'\r');
        self.due = None;
        let _ = self.outbox.send(line, None);
    }

    /// The prompt is this one from now on.
    pub(super) fn follow(&mut self, line: &str, renamed: Option<&str>) {
        if let Some(prompt) = &mut self.prompt {
            prompt.follow(line, renamed);
        }
    }

    /// A pager asks for a key; false where keys do not help.
    pub(super) fn turn_page(&mut self) -> bool {
        let tail = self.lines.tail();
        if self.paged.as_ref() == Some(&tail) {
            self.vain = self.vain.saturating_add(1);
        } else {
            self.vain = 0;
        }
        if self.vain > VAIN_MAX {
            return false;
        }
        self.paged = Some(tail);
        // Some read whole lines.
        self.key(if self.vain == 0 { b" " } else { b"\r" });
        self.due = Some((Instant::now() + PAGE_MAX, Verdict::Pager));
        true
    }

    /// A line without what a pager left in it; none if that was all.
    fn unpaged(&mut self, line: String) -> Option<String> {
        let Some(pager) = self.paged.take() else {
            return Some(line);
        };
        match line.strip_prefix(&pager) {
            Some(rest) if rest.trim().is_empty() => None,
            Some(rest) => Some(rest.to_owned()),
            None => Some(line),
        }
    }

    /// What the unfinished line will mean, and after how much silence.
    fn judge(&self) -> Option<(Verdict, Duration)> {
        if matches!(self.stage, Stage::Greeting(_)) {
            return self.judge_greeting();
        }
        let prompt = self.prompt.as_ref()?;
        let tail = self.lines.tail();
        let resting = Exchange::unknown();
        let (exchange, renamed) = match &self.stage {
            Stage::Greeting(_) => return None,
            Stage::Setup(setup) => (&setup.exchange, None),
            Stage::Ready => (&resting, None),
            Stage::Typed(exchange) => (exchange, None),
            Stage::Enabling(enabling) => (&enabling.exchange, None),
            Stage::Busy(busy) => (&busy.exchange, busy.renamed.as_deref()),
        };
        let (verdict, quiet) = judge(&tail, exchange, prompt, renamed)?;
        let quiet = match verdict {
            Verdict::Prompt => quiet.max((self.pause * PAUSES).min(PAUSE_MAX)),
            _ => quiet,
        };
        Some((verdict, quiet))
    }
}

impl Device {
    pub(super) fn on_bytes(&mut self, bytes: &[u8]) {
        self.session.touch();
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let now = Instant::now();
        let mut shown = Cow::Borrowed(bytes);
        if let Some(hidden) = &mut terminal.hidden {
            let (filtered, is_over) = hidden.filter(bytes);
            shown = Cow::Owned(filtered);
            if is_over {
                terminal.hidden = None;
            }
        }
        match &mut terminal.stage {
            Stage::Busy(busy) => {
                if busy.has_output {
                    terminal.pause = terminal.pause.max(now.saturating_duration_since(terminal.last));
                }
                self.view.show_output(&shown);
            }
            _ => self.view.show(&shown),
        }
        terminal.last = now;
        let answers = self.view.answers();
        if !answers.is_empty() {
            terminal.key(&answers);
        }
        for line in terminal.lines.feed(&shown) {
            if let Some(line) = terminal.unpaged(line) {
                terminal.on_line(line);
            }
        }
        if let Stage::Busy(busy) = &mut terminal.stage {
            busy.flush();
        }
        terminal.due = terminal.judge().map(|(verdict, quiet)| (now + quiet, verdict));
    }

    pub(super) fn on_time(&mut self) {
        let now = Instant::now();
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        if let Some((_, verdict)) = terminal.due.take_if(|(at, _)| now >= *at) {
            self.on_verdict(&verdict);
            return;
        }
        match &mut terminal.stage {
            Stage::Greeting(greeting) => {
                if now >= greeting.deadline(terminal.last) {
                    self.greeting_due(now);
                }
            }
            // It goes on without, once a prompt is seen.
            Stage::Setup(setup) if now >= setup.deadline() => {
                terminal.stage = Stage::Typed(Exchange::unknown());
                terminal.key(b"\r");
            }
            Stage::Enabling(enabling) if now >= enabling.deadline() => self.enabling_due(),
            Stage::Busy(busy) => {
                if let Some(key) = busy.next_key(now) {
                    terminal.key(&[key]);
                }
            }
            Stage::Setup(_) | Stage::Enabling(_) | Stage::Ready | Stage::Typed(_) => {}
        }
    }

    fn on_verdict(&mut self, verdict: &Verdict) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let mut verdict = verdict;
        if *verdict == Verdict::JoinedPrompt {
            terminal.end_line();
            verdict = &Verdict::Prompt;
        }
        let tail = terminal.lines.tail();
        match &mut terminal.stage {
            Stage::Greeting(_) => self.greeted(verdict),
            Stage::Busy(_) => self.ran(verdict),
            Stage::Enabling(_) => self.enabling_answered(verdict),
            Stage::Setup(setup) => match verdict {
                Verdict::Pager => {
                    // One that does not go on is left with the rest.
                    terminal.turn_page();
                }
                Verdict::Question => {
                    setup.is_refused = true;
                    terminal.key(b"\r");
                }
                Verdict::Prompt | Verdict::OtherPrompt | Verdict::JoinedPrompt | Verdict::LoggedOver => {
                    self.set_up_answered();
                }
                Verdict::HelpShown | Verdict::NoHelp => {}
            },
            Stage::Ready => {
                if matches!(verdict, Verdict::Prompt | Verdict::OtherPrompt) {
                    terminal.follow(&tail, None);
                }
            }
            Stage::Typed(_) => match verdict {
                Verdict::Prompt | Verdict::OtherPrompt => {
                    terminal.follow(&tail, None);
                    terminal.stage = Stage::Ready;
                    self.prompted();
                }
                Verdict::Question | Verdict::Pager => {
                    self.summary.send_modify(|summary| summary.reads = true);
                }
                Verdict::JoinedPrompt | Verdict::LoggedOver | Verdict::HelpShown | Verdict::NoHelp => {}
            },
        }
    }

    /// Whoever waits for a prompt has it.
    pub(super) fn prompted(&self) {
        self.summary.send_modify(|summary| {
            summary.prompts = summary.prompts.wrapping_add(1);
            summary.reads = false;
        });
    }

    /// A line stands at the prompt that was not sent.
    pub(super) fn is_half_typed(&self) -> bool {
        let Some(terminal) = &self.terminal else {
            return false;
        };
        let Some(prompt) = &terminal.prompt else {
            return false;
        };
        let tail = terminal.lines.tail();
        matches!(&terminal.stage, Stage::Typed(_)) && tail.starts_with(&prompt.text)
    }

    /// Somebody types.
    pub(super) fn type_as(
        &mut self,
        bytes: Vec<u8>,
        secret: bool,
        reply: oneshot::Sender<Result<u64, Fault>>,
    ) {
        let prompts = self.summary.borrow().prompts;
        let Some(terminal) = &mut self.terminal else {
            let fault = Fault::new(
                Reason::SessionBusy,
                format!(
                    "session {} has no terminal now; nothing was typed",
                    self.session.name
                ),
            );
            let _ = reply.send(Err(fault
                .hint("open it with open_session or by running a command")
                .retryable()));
            return;
        };
        match &mut terminal.stage {
            Stage::Greeting(greeting) => greeting.typed(),
            Stage::Ready => terminal.stage = Stage::Typed(Exchange::unknown()),
            Stage::Busy(busy) => busy.answered(),
            Stage::Setup(_) | Stage::Enabling(_) => {
                let fault = Fault::new(
                    Reason::SessionBusy,
                    format!(
                        "session {} is being set up on the device; nothing was typed",
                        self.session.name
                    ),
                );
                let _ = reply.send(Err(fault.hint("try again in a moment").retryable()));
                return;
            }
            Stage::Typed(_) => {}
        }
        self.summary.send_modify(|summary| summary.reads = false);
        if secret {
            let text = String::from_utf8_lossy(&bytes)
                .trim_end_matches(['\r', '\n'])
                .to_owned();
            terminal.hidden = Some(Hidden::new(Secret::new(text)));
        }
        terminal.due = None;
        self.view.typed();
        match terminal.outbox.send(bytes, None) {
            Sent::Done(done) => drop(reply.send(done.map(|()| prompts))),
            later @ Sent::Later(_) => later.tell(reply, prompts),
        }
    }

    /// Ends what runs by the dialect's keys; there are no signals.
    pub(super) fn signal(&mut self, signal: Signal, only: Option<CommandId>) -> Result<Signalled, Fault> {
        if signal != Signal::Int {
            return Err(Fault::new(
                Reason::NotSupported,
                "a network device has no signals; nothing was sent",
            )
            .hint("send INT, which types the device's own key for it, or close the session"));
        }
        let Some(terminal) = &mut self.terminal else {
            return Ok(Signalled::Nothing);
        };
        let keys = terminal.dialect.interrupts;
        let Some(&(name, key)) = keys.first() else {
            return Ok(Signalled::Nothing);
        };
        match &mut terminal.stage {
            Stage::Busy(busy) if only.is_none_or(|id| id == busy.command.id) => {
                busy.interrupt(keys);
                terminal.key(&[key]);
                Ok(Signalled::Typed(name))
            }
            Stage::Typed(_) if only.is_none() => {
                terminal.key(&[0x03]);
                Ok(Signalled::Typed("Ctrl-C"))
            }
            _ => Ok(Signalled::Nothing),
        }
    }
}

impl Terminal {
    /// What stands before the prompt in its line is a line of its own.
    fn end_line(&mut self) {
        if let Some(prompt) = &self.prompt
            && let Some(line) = self.lines.end_before(&prompt.text)
        {
            self.stage.take_line(line, prompt);
        }
    }

    fn on_line(&mut self, line: String) {
        let Some(prompt) = &self.prompt else {
            if let Stage::Greeting(greeting) = &mut self.stage {
                greeting.line(&line);
            }
            return;
        };
        self.stage.take_line(line, prompt);
    }
}

impl Stage {
    fn take_line(&mut self, line: String, prompt: &Learned) {
        match self {
            Self::Greeting(_) | Self::Ready => {}
            Self::Setup(setup) => setup.line(line, prompt),
            // It is nobody's output.
            Self::Typed(exchange) => drop(exchange.line(line, prompt)),
            Self::Enabling(enabling) => enabling.line(line, prompt),
            Self::Busy(busy) => busy.line(line, prompt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However it is cut, an echoed secret is not shown; what is none stays whole.
    #[test]
    fn an_echoed_secret_is_hidden() {
        for cut in 0..14 {
            let mut hidden = Hidden::new(Secret::new("s3cr3t-s3c".into()));
            let all = b"s3s3cr3t-s3c\r\nx".split_at(cut);
            let (mut shown, over) = hidden.filter(all.0);
            if over {
                shown.extend_from_slice(all.1);
            } else {
                shown.extend(hidden.filter(all.1).0);
            }
            assert_eq!(String::from_utf8_lossy(&shown), "s3[hidden]\r\nx", "cut at {cut}");
        }
        let mut hidden = Hidden::new(Secret::new("abc".into()));
        assert_eq!(hidden.filter(b"\r\nR1#"), (b"\r\nR1#".to_vec(), true));
    }
}
