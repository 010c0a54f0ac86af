//! One stream of a durable command as it comes from its host: data, frames, and the position behind what was taken.

use crate::{
    output::{Consumed, StreamKind},
    shell::{
        frame::{StreamFrame, TERMINATOR, parse_stream, stream_introducer},
        scan::{Piece, Scanner},
    },
};

/// Something that a stream has, and how far the stream is taken by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What the command wrote.
    Data(Vec<u8>, Consumed),
    /// Something to be known; none: a frame without a meaning.
    Frame(Option<StreamFrame>, Consumed),
}

/// One of the two.
pub(super) struct Stream {
    /// Its name on the host.
    pub(super) name: &'static str,
    /// Which it is here.
    pub(super) kind: StreamKind,
    source: u8,
    segment: u32,
    /// Bytes of the segment that were fed.
    fed: u64,
    /// Longer than a frame by this.
    around_frame: u64,
    scanner: Scanner,
    /// The command's exit code, once its end came in this stream.
    pub(super) ended: Option<i32>,
    /// Its last writer has gone, or what it is read from.
    pub(super) eof: bool,
    /// What its last segment is and how large, where that was asked.
    pub(super) last: Option<(u32, u64)>,
}

impl Stream {
    /// `source` is 0 for stdout, 1 for stderr.
    pub(super) fn new(source: u8, nonce: &str, position: (u32, u64)) -> Self {
        let introducer = stream_introducer(nonce);
        let (name, kind) = match source {
            0 => ("o0", StreamKind::Stdout),
            _ => ("e0", StreamKind::Stderr),
        };
        Self {
            name,
            kind,
            source,
            segment: position.0,
            fed: position.1,
            around_frame: length(&introducer).saturating_add(1),
            scanner: Scanner::new(&introducer, TERMINATOR),
            ended: None,
            eof: false,
            last: None,
        }
    }

    /// Behind the last byte, or whole frame, that was taken.
    pub(super) fn position(&self) -> (u32, u64) {
        let held = u64::try_from(self.scanner.held()).unwrap_or(u64::MAX);
        (self.segment, self.fed.saturating_sub(held))
    }

    /// Goes back to that: what was held comes again over another connection.
    pub(super) fn rewind(&mut self, nonce: &str) {
        (self.segment, self.fed) = self.position();
        self.scanner = Scanner::new(&stream_introducer(nonce), TERMINATOR);
        self.last = None;
    }

    /// Takes bytes in.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Part> {
        let (_, mut taken) = self.position();
        self.fed = self.fed.saturating_add(length(bytes));
        let pieces = self.scanner.feed(bytes);
        let mut parts = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let frame = match &piece {
                Piece::Data(data) => {
                    taken = taken.saturating_add(length(data));
                    None
                }
                Piece::Frame(body) => {
                    taken = taken
                        .saturating_add(length(body))
                        .saturating_add(self.around_frame);
                    parse_stream(body)
                }
            };
            match &frame {
                Some(StreamFrame::Ended(code)) => self.ended = Some(*code),
                Some(StreamFrame::Eof(_) | StreamFrame::Broken) => self.eof = true,
                Some(StreamFrame::Next(next)) => (self.segment, self.fed, taken) = (*next, 0, 0),
                // No session's command, and no look, is in a spool of its own.
                Some(
                    StreamFrame::Dropped
                    | StreamFrame::End(_)
                    | StreamFrame::Below(_)
                    | StreamFrame::Level(_),
                )
                | None => {}
            }
            let consumed = Consumed {
                source: self.source,
                segment: self.segment,
                offset: taken,
            };
            parts.push(match piece {
                Piece::Data(data) => Part::Data(data, consumed),
                Piece::Frame(_) => Part::Frame(frame, consumed),
            });
        }
        parts
    }

    /// Everything that its spool had when that was asked was taken.
    pub(super) fn is_taken(&self) -> bool {
        self.last.is_some_and(|last| (self.segment, self.fed) >= last)
    }

    /// Nothing more comes: what looked like the beginning of a frame was data.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        match self.scanner.finish() {
            Some(Piece::Data(data)) => Some(data),
            Some(Piece::Frame(_)) | None => None,
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u32, offset: u64) -> Consumed {
        Consumed {
            source: 0,
            segment,
            offset,
        }
    }

    /// The position is behind what was taken, whatever the pieces, and begins anew with each segment.
    #[test]
    fn positions() {
        let mut stream = Stream::new(0, "1f", (1, 10));
        assert_eq!(stream.feed(b"ab\x1e1f"), [Part::Data(b"ab".to_vec(), at(1, 12))]);
        assert_eq!(stream.position(), (1, 12), "what may be a frame is not taken yet");
        stream.rewind("1f");
        let parts = stream.feed(b"\x1e1f;E;c0;7;\x1fcd");
        let end = Part::Frame(Some(StreamFrame::Ended(7)), at(1, 12 + 12));
        assert_eq!(parts, [end, Part::Data(b"cd".to_vec(), at(1, 12 + 14))]);
        assert_eq!((stream.position(), stream.ended), ((1, 12 + 14), Some(7)));
        let parts = stream.feed(b"\x1e1f;G;2\x1f");
        assert_eq!(parts, [Part::Frame(Some(StreamFrame::Next(2)), at(2, 0))]);
        assert_eq!(stream.position(), (2, 0));
        stream.last = Some((2, 3));
        assert!(!stream.is_taken());
        assert_eq!(stream.feed(b"xy\x1e"), [Part::Data(b"xy".to_vec(), at(2, 2))]);
        assert!(stream.is_taken());
        assert_eq!(stream.finish(), Some(b"\x1e".to_vec()));
    }
}
