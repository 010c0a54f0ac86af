//! A login shell as the helper saw it while a session was being opened, and whether it shows its prompt.

use super::probe::{LineMode, Modes};

/// A login shell that may be the one of a session that is being opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Process id.
    pub pid: u32,
    /// Terminal.
    pub tty: String,
    /// How the terminal takes input.
    pub modes: Modes,
    /// True if the shell is the foreground process group itself.
    pub in_front: bool,
    /// True if it sleeps in a read of a terminal, as far as that can be seen.
    pub reading: bool,
    /// Name.
    pub name: String,
    /// What is in front of it instead.
    pub front: Option<Front>,
    /// How many bytes it reads at once; none if that cannot be seen.
    pub bytes: Option<u32>,
    /// How many bytes of its stack are in use; none if that cannot be seen.
    pub depth: Option<u32>,
}

/// A program that start-up files started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// Name.
    pub name: String,
    /// It sleeps in a read of the terminal, or takes its keys, as far as that can be seen.
    pub reads: bool,
}

/// Kernel functions in which a process reads a terminal.
fn is_tty_wait(wchan: &str) -> bool {
    matches!(wchan, "n_tty_read" | "tty_read" | "wait_woken")
}

fn waits(state: &str, wchan: &str) -> bool {
    state == "S" && (is_tty_wait(wchan) || wchan == "0" || wchan.contains("select") || wchan.contains("poll"))
}

/// Shells whose prompt is a line editor's, which takes Enter as it comes.
const EDITORS: [&str; 6] = ["bash", "zsh", "fish", "ksh", "ksh93", "mksh"];
/// The same of those that leave Enter to the terminal.
const PLAIN_EDITORS: [&str; 2] = ["tcsh", "ash"];
/// Shells that read a buffer full at their prompt, and for `read` a byte at a time.
const BY_BUFFER: [&str; 2] = ["dash", "sh"];

/// What bash's `read` takes from a terminal at once; its prompt without an editor takes less.
const BASH_READ: u32 = 4096;

/// fish 3 uses 7 KiB of its stack at its prompt, and 20 KiB in a `read` of its configuration.
const FISH_PROMPT: u32 = 14 << 10; // 14 KiB

impl Candidate {
    /// Parses `PID TTY MODES STATE PGRP TPGID WCHAN NAME FRONT BYTES DEPTH`; FRONT is `STATE,WCHAN,NAME` or `-`,
    /// BYTES is `r` if it had gone on since STATE was read.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        let pid: u32 = fields.next()?.parse().ok()?;
        let tty = fields.next()?.to_owned();
        let modes = Modes::parse(fields.next()?);
        let state = fields.next()?;
        let group = fields.next()?;
        let foreground = fields.next()?;
        let wchan = fields.next()?;
        let name = fields.next().unwrap_or_default().to_owned();
        let front = fields.next().and_then(|text| Front::parse(text, modes));
        let bytes = fields.next();
        Some(Self {
            pid,
            tty,
            modes,
            in_front: group == foreground && group == pid.to_string(),
            reading: waits(state, wchan) && bytes != Some("r"),
            name,
            front,
            bytes: bytes.and_then(|count| count.parse().ok()),
            depth: fields.next().and_then(|count| count.parse().ok()),
        })
    }

    fn is_one_of(&self, names: &[&str]) -> bool {
        names.contains(&self.name.trim_start_matches('-'))
    }

    /// fish reads for `read` as it does at its prompt, but from within a file, a function and a builtin. Only what also
    /// looks like a question is one: other versions of it may be deeper at their prompt.
    pub fn may_ask(&self) -> bool {
        let is_deep = self.depth.is_some_and(|depth| depth > FISH_PROMPT);
        // It may have had a child in one moment and read in the next.
        self.is_one_of(&["fish"]) && (is_deep || self.front.is_some())
    }

    fn is_bash(&self) -> bool {
        self.is_one_of(&["bash"])
    }

    /// It has the terminal and reads it.
    pub fn reads(&self) -> bool {
        self.in_front && self.reading
    }

    /// It reads a byte at a time, as `read` does and no prompt: what is asked is no command.
    pub fn asks(&self) -> bool {
        self.reads()
            && match self.modes.line {
                LineMode::Raw => self.is_one_of(&EDITORS) && !self.modes.editor,
                LineMode::Canonical => {
                    self.bytes == Some(1) || self.is_bash() && self.bytes == Some(BASH_READ)
                }
                LineMode::Unknown => false,
            }
    }

    /// It shows its prompt and reads: a line may be typed. Shells with a line editor are at their prompt only in raw
    /// mode; a `read` in a start-up file is not. Of others it shows in how much they read at once, if at all.
    pub fn at_prompt(&self) -> bool {
        self.reads()
            && !self.asks()
            && match self.modes.line {
                LineMode::Raw => true,
                LineMode::Canonical if self.is_one_of(&BY_BUFFER) => true,
                LineMode::Canonical => !self.is_one_of(&EDITORS) && !self.is_one_of(&PLAIN_EDITORS),
                LineMode::Unknown => false,
            }
    }
}

impl Front {
    fn parse(text: &str, modes: Modes) -> Option<Self> {
        let mut fields = text.splitn(3, ',');
        let state = fields.next()?;
        let wchan = fields.next()?;
        let name = fields.next()?.to_owned();
        let reads = match modes.line {
            LineMode::Raw => waits(state, wchan),
            // What may not be looked into shows itself by taking the echo away.
            LineMode::Canonical => state == "S" && (is_tty_wait(wchan) || wchan == "0" && !modes.echo),
            LineMode::Unknown => false,
        };
        Some(Self { name, reads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell with a line editor is at its prompt in raw mode only, and where it takes Enter as it comes.
    #[test]
    fn candidates() {
        let at = |text: &str| Candidate::parse(text).expect("a candidate").at_prompt();
        assert!(at("5 /dev/pts/1 rne S 5 5 do_select bash - -"));
        assert!(!at("5 /dev/pts/1 rek S 5 5 wait_woken bash - 1"), "read -n1");
        assert!(!at("5 /dev/pts/1 cek S 5 5 wait_woken bash - 1"));
        assert!(at("5 /dev/pts/1 rnk S 5 5 poll_schedule ash - -"));
        assert!(at("5 /dev/pts/1 rnk S 5 5 do_select tcsh - -"));
        assert!(at("5 /dev/pts/1 cek S 5 5 wait_woken dash - 8192"));
        assert!(!at("5 /dev/pts/1 cek S 5 5 wait_woken dash - 1"), "read");
        assert!(!at("5 /dev/pts/1 rne S 5 9 do_wait bash S,do_select,vi -"));
        assert!(!at("5 /dev/pts/1 cek R 5 5 0 dash - -"));
        assert!(!at("5 /dev/pts/1 rne S 5 5 do_select bash - r"));
    }
}
