//! Opens a session's shell: both channels, the helper, the first prompt, and the integration script. A line is typed
//! only when the shell was seen to read one; whatever start-up files print or ask before that is their own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::{sleep_until, timeout_at};

use super::{
    Claims,
    link::{Link, LinkEvent, Parts, Source, Wiring},
};
use crate::{
    connection::{ChannelEvent, ChannelWriter, CloseReason, Connection, Pair, Pool, Pty},
    host::Target,
    id::shorten,
    shell::{
        candidate::Candidate,
        fish,
        frame::{self, HelperFrame, HelperHello},
        mark::{self, Mark, ShellHello},
        order::{self, Script},
        probe::LineMode,
        scan::{Piece, Scanner},
        typed::{self, Dialect},
    },
    terminal::clean::clean,
};

/// Start-up files may take this long before the shell shows its prompt.
const STARTUP_MAX: Duration = Duration::from_secs(25);
/// The helper says hello at once; a host where it does not is worked without one.
const HELPER_WAIT: Duration = Duration::from_secs(8);
/// The integration script answers within this time of being typed.
const INSTALL_WAIT: Duration = Duration::from_secs(8);
/// Looks at the terminal while the shell starts: the first, and the last, doubled in between.
const LOOK_FIRST: Duration = Duration::from_millis(8);
const LOOK_LAST: Duration = Duration::from_millis(150);
/// Where nobody can look at the terminal, silence this long after the first output is taken for the prompt.
const QUIET: Duration = Duration::from_millis(700);
/// A start-up file that reads from the terminal is told from a prompt after this.
const ASKING: Duration = Duration::from_secs(3);
/// What is kept of what was printed before the first prompt.
const GREETING_MAX: usize = 16 << 10; // 16 KiB

/// A shell that is ready for its first command.
pub struct Opened {
    /// The way to it.
    pub link: Link,
    /// Everything the terminal showed before the integration, as bytes.
    pub greeting: Vec<u8>,
    /// Working directory.
    pub cwd: String,
    /// Events that came with the last mark and belong to the session: terminal bytes behind it.
    pub rest: Vec<u8>,
}

struct Opening {
    wiring: Wiring,
    connection: Arc<Connection>,
    terminal: ChannelWriter,
    helper: Option<ChannelWriter>,
    /// The helper's script, until it is sent.
    script: Option<Vec<u8>>,
    reading: bool,
    hello: Option<HelperHello>,
    nonce: String,
    helper_frames: Scanner,
    marks: Scanner,
    shown: Vec<u8>,
    last_shown: Option<Instant>,
    shell: Option<ShellHello>,
    /// Integration scripts that are in the helper's directory by now, each over the last.
    installed: usize,
    after: Vec<u8>,
    candidates: Option<Vec<Candidate>>,
}

/// Opens the shell of a session on the target.
pub async fn open(
    pool: &Arc<Pool>,
    claims: &Claims,
    target: &Target,
    cols: u16,
    rows: u16,
) -> Result<Opened, Fault> {
    let pty = Pty {
        term: "xterm-256color".into(),
        cols,
        rows,
    };
    let nonce = format!("{:016x}", rand::random::<u64>());
    let (command, script) = order::helper_command(&nonce);
    let Pair {
        connection,
        shell,
        beside,
    } = pool.open_pair(target, pty, &command).await?;
    let mut wiring = Wiring::new();
    let terminal = wiring.add(Source::Terminal, shell);
    let helper = match beside {
        Ok(channel) => Some(wiring.add(Source::Helper, channel)),
        Err(fault) => {
            tracing::info!(target = %target.key(), %fault, "no second channel for the helper");
            None
        }
    };
    let opening = Opening {
        wiring,
        connection,
        terminal,
        helper,
        script: Some(script),
        reading: false,
        hello: None,
        helper_frames: Scanner::new(&frame::helper_introducer(&nonce), frame::TERMINATOR),
        marks: Scanner::new(&mark::introducer(&nonce), mark::TERMINATOR),
        nonce,
        shown: Vec::new(),
        last_shown: None,
        shell: None,
        installed: 0,
        after: Vec::new(),
        candidates: None,
    };
    opening.run(claims).await
}

