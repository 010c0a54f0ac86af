//! UTF-8 at the edges of chunks: where bytes may be cut, and lossy decoding that never depends on how they arrived.
//! Nothing here knows about columns or combining characters.

/// Longest prefix of `bytes` that ends in no unfinished character. Invalid bytes are not unfinished: they are kept.
pub fn complete_prefix(bytes: &[u8]) -> usize {
    let len = bytes.len();
    // A character has at most four bytes, so an unfinished one began in the last three.
    for back in 1..=3.min(len) {
        let start = len - back;
        let rest = bytes.get(start..).unwrap_or_default();
        let Some(&lead) = rest.first() else { break };
        if is_continuation(lead) {
            continue;
        }
        return if is_unfinished(rest) { start } else { len };
    }
    len
}

/// How many bytes at the start of `bytes` continue a character that began before them (0 to 3).
pub fn leading_continuations(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take(3)
        .take_while(|&&byte| is_continuation(byte))
        .count()
}

/// Whether `byte` can only be the second, third or fourth of a character.
pub const fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// Whether these bytes are a valid beginning of one character that more bytes could finish.
fn is_unfinished(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => false,
        Err(error) => error.valid_up_to() == 0 && error.error_len().is_none(),
    }
}

/// Decodes a stream of bytes as [`String::from_utf8_lossy`] would decode them in one piece.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// An unfinished character: a valid beginning of at most three bytes.
    pending: Vec<u8>,
}

impl Decoder {
    /// Appends to `text` what `bytes` decode to; an unfinished last character waits for the next call.
    pub fn feed(&mut self, mut bytes: &[u8], text: &mut String) {
        while !self.pending.is_empty() {
            let Some((&first, rest)) = bytes.split_first() else {
                return;
            };
            self.pending.push(first);
            match std::str::from_utf8(&self.pending) {
                Ok(whole) => {
                    text.push_str(whole);
                    self.pending.clear();
                    bytes = rest;
                }
                Err(error) if error.error_len().is_none() => bytes = rest,
                Err(_) => {
                    // The new byte does not continue the character: it is looked at again, on its own.
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.pending.clear();
                }
            }
        }
        loop {
            match std::str::from_utf8(bytes) {
                Ok(whole) => return text.push_str(whole),
                Err(error) => {
                    let (good, bad) = bytes.split_at(error.valid_up_to());
                    text.push_str(std::str::from_utf8(good).unwrap_or_default());
                    let Some(skip) = error.error_len() else {
                        self.pending.extend_from_slice(bad);
                        return;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    bytes = bad.get(skip..).unwrap_or_default();
                }
            }
        }
    }

    /// The stream ended, or something other than text came: an unfinished character becomes U+FFFD.
    pub fn finish(&mut self, text: &mut String) {
        if !self.pending.is_empty() {
            self.pending.clear();
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }

    /// Whether no character is unfinished.
    pub fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cuts fall before an unfinished character and nowhere else.
    #[test]
    fn cuts() {
        for (bytes, cut) in [
            (&b""[..], 0),
            (b"abc", 3),
            ("aé".as_bytes(), 3),
            (b"a\xC3", 1),
            (b"a\xE2\x82", 1),
            (b"a\xF0\x9F\x98", 1),
            ("a😀".as_bytes(), 5),
            (b"a\xFF", 2),
            (b"a\x80\x80\x80\x80", 5),
            (b"a\xE2\x28", 3),
            // Never the beginning of a valid character: overlong and surrogate.
            (b"a\xE0\x80", 3),
            (b"a\xED\xA0", 3),
        ] {
            assert_eq!(complete_prefix(bytes), cut, "{bytes:?}");
        }
    }

    proptest! {
        /// Decoding in any pieces gives what decoding in one piece gives.
        #[test]
        fn pieces_do_not_matter(
            bytes in prop::collection::vec(prop_oneof![
                any::<u8>(), Just(0xF0), Just(0x9F), Just(0x98), Just(0x80), Just(0xE2), Just(b'a'),
            ], 0..60),
            size in 1_usize..7,
        ) {
            let mut decoder = Decoder::default();
            let mut text = String::new();
            for chunk in bytes.chunks(size) {
                decoder.feed(chunk, &mut text);
            }
            decoder.finish(&mut text);
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }

        /// A prefix cut here is as valid as the whole.
        #[test]
        fn cut_text_is_valid(text in "\\PC{0,20}", at in 0_usize..80) {
            let bytes = text.as_bytes();
            let part = &bytes[..at.min(bytes.len())];
            prop_assert!(std::str::from_utf8(&part[..complete_prefix(part)]).is_ok());
        }
    }
}
