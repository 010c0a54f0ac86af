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
mod orders;
mod prompt;
mod stored;
mod taking;
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

use self::{dialog::Asking, marks::Marks, taking::last_words};
use super::{
    Claims,
    kept::Kept,
    link::{Link, Parts, Source, Wiring},
};
use crate::{
    connection::{ChannelWriter, Pair, Pool, Pty, Road},
    host::Target,
    shell::{
        candidate::Candidate,
        fish,
        frame::{self, HelperHello},
        mark::ShellHello,
        order::{self, Keeping, Script},
        scan::Scanner,
        typed::{self, Dialect},
    },
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
    fish_asks: fish::Questions,
    fish_greeted: bool,
    /// What a fish is to be answered, once it is known to be one.
    fish_answer: Option<&'static [u8]>,
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
            fish_asks: fish::Questions::default(),
            fish_greeted: false,
            fish_answer: None,
        }
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
        self.answer(&[]).await;
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
}
