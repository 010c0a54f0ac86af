//! What a session's terminal showed lately: bytes with a cursor that never moves back, and the screen that they make.
//! Captured commands and their output are woven in, so that who looks sees them in order; bounded, and knows no shell.

mod before_echo;
mod echo;
mod reading;
mod typed;

use std::{collections::VecDeque, time::Instant};

pub use before_echo::Sign;

use before_echo::BeforeEcho;
use echo::Echo;
use typed::typed;

use crate::{
    recording::Recorder,
    state::{EarlierShown, ShownLog},
    terminal::{
        fullscreen::{FullScreen, InputMode},
        screen::{Painting, Screen, Shot},
    },
    tmux,
};

/// What is kept: some thousand lines.
const KEPT: usize = 256 << 10; // 256 KiB
/// How much of one captured command's output is woven in.
const MIRRORED: usize = 64 << 10; // 64 KiB
/// How much of it is recorded: a flood must not push everything else out of the files.
const RECORDED: usize = 4 << 20; // 4 MiB
/// What waits for the emulator: most sessions are never looked at, and one costs 0.3 MB (without scrollback: 2,000 lines
/// of cells would be 6 MB).
const UNSEEN_MAX: usize = 64 << 10; // 64 KiB
/// Of plain text that nobody looks at, the last so many bytes for each of the screen's cells are what that can hold: a
/// character of four bytes with three marks upon it.
const CELL_MAX: usize = 16;
/// What may belong to a sequence that began.
const SEQUENCE_MAX: usize = 256;
/// What the terminal says behind a command's end while its output is not all there.
const HELD_MAX: usize = 64 << 10; // 64 KiB

/// The recent bytes of one terminal.
#[derive(Debug)]
pub struct View {
    /// Gets all that is shown, in order.
    recorder: Recorder,
    bytes: VecDeque<u8>,
    end: u64,
    /// What of them is commands' texts and output, which their callers get with the commands; in order, apart.
    woven: VecDeque<(u64, u64)>,
    mirrored: usize,
    /// What was typed to a captured command shows before what comes of it.
    echo: Echo,
    /// Captured output may have left a sequence open.
    is_torn: bool,
    full_screen: FullScreen,
    size: (u16, u16),
    /// Made late, and fed late with `unseen`; it keeps no scrollback, which is made anew from `bytes` for who asks.
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
    /// Where it is written, if its session outlives the daemon.
    log: Option<ShownLog>,
}

