//! What a session's terminal showed lately, as bytes with a cursor that never moves back. Captured commands and their
//! output are woven in, so that who looks sees them; bounded, and no terminal emulator.

use std::collections::VecDeque;

use crate::{
    output::StreamKind,
    terminal::{clean::clean, fullscreen::FullScreen},
};

/// What is kept: some thousand lines.
const KEPT: usize = 256 << 10; // 256 KiB
/// How much of one captured command's output is woven in.
const MIRRORED: usize = 64 << 10; // 64 KiB

/// The recent bytes of one terminal.
pub struct View {
    bytes: VecDeque<u8>,
    end: u64,
    mirrored: usize,
    full_screen: FullScreen,
}

/// Text of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Cleaned text.
    pub text: String,
    /// Position behind its last byte.
    pub cursor: u64,
    /// Bytes that were asked for and are not kept any more.
    pub dropped: u64,
}

impl View {
    /// An empty terminal.
    pub fn new() -> Self {
        Self {
            bytes: VecDeque::new(),
            end: 0,
            mirrored: 0,
            full_screen: FullScreen::default(),
        }
    }

    /// Position behind the last byte.
    pub const fn cursor(&self) -> u64 {
        self.end
    }

    /// What the terminal itself showed.
    pub fn show(&mut self, bytes: &[u8]) {
        self.full_screen.feed(bytes);
        self.keep(bytes);
    }

    /// A program draws the whole screen now.
    pub const fn is_full_screen(&self) -> bool {
        self.full_screen.is_on()
    }

    /// Somebody typed.
    pub const fn typed(&mut self) {
        self.full_screen.typed();
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.end += bytes.len() as u64;
        let skip = bytes.len().saturating_sub(KEPT);
        self.bytes.extend(bytes.get(skip..).unwrap_or_default());
        let surplus = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..surplus);
    }

    /// A captured command begins.
    pub fn begin(&mut self, text: &str) {
        self.mirrored = 0;
        self.full_screen.begin();
        self.keep(text.replace('\n', "\r\n").as_bytes());
        self.keep(b"\r\n");
    }

    /// Output of a captured command.
    pub fn mirror(&mut self, _stream: StreamKind, bytes: &[u8]) {
        let room = MIRRORED.saturating_sub(self.mirrored);
        let part = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        if part.is_empty() {
            return;
        }
        self.mirrored += part.len();
        let mut shown = Vec::with_capacity(part.len() + 16);
        for &byte in part {
            if byte == b'\n' {
                shown.push(b'\r');
            }
            shown.push(byte);
        }
        if self.mirrored >= MIRRORED {
            shown.extend_from_slice(b"\r\n[the rest is in get_command_output]\r\n");
        }
        self.keep(&shown);
    }

    /// The last so many lines.
    pub fn tail(&self, lines: usize) -> Shown {
        let all: Vec<u8> = self.bytes.iter().copied().collect();
        let text = clean(&all);
        let kept: Vec<&str> = text.lines().collect();
        let from = kept.len().saturating_sub(lines);
        let text = kept.get(from..).unwrap_or_default().join("\n");
        Shown {
            text,
            cursor: self.end,
            dropped: 0,
        }
    }

    /// What is new since a cursor.
    pub fn since(&self, cursor: u64) -> Shown {
        let first = self.end - self.bytes.len() as u64;
        let from = cursor.clamp(first, self.end);
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = self.bytes.iter().skip(skip).copied().collect();
        Shown {
            text: clean(&bytes),
            cursor: self.end,
            dropped: first.saturating_sub(cursor),
        }
    }

    /// The last line, unless it ended.
    pub fn unfinished_line(&self) -> String {
        let last: Vec<u8> = self.bytes.iter().rev().take(2000).copied().collect();
        let last: Vec<u8> = last.into_iter().rev().collect();
        let text = clean(&last);
        if text.ends_with('\n') {
            return String::new();
        }
        text.lines().last().unwrap_or_default().to_owned()
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cursor counts every byte; what is gone is told.
    #[test]
    fn cursor_never_moves_back() {
        let mut view = View::new();
        view.show(b"one\r\n");
        let cursor = view.cursor();
        view.show(b"two\r\n$ ");
        assert_eq!(view.since(cursor).text, "two\n$ ");
        assert_eq!(view.tail(1).text, "$ ");
        assert_eq!(view.unfinished_line(), "$ ");
        view.show(&vec![b'x'; KEPT + 5]);
        let shown = view.since(cursor);
        assert_eq!(shown.dropped, view.cursor() - KEPT as u64 - cursor);
    }

    /// A flood of captured output does not push everything else out.
    #[test]
    fn mirror_is_bounded() {
        let mut view = View::new();
        view.begin("yes");
        for _ in 0..100 {
            view.mirror(StreamKind::Stdout, &[b'y'; 4096]);
        }
        assert!(view.cursor() < (MIRRORED + 200) as u64);
        assert!(view.tail(1).text.contains("the rest is in"));
    }
}
