//! The sessions that must be found again when the daemon is started again, in the state directory. Immediate in memory and
//! written behind, by one thread: a disk that is slow, full or read-only costs no session any time. Knows no command.

mod anchor;
mod claim;
mod each;
mod file;
mod owner;
mod session;
mod shown;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

pub use claim::Claim;
pub use owner::Owner;
pub use session::{Hop, SavedSession};
pub use shown::{EarlierShown, ShownLog};

use anchor::Anchor;
use file::Files;

/// What is not the store's and must be found beside it too: which ids of commands are taken.
const ALONG: [&str; 1] = ["next_command"];
/// Changes that come in this time are written together.
const BATCH: Duration = Duration::from_millis(20);
/// A disk that took nothing is tried again after this.
const RETRY: Duration = Duration::from_millis(500);
/// A disk that takes longer than this is not waited for.
const SAVE_MAX: Duration = Duration::from_secs(2);

/// Where sessions put what they must be found by; clones share it.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

/// What an earlier daemon left.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Its sessions, by name.
    pub sessions: Vec<SavedSession>,
    /// What was damaged or cannot be read, where it is now, and what that means; empty if nothing.
    pub set_aside: Vec<String>,
}

struct Shared {
    owner: Owner,
    anchor: Anchor,
    files: Files,
    work: Mutex<Work>,
    wake: Condvar,
    done: watch::Sender<Done>,
    /// What loading had to say; it stays true for this daemon.
    set_aside: Vec<String>,
}

#[derive(Default)]
struct Work {
    sessions: BTreeMap<String, Arc<SavedSession>>,
    /// Counts the changes.
    changes: u64,
    /// Somebody waits for the disk.
    is_urgent: bool,
    runs: bool,
}

/// What the writer has done.
#[derive(Clone, Default)]
struct Done {
    /// So many changes are on disk.
    changes: u64,
    /// Attempts that failed, and what is wrong now.
    failures: u64,
    problem: Option<String>,
}

impl Store {
    /// Reads what is there. Never fails: what cannot be used is set aside, and said.
    pub fn open(state_dir: &Path) -> (Self, Loaded) {
        Self::open_with(state_dir, None)
    }

    /// The same, where what kept sessions are found by is at another place as well.
    pub fn open_with(state_dir: &Path, anchor: Option<PathBuf>) -> (Self, Loaded) {
        let anchor = Anchor::find(anchor);
        let files = Files::new(state_dir);
        let (content, set_aside) = files.read();
        let sessions = content.sessions;
        let by_name = sessions
            .iter()
            .map(|session| (session.name.clone(), Arc::new(session.clone())));
        let store = Self(Arc::new(Shared {
            owner: Owner::open(state_dir, anchor.there()),
            anchor,
            work: Mutex::new(Work {
                sessions: by_name.collect(),
                ..Work::default()
            }),
            files,
            wake: Condvar::new(),
            done: watch::Sender::default(),
            set_aside: set_aside.clone(),
        }));
        (store, Loaded { sessions, set_aside })
    }

    /// Who has the state directory.
    pub fn owner(&self) -> &Owner {
        &self.0.owner
    }

    /// Where a session's place on this machine is made, so that it is found without the state directory.
    pub fn anchor(&self) -> PathBuf {
        self.is_to_be_found();
        let there = self.0.anchor.there();
        there.unwrap_or_else(|| self.directory()).to_owned()
    }

    /// All directories in which such places may be.
    pub fn anchors(&self) -> Vec<PathBuf> {
        let there = self.0.anchor.there().map(Path::to_owned);
        there.into_iter().chain([self.directory().to_owned()]).collect()
    }

    /// There is a session from now on that is to be found even without the state directory.
    pub fn is_to_be_found(&self) {
        if self.0.anchor.make()
            && let Some(place) = self.0.anchor.there()
        {
            self.0.owner.copy_to(place);
            for name in ALONG {
                // There may be none yet, which comes there then.
                let _none = std::fs::copy(self.directory().join(name), place.join(name));
            }
        }
    }

    /// As the daemon ends: where no session is kept there is nothing to find.
    pub fn let_go(&self) {
        if !self.0.lock().sessions.values().any(|session| session.is_kept()) {
            self.0.anchor.remove();
        }
    }

    /// Remembers a session, in the place of what was remembered under its name.
    pub fn put_session(&self, session: SavedSession) {
        self.change(|work| {
            let there = work.sessions.get(&session.name);
            if there.is_some_and(|there| **there == session) {
                return false;
            }
            work.sessions.insert(session.name.clone(), Arc::new(session));
            true
        });
    }

    /// The state directory.
    pub fn directory(&self) -> &Path {
        self.0.files.state_dir()
    }

