//! Whether a shell that is being opened shows its prompt: only then a line is typed. What its start-up files ask is told,
//! and never answered by us.

use std::time::{Duration, Instant};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::sleep_until;

use super::{ASKING, HELPER_WAIT, Opening, QUIET, STARTUP_MAX, dialog::Question, last_words};
use crate::{
    config::Kind,
    device::{Lines, looks_like_device},
    session::Claims,
    shell::{candidate::Candidate, order},
};

/// Looks at the terminal while the shell starts: the first, and the last, doubled in between.
const LOOK_FIRST: Duration = Duration::from_millis(8);
const LOOK_LAST: Duration = Duration::from_millis(150);
/// Turns that the tasks of the channels get to hand on what has come already.
const CATCH_UP: usize = 8;
/// While a question stands that nobody answers.
const LOOK_ASKING: Duration = Duration::from_secs(2);

/// What is seen of our shell.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// A line may be typed; the process that reads it, where it can be seen.
    Prompt(Option<Candidate>),
    /// Somebody reads the terminal, and it is no prompt: the name of a program that the start-up files started.
    Question(String),
    /// Start-up files are at work, or cannot be looked at.
    AtWork,
}

/// Judges what was seen. `quiet`: the terminal has shown nothing for a while; `patient`: and not only for a moment.
fn judge(shell: Option<&Candidate>, quiet: bool, patient: bool, words: &str) -> Seen {
    let Some(shell) = shell else {
        // Nobody can look: a menu, or a program that asks, is not to be given what is meant for a shell.
        return match (quiet, words.trim_end().ends_with(['?', ':'])) {
            (false, _) => Seen::AtWork,
            (true, false) => Seen::Prompt(None),
            (true, true) if patient => Seen::Question(String::new()),
            (true, true) => Seen::AtWork,
        };
    };
    // Its question may be on the way still.
    let may_ask = shell.may_ask() && (!quiet || words.ends_with(['?', ':']));
    if shell.at_prompt() && !may_ask {
        return Seen::Prompt(Some(shell.clone()));
    }
    if !(quiet && patient) {
        return Seen::AtWork;
    }
    if shell.reads() {
        if shows_prompt(words) && !shell.asks() {
            return Seen::Prompt(Some(shell.clone()));
        }
        return Seen::Question(String::new());
    }
    match &shell.front {
        Some(front) if front.reads => Seen::Question(front.name.clone()),
        _ => Seen::AtWork,
    }
}

/// The last words look like a prompt's end.
fn shows_prompt(words: &str) -> bool {
    words.trim_end().ends_with(['$', '#', '%', '>'])
}

impl Opening {
    /// Nobody can look at what showed this prompt, and no shell's looks so.
    pub(super) fn is_device(&self) -> bool {
        let is_open = matches!(self.target.kind, Kind::Auto) && self.hello.is_none();
        let mut lines = Lines::default();
        lines.feed(&self.shown);
        is_open && looks_like_device(&lines.tail())
    }

    /// Waits until the shell reads a line at its prompt; the process that does, where it can be seen. The helper
    /// has looked once by itself; it looks again only if it takes orders.
    pub(super) async fn wait_for_prompt(
        &mut self,
        claims: &Claims,
        takes_orders: bool,
    ) -> Result<Option<Candidate>, Fault> {
        let mut pause = LOOK_FIRST;
        let mut named: Vec<u32> = Vec::new();
        let mut seen_before = false;
        loop {
            self.wait_until(HELPER_WAIT, |opening| {
                opening.candidates.is_some() || opening.helper.is_none()
            })
            .await?;
            self.catch_up().await?;
            let candidates = self.candidates.clone().unwrap_or_default();
            let ours = candidates.iter().find(|candidate| candidate.tty == self.tty);
            if self.tty.is_empty() && !candidates.is_empty() {
                self.name_terminals(claims, &candidates, &mut named).await?;
            }
            let mut words = last_words(&self.shown);
            if ours.is_none() && self.target.kind == Kind::Posix {
                // Somebody says that it is a shell, however its prompt ends.
                words.clear();
            }
            let patient = self.began.elapsed() > ASKING;
            let seen = match ours {
                // Others' terminals have their names, and ours may be one that cannot be looked at.
                None if !named.is_empty() => {
                    if patient && self.is_quiet() && shows_prompt(&words) {
                        Seen::Prompt(None)
                    } else {
                        Seen::AtWork
                    }
                }
                ours => judge(ours, self.is_quiet(), patient, &words),
            };
            // Whoever is between two programs may look as if it read: what asks does so at the next look too.
            let confirmed = std::mem::replace(&mut seen_before, matches!(seen, Seen::Question(_)));
            match seen {
                Seen::Prompt(candidate) => {
                    self.asks(None);
                    return Ok(candidate);
                }
                Seen::Question(_) if !confirmed => pause = LOOK_LAST,
                Seen::Question(program) => {
                    let question = Question {
                        text: words,
                        program,
                        shown: self.shown.clone(),
                        total: self.shown_total,
                        login: None,
                    };
                    if self.dialog.is_none() {
                        return Err(question.unanswered());
                    }
                    if self.asks(Some(question)) {
                        pause = LOOK_LAST;
                    }
                    pause = (pause * 2).min(LOOK_ASKING);
                    // Whoever answers has time.
                    self.began = Instant::now().checked_sub(ASKING).unwrap_or_else(Instant::now);
                }
                Seen::AtWork => {
                    pause = (pause * 2).min(LOOK_LAST);
                    if self.began.elapsed() > STARTUP_MAX {
                        return Err(self.no_prompt());
                    }
                }
            }
            let next = tokio::time::Instant::now() + pause;
            if self.pass(next).await? {
                pause = LOOK_FIRST;
            }
            if takes_orders {
                self.candidates = None;
                self.look_for_shell().await?;
            }
        }
    }

