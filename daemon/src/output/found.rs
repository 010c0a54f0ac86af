//! The journal of an output as an earlier daemon left it: read again into the same bytes at the same offsets. What is torn
//! at its end is cut off; what is damaged before that is a gap.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Budget, Losses, Output, OutputLimits, StreamKind,
    chunk::{Chunk, Place},
    journal::{Journal, JournalPlace, Segment, segment_path},
    record::{HEADER, Header, Kind},
};

/// Read at once while headers are looked for.
const LOOK: usize = 4 << 10; // 4 KiB
/// The longest of its owner's words: a command's text has 1 MiB at most, as JSON six times that.
const WORDS_MAX: usize = 16 << 20; // 16 MiB

/// What was found.
#[derive(Debug)]
pub struct Found {
    journal: Journal,
    limits: OutputLimits,
    chunks: VecDeque<Chunk>,
    last: StreamKind,
    /// The file in which something was damaged.
    damaged: Option<PathBuf>,
}

/// How many records count: not those that count only with what was to come behind them, and did not.
fn counting(records: &[Seen]) -> usize {
    let is_end = |seen: &Seen| !seen.header.has_more && seen.header.kind != Kind::Meta;
    let end = records.iter().rposition(is_end).map_or(0, |at| at + 1);
    let open = records.iter().skip(end).position(|seen| seen.header.has_more);
    open.map_or(records.len(), |open| end + open)
}

/// One record where it is.
struct Seen {
    header: Header,
    from: u64,
    to: u64,
}

impl Found {
    /// Reads the files with these numbers; none if the owner's words are not among them.
    pub fn read(
        stem: &Path,
        mut numbers: Vec<u32>,
        limits: OutputLimits,
        budget: Arc<Budget>,
    ) -> Option<Self> {
        numbers.sort_unstable();
        let journal = Journal::new(stem.to_owned(), limits.disk_bytes, budget, Vec::new());
        let mut found = Self {
            journal,
            limits,
            chunks: VecDeque::new(),
            last: StreamKind::Stdout,
            damaged: None,
        };
        let chunk_bytes = Output::chunk_bytes_of(limits) as u64;
        let mut segments = Vec::new();
        let last = numbers.last().copied();
        let mut is_cut = false;
        for number in numbers {
            let path = segment_path(stem, number);
            let is_last = Some(number) == last;
            let Ok((mut records, is_whole)) = found.look(&path, is_last) else {
                found.damaged = Some(path);
                continue;
            };
            if is_last {
                let whole = counting(&records);
                is_cut = whole < records.len();
                records.truncate(whole);
            } else if !is_whole {
                found.damaged = Some(path);
            }
            let Some(len) = records.last().map(|seen| seen.to) else {
                // Begun, and nothing more: it is begun anew.
                continue;
            };
            let charged = records
                .iter()
                .filter(|seen| seen.header.stream().is_some())
                .map(|seen| seen.to - seen.from)
                .sum();
            for seen in &records {
                found.take(seen, number, chunk_bytes);
            }
            segments.push(Segment { number, len, charged });
        }
        if found.journal.head.is_empty() {
            return None;
        }
        found.journal.resume(segments);
        if is_cut {
            // Among what was cut off may have been the owner's words.
            let meta = found.journal.meta.clone();
            found.journal.set_meta(meta);
        }
        Some(found)
    }

    /// The owner's words that stay the same.
    pub fn head(&self) -> &[u8] {
        &self.journal.head
    }

    /// The owner's words that changed last.
    pub fn meta(&self) -> &[u8] {
        &self.journal.meta
    }

