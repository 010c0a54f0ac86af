//! What a session's terminal showed lately: bytes with a cursor that never moves back, and the screen that they make.
//! Captured commands and their output are woven in, so that who looks sees them in order; bounded, and knows no shell.

mod before_echo;
mod typed;

use std::collections::VecDeque;

pub use before_echo::Sign;

use before_echo::BeforeEcho;
use typed::typed;

use crate::{
    output::StreamKind,
    terminal::{
        clean::clean,
        fullscreen::{FullScreen, InputMode},
        screen::{Painting, SCROLLBACK, Screen, Shot},
    },
};

/// What is kept: some thousand lines.
const KEPT: usize = 256 << 10; // 256 KiB
/// How much of one captured command's output is woven in.
const MIRRORED: usize = 64 << 10; // 64 KiB
/// What waits for the emulator: most sessions are never looked at, and one costs 0.3 MB.
const UNSEEN_MAX: usize = 64 << 10; // 64 KiB
/// Of plain text that nobody looks at, the last so many bytes are what scrollback and screen can hold.
const PLAIN_MAX: usize = 512 << 10; // 512 KiB
/// What may belong to a sequence that began.
const SEQUENCE_MAX: usize = 256;
/// What the terminal says behind a command's end while its output is not all there.
const HELD_MAX: usize = 64 << 10; // 64 KiB

/// The recent bytes of one terminal.
#[derive(Debug)]
pub struct View {
    bytes: VecDeque<u8>,
    end: u64,
    /// What of them is commands' texts and output, which their callers get with the commands; in order, apart.
    woven: VecDeque<(u64, u64)>,
    mirrored: usize,
    full_screen: FullScreen,
    size: (u16, u16),
    /// Made late, and fed late with `unseen`.
    screen: Option<Box<Screen>>,
    unseen: Vec<u8>,
    /// A captured command whose text was not shown yet.
    announced: Option<String>,
    /// What of the terminal's bytes is the prompt, until the echo of what we typed begins.
    before_echo: BeforeEcho,
    /// The line that a person begins to type in, as it was before, and whether it was seen to be another since.
    line: Option<(Shot, bool)>,
    /// Where a prompt begins that was told and not drawn yet.
    prompt_at: Option<u64>,
    /// What came behind the end of a captured command, whose output is not all there.
    held: Option<Vec<u8>>,
}

/// Text of a view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Text, a line a row.
    pub text: String,
    /// Position behind the last byte.
    pub cursor: u64,
    /// Bytes that were asked for and are not kept any more.
    pub dropped: u64,
    /// Row of the terminal's cursor on the screen, from 0.
    pub row: u16,
    /// Column of it, from 0.
    pub column: u16,
    /// Title that the programs there set, plain text.
    pub title: String,
    /// A full-screen program has the alternate screen.
    pub alternate: bool,
    /// Width and height.
    pub size: (u16, u16),
}

impl View {
    /// An empty terminal of so many columns and rows.
    pub fn new(cols: u16, rows: u16) -> Self {
        Self {
            bytes: VecDeque::new(),
            end: 0,
            woven: VecDeque::new(),
            mirrored: 0,
            full_screen: FullScreen::default(),
            size: (cols, rows),
            screen: None,
            unseen: Vec::new(),
            announced: None,
            before_echo: BeforeEcho::default(),
            line: None,
            prompt_at: None,
            held: None,
        }
    }

    /// Position behind the last byte.
    pub const fn cursor(&self) -> u64 {
        self.end
    }

    /// How keys are wanted now.
    pub const fn input(&self) -> InputMode {
        self.full_screen.input()
    }

    /// A program draws the whole screen now.
    pub const fn is_full_screen(&self) -> bool {
        self.full_screen.is_on()
    }

    /// The shell has said that its prompt comes.
    pub const fn prompt(&mut self) {
        self.prompt_at = Some(self.end);
    }

    /// Somebody begins to type at the prompt.
    pub fn begin_line(&mut self) {
        self.line = Some((self.screen().line(), false));
    }

    /// What was typed at the prompt was there, and is taken away again: the line is as it was.
    pub fn is_line_empty(&mut self) -> bool {
        let Some((before, changed)) = self.line.take() else {
            return false;
        };
        let same = self.screen().line() == before;
        let empty = same && changed;
        if !empty {
            self.line = Some((before, changed || !same));
        }
        empty
    }

    /// The prompt was told, and nothing of it was drawn yet.
    pub const fn is_drawing(&self) -> bool {
        matches!(self.prompt_at, Some(at) if at == self.end)
    }

    /// Somebody typed.
    pub const fn typed(&mut self) {
        self.full_screen.typed();
    }

