//! What sessions leave for people: for each a transcript (`NAME.log`, clean text) and a recording (`NAME.cast`, asciicast).
//! One thread writes them all, from bounded queues: a slow or full disk costs a marked gap, never a session's time.

mod cast;
mod file;
mod queue;
mod read;
mod text;
mod writer;

use std::{
    collections::{BTreeMap, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sshmcp_proto::endpoint::private_state;
use tokio::sync::{oneshot, watch};

pub use read::{Follower, Tail};

use queue::{Queue, Said};
use writer::Writer;

use crate::id::SessionName;

/// What comes in this time is written together.
const BATCH: Duration = Duration::from_millis(10);
/// Queued bytes of one session for which nobody waits any longer.
const BATCH_BYTES: usize = 256 << 10; // 256 KiB
/// Between two looks for files that are too old.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// A disk that takes longer than this is not waited for.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// How much is kept; as configured now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Write `NAME.log`.
    pub transcripts: bool,
    /// Write `NAME.cast`.
    pub casts: bool,
    /// A file that has so many bytes is set aside, and another begun.
    pub file_bytes: u64,
    /// Files of one kind of one session, the one that is written included.
    pub files: usize,
    /// Files that were not written for so long are removed; `None` = never.
    pub age: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transcripts: true,
            casts: true,
            file_bytes: 16 << 20,
            files: 4,
            age: Some(Duration::from_secs(30 * 86_400)),
        }
    }
}

/// What a recording begins with.
#[derive(Clone, Debug)]
pub struct Opened {
    /// `user@host:port`.
    pub target: String,
    /// The shell's kind.
    pub shell: String,
    /// The terminal's columns and rows.
    pub size: (u16, u16),
}

/// All transcripts and recordings of one daemon.
pub struct Recordings {
    shared: Arc<Shared>,
}

struct Shared {
    directory: PathBuf,
    limits: Box<dyn Fn() -> Limits + Send + Sync>,
    work: Mutex<Work>,
    wake: Condvar,
    /// Bytes that wait in all queues together.
    waiting: AtomicUsize,
    /// By session: what is wrong with its recording.
    problems: Mutex<BTreeMap<String, String>>,
}

#[derive(Default)]
struct Work {
    /// Desks that have something for the writer.
    desks: Vec<Arc<Desk>>,
    /// Desks that nobody holds any more.
    gone: Vec<u64>,
    urgent: bool,
    next_id: u64,
    runs: bool,
}

/// Where one session's side puts what is to be written.
struct Desk {
    id: u64,
    name: SessionName,
    shared: Arc<Shared>,
    queue: Mutex<Queue>,
    /// Counts what was written, for whoever follows.
    written: watch::Sender<u64>,
    /// Bytes of the transcript that are of this session: what is before them is an earlier one's of the name.
    own: AtomicU64,
}

/// A session's handle; clones share it. The recording ends when the last is gone.
#[derive(Clone)]
pub struct Recorder(Arc<Desk>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recordings {
    /// In this state directory; nothing is made there before the first session opens.
    pub fn new(state: &Path, limits: impl Fn() -> Limits + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            directory: state.join(DIRECTORY),
            limits: Box::new(limits),
            work: Mutex::default(),
            wake: Condvar::new(),
            waiting: AtomicUsize::new(0),
            problems: Mutex::default(),
        });
        Self { shared }
    }

    /// The recorder of a session; nothing is written before `Recorder::opened`.
    pub fn recorder(&self, name: &SessionName) -> Recorder {
        let mut work = lock(&self.shared.work);
        work.next_id += 1;
        Recorder(Arc::new(Desk {
            id: work.next_id,
            name: name.clone(),
            shared: self.shared.clone(),
            queue: Mutex::new(Queue::new(Instant::now())),
            written: watch::Sender::new(0),
            own: AtomicU64::new(0),
        }))
    }

    /// Where a session's transcript and recording are, whether they are there or not.
    pub fn places(&self, name: &SessionName) -> (PathBuf, PathBuf) {
        let place = |ending: &str| self.shared.directory.join(format!("{name}.{ending}"));
        (place("log"), place("cast"))
    }

    /// The last so many lines of a session's transcript, also of one that is not open; a fault if there is none.
    pub async fn tail(&self, name: &SessionName, lines: usize) -> std::io::Result<Tail> {
        let (path, _) = self.places(name);
        let tail = tokio::task::spawn_blocking(move || read::tail(&path, lines, u64::MAX));
        tail.await.map_err(std::io::Error::other)?
    }

    /// What is wrong now, one entry a session.
    pub fn problems(&self) -> Vec<String> {
        lock(&self.shared.problems).values().cloned().collect()
    }
}

