//! What kept sessions are found by where the state directory as a whole is gone: a directory elsewhere, named after that one
//! and after the machine. Made with the first of these sessions; gone when the daemon ends and none is left.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::claim::lock;

/// Where an anchor is, if it can be.
pub struct Anchor {
    place: Option<PathBuf>,
    /// While it is held no other daemon takes what is there for its own.
    held: Mutex<Option<File>>,
}

impl Anchor {
    /// The one at this place, which is taken if it is there; none where another daemon has it.
    pub(super) fn find(place: Option<PathBuf>) -> Self {
        let held = place
            .as_deref()
            .filter(|place| place.is_dir())
            .map(lock)
            .transpose();
        let (place, held) = match held {
            Ok(held) => (place, held),
            Err(error) => {
                tracing::info!(?place, %error, "what is there is not used");
                (None, None)
            }
        };
        Self {
            place,
            held: Mutex::new(held),
        }
    }

    /// Where it is, if it is there.
    pub(super) fn there(&self) -> Option<&Path> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.place.as_deref().filter(|_| held.is_some())
    }

    /// Makes it if it is not there; true if it was made now.
    pub(super) fn make(&self) -> bool {
        let Some(place) = &self.place else { return false };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return false;
        }
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(place)
            .and_then(|()| lock(place));
        match made {
            Ok(file) => *held = Some(file),
            Err(error) => tracing::info!(place = %place.display(), %error, "no place beside the state"),
        }
        held.is_some()
    }

    /// Removes it: nobody is to find anything there.
    pub(super) fn remove(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = self.place.as_deref().filter(|_| held.is_some()) else {
            return;
        };
        match fs::remove_dir_all(place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::info!(place = %place.display(), %error, "it is left behind");
            }
            _ => {
                // Others' may be beside it.
                let _kept = place.parent().map(fs::remove_dir);
            }
        }
        *held = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is made once, is one daemon's, is found by the next, and goes.
    #[test]
    fn one_to_a_daemon() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("sshmcp/x");
        let first = Anchor::find(Some(place.clone()));
        assert_eq!(first.there(), None);
        assert!(first.make() && !first.make());
        assert_eq!(first.there(), Some(&*place));
        let second = Anchor::find(Some(place.clone()));
        assert!(!second.make() && second.there().is_none());
        drop(first);
        let third = Anchor::find(Some(place.clone()));
        assert_eq!(third.there(), Some(&*place));
        third.remove();
        assert!(
            third.there().is_none()
                && fs::read_dir(directory.path())
                    .expect("it is there")
                    .next()
                    .is_none()
        );
        let none = Anchor::find(None);
        assert!(!none.make() && none.there().is_none());
    }
}
