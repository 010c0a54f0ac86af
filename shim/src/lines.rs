//! The client's lines as they come: each is looked at while it is read, kept up to a bound, and written over once it was
//! taken. It knows no message; of a line beyond the bound it tells the envelope alone.

use std::{io, mem};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::envelope::{Envelope, Scan};

/// The longest line that is kept: a file's whole content in one call, every byte of it escaped, and then some.
pub(crate) const LINE_BYTES: usize = 16 << 20; // 16 MiB
/// Read at a time.
const PIECE: usize = 64 << 10; // 64 KiB

/// One line.
pub(crate) enum Line {
    /// Its bytes, and what they say about themselves if they are JSON.
    Whole(Vec<u8>, Option<Envelope>),
    /// It is longer than what is kept.
    TooLong(Option<Envelope>),
}

/// A reader of lines.
pub(crate) struct Lines<R> {
    input: R,
    held: Vec<u8>,
    /// Where the line begins in what is held.
    start: usize,
    /// How far it was looked at.
    seen: usize,
    scan: Scan,
    is_too_long: bool,
    has_ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads from this.
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            held: Vec::new(),
            start: 0,
            seen: 0,
            scan: Scan::default(),
            is_too_long: false,
            has_ended: false,
        }
    }

    /// The next line that is not blank, or `None` at the end of the input. Dropped while it waits, it loses nothing.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take() {
                return Ok(Some(line));
            }
            if self.has_ended {
                return Ok(None);
            }
            self.make_room();
            self.has_ended = self.input.read_buf(&mut self.held).await? == 0;
        }
    }

    /// A line out of what is held.
    fn take(&mut self) -> Option<Line> {
        loop {
            let new = self.held.get(self.seen..).unwrap_or_default();
            let end = new.iter().position(|&byte| byte == b'\n');
            let new = new.get(..end.unwrap_or(new.len())).unwrap_or_default();
            self.scan.feed(new);
            self.seen += new.len();
            // The last line may want its end.
            let has_begun = self.seen > self.start || self.is_too_long;
            let is_whole = end.is_some() || (self.has_ended && has_begun);
            self.is_too_long |= self.seen - self.start > LINE_BYTES;
            if !is_whole {
                if self.is_too_long {
                    self.forget(self.seen);
                }
                return None;
            }
            let is_blank = self.scan.is_blank();
            let envelope = self.scan.finish();
            let line = if mem::take(&mut self.is_too_long) {
                Line::TooLong(envelope)
            } else {
                let line = self.held.get(self.start..self.seen).unwrap_or_default();
                Line::Whole(line.to_vec(), envelope)
            };
            self.seen += usize::from(end.is_some());
            self.forget(self.seen);
            if !is_blank {
                return Some(line);
            }
        }
    }

    /// Writes over what was taken: it may have been a secret.
    fn forget(&mut self, until: usize) {
        if let Some(taken) = self.held.get_mut(self.start..until) {
            taken.fill(0);
        }
        self.start = until;
    }

    /// Makes room for a piece, and gives back what a long line had needed.
    fn make_room(&mut self) {
        if self.start > 0 {
            let rest = self.held.len() - self.start;
            self.held.copy_within(self.start.., 0);
            if let Some(moved) = self.held.get_mut(rest..) {
                moved.fill(0);
            }
            self.held.truncate(rest);
            self.seen -= self.start;
            self.start = 0;
            if rest == 0 && self.held.capacity() > LINE_BYTES / 16 {
                self.held = Vec::new();
            }
        }
        self.held.reserve(PIECE);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::envelope::Id;

    async fn lines(pieces: Vec<Vec<u8>>) -> Vec<(Option<String>, Option<Envelope>)> {
        let (mut client, ours) = tokio::io::duplex(PIECE);
        let writing = tokio::spawn(async move {
            for piece in pieces {
                client.write_all(&piece).await.expect("room");
            }
        });
        let mut lines = Lines::new(ours);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.expect("open") {
            all.push(match line {
                Line::Whole(bytes, envelope) => {
                    (Some(String::from_utf8_lossy(&bytes).into_owned()), envelope)
                }
                Line::TooLong(envelope) => (None, envelope),
            });
            assert!(lines.held.capacity() <= 2 * LINE_BYTES + PIECE);
            assert!(
                lines.held[..lines.start].iter().all(|&byte| byte == 0),
                "what was taken is written over"
            );
        }
        writing.await.expect("written");
        all
    }

    /// Lines come whole however they were cut; blank ones do not come, and the last needs no end.
    #[tokio::test]
    async fn lines_come_whole() {
        let text = b"\xef\xbb\xbf{\"id\":1}\r\n\n  \n{bad\n[1]";
        let whole = [Some("\u{feff}{\"id\":1}\r"), Some("{bad"), Some("[1]")];
        for size in [1, 2, 3, 7, text.len()] {
            let found = lines(text.chunks(size).map(<[u8]>::to_vec).collect()).await;
            let texts: Vec<_> = found.iter().map(|line| line.0.as_deref()).collect();
            assert_eq!(texts, whole, "{size}");
            let is_json: Vec<_> = found.iter().map(|line| line.1.is_some()).collect();
            assert_eq!(is_json, [true, false, true], "{size}");
        }
        assert_eq!(lines(vec![b" \n ".to_vec()]).await, []);
    }

    /// A line beyond the bound is not kept, and its id is known all the same; the next one is read.
    #[tokio::test]
    async fn a_long_line_is_passed_over() {
        let long = "x".repeat(LINE_BYTES);
        let found = lines(vec![
            format!("{{\"params\":\"{long}{long}\",\"id\":9}}\n").into_bytes(),
            format!("{{bad{long}\n").into_bytes(),
            b"[]\n".to_vec(),
        ])
        .await;
        let [long, bad, next] = &found[..] else {
            panic!("{} lines", found.len())
        };
        assert_eq!(long.0, None);
        assert_eq!(long.1.as_ref().expect("JSON").id, Id::Given(b"9".to_vec()));
        assert_eq!((&bad.0, &bad.1), (&None, &None));
        assert_eq!(next.0.as_deref(), Some("[]"));
    }
}
