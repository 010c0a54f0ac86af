//! The files of one output that outlives the daemon: every byte is written when it comes, with how far its source on the
//! host was taken by it, in files of which the first stays and the latest form a ring. What the words in it mean that
//! are no output is its owner's; nothing here waits or knows a clock.

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Budget, StreamKind,
    chunk::Records,
    record::{HEADER, Header, Kind},
    spool::NotWritten,
};

/// The smallest file of the ring.
const SEGMENT_MIN: u64 = 64 << 10; // 64 KiB

/// How far a stream on the host was taken: behind the last byte of it that is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consumed {
    /// Which of the host's streams, in its owner's own numbering.
    pub source: u8,
    /// Which of the stream's files there.
    pub segment: u32,
    /// Bytes from that file's beginning.
    pub offset: u64,
}

/// Where a chunk is: whole records of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JournalPlace {
    pub(super) segment: u32,
    pub(super) from: u64,
    pub(super) to: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) len: u64,
    /// Bytes of it that count as output on disk.
    pub(super) charged: u64,
}

#[derive(Debug)]
pub(super) struct Journal {
    /// The files' path without the number behind it.
    stem: PathBuf,
    budget: Arc<Budget>,
    limit: u64,
    pub(super) segments: VecDeque<Segment>,
    /// The file that is written, the last of them, once it is open.
    file: Option<File>,
    /// The last is full: the next record begins another.
    is_full: bool,
    next: u32,
    /// Its owner's own words: what stays the same, and what changes.
    pub(super) head: Vec<u8>,
    pub(super) meta: Vec<u8>,
    is_meta_due: bool,
    pub(super) consumed: Vec<Consumed>,
    /// Bytes of both streams, and of stderr, that came so far, as far as they count here.
    pub(super) totals: (u64, u64),
    /// Files of the ring that went since this was last asked.
    removed: Vec<u32>,
    problem: Option<String>,
    is_discarded: bool,
    buffer: Vec<u8>,
}

impl Journal {
    pub(super) fn new(stem: PathBuf, limit: u64, budget: Arc<Budget>, head: Vec<u8>) -> Self {
        Self {
            stem,
            budget,
            limit,
            segments: VecDeque::new(),
            file: None,
            is_full: false,
            next: 1,
            head,
            meta: Vec::new(),
            is_meta_due: false,
            consumed: Vec::new(),
            totals: (0, 0),
            removed: Vec::new(),
            problem: None,
            is_discarded: false,
            buffer: Vec::new(),
        }
    }

    /// Goes on where these files end.
    pub(super) fn resume(&mut self, segments: Vec<Segment>) {
        let charged = segments.iter().map(|segment| segment.charged).sum();
        self.budget.charge(charged);
        self.next = segments.last().map_or(1, |last| last.number.saturating_add(1));
        self.segments = segments.into();
        if let Some(last) = self.segments.back() {
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .open(self.path(last.number));
            // What comes behind a torn record is none. It is opened again if anything more comes: most have ended.
            let _ = opened.and_then(|file| file.set_len(last.len));
        }
    }

    pub(super) fn path(&self, number: u32) -> PathBuf {
        segment_path(&self.stem, number)
    }

    /// Bytes of output on disk.
    pub(super) fn used(&self) -> u64 {
        self.segments.iter().map(|segment| segment.charged).sum()
    }

    /// Why it cannot be written now.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// How far each source was taken, the last record's included.
    pub(super) fn note_consumed(&mut self, consumed: Consumed) {
        match self
            .consumed
            .iter_mut()
            .find(|known| known.source == consumed.source)
        {
            Some(known) => *known = (*known).max(consumed),
            None => self.consumed.push(consumed),
        }
    }

    /// Its owner's words that change. Written now, or before the next record.
    pub(super) fn set_meta(&mut self, meta: Vec<u8>) {
        self.meta = meta;
        self.is_meta_due = true;
        let _written_later = self.begin().and_then(|()| self.write_meta());
    }

