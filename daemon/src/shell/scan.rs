//! Takes framed messages out of a byte stream, whatever the pieces that it arrives in. What begins like a frame and
//! turns out to be none is data; it knows no meaning.

use memchr::memmem::Finder;

/// Longest payload of a frame. Ours stay under PIPE_BUF (4,096); a longer one is somebody's data.
pub const PAYLOAD_MAX: usize = 8 << 10; // 8 KiB

/// One piece of a scanned stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that belong to no frame.
    Data(Vec<u8>),
    /// What stood between introducer and terminator.
    Frame(Vec<u8>),
}

/// Looks for `introducer … terminator` in a stream.
pub struct Scanner {
    introducer: Finder<'static>,
    terminator: u8,
    held: Vec<u8>,
}

impl Scanner {
    /// A scanner for frames that begin with `introducer` (not empty) and end with `terminator`.
    pub fn new(introducer: &[u8], terminator: u8) -> Self {
        Self {
            introducer: Finder::new(introducer).into_owned(),
            terminator,
            held: Vec::new(),
        }
    }

    /// Takes the next bytes and gives out what is certain. What may be the beginning of a frame is held back.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if self.held.is_empty() {
            let rest = self.split(bytes, &mut pieces);
            self.held = rest.to_vec();
        } else {
            let mut all = std::mem::take(&mut self.held);
            all.extend_from_slice(bytes);
            let rest = self.split(&all, &mut pieces);
            self.held = rest.to_vec();
        }
        pieces
    }

    /// How many of the bytes that were fed are held back.
    pub const fn held(&self) -> usize {
        self.held.len()
    }

    /// The end of the stream: what was held back is data.
    pub fn finish(&mut self) -> Option<Piece> {
        let held = std::mem::take(&mut self.held);
        (!held.is_empty()).then_some(Piece::Data(held))
    }

    fn split<'b>(&self, mut bytes: &'b [u8], pieces: &mut Vec<Piece>) -> &'b [u8] {
        let needle = self.introducer.needle();
        let mut scan_from = 0;
        loop {
            let Some(start) = bytes
                .get(scan_from..)
                .and_then(|tail| self.introducer.find(tail))
                .map(|at| at + scan_from)
            else {
                let keep = partial_prefix(bytes.get(scan_from..).unwrap_or_default(), needle);
                let (data, rest) = bytes.split_at(bytes.len() - keep);
                push_data(pieces, data);
                return rest;
            };
            let body = bytes.get(start + needle.len()..).unwrap_or_default();
            match memchr::memchr(self.terminator, body) {
                // One that was begun and not ended before another begins was somebody's data.
                Some(end)
                    if self
                        .introducer
                        .find(body.get(..end).unwrap_or_default())
                        .is_some() =>
                {
                    scan_from = start + 1;
                }
                Some(end) if end <= PAYLOAD_MAX => {
                    let (data, _) = bytes.split_at(start);
                    push_data(pieces, data);
                    pieces.push(Piece::Frame(body.get(..end).unwrap_or_default().to_vec()));
                    bytes = body.get(end + 1..).unwrap_or_default();
                    scan_from = 0;
                }
                None if body.len() <= PAYLOAD_MAX => {
                    let (data, rest) = bytes.split_at(start);
                    push_data(pieces, data);
                    return rest;
                }
                _ => scan_from = start + 1,
            }
        }
    }
}

fn push_data(pieces: &mut Vec<Piece>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    if let Some(Piece::Data(last)) = pieces.last_mut() {
        last.extend_from_slice(data);
    } else {
        pieces.push(Piece::Data(data.to_vec()));
    }
}

/// How many bytes at the end of `bytes` may be the beginning of `needle`.
fn partial_prefix(bytes: &[u8], needle: &[u8]) -> usize {
    (1..needle.len().min(bytes.len() + 1))
        .rev()
        .find(|&length| {
            let tail = bytes.get(bytes.len() - length..).unwrap_or_default();
            needle.starts_with(tail)
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(pieces: impl IntoIterator<Item = Piece>) -> (Vec<u8>, Vec<(usize, Vec<u8>)>) {
        let (mut data, mut frames) = (Vec::new(), Vec::new());
        for piece in pieces {
            match piece {
                Piece::Data(bytes) => data.extend(bytes),
                Piece::Frame(body) => frames.push((data.len(), body)),
            }
        }
        (data, frames)
    }

    fn scan(chunks: &[&[u8]]) -> (Vec<u8>, Vec<(usize, Vec<u8>)>) {
        let mut scanner = Scanner::new(b"<<", b'>');
        let mut pieces = Vec::new();
        for chunk in chunks {
            pieces.extend(scanner.feed(chunk));
        }
        pieces.extend(scanner.finish());
        whole(pieces)
    }

    /// Frames, half frames, and what only looks like one.
    #[test]
    fn table() {
        assert_eq!(scan(&[b"a<<x>b"]), (b"ab".to_vec(), vec![(1, b"x".to_vec())]));
        assert_eq!(
            scan(&[b"a<", b"<x", b">b"]),
            (b"ab".to_vec(), vec![(1, b"x".to_vec())])
        );
        assert_eq!(scan(&[b"<", b"b"]), (b"<b".to_vec(), vec![]));
        assert_eq!(scan(&[b"<<<x>"]), (Vec::new(), vec![(0, b"<x".to_vec())]));
        assert_eq!(scan(&[b"<<a<<x>b"]), (b"<<ab".to_vec(), vec![(3, b"x".to_vec())]));
        assert_eq!(scan(&[b"<<never ends"]), (b"<<never ends".to_vec(), vec![]));
        let mut long = b"<<".to_vec();
        long.resize(PAYLOAD_MAX + 10, b'y');
        long.extend_from_slice(b">z");
        assert_eq!(
            scan(&[&long]),
            (long.clone(), vec![]),
            "a payload that is too long is data"
        );
    }

    proptest! {
        /// However the stream is cut, the same data and frames come out at the same places.
        #[test]
        fn chunking_does_not_matter(text in "[<>ab]{0,60}", cuts in proptest::collection::vec(0usize..60, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(scan(&chunks), scan(&[bytes]));
        }
    }
}
