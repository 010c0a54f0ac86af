//! One command's output: raw bytes of both streams in the order they came, each at an offset that never changes.
//!
//! The newest part is in memory, older parts in a spool file, and past its limit the middle is dropped and counted.
//! Nothing here waits or knows a clock; the session that runs the command owns it and appends.

mod budget;
mod chunk;
mod drawn;
mod fit;
mod found;
mod grep;
mod journal;
mod kept;
mod record;
mod render;
mod spool;
mod view;

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

pub use budget::Budget;
use chunk::{Chunk, Place, Records};
use drawn::Drawn;
pub use fit::{prefix, settled_len};
pub use found::Found;
pub use grep::{LINE_CAP, grep};
pub use journal::Consumed;
use kept::Kept;
use spool::{NotWritten, Spool};
pub use view::{View, forward, tail, whole};

use crate::{id::shorten, terminal::clean::clean};

/// Raw bytes in one chunk: what is written, read and dropped at once, and indexed by one entry.
const CHUNK_BYTES: usize = 64 << 10;

/// Raw bytes at the end in which the last line is looked for: 200 characters with plenty of colour.
const LAST_LINE_WINDOW: u64 = 2 << 10;

/// Raw bytes at the end in which an unfinished character or escape sequence is looked for. Longer ones are not waited for.
const UNFINISHED_MAX: usize = 4 << 10;

/// Characters of the last line that are shown.
const LAST_LINE_CHARS: usize = 200;

/// Which of a command's two streams. A command that has the terminal, or whose streams cannot be told apart, has
/// `Stdout` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How much of one command's output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Bytes in memory; a chunk that is being filled comes on top.
    pub memory_bytes: usize,
    /// Bytes in the spool file: half for the beginning, half for the end.
    pub disk_bytes: u64,
}

impl Default for OutputLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 10,
            disk_bytes: 64 << 20,
        }
    }
}

/// Bytes of one stream that came one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whose they are.
    pub stream: StreamKind,
    /// Offset of the first.
    pub offset: u64,
    /// The bytes.
    pub data: Vec<u8>,
}

impl Piece {
    /// Offset behind the last byte.
    pub const fn end(&self) -> u64 {
        self.offset + self.data.len() as u64
    }
}

/// Bytes that can no longer be read, by why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// This output passed what is kept of one.
    pub own_limit: u64,
    /// All outputs together passed what is kept of them.
    pub budget: u64,
    /// The disk did not take them.
    pub disk: u64,
    /// Path and cause of the latest of those.
    pub disk_cause: String,
}

impl Losses {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.own_limit + self.budget + self.disk
    }
}

/// What a command wrote.
#[derive(Debug)]
pub struct Output {
    limits: OutputLimits,
    chunk_bytes: usize,
    /// By offset; those before `unspooled` are on disk. Where one does not begin at the end of the one before, what
    /// was between was dropped.
    chunks: VecDeque<Chunk>,
    unspooled: usize,
    memory: usize,
    open: Records,
    total: u64,
    stderr_total: u64,
    losses: Losses,
    last: StreamKind,
    drawn: Drawn,
    has_ended: bool,
    spool: Spool,
    /// It outlives the daemon: then this is in the place of the spool.
    kept: Option<Box<Kept>>,
}

impl Output {
    /// Nothing written yet. The spool file, and its directory, are made only when memory is not enough, and the file
    /// is deleted with this value.
    pub fn new(spool_file: PathBuf, limits: OutputLimits, budget: Arc<Budget>) -> Self {
        Self {
            limits,
            chunk_bytes: Self::chunk_bytes_of(limits),
            chunks: VecDeque::new(),
            unspooled: 0,
            memory: 0,
            open: Records::new(0),
            total: 0,
            stderr_total: 0,
            losses: Losses::default(),
            last: StreamKind::Stdout,
            drawn: Drawn::default(),
            has_ended: false,
            spool: Spool::new(spool_file, limits.disk_bytes, budget),
            kept: None,
        }
    }

    fn chunk_bytes_of(limits: OutputLimits) -> usize {
        let by_memory = limits.memory_bytes / 4;
        let by_disk = usize::try_from(limits.disk_bytes / 8).unwrap_or(CHUNK_BYTES);
        by_memory.min(by_disk).clamp(16, CHUNK_BYTES)
    }

