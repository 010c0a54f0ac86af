//! Bytes of files as text and back: the few encodings that configuration files have, and base64 for all else. Where a piece of
//! a file is read, no character is cut in two.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sshmcp_proto::error::Fault;

use crate::arguments::invalid;

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Latin1,
    Ascii,
    /// With a mark at the beginning that tells the order of bytes, or little-endian.
    Utf16,
    Utf16Le,
    Utf16Be,
    Base64,
}

/// What becomes of what an encoding cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errors {
    Strict,
    Replace,
    Ignore,
}

/// Text, and which bytes it stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) encoding: Encoding,
    /// Bytes before it that belong to a character that began earlier.
    pub(crate) skipped: usize,
    /// Bytes behind it that begin a character that ends later.
    pub(crate) left: usize,
    /// Something was replaced or left out.
    pub(crate) is_damaged: bool,
}

/// More characters than one in eight that JSON writes with six: much of such a text is data.
const CONTROLS: usize = 8;
/// Bytes that JSON may make six times as long all the same.
const LITTLE: usize = 64 << 10; // 64 KiB

impl Encoding {
    /// By its name, as Python and people write it.
    pub(crate) fn named(name: &str) -> Result<Self, Fault> {
        let plain: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        Ok(match &*plain {
            "utf8" | "u8" => Self::Utf8,
            "latin1" | "iso88591" | "l1" => Self::Latin1,
            "ascii" | "usascii" => Self::Ascii,
            "utf16" | "u16" => Self::Utf16,
            "utf16le" => Self::Utf16Le,
            "utf16be" => Self::Utf16Be,
            "base64" => Self::Base64,
            _ => {
                return Err(invalid(format!(
                    "no encoding is called `{}` here",
                    crate::render::line(name)
                ))
                .hint("there are utf-8, latin-1, ascii, utf-16, utf-16-le, utf-16-be and base64"));
            }
        })
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Latin1 => "latin-1",
            Self::Ascii => "ascii",
            Self::Utf16 => "utf-16",
            Self::Utf16Le => "utf-16-le",
            Self::Utf16Be => "utf-16-be",
            Self::Base64 => "base64",
        }
    }

    /// Text as bytes.
    pub(crate) fn encode(self, text: &str, errors: Errors) -> Result<Vec<u8>, Fault> {
        let limit = match self {
            Self::Utf8 => return Ok(text.as_bytes().to_vec()),
            Self::Base64 => return from_base64(text),
            Self::Utf16 => {
                let marked: Vec<u8> = [0xff, 0xfe]
                    .into_iter()
                    .chain(utf16(text, u16::to_le_bytes))
                    .collect();
                return Ok(marked);
            }
            Self::Utf16Le => return Ok(utf16(text, u16::to_le_bytes).collect()),
            Self::Utf16Be => return Ok(utf16(text, u16::to_be_bytes).collect()),
            Self::Latin1 => u32::from(u8::MAX),
            Self::Ascii => 127,
        };
        let mut bytes = Vec::with_capacity(text.len());
        for c in text.chars() {
            match (
                u8::try_from(u32::from(c))
                    .ok()
                    .filter(|byte| u32::from(*byte) <= limit),
                errors,
            ) {
                (Some(byte), _) => bytes.push(byte),
                (None, Errors::Replace) => bytes.push(b'?'),
                (None, Errors::Ignore) => {}
                (None, Errors::Strict) => {
                    return Err(invalid(format!(
                        "the text has characters that {} cannot write; nothing was done",
                        self.name()
                    ))
                    .hint("use utf-8, or `errors`: replace or ignore"));
                }
            }
        }
        Ok(bytes)
    }

    /// A piece of a file as text; `more` if something follows it, `inside` if something is before it.
    pub(crate) fn decode(
        self,
        bytes: &[u8],
        errors: Errors,
        inside: bool,
        more: bool,
    ) -> Result<Decoded, Fault> {
        let (skipped, left) = match self {
            Self::Utf8 => (
                if inside { begun_before(bytes) } else { 0 },
                if more { begun_at_the_end(bytes) } else { 0 },
            ),
            Self::Utf16 if more && bytes.starts_with(&[0xfe, 0xff]) => {
                (0, begun_in_utf16(bytes, u16::from_be_bytes))
            }
            Self::Utf16 | Self::Utf16Le if more => (0, begun_in_utf16(bytes, u16::from_le_bytes)),
            Self::Utf16Be if more => (0, begun_in_utf16(bytes, u16::from_be_bytes)),
            _ => (0, 0),
        };
        let end = bytes.len().saturating_sub(left);
        let middle = bytes.get(skipped..end).unwrap_or_default();
        let (text, is_damaged) = match self {
            Self::Base64 => (STANDARD.encode(middle), false),
            Self::Utf8 => from_utf8(middle, errors),
            Self::Latin1 => (middle.iter().copied().map(char::from).collect(), false),
            Self::Ascii => from_ascii(middle, errors),
            Self::Utf16 => match middle.strip_prefix(&[0xfe, 0xff]) {
                Some(rest) => from_utf16(rest, u16::from_be_bytes, errors),
                None => {
                    let rest = middle.strip_prefix(&[0xff, 0xfe]).unwrap_or(middle);
                    from_utf16(rest, u16::from_le_bytes, errors)
                }
            },
            Self::Utf16Le => from_utf16(middle, u16::from_le_bytes, errors),
            Self::Utf16Be => from_utf16(middle, u16::from_be_bytes, errors),
        };
        if is_damaged && errors == Errors::Strict {
            return Err(invalid(format!("the file is not {}", self.name()))
                .hint("leave `encoding` and `errors` out: then it comes as base64"));
        }
        Ok(Decoded {
            text,
            encoding: self,
            skipped,
            left,
            is_damaged,
        })
    }
}

