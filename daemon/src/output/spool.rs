//! The spool file of one command: chunks in a first half that stays and a second half that is a ring. Its index is in
//! memory alone; a file left behind by a crash is replaced, never read.

use std::{
    collections::VecDeque,
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::PathBuf,
    sync::Arc,
};

use super::{Budget, chunk::Records};

/// Where a chunk is in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct DiskPlace {
    at: u64,
    runs: usize,
    data: usize,
}

impl DiskPlace {
    const fn len(&self) -> u64 {
        self.runs as u64 * 4 + self.data as u64
    }

    const fn end(&self) -> u64 {
        self.at + self.len()
    }
}

/// Why a chunk is not on disk.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// All spool files together are as large as they may be.
    NoBudget,
    /// Path and cause, in words.
    Failed(String),
}

#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
    budget: Arc<Budget>,
    file: Option<File>,
    keep: bool,
    /// Where the ring begins.
    ring: u64,
    limit: u64,
    /// Where the next chunk goes.
    next: u64,
    used: u64,
    head_chunks: usize,
    /// The ring's chunks, oldest first.
    ring_chunks: VecDeque<DiskPlace>,
    overwritten: usize,
    buffer: Vec<u8>,
}

impl Spool {
    pub(super) const fn new(path: PathBuf, limit: u64, budget: Arc<Budget>) -> Self {
        Self {
            path,
            budget,
            file: None,
            keep: false,
            ring: limit / 2,
            limit,
            next: 0,
            used: 0,
            head_chunks: 0,
            ring_chunks: VecDeque::new(),
            overwritten: 0,
            buffer: Vec::new(),
        }
    }

    pub(super) const fn keep(&mut self) {
        self.keep = true;
    }

    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    /// Chunks in the half that stays.
    pub(super) const fn head_chunks(&self) -> usize {
        self.head_chunks
    }

    /// How many of the ring's oldest chunks are gone since this was last asked.
    pub(super) const fn take_overwritten(&mut self) -> usize {
        std::mem::replace(&mut self.overwritten, 0)
    }

    /// Writes a chunk behind the others, over the oldest of the ring if there is no room.
    pub(super) fn write(&mut self, records: &Records) -> Result<DiskPlace, NotWritten> {
        let (place, in_head) = self.place(records).map_err(|error| self.failed(&error))?;
        let more = place.end().saturating_sub(self.used);
        if more > 0 && !self.budget.take(more) {
            return Err(NotWritten::NoBudget);
        }
        if let Err(error) = self.write_at(records, place) {
            self.budget.give(more);
            return Err(self.failed(&error));
        }
        self.next = place.end();
        self.used = self.used.max(self.next);
        if in_head {
            self.head_chunks += 1;
        } else {
            self.ring_chunks.push_back(place);
        }
        Ok(place)
    }

    fn failed(&self, error: &io::Error) -> NotWritten {
        NotWritten::Failed(format!("cannot write {}: {error}", self.path.display()))
    }

    /// Where a chunk goes, and whether that is the half that stays. What was there is given up.
    fn place(&mut self, records: &Records) -> io::Result<(DiskPlace, bool)> {
        let mut place = DiskPlace {
            at: self.next,
            runs: records.runs().len(),
            data: records.data().len(),
        };
        let in_head = place.at < self.ring && place.end() <= self.ring && self.ring_chunks.is_empty();
        if !in_head {
            place.at = place.at.max(self.ring);
            if place.end() > self.limit {
                // What lies behind is older than what lies at the ring's beginning.
                while self
                    .ring_chunks
                    .front()
                    .is_some_and(|oldest| oldest.at >= place.at)
                {
                    self.ring_chunks.pop_front();
                    self.overwritten += 1;
                }
                place.at = self.ring;
                if place.end() > self.limit {
                    return Err(io::Error::other("the limit on disk is smaller than one chunk"));
                }
            }
            while self
                .ring_chunks
                .front()
                .is_some_and(|oldest| oldest.at < place.end() && place.at < oldest.end())
            {
                self.ring_chunks.pop_front();
                self.overwritten += 1;
            }
        }
        Ok((place, in_head))
    }

    fn write_at(&mut self, records: &Records, place: DiskPlace) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        for run in records.runs() {
            buffer.extend_from_slice(&run.to_le_bytes());
        }
        let file = self.file()?;
        file.write_all_at(&buffer, place.at)?;
        file.write_all_at(records.data(), place.at + buffer.len() as u64)?;
        self.buffer = buffer;
        Ok(())
    }

    /// Gives up all that is in the file, and the file.
    pub(super) fn clear(&mut self) {
        self.remove();
        self.next = 0;
        self.head_chunks = 0;
        self.ring_chunks.clear();
        self.overwritten = 0;
    }

    fn remove(&mut self) {
        self.budget.give(std::mem::take(&mut self.used));
        if self.file.take().is_some() && !self.keep {
            // Nothing can be done about a file that does not go; the state directory is swept at the next start.
            std::fs::remove_file(&self.path).ok();
        }
    }

    /// Reads a chunk back.
    pub(super) fn read(&self, start: u64, place: &DiskPlace) -> io::Result<Records> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let mut runs = vec![0; place.runs * 4];
        file.read_exact_at(&mut runs, place.at)?;
        let mut data = vec![0; place.data];
        file.read_exact_at(&mut data, place.at + runs.len() as u64)?;
        let runs = runs
            .chunks_exact(4)
            .map(|run| run.try_into().map_or(0, u32::from_le_bytes))
            .collect();
        Ok(Records::from_parts(start, runs, data))
    }

    fn file(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            if let Some(directory) = self.path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            }
            match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&self.path)?;
            self.file = Some(file);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.remove();
    }
}
