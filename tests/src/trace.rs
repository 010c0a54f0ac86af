//! What must not be left behind on a host: the private directories that a session has there while it lives.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use crate::{process::Process, user::User};

/// How our directories on a host begin.
const PREFIX: &str = ".sshmcp-";

/// Our directories that these users own.
pub fn directories(users: &[User]) -> BTreeSet<PathBuf> {
    let mut places: Vec<PathBuf> = ["/dev/shm", "/tmp", "/var/tmp"].map(PathBuf::from).to_vec();
    for user in users {
        places.push(user.home.clone());
        places.push(format!("/run/user/{}", user.uid()).into());
    }
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let owner = fs::symlink_metadata(path).map(|data| data.uid());
        name.starts_with(PREFIX) && owner.is_ok_and(|uid| users.iter().any(|user| user.uid() == uid))
    };
    places
        .into_iter()
        .filter_map(|place| fs::read_dir(place).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(ours)
        .collect()
}

/// Those of them that no process has anything of open: nobody will remove them.
pub fn abandoned(users: &[User]) -> BTreeSet<PathBuf> {
    let mut left = directories(users);
    if left.is_empty() {
        return left;
    }
    for process in Process::all() {
        for file in process.open_files() {
            left.retain(|directory| !file.starts_with(directory));
        }
    }
    left
}
