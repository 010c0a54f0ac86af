//! Writes one session's transcript and recording: turns what was shown into lines and events, sets full files aside, and
//! where the disk takes nothing says later how much is missing. It decides nothing about sessions.

use std::{
    io,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::oneshot;

use super::{
    Limits, Opened, cast,
    file::{Appended, Found},
    queue::{Item, Said, Taken},
    text::Text,
};
use crate::{id::SessionName, terminal::utf8::Decoder};

/// A last line that is still for so long is written, though it may go on.
const SILENCE: Duration = Duration::from_millis(500);
/// Whole lines are not held back longer, whatever comes.
const HELD_MAX: Duration = Duration::from_secs(1);
/// A disk that took nothing is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// Written at once.
const PIECE: usize = 256 << 10; // 256 KiB
/// Bytes of one output event, so that no line of a recording is much longer.
const EVENT_MAX: usize = 64 << 10; // 64 KiB
/// A recording's first line is no longer.
const HEADER_MAX: usize = 64 << 10; // 64 KiB
/// Its last line is within so many bytes: an event at most, every letter escaped.
const LAST_MAX: u64 = 1 << 20; // 1 MiB

/// What was lost while a file took nothing.
#[derive(Debug)]
struct Gap {
    bytes: u64,
    since: SystemTime,
    cause: String,
    again: Instant,
}

/// A file, what is to be written to it, and what could not be.
#[derive(Debug)]
struct Kept {
    file: Appended,
    /// Whole entries that are to be written.
    out: String,
    /// How many of the terminal's bytes they are made of.
    bytes: u64,
    /// Bytes that this writer has put into the file, and into those set aside.
    written: u64,
    gap: Option<Gap>,
}

impl Kept {
    /// Opens the file for what comes next; none while it takes nothing.
    fn ready(&mut self) -> Option<Found> {
        if self.gap.as_ref().is_some_and(|gap| Instant::now() < gap.again) {
            return None;
        }
        let found = self.file.open().map_err(|error| self.fail(&error)).ok();
        if found.is_some_and(|found| found != Found::Same) {
            // Somebody may have taken the last one away, with what was written.
            self.written = 0;
        }
        found
    }

    /// Writes what is to be written; false if that failed.
    fn put(&mut self) -> bool {
        if self.out.is_empty() {
            return true;
        }
        match self.file.append(self.out.as_bytes()) {
            Ok(()) => {
                self.written += self.out.len() as u64;
                self.out.clear();
                self.bytes = 0;
                self.gap = None;
                true
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    /// What was to be written is lost, and counted.
    fn fail(&mut self, error: &io::Error) {
        self.out.clear();
        let bytes = std::mem::take(&mut self.bytes);
        let again = Instant::now() + RETRY;
        if let Some(gap) = &mut self.gap {
            gap.bytes += bytes;
            gap.cause = error.to_string();
            gap.again = again;
            return;
        }
        tracing::warn!(file = %self.file.path().display(), %error, "not recorded");
        self.gap = Some(Gap {
            bytes,
            since: SystemTime::now(),
            cause: error.to_string(),
            again,
        });
    }

    /// True if bytes are not recorded now; they are counted.
    fn misses(&mut self, count: usize) -> bool {
        if let Some(gap) = &mut self.gap {
            gap.bytes += count as u64;
        }
        self.gap.is_some()
    }
}

impl Gap {
    fn words(&self) -> String {
        let Self {
            bytes, since, cause, ..
        } = self;
        format!(
            "{bytes} bytes are missing here, from {} on: {cause}",
            clock(*since)
        )
    }
}

/// One session's files.
#[derive(Debug)]
pub(super) struct Writer {
    name: SessionName,
    opened: Option<Opened>,
    size: (u16, u16),
    limits: Limits,
    log: Kept,
    text: Text,
    cast: Kept,
    decoder: Decoder,
    /// When a recording's time was how much.
    began: (Instant, Duration),
    /// Since when lines are held back, and when bytes last came.
    held: Option<(Instant, Instant)>,
    is_closed: bool,
}

impl Writer {
    pub(super) fn new(directory: &Path, name: &SessionName, limits: Limits) -> Self {
        let kept = |ending: &str| Kept {
            file: Appended::new(directory.join(format!("{name}.{ending}"))),
            out: String::new(),
            bytes: 0,
            written: 0,
            gap: None,
        };
        Self {
            name: name.clone(),
            opened: None,
            size: (0, 0),
            limits,
            log: kept("log"),
            text: Text::default(),
            cast: kept("cast"),
            decoder: Decoder::default(),
            began: (Instant::now(), Duration::ZERO),
            held: None,
            is_closed: false,
        }
    }

    pub(super) const fn name(&self) -> &SessionName {
        &self.name
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Bytes of the transcript that are this session's.
    pub(super) const fn log_written(&self) -> u64 {
        self.log.written
    }

    /// What is wrong now, in words.
    pub(super) fn problem(&self) -> Option<String> {
        let (kept, gap) = [&self.log, &self.cast]
            .into_iter()
            .find_map(|kept| Some((kept, kept.gap.as_ref()?)))?;
        Some(format!(
            "session {} is not recorded since {}: {}: {}",
            self.name,
            clock(gap.since),
            kept.file.path().display(),
            gap.cause
        ))
    }

    /// When `on_time` is to be called.
    pub(super) fn due(&self) -> Option<Instant> {
        let held = self
            .held
            .map(|(since, last)| (since + HELD_MAX).min(last + SILENCE));
        let again = [&self.log, &self.cast]
            .into_iter()
            .filter_map(|kept| kept.gap.as_ref().map(|gap| gap.again));
        again.chain(held).min()
    }

    /// Writes what was taken from the queue; who waited for it comes back.
    pub(super) fn write(&mut self, taken: Taken, limits: Limits) -> Vec<oneshot::Sender<()>> {
        let Taken { bytes, items } = taken;
        self.limits = limits;
        self.ready();
        let mut rest = bytes.as_slice();
        let mut flushed = Vec::new();
        for Item { at, said } in items {
            match said {
                Said::Opened(opened) => self.open(*opened, at),
                Said::Terminal(length) | Said::Captured(length) => {
                    let captured = matches!(said, Said::Captured(_));
                    let (bytes, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                    rest = behind;
                    for piece in bytes.chunks(EVENT_MAX) {
                        self.show(piece, captured, at);
                    }
                }
                Said::Lost(count) => {
                    let words = format!(
                        "{count} bytes are missing here: they came faster than they could be written"
                    );
                    self.note(&words, at, true);
                }
                Said::Size(cols, rows) => {
                    self.size = (cols, rows);
                    self.event(at, 'r', &format!("{cols}x{rows}"));
                }
                Said::Flush(done) => {
                    self.settle();
                    flushed.push(done);
                }
                Said::Closed => self.end("closed"),
                Said::Left => self.end("left: it goes on there"),
            }
        }
        self.put();
        flushed
    }

    /// A shell is there: the first of this life, or another after one was lost.
    fn open(&mut self, opened: Opened, at: Instant) {
        let is_first = self.opened.is_none();
        let words = if is_first {
            format!("session {} opened on {}", self.name, opened.target)
        } else {
            "a new shell was opened".to_owned()
        };
        self.size = opened.size;
        self.opened = Some(opened);
        if is_first {
            self.ready();
        }
        self.note(&words, at, false);
    }

    fn show(&mut self, bytes: &[u8], captured: bool, at: Instant) {
        if self.limits.transcripts && !self.log.misses(bytes.len()) {
            let now = Instant::now();
            self.text.feed(bytes, &mut self.log.out);
            self.log.bytes += bytes.len() as u64;
            let since = self.held.map_or(now, |(since, _)| since);
            self.held = Some((since, now));
        }
        if self.limits.casts && !self.cast.misses(bytes.len()) {
            let mut shown = String::with_capacity(bytes.len());
            self.decoder.feed(bytes, &mut shown);
            if captured {
                shown = shown.replace('\n', "\r\n");
            }
            self.cast.bytes += bytes.len() as u64;
            if !shown.is_empty() {
                self.event(at, 'o', &shown);
            }
        }
        if self.log.out.len().max(self.cast.out.len()) >= PIECE {
            self.put();
        }
    }

    /// A line of ours: in the transcript on its own; in the recording a marker, and to be seen where something is missing.
    fn note(&mut self, words: &str, at: Instant, is_seen: bool) {
        if self.limits.transcripts && !self.log.misses(0) {
            self.text.end_line(&mut self.log.out);
            self.log.out.push_str(&own_line(words));
        }
        if is_seen {
            self.event(at, 'o', &own_row(words));
        }
        self.event(at, 'm', words);
    }

    fn event(&mut self, at: Instant, code: char, data: &str) {
        if self.limits.casts && !self.cast.misses(0) {
            let (began, before) = self.began;
            let time = before + at.saturating_duration_since(began);
            cast::event(time, code, data, &mut self.cast.out);
        }
    }

    fn settle(&mut self) {
        if !self.log.misses(0) {
            self.text.settle(&mut self.log.out);
        }
        self.held = None;
    }

    /// Writes lines that have rested, and tries a disk again.
    pub(super) fn on_time(&mut self, limits: Limits) {
        self.limits = limits;
        self.ready();
        let now = Instant::now();
        if let Some((since, last)) = self.held {
            if now >= last + SILENCE {
                self.settle();
            } else if now >= since + HELD_MAX {
                self.text.lines(&mut self.log.out);
                self.held = Some((now, last));
            }
        }
        self.put();
    }

    /// Nothing more of the session comes from this daemon; what became of it, in words.
    pub(super) fn end(&mut self, words: &str) {
        if self.is_closed || self.opened.is_none() {
            return;
        }
        self.is_closed = true;
        self.note(&format!("session {} {words}", self.name), Instant::now(), false);
        self.put();
    }

    /// Opens the files for what comes next.
    fn ready(&mut self) {
        if self.opened.is_none() {
            return;
        }
        if !self.limits.transcripts {
            self.log.gap = None;
        } else if let Some(found) = self.log.ready() {
            self.begin_log(found);
        }
        if !self.limits.casts {
            self.cast.gap = None;
        } else if let Some(found) = self.cast.ready() {
            self.begin_cast(found);
        }
    }

    fn begin_log(&mut self, found: Found) {
        let is_within = |file: &mut Appended| -> io::Result<bool> {
            let (_, last) = file.ends(0, 1)?;
            Ok(!last.is_empty() && last != b"\n")
        };
        let words = self.log.gap.as_ref().map(Gap::words);
        if found == Found::Same && words.is_none() {
            return;
        }
        if found != Found::New && is_within(&mut self.log.file).unwrap_or(true) {
            self.log.out.push('\n');
        }
        let Some(words) = words else { return };
        self.log.out.push_str(&own_line(&words));
        // What the lines before the gap would have become is not known.
        self.text = Text::default();
        self.held = None;
        self.log.put();
    }

    fn begin_cast(&mut self, found: Found) {
        let words = self.cast.gap.as_ref().map(Gap::words);
        let mut is_new = found == Found::New;
        if found == Found::Old && words.is_none() {
            let resumed = resume(&mut self.cast.file).and_then(|last| match last {
                Some(last) => Ok(Some(last)),
                None => {
                    self.cast.file.set_aside(self.limits.files.saturating_sub(1))?;
                    self.cast.file.open()?;
                    Ok(None)
                }
            });
            match resumed {
                // From here on its time goes on where the last life ended.
                Ok(Some(last)) => {
                    self.began = (Instant::now(), last);
                    let (cols, rows) = self.size;
                    self.event(Instant::now(), 'r', &format!("{cols}x{rows}"));
                }
                Ok(None) => is_new = true,
                Err(error) => return self.cast.fail(&error),
            }
        }
        if is_new && let Some(opened) = &self.opened {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.cast.out = cast::header(self.name.as_str(), opened, self.size, unix.as_secs());
            self.began = (Instant::now(), Duration::ZERO);
        }
        let Some(words) = words else { return };
        self.decoder = Decoder::default();
        let (began, before) = self.began;
        let time = before + began.elapsed();
        let (cols, rows) = self.size;
        cast::event(time, 'r', &format!("{cols}x{rows}"), &mut self.cast.out);
        cast::event(time, 'o', &own_row(&words), &mut self.cast.out);
        cast::event(time, 'm', &words, &mut self.cast.out);
        self.cast.put();
    }

    /// Everything that is made goes into the files; a full one is set aside.
    fn put(&mut self) {
        let Limits {
            file_bytes, files, ..
        } = self.limits;
        let keep = files.saturating_sub(1);
        let log = self.log.gap.is_none() && self.log.put();
        let cast = self.cast.gap.is_none() && self.cast.put();
        if cast && self.cast.file.len() >= file_bytes {
            match self.cast.file.set_aside(keep) {
                Ok(()) => self.ready(),
                Err(error) => self.cast.fail(&error),
            }
        }
        if log && self.log.file.len() >= file_bytes && !self.text.is_within_line() {
            let written = self.log.written;
            match self.log.file.set_aside(keep) {
                Ok(()) => {
                    self.ready();
                    self.log.written = written;
                    self.log
                        .out
                        .push_str(&own_line("what came before is in the file set aside"));
                }
                Err(error) => self.log.fail(&error),
            }
        }
    }
}

/// The time of the last event of a recording that goes on, what is behind it cut; none if it cannot go on.
fn resume(file: &mut Appended) -> io::Result<Option<Duration>> {
    let (first, last) = file.ends(HEADER_MAX, LAST_MAX)?;
    let header = memchr::memchr(b'\n', &first).and_then(|end| first.get(..end));
    let whole = memchr::memrchr(b'\n', &last).and_then(|end| last.get(..end));
    let (Some(header), Some(whole)) = (header, whole) else {
        return Ok(None);
    };
    if cast::read_header(header).is_none() {
        return Ok(None);
    }
    file.cut(file.len() - (last.len() - whole.len() - 1) as u64)?;
    let line = whole
        .get(memchr::memrchr(b'\n', whole).map_or(0, |at| at + 1)..)
        .unwrap_or_default();
    // The header alone: nothing was shown yet.
    Ok(cast::read_time(line).or_else(|| (line == header).then_some(Duration::ZERO)))
}

/// A time as people read it.
fn clock(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(
        |_| "an unknown time".into(),
        |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// A line of ours in a transcript.
fn own_line(words: &str) -> String {
    format!("--- sshmcp: {words}; {} ---\n", clock(SystemTime::now()))
}

/// The same as a terminal shows it, whatever sequence was begun before.
fn own_row(words: &str) -> String {
    format!("\x18\r\n{}\r\n", own_line(words).trim_end())
}
