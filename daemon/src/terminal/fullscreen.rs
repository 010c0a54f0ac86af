//! Whether a program draws the whole screen (it took the alternate one, wrote into a row that it chose, or cleared the
//! screen and hid the cursor), and how it wants keys. Keeps a few bytes between chunks and no screen.

/// Parameters of one sequence that are read; further ones say nothing here.
const PARAMS_MAX: usize = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    Csi,
}

/// What the terminal's bytes said so far.
#[derive(Clone, Debug, Default)]
pub struct FullScreen {
    state: State,
    private: bool,
    params: Vec<u16>,
    alternate: bool,
    placed: bool,
    cleared: bool,
    hidden: bool,
    input: InputMode,
}

/// How what is typed is to be sent now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputMode {
    /// Cursor keys are application keys (DECCKM).
    pub application_cursor: bool,
    /// What is pasted is to be bracketed (mode 2004).
    pub bracketed_paste: bool,
}

impl FullScreen {
    /// A program draws the whole screen now.
    pub const fn is_on(&self) -> bool {
        self.alternate || self.placed || self.cleared && self.hidden
    }

    /// A program begins, and has drawn nothing yet.
    pub fn begin(&mut self) {
        *self = Self {
            input: self.input,
            ..Self::default()
        };
    }

    /// A program has the alternate screen.
    pub const fn is_alternate(&self) -> bool {
        self.alternate
    }

    /// A program has the screen for itself: the alternate one, or one that it cleared with the cursor hidden.
    pub const fn has_screen(&self) -> bool {
        self.alternate || self.cleared && self.hidden
    }

    /// Between sequences.
    pub const fn is_text(&self) -> bool {
        matches!(self.state, State::Text)
    }

    /// How keys are wanted.
    pub const fn input(&self) -> InputMode {
        self.input
    }

    /// Somebody typed: what was written into rows before may be over. Who draws there goes on doing so.
    pub const fn typed(&mut self) {
        self.placed = false;
    }

    /// Takes bytes of the terminal.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            if self.state == State::Text && byte != 0x1b {
                // Most of all output.
                let plain = memchr::memchr(0x1b, rest).unwrap_or(rest.len());
                rest = rest.get(plain..).unwrap_or_default();
                continue;
            }
            self.state = match (self.state, byte) {
                (_, 0x1b) => State::Escape,
                (State::Escape, b'[') => {
                    self.private = false;
                    self.params.clear();
                    self.params.push(0);
                    State::Csi
                }
                (State::Csi, b'?') => {
                    self.private = true;
                    State::Csi
                }
                (State::Csi, b'0'..=b'9') => {
                    if let Some(last) = self.params.last_mut() {
                        *last = last.saturating_mul(10).saturating_add(u16::from(byte - b'0'));
                    }
                    State::Csi
                }
                (State::Csi, b';') => {
                    if self.params.len() < PARAMS_MAX {
                        self.params.push(0);
                    }
                    State::Csi
                }
                (State::Csi, 0x40..=0x7e) => {
                    self.end(byte);
                    State::Text
                }
                (State::Csi, 0x20..=0x3f) => State::Csi,
                _ => State::Text,
            };
        }
    }

    fn end(&mut self, last: u8) {
        match (self.private, last) {
            (true, b'h' | b'l') => {
                let on = last == b'h';
                for param in std::mem::take(&mut self.params) {
                    match param {
                        1 => self.input.application_cursor = on,
                        2004 => self.input.bracketed_paste = on,
                        47 | 1047 | 1049 => {
                            self.alternate = on;
                            self.placed = false;
                        }
                        25 => {
                            self.hidden = !on;
                            // A menu between two lines hides it too, long after.
                            self.cleared &= self.hidden;
                        }
                        _ => {}
                    }
                }
            }
            (false, b'J') if self.params.first() == Some(&2) => self.cleared = self.hidden,
            // The first row is where `clear` goes.
            (false, b'H' | b'f') if self.params.first().is_some_and(|row| *row > 1) => self.placed = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(bytes: &[u8]) -> bool {
        let mut screen = FullScreen::default();
        for byte in bytes {
            screen.feed(&[*byte]);
        }
        screen.is_on()
    }

    /// What programs write at their start and end.
    #[test]
    fn table() {
        assert!(after(b"\x1b[?1049h\x1b[22;0;0t"), "vim");
        assert!(!after(b"\x1b[?1049h text \x1b[?1049l"), "vim, ended");
        assert!(after(b"\x1b[H\x1b[2J\x1b[6;1H"), "top");
        assert!(after(b"\x1b[?25l\x1b[H\x1b[2J\x1b(B\x1b[mtop"), "top, begun");
        assert!(!after(b"\x1b[H\x1b[2J\x1b[3J"), "clear");
        assert!(!after(b"\x1b[H\x1b[2J\x1b[3J\x1b[?25l> one"), "clear, and a menu");
        assert!(!after(b"\x1b[?25l\x1b[2J\x1b[?25h"), "shown again");
        assert!(!after(b"\x1b[?2004h$ \x1b[K\x1b[3D\x1b[?25h"), "a line editor");
        assert!(!after(b"[?1049h 5;5H"), "text");
        let mut screen = FullScreen::default();
        screen.feed(b"\x1b[5;5H");
        screen.typed();
        assert!(!screen.is_on());
        screen.feed(b"\x1b[?1h\x1b[?1049;2004h");
        screen.begin();
        assert!(screen.input().application_cursor && screen.input().bracketed_paste && !screen.is_on());
        screen.feed(b"\x1b[?1;2004l");
        assert_eq!(screen.input(), InputMode::default());
    }
}