    /// Takes the next bytes that came. Never fails: what can be kept nowhere is counted as dropped.
    pub fn append(&mut self, stream: StreamKind, mut bytes: &[u8]) {
        if self.kept.is_some() {
            self.append_kept(stream, bytes, None);
            return;
        }
        if bytes.is_empty() {
            return;
        }
        self.count(stream, bytes.len());
        while !bytes.is_empty() {
            let room = self.chunk_bytes.saturating_sub(self.open.cost()).max(1);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.open.push(stream, now);
            bytes = later;
            if self.open.cost() >= self.chunk_bytes {
                self.close_chunk();
            }
        }
    }

    const fn count(&mut self, stream: StreamKind, bytes: usize) {
        self.last = stream;
        self.total = self.total.saturating_add(bytes as u64);
        if matches!(stream, StreamKind::Stderr) {
            self.stderr_total = self.stderr_total.saturating_add(bytes as u64);
        }
    }

    /// Takes the next bytes of a command that has the terminal: what a full-screen program draws there is no text.
    pub fn append_terminal(&mut self, bytes: &[u8]) {
        self.drawn.feed(self.total, bytes);
        self.append(StreamKind::Stdout, bytes);
    }

    /// Nothing more comes from the command itself.
    pub const fn end(&mut self) {
        self.has_ended = true;
        self.drawn.end();
    }

    /// A full-screen program has the terminal now: what it draws is on the screen alone.
    pub const fn has_screen(&self) -> bool {
        self.drawn.is_open()
    }

    /// How much of it is kept.
    pub const fn limits(&self) -> OutputLimits {
        self.limits
    }

    /// Raw bytes taken so far, both streams: the next offset.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Offset up to which output is given out. While more may come this leaves a character or escape sequence that has only
    /// begun for later, with what came behind it: given in halves, neither half would be shown as what it is.
    pub fn settled(&self) -> u64 {
        if self.has_ended {
            return self.total;
        }
        let from = self.total.saturating_sub(UNFINISHED_MAX as u64);
        let from = from.max(self.contiguous_from());
        render::unfinished(&self.read(from, UNFINISHED_MAX)).unwrap_or(self.total)
    }

    /// Raw bytes of `stream` taken so far.
    pub const fn total_of(&self, stream: StreamKind) -> u64 {
        match stream {
            StreamKind::Stdout => self.total - self.stderr_total,
            StreamKind::Stderr => self.stderr_total,
        }
    }

    /// Raw bytes that can no longer be read.
    pub const fn dropped(&self) -> u64 {
        self.losses.total()
    }

    /// Why they cannot.
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Gives up what is on disk, so that others have room; the end that is in memory stays.
    pub fn drop_spooled(&mut self) {
        if self.kept.is_some() {
            self.drop_kept();
            return;
        }
        let spooled = self.chunks.drain(..self.unspooled.min(self.chunks.len()));
        self.losses.budget += spooled.map(|chunk| chunk.len).sum::<u64>();
        self.unspooled = 0;
        self.spool.clear();
    }

    /// Bytes that it takes on disk.
    pub fn disk_used(&self) -> u64 {
        self.kept.as_ref().map_or(self.spool.used(), |kept| kept.used())
    }

    /// Leaves the spool file where it is when this value goes.
    pub const fn keep(&mut self) {
        self.spool.keep();
    }

    /// The last line that is not blank, of the stream that wrote last: cleaned, at most 200 characters.
    pub fn last_line(&self) -> String {
        let text = self.last_words();
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
        shorten(line.unwrap_or_default(), LAST_LINE_CHARS - 1)
    }

    /// The last line of the stream that was written last, if it has not ended: what a prompt looks like.
    pub fn last_unfinished_line(&self) -> String {
        let text = self.last_words();
        if text.ends_with('\n') {
            return String::new();
        }
        shorten(text.lines().last().unwrap_or_default(), LAST_LINE_CHARS - 1)
    }

    fn last_words(&self) -> String {
        let from = self.total.saturating_sub(LAST_LINE_WINDOW);
        let mut bytes = Vec::new();
        for piece in self.read(from, usize::try_from(LAST_LINE_WINDOW).unwrap_or(usize::MAX)) {
            if piece.stream == self.last {
                for text in self.drawn.text(piece.offset, &piece.data) {
                    bytes.extend_from_slice(text);
                }
            }
        }
        clean(&bytes)
    }

