//! A command that outlives the daemon: what of it is on disk beside its output, and what is asked of it only then. No
//! secret is among it: what it was given to read is not kept.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Command, Demand, Readers, State, Status, now_ms};
use crate::{
    output::{Consumed, Losses, StreamKind},
    shell::order::Capture,
};

/// The form of what is written here.
pub(super) const VERSION: u32 = 1;

/// What every durable command's place has.
const DURABLE: &str = "durable";

/// What of a command never changes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedCommand {
    pub(super) version: u32,
    pub(super) session: String,
    pub(super) text: String,
    /// It has the terminal.
    pub(super) terminal: bool,
    pub(super) accepted_ms: i64,
}

/// What of it changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SavedState {
    pub(super) status: SavedStatus,
    exit_code: Option<i32>,
    cwd: String,
    apart: bool,
    notices: Vec<String>,
    told_running: bool,
    /// Milliseconds since the Unix epoch.
    started_ms: Option<i64>,
    ended_ms: Option<i64>,
    /// How long it ran, by a clock that is never set.
    ran_ms: Option<u64>,
    bytes_at_end: Option<u64>,
    lost_by_budget: u64,
    lost_by_disk: u64,
    disk_cause: String,
    readers: Vec<(String, u64)>,
    place: Value,
}

/// A status as it is written. Whether a program waits for input is seen anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SavedStatus {
    #[default]
    Queued,
    Running,
    Completed,
    Interrupted,
    Lost,
}

impl Command {
    /// From now on it outlives the daemon: it is there again under its id, with all of its output. Only before it is run.
    pub fn keep(&self) {
        let mut state = self.state();
        let head = SavedCommand {
            version: VERSION,
            session: self.session.to_string(),
            text: self.text.clone(),
            terminal: self.capture == Capture::Terminal,
            accepted_ms: state.accepted_ms,
        };
        let Ok(head) = serde_json::to_vec(&head) else {
            return;
        };
        state.output.keep_as(self.stem.clone(), self.budget.clone(), head);
        state.saved.get_or_insert_default();
        state.save();
    }

    /// It outlives the daemon.
    pub fn is_kept(&self) -> bool {
        self.state().output.is_kept()
    }

    /// Where on the host it is found again, in the words of who runs it there; null if nowhere.
    pub fn place(&self) -> Value {
        self.state().place.clone()
    }

    /// It goes on apart from its session, which has nothing to do with what becomes of it.
    pub fn is_durable(&self) -> bool {
        self.place().get(DURABLE).is_some()
    }

    /// Remembers where on the host it is found again.
    pub fn set_place(&self, place: Value) {
        self.change(|state| state.place = place);
    }

    /// Takes output in that came from a stream on the host, and how far it takes that stream: both are on disk together
    /// or not at all. Says how fast more is wanted.
    pub fn append_from(&self, stream: StreamKind, bytes: &[u8], consumed: Consumed) -> Demand {
        self.append_with(|state| {
            if state.apart {
                state.output.append_from(stream, bytes, consumed);
            } else {
                state.output.append_terminal_from(bytes, consumed);
            }
        })
    }

    /// A stream on the host was taken further by what is no output.
    pub fn consumed(&self, consumed: Consumed) {
        self.state().output.consumed(consumed);
    }

    /// How far each stream on the host was taken, as far as that is on disk: from there on it is to be read again after a
    /// restart, and gives the same bytes at the same offsets.
    pub fn positions(&self) -> Vec<Consumed> {
        self.state().output.positions()
    }

    /// Writes what the disk did not take, if it does by now; false if it still does not.
    pub(super) fn retry(&self) -> bool {
        let mut state = self.state();
        if state.output.journal_problem().is_none() {
            return true;
        }
        state.output.retry();
        if state.status.is_final() {
            state.output.rest();
        }
        state.output.journal_problem().is_none()
    }

