//! A file for each session that outlives the daemon, beside the generations of all: where those are damaged, it is still
//! known how such a session is found again, and which were closed.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    SavedSession,
    file::{sessions_in, write_one},
};

pub(super) struct Each {
    directory: PathBuf,
    /// What is in the files, as far as this process wrote them.
    written: Mutex<BTreeMap<String, Arc<SavedSession>>>,
}

impl Each {
    pub(super) const fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            written: Mutex::new(BTreeMap::new()),
        }
    }

    /// Writes what changed, and removes the files of sessions that are none of these. What the disk does not take is
    /// tried again the next time.
    pub(super) fn write(&self, sessions: &[Arc<SavedSession>]) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: Vec<&Arc<SavedSession>> = sessions.iter().filter(|session| session.is_kept()).collect();
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !kept.iter().any(|session| name == *session.name) {
                fs::remove_file(entry.path()).ok();
                written.retain(|known, _| name != **known);
            }
        }
        if !kept.is_empty() {
            // Where that fails, so does what follows.
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(&self.directory).ok();
        }
        for session in kept {
            let is_written = written
                .get(&session.name)
                .is_some_and(|known| **known == **session);
            if is_written {
                continue;
            }
            match write_one(&self.directory.join(&session.name), session) {
                Ok(()) => {
                    written.insert(session.name.clone(), session.clone());
                }
                Err(error) => {
                    written.remove(&session.name);
                    tracing::debug!(session = %session.name, %error, "its own file is not written");
                }
            }
        }
    }

    /// Puts right what a generation that is not the last has of sessions that outlive the daemon; false if there are no
    /// files to do it by.
    pub(super) fn correct(&self, sessions: &mut Vec<SavedSession>) -> bool {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return false;
        };
        // Of one whose own file is damaged the generation's word counts.
        let files: BTreeMap<String, Option<SavedSession>> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let session = sessions_in(&entry.path()).and_then(|mut sessions| sessions.pop());
                let session = session.filter(|session| session.name == name && session.is_kept());
                Some((name, session))
            })
            .collect();
        sessions.retain(|session| !session.is_kept() || files.contains_key(&session.name));
        for session in files.into_values().flatten() {
            sessions.retain(|known| known.name != session.name);
            sessions.push(session);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(name: &str, cwd: &str, is_kept: bool) -> Arc<SavedSession> {
        Arc::new(SavedSession {
            name: name.into(),
            cwd: cwd.into(),
            kept: if is_kept { json!({"pane": 1}) } else { json!(null) },
            ..SavedSession::default()
        })
    }

    /// What an older generation has is put right: what was closed since goes, what was opened since is there, and what is
    /// damaged itself is taken from the generation.
    #[test]
    fn an_older_generation_is_put_right() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("each");
        let each = Each::new(place.clone());
        let names = |sessions: &[SavedSession]| -> Vec<(String, String)> {
            let mut names: Vec<_> = sessions
                .iter()
                .map(|one| (one.name.clone(), one.cwd.clone()))
                .collect();
            names.sort();
            names
        };
        let pair = |name: &str, cwd: &str| (name.to_owned(), cwd.to_owned());
        let older = ["closed", "damaged", "moved"].map(|name| session(name, "/old", true));
        let mut content: Vec<SavedSession> = older.iter().map(|one| SavedSession::clone(one)).collect();
        content.push(SavedSession::clone(&session("plain", "/old", false)));
        assert!(!each.correct(&mut content), "there is nothing");
        assert_eq!(content.len(), 4);
        each.write(&older);
        let newer = [
            session("damaged", "/new", true),
            session("moved", "/new", true),
            session("opened", "/new", true),
            session("plain", "/new", false),
        ];
        each.write(&newer);
        fs::write(place.join("damaged"), "no state").expect("written");
        assert!(Each::new(place.clone()).correct(&mut content));
        let wanted = [
            pair("damaged", "/old"),
            pair("moved", "/new"),
            pair("opened", "/new"),
            pair("plain", "/old"),
        ];
        assert_eq!(names(&content), wanted);
        each.write(&[]);
        assert_eq!(fs::read_dir(place).expect("a directory").count(), 0);
    }
}
