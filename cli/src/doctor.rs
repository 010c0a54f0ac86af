//! What `sshctl doctor` finds, and how it is shown. What is looked at is in the files below; nothing is changed anywhere.

pub(crate) mod account;
pub(crate) mod clients;
pub(crate) mod files;
pub(crate) mod here;
pub(crate) mod host;
pub(crate) mod tools;

use std::io;

use serde_json::{Value, json};

use crate::output::{Output, Tone};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, but slowly, less well, or not as safely as it could.
    Warning,
    /// Something does not work, or is not safe.
    Problem,
}

impl Level {
    /// Its word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warning => Tone::Busy,
            Self::Problem => Tone::Bad,
        }
    }

    /// What `sshctl doctor` exits with if nothing worse was found.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Problem => 2,
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad.
    pub(crate) level: Level,
    /// What was looked at, in a word or two.
    pub(crate) check: &'static str,
    /// What was seen.
    pub(crate) seen: String,
    /// What to do; empty if nothing.
    pub(crate) todo: String,
}

/// Everything that was looked at in one place.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    /// As it should be.
    pub(crate) fn ok(&mut self, check: &'static str, seen: impl Into<String>) {
        self.add(Level::Ok, check, seen, "");
    }

    /// It could be better.
    pub(crate) fn warning(&mut self, check: &'static str, seen: impl Into<String>, todo: impl Into<String>) {
        self.add(Level::Warning, check, seen, todo);
    }

    /// It must be better.
    pub(crate) fn problem(&mut self, check: &'static str, seen: impl Into<String>, todo: impl Into<String>) {
        self.add(Level::Problem, check, seen, todo);
    }

    /// Anything.
    pub(crate) fn add(
        &mut self,
        level: Level,
        check: &'static str,
        seen: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.0.push(Finding {
            level,
            check,
            seen: seen.into(),
            todo: todo.into(),
        });
    }

    /// The worst of all.
    pub(crate) fn worst(&self) -> Level {
        self.0
            .iter()
            .map(|finding| finding.level)
            .max()
            .unwrap_or(Level::Ok)
    }

    /// For a person: a line each, and below it what to do.
    pub(crate) fn show(&self, out: &Output) -> io::Result<()> {
        let width = self
            .0
            .iter()
            .map(|finding| finding.check.len())
            .max()
            .unwrap_or(0);
        for Finding {
            level,
            check,
            seen,
            todo,
        } in &self.0
        {
            let (word, check) = (format!("{:8} ", level.word()), format!("{check:width$}  "));
            out.pieces(&[(&word, level.tone()), (&check, Tone::Strong), (seen, Tone::Plain)])?;
            if !todo.is_empty() {
                out.pieces(&[("           do: ", Tone::Faint), (todo, Tone::Plain)])?;
            }
        }
        Ok(())
    }

    /// For a program; `host` is null for this machine.
    pub(crate) fn json(&self, host: Option<&str>) -> Vec<Value> {
        let one = |finding: &Finding| {
            json!({
                "level": finding.level.word(), "check": finding.check, "host": host, "seen": finding.seen,
                "todo": (!finding.todo.is_empty()).then_some(&finding.todo),
            })
        };
        self.0.iter().map(one).collect()
    }
}