    /// Something was not written: whether it can be now is seen by writing its owner's words again.
    pub(super) fn retry(&mut self) {
        if self.problem.is_some() {
            self.is_meta_due = true;
            let _told = self.begin().and_then(|()| self.write_meta());
        }
    }

    /// How far a source was taken by what is no output, or was written before.
    pub(super) fn write_position(&mut self, consumed: Consumed, more: bool) -> Result<(), NotWritten> {
        self.begin()?;
        let header = Header::new(Kind::Position, self.totals.0).from(Some(consumed));
        self.put(header.more(more), &[], false)?;
        self.note_consumed(consumed);
        Ok(())
    }

    /// Writes output that begins at an offset. What has `more` behind it counts only together with that.
    pub(super) fn write(
        &mut self,
        stream: StreamKind,
        at: u64,
        bytes: &[u8],
        consumed: Option<Consumed>,
        more: bool,
    ) -> Result<JournalPlace, NotWritten> {
        self.begin()?;
        self.write_meta()?;
        let charge = (HEADER + bytes.len()) as u64;
        if !self.budget.take(charge) {
            return Err(NotWritten::NoBudget);
        }
        let header = Header::new(Kind::of(stream), at).from(consumed).more(more);
        let place = match self.put(header, bytes, true) {
            Ok(place) => place,
            Err(error) => {
                self.budget.give(charge);
                return Err(error);
            }
        };
        if let Some(consumed) = consumed {
            self.note_consumed(consumed);
        }
        Ok(place)
    }

    fn write_meta(&mut self) -> Result<(), NotWritten> {
        if !self.is_meta_due {
            return Ok(());
        }
        let meta = std::mem::take(&mut self.meta);
        let written = self.put(self.meta_header(), &meta, false);
        self.meta = meta;
        self.is_meta_due = written.is_err();
        written.map(drop)
    }

    /// The totals stand where other records have their source.
    fn meta_header(&self) -> Header {
        let (total, stderr) = self.totals;
        Header::new(Kind::Meta, total).from(Some(Consumed {
            source: 0,
            segment: 0,
            offset: stderr,
        }))
    }

