//! What is typed stands before what comes of it: output of a captured command has a channel of its own and may be here
//! before the echo, so it waits for that. Only what is shown waits, never what the command's callers get.

use std::time::{Duration, Instant};

/// How long output waits for an echo: it is made before the output is, and sent by the same server.
const LATE: Duration = Duration::from_millis(250);
/// What waits at most; a program that writes so much has long gone on.
const WAITING_MAX: usize = 64 << 10; // 64 KiB

/// An echo that has to come, and the output that waits for it.
#[derive(Debug, Default)]
pub(super) struct Echo {
    /// Ends of lines that it still has, if one is expected.
    expected: Option<usize>,
    output: Vec<u8>,
    /// When it is not waited for any more.
    due: Option<Instant>,
}

impl Echo {
    /// This was typed to a captured command, and is shown by the terminal.
    pub(super) fn expect(&mut self, typed: &[u8]) {
        *self.expected.get_or_insert_default() += lines(typed);
    }

    /// Output has come; true if it waits, and is kept here.
    pub(super) fn delays(&mut self, output: &[u8], now: Instant) -> bool {
        if self.expected.is_none() || self.output.len() + output.len() > WAITING_MAX {
            return false;
        }
        self.due.get_or_insert(now + LATE);
        self.output.extend_from_slice(output);
        true
    }

    /// The terminal has shown this; true if the echo is over.
    pub(super) fn shown(&mut self, bytes: &[u8]) -> bool {
        let Some(left) = &mut self.expected else {
            return false;
        };
        *left = left.saturating_sub(lines(bytes));
        *left == 0
    }

    /// When what waits is shown anyway.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// No echo is waited for any more: the output that did.
    pub(super) fn end(&mut self) -> Vec<u8> {
        std::mem::take(self).output
    }
}

/// Ends of lines, as they are typed and shown: CR LF is one.
fn lines(bytes: &[u8]) -> usize {
    let ends = bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count();
    ends - bytes.windows(2).filter(|two| two == b"\r\n").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Output waits for all lines that were typed, and for nothing if nothing was.
    #[test]
    fn waits_for_each_line() {
        let (mut echo, now) = (Echo::default(), Instant::now());
        assert!(!echo.delays(b"before", now));
        assert!(!echo.shown(b"x\r\n"));
        echo.expect(b"one\ntwo\r");
        assert_eq!(echo.due(), None);
        assert!(echo.delays(b"got one\n", now));
        assert!(!echo.shown(b"one\r\n"));
        assert!(echo.delays(b"got two\n", now + LATE));
        assert_eq!(echo.due(), Some(now + LATE));
        assert!(echo.shown(b"two\r\n"));
        assert_eq!(echo.end(), b"got one\ngot two\n");
        assert!(!echo.delays(b"behind", now));
        assert_eq!(echo.due(), None);
    }

    /// A key has an echo of any kind; too much output waits for none.
    #[test]
    fn keys_and_floods() {
        let (mut echo, now) = (Echo::default(), Instant::now());
        echo.expect(b"y");
        assert!(!echo.delays(&vec![0; WAITING_MAX + 1], now));
        assert!(echo.shown(b"y"));
    }
}
