//! What a person sees who attaches to a kept shell's pane with tmux itself: in the place of the lines that we typed, the
//! commands and the beginning and the end of their output, in order. Written by the helper when the session rests, marked
//! so that it is not taken for the host's; a command that has the terminal keeps the line that started it.

use std::time::{Duration, Instant};

use super::{Actor, Shell};
use crate::shell::order;

/// A prompt that is drawn in pieces is whole by then; and commands that follow at once are not held up.
const REST: Duration = Duration::from_millis(60);
/// One write to a terminal that nobody comes between.
const BYTES_MAX: usize = 3500;
/// What begins and ends what is ours: a mark that tmux does not show.
const BEGIN: &str = "Y;1";
const END: &str = "Y;0";

/// Rows of the pane that are to be shown otherwise.
pub(super) struct Mirror {
    /// What they are to show, from here in the view.
    from: u64,
    /// Where the line that we typed begins: its column; none: the whole screen.
    column: Option<u16>,
    /// Rows from there to the cursor's.
    rows: usize,
    touched: Instant,
}

impl Mirror {
    /// The whole screen, as the view has it.
    pub(super) const fn all(now: Instant) -> Self {
        Self {
            from: 0,
            column: None,
            rows: 0,
            touched: now,
        }
    }

    /// The terminal showed something.
    pub(super) fn passed(&mut self, data: &[u8], now: Instant) {
        self.rows += memchr::memchr_iter(b'\n', data).count();
        self.touched = now;
    }
}

impl Actor {
    /// A line of ours is about to be typed for a captured command, or one that has the terminal.
    pub(super) fn begin_mirror(&mut self, is_captured: bool, line: usize) {
        let Some(shell) = self.shell.as_mut().filter(|shell| shell.link.kept.is_some()) else {
            // No other terminal needs an emulator for this.
            return;
        };
        let (from, column) = (self.view.cursor(), self.view.column());
        let cols = usize::from(self.view.size().0.max(1));
        if !is_captured {
            // What it draws is its own; where rows are then is not known.
            shell.mirror = None;
            return;
        }
        let wraps = (usize::from(column) + line) / cols;
        let mirror = shell.mirror.get_or_insert(Mirror {
            from,
            column: Some(column),
            rows: 0,
            touched: Instant::now(),
        });
        mirror.rows += wraps;
    }

    /// When there is something to show otherwise, and the session rests.
    pub(super) fn mirror_due(&self) -> Option<Instant> {
        let shell = self.shell.as_ref()?;
        let mirror = shell.mirror.as_ref()?;
        let rests = shell.machine.is_ready() && shell.running.is_none() && self.queue.is_empty();
        (rests && !self.view.is_drawing()).then(|| mirror.touched + REST)
    }

    pub(super) fn mirror_when_due(&mut self, now: Instant) {
        if self.mirror_due().is_none_or(|due| now < due) {
            return;
        }
        let Some(shell) = &mut self.shell else { return };
        let Some(mirror) = shell.mirror.take() else { return };
        let shown = self.view.raw_since(mirror.from);
        let to = match mirror.column {
            // What is cleared from the first place on is put into tmux's history.
            None => "\x1b[1;2H\x1b[J\x1b[H\x1b[K".to_owned(),
            Some(column) if mirror.rows == 0 => format!("\r\x1b[{}G\x1b[J", column + 1),
            Some(column) => format!("\r\x1b[{}A\x1b[{}G\x1b[J", mirror.rows, column + 1),
        };
        shell.show_to_people(&to, &shown);
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
