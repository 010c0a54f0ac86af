//! Opens a session's shell: both channels, the helper, the first prompt, and the integration script. A line is typed
//! only when the shell was seen to read one; whatever start-up files print or ask before that is their own.

mod back;
mod catch;
pub mod dialog;
mod expired;
mod help;
mod install;
mod kept;
mod local;
mod login;
mod marks;
mod prompt;
mod stored;
mod unseen;
mod windows;

pub use back::{Back, NotBack, come_back};
pub use catch::Caught;
pub use kept::{Keep, NotOpened, open_kept};
pub use local::{Here, open_local};
pub use windows::refuse_server as refuse_windows;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::timeout_at;

use self::{dialog::Asking, marks::Marks};
use super::{
    Claims,
    kept::Kept,
    link::{Link, LinkEvent, Parts, Source, Wiring},
};
use crate::{
    connection::{ChannelEvent, ChannelWriter, CloseReason, Pair, Pool, Pty, Road},
    host::Target,
    id::shorten,
    shell::{
        candidate::Candidate,
        fish,
        frame::{self, HelperFrame, HelperHello},
        mark::{self, Mark, ShellHello},
        order::{self, Keeping, Script},
        scan::{Piece, Scanner},
        typed::{self, Dialect},
    },
    state::SavedSession,
    terminal::clean::clean,
};

/// Start-up files may take this long before the shell shows its prompt.
const STARTUP_MAX: Duration = Duration::from_secs(25);
/// The helper says hello at once; a host where it does not is worked without one.
const HELPER_WAIT: Duration = Duration::from_secs(8);
/// The integration script answers within this time of being typed.
const INSTALL_WAIT: Duration = Duration::from_secs(8);
/// Where nobody can look at the terminal, silence this long after the first output is taken for the prompt.
const QUIET: Duration = Duration::from_millis(700);
/// A start-up file that reads from the terminal is told from a prompt after this.
const ASKING: Duration = Duration::from_secs(3);
/// Sessions of ours on one host that nobody remembers; the others are found with another connection.
const LABELS_MAX: usize = 500;
/// What is kept of what was printed before the first prompt.
const GREETING_MAX: usize = 16 << 10; // 16 KiB

/// A shell that is ready for its first command.
pub struct Opened {
    /// The way to it.
    pub link: Link,
    /// The end of what the terminal showed before the integration, as bytes.
    pub greeting: Vec<u8>,
    /// How many bytes that was in all.
    pub greeted: u64,
    /// Working directory.
    pub cwd: String,
    /// Events that came with the last mark and belong to the session: terminal bytes behind it.
    pub rest: Vec<u8>,
    /// A tmux was to keep it, and why none does.
    pub not_kept: Option<String>,
}

struct Opening {
    pool: Arc<Pool>,
    target: Target,
    began: Instant,
    /// The session, which may have somebody who answers; not where nobody can.
    dialog: Option<Asking>,
    wiring: Wiring,
    road: Road,
    /// Not there before the helper is, where a tmux keeps the shell.
    terminal: Option<ChannelWriter>,
    helper: Option<ChannelWriter>,
    /// The line that runs the helper.
    command: String,
    /// The session's name for tmux, where one keeps the shell.
    kept: Option<String>,
    /// The process of its pane.
    below: Option<u32>,
    /// It is on another connection than the shell.
    is_apart: bool,
    /// When the helper said that it can be given its script.
    reading: Option<Instant>,
    hello: Option<HelperHello>,
    nonce: String,
    helper_frames: Scanner,
    marks: Marks,
    shown: Vec<u8>,
    shown_total: u64,
    last_shown: Option<Instant>,
    shell: Option<ShellHello>,
    /// Integration scripts that are in the helper's directory by now, each over the last.
    installed: usize,
    after: Vec<u8>,
    candidates: Option<Vec<Candidate>>,
    /// Our terminal, as its own words name it; empty as long as they did not.
    tty: String,
    /// What the host has of ours, as it said it so far, and whether that was all.
    labels: (Vec<String>, bool),
    said: expired::Said,
    /// What the helper made is where the shell is, as the shell says.
    is_here: Option<bool>,
}

