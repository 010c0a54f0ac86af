//! `Problem`: what is wrong in a configuration file, and where. It never carries a value that the file holds, since
//! any of them may be a secret in the wrong place.

use std::fmt;
use std::path::{Path, PathBuf};

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

/// Line and column, both counted from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Pos {
    /// The place of a byte offset in a text; past its end counts as its end.
    pub fn of(text: &str, offset: usize) -> Self {
        Places::new(text).of(offset)
    }
}

/// The places of a text's byte offsets, for asking often: a file of a million values has as many places.
pub(super) struct Places {
    len: usize,
    /// Offsets at which lines begin.
    lines: Vec<usize>,
    /// Offsets of bytes that begin no character.
    inside: Vec<usize>,
}

impl Places {
    pub(super) fn new(text: &str) -> Self {
        let bytes = || text.bytes().enumerate();
        let newlines = bytes().filter(|(_, byte)| *byte == b'\n');
        Self {
            len: text.len(),
            lines: std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect(),
            inside: bytes()
                .filter(|(_, byte)| byte & 0xc0 == 0x80)
                .map(|(at, _)| at)
                .collect(),
        }
    }

    pub(super) fn of(&self, offset: usize) -> Pos {
        let offset = offset.min(self.len);
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        // A place inside a character is that character's.
        let before = |at: usize| self.inside.partition_point(|inside| *inside <= at);
        Pos {
            line,
            column: (offset - start + 1).saturating_sub(before(offset) - before(start)),
        }
    }
}

/// One thing that is wrong in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Where in it; `None` if it concerns the file as a whole.
    pub at: Option<Pos>,
    /// One sentence of what is wrong.
    pub message: String,
    /// One sentence of what to do; empty if the message says it.
    pub hint: String,
}

impl Problem {
    /// Something wrong with a file as a whole.
    pub fn file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            at: None,
            message: message.into(),
            hint: String::new(),
        }
    }

    /// Something wrong at one place.
    pub fn at(file: &Path, at: Pos, message: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            ..Self::file(file, message)
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The fault of a call that needs what is wrong here.
    pub fn fault(&self) -> Fault {
        let place = self.place();
        let hint = if self.hint.is_empty() {
            format!("mend {place}; `sshctl config check` shows all that is wrong")
        } else {
            format!("{}; `sshctl config check` shows all that is wrong", self.hint)
        };
        Fault::new(Reason::ConfigInvalid, format!("{place}: {}", self.message)).hint(hint)
    }

    /// `file:line:column`, or the file alone.
    fn place(&self) -> String {
        let file = self.file.display();
        match self.at {
            Some(Pos { line, column }) => format!("{file}:{line}:{column}"),
            None => file.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.message)?;
        if !self.hint.is_empty() {
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}

/// The known word nearest to an unknown one, if it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Jaro-Winkler similarity from which one word is taken for a misspelling of another.
    const NEAR: f64 = 0.8;
    let word = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            // Of short words the measure makes too little: two letters exchanged are one slip.
            let slip = strsim::osa_distance(&word, candidate) == 1;
            let similarity = strsim::jaro_winkler(&word, candidate);
            (if slip { similarity.max(NEAR) } else { similarity }, candidate)
        })
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let text = "a = 1\nüü = x";
        assert_eq!(Pos::of(text, 0), Pos { line: 1, column: 1 });
        assert_eq!(Pos::of(text, 6), Pos { line: 2, column: 1 });
        assert_eq!(Pos::of(text, 10), Pos { line: 2, column: 3 });
        assert_eq!(Pos::of(text, 7), Pos { line: 2, column: 1 }, "inside a character");
        assert_eq!(Pos::of(text, 999).line, 2);
        assert_eq!(Pos::of("", 0), Pos { line: 1, column: 1 });
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["host", "password", "port", "key_path"];
        assert_eq!(nearest("passwrod", known), Some("password"));
        assert_eq!(nearest("keypath", known), Some("key_path"));
        assert_eq!(nearest("Host", known), Some("host"));
        assert_eq!(nearest("hunter2", known), None);
    }
}
