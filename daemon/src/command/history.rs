//! All commands by id: the running ones, and the latest ended ones. Where the disk that all outputs may use together is
//! full, the output of that which ended first goes; its command stays, and counts what is gone.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{Command, Plan};
use crate::{
    id::{CommandId, SessionName},
    output::{Budget, OutputLimits},
    shell::order::Capture,
};

/// Ids are reserved on disk so many at a time, so that a daemon that died never gives one out again.
const RESERVED: u64 = 1000;

/// Between two attempts to write what the disk did not take.
const CATCH_UP_EVERY: Duration = Duration::from_secs(2);

/// Where the reserved ids end; twice, for one may be damaged.
const NEXT: [&str; 2] = ["next_command", "next_command.copy"];

/// How much is kept.
#[derive(Clone, Debug)]
pub struct CommandLimits {
    /// Ended commands.
    pub ended: usize,
    /// Bytes of output on disk, all commands together.
    pub disk_bytes: u64,
    /// What is kept of one command.
    pub output: OutputLimits,
}

/// Every command that can be asked for.
pub struct Commands {
    pub(super) dir: PathBuf,
    /// Where what kept sessions are found by is, once there is one.
    anchor: Option<PathBuf>,
    pub(super) limits: Box<dyn Fn() -> CommandLimits + Send + Sync>,
    pub(super) shelf: Arc<Shelf>,
    /// What restoring had to say; it stays true for this daemon.
    pub(super) told: Vec<String>,
    /// Ids before this one were given out by earlier daemons.
    pub(super) first: CommandId,
}

/// All commands, as they themselves see each other.
pub(super) struct Shelf {
    pub(super) budget: Arc<Budget>,
    inner: Mutex<Inner>,
    /// Something is not on disk that should be.
    is_behind: AtomicBool,
}

pub(super) struct Inner {
    pub(super) next: u64,
    reserved: u64,
    pub(super) all: BTreeMap<CommandId, Arc<Command>>,
    /// Why ids cannot be reserved now.
    problem: Option<String>,
}

impl Shelf {
    /// Something could not be written that is to outlive the daemon.
    pub(super) fn is_behind(&self) {
        self.is_behind.store(true, Ordering::Relaxed);
    }