/// Below the state directory.
const DIRECTORY: &str = "logs";

impl Recorder {
    /// A shell is there; what is shown is written from here on.
    pub fn opened(&self, opened: Opened) {
        self.0.shared.start();
        self.0.push(|queue| queue.say(Said::Opened(Box::new(opened))));
    }

    /// The terminal showed this.
    pub fn terminal(&self, bytes: &[u8]) {
        self.0
            .push(|queue| queue.bytes(bytes, false, &self.0.shared.waiting));
    }

    /// A captured command wrote this; its line ends are no terminal's.
    pub fn captured(&self, bytes: &[u8]) {
        self.0
            .push(|queue| queue.bytes(bytes, true, &self.0.shared.waiting));
    }

    /// The terminal has another size.
    pub fn resized(&self, cols: u16, rows: u16) {
        self.0.push(|queue| queue.say(Said::Size(cols, rows)));
    }

    /// The session ends; returns when all of it is written, or the disk takes too long.
    pub async fn closed(&self) {
        self.0.push(|queue| queue.say(Said::Closed));
        self.flush().await;
    }

    /// The daemon ends, and what keeps the session does not; as `closed`.
    pub async fn left(&self) {
        self.0.push(|queue| queue.say(Said::Left));
        self.flush().await;
    }

    /// Returns when all that was shown so far is in the files, or the disk takes too long.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        let runs = self.0.flush(done);
        if runs {
            let _ = tokio::time::timeout(FLUSH_MAX, written).await;
        }
    }

    /// The last so many lines of the transcript, as far as they are this session's.
    pub async fn tail(&self, lines: usize) -> std::io::Result<String> {
        let shared = &self.0.shared;
        let path = shared.directory.join(format!("{}.log", self.0.name));
        let own = self.0.own.load(Ordering::Acquire);
        let tail = tokio::task::spawn_blocking(move || read::tail(&path, lines, own));
        Ok(tail.await.map_err(std::io::Error::other)??.text)
    }

    /// Sees every writing from now on.
    pub fn writings(&self) -> watch::Receiver<u64> {
        self.0.written.subscribe()
    }

    /// The transcript's file, if one is written.
    pub fn log_path(&self) -> Option<PathBuf> {
        let begun = lock(&self.0.queue).is_begun();
        let shared = &self.0.shared;
        (begun && (shared.limits)().transcripts)
            .then(|| shared.directory.join(format!("{}.log", self.0.name)))
    }

    /// What is wrong with it now.
    pub fn problem(&self) -> Option<String> {
        lock(&self.0.shared.problems).get(self.0.name.as_str()).cloned()
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Recorder").field(&self.0.name).finish()
    }
}

impl Desk {
    fn push(self: &Arc<Self>, put: impl FnOnce(&mut Queue)) {
        let (was_empty, is_full) = {
            let mut queue = lock(&self.queue);
            let was_empty = queue.is_empty();
            let before = queue.len();
            put(&mut queue);
            if queue.is_empty() {
                return;
            }
            (was_empty, before < BATCH_BYTES && queue.len() >= BATCH_BYTES)
        };
        if !was_empty && !is_full {
            return;
        }
        let mut work = lock(&self.shared.work);
        let is_first = work.desks.is_empty();
        if was_empty {
            work.desks.push(self.clone());
        }
        work.urgent |= is_full;
        if is_first || is_full {
            self.shared.wake.notify_one();
        }
    }

    fn tell_written(&self) {
        self.written.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// False if there is nobody who writes.
    fn flush(self: &Arc<Self>, done: oneshot::Sender<()>) -> bool {
        let mut work = lock(&self.shared.work);
        if !work.runs {
            return false;
        }
        let was_empty = {
            let mut queue = lock(&self.queue);
            let was_empty = queue.is_empty();
            queue.say(Said::Flush(done));
            was_empty
        };
        if was_empty {
            work.desks.push(self.clone());
        }
        work.urgent = true;
        self.shared.wake.notify_one();
        true
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let mut work = lock(&self.shared.work);
        work.gone.push(self.id);
        self.shared.wake.notify_one();
    }
}

impl Shared {
    /// Starts the writing thread, once.
    fn start(self: &Arc<Self>) {
        let mut work = lock(&self.work);
        if work.runs {
            return;
        }
        let shared = self.clone();
        let started = std::thread::Builder::new()
            .name("recordings".into())
            .spawn(move || Writing::default().run(&shared));
        match started {
            Ok(_) => work.runs = true,
            Err(error) => tracing::warn!(%error, "no thread for the recordings"),
        }
    }