    /// Forgets a session and what its terminal showed; when nobody writes that any more.
    pub fn remove_session(&self, name: &str) {
        self.forget_shown(name);
        self.change(|work| work.sessions.remove(name).is_some());
    }

    /// What is remembered under a name.
    pub fn session(&self, name: &str) -> Option<Arc<SavedSession>> {
        self.0.lock().sessions.get(name).cloned()
    }

    /// Where the terminal of a session is written that outlives the daemon, and what an earlier daemon wrote there.
    pub fn shown(&self, name: &str) -> (ShownLog, Option<EarlierShown>) {
        ShownLog::open(self.0.files.directory(), name)
    }

    /// Removes what the terminal of a session showed.
    pub fn forget_shown(&self, name: &str) {
        shown::remove(self.0.files.directory(), name);
    }

    /// Removes what terminals showed of sessions that are not remembered; before there are others.
    pub fn sweep_shown(&self) {
        let sessions = self.0.lock().sessions.clone();
        shown::sweep(self.0.files.directory(), |name| sessions.contains_key(name));
    }

    /// Waits until all that was put so far is on disk; false if the disk does not take it, or takes too long.
    pub async fn saved(&self) -> bool {
        let mut done = self.0.done.subscribe();
        let failures = done.borrow().failures;
        let wanted = {
            let mut work = self.0.lock();
            work.is_urgent |= done.borrow().changes < work.changes;
            work.changes
        };
        self.0.wake.notify_one();
        let outcome = done.wait_for(|done| done.changes >= wanted || done.failures > failures);
        match tokio::time::timeout(SAVE_MAX, outcome).await {
            Ok(Ok(done)) => done.changes >= wanted,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Why it cannot be written now, with the path.
    pub fn problem(&self) -> Option<String> {
        self.0.done.borrow().problem.clone()
    }

    /// All that is wrong: what was set aside at the start, and what cannot be written now.
    pub fn problems(&self) -> Vec<String> {
        let set_aside = self.0.set_aside.iter().cloned();
        set_aside.chain(self.problem()).collect()
    }

    fn change(&self, change: impl FnOnce(&mut Work) -> bool) {
        let mut work = self.0.lock();
        if !change(&mut work) {
            return;
        }
        work.changes += 1;
        if !work.runs {
            work.runs = self.0.start();
        }
        drop(work);
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the writing thread.
    fn start(self: &Arc<Self>) -> bool {
        let shared = Arc::downgrade(self);
        let started = std::thread::Builder::new().name("state".into()).spawn(move || {
            // Looked at now and then, so that the thread ends with the last handle.
            while let Some(shared) = shared.upgrade() {
                shared.write_next();
            }
        });
        if let Err(error) = &started {
            tracing::warn!(%error, "no thread for the state");
            self.done.send_modify(|done| {
                done.problem = Some(format!("the state is not saved: no thread for it: {error}"));
            });
        }
        started.is_ok()
    }

    /// Waits for a change, a moment more for others, and writes them all.
    fn write_next(&self) {
        let (written, failed) = {
            let done = self.done.borrow();
            (done.changes, done.problem.is_some())
        };
        let begun = Instant::now();
        let mut work = self.lock();
        loop {
            let is_new = work.changes > written;
            let pause = if failed { RETRY } else { BATCH };
            let left = pause.saturating_sub(begun.elapsed());
            if is_new && (left.is_zero() || work.is_urgent) {
                break;
            }
            if left.is_zero() {
                // Nothing to do: the handle is looked at again.
                let (after, timeout) = self
                    .wake
                    .wait_timeout(work, IDLE_LOOK)
                    .unwrap_or_else(PoisonError::into_inner);
                work = after;
                if timeout.timed_out() {
                    return;
                }
                continue;
            }
            work = self
                .wake
                .wait_timeout(work, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let changes = work.changes;
        let sessions: Vec<Arc<SavedSession>> = work.sessions.values().cloned().collect();
        work.is_urgent = false;
        drop(work);
        let outcome = self.files.write(&sessions);
        match &outcome {
            // Once, not at each attempt.
            Err(cause) if !failed => tracing::warn!(cause, "the state cannot be saved"),
            Ok(()) if failed => tracing::info!("the state is saved again"),
            Ok(()) | Err(_) => {}
        }
        self.done.send_modify(|done| match outcome {
            Ok(()) => {
                done.changes = changes;
                done.problem = None;
            }
            Err(cause) => {
                done.failures = done.failures.wrapping_add(1);
                done.problem = Some(format!(
                    "the state is not saved now, so that sessions opened or closed since would not be found again: {cause}"
                ));
            }
        });
    }
}

/// How often the writing thread looks whether anybody still holds the store.
const IDLE_LOOK: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
