//! All commands by id: the running ones, and the latest ended ones. Where the disk that all outputs may use together is
//! full, the output of that which ended first goes; its command stays, and counts what is gone.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
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
    dir: PathBuf,
    limits: Box<dyn Fn() -> CommandLimits + Send + Sync>,
    shelf: Arc<Shelf>,
}

/// All commands, as they themselves see each other.
pub(super) struct Shelf {
    budget: Arc<Budget>,
    inner: Mutex<Inner>,
}

struct Inner {
    next: u64,
    reserved: u64,
    all: BTreeMap<CommandId, Arc<Command>>,
}

impl Shelf {
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

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Commands {
    /// Opens the history in the state directory; `limits` is asked at each new command. Output of an earlier daemon is
    /// removed: nobody can ask for it.
    pub fn open(state_dir: &Path, limits: impl Fn() -> CommandLimits + Send + Sync + 'static) -> Self {
        let dir = state_dir.join("spool");
        if let Err(error) = fs::remove_dir_all(&dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(dir = %dir.display(), %error, "the old spool could not be removed");
        }
        let next = fs::read_to_string(state_dir.join("next_command"))
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(1);
        Self {
            dir,
            shelf: Arc::new(Shelf {
                budget: Arc::new(Budget::new(limits().disk_bytes)),
                inner: Mutex::new(Inner {
                    next,
                    reserved: next,
                    all: BTreeMap::new(),
                }),
            }),
            limits: Box::new(limits),
        }
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
            inner.reserved = inner.next + RESERVED;
            self.reserve(inner.reserved);
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
        drop(gone);
        command
    }

    fn reserve(&self, reserved: u64) {
        let Some(state_dir) = self.dir.parent() else {
            return;
        };
        let temporary = state_dir.join("next_command.new");
        let written = fs::create_dir_all(state_dir)
            .and_then(|()| fs::write(&temporary, format!("{reserved}\n")))
            .and_then(|()| fs::rename(&temporary, state_dir.join("next_command")));
        if let Err(error) = written {
            tracing::warn!(path = %temporary.display(), %error, "command ids could not be reserved on disk");
        }
    }

    /// The command with this id.
    pub fn find(&self, id: &str) -> Result<Arc<Command>, Fault> {
        CommandId::parse(id)
            .and_then(|id| self.lock().all.get(&id).cloned())
            .filter(|command| !command.internal)
            .ok_or_else(|| {
                Fault::new(
                    Reason::CommandNotFound,
                    format!("there is no command {:?}", crate::id::shorten(id, 40)),
                )
                .hint(format!(
                    "get_active_commands with `finished` lists those that are kept: the latest {} that ended (keep_commands)",
                    (self.limits)().ended
                ))
            })
    }

    /// Forgets a command that never ran.
    pub fn forget(&self, id: CommandId) {
        self.lock().all.remove(&id);
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

/// Takes out the eldest ended ones beyond so many.
fn prune(inner: &mut Inner, keep: usize) -> Vec<Arc<Command>> {
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
