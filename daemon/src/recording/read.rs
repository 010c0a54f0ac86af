//! Reads a transcript back: its last lines, over files set aside, and what is written behind them. Bounded.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use super::file::{numbered, open_to_read};

/// Largest text of one answer.
const TEXT_MAX: u64 = 8 << 20; // 8 MiB
/// Read at once.
const BLOCK: u64 = 64 << 10; // 64 KiB
/// Files set aside that are looked into at most.
const FILES_MAX: usize = 1000;

/// The end of a transcript.
#[derive(Debug)]
pub struct Tail {
    /// The lines.
    pub text: String,
    /// Reads on behind them.
    pub follower: Follower,
}

/// Reads what is written to a transcript from some place on.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    file: File,
    at: u64,
}

/// The last so many lines of the transcript at this path, and none before its last `most` bytes.
pub(super) fn tail(path: &Path, lines: usize, most: u64) -> io::Result<Tail> {
    let most = most.min(TEXT_MAX);
    let file = open_to_read(path)?;
    let at = file.metadata()?.len();
    let mut bytes = end(&file, at, lines, most)?;
    let mut number = 1;
    while count(&bytes) < lines && (bytes.len() as u64) < most && number < FILES_MAX {
        let earlier = match open_to_read(&numbered(path, number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            earlier => earlier?,
        };
        let left = most - bytes.len() as u64;
        let mut before = end(&earlier, earlier.metadata()?.len(), lines - count(&bytes), left)?;
        before.append(&mut bytes);
        bytes = before;
        number += 1;
    }
    let text = String::from_utf8_lossy(&bytes);
    let surplus = text.lines().count().saturating_sub(lines);
    let from: usize = text.split_inclusive('\n').take(surplus).map(str::len).sum();
    Ok(Tail {
        text: text.get(from..).unwrap_or_default().to_owned(),
        follower: Follower {
            path: path.to_owned(),
            file,
            at,
        },
    })
}

/// Lines that begin in these bytes, which begin within a line.
fn count(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

/// The last bytes before `end` that have so many line ends, or a few more; at most so many bytes.
fn end(file: &File, end: u64, lines: usize, most: u64) -> io::Result<Vec<u8>> {
    let mut from = end;
    let first = end.saturating_sub(most);
    let mut found = 0;
    let mut blocks = Vec::new();
    // One more than the lines: what is before it belongs to the line above them.
    while from > first && found <= lines {
        let length = BLOCK.min(from - first);
        from -= length;
        let mut block = vec![0; usize::try_from(length).unwrap_or_default()];
        file.read_exact_at(&mut block, from)?;
        found += count(&block);
        blocks.push(block);
    }
    blocks.reverse();
    Ok(blocks.concat())
}

impl Follower {
    /// The next bytes; none if there are no more for now.
    pub fn more(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let mut block = vec![0; usize::try_from(BLOCK).unwrap_or_default()];
            let length = self.file.read_at(&mut block, self.at)?;
            if length > 0 {
                block.truncate(length);
                self.at += length as u64;
                return Ok(block);
            }
            // All of this one is read: is there another of its name?
            let (ours, named) = (self.file.metadata()?, fs::symlink_metadata(&self.path));
            let is_other = named.is_ok_and(|named| (named.dev(), named.ino()) != (ours.dev(), ours.ino()));
            if !is_other {
                return Ok(Vec::new());
            }
            self.file = open_to_read(&self.path)?;
            self.at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _};

    use super::*;

    fn write(path: &Path, text: &str) {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// The last lines come from as many files as it takes, and reading goes on over a file set aside.
    #[test]
    fn over_files() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.log");
        write(&numbered(&path, 2), "0\n");
        write(&numbered(&path, 1), "1\n2\n3\n");
        write(&path, "4\n5");
        for (lines, text) in [
            (0, ""),
            (1, "5"),
            (2, "4\n5"),
            (4, "2\n3\n4\n5"),
            (6, "0\n1\n2\n3\n4\n5"),
            (100, "0\n1\n2\n3\n4\n5"),
        ] {
            assert_eq!(tail(&path, lines, u64::MAX).unwrap().text, text);
        }
        let mut follower = tail(&path, 1, u64::MAX).unwrap().follower;
        assert_eq!(follower.more().unwrap(), b"");
        write(&path, " more\n");
        fs::rename(&path, numbered(&path, 3)).unwrap();
        write(&path, "6\n");
        assert_eq!(follower.more().unwrap(), b" more\n");
        assert_eq!(follower.more().unwrap(), b"6\n");
        assert_eq!(follower.more().unwrap(), b"");
        assert!(tail(&place.path().join("b.log"), 1, u64::MAX).is_err());
    }

    /// What is before the last so many bytes is somebody else's, over files too.
    #[test]
    fn within_its_own() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.log");
        write(&numbered(&path, 2), "other 0\n");
        write(&numbered(&path, 1), "other 1\nours 2\nours 3\n");
        write(&path, "ours 4\nours 5\n");
        let told = |most| tail(&path, 100, most).unwrap().text;
        assert_eq!(told(28), "ours 2\nours 3\nours 4\nours 5\n");
        assert_eq!(told(14), "ours 4\nours 5\n");
        assert_eq!(told(0), "");
        assert_eq!(tail(&path, 1, 28).unwrap().text, "ours 5\n");
    }

    /// Of a large file the end alone is read.
    #[test]
    fn large() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.log");
        let text: String = (0..400_000)
            .map(|number| format!("line {number} of many\n"))
            .collect();
        write(&path, &text);
        let found = tail(&path, 10_000, u64::MAX).unwrap().text;
        assert_eq!(found.lines().count(), 10_000);
        assert!(text.ends_with(&found));
        assert!(tail(&path, usize::MAX, u64::MAX).unwrap().text.len() as u64 <= TEXT_MAX);
    }
}