    /// Has the helper write on each terminal that may be ours which one it is. Other shells on the connection are those of
    /// open sessions, which have been claimed, of sessions that are being opened too, and of closed ones.
    async fn name_terminals(
        &self,
        claims: &Claims,
        candidates: &[Candidate],
        named: &mut Vec<u32>,
    ) -> Result<(), Fault> {
        let is_free = |pid| !claims.has(self.road.id(), pid) && !named.contains(&pid);
        let new: Vec<&Candidate> = candidates
            .iter()
            .filter(|candidate| is_free(candidate.pid))
            .collect();
        if !new.is_empty() {
            let terminals = new.iter().map(|candidate| candidate.tty.as_str());
            self.order(order::name_terminals(terminals)).await?;
            named.extend(new.iter().map(|candidate| candidate.pid));
        }
        Ok(())
    }

    /// What the terminal showed before the helper looked may come behind what the helper said.
    async fn catch_up(&mut self) -> Result<(), Fault> {
        for _ in 0..CATCH_UP {
            tokio::task::yield_now().await;
            while let Ok(event) = self.wiring.events.try_recv() {
                self.take(event).await?;
            }
        }
        Ok(())
    }

    /// The terminal has shown nothing for a while.
    pub(super) fn is_quiet(&self) -> bool {
        self.last_shown
            .map_or_else(|| self.began.elapsed() > ASKING, |at| at.elapsed() > QUIET)
    }

    /// The start-up files have not come to an end.
    pub(super) fn no_prompt(&self) -> Fault {
        Fault::new(
            Reason::Unreachable,
            format!(
                "the login shell showed no prompt within {} s: its start-up files have not ended, or what runs there is no shell; its terminal shows: {}",
                STARTUP_MAX.as_secs(),
                last_words(&self.shown)
            ),
        )
        .hint("`sshctl doctor HOST` names slow start-up files; mend those of the account, then try again")
        .retryable()
    }

    /// Says what is asked now, or that nothing is; true if that is new.
    pub(super) fn asks(&self, question: Option<Question>) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| {
            dialog.asked.send_if_modified(|asked| {
                let is_new = *asked != question;
                *asked = question;
                is_new
            })
        })
    }

    /// Takes what comes until then; true if something was typed at a question.
    pub(super) async fn pass(&mut self, until: tokio::time::Instant) -> Result<bool, Fault> {
        loop {
            let dialog = &mut self.dialog;
            tokio::select! {
                event = self.wiring.events.recv() => match event {
                    Some(event) => self.take(event).await?,
                    None => return Ok(false),
                },
                Some(typed) = async {
                    match dialog {
                        Some(dialog) => dialog.typed.recv().await,
                        None => std::future::pending().await,
                    }
                } => {
                    let written = self.write(typed.bytes).await;
                    // What it brings is waited for.
                    self.last_shown = Some(Instant::now());
                    self.asks(None);
                    let _ = typed.reply.send(written.map(|()| typed.prompts));
                    return Ok(true);
                }
                () = sleep_until(until) => return Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, quiet: bool, patient: bool, words: &str) -> Seen {
        judge(Candidate::parse(text).as_ref(), quiet, patient, words)
    }

    /// Prompts, questions, programs that start-up files started, and work.
    #[test]
    fn table() {
        let prompt = "5 /dev/pts/1 rne S 5 5 do_select bash - -";
        assert!(matches!(seen(prompt, false, false, ""), Seen::Prompt(Some(_))));
        assert_eq!(seen("", true, false, ""), Seen::Prompt(None));
        assert_eq!(seen("", false, true, "$"), Seen::AtWork);
        let question = Seen::Question(String::new());
        assert_eq!(seen("", true, true, "2) backup\r\nchoose: "), question);
        assert_eq!(seen("", true, false, "choose: "), Seen::AtWork);
        for asking in [
            "5 /dev/pts/1 cek S 5 5 wait_woken bash - 1",
            "5 /dev/pts/1 rek S 5 5 wait_woken bash - 1",
            "5 /dev/pts/1 cek S 5 5 wait_woken dash - 1",
        ] {
            assert_eq!(seen(asking, true, true, "name>"), question, "{asking}");
            assert_eq!(seen(asking, true, false, "$"), Seen::AtWork);
            assert_eq!(seen(asking, false, true, "$"), Seen::AtWork);
        }
        let unknown = "5 /dev/pts/1 cek S 5 5 wait_woken rc - -";
        assert!(matches!(seen(unknown, false, false, ""), Seen::Prompt(_)));
        let reads = "5 /dev/pts/1 rne S 5 5 poll_schedule_timeout fish - - 21200";
        assert_eq!(seen(reads, true, true, "continue?"), question);
        assert_eq!(seen(reads, false, true, ""), Seen::AtWork);
        assert!(matches!(seen(reads, true, true, "~>"), Seen::Prompt(_)));
        let inner = "5 /dev/pts/1 rne S 5 9 do_wait bash S,do_select,zsh -";
        assert_eq!(seen(inner, true, true, "name>"), Seen::Question("zsh".into()));
        let works = "5 /dev/pts/1 cek S 5 9 do_wait bash S,hrtimer_nanosleep,sleep -";
        assert_eq!(seen(works, true, true, "name>"), Seen::AtWork);
    }
}