    /// Reads at most `max_bytes` from offset `from` on, in order. Dropped bytes, and bytes that the disk does not give
    /// back, are passed over: the offsets of the pieces say so.
    pub fn read(&self, from: u64, max_bytes: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut room = max_bytes;
        let first = self.chunks.partition_point(|chunk| chunk.end() <= from);
        for chunk in self.chunks.range(first..) {
            if room == 0 {
                return pieces;
            }
            match &chunk.place {
                Place::Memory(records) => records.read(from, &mut room, &mut pieces),
                Place::Disk(place) => {
                    if let Ok(records) = self.spool.read(chunk.start, place) {
                        records.read(from, &mut room, &mut pieces);
                    }
                }
                Place::Journal(place) => {
                    let kept = self.kept.as_ref();
                    if let Some(Ok(records)) = kept.map(|kept| kept.read(chunk.start, place)) {
                        records.read(from, &mut room, &mut pieces);
                    }
                }
            }
        }
        self.open.read(from, &mut room, &mut pieces);
        pieces
    }

    /// The dropped range that begins at or behind `from`, or has `from` in it; none if everything from there on is
    /// kept.
    pub fn gap_from(&self, from: u64) -> Option<(u64, u64)> {
        let mut at = from;
        let first = self.chunks.partition_point(|chunk| chunk.end() <= from);
        for chunk in self.chunks.range(first..) {
            if chunk.start > at {
                return Some((at, chunk.start));
            }
            at = chunk.end();
        }
        let open = self.open.start();
        (open > at).then_some((at, open))
    }

    /// Where the last dropped range ends: everything from there on is kept. 0 if nothing was dropped.
    pub fn contiguous_from(&self) -> u64 {
        let mut at = self.open.start();
        for chunk in self.chunks.iter().rev() {
            if chunk.end() < at {
                break;
            }
            at = chunk.start;
        }
        at
    }

    fn close_chunk(&mut self) {
        let next = Records::new(self.open.end());
        let records = std::mem::replace(&mut self.open, next);
        self.memory += records.cost();
        self.chunks.push_back(Chunk {
            start: records.start(),
            len: records.len(),
            place: Place::Memory(records),
            journalled: None,
        });
        while self.memory > self.limits.memory_bytes {
            self.spill();
        }
    }

    /// Moves the oldest chunk in memory to disk, or drops one.
    fn spill(&mut self) {
        let Some(Chunk {
            place: Place::Memory(records),
            ..
        }) = self.chunks.get(self.unspooled)
        else {
            self.memory = 0;
            return;
        };
        if self.kept.is_some() {
            self.spill_kept();
            return;
        }
        let cost = records.cost();
        let written = self.spool.write(records);
        self.drop_overwritten();
        match written {
            Ok(place) => {
                if let Some(chunk) = self.chunks.get_mut(self.unspooled) {
                    chunk.place = Place::Disk(place);
                }
                self.unspooled += 1;
                self.memory = self.memory.saturating_sub(cost);
            }
            Err(NotWritten::NoBudget) => self.losses.budget += self.drop_from_memory(),
            Err(NotWritten::Failed(cause)) => {
                self.losses.disk_cause = cause;
                self.losses.disk += self.drop_from_memory();
            }
        }
    }

    /// The spool's ring has gone over its oldest chunks: they are gone.
    fn drop_overwritten(&mut self) {
        for _ in 0..self.spool.take_overwritten() {
            // The ring's chunks are the spooled ones behind the head's, oldest first.
            let at = self.spool.head_chunks();
            if let Some(chunk) = self.chunks.remove(at) {
                self.losses.own_limit += chunk.len;
                self.unspooled = self.unspooled.saturating_sub(1);
            }
        }
    }

    /// The disk takes nothing: the beginning (if it is still in memory, half of what memory may hold) and the end stay.
    /// How many bytes went comes back.
    fn drop_from_memory(&mut self) -> u64 {
        let mut at = self.unspooled;
        if self.unspooled == 0 {
            let mut held = 0;
            for chunk in &self.chunks {
                held += chunk.cost();
                if held > self.limits.memory_bytes / 2 {
                    break;
                }
                at += 1;
            }
            at = at.min(self.chunks.len().saturating_sub(1));
        }
        self.chunks.remove(at).map_or(0, |chunk| {
            self.memory = self.memory.saturating_sub(chunk.cost());
            chunk.len
        })
    }
}

#[cfg(test)]
mod tests;