    /// Gives up the output on disk of those that ended first, until there is room. Running ones keep theirs.
    pub(super) fn make_room(&self) {
        let all: Vec<Arc<Command>> = self.lock().all.values().cloned().collect();
        let mut spare: Vec<(Instant, Arc<Command>)> = Vec::new();
        for command in all {
            let state = command.state();
            let ended = state.ended.filter(|_| state.output.disk_used() > 0);
            drop(state);
            spare.extend(ended.map(|(at, _)| (at, command)));
        }
        spare.sort_by_key(|(at, _)| *at);
        let mut spare = spare.into_iter();
        while !self.budget.has_room() {
            let Some((_, command)) = spare.next() else { return };
            command.change(|state| state.output.drop_spooled());
        }
        if spare.next().is_some() {
            self.budget.has_spare();
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Commands {
    /// Opens the history in the state directory; `limits` is asked at each new command. Commands of an earlier daemon
    /// that outlive it are there again; all other output of its is removed, for nobody can ask for it.
    pub fn open(state_dir: &Path, limits: impl Fn() -> CommandLimits + Send + Sync + 'static) -> Self {
        Self::open_with(state_dir, None, limits)
    }

    /// The same, where the number of the next command stands at another place as well, as soon as that is there: a shell that
    /// outlives the state directory runs no id twice.
    pub fn open_with(
        state_dir: &Path,
        anchor: Option<PathBuf>,
        limits: impl Fn() -> CommandLimits + Send + Sync + 'static,
    ) -> Self {
        let dir = state_dir.join("spool");
        let (next, told) = next_number(state_dir, anchor.as_deref());
        let commands = Self {
            dir,
            anchor,
            shelf: Arc::new(Shelf {
                budget: Arc::new(Budget::new(limits().disk_bytes)),
                inner: Mutex::new(Inner {
                    next,
                    reserved: next,
                    all: BTreeMap::new(),
                    problem: None,
                }),
                is_behind: AtomicBool::new(false),
            }),
            limits: Box::new(limits),
            told,
            first: CommandId::new(next),
        };
        commands.restored()
    }

    /// A new command with an id of its own.
    pub fn create(
        &self,
        session: &SessionName,
        text: String,
        capture: Capture,
        internal: bool,
    ) -> Arc<Command> {
        let limits = (self.limits)();
        self.shelf.budget.set_limit(limits.disk_bytes);
        let mut inner = self.lock();
        let id = CommandId::new(inner.next);
        inner.next += 1;
        if inner.next > inner.reserved {
            // Tried again with the next command where the disk does not take it.
            let reserved = inner.next + RESERVED;
            inner.problem = self.reserve(reserved).err();
            if inner.problem.is_none() {
                inner.reserved = reserved;
            }
        }
        let plan = Plan {
            capture,
            internal,
            limits: limits.output,
            spool: self.dir.join(id.to_string()),
            budget: self.shelf.budget.clone(),
            shelf: Arc::downgrade(&self.shelf),
        };
        let command = Arc::new(Command::new(id, session.clone(), text, plan));
        inner.all.insert(id, command.clone());
        let gone = prune(&mut inner, limits.ended);
        drop(inner);
        // Files are removed without the lock.
        for command in gone {
            command.discard();
        }
        command
    }

    fn reserve(&self, reserved: u64) -> Result<(), String> {
        let Some(state_dir) = self.dir.parent() else {
            return Ok(());
        };
        for name in NEXT {
            let temporary = state_dir.join(format!("{name}.new"));
            fs::create_dir_all(state_dir)
                .and_then(|()| put_number(state_dir, name, reserved))
                .map_err(|error| {
                    let path = temporary.display();
                    tracing::warn!(%path, %error, "command ids could not be reserved on disk");
                    format!("command ids cannot be reserved, so that they may be given out again after a restart: cannot write {path}: {error}")
                })?;
        }
        let anchor = self.anchor.as_deref().filter(|anchor| anchor.is_dir());
        if let Some(error) = anchor.and_then(|anchor| put_number(anchor, NEXT[0], reserved).err()) {
            tracing::info!(%error, "command ids are not reserved beside the state");
        }
        Ok(())
    }

    /// What is wrong with keeping commands beyond the daemon: what was damaged, and what cannot be written now.
    pub fn problems(&self) -> Vec<String> {
        let (all, reserving): (Vec<Arc<Command>>, _) = {
            let inner = self.lock();
            (inner.all.values().cloned().collect(), inner.problem.clone())
        };
        let writing = all.iter().find_map(|command| {
            let state = command.state();
            let cause = state.output.journal_problem()?;
            Some(format!(
                "output of {} is not kept beyond the daemon now: {cause}",
                command.id
            ))
        });
        let told = self.told.iter().cloned();
        told.chain(reserving).chain(writing).collect()
    }

    /// Writes what the disk did not take before, now and then; for ever.
    pub async fn catch_up(&self) {
        loop {
            tokio::time::sleep(CATCH_UP_EVERY).await;
            if !self.shelf.is_behind.swap(false, Ordering::Relaxed) {
                continue;
            }
            let all: Vec<Arc<Command>> = self.lock().all.values().cloned().collect();
            for command in all {
                if !command.retry() {
                    self.shelf.is_behind();
                }
            }
        }
    }

    /// The command with this id.
    pub fn find(&self, id: &str) -> Result<Arc<Command>, Fault> {
        CommandId::parse(id)
            .and_then(|id| self.lock().all.get(&id).cloned())
            .filter(|command| !command.internal)
            .ok_or_else(|| {
                let is_earlier = CommandId::parse(id).is_some_and(|id| id < self.first);
                let earlier = if is_earlier {
                    " now; if there was, an earlier daemon ran it in a session that ended with it"
                } else {
                    ""
                };
                Fault::new(
                    Reason::CommandNotFound,
                    format!("there is no command {:?}{earlier}", crate::id::shorten(id, 40)),
                )
                .hint(format!(
                    "get_active_commands with `finished` lists those that are kept: the latest {} that ended (keep_commands)",
                    (self.limits)().ended
                ))
            })
    }

    /// Forgets a command that never ran.
    pub fn forget(&self, id: CommandId) {
        let gone = self.lock().all.remove(&id);
        if let Some(command) = gone {
            command.discard();
        }
    }

    /// All that are in lists, oldest first.
    pub fn list(&self) -> Vec<Arc<Command>> {
        self.lock()
            .all
            .values()
            .filter(|command| !command.internal)
            .cloned()
            .collect()
    }

    /// Commands that have not ended.
    pub fn running(&self) -> usize {
        self.list()
            .iter()
            .filter(|command| !command.state().status.is_final())
            .count()
    }

    /// Bytes of output on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.shelf.budget.used()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shelf.lock()
    }
}

/// Writes a number, whole or not at all.
fn put_number(directory: &Path, name: &str, number: u64) -> io::Result<()> {
    let temporary = directory.join(format!("{name}.new"));
    fs::write(&temporary, format!("{number}\n"))?;
    fs::rename(&temporary, directory.join(name))
}

/// The number of the next command, and what is to be said of how it was found.
fn next_number(state_dir: &Path, anchor: Option<&Path>) -> (u64, Vec<String>) {
    let mut next = None;
    let mut is_damaged = false;
    let files = NEXT.iter().map(|name| state_dir.join(name));
    for file in files.chain(anchor.map(|anchor| anchor.join(NEXT[0]))) {
        if let Ok(text) = fs::read(file) {
            let text = String::from_utf8_lossy(&text);
            // Half a number is none.
            let number = text.strip_suffix('\n').and_then(|text| text.parse::<u64>().ok());
            is_damaged |= number.is_none();
            next = next.max(number);
        }
    }
    let told = (is_damaged && next.is_none()).then(|| {
        let path = state_dir.join("next_command");
        format!(
            "{} was damaged: ids of commands that an earlier daemon ran may come again",
            path.display()
        )
    });
    (next.unwrap_or(1), told.into_iter().collect())
}

/// Takes out the eldest ended ones beyond so many.
pub(super) fn prune(inner: &mut Inner, keep: usize) -> Vec<Arc<Command>> {
    let is_ended = |command: &Arc<Command>| command.state().status.is_final();
    let ended: Vec<CommandId> = inner
        .all
        .iter()
        .filter(|(_, command)| is_ended(command))
        .map(|(id, _)| *id)
        .collect();
    let surplus = ended.len().saturating_sub(keep);
    ended
        .iter()
        .take(surplus)
        .filter_map(|id| inner.all.remove(id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command::Status, output::StreamKind};

    fn limits(ended: usize) -> impl Fn() -> CommandLimits + Send + Sync {
        move || CommandLimits {
            ended,
            disk_bytes: u64::MAX,
            output: OutputLimits::default(),
        }
    }

    /// Where the disk is full the output of the command that ended first goes, counted to the byte; a running one keeps
    /// what it has, and where nobody else has any left its middle goes, counted too.
    #[test]
    fn a_full_disk_takes_from_the_eldest() {
        const LIMIT: u64 = 4 << 20;
        const MIB: usize = 1 << 20;
        let dir = tempfile::tempdir().expect("a directory");
        let session = SessionName::parse("s").expect("a name");
        let commands = Commands::open(dir.path(), || CommandLimits {
            ended: 10,
            disk_bytes: LIMIT,
            output: OutputLimits::default(),
        });
        let write = |command: &Command, sixteenths: usize| {
            for _ in 0..sixteenths {
                command.append(StreamKind::Stdout, &[b'x'; MIB / 16]);
            }
        };
        let [running, second, first] =
            ["a", "b", "c"].map(|text| commands.create(&session, text.into(), Capture::Apart, false));
        for command in [&first, &second, &running] {
            write(command, 16);
        }
        first.end(Status::Completed, Some(0), None);
        second.end(Status::Completed, Some(0), None);
        let dropped = |command: &Command| command.state().output.losses().budget;
        write(&running, 24);
        assert!(dropped(&first) > 0 && dropped(&second) == 0 && dropped(&running) == 0);
        let state = first.state();
        let kept: u64 = state
            .output
            .read(0, MIB)
            .iter()
            .map(|piece| piece.data.len() as u64)
            .sum();
        assert_eq!(kept + state.output.dropped(), state.output.total());
        drop(state);
        write(&running, 80);
        assert!(dropped(&second) > 0 && dropped(&running) > 0);
        let state = running.state();
        let kept: u64 = state
            .output
            .read(0, 8 * MIB)
            .iter()
            .map(|piece| piece.data.len() as u64)
            .sum();
        assert_eq!(kept + state.output.dropped(), state.output.total());
        drop(state);
        assert!(commands.disk_bytes() <= LIMIT && commands.disk_bytes() > LIMIT * 3 / 4);
        let on_disk: u64 = fs::read_dir(dir.path().join("spool"))
            .expect("a directory")
            .map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file").len())
            .sum();
        assert_eq!(on_disk, commands.disk_bytes());
        // What ends makes room for others.
        running.end(Status::Completed, Some(0), None);
        let last = commands.create(&session, "d".into(), Capture::Apart, false);
        write(&last, 48);
        assert_eq!(dropped(&last), 0);
    }

    /// Ids go on where an earlier daemon stopped, and old ended commands go first.
    #[test]
    fn ids_and_pruning() {
        let dir = tempfile::tempdir().expect("a directory");
        let session = SessionName::parse("s").expect("a name");
        let commands = Commands::open(dir.path(), limits(2));
        let first = commands.create(&session, "a".into(), Capture::Apart, false);
        for _ in 0..3 {
            commands.create(&session, "b".into(), Capture::Apart, false).end(
                Status::Completed,
                Some(0),
                None,
            );
        }
        let last = commands.create(&session, "c".into(), Capture::Apart, false);
        assert!(
            commands.find(&first.id.to_string()).is_ok(),
            "a running one is never dropped"
        );
        assert!(commands.find("c2").is_err());
        assert!(commands.find("c3").is_ok());
        drop(commands);
        let again = Commands::open(dir.path(), limits(2));
        let id = again.create(&session, "d".into(), Capture::Apart, false).id;
        assert!(id > last.id, "{id} after {}", last.id);
    }
}
