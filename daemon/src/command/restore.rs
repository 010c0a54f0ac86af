//! The commands that an earlier daemon left: those that outlive it are there again, whatever else is in the spool goes.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicUsize},
};

use tokio::sync::watch;

use super::{
    Command, Commands, State,
    history::prune,
    kept::{SavedCommand, SavedState, VERSION},
};
use crate::{
    id::{CommandId, SessionName},
    output::Found,
    shell::order::Capture,
};

impl Commands {
    /// With the commands that are in the spool.
    pub(super) fn restored(mut self) -> Self {
        let limits = (self.limits)();
        for (id, numbers) in self.sweep() {
            let stem = self.dir.join(id.to_string());
            let found = Found::read(&stem, numbers.clone(), limits.output, self.shelf.budget.clone());
            match found.map(|found| self.restore(id, found)) {
                Some(Ok(command)) => {
                    let mut inner = self.shelf.lock();
                    inner.next = inner.next.max(id.number().saturating_add(1));
                    inner.all.insert(id, Arc::new(command));
                }
                Some(Err(why)) => self
                    .told
                    .push(format!("what was kept of {id} in {} {why}", stem.display())),
                None => {
                    // Not even its text is there.
                    for number in numbers {
                        remove(&self.dir.join(format!("{id}.{number}")));
                    }
                    let path = stem.display();
                    self.told.push(format!(
                        "what was kept of {id} in {path} was damaged; it is not known any more"
                    ));
                }
            }
        }
        let gone = prune(&mut self.shelf.lock(), limits.ended);
        for command in gone {
            command.discard();
        }
        self
    }

    /// Commands that have not ended and that an earlier daemon left, or that are running.
    pub fn unfinished(&self) -> Vec<Arc<Command>> {
        let mut all = self.list();
        all.retain(|command| !command.state().status.is_final());
        all
    }

    /// Which files there are of which command; what is none of those is removed.
    fn sweep(&self) -> BTreeMap<CommandId, Vec<u32>> {
        let mut found: BTreeMap<CommandId, Vec<u32>> = BTreeMap::new();
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(dir = %self.dir.display(), %error, "the spool of an earlier daemon cannot be read");
                }
                return found;
            }
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            match of_command(&path) {
                Some((id, number)) => found.entry(id).or_default().push(number),
                None => remove(&path),
            }
        }
        found
    }

    fn restore(&self, id: CommandId, found: Found) -> Result<Command, String> {
        let unreadable = |error: serde_json::Error| format!("cannot be read: {error}");
        let saved: SavedCommand = serde_json::from_slice(found.head()).map_err(unreadable)?;
        if saved.version != VERSION {
            return Err(format!(
                "was written by another version in form {}, and this one knows form {VERSION}; it is left there",
                saved.version
            ));
        }
        let session = SessionName::parse(&saved.session).map_err(|fault| fault.message)?;
        let changing: SavedState = if found.meta().is_empty() {
            SavedState::default()
        } else {
            serde_json::from_slice(found.meta()).map_err(unreadable)?
        };
        let capture = if saved.terminal {
            Capture::Terminal
        } else {
            Capture::Apart
        };
        let is_terminal = saved.terminal || !changing.is_apart();
        let output = found.output(changing.losses(), is_terminal);
        let mut state = State::new(output, capture, saved.accepted_ms);
        state.restore(changing);
        Ok(Command {
            id,
            session,
            text: saved.text,
            capture,
            internal: false,
            state: Mutex::new(state),
            changed: watch::channel(0).0,
            waiters: AtomicUsize::new(0),
            stem: self.dir.join(id.to_string()),
            budget: self.shelf.budget.clone(),
            shelf: Arc::downgrade(&self.shelf),
        })
    }
}

/// `c42.3` is the third file of c42.
fn of_command(path: &Path) -> Option<(CommandId, u32)> {
    let (id, number) = path.file_name()?.to_str()?.split_once('.')?;
    Some((CommandId::parse(id)?, number.parse().ok()?))
}

fn remove(path: &Path) {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    if let Err(error) = removed {
        tracing::warn!(path = %path.display(), %error, "what an earlier daemon left could not be removed");
    }
}
