//! An output that outlives the daemon: each byte is in the journal before it is told, memory has the latest as well. What
//! the disk does not take stays in memory as long as it may, and is written when there is room.

use std::{collections::VecDeque, io, path::PathBuf, sync::Arc};

use super::{
    Budget, Consumed, Output, OutputLimits, StreamKind,
    chunk::{Chunk, Place, Records},
    journal::{Journal, JournalPlace},
    spool::NotWritten,
};

/// The journal, and what of it belongs to the chunk that is being filled.
#[derive(Debug)]
pub(super) struct Kept {
    journal: Journal,
    open: Open,
    /// Chunks in memory that are not in the journal.
    behind: usize,
    /// Why they are not.
    cause: Option<NotWritten>,
    /// How far each source was taken by what is in memory.
    latest: Vec<Consumed>,
    /// All is on disk, but for that.
    is_uncommitted: bool,
}

/// Where the chunk that is being filled is.
#[derive(Clone, Copy, Debug)]
enum Open {
    Empty,
    Journalled(JournalPlace),
    /// In memory alone.
    Memory,
}

impl Kept {
    fn new(journal: Journal) -> Self {
        Self {
            journal,
            open: Open::Empty,
            behind: 0,
            cause: None,
            latest: Vec::new(),
            is_uncommitted: false,
        }
    }

    /// What was written late counts from here on: all of it with the last position alone.
    fn commit(&mut self, totals: (u64, u64)) {
        let last = self.latest.len().saturating_sub(1);
        let positions = self.latest.iter().enumerate();
        for (number, consumed) in positions {
            if let Err(cause) = self.journal.write_position(*consumed, number < last) {
                self.cause = Some(cause);
                self.is_uncommitted = true;
                return;
            }
        }
        self.is_uncommitted = false;
        self.latest.clear();
        self.journal.totals = totals;
        self.journal.close_chunk();
    }

    fn note(&mut self, consumed: Consumed) {
        self.latest.retain(|known| known.source != consumed.source);
        self.latest.push(consumed);
    }

    pub(super) fn used(&self) -> u64 {
        self.journal.used()
    }

    pub(super) fn read(&self, start: u64, place: &JournalPlace) -> io::Result<Records> {
        self.journal.read(start, place)
    }
}

impl Output {
    /// From now on it is written to files `STEM.1`, `STEM.2`, … and outlives the daemon. `head` are its owner's words
    /// that never change. Only before anything was written.
    pub fn keep_as(&mut self, stem: PathBuf, budget: Arc<Budget>, head: Vec<u8>) {
        if self.total > 0 || self.kept.is_some() {
            return;
        }
        let mut journal = Journal::new(stem, self.limits.disk_bytes, budget, head);
        let _later = journal.begin();
        self.kept = Some(Box::new(Kept::new(journal)));
    }

    /// As it was found.
    pub(super) fn kept(
        journal: Journal,
        limits: OutputLimits,
        chunks: VecDeque<Chunk>,
        last: StreamKind,
    ) -> Self {
        let (total, stderr_total) = journal.totals;
        let mut output = Self::new(PathBuf::new(), limits, Arc::new(Budget::new(0)));
        output.unspooled = chunks.len();
        output.chunks = chunks;
        output.open = Records::new(total);
        output.total = total;
        output.stderr_total = stderr_total;
        output.last = last;
        output.kept = Some(Box::new(Kept::new(journal)));
        output
    }

    /// It outlives the daemon.
    pub const fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Why it cannot be written now, with the path.
    pub fn journal_problem(&self) -> Option<&str> {
        let kept = self.kept.as_ref()?;
        match &kept.cause {
            // Smaller things may have found room since.
            Some(NotWritten::Failed(cause)) => Some(cause),
            Some(NotWritten::NoBudget) | None => kept.journal.problem(),
        }
    }

    /// Takes the next bytes that came, and how far they take their source.
    pub fn append_from(&mut self, stream: StreamKind, bytes: &[u8], consumed: Consumed) {
        if self.kept.is_some() {
            self.append_kept(stream, bytes, Some(consumed));
        } else {
            self.append(stream, bytes);
        }
    }

