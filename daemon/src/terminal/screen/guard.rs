//! What a terminal emulator is spared: strings and heaps of combining characters that would grow its memory without
//! bound. Everything else passes as it came, whatever the pieces that it arrives in.

use unicode_width::UnicodeWidthChar as _;

/// Longest payload of an operating system command that is passed on; a title or a link is shorter (xterm takes 4 KiB).
const STRING_MAX: usize = 4 << 10; // 4 KiB
/// Zero-width characters in a row that are passed on; scripts that need several a letter need fewer than this.
const ZERO_WIDTH_MAX: usize = 8;

/// A filter on the way to an emulator.
#[derive(Debug, Default)]
pub(super) struct Guard {
    state: State,
    /// Bytes of a character that is not complete yet.
    partial: Vec<u8>,
    zero_width: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    /// Within an operating system command of so many bytes.
    Command(usize),
}

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

impl Guard {
    /// What of these bytes the emulator may have.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            if self.state == State::Text && self.partial.is_empty() {
                // Most of all output: plain text and sequences that end by themselves.
                let plain = rest
                    .iter()
                    .position(|byte| *byte == ESC || *byte >= 0x80)
                    .unwrap_or(rest.len());
                if plain > 0 {
                    self.zero_width = 0;
                    let (text, tail) = rest.split_at(plain);
                    passed.extend_from_slice(text);
                    rest = tail;
                    continue;
                }
            }
            rest = tail;
            self.take(byte, &mut passed);
        }
        passed
    }

    fn take(&mut self, byte: u8, passed: &mut Vec<u8>) {
        match self.state {
            State::Text if byte == ESC => {
                self.flush(passed);
                self.state = State::Escape;
                passed.push(byte);
            }
            State::Text if byte >= 0x80 => self.character(byte, passed),
            State::Text => {
                self.flush(passed);
                self.zero_width = 0;
                passed.push(byte);
            }
            State::Escape => {
                self.state = match byte {
                    b']' => State::Command(0),
                    ESC => State::Escape,
                    _ => State::Text,
                };
                passed.push(byte);
            }
            State::Command(length) => {
                let ends = matches!(byte, BEL | CAN | SUB | ESC);
                self.state = match byte {
                    ESC => State::Escape,
                    BEL | CAN | SUB => State::Text,
                    _ => State::Command(length.saturating_add(1)),
                };
                if ends || length < STRING_MAX {
                    passed.push(byte);
                }
            }
        }
    }

    /// Collects a character of several bytes, and passes it unless too many without width came before it.
    fn character(&mut self, byte: u8, passed: &mut Vec<u8>) {
        let continues = byte & 0xc0 == 0x80;
        if !continues {
            self.flush(passed);
        }
        self.partial.push(byte);
        let whole = std::str::from_utf8(&self.partial)
            .ok()
            .and_then(|text| text.chars().next());
        match whole {
            Some(character) => {
                let is_zero_width = character.width() == Some(0);
                self.zero_width = if is_zero_width { self.zero_width + 1 } else { 0 };
                if self.zero_width <= ZERO_WIDTH_MAX {
                    passed.extend_from_slice(&self.partial);
                }
                self.partial.clear();
            }
            // Not a character, and no beginning of one: the emulator shows that it is not.
            None if self.partial.len() >= 4 || (continues && self.partial.len() == 1) => self.flush(passed),
            None => {}
        }
    }

    fn flush(&mut self, passed: &mut Vec<u8>) {
        passed.append(&mut self.partial);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Vec<u8> {
        Guard::default().pass(bytes)
    }

    /// Text, colours, titles, wide and broken characters pass as they are.
    #[test]
    fn ordinary_output_passes() {
        for text in [
            "plain\r\n\x1b[31mred\x1b[0m\x1b]0;title\x07",
            "e\u{301} \u{4f60}\u{597d} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
        ] {
            assert_eq!(whole(text.as_bytes()), text.as_bytes());
        }
        assert_eq!(whole(b"\xff\xfe\xc3(\x80x"), b"\xff\xfe\xc3(\x80x");
    }

    /// A string without end and a heap of accents are cut to a bounded size, and what follows is whole.
    #[test]
    fn bombs_are_cut() {
        let mut string = b"\x1b]0;".to_vec();
        string.resize(10 << 20, b'x');
        string.extend_from_slice(b"\x07after");
        let passed = whole(&string);
        assert!(passed.len() < STRING_MAX + 20);
        assert!(passed.ends_with(b"x\x07after"));
        let accents = format!("e{}f", "\u{301}".repeat(100_000));
        let passed = whole(accents.as_bytes());
        assert_eq!(passed.len(), 2 + 2 * ZERO_WIDTH_MAX);
    }

    proptest! {
        /// However the bytes are cut, the same pass.
        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(
            prop_oneof![Just(ESC), Just(b']'), Just(BEL), Just(b'a'), Just(0xcc_u8), Just(0x81_u8), any::<u8>()], 0..200),
            cut in 0_usize..200)
        {
            let cut = cut.min(bytes.len());
            let mut guard = Guard::default();
            let (left, right) = bytes.split_at(cut);
            let mut passed = guard.pass(left);
            passed.extend(guard.pass(right));
            prop_assert_eq!(passed, whole(&bytes));
        }
    }
}
