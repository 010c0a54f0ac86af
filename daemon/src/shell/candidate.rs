//! A login shell as the helper saw it while a session was being opened, and whether it shows its prompt.

use super::probe::{LineMode, Modes};

/// A login shell that may be the one of a session that is being opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Process id.
    pub pid: u32,
    /// Terminal.
    pub tty: String,
    /// Line mode of it.
    pub mode: LineMode,
    /// True if the shell is the foreground process group itself.
    pub in_front: bool,
    /// True if it sleeps in a read of a terminal, as far as that can be seen.
    pub reading: bool,
    /// Name.
    pub name: String,
}

/// Kernel functions in which a process reads a terminal.
fn is_tty_wait(wchan: &str) -> bool {
    matches!(wchan, "n_tty_read" | "tty_read" | "wait_woken")
}

impl Candidate {
    /// Parses `PID TTY MODES STATE PGRP TPGID WCHAN NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        let pid: u32 = fields.next()?.parse().ok()?;
        let tty = fields.next()?.to_owned();
        let mode = Modes::parse(fields.next()?).line;
        let state = fields.next()?;
        let group = fields.next()?;
        let foreground = fields.next()?;
        let wchan = fields.next()?;
        let name = fields.next().unwrap_or_default().to_owned();
        Some(Self {
            pid,
            tty,
            mode,
            in_front: group == foreground && group == pid.to_string(),
            reading: state == "S"
                && (is_tty_wait(wchan) || wchan == "0" || wchan.contains("select") || wchan.contains("poll")),
            name,
        })
    }

    /// It shows its prompt and reads: a line may be typed. Shells with a line editor are at their prompt only in raw
    /// mode; a `read` in a start-up file is not. Those without one cannot be told apart.
    pub fn at_prompt(&self) -> bool {
        let editor = ["bash", "zsh", "fish", "tcsh", "ash", "ksh", "ksh93", "mksh"]
            .iter()
            .any(|shell| self.name.trim_start_matches('-') == *shell);
        self.in_front
            && self.reading
            && match self.mode {
                LineMode::Raw => true,
                LineMode::Canonical => !editor,
                LineMode::Unknown => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell with a line editor is at its prompt in raw mode only.
    #[test]
    fn candidates() {
        let at = |text: &str| Candidate::parse(text).expect("a candidate").at_prompt();
        assert!(at("5 /dev/pts/1 rn S 5 5 do_select bash"));
        assert!(!at("5 /dev/pts/1 ce S 5 5 wait_woken bash"));
        assert!(at("5 /dev/pts/1 ce S 5 5 wait_woken dash"));
        assert!(!at("5 /dev/pts/1 rn S 5 9 do_select bash"));
        assert!(!at("5 /dev/pts/1 ce R 5 5 0 dash"));
    }
}
