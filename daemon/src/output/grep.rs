//! Lines of an output that match a pattern, in one pass with bounded memory. Lines are cleaned first; of a very long
//! line only the first [`LINE_CAP`] bytes are looked at, and cursor movement over more than 64 KiB is not followed.

use std::collections::VecDeque;

use regex::bytes::Regex;

use super::{Output, StreamKind, View};
use crate::terminal::clean::Cleaner;

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
/// characters of both streams together; and how many match in all. A last line says how many of them are not shown.
/// The view's `omitted_bytes` are those that were dropped and could not be looked at.
pub fn grep(output: &Output, pattern: &Regex, context: usize, limit: usize) -> (View, u64) {
    let mut results = Results {
        room: limit,
        hidden: 0,
        matches: 0,
    };
    let mut stdout = Stream::new(context);
    let mut stderr = Stream::new(context);
    let mut at = 0;
    loop {
        let pieces = output.read(at, READ_BYTES);
        let Some(last) = pieces.last() else { break };
        at = last.end();
        for piece in &pieces {
            let stream = match piece.stream {
                StreamKind::Stdout => &mut stdout,
                StreamKind::Stderr => &mut stderr,
            };
            // No line that feeding completes is longer than the cap, and little is unsettled at a time.
            let text = output.drawn.text(piece.offset, &piece.data);
            for part in text.flat_map(|text| text.chunks(LINE_CAP)) {
                stream.cleaner.feed(part);
                if stream.cleaner.done_len() > UNSETTLED * 2 {
                    let text = stream.cleaner.take_settled(UNSETTLED);
                    stream.lines(&text, pattern, &mut results);
                }
            }
        }
    }
    for stream in [&mut stdout, &mut stderr] {
        let text = std::mem::take(&mut stream.cleaner).finish();
        stream.lines(&text, pattern, &mut results);
    }
    if results.hidden > 0 {
        let target = if stdout.found.is_empty() && !stderr.found.is_empty() {
            &mut stderr.found
        } else {
            &mut stdout.found
        };
        target.push_str(&format!(
            "[… {} more matching lines are not shown …]\n",
            results.hidden
        ));
    }
    let view = View {
        stdout: stdout.found.into_bytes(),
        stderr: stderr.found.into_bytes(),
        omitted_bytes: output.dropped(),
        offset: output.total(),
    };
    (view, results.matches)
}

struct Results {
    /// Characters that may still be shown.
    room: usize,
    /// Matches that were not.
    hidden: u64,
    matches: u64,
}

/// One stream's search.
struct Stream {
    cleaner: Cleaner,
    context: usize,
    /// The last lines that did not match and were not shown.
    before: VecDeque<String>,
    before_bytes: usize,
    /// Lines still to be shown after a match.
    after: usize,
    /// Lines were passed over since the last one shown.
    apart: bool,
    found: String,
}

impl Stream {
    fn new(context: usize) -> Self {
        Self {
            cleaner: Cleaner::with_line_cap(LINE_CAP),
            context: context.min(CONTEXT_MAX),
            before: VecDeque::new(),
            before_bytes: 0,
            after: 0,
            apart: false,
            found: String::new(),
        }
    }

    fn lines(&mut self, text: &str, pattern: &Regex, results: &mut Results) {
        for line in text.split_inclusive('\n') {
            let line = line.strip_suffix('\n').unwrap_or(line);
            if pattern.is_match(line.as_bytes()) {
                results.matches += 1;
                self.matched(line, results);
            } else if self.after > 0 {
                self.after -= 1;
                self.show(line, results);
            } else {
                self.pass(line);
            }
        }
    }

    fn matched(&mut self, line: &str, results: &mut Results) {
        if self.apart && self.context > 0 && !self.found.is_empty() {
            self.show("--", results);
        }
        self.apart = false;
        self.before_bytes = 0;
        for line in std::mem::take(&mut self.before) {
            self.show(&line, results);
        }
        if !self.show(line, results) {
            results.hidden += 1;
        }
        self.after = self.context;
    }

    /// Appends a line, or as much of it as there is room for; false if that is nothing.
    fn show(&mut self, line: &str, results: &mut Results) -> bool {
        if results.room < 2 {
            results.room = 0;
            return false;
        }
        // The newline counts too.
        if let Some((at, _)) = line.char_indices().nth(results.room - 1) {
            self.found.push_str(line.get(..at).unwrap_or_default());
            results.room = 0;
        } else {
            self.found.push_str(line);
            results.room -= line.chars().count() + 1;
        }
        self.found.push('\n');
        true
    }

    fn pass(&mut self, line: &str) {
        self.before.push_back(line.to_owned());
        self.before_bytes += line.len();
        while self.before.len() > self.context || self.before_bytes > CONTEXT_BYTES {
            self.apart = true;
            match self.before.pop_front() {
                Some(line) => self.before_bytes -= line.len(),
                None => break,
            }
        }
    }
}
