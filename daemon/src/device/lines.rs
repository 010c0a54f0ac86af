//! Lines as a terminal without wrapping would show them: what a pager or an editor draws over is not there any more.
//! Bounded by the length of a line.

/// Characters of one line; what is longer comes in pieces.
const LINE_MAX: usize = 16 << 10; // 16 Ki
/// Parameters of a sequence that are kept.
const PARAMETERS_MAX: usize = 32;

/// The line that is being written, and how far its sequence has come.
#[derive(Debug, Default)]
pub struct Lines {
    cells: Vec<char>,
    column: usize,
    /// Something in it was drawn over: spaces at its end are what is left of that.
    is_redrawn: bool,
    partial: Vec<u8>,
    escape: Escape,
}

#[derive(Debug, Default)]
enum Escape {
    #[default]
    None,
    Began,
    /// One more byte belongs to it.
    One,
    Csi(String),
    /// Until BEL or ST; true behind an ESC.
    String(bool),
}

impl Lines {
    /// Takes bytes in; the lines that ended with them.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut ended = Vec::new();
        self.partial.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.partial);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (text, skipped) = match std::str::from_utf8(rest) {
                Ok(text) => (text, None),
                Err(error) => {
                    let (good, _) = rest.split_at(error.valid_up_to());
                    (
                        std::str::from_utf8(good).unwrap_or_default(),
                        Some(error.error_len()),
                    )
                }
            };
            for c in text.chars() {
                self.take(c, &mut ended);
            }
            rest = rest.get(text.len()..).unwrap_or_default();
            match skipped {
                None => {}
                // The rest of the character is on its way.
                Some(None) => {
                    self.partial = rest.to_vec();
                    break;
                }
                Some(Some(bad)) => {
                    self.take(char::REPLACEMENT_CHARACTER, &mut ended);
                    rest = rest.get(bad..).unwrap_or_default();
                }
            }
        }
        ended
    }

    /// The line that has not ended, without spaces at its end.
    pub fn tail(&self) -> String {
        self.cells.iter().collect::<String>().trim_end().to_owned()
    }

    /// What the unfinished line shows is no part of what comes: as if it were empty.
    pub fn forget_tail(&mut self) {
        self.cells.clear();
        self.column = 0;
        self.is_redrawn = false;
    }

    /// Ends the unfinished line before what it ends with; what stood there.
    pub fn end_before(&mut self, end: &str) -> Option<String> {
        let tail = self.tail();
        let before = tail.strip_suffix(end)?;
        let count = before.chars().count();
        self.cells.drain(..count.min(self.cells.len()));
        self.column = self.column.saturating_sub(count);
        Some(before.to_owned())
    }

    fn take(&mut self, c: char, ended: &mut Vec<String>) {
        match std::mem::take(&mut self.escape) {
            Escape::None => self.plain(c, ended),
            Escape::Began => match c {
                '[' => self.escape = Escape::Csi(String::new()),
                ']' | 'P' | 'X' | '^' | '_' => self.escape = Escape::String(false),
                '(' | ')' | '#' | '%' => self.escape = Escape::One,
                'E' => self.end(ended),
                _ => {}
            },
            Escape::One => {}
            Escape::Csi(mut parameters) => match c {
                '\u{40}'..='\u{7e}' => self.control(&parameters, c),
                // A line end within it is none of it.
                '\n' | '\r' => self.plain(c, ended),
                _ if parameters.len() < PARAMETERS_MAX => {
                    parameters.push(c);
                    self.escape = Escape::Csi(parameters);
                }
                _ => {}
            },
            Escape::String(was_escape) => {
                if c != '\u{7}' && !(was_escape && c == '\\') && c != '\n' {
                    self.escape = Escape::String(c == '\u{1b}');
                }
            }
        }
    }

    fn plain(&mut self, c: char, ended: &mut Vec<String>) {
        match c {
            '\n' => self.end(ended),
            '\r' => self.column = 0,
            '\u{8}' => self.column = self.column.saturating_sub(1),
            '\u{1b}' => self.escape = Escape::Began,
            '\t' => self.put(c),
            c if c.is_control() => {}
            c => self.put(c),
        }
        if self.cells.len() >= LINE_MAX {
            self.end(ended);
        }
    }

    fn put(&mut self, c: char) {
        while self.cells.len() < self.column {
            self.cells.push(' ');
        }
        match self.cells.get_mut(self.column) {
            Some(cell) => {
                *cell = c;
                self.is_redrawn = true;
            }
            None => self.cells.push(c),
        }
        self.column += 1;
    }

    fn control(&mut self, parameters: &str, last: char) {
        let mut numbers = parameters
            .split(';')
            .map(|text| text.parse::<usize>().unwrap_or(0));
        let first = numbers.next().unwrap_or(0);
        let steps = first.clamp(1, LINE_MAX);
        match last {
            'C' => self.column = (self.column + steps).min(LINE_MAX - 1),
            'D' => self.column = self.column.saturating_sub(steps),
            'G' => self.column = steps - 1,
            'H' | 'f' => self.column = numbers.next().unwrap_or(0).clamp(1, LINE_MAX) - 1,
            'K' | 'J' => {
                self.is_redrawn = true;
                match first {
                    0 => self.cells.truncate(self.column),
                    1 => {
                        let until = self.column.saturating_add(1);
                        self.cells.iter_mut().take(until).for_each(|cell| *cell = ' ');
                    }
                    _ => self.cells.clear(),
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, ended: &mut Vec<String>) {
        let mut line: String = self.cells.drain(..).collect();
        if self.is_redrawn {
            line.truncate(line.trim_end().len());
        }
        self.column = 0;
        self.is_redrawn = false;
        ended.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> (Vec<String>, String) {
        let whole = {
            let mut lines = Lines::default();
            (lines.feed(bytes), lines.tail())
        };
        let mut lines = Lines::default();
        let each: Vec<String> = bytes.chunks(1).flat_map(|byte| lines.feed(byte)).collect();
        assert_eq!((each, lines.tail()), whole, "byte by byte as in one");
        whole
    }

    /// What pagers of real devices write, and how they take it away again.
    #[test]
    fn pagers_leave_nothing() {
        let table: [&[u8]; 6] = [
            b"one\r\n --More-- \x08\x08\x08\x08\x08\x08\x08\x08\x08\x08          \x08\x08\x08\x08\x08\x08\x08\x08\x08\x08two\r\n",
            b"one\r\n  ---- More ----\x1b[16D                \x1b[16Dtwo\r\n",
            b"one\r\n---(more 35%)---\r                                        \rtwo\r\n",
            b"one\r\n-- MORE --, next page: Space, next line: Enter, quit: Control-C\r\x1b[2K\rtwo\r\n",
            b"one\r\n\x1b[7m--More--\x1b[0m\r\x1b[Ktwo\r\n",
            b"one\n\r<--- More --->\r              \rtwo\r\n",
        ];
        for bytes in table {
            let (lines, tail) = all(bytes);
            assert_eq!((lines, tail.as_str()), (vec!["one".into(), "two".into()], ""));
        }
    }

    /// An output whose last line has no end is told from the prompt behind it.
    #[test]
    fn a_line_is_ended_before_the_prompt() {
        let mut lines = Lines::default();
        assert!(lines.feed("one gr\u{fc}n R1# ".as_bytes()).is_empty());
        assert_eq!(lines.end_before("R2#"), None);
        assert_eq!(lines.end_before("R1#").as_deref(), Some("one gr\u{fc}n "));
        assert_eq!(lines.tail(), "R1#");
        assert_eq!(lines.feed(b"show\r\n"), ["R1# show"]);
    }

    /// Spaces that a line has are its own; bad bytes and endless sequences harm nothing.
    #[test]
    fn lines_stay_as_they_are() {
        assert_eq!(all(b"a  \r\nb").0, ["a  "]);
        assert_eq!(all("gr\u{fc}n\r\n".as_bytes()).0, ["gr\u{fc}n"]);
        assert_eq!(all(b"a\xffb\r\n").0, ["a\u{fffd}b"]);
        assert_eq!(all(b"\x1b]0;title\x07a\r\n").0, ["a"]);
        assert!(all(b"\x1b[99999999999999Ca").1.len() <= LINE_MAX);
        let long = vec![b'x'; LINE_MAX * 3 + 5];
        assert_eq!(all(&long).0.len(), 3);
    }
}