/// Opens the shell of the session of this name on the target.
pub async fn open(
    pool: &Arc<Pool>,
    claims: &Claims,
    target: &Target,
    size: (u16, u16),
    dialog: Option<Asking>,
    name: &str,
) -> Result<Opened, NotOpened> {
    match open_once(pool, claims, target, size, dialog, name).await {
        // Another connection, which logs in anew.
        Err(NotOpened::Changed(dialog)) => {
            pool.password_was_changed(target).await;
            open_once(pool, claims, target, size, dialog, name).await
        }
        outcome => outcome,
    }
}

async fn open_once(
    pool: &Arc<Pool>,
    claims: &Claims,
    target: &Target,
    (cols, rows): (u16, u16),
    dialog: Option<Asking>,
    name: &str,
) -> Result<Opened, NotOpened> {
    let pty = Pty {
        term: "xterm-256color".into(),
        cols,
        rows,
    };
    let nonce = new_nonce();
    let (command, script) = order::helper_command(&nonce, &Keeping::Connection);
    let Pair {
        connection,
        shell,
        beside,
        is_apart,
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
    let mut opening = Opening::new(pool, target, dialog, nonce, wiring, Road::Pooled(connection));
    opening.terminal = Some(terminal);
    opening.helper = helper;
    opening.command = command;
    opening.is_apart = is_apart;
    opening.prepare(script).await?;
    opening.run(claims, name).await
}

fn new_nonce() -> String {
    format!("{:016x}", rand::random::<u64>())
}

impl Opening {
    fn new(
        pool: &Arc<Pool>,
        target: &Target,
        dialog: Option<Asking>,
        nonce: String,
        wiring: Wiring,
        road: Road,
    ) -> Self {
        Self {
            pool: pool.clone(),
            target: target.clone(),
            began: Instant::now(),
            dialog,
            wiring,
            road,
            terminal: None,
            helper: None,
            command: String::new(),
            kept: None,
            below: None,
            is_apart: false,
            reading: None,
            hello: None,
            helper_frames: Scanner::new(&frame::helper_introducer(&nonce), frame::TERMINATOR),
            marks: Marks::new(&nonce),
            nonce,
            shown: Vec::new(),
            shown_total: 0,
            last_shown: None,
            shell: None,
            installed: 0,
            after: Vec::new(),
            candidates: None,
            tty: String::new(),
            labels: (Vec::new(), false),
            said: expired::Said::default(),
            is_here: None,
        }
    }

    /// Gives the helper its script and waits for its first words.
    async fn prepare(&mut self, script: Vec<u8>) -> Result<(), NotOpened> {
        self.wait_for_helper().await?;
        if self.has_expired() {
            return self.change_password().await;
        }
        self.order(script).await?;
        self.wait_until(HELPER_WAIT, |opening| {
            opening.hello.is_some() || opening.helper.is_none()
        })
        .await?;
        Ok(())
    }

    /// Has the helper look at the shell that may be ours.
    async fn look_for_shell(&self) -> Result<(), Fault> {
        self.order(match self.below {
            Some(pid) => order::look_below(pid),
            None => order::look_for_shells(self.is_apart),
        })
        .await
    }

    /// Types.
    async fn write(&self, bytes: Vec<u8>) -> Result<(), Fault> {
        match &self.terminal {
            Some(terminal) => terminal.write(Bytes::from(bytes)).await,
            None => Ok(()),
        }
    }
}

impl Opening {
    async fn run(mut self, claims: &Claims, session: &str) -> Result<Opened, NotOpened> {
        let mut hello = self.hello.clone().unwrap_or_default();
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
        if fifos && self.is_apart && self.below.is_none() {
            // What it saw by itself are others.
            self.wait_until(HELPER_WAIT, |opening| opening.candidates.is_some())
                .await?;
            self.candidates = None;
            self.order(order::look_for_shells(true)).await?;
        }
        if fifos && let Some(left) = self.look_for_left(claims, session).await? {
            return Err(NotOpened::Left(Box::new(left)));
        }
        let candidate = self.wait_for_prompt(claims, fifos).await?;
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
        if seen.is_none() && self.hello.is_none() {
            windows::refuse_prompt(&self.target, &self.shown)?;
        }
        let is_device = seen.is_none() && self.is_device() && !self.is_csh().await;
        let greeting = std::mem::take(&mut self.shown);
        let greeted = self.shown_total;
        let name = seen.as_ref().map_or("", |candidate| candidate.name.as_str());
        let typed = match other {
            Some(dialect) => {
                self.write(typed::greet(&self.nonce, dialect)).await?;
                Some(dialect)
            }
            None if fifos => {
                let is_unseen = seen.is_none() && self.kept.is_none();
                let is_elsewhere = is_unseen && self.is_elsewhere(&hello.dir).await?;
                if !is_elsewhere {
                    self.install(&hello.dir, name).await?;
                }
                if self.shell.is_none() && is_unseen {
                    // What the helper has is not where the shell is: another machine, or another container of it.
                    hello = HelperHello::default();
                    self.leave_helper().await;
                    Some(self.install_unseen(false, &greeting).await?)
                } else {
                    None
                }
            }
            None if is_device => return Err(NotOpened::Device),
            None => Some(self.install_unseen(seen.is_some(), &greeting).await?),
        };
        self.wait_until(INSTALL_WAIT, |opening| opening.shell.is_some())
            .await?;
        let Some(mut shell) = self.shell.take() else {
            return Err(self.not_taken(&greeting).into());
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
        let kept = self.kept.take().map(|name| Kept {
            name,
            nonce: self.nonce.clone(),
            dir: hello.dir.clone(),
            boot_id: hello.boot_id.clone(),
            shell: shell.clone(),
            has_alias: shell.kind != "fish",
            local: self.road.place().cloned(),
            unsure: false,
        });
        let terminal = self
            .terminal
            .clone()
            .ok_or_else(|| Fault::new(Reason::Internal, "the shell has no terminal"))?;
        let link = std::mem::take(&mut self.wiring).finish(Parts {
            road: self.road.clone(),
            terminal,
            helper: self.helper.take(),
            shell,
            hello,
            nonce: std::mem::take(&mut self.nonce),
            typed,
            kept,
        });
        Ok(Opened {
            link,
            greeting,
            greeted,
            cwd,
            rest: std::mem::take(&mut self.after),
            not_kept: None,
        })
    }

    /// Asks the host, where this connection of it was not asked yet, what it keeps of ours that nobody remembers: the shell
    /// of this very session may be among it.
    async fn look_for_left(&mut self, claims: &Claims, session: &str) -> Result<Option<SavedSession>, Fault> {
        // What OpenSSH alone reaches has none of ours.
        let Some(labels) = claims.labels().filter(|_| self.road.place().is_none()) else {
            return Ok(None);
        };
        let target = self.target.key();
        if labels.is_to_ask(self.road.id()) {
            self.order(order::labels(labels.mark())).await?;
            self.wait_until(HELPER_WAIT, |opening| {
                opening.labels.1 || opening.helper.is_none()
            })
            .await?;
            if self.labels.1 {
                labels.answered(self.road.id(), &target, &self.labels.0);
            }
        }
        Ok(labels.take_named(&target, session))
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

    /// Answers what fish asks its terminal; nobody else is answered, who might not be there any more to read it.
    async fn answer(&self, shown: &[u8]) {
        // tmux answers what runs in it.
        if self.kept.is_some() {
            return;
        }
        let login = self.hello.as_ref().map(|hello| hello.shell.as_str());
        let now = self.candidates.iter().flatten();
        let now = now.filter(|candidate| candidate.tty == self.tty);
        let is_fish = login
            .into_iter()
            .chain(now.map(|candidate| candidate.name.as_str()))
            .any(|shell| Script::of(shell) == Script::Fish);
        if is_fish && let Some(answer) = fish::answers(shown) {
            let _ = self.write(answer.to_vec()).await;
        }
    }

    async fn take(&mut self, event: LinkEvent) -> Result<(), Fault> {
        match (event.source, event.event) {
            (Source::Terminal, ChannelEvent::Stdout(bytes) | ChannelEvent::Stderr(bytes)) => {
                self.answer(&bytes).await;
                for piece in self.marks.feed(&bytes) {
                    if matches!(piece, Piece::Data(_)) {
                        self.last_shown = Some(Instant::now());
                    }
                    match piece {
                        Piece::Data(data) if self.shell.is_some() => self.after.extend(data),
                        Piece::Data(data) => {
                            self.shown_total += data.len() as u64;
                            self.shown.extend(data);
                            let surplus = self.shown.len().saturating_sub(GREETING_MAX);
                            self.shown.drain(..surplus);
                        }
                        Piece::Frame(body) => match mark::parse(&body) {
                            Some(Mark::Hello(hello)) => self.shell = Some(hello),
                            Some(Mark::Terminal(tty)) => self.tty = tty,
                            Some(Mark::Here(is_here)) => self.is_here = Some(is_here),
                            Some(Mark::Exit(code)) => {
                                self.said.ended_with(Some(code));
                                if !self.said.ends() {
                                    return Err(ended_early(&self.shown, Some(code)));
                                }
                            }
                            Some(Mark::Gone) => return Err(login::refused(&self.target, &self.shown)),
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
            (Source::Terminal, ChannelEvent::ExitStatus(code)) => {
                self.said.ended_with(i32::try_from(code).ok());
            }
            (Source::Terminal, ChannelEvent::Closed { reason }) => {
                if self.said.ends() {
                    return Ok(());
                }
                return Err(match reason {
                    CloseReason::ConnectionLost(cause) => Fault::new(
                        Reason::ConnectionLost,
                        format!("the connection was lost while the shell started: {cause}"),
                    )
                    .retryable(),
                    CloseReason::Normal => ended_early(&self.shown, None),
                });
            }
            (Source::Terminal, ChannelEvent::Gap) => self.marks.gap(),
            // What it showed before we came, or is left of what was not sent.
            (Source::Terminal, ChannelEvent::Screen(screen)) => {
                let rows = screen.rows.join(&b"\r\n"[..]);
                let rows = rows.trim_ascii_end();
                self.last_shown = Some(Instant::now());
                if self.shell.is_some() {
                    self.after.extend(rows);
                    return Ok(());
                }
                self.shown_total += rows.len() as u64;
                self.shown.extend(rows);
            }
            (Source::Helper, ChannelEvent::Stderr(bytes)) => self.said.hears(&bytes),
            (Source::Helper, ChannelEvent::Stdout(bytes)) => {
                for piece in self.helper_frames.feed(&bytes) {
                    let Piece::Frame(body) = piece else { continue };
                    match frame::parse_helper(&body) {
                        Some(HelperFrame::Reading) => self.reading = Some(Instant::now()),
                        Some(HelperFrame::Hello(hello)) => self.hello = Some(hello),
                        Some(HelperFrame::Installed) => self.installed = self.installed.saturating_add(1),
                        Some(HelperFrame::Who(candidates)) => self.candidates = Some(candidates),
                        Some(HelperFrame::Label(Some(label))) => {
                            if self.labels.0.len() < LABELS_MAX {
                                self.labels.0.push(label);
                            }
                        }
                        Some(HelperFrame::Label(None)) => self.labels.1 = true,
                        Some(
                            HelperFrame::Opened(_)
                            | HelperFrame::Probe(_)
                            | HelperFrame::Front(_)
                            | HelperFrame::Foreground(..)
                            | HelperFrame::Flow(_)
                            | HelperFrame::Kept(_)
                            | HelperFrame::At(..)
                            | HelperFrame::Missing(_)
                            | HelperFrame::Caught(_),
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

fn ended_early(shown: &[u8], code: Option<i32>) -> Fault {
    let said = last_words(shown);
    let code = code.map_or_else(String::new, |code| format!(" with exit code {code}"));
    Fault::new(
        Reason::NotSupported,
        format!("the login shell ended{code} before it showed a prompt: {said}"),
    )
    .hint("check that the account has a login shell and may log in interactively")
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
