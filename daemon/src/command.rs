//! Commands as everybody but their session sees them: what became of each, and its output. A command outlives its
//! session; it is dropped only when there are too many ended ones.

mod demand;
mod history;
mod kept;
mod readers;
mod restore;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use demand::Follower;
pub use demand::{Demand, Following};
use history::Shelf;
pub use history::{CommandLimits, Commands};
use kept::SavedState;
pub use readers::Readers;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    id::{CommandId, SessionName},
    output::{Budget, Output, OutputLimits, StreamKind},
    shell::order::Capture,
};

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waits for its turn; nothing was run.
    Queued,
    /// Runs.
    Running,
    /// Runs, and reads from the terminal.
    Awaiting(Option<Question>),
    /// Ended by itself.
    Completed,
    /// Ended after our interrupt.
    Interrupted,
    /// The connection died; how it ended is not known.
    Lost,
}

impl Status {
    /// It will not change any more.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Completed | Self::Interrupted | Self::Lost => true,
            Self::Queued | Self::Running | Self::Awaiting(_) => false,
        }
    }
}

/// A question that a command asks on its terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The last line that was shown.
    pub text: String,
    /// What is typed is shown.
    pub echo: bool,
    /// Seen in the terminal and the process; false: taken from the text.
    pub exact: bool,
    /// Single keys are read and not shown, and nothing asks for a secret.
    pub keys: bool,
}

/// One command.
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// Its session.
    pub session: SessionName,
    /// Its text.
    pub text: String,
    /// How its output is got.
    pub capture: Capture,
    /// Nobody but us knows of it (a directory restored): it is in no list.
    pub internal: bool,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    waiters: AtomicUsize,
    /// The path of its files, should it outlive the daemon.
    stem: PathBuf,
    budget: Arc<Budget>,
    /// Where its fellows are, whose output gives way to its.
    shelf: Weak<Shelf>,
}

/// The changing part of a command.
pub struct State {
    /// What became of it.
    pub status: Status,
    /// Exit code, only if the far side gave it.
    pub exit_code: Option<i32>,
    /// All that it wrote.
    pub output: Output,
    /// Working directory before it, then after it.
    pub cwd: String,
    /// stdout and stderr are apart.
    pub apart: bool,
    /// Its end is known by the prompt of a network device.
    pub by_prompt: bool,
    /// The network device marked a line as an error.
    pub reported_error: bool,
    /// What a caller must know.
    pub notices: Vec<String>,
    /// A caller was told that it is running.
    pub told_running: bool,
    /// Milliseconds since the Unix epoch when it was accepted.
    pub accepted_ms: i64,
    /// When it was given to the shell.
    pub started: Option<Instant>,
    /// When it ended, by both clocks.
    pub ended: Option<(Instant, i64)>,
    /// Bytes written before its end.
    pub bytes_at_end: Option<u64>,
    /// When it last wrote.
    pub last_write: Option<Instant>,
    /// Where on the host it is found again, in the words of who runs it there; null if nowhere.
    place: Value,
    /// What of it is on disk, if it outlives the daemon.
    saved: Option<Box<SavedState>>,
    readers: Readers,
    /// Callers that read its output as it comes; as many as there are calls.
    followers: Vec<Follower>,
    next_follower: u64,
}

impl Command {
    fn new(id: CommandId, session: SessionName, text: String, plan: Plan) -> Self {
        let Plan {
            capture,
            internal,
            limits,
            spool,
            budget,
            shelf,
        } = plan;
        let output = Output::new(spool.clone(), limits, budget.clone());
        Self {
            id,
            session,
            text,
            capture,
            internal,
            state: Mutex::new(State::new(output, capture, now_ms())),
            changed: watch::channel(0).0,
            waiters: AtomicUsize::new(0),
            stem: spool,
            budget,
            shelf,
        }
    }