    /// All records of a file that are whole, and whether nothing else is there. The owner's words are taken.
    fn look(&mut self, path: &Path, is_last: bool) -> io::Result<(Vec<Seen>, bool)> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(LOOK, file);
        let mut records = Vec::new();
        let mut from = 0;
        let mut bytes = [0; HEADER];
        let mut payload = Vec::new();
        while from < size {
            if reader.read_exact(&mut bytes).is_err() {
                return Ok((records, false));
            }
            let Some((header, _)) = Header::read(&bytes) else {
                return Ok((records, false));
            };
            let to = from + (HEADER + header.len()) as u64;
            if to > size {
                return Ok((records, false));
            }
            let is_words = matches!(header.kind, Kind::Head | Kind::Meta);
            if is_words && header.len() > WORDS_MAX {
                return Ok((records, false));
            }
            // In the last file a crash may have left what was never written; elsewhere reading finds out.
            if is_words || is_last {
                payload.resize(header.len(), 0);
                if reader.read_exact(&mut payload).is_err() || !header.is_of(&payload) {
                    return Ok((records, false));
                }
            } else {
                reader.seek_relative(i64::try_from(header.len()).map_err(io::Error::other)?)?;
            }
            match header.kind {
                Kind::Head => self.journal.head.clone_from(&payload),
                Kind::Meta => self.journal.meta.clone_from(&payload),
                Kind::Stdout | Kind::Stderr | Kind::Position => {}
            }
            records.push(Seen { header, from, to });
            from = to;
        }
        Ok((records, true))
    }

    fn take(&mut self, seen: &Seen, segment: u32, chunk_bytes: u64) {
        let Header {
            kind, at, consumed, ..
        } = seen.header;
        let (total, stderr) = &mut self.journal.totals;
        let stream = match kind {
            Kind::Head => return,
            Kind::Meta => {
                // What came before may have been dropped.
                if at >= *total {
                    *total = at;
                    *stderr = consumed.map_or(*stderr, |totals| totals.offset).min(at);
                }
                return;
            }
            Kind::Position => {
                if let Some(consumed) = consumed {
                    self.journal.note_consumed(consumed);
                }
                return;
            }
            Kind::Stdout => StreamKind::Stdout,
            Kind::Stderr => StreamKind::Stderr,
        };
        if let Some(consumed) = consumed {
            self.journal.note_consumed(consumed);
        }
        let len = seen.header.len() as u64;
        let end = at.saturating_add(len);
        if at < self.chunks.back().map_or(0, Chunk::end) {
            // No offset is given to two bytes.
            return;
        }
        let (total, stderr) = &mut self.journal.totals;
        *total = end.max(*total);
        if stream == StreamKind::Stderr {
            *stderr = stderr.saturating_add(len);
        }
        self.last = stream;
        if let Some(last) = self.chunks.back_mut()
            && let Place::Journal(place) = &mut last.place
            && place.segment == segment
            && last.start + last.len == at
            && last.len < chunk_bytes
        {
            last.len += len;
            place.to = seen.to;
            return;
        }
        let place = JournalPlace {
            segment,
            from: seen.from,
            to: seen.to,
        };
        self.chunks.push_back(Chunk {
            start: at,
            len,
            place: Place::Journal(place),
            journalled: Some(place),
        });
    }

    /// The output as it was. `losses` is what its owner knew to be lost, `is_terminal` whether it had the terminal.
    pub fn output(self, losses: Losses, is_terminal: bool) -> Output {
        let Self {
            journal,
            limits,
            chunks,
            last,
            damaged,
        } = self;
        let mut output = Output::kept(journal, limits, chunks, last);
        let missing = output.missing();
        output.losses = Losses {
            budget: losses.budget.min(missing),
            ..Losses::default()
        };
        let rest = missing - output.losses.budget;
        output.losses.disk = losses.disk.min(rest);
        output.losses.disk_cause = losses.disk_cause;
        let rest = rest - output.losses.disk;
        match damaged {
            Some(path) if rest > 0 => {
                output.losses.disk += rest;
                output.losses.disk_cause = format!("{} is damaged", path.display());
            }
            _ if output.losses.budget > 0 => output.losses.budget += rest,
            _ => output.losses.own_limit = rest,
        }
        if is_terminal {
            output.look_for_pictures();
        }
        output
    }
}
