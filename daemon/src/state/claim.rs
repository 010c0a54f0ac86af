//! One daemon to a state directory: two on sockets of their own would take each other's sessions and files. Who comes second
//! has a directory beside, in which nothing is looked for afterwards.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// Held by whoever has the directory; it ends with the process.
const LOCK: &str = "state.lock";
/// Before the process's number in the name of a directory beside.
const BESIDE: &str = "beside-";
/// A predecessor that was killed gives up its locks one after the other.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// The right to a directory, held until dropped.
#[derive(Debug)]
pub struct Claim {
    _lock: Option<File>,
    /// Where state is kept.
    pub directory: PathBuf,
    /// Why that is not the directory that was asked for.
    pub problem: Option<String>,
}

impl Claim {
    /// Takes a state directory for this process, or one beside if another process has it.
    pub fn new(state_dir: &Path) -> Self {
        let until = Instant::now() + PATIENCE;
        loop {
            match lock(state_dir) {
                Ok(lock) => {
                    sweep(state_dir);
                    return Self {
                        _lock: Some(lock),
                        directory: state_dir.to_owned(),
                        problem: None,
                    };
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    // A disk that takes no lock takes no state either, which is told where that is written.
                    tracing::warn!(directory = %state_dir.display(), %error, "the state directory cannot be locked");
                    return Self {
                        _lock: None,
                        directory: state_dir.to_owned(),
                        problem: None,
                    };
                }
                Err(_) if Instant::now() < until => std::thread::sleep(PAUSE),
                Err(_) => break,
            }
        }
        let directory = state_dir.join(format!("{BESIDE}{}", std::process::id()));
        Self {
            _lock: lock(&directory).ok(),
            problem: Some(format!(
                "another daemon has the state directory {}, so that sessions of this one are not found again after it",
                state_dir.display()
            )),
            directory,
        }
    }
}

pub(super) fn lock(directory: &Path) -> io::Result<File> {
    fs::create_dir_all(directory)?;
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(directory.join(LOCK))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error.into()),
    }
}

/// Removes what daemons that came second have left.
fn sweep(state_dir: &Path) {
    for entry in fs::read_dir(state_dir).into_iter().flatten().flatten() {
        let is_beside = entry.file_name().to_string_lossy().starts_with(BESIDE);
        if is_beside && lock(&entry.path()).is_ok() {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second has a directory of its own, which goes when both are gone; the next has the first's.
    #[test]
    fn one_to_a_directory() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = Claim::new(directory.path());
        assert_eq!(
            (first.directory.as_path(), &first.problem),
            (directory.path(), &None)
        );
        let second = Claim::new(directory.path());
        assert!(second.directory.starts_with(directory.path()) && second.directory != directory.path());
        assert!(
            second
                .problem
                .as_ref()
                .is_some_and(|words| words.contains("another daemon"))
        );
        let beside = second.directory.clone();
        drop(first);
        let third = Claim::new(directory.path());
        assert_eq!(third.directory, directory.path());
        assert!(beside.exists(), "its owner lives");
        drop((second, third));
        drop(Claim::new(directory.path()));
        assert!(!beside.exists());
    }
}
