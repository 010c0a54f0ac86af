//! A range of output as text, and the places where a range may be cut: not in a character, not in an escape sequence.
//! It looks only at the bytes it is given.

use unicode_width::UnicodeWidthChar;

use super::{Piece, StreamKind};
use crate::terminal::{
    clean::Cleaner,
    parse::{Event, Parser},
};

/// Bytes without a place to cut after which a cut between a character and its combining marks is allowed.
const CLUSTER_MAX: u64 = 64;

/// Both streams of a range.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// Characters of both together; bytes if raw.
    pub(super) chars: usize,
}

/// What `from..to` of these pieces looks like.
pub(super) fn render(pieces: &[Piece], from: u64, to: u64, raw: bool) -> Rendered {
    let mut rendered = Rendered::default();
    if raw {
        for piece in pieces {
            let target = match piece.stream {
                StreamKind::Stdout => &mut rendered.stdout,
                StreamKind::Stderr => &mut rendered.stderr,
            };
            target.extend_from_slice(clip(piece, from, to));
        }
        rendered.chars = rendered.stdout.len() + rendered.stderr.len();
        return rendered;
    }
    let (mut stdout, mut stderr) = (Cleaner::new(), Cleaner::new());
    for piece in pieces {
        let target = match piece.stream {
            StreamKind::Stdout => &mut stdout,
            StreamKind::Stderr => &mut stderr,
        };
        target.feed(clip(piece, from, to));
    }
    Rendered::from_text(stdout.finish(), stderr.finish())
}

impl Rendered {
    pub(super) fn from_text(stdout: String, stderr: String) -> Self {
        Self {
            chars: stdout.chars().count() + stderr.chars().count(),
            stdout: stdout.into_bytes(),
            stderr: stderr.into_bytes(),
        }
    }
}

fn clip(piece: &Piece, from: u64, to: u64) -> &[u8] {
    let index = |offset: u64| {
        let within = offset.clamp(piece.offset, piece.end()) - piece.offset;
        usize::try_from(within).unwrap_or(usize::MAX)
    };
    piece.data.get(index(from)..index(to)).unwrap_or_default()
}

/// Offsets, ascending, where these pieces may be cut, without their beginning.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    /// Behind a newline.
    pub(super) lines: Vec<u64>,
    /// Everywhere else that is allowed, and those.
    pub(super) all: Vec<u64>,
}

/// Looks for them. Where the streams take turns in the middle of a character or sequence, a cut is in neither of
/// them; only if that leaves no place at all is the other stream ignored.
pub(super) fn cuts(pieces: &[Piece]) -> Cuts {
    let strict = find_cuts(pieces, true);
    if strict.all.is_empty() {
        find_cuts(pieces, false)
    } else {
        strict
    }
}

fn find_cuts(pieces: &[Piece], strict: bool) -> Cuts {
    let mut cuts = Cuts::default();
    let start = pieces.first().map_or(0, |piece| piece.offset);
    let (mut stdout, mut stderr) = (Walker::new(start), Walker::new(start));
    let mut last = start;
    for piece in pieces {
        let (own, other) = match piece.stream {
            StreamKind::Stdout => (&mut stdout, &stderr),
            StreamKind::Stderr => (&mut stderr, &stdout),
        };
        let allowed = !strict || other.is_between();
        let mut rest = piece.data.as_slice();
        loop {
            let event = own.parser.next(&mut rest);
            let end = piece.end() - rest.len() as u64;
            match event {
                Some(Event::Text(text)) => {
                    let begin = end - text.len() as u64;
                    for (at, &byte) in text.iter().enumerate() {
                        let cut = begin + at as u64 + 1;
                        if !own.take(byte) || !allowed {
                            continue;
                        }
                        let (before, behind) = text.split_at(at + 1);
                        if cut - last < CLUSTER_MAX && joins(before, behind) {
                            continue;
                        }
                        cuts.all.push(cut);
                        last = cut;
                    }
                    continue;
                }
                Some(_) => own.break_text(),
                None => {}
            }
            if allowed && own.is_between() && end > last {
                cuts.all.push(end);
                last = end;
                if event == Some(Event::Control(b'\n')) {
                    cuts.lines.push(end);
                }
            }
            if event.is_none() {
                break;
            }
        }
    }
    cuts
}

/// Whether a character goes on over the seam: combining marks, joiners, skin tones.
fn joins(before: &[u8], behind: &[u8]) -> bool {
    const JOINER: &[u8] = "\u{200D}".as_bytes();
    if before.ends_with(JOINER) {
        return true;
    }
    // Everything below U+0300 stands for itself.
    if behind.first().is_none_or(|&lead| lead < 0xCC) {
        return false;
    }
    let next = behind.get(..behind.len().min(4)).unwrap_or_default();
    let next = next
        .utf8_chunks()
        .next()
        .and_then(|chunk| chunk.valid().chars().next());
    next.is_some_and(|c| c.width() == Some(0) || matches!(c, '\u{1F3FB}'..='\u{1F3FF}'))
}

/// One stream's position in characters and sequences.
struct Walker {
    parser: Parser,
    /// Bytes that the current character still wants.
    wanted: u8,
    /// Continuation bytes that may belong to a character begun before the first piece.
    foreign: u8,
}

impl Walker {
    fn new(start: u64) -> Self {
        Self {
            parser: Parser::default(),
            wanted: 0,
            foreign: if start == 0 { 0 } else { 3 },
        }
    }

    const fn is_between(&self) -> bool {
        self.wanted == 0 && self.parser.is_ground()
    }

    const fn break_text(&mut self) {
        self.wanted = 0;
        self.foreign = 0;
    }

    /// Takes a byte of text; whether a cut may follow.
    const fn take(&mut self, byte: u8) -> bool {
        match byte {
            0x80..=0xBF if self.wanted > 0 => self.wanted -= 1,
            0x80..=0xBF if self.foreign > 0 => {
                self.foreign -= 1;
                return false;
            }
            0xC2..=0xDF => self.wanted = 1,
            0xE0..=0xEF => self.wanted = 2,
            0xF0..=0xF4 => self.wanted = 3,
            _ => self.wanted = 0,
        }
        self.foreign = 0;
        self.wanted == 0
    }
}