/// UTF-8 if it is that and has no NUL, which texts have not and clients take ill; else base64, as is much that JSON would
/// make far longer.
pub(crate) fn guess(bytes: &[u8], inside: bool, more: bool) -> Result<Decoded, Fault> {
    let is_text = |text: &str| {
        let controls = || {
            text.chars()
                .filter(|c| c.is_control() && !c.is_whitespace())
                .count()
        };
        !text.contains('\0') && (text.len() <= LITTLE || controls().saturating_mul(CONTROLS) <= text.len())
    };
    match Encoding::Utf8.decode(bytes, Errors::Strict, inside, more) {
        Ok(decoded) if is_text(&decoded.text) => Ok(decoded),
        _ => Encoding::Base64.decode(bytes, Errors::Strict, inside, more),
    }
}

impl Errors {
    pub(crate) fn named(name: &str) -> Result<Self, Fault> {
        match name {
            "strict" => Ok(Self::Strict),
            "replace" => Ok(Self::Replace),
            "ignore" => Ok(Self::Ignore),
            _ => Err(invalid("`errors` must be one of strict, replace, ignore")
                .hint("call again with one of these")),
        }
    }
}

fn from_base64(text: &str) -> Result<Vec<u8>, Fault> {
    let plain: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(plain).map_err(|_| {
        invalid("the text is no base64; nothing was done")
            .hint("encode it as RFC 4648 has it, with + and / and padding")
    })
}

/// Bytes at the beginning that only go on with a character.
fn begun_before(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take(3)
        .take_while(|byte| **byte & 0xc0 == 0x80)
        .count()
}

/// Bytes at the end that begin a character and do not end it.
fn begun_at_the_end(bytes: &[u8]) -> usize {
    for (back, byte) in (1..=3).zip(bytes.iter().rev()) {
        let length = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if length > back { back } else { 0 };
    }
    0
}

/// The same in UTF-16: half a unit, and a unit of which another is the second half.
fn begun_in_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> usize {
    let (units, rest) = bytes.as_chunks::<2>();
    let last = units.last().map(|pair| unit(*pair));
    let is_half = last.is_some_and(|unit| (0xd800..0xdc00).contains(&unit));
    rest.len() + if is_half { 2 } else { 0 }
}

