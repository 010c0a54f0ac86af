//! A terminal's bytes into the lines of a transcript, which are never written twice nor taken back. What a program draws
//! over and over is written as it stands when it rests. Pure; bounded by the lines that may still change.

use crate::terminal::clean::Cleaner;

/// Lines that a cursor may still go back to, in bytes: progress displays of several rows are redrawn in place.
const EDITABLE: usize = 4 << 10; // 4 KiB
/// Longest line that is held back: longer ones are written in pieces.
const LINE_MAX: usize = 64 << 10; // 64 KiB
/// Fed at once.
const PIECE: usize = 16 << 10; // 16 KiB

/// The text of one session so far.
#[derive(Debug, Default)]
pub(super) struct Text {
    cleaner: Cleaner,
    /// What of the last line is in the file already.
    written: String,
    /// Bytes since something could last be written.
    held: usize,
}

impl Text {
    /// Takes bytes in, and gives out the lines that nothing is likely to change.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut String) {
        for piece in bytes.chunks(PIECE) {
            self.cleaner.feed(piece);
            self.held += piece.len();
            let lines = self.cleaner.take_settled(EDITABLE);
            if !lines.is_empty() {
                self.emit(&lines, out);
                self.held = EDITABLE + piece.len();
            } else if self.held > LINE_MAX {
                let all = self.cleaner.take_all();
                self.emit(&all, out);
                self.written.clear();
                self.held = 0;
            }
        }
    }

    /// Gives out every line but the last, which a program may be drawing over.
    pub(super) fn lines(&mut self, out: &mut String) {
        let lines = self.cleaner.take_lines();
        self.emit(&lines, out);
    }

    /// Gives out all there is. If the last line becomes another after this, it is written again, as a line of its own.
    pub(super) fn settle(&mut self, out: &mut String) {
        self.lines(out);
        let last = self.cleaner.last_line();
        // Blanks at the end come and go as a line is edited.
        if last.trim_end() != self.written.trim_end() {
            if last.is_empty() {
                out.push('\n');
            }
            self.emit(&last, out);
            self.written = last;
        }
        self.held = 0;
    }

    /// Gives out all there is and ends the line.
    pub(super) fn end_line(&mut self, out: &mut String) {
        self.settle(out);
        if !self.written.is_empty() {
            out.push('\n');
        }
        self.cleaner = Cleaner::new();
        self.written.clear();
    }

    /// The file does not end with a line end.
    pub(super) fn is_within_line(&self) -> bool {
        !self.written.is_empty()
    }

    fn emit(&mut self, text: &str, out: &mut String) {
        if text.is_empty() {
            return;
        }
        let written = std::mem::take(&mut self.written);
        let without_blanks = text.strip_prefix(written.trim_end());
        if let Some(rest) = text.strip_prefix(&*written) {
            out.push_str(rest);
        } else if let Some(rest) = without_blanks.filter(|rest| rest.starts_with('\n')) {
            out.push_str(rest);
        } else {
            out.push('\n');
            out.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::terminal::clean::clean;

    fn all(pieces: &[&str], settle: bool) -> String {
        let (mut text, mut out) = (Text::default(), String::new());
        for piece in pieces {
            text.feed(piece.as_bytes(), &mut out);
            if settle {
                text.settle(&mut out);
            }
        }
        text.end_line(&mut out);
        out
    }

    /// However often it is settled, typing, prompts and output are there once.
    #[test]
    fn nothing_twice() {
        let pieces = [
            "$ ",
            "l",
            "\x08ls",
            "\r\n",
            "a\r\nb\r\n",
            "$ ",
            "\x1b]0;t",
            "itle\x07",
            "x\x1b[31m\r\n",
            "end",
        ];
        for settle in [false, true] {
            assert_eq!(all(&pieces, settle), "$ ls\na\nb\n$ x\nend\n");
        }
        assert_eq!(all(&["10%", "\r20%", "\r30%\r\n"], false), "30%\n");
        assert_eq!(all(&["10%", "\r20%", "\r30%\r\n"], true), "10%\n20%\n30%\n");
        assert_eq!(all(&["10%", "\r\x1b[K", "done\r\n"], true), "10%\ndone\n");
        assert_eq!(all(&["$ ", "\r$\x1b[K", " \r\x1b[2C", "ls\r\n"], true), "$ ls\n");
    }

    /// A display of several rows that is drawn again in place is written as it stands when it rests.
    #[test]
    fn drawn_in_place() {
        let mut pieces = vec!["a 1\r\nb 1\r\n"];
        pieces.extend(["\x1b[2Aa 2\r\nb 2\r\n"; 50]);
        assert_eq!(all(&pieces, false), "a 2\nb 2\n");
    }

    /// A line without an end is written in pieces, and little is held.
    #[test]
    fn long_lines() {
        let (mut text, mut out) = (Text::default(), String::new());
        let line = "x".repeat(10 * LINE_MAX);
        for piece in line.as_bytes().chunks(1000) {
            text.feed(piece, &mut out);
        }
        assert!(out.len() > line.len() - 2 * LINE_MAX);
        text.feed(b"\r\nnext\r\n", &mut out);
        text.end_line(&mut out);
        assert_eq!(out, format!("{line}\nnext\n"));
    }

    proptest! {
        /// Without movement the transcript is the clean text, whatever the pieces and wherever it is settled.
        #[test]
        fn text_is_kept(
            lines in prop::collection::vec("[a-zé漢 ]{0,30}", 0..200),
            size in 1_usize..400,
            every in 1_usize..9,
        ) {
            let whole = lines.join("\r\n");
            let (mut text, mut out) = (Text::default(), String::new());
            for (number, piece) in whole.as_bytes().chunks(size).enumerate() {
                text.feed(piece, &mut out);
                if number % every == 0 {
                    text.settle(&mut out);
                }
            }
            text.end_line(&mut out);
            let clean = clean(whole.as_bytes());
            prop_assert_eq!(out.trim_end(), clean.trim_end());
        }
    }
}
