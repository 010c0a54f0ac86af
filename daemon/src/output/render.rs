//! A range of output as text, and the places where a range may be cut: not in a character, not in an escape sequence.
//! It looks only at the bytes it is given.

use unicode_width::UnicodeWidthChar;

use super::{Output, Piece, StreamKind};
use crate::terminal::{
    clean::Cleaner,
    parse::{Event, Parser},
    utf8,
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
pub(super) fn render(output: &Output, pieces: &[Piece], from: u64, to: u64, raw: bool) -> Rendered {
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
        for text in output.drawn.text(piece.offset.max(from), clip(piece, from, to)) {
            target.feed(text);
        }
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

/// The bytes of a piece that are within a range.
pub(super) fn clip(piece: &Piece, from: u64, to: u64) -> &[u8] {
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

/// What a cut must not fall into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// A character, cluster or escape sequence of either stream.
    Both,
    /// Those of the stream that has the bytes around the cut.
    Own,
    /// A character or cluster of either stream.
    Characters,
    /// A character of that stream.
    Least,
}

/// Looks for them: for text (or, if `raw`, bytes) that is left in one piece as far as that leaves any place at all.
pub(super) fn cuts(pieces: &[Piece], raw: bool) -> Cuts {
    let cares: &[Care] = if raw {
        &[Care::Characters]
    } else {
        &[Care::Both, Care::Own]
    };
    let mut cuts = Cuts::default();
    for &care in cares {
        if cuts.all.is_empty() {
            cuts = find_cuts(pieces, care);
        }
    }
    cuts
}

/// As many as possible, when none of the good ones leaves little enough.
pub(super) fn poor_cuts(pieces: &[Piece]) -> Cuts {
    find_cuts(pieces, Care::Least)
}

fn find_cuts(pieces: &[Piece], care: Care) -> Cuts {
    let mut cuts = Cuts::default();
    let start = pieces.first().map_or(0, |piece| piece.offset);
    let sequences = matches!(care, Care::Both | Care::Own);
    let (mut stdout, mut stderr) = (Walker::new(start), Walker::new(start));
    let mut last = start;
    for piece in pieces {
        let (own, other) = match piece.stream {
            StreamKind::Stdout => (&mut stdout, &stderr),
            StreamKind::Stderr => (&mut stderr, &stdout),
        };
        let allowed = matches!(care, Care::Own | Care::Least) || other.is_between();
        let mut rest = piece.data.as_slice();
        loop {
            let event = if sequences {
                own.parser.next(&mut rest)
            } else {
                plain_event(&mut rest)
            };
            let end = piece.end() - rest.len() as u64;
            if let Some(Event::Text(text)) = event {
                let begin = end - text.len() as u64;
                for (at, &byte) in text.iter().enumerate() {
                    let (before, behind) = text.split_at(at);
                    let cut = begin + at as u64;
                    let broken = own.wanted > 0 && !utf8::is_continuation(byte);
                    let whole = own.is_between() && !own.may_be_foreign(byte) && !broken;
                    let joined = care != Care::Least && cut - last < CLUSTER_MAX && joins(before, behind);
                    if allowed && cut > last && (broken || (whole && !joined)) {
                        cuts.all.push(cut);
                        last = cut;
                    }
                    own.take(byte);
                }
                if !(allowed && own.is_between() && end > last) {
                    continue;
                }
            } else if event.is_some() {
                own.break_text();
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

/// Offset of the first byte of a character or escape sequence that is not finished at the end of these pieces, of either
/// stream; none if all are. One that began before them is not seen.
pub(super) fn unfinished(pieces: &[Piece]) -> Option<u64> {
    let start = pieces.first()?.offset;
    let mut walkers = [Walker::new(start), Walker::new(start)];
    let mut since = [None, None];
    for piece in pieces {
        let [stdout, stderr] = &mut walkers;
        let [stdout_since, stderr_since] = &mut since;
        let (own, since) = match piece.stream {
            StreamKind::Stdout => (stdout, stdout_since),
            StreamKind::Stderr => (stderr, stderr_since),
        };
        for (at, byte) in (piece.offset..).zip(&piece.data) {
            let was_text = own.parser.is_ground();
            match own.parser.next(&mut std::slice::from_ref(byte)) {
                Some(Event::Text(_)) => own.take(*byte),
                Some(_) => own.break_text(),
                None if was_text => {
                    own.break_text();
                    *since = Some(at);
                }
                None => {}
            }
            if own.is_between() {
                *since = None;
            } else if own.parser.is_ground() && !utf8::is_continuation(*byte) {
                *since = Some(at);
            }
        }
    }
    since.into_iter().flatten().min()
}

/// Text up to a newline, or the newline: nothing else means anything in raw bytes.
fn plain_event<'a>(bytes: &mut &'a [u8]) -> Option<Event<'a>> {
    let len = match memchr::memchr(b'\n', bytes) {
        Some(0) => {
            *bytes = bytes.get(1..).unwrap_or_default();
            return Some(Event::Control(b'\n'));
        }
        Some(at) => at,
        None => bytes.len(),
    };
    let (text, rest) = bytes.split_at(len);
    *bytes = rest;
    (len > 0).then_some(Event::Text(text))
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
        self.wanted == 0 && self.parser.may_be_cut()
    }

    const fn break_text(&mut self) {
        self.wanted = 0;
        self.foreign = 0;
    }

    /// Whether this byte may continue a character that began before the first piece.
    const fn may_be_foreign(&self, byte: u8) -> bool {
        self.foreign > 0 && self.wanted == 0 && utf8::is_continuation(byte)
    }

    const fn take(&mut self, byte: u8) {
        if self.may_be_foreign(byte) {
            self.foreign -= 1;
            return;
        }
        self.foreign = 0;
        self.wanted = match byte {
            0x80..=0xBF => self.wanted.saturating_sub(1),
            0xC2..=0xDF => 1,
            0xE0..=0xEF => 2,
            0xF0..=0xF4 => 3,
            _ => 0,
        };
    }
}
