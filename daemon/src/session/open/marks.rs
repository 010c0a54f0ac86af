//! The marks on a terminal of which some may be missing: what was not sent takes a half mark with it.

use crate::shell::{
    mark,
    scan::{Piece, Scanner},
};

/// Tells marks from what is shown.
pub(super) struct Marks {
    nonce: String,
    scanner: Scanner,
    /// How often something was missing.
    pub(super) gaps: u32,
}

impl Marks {
    /// Nothing was shown yet.
    pub(super) fn new(nonce: &str) -> Self {
        Self {
            nonce: nonce.to_owned(),
            scanner: scanner(nonce),
            gaps: 0,
        }
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.scanner.feed(bytes)
    }

    /// Something is missing between what came and what comes.
    pub(super) fn gap(&mut self) {
        self.scanner = scanner(&self.nonce);
        self.gaps = self.gaps.saturating_add(1);
    }
}

fn scanner(nonce: &str) -> Scanner {
    Scanner::new(&mark::introducer(nonce), mark::TERMINATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is missing makes no mark of two halves, and the next one is found.
    #[test]
    fn halves() {
        let mut marks = Marks::new("1f");
        let mut whole = mark::introducer("1f");
        whole.extend(b"T;/dev/pts/3");
        whole.push(mark::TERMINATOR);
        let (first, second) = whole.split_at(9);
        let data = |pieces: Vec<Piece>| -> Vec<u8> {
            pieces
                .into_iter()
                .flat_map(|piece| match piece {
                    Piece::Data(data) => data,
                    Piece::Frame(_) => panic!("a mark"),
                })
                .collect()
        };
        assert_eq!(data(marks.feed(&[b"before", first].concat())), b"before");
        marks.gap();
        assert_eq!(marks.gaps, 1);
        assert_eq!(data(marks.feed(second)), second);
        assert_eq!(marks.feed(&whole), [Piece::Frame(b"T;/dev/pts/3".to_vec())]);
    }
}
