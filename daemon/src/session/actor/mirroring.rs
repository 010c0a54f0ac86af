//! What a person sees who attaches to a kept shell's pane with tmux itself: in the place of the lines that we typed, the
//! commands and the beginning and the end of their output, in order. Written by the helper when the session rests, marked
//! so that it is not taken for the host's; a command that has the terminal keeps the line that started it.

use std::time::{Duration, Instant};

use super::{Actor, Shell};
use crate::{shell::order, terminal::screen::Screen};

/// A prompt that is drawn in pieces is whole by then; and commands that follow at once are not held up.
const REST: Duration = Duration::from_millis(60);
/// A drawing that was not seen by then was lost.
const LOST: Duration = Duration::from_secs(10);
/// One write to a terminal that nobody comes between.
const BYTES_MAX: usize = 3500;
/// What begins and ends what is ours: a mark that tmux does not show.
const BEGIN: &str = "Y;1";
const END: &str = "Y;0";

/// Rows of the pane that are to be shown otherwise.
pub(super) struct Mirror {
    /// What they are to show, from here in the view.
    from: u64,
    /// Where they begin; none: the whole screen.
    start: Option<Start>,
    /// The order to show it went, and is not seen there yet.
    ordered: Option<Ordered>,
    touched: Instant,
}

/// Where the line that we typed begins.
struct Start {
    column: u16,
    /// What came since, from its first row on: line editors draw long lines several times, up and down.
    below: Screen,
}

/// What came between such an order and its drawing.
#[derive(Default)]
struct Ordered {
    /// It was not drawn where it was meant.
    overtaken: bool,
    /// The next line that we typed, behind it: its place in the view, and its column.
    next: Option<(u64, u16)>,
}

impl Mirror {
    /// The whole screen, as the view has it.
    pub(super) const fn all(now: Instant) -> Self {
        Self {
            from: 0,
            start: None,
            ordered: None,
            touched: now,
        }
    }

    /// From this place in the view on, on a terminal of this size.
    fn at(from: u64, column: u16, (cols, rows): (u16, u16)) -> Self {
        // One row above tells that the first has left the screen.
        let mut below = Screen::new(cols, rows, 1);
        below.feed(format!("\x1b[{}G", column + 1).as_bytes());
        Self {
            from,
            start: Some(Start { column, below }),
            ordered: None,
            touched: Instant::now(),
        }
    }

    /// The terminal showed something.
    pub(super) fn passed(&mut self, data: &[u8], now: Instant) {
        self.drawn(data);
        self.touched = now;
        if let Some(ordered) = &mut self.ordered {
            ordered.overtaken = true;
        }
    }

    /// It showed something of ours, there for people.
    pub(super) fn drawn(&mut self, data: &[u8]) {
        if let Some(start) = &mut self.start {
            start.below.feed(data);
        }
    }

    /// The terminal has another size.
    pub(super) fn resized(&mut self, cols: u16, rows: u16) {
        if let Some(start) = &mut self.start {
            start.below.resize(cols, rows);
        }
    }
}

impl Start {
    /// What goes there from where the cursor is, and clears all behind.
    fn return_to(&mut self, rows: u16) -> String {
        let shot = self.below.shot(1);
        let above = shot.rows.len().saturating_sub(usize::from(rows));
        let up = match usize::from(shot.row) + above {
            0 => String::new(),
            rows => format!("\x1b[{rows}A"),
        };
        // The row on top is another when the first has gone.
        let other = if above > 0 { "\x1b[K" } else { "" };
        format!("\r{up}{other}\x1b[{}G\x1b[J", self.column + 1)
    }
}

impl Actor {
    /// A line of ours is about to be typed for a captured command, or one that has the terminal.
    pub(super) fn begin_mirror(&mut self, is_captured: bool) {
        let Some(shell) = self.shell.as_mut().filter(|shell| shell.link.kept.is_some()) else {
            // No other terminal needs an emulator for this.
            return;
        };
        if !is_captured {
            // What it draws is its own; where rows are then is not known.
            shell.mirror = None;
            return;
        }
        let (from, column) = (self.view.cursor(), self.view.column());
        match &mut shell.mirror {
            None => shell.mirror = Some(Mirror::at(from, column, self.view.size())),
            Some(Mirror {
                ordered: Some(ordered),
                ..
            }) => {
                ordered.next.get_or_insert((from, column));
            }
            Some(_) => {}
        }
    }

    /// When there is something to show otherwise, and the session rests.
    pub(super) fn mirror_due(&self) -> Option<Instant> {
        let shell = self.shell.as_ref()?;
        let mirror = shell.mirror.as_ref()?;
        let rests = shell.machine.is_ready() && shell.running.is_none() && self.queue.is_empty();
        let wait = if mirror.ordered.is_some() { LOST } else { REST };
        (rests && !self.view.is_drawing()).then(|| mirror.touched + wait)
    }

