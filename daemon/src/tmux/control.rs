//! The lines of tmux's control mode (tmux(1), CONTROL MODE; tried with 3.3a), in pieces as they come, as events of one
//! pane. What a pane shows is escaped in `%output`, so that it is no line of its own. A captured screen is not: it is
//! taken by the number of its lines, so that nothing in it can end it.

use std::collections::VecDeque;

use super::command::CAPTURE;

/// Bytes of one line: tmux sends what it read from a pane at once, at most some tens of KiB, four bytes for one.
const LINE_MAX: usize = 1 << 20; // 1 MiB
/// Lines of a reply that are kept where nobody asked for more: the words of an error.
const REPLY_LINES_MAX: usize = 8;
/// Rows of a captured screen; tmux's own limit of a window is 10,000.
const ROWS_MAX: usize = 10_000;

/// What control mode says about the pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client has attached. What it was told before was done, and what came of that is not shown to it.
    Attached,
    /// The pane's program wrote this.
    Output(Vec<u8>),
    /// tmux stopped sending: what the program writes until it is told to go on is lost to us.
    Paused,
    /// The screen as it was at this place between the outputs.
    Screen(Screen),
    /// A command failed; tmux's words.
    Failed(String),
    /// The client has ended: the session is gone, or the client was detached; tmux's words.
    Exit(String),
    /// What came is not control mode.
    Garbled,
}

/// A captured screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// What the pane is.
    pub pane: Pane,
    /// Its rows with their colours, as bytes for a terminal.
    pub rows: Vec<Vec<u8>>,
}

/// Facts of a pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pane {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub height: u16,
    /// Column of the cursor, from 0.
    pub x: u16,
    /// Row of the cursor, from 0.
    pub y: u16,
    /// A full-screen program has its alternate screen.
    pub is_alternate: bool,
    /// Process of its first program.
    pub pid: u32,
    /// Its terminal, e.g. `/dev/pts/3`.
    pub tty: String,
}

impl Pane {
    /// From the answer to `command::capture`.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(CAPTURE)?.split_ascii_whitespace();
        let mut number = || words.next()?.parse::<u32>().ok();
        let pane = Self {
            cols: number()?.try_into().ok()?,
            height: number()?.try_into().ok()?,
            x: number()?.try_into().ok()?,
            y: number()?.try_into().ok()?,
            is_alternate: number()? == 1,
            pid: number()?,
            tty: words.next()?.to_owned(),
        };
        (usize::from(pane.height) <= ROWS_MAX).then_some(pane)
    }
}

enum State {
    /// Between replies.
    Outside,
    /// In a reply; its number, as tmux wrote it, and the first of its lines.
    Reply(Vec<u8>, Vec<Vec<u8>>),
    /// In the rows of a screen: so many are still to come.
    Rows(Vec<u8>, Pane, VecDeque<Vec<u8>>, usize),
}

/// Takes in what one control client prints.
pub struct Control {
    /// `%3`.
    pane: String,
    line: Vec<u8>,
    state: State,
    /// The reply that follows is this pane's screen.
    next_is_screen: Option<Pane>,
    garbled: bool,
}

impl Control {
    /// For this pane, e.g. `%0`; empty: the first that shows anything.
    pub fn new(pane: &str) -> Self {
        Self {
            pane: pane.to_owned(),
            line: Vec::new(),
            state: State::Outside,
            next_is_screen: None,
            garbled: false,
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (now, later) = rest.split_at(at);
            rest = later.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.on_line(now, &mut events);
            } else {
                self.line.extend_from_slice(now);
                let line = std::mem::take(&mut self.line);
                self.on_line(&line, &mut events);
            }
        }
        self.line.extend_from_slice(rest);
        if self.line.len() > LINE_MAX {
            self.line = Vec::new();
            self.garble(&mut events);
        }
        events
    }

    fn garble(&mut self, events: &mut Vec<Event>) {
        if !self.garbled {
            self.garbled = true;
            events.push(Event::Garbled);
        }
    }

    fn on_line(&mut self, line: &[u8], events: &mut Vec<Event>) {
        // A terminal between us and tmux would end lines so.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match std::mem::replace(&mut self.state, State::Outside) {
            State::Outside => self.outside(line, events),
            State::Rows(number, pane, mut rows, missing) => {
                if missing > 0 {
                    rows.push_back(line.to_vec());
                    self.state = State::Rows(number, pane, rows, missing - 1);
                } else if ended(line, &number).is_some() {
                    events.push(Event::Screen(Screen {
                        pane,
                        rows: rows.into(),
                    }));
                } else {
                    self.garble(events);
                }
            }
            State::Reply(number, mut lines) => match ended(line, &number) {
                None => {
                    if lines.len() < REPLY_LINES_MAX {
                        lines.push(line.to_vec());
                    }
                    self.state = State::Reply(number, lines);
                }
                Some(true) => {
                    let first = lines.first().map(|line| String::from_utf8_lossy(line));
                    self.next_is_screen = first.as_deref().and_then(Pane::parse);
                }
                Some(false) => {
                    let words: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
                    self.next_is_screen = None;
                    events.push(Event::Failed(words.join(" ")));
                }
            },
        }
    }

    fn outside(&mut self, line: &[u8], events: &mut Vec<Event>) {
        let (word, rest) = word(line);
        match word {
            b"%output" => {
                let (pane, data) = self::word(rest);
                self.output(pane, data, events);
            }
            // Where a pause may come, the age of what was written is told before a colon.
            b"%extended-output" => {
                let (pane, rest) = self::word(rest);
                let data = memchr::memmem::find(rest, b" : ").and_then(|at| rest.get(at + 3..));
                self.output(pane, data.unwrap_or_default(), events);
            }
            b"%session-changed" => events.push(Event::Attached),
            b"%pause" => events.push(Event::Paused),
            b"%begin" => {
                self.state = match self.next_is_screen.take() {
                    Some(pane) => {
                        let missing = usize::from(pane.height);
                        State::Rows(rest.to_vec(), pane, VecDeque::new(), missing)
                    }
                    None => State::Reply(rest.to_vec(), Vec::new()),
                };
            }
            b"%exit" => events.push(Event::Exit(String::from_utf8_lossy(rest).into_owned())),
            [b'%', ..] | b"" => {}
            // A login shell's start-up files may print before tmux does.
            _ => {}
        }
    }

    fn output(&mut self, pane: &[u8], data: &[u8], events: &mut Vec<Event>) {
        if self.pane.is_empty() {
            self.pane = String::from_utf8_lossy(pane).into_owned();
        }
        if pane == self.pane.as_bytes() && !data.is_empty() {
            events.push(Event::Output(unescape(data)));
        }
    }
}

