//! What a terminal would show at the end of a byte stream, as lines of text.
//!
//! Escape sequences go; `\r`, backspace, cursor movement within the last [`REACH`] lines, and erasing have their
//! effect. Text without controls passes unchanged, tabs included; a tab becomes blanks where something overwrites it,
//! and an overwritten line loses the blanks at its end. Other C0 and C1 controls are dropped, invalid UTF-8 becomes
//! U+FFFD, and characters that reorder text (U+202A to 202E, 2066 to 2069) are spelled out, as `<U+202E>`. Lines have
//! no width and never wrap. Absolute positioning and clearing the screen begin a new line instead of destroying what
//! was there: full-screen programs become legible, not exact. Time is linear in the input, memory is the text's.

use std::collections::VecDeque;

use super::{
    parse::{Event, Parser, plain_len},
    row::{EDITABLE, Row},
    utf8::Decoder,
};

/// Lines that cursor movement can go back to: more than the progress displays of docker, npm or cargo have.
pub const REACH: usize = 200;

/// Column that movement alone does not pass: wider than terminals are.
const COLUMNS: usize = 512;

/// Blanks that movement may add to one stream, so that a few bytes of input never make much output.
const PADDING_MAX: usize = 1 << 20;

/// Cleans a whole stream.
pub fn clean(bytes: &[u8]) -> String {
    let mut cleaner = Cleaner::new();
    cleaner.feed(bytes);
    cleaner.finish()
}

#[derive(Clone, Copy, Debug)]
enum Column {
    /// Behind the last character of the row, wherever that is.
    End,
    At(usize),
}

/// Cleans a stream as it comes; how it is cut into chunks makes no difference.
#[derive(Clone, Debug)]
pub struct Cleaner {
    parser: Parser,
    decoder: Decoder,
    /// Lines above `rows`, each with its newline.
    done: String,
    /// The last lines, from the highest that the cursor went up to; never empty.
    rows: VecDeque<Row>,
    row: usize,
    column: Column,
    /// Newlines at the bottom since the cursor last went up.
    calm: usize,
    padding: usize,
    /// Bytes (about) of a line that are kept.
    line_cap: usize,
    scratch: String,
}

impl Default for Cleaner {
    fn default() -> Self {
        Self::new()
    }
}

