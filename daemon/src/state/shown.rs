//! The last of what a session's terminal showed, for a session that outlives the daemon: two files in turn, so that a
//! cursor means the same afterwards. What cannot be written is missing there and nowhere else.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Below the state's directory.
const DIRECTORY: &str = "shown";
/// A file that has so many bytes is full; the one before it is given up then.
const FILE_MAX: u64 = 512 << 10; // 512 KiB
/// Before each record: kind, length, position, checksum.
const HEADER: usize = 1 + 4 + 8 + 4;
const SHOWN: u8 = 1;
const WOVEN: u8 = 2;

/// Where a session's terminal is written.
#[derive(Debug)]
pub struct ShownLog {
    stem: PathBuf,
    file: Option<File>,
    /// Which of the two files is written.
    number: u8,
    len: u64,
    buffer: Vec<u8>,
}

/// What an earlier daemon wrote.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EarlierShown {
    /// Position of the first byte.
    pub start: u64,
    /// What was shown, without a gap.
    pub bytes: Vec<u8>,
    /// What of it belongs to commands: from, to; ascending.
    pub woven: Vec<(u64, u64)>,
}

impl EarlierShown {
    /// Position behind the last byte.
    pub const fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ShownLog {
    /// The files of the session of this name, and what is in them.
    pub(super) fn open(directory: &Path, name: &str) -> (Self, Option<EarlierShown>) {
        let stem = directory.join(DIRECTORY).join(name);
        let files = [0, 1].map(|number| read(&path(&stem, number)));
        let start = |file: &Option<(EarlierShown, u64)>| file.as_ref().map(|(shown, _)| shown.start);
        let [first, second] = files.each_ref().map(start);
        let number = u8::from(second > first);
        let [first, second] = files;
        let (older, newer) = if number == 1 {
            (first, second)
        } else {
            (second, first)
        };
        let len = newer.as_ref().map_or(0, |(_, len)| *len);
        let log = Self {
            stem,
            file: None,
            number,
            len,
            buffer: Vec::new(),
        };
        let both = older.into_iter().chain(newer).map(|(shown, _)| shown);
        (log, both.reduce(join))
    }

    /// The terminal showed this, from this position on.
    pub fn show(&mut self, at: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.put(SHOWN, at, bytes);
        }
    }

    /// What was shown from one position to another belongs to a command.
    pub fn weave(&mut self, from: u64, to: u64) {
        self.put(WOVEN, from, &to.to_le_bytes());
    }

    fn put(&mut self, kind: u8, at: u64, payload: &[u8]) {
        if self.len >= FILE_MAX {
            self.file = None;
            self.number = 1 - self.number;
            self.len = 0;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        record(kind, at, payload, &mut buffer);
        let written = self.opened().and_then(|file| file.write_all(&buffer));
        match written {
            Ok(()) => self.len = self.len.saturating_add(buffer.len() as u64),
            Err(error) => {
                tracing::debug!(path = %path(&self.stem, self.number).display(), %error, "what was shown is not kept");
                if let Some(file) = &self.file {
                    file.set_len(self.len).ok();
                }
            }
        }
        self.buffer = buffer;
    }

    fn opened(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            if let Some(directory) = self.stem.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            }
            let mut options = OpenOptions::new();
            let path = path(&self.stem, self.number);
            let file = options.append(true).create(true).mode(0o600).open(path)?;
            // Behind half a record nothing is read; of a file that is begun anew nothing stays.
            file.set_len(self.len)?;
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Removes what is there of the session of this name.
pub(super) fn remove(directory: &Path, name: &str) {
    let stem = directory.join(DIRECTORY).join(name);
    for number in [0, 1] {
        fs::remove_file(path(&stem, number)).ok();
    }
}

/// Removes what is there of sessions that are not known.
pub(super) fn sweep(directory: &Path, is_known: impl Fn(&str) -> bool) {
    let entries = fs::read_dir(directory.join(DIRECTORY)).into_iter().flatten();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let session = name.rsplit_once('.').map_or("", |(session, _)| session);
        if !is_known(session) {
            fs::remove_file(entry.path()).ok();
        }
    }
}

fn path(stem: &Path, number: u8) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(format!(".{number}"));
    path.into()
}

