//! Splits a terminal's byte stream into text and controls, one byte of state between chunks. It knows the shape of
//! escape sequences (ECMA-48), not what they do. A string sequence (OSC, DCS, APC, PM, SOS, title) lasts until its
//! terminator, however long that takes, as in a terminal; nothing of it is stored.

/// One thing found in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// Bytes without any C0 control, DEL or escape sequence; not necessarily valid UTF-8.
    Text(&'a [u8]),
    /// A C0 control other than ESC, CAN and SUB.
    Control(u8),
    /// `ESC final`.
    Escape(u8),
    /// `CSI params final` without private marker or intermediates; the first two parameters, none if left out.
    Csi([Option<u32>; 2], u8),
}

const ESC: u8 = 0x1B;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1A;
const DEL: u8 = 0x7F;

/// Swallowed bytes of one string sequence after which a cut inside it is allowed: such a string would otherwise make
/// a stream uncuttable.
const UNCUTTABLE: u32 = 1024;

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    /// An escape sequence with intermediates (character sets, DECALN): no effect on text.
    Intermediate,
    Csi(Csi),
    /// A string sequence; BEL ends an OSC or a title alone.
    Text {
        bell_ends: bool,
        swallowed: u32,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Csi {
    params: [Option<u32>; 2],
    index: u8,
    /// With a private marker or an intermediate: swallowed without effect.
    private: bool,
}

/// The state between chunks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parser {
    state: State,
}

impl Parser {
    /// In no escape sequence.
    pub(crate) const fn is_ground(&self) -> bool {
        matches!(self.state, State::Ground)
    }

    /// Whether the stream may be cut here: in no escape sequence, or in one that is too long to be left whole.
    pub(crate) const fn may_be_cut(&self) -> bool {
        match self.state {
            State::Ground => true,
            State::Text { swallowed, .. } => swallowed > UNCUTTABLE,
            State::Escape | State::Intermediate | State::Csi(_) => false,
        }
    }

    /// Takes the next event off the front of `bytes`; none when they are used up.
    pub(crate) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Event<'a>> {
        loop {
            match self.state {
                State::Ground => {
                    let text = bytes.split_off(..text_len(bytes)).unwrap_or_default();
                    if !text.is_empty() {
                        return Some(Event::Text(text));
                    }
                }
                State::Text { bell_ends, swallowed } => {
                    let len = bytes
                        .iter()
                        .position(|byte| matches!(*byte, ESC | CAN | SUB | BEL))
                        .unwrap_or(bytes.len());
                    *bytes = bytes.get(len..).unwrap_or_default();
                    let more = u32::try_from(len).unwrap_or(u32::MAX);
                    self.state = State::Text {
                        bell_ends,
                        swallowed: swallowed.saturating_add(more),
                    };
                }
                State::Escape | State::Intermediate | State::Csi(_) => {}
            }
            let byte = *bytes.first()?;
            if byte >= 0x80 {
                // Only text and string sequences have such bytes; a string swallowed them above.
                self.state = State::Ground;
                continue;
            }
            *bytes = bytes.get(1..).unwrap_or_default();
            if let Step::Event(event) = self.step(byte) {
                return Some(event);
            }
        }
    }

    fn step(&mut self, byte: u8) -> Step {
        match (self.state, byte) {
            (State::Text { bell_ends, .. }, BEL) => {
                if bell_ends {
                    self.state = State::Ground;
                }
            }
            (_, ESC) => self.state = State::Escape,
            (_, CAN | SUB) => self.state = State::Ground,
            (State::Text { .. }, _) | (_, DEL) => {}
            (_, 0..0x20) => return Step::Event(Event::Control(byte)),
            (State::Escape, _) => return self.escape(byte),
            (State::Intermediate, 0x30..=0x7E) => self.state = State::Ground,
            (State::Csi(csi), _) => return self.csi(csi, byte),
            (State::Ground | State::Intermediate, _) => {}
        }
        Step::Nothing
    }

    fn escape(&mut self, byte: u8) -> Step {
        self.state = match byte {
            b'[' => State::Csi(Csi::default()),
            // `ESC k` is the window title of screen and tmux.
            b']' | b'k' => State::Text {
                bell_ends: true,
                swallowed: 0,
            },
            b'P' | b'X' | b'^' | b'_' => State::Text {
                bell_ends: false,
                swallowed: 0,
            },
            0x20..=0x2F => State::Intermediate,
            0x30..=0x7E => {
                self.state = State::Ground;
                return Step::Event(Event::Escape(byte));
            }
            _ => State::Ground,
        };
        Step::Nothing
    }

    fn csi(&mut self, mut csi: Csi, byte: u8) -> Step {
        match byte {
            b'0'..=b'9' => {
                if let Some(param) = csi.params.get_mut(usize::from(csi.index)) {
                    let digit = u32::from(byte - b'0');
                    *param = Some(param.unwrap_or(0).saturating_mul(10).saturating_add(digit));
                }
            }
            b';' | b':' => csi.index = csi.index.saturating_add(1),
            0x20..=0x2F | 0x3C..=0x3F => csi.private = true,
            0x40..=0x7E => {
                self.state = State::Ground;
                if csi.private {
                    return Step::Nothing;
                }
                return Step::Event(Event::Csi(csi.params, byte));
            }
            _ => return Step::Nothing,
        }
        self.state = State::Csi(csi);
        Step::Nothing
    }
}

enum Step {
    Nothing,
    Event(Event<'static>),
}

/// Length of the text at the front: up to the first C0 control or DEL.
fn text_len(bytes: &[u8]) -> usize {
    find(bytes, |byte| byte < 0x20 || byte == DEL)
}

/// Length of what is plain lines at the front: text, newlines and tabs.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    find(bytes, |byte| {
        (byte < 0x20) & (byte != b'\n') & (byte != b'\t') | (byte == DEL)
    })
}

/// Position of the first byte that `stops`, or the length. Written so that the compiler looks at 32 bytes at a time.
fn find(bytes: &[u8], stops: impl Fn(u8) -> bool) -> usize {
    const BLOCK: usize = 32;
    let mut at = 0;
    for block in bytes.chunks_exact(BLOCK) {
        if block.iter().fold(false, |any, &byte| any | stops(byte)) {
            break;
        }
        at += BLOCK;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| stops(byte)).unwrap_or(rest.len())
}