    pub(super) fn mirror_when_due(&mut self, now: Instant) {
        if self.mirror_due().is_none_or(|due| now < due) {
            return;
        }
        let Some(shell) = &mut self.shell else { return };
        let Some(mirror) = &mut shell.mirror else { return };
        let shown = self.view.raw_since(mirror.from);
        let to = match &mut mirror.start {
            // What is cleared from the first place on is put into tmux's history.
            None => "\x1b[1;2H\x1b[J\x1b[H\x1b[K".to_owned(),
            Some(start) => start.return_to(self.view.size().1),
        };
        mirror.ordered = Some(Ordered::default());
        mirror.touched = now;
        shell.show_to_people(&to, &shown);
    }

    /// What is ours begins on the terminal, or has ended there. One that something came before is drawn once more.
    pub(super) fn on_ours(&mut self, begins: bool, now: Instant) {
        let size = self.view.size();
        let Some(shell) = &mut self.shell else { return };
        shell.is_mirroring = begins;
        let Some(mirror) = shell.mirror.as_mut().filter(|_| !begins) else {
            return;
        };
        match mirror.ordered.take() {
            None => {}
            Some(ordered) if ordered.overtaken => mirror.touched = now,
            Some(ordered) => {
                shell.mirror = ordered.next.map(|(from, column)| Mirror::at(from, column, size));
            }
        }
    }
}

impl Shell {
    /// Some of what the terminal shows was not seen, perhaps the end of what is ours; and rows are not where they were.
    pub(super) fn forget_mirror(&mut self) {
        self.mirror = None;
        self.is_mirroring = false;
    }

    fn show_to_people(&mut self, to: &str, shown: &[u8]) {
        let mark = |word: &str| format!("\x1b]6973;{};{word}\x07", self.link.nonce);
        let mut bytes = mark(BEGIN).into_bytes();
        bytes.extend_from_slice(to.as_bytes());
        if shown.len() <= BYTES_MAX {
            bytes.extend_from_slice(shown);
        } else {
            let line = |part: &[u8]| memchr::memchr(b'\n', part).map_or(0, |at| at + 1);
            let (head, rest) = shown.split_at(BYTES_MAX / 2);
            let head = head.rsplitn(2, |byte| *byte == b'\n').last().unwrap_or_default();
            let tail = rest
                .get(rest.len().saturating_sub(BYTES_MAX / 2)..)
                .unwrap_or_default();
            let tail = tail.get(line(tail)..).unwrap_or_default();
            bytes.extend_from_slice(head);
            bytes.extend_from_slice(b"\r\n\x1b[0m[...]\r\n");
            bytes.extend_from_slice(tail);
        }
        bytes.extend_from_slice(mark(END).as_bytes());
        self.link.order(order::show(&bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (u16, u16) = (60, 8);

    /// What a pane shows that was drawn so, and then in the place of the line that was typed the text.
    fn pane(before: &str, drawn: &str, text: &str) -> Vec<String> {
        let (cols, rows) = SIZE;
        let mut pane = Screen::new(cols, rows, 0);
        pane.feed(before.as_bytes());
        let mut mirror = Mirror::at(0, pane.line().column, SIZE);
        for byte in drawn.bytes() {
            mirror.passed(&[byte], Instant::now());
        }
        pane.feed(drawn.as_bytes());
        let start = mirror.start.as_mut().expect("a start");
        pane.feed(start.return_to(rows).as_bytes());
        pane.feed(text.as_bytes());
        let mut rows = pane.shot(0).rows;
        rows.truncate(
            rows.iter()
                .rposition(|row| !row.is_empty())
                .map_or(0, |at| at + 1),
        );
        rows
    }

    /// A line that wraps stands on two rows, however often its editor goes up and draws it again, as fish does.
    #[test]
    fn lines_are_drawn_again() {
        let line = "x".repeat(70);
        let again = format!("\x1bM\r\x1b[3C{line}");
        for times in 0..4 {
            let drawn = format!("{line}{}\x1bM\r\r\n\x1b[4C\r\n~> ", again.repeat(times));
            let rows = pane("one\r\ntwo\r\n~> ", &drawn, "echo a\r\na\r\n~> ");
            assert_eq!(rows, ["one", "two", "~> echo a", "a", "~>"], "{times}");
        }
    }

    /// What has left the screen is not gone back to, nor anything above it.
    #[test]
    fn much_is_drawn() {
        let rows = pane("one\r\n~> ", &"y\r\n".repeat(50), "echo a\r\na");
        assert_eq!(rows, ["   echo a", "a"]);
    }
}
