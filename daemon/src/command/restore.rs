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
        self.first = CommandId::new(self.shelf.lock().next);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        command::{CommandLimits, Status},
        output::{Consumed, OutputLimits, StreamKind},
    };

    fn open(directory: &Path) -> Commands {
        Commands::open(directory, || CommandLimits {
            ended: 10,
            disk_bytes: u64::MAX,
            output: OutputLimits::default(),
        })
    }

    fn text(command: &Command) -> String {
        let pieces = command.state().output.read(0, 1 << 20);
        let bytes: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.data).collect();
        String::from_utf8(bytes).expect("text")
    }

    /// A command that is kept is there again as it was, running or ended; one that is not is gone, and no id comes twice.
    #[test]
    fn there_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let session = SessionName::parse("s").expect("a name");
        let commands = open(directory.path());
        let [ended, running, queued, other] = ["false", "sleep 9\n\u{1b}ü", "date", "true"]
            .map(|text| commands.create(&session, text.into(), Capture::Apart, false));
        for command in [&ended, &running, &queued] {
            command.keep();
        }
        for command in [&ended, &running] {
            command.change(|state| {
                state.status = Status::Running;
                state.started = Some(std::time::Instant::now());
                state.told_running = true;
            });
            let consumed = Consumed {
                source: 2,
                segment: 5,
                offset: 77,
            };
            command.append_from(StreamKind::Stdout, b"one\n", consumed);
            command.append(StreamKind::Stderr, b"two\n");
            command.state().show_to("client", 4);
        }
        running.set_place(json!({"directory": "/tmp/.sshmcp-x"}));
        ended.notice("words");
        ended.end(Status::Completed, Some(7), Some("/srv".into()));
        other.append(StreamKind::Stdout, b"gone");
        let (ran, at) = {
            let state = ended.state();
            (state.duration_ms(), state.ended.expect("ended").1)
        };
        let last = other.id;
        drop((ended, running, queued, other, commands));
        std::fs::write(directory.path().join("spool/c99999"), "an old spool").expect("written");

        let commands = open(directory.path());
        assert!(commands.problems().is_empty(), "{:?}", commands.problems());
        let ids: Vec<String> = commands.list().iter().map(|one| one.id.to_string()).collect();
        assert_eq!(ids, ["c1", "c2", "c3"]);
        let unfinished: Vec<String> = commands
            .unfinished()
            .iter()
            .map(|one| one.id.to_string())
            .collect();
        assert_eq!(unfinished, ["c2", "c3"]);
        assert!(!directory.path().join("spool/c99999").exists());
        let ended = commands.find("c1").expect("known");
        assert_eq!(
            (ended.text.as_str(), text(&ended).as_str()),
            ("false", "one\ntwo\n")
        );
        {
            let state = ended.state();
            assert_eq!(
                (&state.status, state.exit_code, state.cwd.as_str()),
                (&Status::Completed, Some(7), "/srv")
            );
            assert_eq!(
                (state.notices.as_slice(), state.bytes_at_end),
                (["words".to_owned()].as_slice(), Some(8))
            );
            assert_eq!((state.duration_ms(), state.ended.expect("ended").1), (ran, at));
            assert_eq!((state.shown_to("client"), state.told_running), (4, true));
        }
        let running = commands.find("c2").expect("known");
        assert_eq!(running.text, "sleep 9\n\u{1b}ü");
        assert_eq!(running.place(), json!({"directory": "/tmp/.sshmcp-x"}));
        let position = Consumed {
            source: 2,
            segment: 5,
            offset: 77,
        };
        assert_eq!(running.positions(), [position]);
        assert_eq!(running.state().status, Status::Running);
        // It goes on, and is there once more.
        running.append(StreamKind::Stdout, b"three\n");
        running.end(Status::Interrupted, Some(130), None);
        let next = commands.create(&session, "d".into(), Capture::Apart, false);
        assert!(next.id > last, "{} after {last}", next.id);
        commands.forget(CommandId::new(3));
        drop((ended, running, next, commands));
        let commands = open(directory.path());
        assert_eq!(commands.list().len(), 2);
        let running = commands.find("c2").expect("known");
        assert_eq!(text(&running), "one\ntwo\nthree\n");
        assert_eq!(running.state().exit_code, Some(130));
    }

    /// Those that are too many go with their files, and the others hold none open.
    #[test]
    fn few_are_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let session = SessionName::parse("s").expect("a name");
        let commands = open(directory.path());
        for _ in 0..15 {
            let command = commands.create(&session, "true".into(), Capture::Terminal, false);
            command.keep();
            command.append(StreamKind::Stdout, b"x");
            command.end(Status::Completed, Some(0), None);
        }
        let files = || {
            fs::read_dir(directory.path().join("spool"))
                .expect("a directory")
                .count()
        };
        assert!(files() <= 11, "{}", files());
        let open_files = fs::read_dir("/proc/self/fd").expect("Linux").flatten();
        let held = open_files
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .filter(|path| path.starts_with(directory.path()))
            .count();
        assert_eq!(held, 0);
        drop(commands);
        assert_eq!(open(directory.path()).list().len(), 10);
        assert_eq!(files(), 10);
    }
}