    /// One record behind the others, whole or not at all.
    fn put(&mut self, header: Header, payload: &[u8], is_charged: bool) -> Result<JournalPlace, NotWritten> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        header.write(payload, &mut buffer);
        let size = buffer.len() as u64;
        let outcome = match (self.segments.back_mut(), &self.file) {
            (Some(last), Some(file)) => match file.write_all_at(&buffer, last.len) {
                Ok(()) => {
                    let from = last.len;
                    last.len += size;
                    if is_charged {
                        last.charged += size;
                    }
                    Ok(JournalPlace {
                        segment: last.number,
                        from,
                        to: last.len,
                    })
                }
                Err(error) => {
                    // What was written of it takes room that others may need.
                    file.set_len(last.len).ok();
                    Err(error)
                }
            },
            (None, _) | (_, None) => Err(io::ErrorKind::NotFound.into()),
        };
        self.buffer = buffer;
        match outcome {
            Ok(place) => {
                self.problem = None;
                Ok(place)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&mut self, error: &io::Error) -> NotWritten {
        let number = self.segments.back().map_or(self.next, |last| last.number);
        let cause = format!("cannot write {}: {error}", self.path(number).display());
        self.problem = Some(cause.clone());
        NotWritten::Failed(cause)
    }

    /// Makes sure that there is a file to write to.
    pub(super) fn begin(&mut self) -> Result<(), NotWritten> {
        if self.is_discarded {
            return Err(NotWritten::Failed("the command is not kept any more".into()));
        }
        if self.file.is_some() {
            return Ok(());
        }
        if let Some(last) = self.segments.back().filter(|_| !self.is_full) {
            let opened = OpenOptions::new().write(true).open(self.path(last.number));
            // What comes behind a torn record is none.
            let opened = opened.and_then(|file| file.set_len(last.len).map(|()| file));
            self.file = Some(opened.map_err(|error| self.failed(&error))?);
            return Ok(());
        }
        let number = self.next;
        let path = self.path(number);
        let file = self.create(&path).map_err(|error| self.failed(&error))?;
        let is_first = self.segments.is_empty();
        let was_full = std::mem::replace(&mut self.is_full, false);
        self.file = Some(file);
        self.segments.push_back(Segment {
            number,
            len: 0,
            charged: 0,
        });
        self.next = number.saturating_add(1);
        let written = self.write_beginning(is_first);
        if written.is_err() {
            // It would be no beginning.
            self.file = None;
            self.segments.pop_back();
            self.is_full = was_full;
            self.next = number;
            fs::remove_file(path).ok();
        }
        written
    }

    fn write_beginning(&mut self, is_first: bool) -> Result<(), NotWritten> {
        if is_first {
            let head = std::mem::take(&mut self.head);
            let written = self.put(Header::new(Kind::Head, self.totals.0), &head, false);
            self.head = head;
            written?;
        }
        self.is_meta_due = true;
        self.write_meta()?;
        for consumed in self.consumed.clone() {
            let header = Header::new(Kind::Position, self.totals.0).from(Some(consumed));
            self.put(header, &[], false)?;
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600);
        options.open(path)
    }

    /// Little comes from now on: no file need be open for that.
    pub(super) fn rest(&mut self) {
        self.file = None;
    }

    /// A chunk is closed: where its file is full, the next one begins another.
    pub(super) fn close_chunk(&mut self) {
        let ring = self.limit / 2;
        let segment = (self.limit / 16).max(SEGMENT_MIN);
        let is_full = |last: &Segment| {
            let most = if self.segments.len() == 1 {
                self.limit - ring
            } else {
                segment
            };
            last.len >= most
        };
        if !self.segments.back().is_some_and(is_full) {
            return;
        }
        self.file = None;
        self.is_full = true;
        let mut kept: u64 = self.segments.iter().skip(1).map(|segment| segment.len).sum();
        while kept.saturating_add(segment) > ring {
            let Some(oldest) = self.segments.remove(1) else {
                return;
            };
            kept = kept.saturating_sub(oldest.len);
            self.budget.give(oldest.charged);
            // Nothing can be done about a file that does not go; it is not read again.
            fs::remove_file(self.path(oldest.number)).ok();
            self.removed.push(oldest.number);
        }
    }

    /// Files of the ring that went since this was last asked.
    pub(super) fn take_removed(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.removed)
    }

    /// Reads a chunk back.
    pub(super) fn read(&self, start: u64, place: &JournalPlace) -> io::Result<Records> {
        let file = File::open(self.path(place.segment))?;
        let size = usize::try_from(place.to - place.from).map_err(io::Error::other)?;
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, place.from)?;
        let mut records = Records::new(start);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let damaged = || io::Error::from(io::ErrorKind::InvalidData);
            let (header, behind) = Header::read(rest).ok_or_else(damaged)?;
            let payload = behind.get(..header.len()).ok_or_else(damaged)?;
            if !header.is_of(payload) {
                return Err(damaged());
            }
            if let Some(stream) = header.stream() {
                if header.at != records.end() {
                    return Err(damaged());
                }
                records.push(stream, payload);
            }
            rest = behind.get(header.len()..).unwrap_or_default();
        }
        Ok(records)
    }

    /// Gives up all output that is on disk. What its owner said stays.
    pub(super) fn clear(&mut self) {
        self.remove_files();
        let _later = self.begin();
    }

    /// Removes everything, for good.
    pub(super) fn discard(&mut self) {
        self.remove_files();
        self.is_discarded = true;
    }

    fn remove_files(&mut self) {
        self.file = None;
        self.is_full = false;
        for segment in std::mem::take(&mut self.segments) {
            self.budget.give(segment.charged);
            fs::remove_file(self.path(segment.number)).ok();
        }
    }
}

/// `STEM.NUMBER`.
pub(super) fn segment_path(stem: &Path, number: u32) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(format!(".{number}"));
    path.into()
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.budget.give(self.used());
    }
}