    /// The same of a command that has the terminal.
    pub fn append_terminal_from(&mut self, bytes: &[u8], consumed: Consumed) {
        self.drawn.feed(self.total, bytes);
        self.append_from(StreamKind::Stdout, bytes, consumed);
    }

    /// Its source was taken further, by what is no output.
    pub fn consumed(&mut self, consumed: Consumed) {
        self.append_kept(StreamKind::Stdout, &[], Some(consumed));
    }

    /// How far its sources were taken, as far as that is on disk.
    pub fn positions(&self) -> Vec<Consumed> {
        let kept = self.kept.as_ref();
        kept.map_or_else(Vec::new, |kept| kept.journal.consumed.clone())
    }

    /// Its owner's words that change.
    pub fn set_meta(&mut self, meta: Vec<u8>) {
        if let Some(kept) = &mut self.kept {
            kept.journal.set_meta(meta);
        }
    }

    /// Writes what the disk did not take, if it does by now.
    pub fn retry(&mut self) {
        self.catch_up();
        if let Some(kept) = &mut self.kept {
            kept.journal.retry();
        }
    }

    /// Little comes from now on: no file is held open for that.
    pub fn rest(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.journal.rest();
        }
    }

    /// Removes its files: it ends with the daemon after all, or nobody can ask for it any more.
    pub fn discard(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.journal.discard();
        }
    }

    pub(super) fn append_kept(&mut self, stream: StreamKind, bytes: &[u8], consumed: Option<Consumed>) {
        self.catch_up();
        let at = self.total;
        let Some(kept) = &mut self.kept else { return };
        if let Some(consumed) = consumed {
            kept.note(consumed);
        }
        if bytes.is_empty() {
            if let Some(consumed) = consumed.filter(|_| kept.cause.is_none()) {
                // Where that fails, the source is read again from an earlier place, and gives the same again.
                let _read_again = kept.journal.write_position(consumed, false);
            }
            return;
        }
        // Never out of order: while something earlier is not there, nothing later is.
        let written = match kept.cause.take() {
            Some(cause) => Err(cause),
            None => kept.journal.write(stream, at, bytes, consumed, false),
        };
        match written {
            Ok(place) => {
                kept.open = match kept.open {
                    Open::Journalled(open) => Open::Journalled(JournalPlace { to: place.to, ..open }),
                    Open::Empty | Open::Memory => Open::Journalled(place),
                };
            }
            Err(cause) => {
                if matches!(kept.open, Open::Journalled(_)) {
                    // What is on disk is a chunk of its own.
                    self.close_kept();
                }
                if let Some(kept) = &mut self.kept {
                    kept.open = Open::Memory;
                    kept.cause = Some(cause);
                }
            }
        }
        self.open.push(stream, bytes);
        self.count(stream, bytes.len());
        if let Some(kept) = &mut self.kept
            && matches!(kept.open, Open::Journalled(_))
        {
            kept.journal.totals = (self.total, self.stderr_total);
        }
        if self.open.cost() >= self.chunk_bytes {
            self.close_kept();
        }
    }

    /// Writes what is in memory alone, if there is room by now.
    fn catch_up(&mut self) {
        let Some(kept) = &self.kept else { return };
        if kept.behind == 0 && !kept.is_uncommitted && !matches!(kept.open, Open::Memory) {
            return;
        }
        if matches!(kept.open, Open::Memory) {
            self.close_kept();
        }
        let Some(kept) = &mut self.kept else { return };
        // Their source may be read again from before them: they count only with what takes it further.
        let more = !kept.journal.consumed.is_empty();
        kept.cause = None;
        for chunk in self.chunks.range_mut(self.unspooled..) {
            let Place::Memory(records) = &chunk.place else {
                continue;
            };
            if chunk.journalled.is_some() {
                continue;
            }
            match write_all(&mut kept.journal, records, more) {
                Ok(place) => {
                    chunk.journalled = place;
                    kept.behind = kept.behind.saturating_sub(1);
                }
                Err(cause) => {
                    kept.cause = Some(cause);
                    break;
                }
            }
        }
        if kept.cause.is_none() {
            kept.behind = 0;
            kept.commit((self.total, self.stderr_total));
        }
        self.drop_removed();
    }

    /// Closes the chunk that is being filled.
    fn close_kept(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        let journalled = match std::mem::replace(&mut kept.open, Open::Empty) {
            Open::Empty => None,
            Open::Journalled(place) => Some(place),
            Open::Memory => {
                kept.behind += 1;
                None
            }
        };
        kept.journal.close_chunk();
        let next = Records::new(self.open.end());
        let records = std::mem::replace(&mut self.open, next);
        self.memory += records.cost();
        self.chunks.push_back(Chunk {
            start: records.start(),
            len: records.len(),
            place: Place::Memory(records),
            journalled,
        });
        self.drop_removed();
        while self.memory > self.limits.memory_bytes {
            self.spill();
        }
    }

    /// The oldest chunk in memory is on disk already, or goes.
    pub(super) fn spill_kept(&mut self) {
        let Some(chunk) = self.chunks.get_mut(self.unspooled) else {
            return;
        };
        if let Some(place) = chunk.journalled {
            self.memory = self.memory.saturating_sub(chunk.cost());
            chunk.place = Place::Journal(place);
            self.unspooled += 1;
            return;
        }
        let lost = self.drop_from_memory();
        let Some(kept) = &mut self.kept else { return };
        kept.behind = kept.behind.saturating_sub(1);
        match &kept.cause {
            Some(NotWritten::Failed(cause)) => {
                self.losses.disk_cause.clone_from(cause);
                self.losses.disk += lost;
            }
            Some(NotWritten::NoBudget) | None => self.losses.budget += lost,
        }
    }

    /// The oldest files of the ring are gone, and with them their chunks.
    fn drop_removed(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        for number in kept.journal.take_removed() {
            let is_of = |chunk: &Chunk| chunk.journalled.is_some_and(|place| place.segment == number);
            let first = self.chunks.iter().position(is_of).unwrap_or(self.chunks.len());
            while let Some(chunk) = self.chunks.get(first).filter(|chunk| is_of(chunk)) {
                self.losses.own_limit += chunk.len;
                self.memory = self.memory.saturating_sub(chunk.cost());
                if first < self.unspooled {
                    self.unspooled -= 1;
                }
                self.chunks.remove(first);
            }
        }
    }

    /// Gives up what is on disk; what is in memory stays.
    pub(super) fn drop_kept(&mut self) {
        let spooled = self.chunks.drain(..self.unspooled.min(self.chunks.len()));
        self.losses.budget += spooled.map(|chunk| chunk.len).sum::<u64>();
        self.unspooled = 0;
        for chunk in &mut self.chunks {
            chunk.journalled = None;
        }
        let behind = self.chunks.len();
        if let Some(kept) = &mut self.kept {
            if matches!(kept.open, Open::Journalled(_)) {
                kept.open = Open::Memory;
            }
            kept.behind = behind;
            kept.cause = None;
            kept.journal.clear();
        }
    }

    /// Bytes that no chunk has.
    pub(super) fn missing(&self) -> u64 {
        let there: u64 = self.chunks.iter().map(|chunk| chunk.len).sum();
        self.total.saturating_sub(there).saturating_sub(self.open.len())
    }

    /// What full-screen programs drew is found again.
    pub(super) fn look_for_pictures(&mut self) {
        let mut drawn = std::mem::take(&mut self.drawn);
        let mut at = 0;
        loop {
            let pieces = self.read(at, PICTURES_READ);
            let Some(last) = pieces.last() else { break };
            at = last.end();
            for piece in &pieces {
                drawn.feed(piece.offset, &piece.data);
            }
        }
        self.drawn = drawn;
    }
}

/// Read at once where the whole output is looked at.
const PICTURES_READ: usize = 1 << 20; // 1 MiB

/// Writes a chunk's records one after the other.
fn write_all(
    journal: &mut Journal,
    records: &Records,
    more: bool,
) -> Result<Option<JournalPlace>, NotWritten> {
    let mut pieces = Vec::new();
    let mut room = usize::MAX;
    records.read(records.start(), &mut room, &mut pieces);
    let mut whole: Option<JournalPlace> = None;
    for piece in pieces {
        let place = journal.write(piece.stream, piece.offset, &piece.data, None, more)?;
        whole = Some(match whole {
            Some(first) => JournalPlace {
                to: place.to,
                ..first
            },
            None => place,
        });
    }
    Ok(whole)
}

#[cfg(test)]
mod tests;
