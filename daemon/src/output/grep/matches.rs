//! Which lines of a search are shown where there is no room for all: matches before context, near context before far,
//! what came first before what came later. It searches nothing.

use crate::output::StreamKind;

/// Characters of a line that are worth showing where the whole of it does not fit.
const PIECE_MIN: usize = 80;

/// Stands between lines that do not follow each other, with its line end.
const APART: &str = "--\n";

/// Lines that match, with what is around them, in so many characters.
pub(super) struct Matches {
    /// Characters that may be shown.
    limit: usize,
    /// Characters that the shown lines have, with their line ends and what may have to stand between them.
    used: usize,
    has_context: bool,
    lines: Vec<Line>,
    /// Lines of context that are shown, by their distance from a match.
    near: Vec<Vec<usize>>,
    count: u64,
    hidden: u64,
    cut: u64,
    lacks_context: bool,
}

/// A line; none if it had to make room.
struct Line {
    stream: StreamKind,
    number: u64,
    text: Option<String>,
}

impl Matches {
    pub(super) const fn new(limit: usize, has_context: bool) -> Self {
        Self {
            limit,
            used: 0,
            has_context,
            lines: Vec::new(),
            near: Vec::new(),
            count: 0,
            hidden: 0,
            cut: 0,
            lacks_context: false,
        }
    }

    /// How many lines matched in all.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Makes room for a line that matches, at a byte that `place` finds: what of it is to be shown, by `put`.
    pub(super) fn admit(&mut self, line: &str, place: impl FnOnce() -> usize) -> Option<String> {
        self.count += 1;
        if self.hidden > 0 {
            self.hidden += 1;
            return None;
        }
        // What stands before it, and its line end.
        let beside = 1 + if self.has_context { APART.len() } else { 0 };
        let length = line.chars().count();
        while self.limit - self.used < length + beside && self.evict(0) {}
        let room = (self.limit - self.used).saturating_sub(beside);
        if length <= room {
            self.used += length + beside;
            return Some(line.to_owned());
        }
        if room == 0 || (room < PIECE_MIN && self.count > 1) {
            self.hidden += 1;
            return None;
        }
        self.cut += 1;
        self.used = self.limit;
        Some(around(line, place(), room))
    }

    /// Adds an admitted line.
    pub(super) fn put(&mut self, stream: StreamKind, number: u64, text: String) {
        self.lines.push(Line {
            stream,
            number,
            text: Some(text),
        });
    }

    /// Adds a line so far from a match, if there is room, or a line farther off makes room.
    pub(super) fn context(&mut self, stream: StreamKind, number: u64, line: &str, distance: usize) -> bool {
        let cost = line.chars().count() + 1;
        while self.limit - self.used < cost {
            if !self.evict(distance) {
                self.lacks_context = true;
                return false;
            }
        }
        self.used += cost;
        if self.near.len() <= distance {
            self.near.resize_with(distance + 1, Vec::new);
        }
        if let Some(same) = self.near.get_mut(distance) {
            same.push(self.lines.len());
        }
        self.put(stream, number, line.to_owned());
        true
    }

    /// Takes out the line that is farthest from its match, if that is farther than this.
    fn evict(&mut self, distance: usize) -> bool {
        while self.near.last().is_some_and(Vec::is_empty) {
            self.near.pop();
        }
        if self.near.len() <= distance + 1 {
            return false;
        }
        let farthest = self.near.last_mut().and_then(Vec::pop);
        let line = farthest.and_then(|at| self.lines.get_mut(at)?.text.take());
        self.used -= line.map_or(0, |line| line.chars().count() + 1);
        self.lacks_context = true;
        true
    }

    /// The lines of a stream.
    pub(super) fn text(&self, stream: StreamKind) -> String {
        let mut text = String::new();
        let mut last = None;
        for line in self.lines.iter().filter(|line| line.stream == stream) {
            let Some(shown) = &line.text else { continue };
            if self.has_context && last.is_some_and(|last| line.number != last + 1) {
                text.push_str(APART);
            }
            last = Some(line.number);
            text.push_str(shown);
            text.push('\n');
        }
        text
    }

    /// What is not shown, and what helps; empty if all is.
    pub(super) fn words(&self) -> String {
        let mut words = Vec::new();
        if self.hidden > 0 {
            words.push(format!(
                "{} more matching lines are not shown: a narrower pattern or a larger `output_limit` shows them",
                self.hidden
            ));
        }
        if self.cut > 0 {
            words.push(
                "a matching line is longer than there was room for: what is around its match is shown".into(),
            );
        }
        if self.lacks_context && self.hidden + self.cut == 0 {
            words.push(
                "not all of the `context` is shown: there was no room for it beside the matches".into(),
            );
        }
        words.join("; ")
    }
}

/// So many characters of a line, around the match that begins at this byte.
fn around(line: &str, place: usize, room: usize) -> String {
    let starts: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
    let length = starts.len();
    let matched = starts.partition_point(|at| *at < place);
    // Room for the signs that something is left out.
    let shown = room.saturating_sub(2).max(1);
    let from = matched
        .saturating_sub(shown / 4)
        .min(length.saturating_sub(shown));
    let byte = |at: usize| starts.get(at).copied().unwrap_or(line.len());
    let to = (from + shown).min(length);
    let part = line.get(byte(from)..byte(to)).unwrap_or_default();
    let sign = |is_cut: bool| if is_cut && room > 2 { "…" } else { "" };
    format!("{}{part}{}", sign(from > 0), sign(to < length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cut line keeps its match, wherever that is, and its room.
    #[test]
    fn cut_around_the_match() {
        let line = format!("{}needle{}", "é".repeat(500), "x".repeat(500));
        let place = line.find("needle").unwrap();
        for room in 20..200 {
            let part = around(&line, place, room);
            assert!(part.contains("needle"), "{room}: {part}");
            assert!(part.chars().count() <= room);
            assert!(part.starts_with('…') && part.ends_with('…'));
        }
        assert_eq!(around("abcdefgh", 0, 6), "abcd…");
        assert_eq!(around("abcdefgh", 7, 6), "…efgh");
        assert_eq!(around("abcdefgh", 3, 1), "d");
    }
}
