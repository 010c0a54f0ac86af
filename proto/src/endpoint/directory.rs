//! Directories that must be private: made with mode 0700, or refused with words when others could write in them.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use crate::{error::Fault, v1::Reason};

/// Any access by group or others.
const OTHERS: u32 = 0o077;
/// Write access by group or others: with it they could put their socket in the place of ours.
const OTHERS_WRITE: u32 = 0o022;

/// Makes a directory of ours private: creates it with its parents, tightens one that is ours and too open.
pub fn private_directory(path: &Path) -> Result<(), Fault> {
    create(path)?;
    let found = fs::metadata(path).map_err(|error| cannot(path, "looked at", &error))?;
    owned(path, &found)?;
    if found.mode() & OTHERS != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(|error| cannot(path, "made private", &error))?;
    }
    Ok(())
}

/// The same, for a directory inside the state directory: `join`s and makes it.
pub fn private_state(state: &Path, name: &str) -> Result<std::path::PathBuf, Fault> {
    let path = state.join(name);
    private_directory(state)?;
    private_directory(&path)?;
    Ok(path)
}

/// A directory that a user named: created if missing; else only refused, never changed.
pub(super) fn named(path: &Path) -> Result<(), Fault> {
    create(path)?;
    let found = fs::metadata(path).map_err(|error| cannot(path, "looked at", &error))?;
    owned(path, &found)?;
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(refuse(path, "can be written by others"));
    }
    Ok(())
}

/// A directory below /tmp, where anybody may have made it first: neither a link nor anybody else's.
pub(super) fn below_tmp(path: &Path) -> Result<(), Fault> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(cannot(path, "created", &error));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(|error| cannot(path, "looked at", &error))?;
    if !found.is_dir() {
        return Err(refuse(path, "is not a directory"));
    }
    owned(path, &found)?;
    if found.mode() & OTHERS != 0 {
        return Err(refuse(path, "can be entered by others"));
    }
    Ok(())
}

fn create(path: &Path) -> Result<(), Fault> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| cannot(path, "created", &error))
}

fn owned(path: &Path, found: &fs::Metadata) -> Result<(), Fault> {
    if found.uid() == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err(refuse(path, &format!("belongs to user {}", found.uid())))
    }
}

fn refuse(path: &Path, what: &str) -> Fault {
    Fault::new(
        Reason::DaemonUnavailable,
        format!(
            "the directory {} {what}, so nothing of ours is safe in it",
            path.display()
        ),
    )
    .hint("name a place in a directory that only you can write in, by SSHMCP_SOCKET or SSHMCP_STATE_DIR")
}

fn cannot(path: &Path, verb: &str, error: &io::Error) -> Fault {
    Fault::new(
        Reason::DaemonUnavailable,
        format!("the directory {} could not be {verb}: {error}", path.display()),
    )
    .hint("mend that, or name another place by SSHMCP_SOCKET or SSHMCP_STATE_DIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").mode() & 0o777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }

    /// What we make is 0700 all the way down; what is ours and open is tightened.
    #[test]
    fn ours_become_private() {
        let root = tempfile::tempdir().expect("tempdir");
        let deep = root.path().join("a/b/c");
        private_directory(&deep).expect("created");
        assert_eq!([mode(&deep), mode(deep.parent().expect("b"))], [0o700, 0o700]);
        chmod(&deep, 0o755);
        private_directory(&deep).expect("tightened");
        assert_eq!(mode(&deep), 0o700);
    }

    /// A directory named by the user is never changed; one that others can write in is refused.
    #[test]
    fn named_ones_are_left_alone() {
        let root = tempfile::tempdir().expect("tempdir");
        chmod(root.path(), 0o755);
        named(root.path()).expect("readable by others is their choice");
        assert_eq!(mode(root.path()), 0o755);
        chmod(root.path(), 0o777);
        let fault = named(root.path()).expect_err("writable by others");
        assert!(fault.message.contains("written by others"), "{fault}");
    }

    /// Below /tmp a link or an open directory is an attack or a mistake, and is refused.
    #[test]
    fn tmp_is_hostile() {
        let root = tempfile::tempdir().expect("tempdir");
        let place = root.path().join("d");
        below_tmp(&place).expect("created");
        below_tmp(&place).expect("found again");
        chmod(&place, 0o750);
        below_tmp(&place).expect_err("open");
        let link = root.path().join("l");
        std::os::unix::fs::symlink(&place, &link).expect("symlink");
        chmod(&place, 0o700);
        below_tmp(&link).expect_err("link");
        let file = root.path().join("f");
        fs::write(&file, "").expect("file");
        below_tmp(&file).expect_err("file");
        private_directory(&file).expect_err("a file is no directory");
    }
}