/// The reply with this number ends here, and how: true in order.
fn ended(line: &[u8], number: &[u8]) -> Option<bool> {
    let (word, rest) = word(line);
    match word {
        b"%end" if rest == number => Some(true),
        b"%error" if rest == number => Some(false),
        _ => None,
    }
}

/// The first word, and what is behind the space after it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', line) {
        Some(at) => {
            let (word, rest) = line.split_at(at);
            (word, rest.get(1..).unwrap_or_default())
        }
        None => (line, &[]),
    }
}

/// `\ooo` for what is below a space, and for the backslash; everything else stands for itself.
fn unescape(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escaped) = rest.split_at(at);
        bytes.extend_from_slice(plain);
        rest = match *escaped {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                ref rest @ ..,
            ] => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest
            }
            [first, ref rest @ ..] => {
                bytes.push(first);
                rest
            }
            [] => &[],
        };
    }
    bytes.extend_from_slice(rest);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pane: &str, bytes: &[u8]) -> Vec<Event> {
        let whole = Control::new(pane).feed(bytes);
        // In pieces it is the same.
        for size in [1, 3, 7] {
            let mut control = Control::new(pane);
            let pieces: Vec<Event> = bytes.chunks(size).flat_map(|piece| control.feed(piece)).collect();
            assert_eq!(pieces, whole, "in pieces of {size}");
        }
        whole
    }

    /// What a pane shows, escaped as tmux does it.
    #[test]
    fn output() {
        let events = all(
            "%0",
            b"%begin 1 2 0\n%end 1 2 0\n%session-changed $0 x\n%output %0 a\\033[1m\\134n\\015\\012\xc3\xa4\n%output %1 no\n%extended-output %0 7 : b : c\n",
        );
        assert_eq!(
            events,
            [
                Event::Attached,
                Event::Output(b"a\x1b[1m\\n\r\n\xc3\xa4".to_vec()),
                Event::Output(b"b : c".to_vec())
            ]
        );
    }

    /// Nothing that a screen shows ends it, or is taken for a line of tmux's.
    #[test]
    fn screens_forge_nothing() {
        let events = all(
            "%0",
            b"%begin 5 6 1\nsshmcp-screen 80 3 2 1 0 77 /dev/pts/3\n%end 5 6 1\n%begin 5 7 1\n%end 5 7 1\n%exit\n%output %0 x\n%end 5 7 1\n%output %0 y\n",
        );
        let pane = Pane {
            cols: 80,
            height: 3,
            x: 2,
            y: 1,
            is_alternate: false,
            pid: 77,
            tty: "/dev/pts/3".into(),
        };
        let rows = vec![
            b"%end 5 7 1".to_vec(),
            b"%exit".to_vec(),
            b"%output %0 x".to_vec(),
        ];
        assert_eq!(
            events,
            [Event::Screen(Screen { pane, rows }), Event::Output(b"y".to_vec())]
        );
    }

    /// Errors, ends and nonsense.
    #[test]
    fn ends() {
        assert_eq!(
            all(
                "%0",
                b"%begin 1 1 0\ncan't find session: x\n%error 1 1 0\n%exit\n"
            ),
            [
                Event::Failed("can't find session: x".into()),
                Event::Exit(String::new())
            ]
        );
        assert_eq!(all("%0", b"%pause %0\n"), [Event::Paused]);
        assert_eq!(all("%0", &vec![b'x'; LINE_MAX + 2]), [Event::Garbled]);
        assert_eq!(
            all("%0", b"Welcome\n\\\n%output\n%output %0\n%output %0 \\9\\\n"),
            [Event::Output(b"\\9\\".to_vec())]
        );
    }
}
