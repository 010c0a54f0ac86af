//! A file of somebody else's: read as text, and replaced whole or not at all, with its permissions, its owner and the links
//! that lead to it.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::fchown;
use rustix::process::{Gid, Uid, geteuid};

/// More is nobody's settings.
const BYTES_MAX: u64 = 16 << 20; // 16 MiB

/// Permissions of a file that we make: some programs write keys into theirs.
const PRIVATE: u32 = 0o600;

/// The text of a file; none where there is no file. A link that leads nowhere is an error.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    if found.len() > BYTES_MAX {
        return Err(io::Error::other(format!(
            "it has more than {} MiB",
            BYTES_MAX >> 20
        )));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Puts a text in the place of what was read, if that is still there.
/// `private` takes it from everybody else; a new file is that anyway.
pub(crate) fn replace(path: &Path, read: Option<&str>, text: &str, private: bool) -> io::Result<()> {
    if self::read(path)?.as_deref() != read {
        return Err(io::Error::other("another program changed it at this moment"));
    }
    // The file behind a link is changed, not the link.
    let real = if read.is_some() {
        path.canonicalize()?
    } else {
        path.to_owned()
    };
    let found = fs::metadata(&real).ok();
    let partial = beside(&real, ".sshmcp-new");
    let mode = found
        .as_ref()
        .filter(|_| !private)
        .map_or(PRIVATE, |found| found.mode() & 0o7777);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE)
            .open(&partial)?;
        if let Some(found) = &found
            && found.uid() != geteuid().as_raw()
        {
            fchown(
                &file,
                Some(Uid::from_raw(found.uid())),
                Some(Gid::from_raw(found.gid())),
            )?;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, &real)
    })();
    if written.is_err() {
        // What is half written is nobody's.
        let _gone = fs::remove_file(&partial);
    }
    written
}

/// Keeps what a file has now in another beside it, with the same permissions, and tells where.
pub(crate) fn back_up(path: &Path, text: &str) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    let mode = fs::metadata(&real)?.mode() & 0o7777;
    for number in 1..100 {
        let ending = if number == 1 {
            ".sshmcp-backup".to_owned()
        } else {
            format!(".sshmcp-backup-{number}")
        };
        let backup = beside(&real, &ending);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(PRIVATE)
            .open(&backup)
        {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
            Ok(mut file) => {
                file.set_permissions(Permissions::from_mode(mode))?;
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                return Ok(backup);
            }
        }
    }
    Err(io::Error::other("there are too many backups beside it"))
}

/// A name beside another.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(ending);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Permissions and links stay, what another program wrote meanwhile too, and backups do not cover each other.
    #[test]
    fn replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        fs::write(&real, "old").expect("a file");
        fs::set_permissions(&real, Permissions::from_mode(0o640)).expect("chmod");
        symlink("real", &link).expect("a link");
        assert_eq!(read(&link).expect("read").as_deref(), Some("old"));
        let backup = back_up(&link, "old").expect("a backup");
        assert_eq!(
            backup,
            directory
                .path()
                .canonicalize()
                .expect("there")
                .join("real.sshmcp-backup")
        );
        assert_ne!(back_up(&link, "old").expect("another"), backup);
        replace(&link, Some("old"), "new", false).expect("replaced");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!(fs::read_to_string(&real).expect("text"), "new");
        assert_eq!(fs::metadata(&real).expect("there").mode() & 0o777, 0o640);
        replace(&link, Some("old"), "newer", false).expect_err("it changed");
        assert_eq!(fs::read_to_string(&real).expect("text"), "new");
        replace(&link, Some("new"), "newest", true).expect("replaced");
        assert_eq!(fs::metadata(&real).expect("there").mode() & 0o777, PRIVATE);
        let fresh = directory.path().join("fresh");
        replace(&fresh, None, "x", false).expect("made");
        assert_eq!(fs::metadata(&fresh).expect("there").mode() & 0o777, PRIVATE);
        symlink("nowhere", directory.path().join("broken")).expect("a link");
        read(&directory.path().join("broken")).expect_err("it leads nowhere");
        assert_eq!(read(&directory.path().join("missing")).expect("none"), None);
        assert_eq!(fs::read_dir(directory.path()).expect("a list").count(), 6);
    }
}