fn from_utf8(bytes: &[u8], errors: Errors) -> (String, bool) {
    let (mut text, mut is_damaged) = (String::with_capacity(bytes.len()), false);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            is_damaged = true;
            if errors == Errors::Replace {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
    (text, is_damaged)
}

fn from_ascii(bytes: &[u8], errors: Errors) -> (String, bool) {
    let of = |byte: &u8| match (byte.is_ascii(), errors) {
        (true, _) => Some(char::from(*byte)),
        (false, Errors::Replace) => Some(char::REPLACEMENT_CHARACTER),
        (false, Errors::Ignore | Errors::Strict) => None,
    };
    (bytes.iter().filter_map(of).collect(), !bytes.is_ascii())
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, errors: Errors) -> (String, bool) {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut is_damaged = !rest.is_empty();
    let mut text = String::with_capacity(units.len());
    for one in char::decode_utf16(units.iter().map(|pair| unit(*pair))) {
        match one {
            Ok(c) => text.push(c),
            Err(_) => {
                is_damaged = true;
                if errors == Errors::Replace {
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
    }
    if !rest.is_empty() && errors == Errors::Replace {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    (text, is_damaged)
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> impl Iterator<Item = u8> {
    text.encode_utf16().flat_map(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is encoded comes back, in every encoding that has the characters.
    #[test]
    fn there_and_back() {
        for (name, text) in [
            ("UTF-8", "grün €😀\n"),
            ("utf_16", "grün €😀"),
            ("utf-16-be", "grün €😀"),
            ("utf-16le", "grün €😀"),
            ("latin-1", "grün\u{80}\u{ff}"),
            ("ISO-8859-1", "grün"),
            ("us-ascii", "plain"),
            ("base64", "AP8="),
        ] {
            let encoding = Encoding::named(name).expect("known");
            let bytes = encoding.encode(text, Errors::Strict).expect("it has them");
            let back = encoding
                .decode(&bytes, Errors::Strict, false, false)
                .expect("it is that");
            assert_eq!((&*back.text, back.is_damaged), (text, false), "{name}");
        }
        assert_eq!(
            Encoding::Base64.encode("AP8=", Errors::Strict).expect("base64"),
            [0, 255]
        );
        assert_eq!(
            Encoding::Utf16.encode("a", Errors::Strict).expect("fits"),
            [0xff, 0xfe, b'a', 0]
        );
        assert!(Encoding::named("koi8-r").is_err() && Encoding::Base64.encode("!", Errors::Strict).is_err());
    }

    /// What an encoding cannot tell is refused, replaced or left out, as it is asked for.
    #[test]
    fn errors() {
        for (encoding, text, replaced, ignored) in [
            (Encoding::Ascii, "aü", "a?", "a"),
            (Encoding::Latin1, "aü€", "a\u{fc}?", "a\u{fc}"),
        ] {
            assert!(encoding.encode(text, Errors::Strict).is_err());
            for (errors, wanted) in [(Errors::Replace, replaced), (Errors::Ignore, ignored)] {
                let bytes = encoding.encode(text, errors).expect("written");
                assert_eq!(bytes.into_iter().map(char::from).collect::<String>(), wanted);
            }
        }
        for (encoding, bytes, replaced, ignored) in [
            (Encoding::Utf8, &b"a\xffb"[..], "a\u{fffd}b", "ab"),
            (Encoding::Ascii, b"a\xffb", "a\u{fffd}b", "ab"),
            (Encoding::Utf16Le, b"a\0\x00\xd8b\0", "a\u{fffd}b", "ab"),
            (Encoding::Utf16Le, b"a\0b", "a\u{fffd}", "a"),
        ] {
            let decode = |errors| encoding.decode(bytes, errors, false, false);
            assert!(decode(Errors::Strict).is_err());
            assert_eq!(decode(Errors::Replace).expect("text").text, replaced);
            assert_eq!(decode(Errors::Ignore).expect("text").text, ignored);
        }
    }

    /// Wherever a text is cut, no character is: the pieces together are the whole.
    #[test]
    fn cuts() {
        let whole = "a€😀ü".as_bytes();
        for cut in 0..=whole.len() {
            let first = guess(&whole[..cut], false, true).expect("a piece");
            assert_eq!(first.encoding, Encoding::Utf8, "{cut}");
            let next = cut - first.left;
            let second = guess(&whole[next..], true, false).expect("the rest");
            assert_eq!(first.text.clone() + &second.text, "a€😀ü", "{cut}");
            assert_eq!(second.skipped, 0);
            let within = guess(&whole[cut..], true, false).expect("from anywhere");
            assert_eq!(within.encoding, Encoding::Utf8);
            assert_eq!(whole.len() - cut - within.skipped, within.text.len());
        }
        // The end of a file is no cut.
        assert_eq!(
            guess(b"a\xe2\x82", false, false).expect("data").encoding,
            Encoding::Base64
        );
    }

    /// Data comes as base64, text as text.
    #[test]
    fn data_and_text() {
        let all: Vec<u8> = (0..=255).collect();
        for (bytes, encoding) in [
            (&b"a\tb\r\n"[..], Encoding::Utf8),
            (b"", Encoding::Utf8),
            (b"\x1b[31mred and more\x1b[0m", Encoding::Utf8),
            (b"a\0b", Encoding::Base64),
            (b"\x1b[0m\x07", Encoding::Utf8),
            (&[1; LITTLE + 1], Encoding::Base64),
            (&all, Encoding::Base64),
        ] {
            let decoded = guess(bytes, false, false).expect("some text");
            assert_eq!(decoded.encoding, encoding, "{bytes:?}");
        }
        let decoded = guess(&all, false, false).expect("base64");
        assert_eq!(
            Encoding::Base64
                .encode(&decoded.text, Errors::Strict)
                .expect("base64"),
            all
        );
    }
}
