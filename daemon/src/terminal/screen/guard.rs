//! What a terminal emulator's parser is spared: strings without end, which it would keep, and titles in screen's way,
//! which it would show. Everything else passes as it came, whatever the pieces that it arrives in.

/// Longest payload of an operating system command that is passed on; a title is shorter (xterm takes 4 KiB).
const STRING_MAX: usize = 4 << 10; // 4 KiB

/// A filter on the way to an emulator.
#[derive(Debug, Default)]
pub(super) struct Guard {
    state: State,
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
    /// Passes on what of these bytes the emulator may have, in as few pieces as can be.
    pub(super) fn pass(&mut self, bytes: &[u8], mut on: impl FnMut(&[u8])) {
        // Everything before `from` was passed on, or is not to be.
        let (mut from, mut at) = (0, 0);
        while let Some((&byte, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) {
            match self.state {
                State::Text => {
                    self.state = if byte == ESC { State::Escape } else { State::Text };
                    at += 1;
                    if byte != ESC {
                        at += memchr::memchr(ESC, rest).unwrap_or(rest.len());
                    }
                }
                State::Escape => {
                    self.state = match byte {
                        b']' => State::Command(0),
                        // Other controls act at once, and the sequence goes on.
                        CAN | SUB | 0x20..=0x7e => State::Text,
                        _ => State::Escape,
                    };
                    if byte == b'k' {
                        on(bytes.get(from..at).unwrap_or_default());
                        // A string that ends like a title, and is not shown.
                        on(b"X");
                        from = at + 1;
                    }
                    at += 1;
                }
                State::Command(length) => {
                    let ends = |byte: &u8| matches!(*byte, BEL | CAN | SUB | ESC);
                    let tail = bytes.get(at..).unwrap_or_default();
                    let run = tail.iter().position(ends).unwrap_or(tail.len());
                    let room = STRING_MAX.saturating_sub(length);
                    if room < run {
                        on(bytes.get(from..at + room).unwrap_or_default());
                        from = at + run;
                    }
                    at += run;
                    self.state = match tail.get(run) {
                        Some(&ESC) => State::Escape,
                        Some(_) => State::Text,
                        None => State::Command(length.saturating_add(run)),
                    };
                    at += usize::from(run < tail.len());
                }
            }
        }
        on(bytes.get(from..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::new();
        Guard::default().pass(bytes, |some| passed.extend_from_slice(some));
        passed
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

    /// A string without end is cut to a bounded size, and what follows is whole.
    #[test]
    fn strings_are_cut() {
        let mut string = b"\x1b]0;".to_vec();
        string.resize(10 << 20, b'x');
        string.extend_from_slice(b"\x07after");
        let passed = whole(&string);
        assert!(passed.len() < STRING_MAX + 20);
        assert!(passed.ends_with(b"x\x07after"));
        // A control within the sequence that begins a string does not hide it.
        let passed = whole(&[b"\x1b\x01\x7f]0;", &*b"x".repeat(10_000)].concat());
        assert!(passed.len() < STRING_MAX + 20);
        assert_eq!(whole(b"a\x1bktitle\x1b\\b"), b"a\x1bXtitle\x1b\\b");
    }

    proptest! {
        /// However the bytes are cut, the same pass.
        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(
            prop_oneof![Just(ESC), Just(b']'), Just(BEL), Just(b'a'), Just(b'k'), any::<u8>()], 0..200),
            cut in 0_usize..200)
        {
            let cut = cut.min(bytes.len());
            let mut guard = Guard::default();
            let (left, right) = bytes.split_at(cut);
            let mut passed = Vec::new();
            guard.pass(left, |some| passed.extend_from_slice(some));
            guard.pass(right, |some| passed.extend_from_slice(some));
            prop_assert_eq!(passed, whole(&bytes));
        }
    }
}
