//! What somebody who looks is told of a view: the screen, its last lines, and what is new since a cursor. It changes nothing
//! but what the emulator has seen.

use super::{Shown, View};
use crate::{
    output::{prefix, settled_len},
    session::Look,
    terminal::{
        clean::clean,
        screen::{SCROLLBACK, Screen, Shot},
    },
};

/// What may belong to a character or a sequence that began.
const BEGUN_MAX: usize = 4 << 10; // 4 KiB

impl View {
    /// What somebody wants to see of it.
    pub fn look(&mut self, look: Look) -> Shown {
        match look {
            Look::Screen => self.screen_now(0),
            Look::Tail(lines) => self.tail(lines),
            Look::Since(cursor) => self.since(cursor),
            Look::Next(cursor, most) => self.next(cursor, most),
            Look::Own(cursor) => self.own_since(cursor),
        }
    }

    /// The screen, below so many lines of what was scrolled out of it.
    pub fn screen_now(&mut self, scrollback: usize) -> Shown {
        let Shot {
            mut rows,
            row,
            column,
            title,
            alternate,
        } = self.screen().shot(0);
        if scrollback > 0 && !alternate {
            rows.splice(0..0, self.scrolled(scrollback));
        }
        Shown {
            text: rows.join("\n"),
            row,
            column,
            title,
            alternate,
            ..self.shown()
        }
    }

    /// So many lines of what was scrolled out of the screen, as far as the bytes are kept, in the terminal's width now.
    fn scrolled(&self, lines: usize) -> Vec<String> {
        let (cols, rows) = self.size;
        let mut screen = Screen::new(cols, rows, lines.min(SCROLLBACK));
        let (first, second) = self.bytes.as_slices();
        // Where the beginning is gone, what is left may begin within a sequence.
        let from = memchr::memchr(b'\n', first)
            .filter(|_| self.first() > 0)
            .unwrap_or(0);
        screen.feed(first.get(from..).unwrap_or_default());
        screen.feed(second);
        let mut all = screen.shot(lines).rows;
        all.truncate(all.len().saturating_sub(usize::from(rows.max(2))));
        all
    }

    /// The last so many lines that have text, and what is below them on the screen down to the cursor.
    pub fn tail(&mut self, lines: usize) -> Shown {
        let mut shown = self.screen_now(lines);
        let text = shown.text.trim_end_matches('\n');
        let kept: Vec<&str> = text.split('\n').collect();
        shown.has_earlier = self.first() > 0 || kept.len() > SCROLLBACK;
        let from = kept.len().saturating_sub(lines);
        shown.text = kept.get(from..).unwrap_or_default().join("\n");
        shown
    }

    /// The bytes from a cursor on, as far as they are kept.
    pub fn raw_since(&self, cursor: u64) -> Vec<u8> {
        let skip = usize::try_from(cursor.saturating_sub(self.first())).unwrap_or(usize::MAX);
        self.bytes.iter().skip(skip).copied().collect()
    }

    /// What is new since a cursor.
    pub fn since(&mut self, cursor: u64) -> Shown {
        Shown {
            text: clean(&self.raw_since(cursor)),
            dropped: self.first().saturating_sub(cursor),
            ..self.screen_now(0)
        }
    }

    /// The beginning of what is new since a cursor, in at most so many characters.
    fn next(&mut self, cursor: u64, most: usize) -> Shown {
        let from = cursor.clamp(self.first(), self.end);
        let bytes = self.raw_since(from);
        let settled = settled_len(&bytes);
        let (text, length) = prefix(bytes.get(..settled).unwrap_or_default(), most);
        Shown {
            text,
            dropped: self.first().saturating_sub(cursor),
            cursor: from + length as u64,
            follows: (settled - length) as u64,
            ..self.screen_now(0)
        }
    }

    /// What is new since a cursor and no command's: prompts, what people type, what background jobs print.
    pub fn own_since(&self, cursor: u64) -> Shown {
        let first = self.first();
        let shown = self.shown();
        let start = cursor.clamp(first, self.end);
        let mut from = start;
        let mut own = Vec::new();
        let last = shown.cursor.max(start);
        let rest = (last, last);
        let woven = self.woven.iter().filter(|(_, end)| *end > start);
        for &(begin, end) in woven.chain([&rest]) {
            let (begin, end) = (begin.clamp(from, last), end.clamp(from, last));
            let part = |at: u64| usize::try_from(at - first).unwrap_or(usize::MAX);
            own.extend(self.bytes.range(part(from)..part(begin)));
            // Lines on both sides of a command are not one.
            own.push(b'\n');
            from = end;
        }
        own.pop();
        Shown {
            text: clean(&own),
            dropped: first.saturating_sub(cursor),
            cursor: last,
            ..shown
        }
    }

    fn shown(&self) -> Shown {
        let last = self.bytes.len().saturating_sub(BEGUN_MAX);
        let last: Vec<u8> = self.bytes.range(last..).copied().collect();
        let begun = last.len() - settled_len(&last);
        Shown {
            // Who goes on from here begins with a whole character.
            cursor: self.end - begun as u64,
            first: self.first(),
            size: self.size,
            ..Shown::default()
        }
    }

    /// Position of the first byte that is kept.
    fn first(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }

    /// The last line, unless it ended.
    pub fn unfinished_line(&self) -> String {
        let last: Vec<u8> = self.bytes.iter().rev().take(2000).copied().collect();
        let last: Vec<u8> = last.into_iter().rev().collect();
        let text = clean(&last);
        if text.ends_with('\n') {
            return String::new();
        }
        text.lines().last().unwrap_or_default().to_owned()
    }
}