    /// The terminal has another size.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.size = (cols, rows);
        self.screen().resize(cols, rows);
    }

    /// What the terminal itself showed.
    pub fn show(&mut self, bytes: &[u8]) {
        self.full_screen.feed(bytes);
        match &mut self.held {
            Some(held) if held.len() + bytes.len() <= HELD_MAX => held.extend_from_slice(bytes),
            _ => {
                self.release();
                self.keep(bytes);
            }
        }
    }

    /// What a command that has the terminal wrote there.
    pub fn show_output(&mut self, bytes: &[u8]) {
        let from = self.end;
        self.show(bytes);
        self.weave(from);
    }

    /// What was added since is a command's.
    fn weave(&mut self, from: u64) {
        let first = self.end - self.bytes.len() as u64;
        self.woven.retain(|(_, end)| *end > first);
        match self.woven.back_mut() {
            Some((_, end)) if *end == from => *end = self.end,
            _ => self.woven.push_back((from, self.end)),
        }
    }

    /// What the terminal showed before an announced command started: the end of the prompt, and the echo of what we
    /// typed, which nobody is to see. What it says of keys holds.
    pub fn pass_by(&mut self, bytes: &[u8]) {
        self.full_screen.feed(bytes);
        let prompt = self.before_echo.part(bytes);
        self.keep(&prompt);
    }

    /// What programs asked of their terminal since the last time, as it has to be typed.
    pub fn answers(&mut self) -> Vec<u8> {
        self.screen
            .as_mut()
            .map_or_else(Vec::new, |screen| screen.answers())
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.end += bytes.len() as u64;
        let skip = bytes.len().saturating_sub(KEPT);
        self.bytes.extend(bytes.get(skip..).unwrap_or_default());
        let surplus = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..surplus);
        self.unseen.extend_from_slice(bytes);
        if asks(bytes) {
            self.screen();
        } else if self.unseen.len() > UNSEEN_MAX {
            self.catch_up();
        }
    }

    /// Feeds what has sequences in it. Plain text behind that waits, and of much of it only the end is ever fed: what
    /// scrolls away unseen costs a flood's reader nothing.
    fn catch_up(&mut self) {
        let special = memchr::memrchr3(0x1b, 0x0e, 0x0f, &self.unseen);
        let fed = special.map_or(0, |at| (at + SEQUENCE_MAX).min(self.unseen.len()));
        if fed > 0 {
            let plain = self.unseen.split_off(fed);
            self.screen();
            self.unseen = plain;
        }
        if self.unseen.len() > 2 * PLAIN_MAX {
            let from = self.unseen.len() - PLAIN_MAX;
            let line = memchr::memchr(b'\n', self.unseen.get(from..).unwrap_or_default());
            self.unseen.drain(..from + line.map_or(0, |at| at + 1));
        }
    }

    /// The emulator, fed with all that came so far.
    fn screen(&mut self) -> &mut Screen {
        let (cols, rows) = self.size;
        let unseen = std::mem::take(&mut self.unseen);
        let screen = self
            .screen
            .get_or_insert_with(|| Box::new(Screen::new(cols, rows, SCROLLBACK)));
        screen.feed(&unseen);
        screen
    }

    /// A command begins in the terminal: its text stands there as if typed.
    pub fn begin(&mut self, text: &str) {
        self.mirrored = 0;
        self.full_screen.begin();
        self.announced = None;
        self.before_echo = BeforeEcho::default();
        self.release();
        let from = self.end;
        self.keep(typed(text).as_bytes());
        self.weave(from);
    }

    /// A captured command was handed over; its text is shown when it starts, or before the first of its output, which
    /// may come sooner than the news of its start.
    pub fn announce(&mut self, text: &str, sign: Option<Sign>) {
        self.announced = Some(text.to_owned());
        // Its prompt is drawn already.
        let drawn = sign == Some(Sign::PasteMode) && self.input().bracketed_paste;
        self.before_echo = BeforeEcho::until(sign.filter(|_| !drawn));
    }

    /// The announced command has started.
    pub fn start(&mut self) {
        if let Some(text) = self.announced.take() {
            self.begin(&text);
        }
    }

    /// The shell has told the end of a captured command: what it shows now comes behind output that may be on its way.
    pub fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// All output of the captured command is there.
    pub fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.keep(&held);
        }
    }

    /// Output of a captured command.
    pub fn mirror(&mut self, _stream: StreamKind, bytes: &[u8]) {
        self.start();
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
        let from = self.end;
        self.keep(&shown);
        self.weave(from);
    }

    /// The screen, below so many lines of what was scrolled out of it.
    pub fn screen_now(&mut self, scrollback: usize) -> Shown {
        let Shot {
            rows,
            row,
            column,
            title,
            alternate,
        } = self.screen().shot(scrollback);
        Shown {
            text: rows.join("\n"),
            row,
            column,
            title,
            alternate,
            ..self.shown()
        }
    }

    /// The screen for a person's terminal of so many columns and rows.
    pub fn paint(&mut self, cols: u16, rows: u16) -> Painting {
        self.screen().paint(cols, rows)
    }

    /// Columns and rows.
    pub const fn size(&self) -> (u16, u16) {
        self.size
    }

    /// The last so many lines that have text, and what is below them on the screen down to the cursor.
    pub fn tail(&mut self, lines: usize) -> Shown {
        let mut shown = self.screen_now(lines);
        let text = shown.text.trim_end_matches('\n');
        let kept: Vec<&str> = text.split('\n').collect();
        let from = kept.len().saturating_sub(lines);
        shown.text = kept.get(from..).unwrap_or_default().join("\n");
        shown
    }

    /// What is new since a cursor.
    pub fn since(&mut self, cursor: u64) -> Shown {
        let first = self.end - self.bytes.len() as u64;
        let from = cursor.clamp(first, self.end);
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = self.bytes.iter().skip(skip).copied().collect();
        let now = self.screen_now(0);
        Shown {
            text: clean(&bytes),
            dropped: first.saturating_sub(cursor),
            ..now
        }
    }

    /// What is new since a cursor and no command's: prompts, what people type, what background jobs print.
    pub fn own_since(&self, cursor: u64) -> Shown {
        let first = self.end - self.bytes.len() as u64;
        let start = cursor.clamp(first, self.end);
        let mut from = start;
        let mut own = Vec::new();
        let rest = (self.end, self.end);
        let woven = self.woven.iter().filter(|(_, end)| *end > start);
        for &(begin, end) in woven.chain([&rest]) {
            let (begin, end) = (begin.max(from), end.max(from));
            let part = |at: u64| usize::try_from(at - first).unwrap_or(usize::MAX);
            own.extend(self.bytes.range(part(from)..part(begin)));
            // Lines on both sides of a command are not one.
            own.push(b'\n');
            from = end;
        }
        own.pop();
        Shown {
            text: clean(&own),
            dropped: first.saturating_sub(cursor),
            ..self.shown()
        }
    }

    fn shown(&self) -> Shown {
        Shown {
            cursor: self.end,
            size: self.size,
            ..Shown::default()
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

/// A program may ask here what only an emulator knows: where the cursor is, what kind of terminal it is.
fn asks(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        let behind = rest.get(at + 1..).unwrap_or_default();
        let parameters = behind.get(1..).unwrap_or_default();
        let last = parameters.iter().find(|byte| !matches!(byte, 0x20..=0x3f));
        if behind.first() == Some(&b'[') && matches!(last, None | Some(b'c' | b'n' | b'p' | b'q' | b'u')) {
            return true;
        }
        rest = behind;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View::new(80, 24)
    }

    /// The cursor counts every byte; what is gone is told.
    #[test]
    fn cursor_never_moves_back() {
        let mut view = view();
        view.show(b"one\r\n");
        let cursor = view.cursor();
        view.show(b"two\r\n$ ");
        assert_eq!(view.since(cursor).text, "two\n$ ");
        assert_eq!(view.tail(1).text, "$");
        assert_eq!(view.unfinished_line(), "$ ");
        view.show(&vec![b'x'; KEPT + 5]);
        let shown = view.since(cursor);
        assert_eq!(shown.dropped, view.cursor() - KEPT as u64 - cursor);
    }

    /// What commands wrote is not the terminal's own.
    #[test]
    fn own_is_what_no_command_wrote() {
        let mut view = view();
        view.show(b"$ ");
        view.announce("make", None);
        view.start();
        view.mirror(StreamKind::Stdout, b"made\n");
        view.show(b"$ \r\nlistening\r\n");
        let cursor = view.cursor();
        view.begin("top");
        view.show_output(b"load 1\r\n");
        view.show_output(b"load 2\r\n");
        view.show(b"$ ");
        assert_eq!(view.own_since(0).text, "$ \n$ \nlistening\n\n$ ");
        assert_eq!(view.own_since(cursor).text, "\n$ ");
        assert_eq!(view.own_since(cursor).cursor, view.cursor());
        assert_eq!(view.own_since(view.cursor()).text, "");
        view.show(&vec![b'x'; KEPT + 5]);
        assert_eq!(view.own_since(0).text.len(), KEPT);
        view.begin("x");
        assert_eq!(view.woven.len(), 1);
    }

    /// A flood of captured output does not push everything else out.
    #[test]
    fn mirror_is_bounded() {
        let mut view = view();
        view.begin("yes");
        for _ in 0..100 {
            view.mirror(StreamKind::Stdout, &[b'y'; 4096]);
        }
        assert!(view.cursor() < (MIRRORED + 200) as u64);
        assert!(view.tail(1).text.contains("the rest is in"));
    }

    /// In whatever order text, output and the next prompt come: text, output, prompt is what is seen.
    #[test]
    fn captured_commands_are_in_order() {
        for start_first in [true, false] {
            let mut view = view();
            view.show(b"$ ");
            view.announce("echo hi", None);
            if start_first {
                view.start();
            }
            view.mirror(StreamKind::Stdout, b"h");
            view.start();
            view.hold();
            view.show(b"$ ");
            view.mirror(StreamKind::Stdout, b"i\n");
            view.release();
            assert_eq!(view.tail(10).text, "$ echo hi\nhi\n$");
            assert_eq!((view.tail(10).row, view.tail(10).column), (2, 2));
        }
    }

    /// A prompt that comes when our line is typed already is seen, and the line is not, however both are cut.
    #[test]
    fn the_prompt_before_our_line() {
        for (sign, bytes, shown) in [
            (
                Sign::Line,
                "\x1b[?2004h_a_$  __sshmcp_0 7;__sshmcp_\r\n\x1b[?2004l\r",
                "_a_$ ls",
            ),
            (
                Sign::PasteMode,
                "\rvm% \x1b[K\x1b[?2004h_\x08__sshmcp_0 7\r\r\n",
                "vm% ls",
            ),
        ] {
            for size in 1..bytes.len() {
                let mut view = view();
                view.announce("ls", Some(sign));
                for piece in bytes.as_bytes().chunks(size) {
                    view.pass_by(piece);
                }
                view.start();
                assert_eq!(view.tail(5).text, shown, "{size}");
                assert!(!view.since(0).text.contains("sshmcp"));
            }
        }
    }

    /// There is an emulator when somebody looks, when a program asks its terminal, or when much was shown.
    #[test]
    fn the_emulator_is_late() {
        let mut view = view();
        view.show(b"text \x1b[31mred\x1b[0m\x1b[?2004h");
        assert!(view.screen.is_none());
        view.show(b"\x1b[6n");
        assert_eq!(view.answers(), b"\x1b[1;9R");
        let mut view = self::view();
        view.show(&vec![b'a'; UNSEEN_MAX + 1]);
        assert!(view.screen.is_none());
        view.show(b"\x1b[31m");
        assert!(view.screen.is_some());
    }

    /// A line is empty again when it looks as before, and not while its echo is on the way.
    #[test]
    fn a_line_typed_and_taken_away() {
        let mut view = view();
        view.show(b"\r\n$ ");
        assert!(!view.is_line_empty());
        view.begin_line();
        view.show(b"\x1b]0;t\x07");
        assert!(!view.is_line_empty());
        view.show(b"ls");
        assert!(!view.is_line_empty());
        view.show(b"\x1b[3D\x1b[C");
        assert!(!view.is_line_empty());
        view.show(b"\r$ \x1b[K");
        assert!(view.is_line_empty());
    }

    /// Of a flood of plain text that nobody looks at, the end alone is worked on, and the screen is the same.
    #[test]
    fn a_flood_is_fed_at_its_end() {
        let mut view = view();
        let mut all = Screen::new(80, 24, SCROLLBACK);
        view.show(b"\x1b[1;31mred ");
        all.feed(b"\x1b[1;31mred ");
        for number in 0..40_000 {
            let lines = format!("a line of a flood, of which there are many, number {number}\r\n").repeat(3);
            view.show(lines.as_bytes());
            all.feed(lines.as_bytes());
            assert!(view.unseen.len() <= 2 * PLAIN_MAX + lines.len());
        }
        assert_eq!(view.screen_now(100).text, all.shot(100).rows.join("\n"));
    }

    /// The screen is what a person would see; lines above it come before it.
    #[test]
    fn screen_and_scrollback() {
        let mut view = View::new(20, 3);
        view.show(b"1\r\n2\r\n3\r\n4\r\n5\x1b[1;1Hx\x1b]0;t\x07");
        let shown = view.screen_now(0);
        assert_eq!((shown.text.as_str(), shown.row, shown.column), ("x\n4\n5", 0, 1));
        assert_eq!(shown.title, "t");
        assert_eq!(view.screen_now(1).text, "2\nx\n4\n5");
        view.resize(10, 2);
        assert_eq!(view.screen_now(0).size, (10, 2));
    }
}
