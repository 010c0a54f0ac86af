//! A stretch of output small enough to be written, read and dropped at once: bytes, and whose they are in which order.

use super::{Piece, StreamKind};
use crate::output::{journal::JournalPlace, spool::DiskPlace};

/// Bytes that one run costs beside its data.
const RUN_BYTES: usize = 4;

/// Marks a run of stderr; the rest of the number is its length.
const STDERR: u32 = 1 << 31;

/// A closed stretch, wherever it is.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) start: u64,
    /// Raw bytes.
    pub(super) len: u64,
    pub(super) place: Place,
    /// Where it is on disk as well, or alone, in an output that outlives the daemon.
    pub(super) journalled: Option<JournalPlace>,
}

#[derive(Debug)]
pub(super) enum Place {
    Memory(Records),
    Disk(DiskPlace),
    Journal(JournalPlace),
}

impl Chunk {
    /// Offset behind the last byte.
    pub(super) const fn end(&self) -> u64 {
        self.start + self.len
    }

    /// Bytes in memory.
    pub(super) fn cost(&self) -> usize {
        match &self.place {
            Place::Memory(records) => records.cost(),
            Place::Disk(_) | Place::Journal(_) => 0,
        }
    }
}

/// Bytes of both streams in order of arrival, neighbours of one stream as one run.
#[derive(Debug)]
pub(super) struct Records {
    start: u64,
    runs: Vec<u32>,
    data: Vec<u8>,
}

impl Records {
    pub(super) const fn new(start: u64) -> Self {
        Self {
            start,
            runs: Vec::new(),
            data: Vec::new(),
        }
    }

    pub(super) const fn from_parts(start: u64, runs: Vec<u32>, data: Vec<u8>) -> Self {
        Self { start, runs, data }
    }

    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    pub(super) const fn len(&self) -> u64 {
        self.data.len() as u64
    }

    pub(super) const fn end(&self) -> u64 {
        self.start + self.len()
    }

    pub(super) fn runs(&self) -> &[u32] {
        &self.runs
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Bytes that this takes in memory and on disk.
    pub(super) const fn cost(&self) -> usize {
        self.data.len() + self.runs.len() * RUN_BYTES
    }

    /// Appends at most a chunk's worth of bytes, which is far less than a run can count.
    pub(super) fn push(&mut self, stream: StreamKind, bytes: &[u8]) {
        let tag = match stream {
            StreamKind::Stdout => 0,
            StreamKind::Stderr => STDERR,
        };
        let len = u32::try_from(bytes.len()).unwrap_or(0) & !STDERR;
        match self.runs.last_mut() {
            Some(run) if *run & STDERR == tag => *run += len,
            _ => self.runs.push(tag | len),
        }
        self.data.extend_from_slice(bytes);
    }

    /// Adds what is at `from` and behind to `pieces`, as far as there is `room`.
    pub(super) fn read(&self, from: u64, room: &mut usize, pieces: &mut Vec<Piece>) {
        let mut start = 0_usize;
        for run in &self.runs {
            let stream = if run & STDERR == 0 {
                StreamKind::Stdout
            } else {
                StreamKind::Stderr
            };
            let end = start.saturating_add((run & !STDERR) as usize);
            let skip = from.saturating_sub(self.start + start as u64);
            let begin = start.saturating_add(usize::try_from(skip).unwrap_or(usize::MAX));
            start = end;
            if begin >= end {
                continue;
            }
            if *room == 0 {
                return;
            }
            let stop = end.min(begin.saturating_add(*room));
            let Some(bytes) = self.data.get(begin..stop) else {
                // A spool that something else has written to.
                return;
            };
            *room -= bytes.len();
            let offset = self.start + begin as u64;
            match pieces.last_mut() {
                Some(last) if last.stream == stream && last.end() == offset => {
                    last.data.extend_from_slice(bytes);
                }
                _ => pieces.push(Piece {
                    stream,
                    offset,
                    data: bytes.to_vec(),
                }),
            }
        }
    }
}
