//! One file that is only ever appended to: private, no link and nothing special, whole entries or none, set aside when it
//! is large. What is in the entries is not known here.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::fs::OFlags;

/// Any access by group or others.
const OTHERS: u32 = 0o077;

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct Appended {
    path: PathBuf,
    file: Option<File>,
    len: u64,
}

/// How a file was found when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It was open and is the same.
    Same,
    /// It is new or empty.
    New,
    /// It has content of an earlier life.
    Old,
}

impl Appended {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            len: 0,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Opens it unless it is open and still has its name.
    pub(super) fn open(&mut self) -> io::Result<Found> {
        if let Some(file) = &self.file {
            let (ours, named) = (file.metadata()?, fs::symlink_metadata(&self.path));
            if named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
                return Ok(Found::Same);
            }
            // Somebody took it away: what comes goes to another of that name.
            self.file = None;
        }
        if let Some(directory) = self.path.parent() {
            super::prepare(directory)?;
        }
        let file = open(
            OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .mode(0o600),
            &self.path,
        )?;
        self.len = file.metadata()?.len();
        self.file = Some(file);
        Ok(if self.len == 0 { Found::New } else { Found::Old })
    }

    /// Appends all of it, or nothing.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Err(error) = file.write_all(bytes) {
            // Half an entry is worse than none. If that fails, too, the next life cuts it.
            file.set_len(self.len).ok();
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Cuts what is behind `len`.
    pub(super) fn cut(&mut self, len: u64) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.set_len(len)?;
            self.len = len;
        }
        Ok(())
    }

    /// The first and the last so many bytes.
    pub(super) fn ends(&mut self, first: usize, last: u64) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let Some(file) = &mut self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut part = |from: u64, count: u64| -> io::Result<Vec<u8>> {
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            (&*file).take(count).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let head = part(0, first as u64)?;
        let tail = part(self.len.saturating_sub(last), last)?;
        Ok((head, tail))
    }

    /// Gives its name to a new file; of those set aside the latest `keep` stay.
    pub(super) fn set_aside(&mut self, keep: usize) -> io::Result<()> {
        self.file = None;
        self.len = 0;
        for number in (keep.max(1)..).take_while(|number| numbered(&self.path, *number).exists()) {
            fs::remove_file(numbered(&self.path, number))?;
        }
        if keep == 0 {
            return fs::remove_file(&self.path);
        }
        for number in (1..keep).rev() {
            match fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, numbered(&self.path, 1))
    }
}

/// `web1.log` set aside: `web1.log.1` is the latest.
pub(super) fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Opens an ordinary file of ours; a link, a FIFO or somebody else's is refused. One that others may read is closed to
/// them.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = options
        .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("it belongs to user {}", found.uid())));
    }
    if found.nlink() > 1 {
        return Err(io::Error::other("it has a second name"));
    }
    if found.mode() & OTHERS != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Opens a file of ours to read it, under the same conditions.
pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().read(true), path)
}

/// Removes files of sessions that are not open and were not written for so long.
pub(super) fn prune(directory: &Path, age: Option<Duration>, open: &[&str]) {
    let Some(oldest) = age.and_then(|age| SystemTime::now().checked_sub(age)) else {
        return;
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let Some((session, is_current)) = name.to_str().and_then(ours) else {
            continue;
        };
        let is_used = is_current && open.contains(&session);
        let is_old = entry
            .metadata()
            .is_ok_and(|found| found.is_file() && found.modified().is_ok_and(|modified| modified < oldest));
        if is_old && !is_used {
            match fs::remove_file(entry.path()) {
                Ok(()) => tracing::info!(file = ?name, "removed: too old"),
                Err(error) => tracing::warn!(file = ?name, %error, "an old file stays"),
            }
        }
    }
}

/// The session of a file's name, and whether it is the one that is written.
fn ours(name: &str) -> Option<(&str, bool)> {
    let (stem, is_current) = match name.rsplit_once('.') {
        Some((stem, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            (stem, false)
        }
        _ => (name, true),
    };
    let session = stem.strip_suffix(".log").or_else(|| stem.strip_suffix(".cast"))?;
    Some((session, is_current))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("logs/a.log");
        (state, path)
    }

    /// Files are private, whoever made them; what is no ordinary file of ours is refused and not changed.
    #[test]
    fn private_and_ordinary() {
        let (state, path) = place();
        let mut file = Appended::new(path.clone());
        assert_eq!(file.open().unwrap(), Found::New);
        file.append(b"one\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777,
            0o700
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let mut again = Appended::new(path.clone());
        assert_eq!(again.open().unwrap(), Found::Old);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let other = state.path().join("other");
        fs::write(&other, "theirs").unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        again.open().unwrap_err();
        fs::remove_file(&path).unwrap();
        fs::hard_link(&other, &path).unwrap();
        Appended::new(path.clone()).open().unwrap_err();
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        Appended::new(path.clone()).open().unwrap_err();
        fs::remove_file(&path).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "theirs");
        // Taken away: the next entry goes to a new file of the name.
        assert_eq!(file.open().unwrap(), Found::New);
        file.append(b"two\n").unwrap();
        assert_eq!(file.open().unwrap(), Found::Same);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    /// The latest files stay, in order.
    #[test]
    fn set_aside() {
        let (_state, path) = place();
        let mut file = Appended::new(path.clone());
        for number in 1..=5 {
            file.open().unwrap();
            file.append(format!("{number}").as_bytes()).unwrap();
            file.set_aside(2).unwrap();
        }
        assert_eq!(fs::read_to_string(numbered(&path, 1)).unwrap(), "5");
        assert_eq!(fs::read_to_string(numbered(&path, 2)).unwrap(), "4");
        assert!(!numbered(&path, 3).exists() && !path.exists());
        file.open().unwrap();
        file.set_aside(1).unwrap();
        assert!(!numbered(&path, 2).exists());
    }

    /// Only old files of sessions go.
    #[test]
    fn old_files_go() {
        let (_state, path) = place();
        let directory = path.parent().unwrap();
        fs::create_dir_all(directory).unwrap();
        let names = [
            "a.log",
            "a.cast",
            "a.log.1",
            "b.log",
            "b.cast.12",
            "notes.txt",
            "c.log.x",
        ];
        for name in names {
            let file = File::create(directory.join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(1000))
                .unwrap();
        }
        fs::write(directory.join("new.log"), "").unwrap();
        let left = || {
            let mut left: Vec<String> = fs::read_dir(directory)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            left.sort();
            left
        };
        prune(directory, None, &[]);
        prune(directory, Some(Duration::from_secs(2000)), &[]);
        assert_eq!(left().len(), names.len() + 1);
        prune(directory, Some(Duration::from_secs(500)), &["a"]);
        assert_eq!(left(), ["a.cast", "a.log", "c.log.x", "new.log", "notes.txt"]);
    }
}
