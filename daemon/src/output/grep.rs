//! Lines of an output that match a pattern, in one pass with bounded memory. Lines are cleaned first; of a very long
//! line only the first [`LINE_CAP`] bytes are looked at, and cursor movement over more than 64 KiB is not followed.

mod matches;

use std::collections::VecDeque;

use regex::bytes::Regex;

use super::{Output, StreamKind, View, render::clip};
use crate::terminal::clean::Cleaner;
use matches::Matches;

/// Bytes of a line that are matched and shown.
pub const LINE_CAP: usize = 64 << 10;

/// Lines of context at most: more than the largest answer shows.
const CONTEXT_MAX: usize = 1_000;

/// Bytes of context kept in memory for each stream.
const CONTEXT_BYTES: usize = 256 << 10;

/// Text that cursor movement can still change while streaming.
const UNSETTLED: usize = 64 << 10;

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

/// The lines of each stream that match, with `context` lines around them and `--` between groups, in at most `limit`
/// characters of both streams together; and how many match in all. Matches come first: context is shown as far as they
/// leave room, the nearest before the farther. The view's words say what is not shown, its `omitted_bytes` are those that
/// were dropped and could not be looked at.
pub fn grep(output: &Output, pattern: &Regex, context: usize, limit: usize) -> (View, u64) {
    let context = context.min(CONTEXT_MAX);
    let mut matches = Matches::new(limit, context > 0);
    let mut stdout = Stream::new(StreamKind::Stdout, context);
    let mut stderr = Stream::new(StreamKind::Stderr, context);
    let end = output.settled();
    let mut at = 0;
    while at < end {
        let pieces = output.read(at, READ_BYTES);
        let Some(last) = pieces.last() else { break };
        at = last.end();
        for piece in &pieces {
            let stream = match piece.stream {
                StreamKind::Stdout => &mut stdout,
                StreamKind::Stderr => &mut stderr,
            };
            // No line that feeding completes is longer than the cap, and little is unsettled at a time.
            let text = output.drawn.text(piece.offset, clip(piece, 0, end));
            for part in text.flat_map(|text| text.chunks(LINE_CAP)) {
                stream.cleaner.feed(part);
                if stream.cleaner.done_len() > UNSETTLED * 2 {
                    let text = stream.cleaner.take_settled(UNSETTLED);
                    stream.lines(&text, pattern, &mut matches);
                }
            }
        }
    }
    for stream in [&mut stdout, &mut stderr] {
        let text = std::mem::take(&mut stream.cleaner).finish();
        stream.lines(&text, pattern, &mut matches);
    }
    let view = View {
        stdout: matches.text(StreamKind::Stdout).into_bytes(),
        stderr: matches.text(StreamKind::Stderr).into_bytes(),
        omitted_bytes: output.dropped(),
        offset: end,
        words: matches.words(),
    };
    (view, matches.count())
}

/// One stream's search.
struct Stream {
    kind: StreamKind,
    cleaner: Cleaner,
    context: usize,
    /// Lines so far.
    number: u64,
    /// The last lines that did not match and were not shown.
    before: VecDeque<String>,
    before_bytes: usize,
    /// Lines still to be shown after a match.
    after: usize,
}

impl Stream {
    fn new(kind: StreamKind, context: usize) -> Self {
        Self {
            kind,
            cleaner: Cleaner::with_line_cap(LINE_CAP),
            context,
            number: 0,
            before: VecDeque::new(),
            before_bytes: 0,
            after: 0,
        }
    }

    fn lines(&mut self, text: &str, pattern: &Regex, matches: &mut Matches) {
        for line in text.split_inclusive('\n') {
            let line = line.strip_suffix('\n').unwrap_or(line);
            self.number += 1;
            if pattern.is_match(line.as_bytes()) {
                self.matched(line, pattern, matches);
            } else if self.after > 0 {
                let distance = self.context - self.after + 1;
                self.after -= 1;
                if !matches.context(self.kind, self.number, line, distance) {
                    // Farther ones are of no use without it, and it may stand before another match.
                    self.after = 0;
                    self.pass(line);
                }
            } else {
                self.pass(line);
            }
        }
    }

    fn matched(&mut self, line: &str, pattern: &Regex, matches: &mut Matches) {
        let before = std::mem::take(&mut self.before);
        self.before_bytes = 0;
        let place = || pattern.find(line.as_bytes()).map_or(0, |found| found.start());
        let Some(shown) = matches.admit(line, place) else {
            self.after = 0;
            return;
        };
        for (distance, line) in (1..=before.len()).rev().zip(before) {
            matches.context(self.kind, self.number - distance as u64, &line, distance);
        }
        matches.put(self.kind, self.number, shown);
        self.after = self.context;
    }

    fn pass(&mut self, line: &str) {
        self.before.push_back(line.to_owned());
        self.before_bytes += line.len();
        while self.before.len() > self.context || self.before_bytes > CONTEXT_BYTES {
            match self.before.pop_front() {
                Some(line) => self.before_bytes -= line.len(),
                None => break,
            }
        }
    }
}