    /// Waits for work: until the first has come and a moment more, until somebody is in a hurry, or until `due`.
    fn wait(&self, due: Option<Instant>) -> (Vec<Arc<Desk>>, Vec<u64>) {
        let is_idle = |work: &mut Work| work.desks.is_empty() && work.gone.is_empty();
        let mut work = lock(&self.work);
        if is_idle(&mut work) {
            work = match due {
                Some(due) => {
                    let time = due.saturating_duration_since(Instant::now());
                    self.wake
                        .wait_timeout_while(work, time, |work| is_idle(work))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .wake
                    .wait_while(work, |work| is_idle(work))
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        if !work.desks.is_empty() && !work.urgent {
            work = self
                .wake
                .wait_timeout_while(work, BATCH, |work| !work.urgent)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        work.urgent = false;
        (std::mem::take(&mut work.desks), std::mem::take(&mut work.gone))
    }
}

/// The writing thread's own: every open recording.
#[derive(Default)]
struct Writing {
    writers: HashMap<u64, (Writer, Weak<Desk>)>,
    pruned: Option<Instant>,
}

impl Writing {
    /// For as long as the process lives.
    fn run(mut self, shared: &Shared) -> ! {
        loop {
            let (desks, gone) = shared.wait(self.due());
            let limits = (shared.limits)();
            for desk in desks {
                let served = catch_unwind(AssertUnwindSafe(|| self.serve(&desk, shared, limits)));
                if served.is_err() {
                    // The others' recordings go on.
                    self.writers.remove(&desk.id);
                    shared.tell(
                        &desk.name,
                        Some(format!("the recording of {} failed within", desk.name)),
                    );
                }
            }
            for id in gone {
                if let Some((mut writer, _)) = self.writers.remove(&id) {
                    writer.end("closed");
                }
            }
            self.on_time(shared, limits);
        }
    }

    fn serve(&mut self, desk: &Arc<Desk>, shared: &Shared, limits: Limits) {
        let taken = lock(&desk.queue).take(&shared.waiting);
        let (writer, _) = self.writers.entry(desk.id).or_insert_with(|| {
            let writer = Writer::new(&shared.directory, &desk.name, limits);
            (writer, Arc::downgrade(desk))
        });
        let flushed = writer.write(taken, limits);
        desk.own.store(writer.log_written(), Ordering::Release);
        let mut problem = writer.problem();
        if writer.is_closed() {
            self.writers.remove(&desk.id);
            problem = None;
        }
        shared.tell(&desk.name, problem);
        desk.tell_written();
        for done in flushed {
            // Who does not wait any more need not know.
            let _ = done.send(());
        }
    }

    /// When something is to be done though nothing comes.
    fn due(&self) -> Option<Instant> {
        let prune = self.pruned.map(|at| at + PRUNE_EVERY);
        let writers = self.writers.values().filter_map(|(writer, _)| writer.due());
        writers.chain(prune).min()
    }

    fn on_time(&mut self, shared: &Shared, limits: Limits) {
        let now = Instant::now();
        for (writer, desk) in self.writers.values_mut() {
            if writer.due().is_some_and(|due| due <= now) {
                writer.on_time(limits);
                if let Some(desk) = desk.upgrade() {
                    desk.own.store(writer.log_written(), Ordering::Release);
                    desk.tell_written();
                }
                shared.tell(writer.name(), writer.problem());
            }
        }
        if self.pruned.is_none_or(|at| now >= at + PRUNE_EVERY) {
            self.pruned = Some(now);
            let names = self.writers.values().map(|(writer, _)| writer.name().as_str());
            let open: Vec<&str> = names.collect();
            file::prune(&shared.directory, limits.age, &open);
        }
    }
}

impl Shared {
    fn tell(&self, name: &SessionName, problem: Option<String>) {
        let mut problems = lock(&self.problems);
        match problem {
            Some(words) => problems.insert(name.to_string(), words),
            None => problems.remove(name.as_str()),
        };
    }
}

/// The directory, private, made if it is missing.
fn prepare(directory: &Path) -> std::io::Result<()> {
    let state = directory.parent().unwrap_or(directory);
    private_state(state, DIRECTORY)
        .map(drop)
        .map_err(|fault| std::io::Error::other(fault.message))
}