fn record(kind: u8, at: u64, payload: &[u8], buffer: &mut Vec<u8>) {
    let from = buffer.len();
    buffer.push(kind);
    buffer.extend(u32::try_from(payload.len()).unwrap_or(0).to_le_bytes());
    buffer.extend(at.to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(buffer.get(from..).unwrap_or_default());
    sum.update(payload);
    buffer.extend(sum.finalize().to_le_bytes());
    buffer.extend_from_slice(payload);
}

/// One record: kind, position, payload, and what comes behind it.
fn parse(bytes: &[u8]) -> Option<(u8, u64, &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let (fields, sum) = header.split_last_chunk::<4>()?;
    let (kind, behind) = fields.split_first()?;
    let (len, at) = behind.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    let (payload, rest) = rest.split_at_checked(len)?;
    let mut found = crc32fast::Hasher::new();
    found.update(fields);
    found.update(payload);
    let at = u64::from_le_bytes(*at.first_chunk::<8>()?);
    (found.finalize() == u32::from_le_bytes(*sum)).then_some((*kind, at, payload, rest))
}

/// What is in one file up to where it is damaged, behind the last gap, and where that is; none if nothing is.
fn read(path: &Path) -> Option<(EarlierShown, u64)> {
    let mut content = Vec::new();
    // More is none of ours: the last record begins before the file is full.
    let file = File::open(path).ok()?;
    file.take(FILE_MAX * 16).read_to_end(&mut content).ok()?;
    let mut rest = content.as_slice();
    let mut found: Option<EarlierShown> = None;
    let mut len = 0;
    while let Some((kind, at, payload, behind)) = parse(rest) {
        rest = behind;
        match kind {
            SHOWN => {
                let part = EarlierShown {
                    start: at,
                    bytes: payload.to_vec(),
                    woven: Vec::new(),
                };
                found = Some(match found {
                    Some(before) => join(before, part),
                    None => part,
                });
            }
            WOVEN => {
                if let (Some(found), Some(to)) = (&mut found, payload.first_chunk::<8>()) {
                    found.woven.push((at, u64::from_le_bytes(*to)));
                }
            }
            _ => break,
        }
        len = (content.len() - rest.len()) as u64;
    }
    found.map(|found| (found, len))
}

/// Both, if the later begins where the earlier ends; the later alone otherwise.
fn join(mut before: EarlierShown, mut after: EarlierShown) -> EarlierShown {
    if before.end() != after.start {
        return after;
    }
    before.bytes.append(&mut after.bytes);
    for (from, to) in after.woven {
        match before.woven.last_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ => before.woven.push((from, to)),
        }
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path) -> (ShownLog, Option<EarlierShown>) {
        ShownLog::open(directory, "s")
    }

    /// The end of what was shown is there again, however often the daemon dies, and wherever its last write was cut.
    #[test]
    fn there_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut at = 7;
        let mut all: Vec<u8> = Vec::new();
        for life in 0..6_u8 {
            let (mut log, earlier) = open(directory.path());
            let (start, shown) = earlier.map_or((at, Vec::new()), |earlier| (earlier.start, earlier.bytes));
            assert_eq!(start + shown.len() as u64, at, "life {life}");
            assert!(all.ends_with(&shown), "life {life}");
            assert!(
                shown.len() >= all.len().min(256 << 10),
                "life {life}: {}",
                shown.len()
            );
            for number in 0..200_u8 {
                let bytes = vec![number ^ life; 1000 + usize::from(number)];
                log.show(at, &bytes);
                at += bytes.len() as u64;
                all.extend(bytes);
            }
        }
        let (log, earlier) = open(directory.path());
        let newest = &path(&log.stem, log.number);
        let whole = fs::read(newest).expect("a file");
        fs::write(newest, whole.split_at(whole.len() - 5).0).expect("written");
        let (_, torn) = open(directory.path());
        let (whole, torn) = (earlier.expect("there"), torn.expect("there"));
        assert_eq!(torn.end(), at - 1199);
        assert!(whole.bytes.starts_with(&torn.bytes));
        sweep(directory.path(), |name| name == "s");
        assert!(open(directory.path()).1.is_some());
        sweep(directory.path(), |name| name == "t");
        assert_eq!(open(directory.path()).1, None);
    }

    /// Commands' parts are told apart; what is damaged ends what is read, and behind a gap it begins anew.
    #[test]
    fn woven_and_damaged() {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut log, earlier) = open(directory.path());
        assert_eq!(earlier, None);
        log.show(0, b"$ ");
        log.show(2, b"ls\n");
        log.weave(2, 5);
        log.show(5, b"a\n");
        log.weave(5, 7);
        log.show(7, b"$ ");
        let (_, earlier) = open(directory.path());
        let earlier = earlier.expect("there");
        assert_eq!(
            (earlier.start, earlier.bytes.as_slice()),
            (0, &b"$ ls\na\n$ "[..])
        );
        log.show(100, b"later");
        let (_, behind) = open(directory.path());
        assert_eq!(
            behind.map(|one| (one.start, one.bytes)),
            Some((100, b"later".to_vec()))
        );
        let file = path(&directory.path().join("shown/s"), 0);
        let whole = fs::read(&file).expect("a file");
        for bit in (0..whole.len() * 8).step_by(5) {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, damaged).expect("written");
            if let (_, Some(found)) = open(directory.path()) {
                let is_known = found.start == 100 && b"later".starts_with(&found.bytes)
                    || found.start < 9 && b"$ ls\na\n$ ".starts_with(&found.bytes);
                assert!(is_known, "bit {bit}: {found:?}");
            }
        }
    }
}