    /// Looks at its state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes its state and wakes who waits for that.
    pub fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = {
            let mut state = self.state();
            let result = change(&mut state);
            state.save();
            if state.output.journal_problem().is_some()
                && let Some(shelf) = self.shelf.upgrade()
            {
                shelf.is_behind();
            }
            result
        };
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    /// Takes output in, and says how fast more is wanted.
    pub fn append(&self, stream: StreamKind, bytes: &[u8]) -> Demand {
        self.append_with(|state| {
            if state.apart {
                state.output.append(stream, bytes);
            } else {
                state.output.append_terminal(bytes);
            }
        })
    }

    fn append_with(&self, append: impl FnOnce(&mut State)) -> Demand {
        let now = Instant::now();
        // Before the lock of this one's state: those of others are taken.
        if self.budget.should_make_room()
            && let Some(shelf) = self.shelf.upgrade()
        {
            shelf.make_room();
        }
        self.change(|state| {
            append(state);
            state.last_write = Some(now);
            self.tell_spare(state);
            state.demand(now)
        })
    }

    /// What an ended command holds on disk may be given up for others.
    fn tell_spare(&self, state: &State) {
        if state.status.is_final() && state.output.disk_used() > 0 {
            self.budget.has_spare();
        }
    }

    /// Ends it; once.
    pub fn end(&self, status: Status, exit_code: Option<i32>, cwd: Option<String>) {
        self.change(|state| {
            if state.status.is_final() {
                return;
            }
            state.status = status;
            state.exit_code = exit_code;
            if let Some(cwd) = cwd.filter(|cwd| !cwd.is_empty()) {
                state.cwd = cwd;
            }
            state.ended = Some((Instant::now(), now_ms()));
            state.output.end();
            state.bytes_at_end = Some(state.output.total());
            self.tell_spare(state);
        });
    }

    /// Adds what a caller must know; the same words only once.
    pub fn notice(&self, words: impl Into<String>) {
        let words = words.into();
        self.change(|state| {
            if !state.notices.contains(&words) {
                state.notices.push(words);
            }
        });
    }

    /// Sees every change from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Counts somebody as waiting for it until the guard is dropped.
    pub fn wait_guard(&self) -> WaitGuard<'_> {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        WaitGuard(self)
    }

    /// Somebody waits for it.
    pub fn is_awaited(&self) -> bool {
        self.waiters.load(Ordering::Relaxed) > 0
    }
}

impl State {
    const fn new(output: Output, capture: Capture, accepted_ms: i64) -> Self {
        Self {
            status: Status::Queued,
            exit_code: None,
            output,
            cwd: String::new(),
            apart: matches!(capture, Capture::Apart),
            by_prompt: false,
            reported_error: false,
            notices: Vec::new(),
            told_running: false,
            accepted_ms,
            started: None,
            ended: None,
            bytes_at_end: None,
            last_write: None,
            place: Value::Null,
            saved: None,
            readers: Readers::new(),
            followers: Vec::new(),
            next_follower: 0,
        }
    }

    /// Milliseconds that it ran, or has been running.
    pub fn duration_ms(&self) -> u64 {
        let end = self.ended.map_or_else(Instant::now, |(at, _)| at);
        self.started.map_or(0, |start| {
            u64::try_from(end.saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
        })
    }

    /// How far a client has been shown its output.
    pub fn shown_to(&self, client: &str) -> u64 {
        self.readers.shown_to(client)
    }

    /// Remembers how far a client has been shown its output.
    pub fn show_to(&mut self, client: &str, offset: u64) {
        self.readers.show_to(client, offset);
        self.save();
    }
}

/// How a new command is to be kept.
struct Plan {
    capture: Capture,
    internal: bool,
    limits: OutputLimits,
    spool: PathBuf,
    budget: Arc<Budget>,
    shelf: Weak<Shelf>,
}

/// Counts as somebody who waits.
pub struct WaitGuard<'c>(&'c Command);

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Milliseconds since the Unix epoch, for people; nothing is measured by it.
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