/// Text of a view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Text, a line a row.
    pub text: String,
    /// Position behind the last byte of the text, or of what is settled of all.
    pub cursor: u64,
    /// Bytes that were asked for and are not kept any more.
    pub dropped: u64,
    /// Position of the oldest byte that is kept.
    pub first: u64,
    /// Bytes behind `cursor` that the text does not show.
    pub follows: u64,
    /// More lines were shown before those that are kept here.
    pub has_earlier: bool,
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
    pub fn new(cols: u16, rows: u16, recorder: Recorder) -> Self {
        Self {
            recorder,
            bytes: VecDeque::new(),
            end: 0,
            woven: VecDeque::new(),
            mirrored: 0,
            echo: Echo::default(),
            is_torn: false,
            full_screen: FullScreen::default(),
            size: (cols, rows),
            screen: None,
            unseen: Vec::new(),
            announced: None,
            before_echo: BeforeEcho::default(),
            line: None,
            prompt_at: None,
            held: None,
            log: None,
        }
    }

    /// Goes on where an earlier daemon ended, and is written for the next. Where nothing was written, positions begin
    /// at `cursor`.
    pub fn outlives(&mut self, log: ShownLog, earlier: Option<EarlierShown>, cursor: u64) {
        let earlier = earlier.unwrap_or(EarlierShown {
            start: cursor,
            ..EarlierShown::default()
        });
        self.end = earlier.start;
        self.full_screen.feed(&earlier.bytes);
        self.take(&earlier.bytes);
        self.woven = earlier.woven.into();
        self.log = Some(log);
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
        self.recorder.resized(cols, rows);
        self.screen().resize(cols, rows);
    }

    /// What the terminal itself showed.
    pub fn show(&mut self, bytes: &[u8]) {
        self.full_screen.feed(bytes);
        match &mut self.held {
            Some(held) if held.len() + bytes.len() <= HELD_MAX => held.extend_from_slice(bytes),
            _ => {
                self.release_held();
                self.keep(bytes);
                if self.echo.shown(bytes) {
                    self.end_echo();
                }
            }
        }
    }

    /// This was typed to a captured command on a terminal that shows it.
    pub fn expect_echo(&mut self, typed: &[u8]) {
        self.echo.expect(typed);
    }

    /// When captured output is shown though what was typed before was not.
    pub const fn echo_due(&self) -> Option<Instant> {
        self.echo.due()
    }

    /// What was typed is not waited for any more.
    pub fn end_echo(&mut self) {
        let output = self.echo.end();
        self.weave_output(&output);
    }

    /// A pane of tmux looks so: what is shown from here on comes upon this.
    pub fn repaint(&mut self, screen: &tmux::control::Screen) {
        let pane = &screen.pane;
        let mut bytes = Vec::from(if pane.is_alternate {
            &b"\x1b[?1049h"[..]
        } else {
            b"\x1b[?1049l"
        });
        bytes.extend_from_slice(b"\x1b[0m\x1b[H\x1b[2J");
        bytes.extend(screen.rows.join(&b"\r\n"[..]));
        let (row, column) = (u32::from(pane.y) + 1, u32::from(pane.x) + 1);
        bytes.extend(format!("\x1b[0m\x1b[{row};{column}H").into_bytes());
        self.screen().feed(&bytes);
    }

    /// What a command that has the terminal wrote there.
    pub fn show_output(&mut self, bytes: &[u8]) {
        let from = self.end;
        self.show(bytes);
        self.weave(from);
    }

    /// What was added since is a command's.
    fn weave(&mut self, from: u64) {
        if let Some(log) = &mut self.log {
            log.weave(from, self.end);
        }
        let first = self.end - self.bytes.len() as u64;
        while self.woven.front().is_some_and(|(_, end)| *end <= first) {
            self.woven.pop_front();
        }
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
        self.recorder.terminal(bytes);
        self.take(bytes);
    }

    /// Keeps what is recorded already.
    fn take(&mut self, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log.show(self.end, bytes);
        }
        self.end += bytes.len() as u64;
        let skip = bytes.len().saturating_sub(KEPT);
        let new = bytes.get(skip..).unwrap_or_default();
        // First, for what is added beyond the bound doubles the memory for good.
        let surplus = (self.bytes.len() + new.len()).saturating_sub(KEPT);
        self.bytes.drain(..surplus);
        self.bytes.extend(new);
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
        let most = self.unseen_most();
        if self.unseen.len() > 2 * most {
            let from = self.unseen.len() - most;
            let line = memchr::memchr(b'\n', self.unseen.get(from..).unwrap_or_default());
            self.unseen.drain(..from + line.map_or(0, |at| at + 1));
        }
    }

    fn unseen_most(&self) -> usize {
        let (cols, rows) = self.size;
        (usize::from(cols) * usize::from(rows) * CELL_MAX).max(UNSEEN_MAX)
    }

    /// The emulator, fed with all that came so far.
    fn screen(&mut self) -> &mut Screen {
        let (cols, rows) = self.size;
        let unseen = std::mem::take(&mut self.unseen);
        let screen = self
            .screen
            .get_or_insert_with(|| Box::new(Screen::new(cols, rows, 0)));
        screen.feed(&unseen);
        screen
    }

    /// A command begins in the terminal: its text stands there as if typed.
    pub fn begin(&mut self, text: &str) {
        self.release();
        self.mirrored = 0;
        self.full_screen.begin();
        self.announced = None;
        self.before_echo = BeforeEcho::default();
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
        // What the shell asked at its prompt is not for what it starts.
        drop(self.answers());
        if let Some(text) = self.announced.take() {
            self.begin(&text);
        }
    }

    /// The shell has told the end of a captured command: what it shows now comes behind output that may be on its way.
    pub fn hold(&mut self) {
        self.end_echo();
        self.held.get_or_insert_default();
    }

    /// All output of the captured command is there.
    pub fn release(&mut self) {
        self.end_echo();
        self.release_held();
    }

    fn release_held(&mut self) {
        if std::mem::take(&mut self.is_torn) {
            // A program that has the terminal may do that to its shell; one that has not may not.
            self.keep(CANCEL);
        }
        if let Some(held) = self.held.take() {
            self.keep(&held);
        }
    }

    /// Output of a captured command.
    pub fn mirror(&mut self, bytes: &[u8], now: Instant) {
        self.start();
        if !self.echo.delays(bytes, now) {
            self.end_echo();
            self.weave_output(bytes);
        }
    }

    fn weave_output(&mut self, bytes: &[u8]) {
        let before = self.mirrored;
        self.mirrored = before.saturating_add(bytes.len());
        self.is_torn |= bytes.iter().any(|byte| *byte == 0x1b || *byte >= 0x80);
        let first = |limit: usize| {
            let room = limit.saturating_sub(before);
            bytes.get(..room.min(bytes.len())).unwrap_or_default()
        };
        self.recorder.captured(first(RECORDED));
        if before < RECORDED && self.mirrored >= RECORDED {
            self.recorder.captured(REST);
        }
        let part = first(MIRRORED);
        if part.is_empty() {
            return;
        }
        let mut shown = Vec::with_capacity(part.len() + 16);
        let rest: &[u8] = if self.mirrored >= MIRRORED { REST } else { &[] };
        for &byte in part.iter().chain(rest) {
            if byte == b'\n' {
                shown.push(b'\r');
            }
            shown.push(byte);
        }
        let from = self.end;
        self.take(&shown);
        self.weave(from);
    }

    /// The screen for a person's terminal of so many columns and rows.
    pub fn paint(&mut self, cols: u16, rows: u16) -> Painting {
        self.screen().paint(cols, rows)
    }

    /// Columns and rows.
    pub const fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Column of the cursor, from 0.
    pub fn column(&mut self) -> u16 {
        self.screen().line().column
    }
}

/// Ends a sequence, whatever it is.
const CANCEL: &[u8] = b"\x18";

/// Stands where no more of a captured command's output is shown.
const REST: &[u8] = b"\n[the rest is in get_command_output]\n";

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
mod tests;