impl Opening {
    async fn run(mut self, claims: &Claims) -> Result<Opened, Fault> {
        let began = Instant::now();
        self.wait_until(HELPER_WAIT, |opening| opening.reading || opening.helper.is_none())
            .await?;
        let script = self.script.take().unwrap_or_default();
        self.order(script).await?;
        self.wait_until(HELPER_WAIT, |opening| {
            opening.hello.is_some() || opening.helper.is_none()
        })
        .await?;
        let hello = self.hello.clone().unwrap_or_default();
        let fifos = !hello.dir.is_empty();
        self.answer(&self.shown).await;
        // The helper brings the script of the many; another is sent after it.
        let mut script = Script::Posix;
        let mut brought = 1;
        if fifos {
            self.bring(Script::of(&hello.shell), &mut script, &mut brought)
                .await?;
        } else {
            // It takes no orders then.
            self.candidates.get_or_insert_default();
        }
        let candidate = self.wait_for_prompt(claims, began, fifos).await?;
        let seen = candidate.clone();
        let other = candidate
            .as_ref()
            .and_then(|candidate| Dialect::by_name(&candidate.name))
            .filter(|dialect| !(fifos && *dialect == Dialect::Fish));
        if fifos && other.is_none() {
            // Start-up files may have put another shell in the place of the login shell.
            if let Some(candidate) = &candidate {
                self.bring(Script::of(&candidate.name), &mut script, &mut brought)
                    .await?;
            }
            self.wait_until(HELPER_WAIT, |opening| opening.installed >= brought)
                .await?;
        }
        let greeting = std::mem::take(&mut self.shown);
        let (line, typed) = match other {
            Some(dialect) => (typed::greet(&self.nonce), Some(dialect)),
            None if fifos => (order::type_install(&hello.dir), None),
            None => (typed::install(&self.nonce), Some(Dialect::Posix)),
        };
        self.terminal.write(Bytes::from(line)).await?;
        self.wait_until(INSTALL_WAIT, |opening| opening.shell.is_some())
            .await?;
        let Some(mut shell) = self.shell.take() else {
            let said = last_words(&self.shown);
            return Err(Fault::new(
                Reason::NotSupported,
                format!("the login shell did not take the session's set-up; its terminal shows: {said}"),
            )
            .hint("check which shell the account has: bash, zsh, fish, dash, ash, ksh and mksh are worked fully"));
        };
        if let (Some(dialect), Some(candidate)) = (other, candidate) {
            dialect.kind().clone_into(&mut shell.kind);
            shell.pid = candidate.pid;
            shell.tty = candidate.tty;
        }
        // What the shell says may be mixed with what its traps print.
        if let Some(seen) = seen.filter(|seen| seen.pid == shell.pid) {
            shell.tty = seen.tty;
        }
        self.order(order::introduce(shell.pid, &shell.tty)).await?;
        let cwd = shell.cwd.clone();
        let link = self.wiring.finish(Parts {
            connection: self.connection,
            terminal: self.terminal,
            helper: self.helper,
            shell,
            hello,
            nonce: self.nonce,
            typed,
        });
        Ok(Opened {
            link,
            greeting,
            cwd,
            rest: self.after,
        })
    }

    /// Has the helper take another integration script, if it has not this one.
    async fn bring(&self, wanted: Script, script: &mut Script, brought: &mut usize) -> Result<(), Fault> {
        if wanted != *script {
            *script = wanted;
            *brought = brought.saturating_add(1);
            let dir = self.hello.as_ref().map_or("", |hello| hello.dir.as_str());
            self.order(order::install(wanted, dir, &self.nonce)).await?;
        }
        Ok(())
    }

    async fn order(&self, order: Vec<u8>) -> Result<(), Fault> {
        match &self.helper {
            Some(helper) => helper.write(Bytes::from(order)).await,
            None => Ok(()),
        }
    }

