//! All commands by id: the running ones, and the latest ended ones as far as number and bytes on disk allow.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{Command, Plan};
use crate::{
    id::{CommandId, SessionName},
    output::OutputLimits,
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
    limits: CommandLimits,
    inner: Mutex<Inner>,
}

struct Inner {
    next: u64,
    reserved: u64,
    all: BTreeMap<CommandId, Arc<Command>>,
}

impl Commands {
    /// Opens the history in the state directory. Output of an earlier daemon is removed: nobody can ask for it.
    pub fn open(state_dir: &Path, limits: CommandLimits) -> Self {
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
            limits,
            inner: Mutex::new(Inner {
                next,
                reserved: next,
                all: BTreeMap::new(),
            }),
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
            limits: self.limits.output,
        };
        let spool = self.dir.join(id.to_string());
        let command = Arc::new(Command::new(id, session.clone(), text, &plan, spool));
        inner.all.insert(id, command.clone());
        self.prune(&mut inner);
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
                .hint("get_active_commands with `finished` lists the commands that are kept")
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
        self.lock()
            .all
            .values()
            .map(|command| command.state().output.disk_used())
            .sum()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prune(&self, inner: &mut Inner) {
        let mut ended = Vec::new();
        let mut bytes = 0;
        for (id, command) in &inner.all {
            let state = command.state();
            bytes += state.output.disk_used();
            if state.status.is_final() {
                ended.push((*id, state.output.disk_used()));
            }
        }
        let mut surplus = ended.len().saturating_sub(self.limits.ended);
        for (id, size) in ended {
            if surplus == 0 && bytes <= self.limits.disk_bytes {
                break;
            }
            inner.all.remove(&id);
            surplus = surplus.saturating_sub(1);
            bytes = bytes.saturating_sub(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Status;

    fn limits(ended: usize) -> CommandLimits {
        CommandLimits {
            ended,
            disk_bytes: u64::MAX,
            output: OutputLimits::default(),
        }
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
