//! What daemons leave below the state directory, taken away where a person asks for that. Nothing else there is touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Outcome, Run, cannot};
use sshmcp_proto::endpoint::{Paths, Socket};
use sshmcp_proto::error::Fault;

/// What the daemon makes in its state directory.
const MADE: [&str; 6] = ["daemon", "logs", "next_command", "owner", "spool", "state"];

impl Run<'_> {
    /// What there is of state, transcripts and recordings.
    fn made(&self) -> Vec<PathBuf> {
        let mut places: Vec<_> = MADE.iter().map(|name| self.state.join(name)).collect();
        // Several versions of a file set aside have its name and more.
        let beside = fs::read_dir(&self.state).into_iter().flatten().flatten();
        places.extend(beside.map(|entry| entry.path()).filter(|path| is_set_aside(path)));
        places.retain(|path| fs::symlink_metadata(path).is_ok());
        places
    }

    /// Tells what stays of sessions, unless nothing does: it is a person's, who has not said that it may go.
    pub(super) fn tell_what_stays(&mut self) {
        if self.made().is_empty() {
            return;
        }
        let state = self.state.display();
        let why = format!(
            "transcripts, recordings and what is remembered of sessions stay: `sshctl uninstall --purge` removes them, or \
             `rm -r {state}` once sshctl is gone"
        );
        self.step(format!("remove {state}"), Outcome::Left, &why);
        self.stays = Some(self.state.clone());
    }

    /// Removes state, transcripts and recordings.
    pub(super) fn purge(&mut self) -> Result<(), Fault> {
        let socket = Socket::find(self.context.global.socket.as_deref())?;
        let mut places = self.made();
        places.extend([socket.path().to_owned(), socket.start_lock(), socket.life_lock()]);
        places.extend(Paths::anchor(&self.state));
        for path in places {
            let Ok(found) = fs::symlink_metadata(&path) else {
                continue;
            };
            if self.act {
                let removed = if found.is_dir() {
                    fs::remove_dir_all(&path)
                } else {
                    fs::remove_file(&path)
                };
                removed.map_err(|error| cannot(&path, &error))?;
            }
            self.step(format!("remove {}", path.display()), self.done(), "");
        }
        Ok(())
    }

    /// Removes the state directory, where there was one beside, and those above them, below the home, as far as they are empty.
    pub(super) fn remove_empty(&self) {
        let anchor = Paths::anchor(&self.state);
        let beside = anchor.as_deref().and_then(Path::parent);
        for place in [Some(self.state.as_path()), beside].into_iter().flatten() {
            let directories = place
                .ancestors()
                .take_while(|path| *path != self.home && path.starts_with(&self.home));
            for directory in directories {
                match fs::remove_dir(directory) {
                    Ok(()) => {}
                    // A daemon takes its own away with the last session, and not what is above.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(_) => break,
                }
            }
        }
    }
}

fn is_set_aside(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    MADE.iter()
        .any(|made| name.strip_prefix(made).is_some_and(|rest| rest.starts_with('.')))
}