    /// Takes events until the condition holds or the time is over.
    async fn wait_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Result<(), Fault> {
        let deadline = tokio::time::Instant::now() + limit;
        while !done(self) {
            match timeout_at(deadline, self.wiring.events.recv()).await {
                Ok(Some(event)) => self.take(event).await?,
                Ok(None) | Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Waits until the shell reads a line at its prompt; the process that does, where it can be seen. The helper
    /// has looked once by itself; it looks again only if it takes orders.
    async fn wait_for_prompt(
        &mut self,
        claims: &Claims,
        began: Instant,
        takes_orders: bool,
    ) -> Result<Option<Candidate>, Fault> {
        let mut pause = LOOK_FIRST;
        loop {
            self.wait_until(HELPER_WAIT, |opening| {
                opening.candidates.is_some() || opening.helper.is_none()
            })
            .await?;
            let candidates = self.candidates.clone().unwrap_or_default();
            // Shells of sessions that are open already are told from ours by having been claimed.
            let ours: Vec<&Candidate> = candidates
                .iter()
                .filter(|candidate| !claims.has(self.connection.id(), candidate.pid))
                .collect();
            if !ours.is_empty() && ours.iter().all(|candidate| candidate.at_prompt()) {
                return Ok(ours.last().map(|candidate| (*candidate).clone()));
            }
            let quiet = self.last_shown.is_some_and(|at| at.elapsed() > QUIET);
            if ours.is_empty() && quiet {
                return Ok(ours.last().map(|candidate| (*candidate).clone()));
            }
            if began.elapsed() > ASKING && quiet && ours.iter().any(|candidate| candidate.at_prompt()) {
                return Ok(ours.last().map(|candidate| (*candidate).clone()));
            }
            let asks = ours.iter().any(|candidate| {
                candidate.in_front && candidate.reading && candidate.mode == LineMode::Canonical
            });
            if asks && began.elapsed() > ASKING && quiet {
                let text = last_words(&self.shown);
                if text.ends_with(['$', '#', '%', '>']) {
                    return Ok(ours.last().map(|candidate| (*candidate).clone()));
                }
                return Err(Fault::new(
                    Reason::NotSupported,
                    format!("the login shell's start-up files wait for input: {text}"),
                )
                .hint(
                    "make them ask only when a person is there, for example not when TERM_PROGRAM is unset",
                ));
            }
            if began.elapsed() > STARTUP_MAX {
                return Err(Fault::new(
                    Reason::Unreachable,
                    format!(
                        "the login shell showed no prompt within {} s; its terminal shows: {}",
                        STARTUP_MAX.as_secs(),
                        last_words(&self.shown)
                    ),
                )
                .hint("look at the start-up files of the account")
                .retryable());
            }
            let next = tokio::time::Instant::now() + pause;
            pause = (pause * 2).min(LOOK_LAST);
            loop {
                tokio::select! {
                    event = self.wiring.events.recv() => match event {
                        Some(event) => self.take(event).await?,
                        None => return Ok(None),
                    },
                    () = sleep_until(next) => break,
                }
            }
            if takes_orders {
                self.candidates = None;
                self.order(b"w\n".to_vec()).await?;
            }
        }
    }

    /// Answers what fish asks its terminal; nobody else is answered, who might not be there any more to read it.
    async fn answer(&self, shown: &[u8]) {
        let is_fish = self
            .hello
            .as_ref()
            .is_some_and(|hello| Script::of(&hello.shell) == Script::Fish);
        if is_fish && let Some(answer) = fish::answers(shown) {
            let _ = self.terminal.write(Bytes::from_static(answer)).await;
        }
    }

    async fn take(&mut self, event: LinkEvent) -> Result<(), Fault> {
        match (event.source, event.event) {
            (Source::Terminal, ChannelEvent::Stdout(bytes) | ChannelEvent::Stderr(bytes)) => {
                self.last_shown = Some(Instant::now());
                self.answer(&bytes).await;
                for piece in self.marks.feed(&bytes) {
                    match piece {
                        Piece::Data(data) if self.shell.is_some() => self.after.extend(data),
                        Piece::Data(data) => {
                            self.shown.extend(data);
                            let surplus = self.shown.len().saturating_sub(GREETING_MAX);
                            self.shown.drain(..surplus);
                        }
                        Piece::Frame(body) => match mark::parse(&body) {
                            Some(Mark::Hello(hello)) => self.shell = Some(hello),
                            Some(_) | None => {
                                // A prompt mark that came with the hello is given to the session as it was.
                                self.after.extend(mark::introducer(&self.nonce));
                                self.after.extend(body);
                                self.after.push(mark::TERMINATOR);
                            }
                        },
                    }
                }
            }
            (Source::Terminal, ChannelEvent::Closed { reason }) => {
                let said = last_words(&self.shown);
                return Err(match reason {
                    CloseReason::ConnectionLost(cause) => Fault::new(
                        Reason::ConnectionLost,
                        format!("the connection was lost while the shell started: {cause}"),
                    )
                    .retryable(),
                    CloseReason::Normal => Fault::new(
                        Reason::NotSupported,
                        format!("the login shell ended before it showed a prompt: {said}"),
                    )
                    .hint("check that the account has a login shell and may log in interactively"),
                });
            }
            (Source::Helper, ChannelEvent::Stdout(bytes)) => {
                for piece in self.helper_frames.feed(&bytes) {
                    let Piece::Frame(body) = piece else { continue };
                    match frame::parse_helper(&body) {
                        Some(HelperFrame::Reading) => self.reading = true,
                        Some(HelperFrame::Hello(hello)) => self.hello = Some(hello),
                        Some(HelperFrame::Installed) => self.installed = self.installed.saturating_add(1),
                        Some(HelperFrame::Who(candidates)) => self.candidates = Some(candidates),
                        Some(
                            HelperFrame::Opened(_)
                            | HelperFrame::Probe(_)
                            | HelperFrame::Front(_)
                            | HelperFrame::Foreground(..)
                            | HelperFrame::Flow(_),
                        )
                        | None => {}
                    }
                }
            }
            (Source::Helper, ChannelEvent::Closed { .. }) => {
                self.helper = None;
                self.candidates.get_or_insert_default();
            }
            (Source::Terminal | Source::Helper | Source::Drain(_), _) => {}
        }
        Ok(())
    }
}

/// The last line on the terminal, for an error's words.
fn last_words(shown: &[u8]) -> String {
    let text = clean(shown);
    let line = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("nothing");
    shorten(line.trim_end(), 200)
}