impl Cleaner {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::with_line_cap(usize::MAX)
    }

    /// Of every line only about `line_cap` bytes are kept, for bounded memory.
    pub fn with_line_cap(line_cap: usize) -> Self {
        Self {
            parser: Parser::default(),
            decoder: Decoder::default(),
            done: String::new(),
            rows: VecDeque::from([Row::default()]),
            row: 0,
            column: Column::End,
            calm: 0,
            padding: 0,
            line_cap,
            scratch: String::new(),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.feed_plain(&mut bytes) {
                continue;
            }
            let Some(event) = self.parser.next(&mut bytes) else {
                return;
            };
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.clear();
            if let Event::Text(text) = event {
                self.decoder.feed(text, &mut scratch);
                self.write(&scratch);
            } else {
                self.decoder.finish(&mut scratch);
                self.write(&scratch);
                self.control(event);
            }
            self.scratch = scratch;
        }
    }

    /// The text as it stands at the end of the stream.
    pub fn finish(mut self) -> String {
        let mut scratch = String::new();
        self.decoder.finish(&mut scratch);
        self.write(&scratch);
        let mut text = self.done;
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            row.render(&mut text);
        }
        text
    }

    /// Bytes of text above the current lines; the cursor may still go back up to [`REACH`] lines of them.
    pub fn done_len(&self) -> usize {
        self.done.len()
    }

    /// Takes out the lines that nothing can change any more. Of those that the cursor can go back to, `keep` bytes at
    /// most stay.
    pub fn take_settled(&mut self, keep: usize) -> String {
        let floor = self.done.len().saturating_sub(keep);
        let reach = REACH.saturating_sub(self.rows.len());
        let mut from = self.done.len();
        let mut found = floor > 0;
        for (lines, newline) in memchr::memrchr_iter(b'\n', self.done.as_bytes()).enumerate() {
            if newline + 1 < floor {
                break;
            }
            from = newline + 1;
            if lines == reach {
                found = true;
                break;
            }
        }
        if !found {
            return String::new();
        }
        let rest = self.done.split_off(from);
        std::mem::replace(&mut self.done, rest)
    }

    /// Takes out every line above the last, as it stands; what comes next can change the last one alone.
    pub fn take_lines(&mut self) -> String {
        let mut text = std::mem::take(&mut self.done);
        while self.rows.len() > 1
            && let Some(row) = self.rows.pop_front()
        {
            row.render(&mut text);
            text.push('\n');
            if self.row > 0 {
                self.row -= 1;
            } else {
                self.column = Column::End;
            }
        }
        self.padding = 0;
        text
    }

    /// The last line as it stands.
    pub fn last_line(&self) -> String {
        let mut text = String::new();
        if let Some(row) = self.rows.back() {
            row.render(&mut text);
        }
        text
    }

    /// Takes out all text as it stands; what comes next begins a text of its own.
    pub fn take_all(&mut self) -> String {
        let mut text = self.take_lines();
        text.push_str(&self.last_line());
        self.rows = VecDeque::from([Row::default()]);
        self.row = 0;
        self.column = Column::End;
        text
    }

    /// Whole lines without controls, in bulk. False if it took nothing.
    fn feed_plain(&mut self, bytes: &mut &[u8]) -> bool {
        let is_plain = self.parser.is_ground() && self.decoder.is_complete();
        let at_end = self.rows.len() == 1 && matches!(self.column, Column::End) && is_plain;
        let Some(row) = self.rows.front_mut().filter(|row| at_end && !row.is_edited()) else {
            return false;
        };
        let len = plain_len(bytes);
        if len == 0 || row.text().len().saturating_add(len) >= self.line_cap {
            return false;
        }
        let Some(Ok(text)) = bytes.get(..len).map(std::str::from_utf8) else {
            return false;
        };
        let (lines, rest) = text.split_at(memchr::memrchr(b'\n', text.as_bytes()).map_or(0, |at| at + 1));
        if !lines.is_empty() {
            self.done.push_str(row.text());
            row.clear();
            push_safe(lines, &mut self.done);
            self.calm = self.calm.saturating_add(1);
        }
        push_safe(rest, row.text_mut());
        *bytes = bytes.get(len..).unwrap_or_default();
        true
    }

    fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let cap = self.line_cap;
        let (row, column) = self.current();
        let Some(mut at) = column else {
            if row.text().len().saturating_add(text.len()) < cap {
                push_safe(text, row.text_mut());
                return;
            }
            for c in text.chars() {
                if row.text().len() >= cap {
                    return;
                }
                push_safe(c.encode_utf8(&mut [0; 4]), row.text_mut());
            }
            return;
        };
        let missing = at.saturating_sub(row.columns());
        if missing > 0 {
            at -= missing - self.allow_padding(missing);
        }
        let (row, _) = self.current();
        row.pad(at);
        for c in text.chars() {
            if at >= cap {
                break;
            }
            match unsafe_name(c) {
                Replace::Keep => at = row.put(at, c),
                Replace::Drop => {}
                Replace::Spell(name) => {
                    for c in name.chars() {
                        at = row.put(at, c);
                    }
                }
            }
        }
        self.column = Column::At(at);
    }

    fn control(&mut self, event: Event<'_>) {
        match event {
            Event::Text(_) => {}
            Event::Control(b'\n') | Event::Escape(b'E' | b'D') => self.newline(),
            Event::Control(b'\r') => self.column = Column::At(0),
            Event::Control(0x08) => self.column = Column::At(self.resolve().saturating_sub(1)),
            Event::Control(b'\t') => self.tab(),
            Event::Escape(b'M') => self.up(1),
            Event::Control(_) | Event::Escape(_) => {}
            Event::Csi([first, _], function) => self.csi(function, first),
        }
    }

    fn csi(&mut self, function: u8, param: Option<u32>) {
        let code = param.unwrap_or(0);
        // A count of none or 0 is 1.
        let count = usize::try_from(code.max(1)).unwrap_or(usize::MAX);
        match function {
            b'A' => self.up(count),
            b'F' => {
                self.up(count);
                self.column = Column::At(0);
            }
            b'B' | b'e' => self.down(count),
            b'E' => {
                self.down(count);
                self.column = Column::At(0);
            }
            b'C' | b'a' => {
                let at = self.resolve();
                self.go_to(at.saturating_add(count));
            }
            b'D' => self.column = Column::At(self.resolve().saturating_sub(count)),
            b'G' | b'`' => self.go_to(count - 1),
            b'H' | b'f' | b'd' => self.break_line(),
            b'J' => match code {
                0 => {
                    self.erase(0);
                    self.rows.truncate(self.row + 1);
                }
                1 => self.erase(1),
                _ => self.break_line(),
            },
            b'K' if code <= 2 => self.erase(code),
            b'X' | b'P' | b'@' => {
                let at = self.resolve();
                let count = count.min(COLUMNS);
                let blanks = if function == b'@' {
                    self.allow_padding(count)
                } else {
                    0
                };
                let (row, _) = self.current();
                match function {
                    b'X' => row.blank(at, at.saturating_add(count)),
                    b'P' => row.delete(at, at.saturating_add(count)),
                    _ => row.insert(at, blanks),
                }
            }
            _ => {}
        }
    }

    /// The cursor's row, and its column unless it is at the end of a row that nothing has overwritten.
    fn current(&mut self) -> (&mut Row, Option<usize>) {
        if self.row >= self.rows.len() {
            self.rows.push_back(Row::default());
            self.row = self.rows.len() - 1;
        }
        let row = &mut self.rows[self.row];
        let column = match self.column {
            Column::End if !row.is_edited() => None,
            Column::At(0) if row.is_empty() => {
                row.clear();
                self.column = Column::End;
                None
            }
            Column::End => Some(row.columns()),
            Column::At(column) => Some(column),
        };
        (row, column)
    }

    /// The cursor's column as a number.
    fn resolve(&mut self) -> usize {
        let (row, column) = self.current();
        let columns = row.columns();
        let column = column.unwrap_or(columns);
        self.column = Column::At(column);
        column
    }

    fn go_to(&mut self, column: usize) {
        let columns = self.current().0.columns();
        self.column = Column::At(column.min(columns.max(COLUMNS)));
    }

    fn allow_padding(&mut self, count: usize) -> usize {
        let count = count.min(PADDING_MAX.saturating_sub(self.padding).max(1));
        self.padding = self.padding.saturating_add(count);
        count
    }

    fn tab(&mut self) {
        let cap = self.line_cap;
        let (row, column) = self.current();
        match column {
            None if row.text().len() < cap => row.text_mut().push('\t'),
            None => {}
            Some(at) if at < cap => {
                row.columns();
                let at = row.tab(at).min(row.columns().max(COLUMNS));
                self.column = Column::At(at);
            }
            Some(_) => {}
        }
    }

    fn erase(&mut self, code: u32) {
        let (row, column) = self.current();
        let Some(at) = column else {
            // Nothing is behind the end.
            if code != 0 {
                let at = row.columns();
                row.clear();
                self.column = Column::At(at);
            }
            return;
        };
        match code {
            0 if at == 0 => row.clear(),
            0 if at < row.columns() => row.truncate(at),
            0 => {}
            1 => {
                if row.columns() <= EDITABLE {
                    row.blank(0, at.saturating_add(1));
                }
            }
            _ => row.clear(),
        }
    }

    fn newline(&mut self) {
        if self.row + 1 < self.rows.len() {
            self.row += 1;
            self.column = Column::At(0);
            return;
        }
        self.column = Column::End;
        self.calm = self.calm.saturating_add(1);
        if let ([row], []) = self.rows.as_mut_slices() {
            row.render(&mut self.done);
            self.done.push('\n');
            row.clear();
            return;
        }
        self.rows.push_back(Row::default());
        self.row = self.rows.len() - 1;
        // After a whole reach of calm nothing from before the movement is left: back to plain appending. Earlier, a
        // line could be fetched back again and again, and time would not be linear.
        let keep = if self.calm >= REACH { 1 } else { REACH };
        while self.rows.len() > keep
            && let Some(row) = self.rows.pop_front()
        {
            row.render(&mut self.done);
            self.done.push('\n');
        }
        self.row = self.rows.len() - 1;
    }

    fn up(&mut self, count: usize) {
        let column = self.resolve();
        self.calm = 0;
        let count = count.min(REACH);
        while self.row < count && self.rows.len() < REACH && self.done.pop().is_some() {
            let start = memchr::memrchr(b'\n', self.done.as_bytes()).map_or(0, |at| at + 1);
            self.rows
                .push_front(Row::plain(self.done.get(start..).unwrap_or_default()));
            self.done.truncate(start);
            self.row += 1;
        }
        self.row = self.row.saturating_sub(count);
        self.column = Column::At(column);
    }

    fn down(&mut self, count: usize) {
        let column = self.resolve();
        self.row = self
            .row
            .saturating_add(count)
            .min(self.rows.len().saturating_sub(1));
        self.column = Column::At(column);
    }

    /// Begins a new line at the bottom unless that is where the cursor is.
    fn break_line(&mut self) {
        self.row = self.rows.len().saturating_sub(1);
        self.column = Column::End;
        if !self.current().0.is_empty() {
            self.newline();
        }
    }
}

enum Replace {
    Keep,
    Drop,
    Spell(String),
}

/// What becomes of a character that is not for readers.
fn unsafe_name(c: char) -> Replace {
    match c {
        '\u{80}'..='\u{9F}' => Replace::Drop,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Replace::Spell(format!("<U+{:04X}>", u32::from(c)))
        }
        _ => Replace::Keep,
    }
}

/// Appends text, its C1 controls dropped and its reordering characters spelled out.
fn push_safe(mut text: &str, to: &mut String) {
    // In UTF-8 all of them begin with one of these bytes.
    let mut from = 0;
    while let Some(at) = memchr::memchr2(0xC2, 0xE2, text.as_bytes().get(from..).unwrap_or_default()) {
        let at = from + at;
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else {
            break;
        };
        let end = at + c.len_utf8();
        let replace = unsafe_name(c);
        if matches!(replace, Replace::Keep) {
            from = end;
            continue;
        }
        to.push_str(text.get(..at).unwrap_or_default());
        if let Replace::Spell(name) = replace {
            to.push_str(&name);
        }
        text = text.get(end..).unwrap_or_default();
        from = 0;
    }
    to.push_str(text);
}

#[cfg(test)]
mod tests;
