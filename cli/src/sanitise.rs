//! Takes out of foreign text what could drive the person's terminal. It decides nothing about where text goes.

/// Longest control sequence that is kept in mind; longer ones are dropped as they are.
const MAX_SEQUENCE: usize = 64;

/// One line: control characters and whole escape sequences are gone, line ends and tabs are blanks.
pub(crate) fn line(text: &str) -> String {
    inside_line(text).trim_end().to_owned()
}

/// A piece of a line: as `line`, but blanks at its end stay.
pub(crate) fn inside_line(text: &str) -> String {
    filtered(text, Keep::Nothing).replace(['\n', '\t'], " ")
}

/// Several lines: as `line`, but line ends and tabs stay.
pub(crate) fn text(text: &str) -> String {
    filtered(text, Keep::Nothing)
}

fn filtered(text: &str, keep: Keep) -> String {
    let mut filter = Filter::new(keep);
    let mut out = filter.feed(text.as_bytes());
    out.extend(filter.finish());
    String::from_utf8_lossy(&out).into_owned()
}

/// Makes JSON harmless on a terminal: what its writer leaves unescaped but a terminal may act on is written as `\u…`.
pub(crate) fn json(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_unsafe(c) {
            let mut units = [0_u16; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Controls, and the marks that reorder text so that it reads as something else.
const fn is_unsafe(c: char) -> bool {
    matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// What passes besides text, line ends and tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing.
    Nothing,
    /// Colours (SGR) and carriage returns: a command's output on a terminal.
    Colours,
}

/// A filter for a stream of bytes that may be cut anywhere.
#[derive(Debug)]
pub(crate) struct Filter {
    keep: Keep,
    state: State,
    /// A UTF-8 character of which bytes are still to come.
    partial: Vec<u8>,
    /// True if a colour was switched on since the last reset.
    coloured: bool,
}

#[derive(Debug)]
enum State {
    Text,
    /// Behind ESC, or between its intermediates.
    Escape,
    /// In a control sequence: its parameters so far.
    Control(Vec<u8>),
    /// In an operating system command or another string, until BEL, ST or the end of the line.
    String,
    /// In such a string, behind ESC.
    StringEscape,
}

impl Filter {
    /// A filter at the beginning of a stream.
    pub(crate) const fn new(keep: Keep) -> Self {
        Self {
            keep,
            state: State::Text,
            partial: Vec::new(),
            coloured: false,
        }
    }

    /// Passes on what is harmless of the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut input = std::mem::take(&mut self.partial);
        input.extend_from_slice(bytes);
        let mut out = String::with_capacity(input.len());
        let mut rest = input.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    valid.chars().for_each(|c| self.step(c, &mut out));
                    break;
                }
                Err(error) => {
                    let (valid, bad) = rest.split_at(error.valid_up_to());
                    String::from_utf8_lossy(valid)
                        .chars()
                        .for_each(|c| self.step(c, &mut out));
                    let Some(len) = error.error_len() else {
                        // The character goes on in the next piece.
                        self.partial = bad.to_vec();
                        break;
                    };
                    // A stray byte: on an 8-bit terminal it may be a control.
                    self.step(char::REPLACEMENT_CHARACTER, &mut out);
                    rest = bad.get(len..).unwrap_or_default();
                }
            }
        }
        out.into_bytes()
    }

    /// What is left at the end: half a character, and a reset if colours were left on.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if !std::mem::take(&mut self.partial).is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
        if std::mem::take(&mut self.coloured) {
            out.extend_from_slice(b"\x1b[0m");
        }
        self.state = State::Text;
        out
    }

    fn step(&mut self, c: char, out: &mut String) {
        let state = std::mem::replace(&mut self.state, State::Text);
        self.state = match (state, c) {
            // ESC begins anew wherever it comes, except that it may end a string.
            (State::Text | State::Escape | State::Control(_), '\x1b') => State::Escape,
            (State::Text, c) => self.text(c, out),
            (State::Escape, '[') => State::Control(Vec::new()),
            (State::Escape, ']' | 'P' | 'X' | '^' | '_') => State::String,
            (State::Escape, ' '..='/') => State::Escape,
            // The final character of a two-character sequence.
            (State::Escape, '0'..='~') => State::Text,
            // No sequence after all: controls count as they stand.
            (State::Escape, c) => self.text(c, out),
            (State::Control(seen), c @ ' '..='?') if seen.len() < MAX_SEQUENCE => {
                let mut seen = seen;
                seen.push(u8::try_from(c).unwrap_or(b'?'));
                State::Control(seen)
            }
            (State::Control(seen), 'm') => {
                self.colour(&seen, out);
                State::Text
            }
            (State::Control(_), '@'..='~') => State::Text,
            (State::Control(_), c) => self.text(c, out),
            (State::String, '\x07' | '\u{9c}' | '\x18' | '\x1a') => State::Text,
            (State::String | State::StringEscape, '\x1b') => State::StringEscape,
            // Nothing swallows more than its line, so that output cannot vanish behind an unfinished string.
            (State::String | State::StringEscape, '\n') => self.text('\n', out),
            (State::StringEscape, '\\') => State::Text,
            (State::String | State::StringEscape, _) => State::String,
        };
    }

    fn text(&self, c: char, out: &mut String) -> State {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if self.keep == Keep::Colours => out.push(c),
            // The one-character forms of ESC [ and of the strings.
            '\u{9b}' => return State::Control(Vec::new()),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => return State::String,
            c if is_unsafe(c) => {}
            c => out.push(c),
        }
        State::Text
    }

    fn colour(&mut self, parameters: &[u8], out: &mut String) {
        let plain = parameters
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'));
        if self.keep == Keep::Colours && plain {
            out.push_str("\x1b[");
            out.extend(parameters.iter().map(|byte| char::from(*byte)));
            out.push('m');
            self.coloured = !matches!(parameters, b"" | b"0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each trick that a host may play on a terminal, and what is left of it.
    #[test]
    fn hostile_text_is_disarmed() {
        for (from, colours, nothing) in [
            ("plain\ttext\n", "plain\ttext\n", "plain\ttext\n"),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m", "red"),
            ("\x1b[38;2;1;2;3mx\x1b[m", "\x1b[38;2;1;2;3mx\x1b[m", "x"),
            ("10%\r20%", "10%\r20%", "10%20%"),
            ("\x1b[2J\x1b[1;1Hgone", "gone", "gone"),
            ("\x1b]0;title\x07after", "after", "after"),
            ("\x1b]52;c;ZXZpbA==\x1b\\after", "after", "after"),
            ("\x1bP+q544e\x1b\\after", "after", "after"),
            ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click", "click"),
            ("\u{9b}2Jafter", "after", "after"),
            ("\u{9d}0;t\u{9c}after", "after", "after"),
            ("\x1b[>4;2mx", "x", "x"),
            ("\x1b[?1049hx", "x", "x"),
            ("\x1b(0x\x1bcx", "xx", "xx"),
            ("\x1b]never ended\nnext", "\nnext", "\nnext"),
            ("a\x08b\x07c\x00d\x7f", "abcd", "abcd"),
            ("\u{202e}txt.exe", "txt.exe", "txt.exe"),
            ("\x1b[31\x1b[2Jm", "m", "m"),
            ("ünïcödé 日本", "ünïcödé 日本", "ünïcödé 日本"),
        ] {
            assert_eq!(filtered(from, Keep::Colours), colours, "{from:?} with colours");
            assert_eq!(filtered(from, Keep::Nothing), nothing, "{from:?}");
        }
        assert_eq!(line("a\nb\tc\n"), "a b c");
    }

    /// Where a stream is cut makes no difference.
    #[test]
    fn cuts_do_not_matter() {
        let input = "é\x1b[1;31mred\x1b[0m\x1b]0;t\x07日\u{9b}1mx\x1b[0m\n".as_bytes();
        let whole = Filter::new(Keep::Colours).feed(input);
        for cut in 0..=input.len() {
            let (a, b) = input.split_at(cut);
            let mut filter = Filter::new(Keep::Colours);
            let mut out = filter.feed(a);
            out.extend(filter.feed(b));
            out.extend(filter.finish());
            assert_eq!(out, whole, "cut at {cut}");
        }
    }

    /// Bytes that are no UTF-8 become the replacement character, and colours do not outlive the output.
    #[test]
    fn ends_and_stray_bytes() {
        let mut filter = Filter::new(Keep::Colours);
        assert_eq!(filter.feed(b"a\x9b2Jb"), "a\u{fffd}2Jb".as_bytes());
        assert_eq!(filter.feed(b"\x1b[32mgreen\xc3"), b"\x1b[32mgreen");
        assert_eq!(filter.finish(), "\u{fffd}\x1b[0m".as_bytes());
    }

    /// JSON stays the same JSON.
    #[test]
    fn json_is_escaped_and_equal() {
        let value = serde_json::json!({"a": "x\u{9b}2J\u{202e}y\x7f é"});
        let safe = json(&value.to_string());
        assert!(!safe.contains('\u{9b}') && !safe.contains('\u{202e}'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }
}