    /// Removes what of it is on disk.
    pub(super) fn discard(&self) {
        let mut state = self.state();
        state.saved = None;
        state.output.discard();
    }
}

impl State {
    /// Writes what changed, if it outlives the daemon.
    pub(super) fn save(&mut self) {
        if self.saved.is_none() {
            return;
        }
        let now = self.to_saved();
        if self.saved.as_deref() == Some(&now) {
            return;
        }
        if let Ok(meta) = serde_json::to_vec(&now) {
            self.output.set_meta(meta);
            self.saved = Some(Box::new(now));
        }
        if self.status.is_final() {
            self.output.rest();
        }
    }

    fn to_saved(&self) -> SavedState {
        let Losses {
            own_limit: _,
            budget,
            disk,
            disk_cause,
        } = self.output.losses();
        let earlier = self.saved.as_ref().and_then(|saved| saved.started_ms);
        SavedState {
            status: match self.status {
                Status::Queued => SavedStatus::Queued,
                Status::Running | Status::Awaiting(_) => SavedStatus::Running,
                Status::Completed => SavedStatus::Completed,
                Status::Interrupted => SavedStatus::Interrupted,
                Status::Lost => SavedStatus::Lost,
            },
            exit_code: self.exit_code,
            cwd: self.cwd.clone(),
            apart: self.apart,
            notices: self.notices.clone(),
            told_running: self.told_running,
            // Reckoned once: two clocks never agree to the millisecond.
            started_ms: self.started.map(|at| {
                let ago = i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX);
                earlier.unwrap_or_else(|| now_ms().saturating_sub(ago))
            }),
            ended_ms: self.ended.map(|(_, ms)| ms),
            ran_ms: self.ended.map(|_| self.duration_ms()),
            bytes_at_end: self.bytes_at_end,
            lost_by_budget: *budget,
            lost_by_disk: *disk,
            disk_cause: disk_cause.clone(),
            readers: self.readers.all(),
            place: self.place.clone(),
        }
    }

    /// Is again what was written. The output is there already.
    pub(super) fn restore(&mut self, saved: SavedState) {
        self.status = match saved.status {
            SavedStatus::Queued => Status::Queued,
            SavedStatus::Running => Status::Running,
            SavedStatus::Completed => Status::Completed,
            SavedStatus::Interrupted => Status::Interrupted,
            SavedStatus::Lost => Status::Lost,
        };
        self.exit_code = saved.exit_code;
        self.cwd.clone_from(&saved.cwd);
        self.apart = saved.apart;
        self.notices.clone_from(&saved.notices);
        self.told_running = saved.told_running;
        self.started = saved.started_ms.map(ago);
        self.ended = saved.ended_ms.map(|ms| {
            let ran = saved.ran_ms.map(Duration::from_millis);
            let end = self
                .started
                .zip(ran)
                .and_then(|(start, ran)| start.checked_add(ran));
            (end.unwrap_or_else(|| ago(ms)), ms)
        });
        self.bytes_at_end = saved.bytes_at_end;
        self.place = saved.place.clone();
        self.readers = Readers::of(saved.readers.clone());
        if self.status.is_final() {
            self.output.end();
        }
        self.saved = Some(Box::new(saved));
    }
}

impl SavedState {
    /// stdout and stderr are apart.
    pub(super) const fn is_apart(&self) -> bool {
        self.apart
    }

    /// What of its output was lost, as far as the output cannot tell.
    pub(super) fn losses(&self) -> Losses {
        Losses {
            own_limit: 0,
            budget: self.lost_by_budget,
            disk: self.lost_by_disk,
            disk_cause: self.disk_cause.clone(),
        }
    }
}

/// The moment at which the other clock had this time.
fn ago(ms: i64) -> Instant {
    let now = Instant::now();
    let past = u64::try_from(now_ms().saturating_sub(ms)).unwrap_or(0);
    now.checked_sub(Duration::from_millis(past)).unwrap_or(now)
}
