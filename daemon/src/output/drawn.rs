//! Which of a terminal's bytes a full-screen program drew with: a picture, no text, once it is over. Only what took the
//! screen for itself counts: the alternate screen, or a cleared one with the cursor hidden.

use crate::terminal::fullscreen::FullScreen;

/// Ranges that are remembered: more than one command starts editors and pagers. Later ones count as text.
const RANGES_MAX: usize = 1_000;

/// Ranges of offsets, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    screen: FullScreen,
    over: Vec<(u64, u64)>,
    open: Option<u64>,
}

impl Drawn {
    /// Takes bytes of the terminal that begin at an offset.
    pub(super) fn feed(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.screen.is_text() {
                let plain = memchr::memchr(0x1b, bytes).unwrap_or(bytes.len());
                bytes = bytes.get(plain..).unwrap_or_default();
                offset += plain as u64;
            }
            let Some((first, rest)) = bytes.split_first() else {
                return;
            };
            self.screen.feed(std::slice::from_ref(first));
            bytes = rest;
            offset += 1;
            match (self.screen.has_screen(), self.open) {
                (true, None) => self.open = Some(offset),
                (false, Some(from)) => {
                    self.open = None;
                    if self.over.len() < RANGES_MAX {
                        self.over.push((from, offset));
                    }
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
    }

    /// A program has the screen now.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Nothing more comes. What was drawn by a program that did not give the screen back is shown: what others wrote
    /// behind it is there too.
    pub(super) const fn end(&mut self) {
        self.open = None;
    }

    /// What of `bytes`, which begin at `offset`, is text.
    pub(super) fn text<'b>(&self, offset: u64, bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let end = offset + bytes.len() as u64;
        let mut parts = Vec::new();
        let mut at = offset;
        let first = self.over.partition_point(|(_, to)| *to <= offset);
        let open = self.open.map(|from| (from, u64::MAX));
        let ranges = self.over.get(first..).unwrap_or_default().iter().copied();
        for (from, to) in ranges.chain(open) {
            if from >= end {
                break;
            }
            if from > at {
                parts.push((at, from));
            }
            at = at.max(to);
        }
        if at < end {
            parts.push((at, end));
        }
        let index = move |at: u64| usize::try_from(at - offset).unwrap_or(usize::MAX);
        parts
            .into_iter()
            .map(move |(from, to)| bytes.get(index(from)..index(to)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(drawn: &Drawn, from: usize, bytes: &[u8]) -> String {
        let parts: Vec<&[u8]> = drawn.text(from as u64, bytes.get(from..).unwrap()).collect();
        String::from_utf8_lossy(&parts.concat()).replace('\x1b', "^")
    }

    /// However the bytes are cut, and wherever somebody begins to read.
    #[test]
    fn pictures_are_no_text() {
        let bytes =
            b"one\n\x1b[?1049h~\x1b[2;1Hpicture\x1b[?1049ltwo\n\x1b[?25l\x1b[H\x1b[2Jtop\x1b[?25hthree\n";
        for size in 1..bytes.len() {
            let mut drawn = Drawn::default();
            let mut at = 0;
            for chunk in bytes.chunks(size) {
                drawn.feed(at, chunk);
                at += chunk.len() as u64;
            }
            assert!(!drawn.is_open());
            assert_eq!(text(&drawn, 0, bytes), "one\n^[?1049htwo\n^[?25l^[H^[2Jthree\n");
            assert_eq!(text(&drawn, 15, bytes), "two\n^[?25l^[H^[2Jthree\n");
        }
    }

    /// While a program has the screen its picture is left out; if it never gave it back, nothing is.
    #[test]
    fn one_that_does_not_give_it_back() {
        let bytes = b"one\n\x1b[?1049hpicture";
        let mut drawn = Drawn::default();
        drawn.feed(0, bytes);
        assert!(drawn.is_open());
        assert_eq!(text(&drawn, 0, bytes), "one\n^[?1049h");
        drawn.end();
        assert_eq!(text(&drawn, 0, bytes), "one\n^[?1049hpicture");
    }

    /// Of endless pictures only so many are remembered.
    #[test]
    fn bounded() {
        let mut drawn = Drawn::default();
        for at in 0..RANGES_MAX as u64 + 10 {
            drawn.feed(at * 17, b"\x1b[?1049hx\x1b[?1049l".get(..17).unwrap());
        }
        assert!(drawn.over.len() <= RANGES_MAX);
    }
}
