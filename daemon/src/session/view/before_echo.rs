//! Where a prompt ends and the echo of the line that we type begins; knows the shells' habits there, and no screen.

/// Where a prompt ends and the echo of our line begins.
#[derive(Debug, Default)]
pub(super) struct BeforeEcho {
    sign: Option<Sign>,
    /// The beginning of a sign that may go on.
    tail: Vec<u8>,
}

/// What tells where our line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The line itself, from its first letters on.
    Line,
    /// What this shell switches on when its prompt is drawn, as a rule; it may paint the line piece by piece.
    PasteMode,
}

impl Sign {
    /// How it is with this shell; none where lines are painted in ways that tell nothing.
    pub fn of(shell: &str) -> Option<Self> {
        match shell {
            "fish" | "ksh" => None,
            "zsh" => Some(Self::PasteMode),
            _ => Some(Self::Line),
        }
    }

    /// What is looked for; behind the first the prompt ends, before the second.
    const fn signs(self) -> [&'static [u8]; 2] {
        match self {
            Self::Line => [LINE, LINE],
            Self::PasteMode => [PASTE_MODE, LINE],
        }
    }
}

/// The first letters of all that we type.
const LINE: &[u8] = b" __sshmcp";
/// A line editor takes pastes from here on.
const PASTE_MODE: &[u8] = b"\x1b[?2004h";

impl BeforeEcho {
    /// What comes next is the end of a prompt, up to this sign.
    pub(super) const fn until(sign: Option<Sign>) -> Self {
        Self {
            sign,
            tail: Vec::new(),
        }
    }

    /// What of these bytes stands before the echo.
    pub(super) fn part(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(sign) = self.sign else {
            return Vec::new();
        };
        let mut all = std::mem::take(&mut self.tail);
        all.extend_from_slice(bytes);
        let ends = sign.signs().map(|wanted| {
            let behind = if wanted == PASTE_MODE { wanted.len() } else { 0 };
            memchr::memmem::find(&all, wanted).map(|at| at + behind)
        });
        if let Some(end) = ends.into_iter().flatten().min() {
            self.sign = None;
            all.truncate(end);
            return all;
        }
        let begun = sign.signs().map(|wanted| {
            (1..wanted.len())
                .rev()
                .find(|&length| wanted.get(..length).is_some_and(|begin| all.ends_with(begin)))
        });
        let begun = begun.into_iter().flatten().max().unwrap_or(0);
        self.tail = all.split_off(all.len() - begun);
        all
    }
}
