//! `--check-config`: what is wrong with the configuration, for a person or a program to read. It reads and reports only.

use std::fmt;

use serde_json::{Value, json};

use super::problem::Problem;
use super::{ConfigStore, Configured, Sources};

/// What a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The files that are there.
    pub files: Vec<String>,
    /// Connections fit for use.
    pub usable: Vec<String>,
    /// Connections that are not.
    pub broken: Vec<String>,
    /// All that is wrong.
    pub problems: Vec<Problem>,
}

/// Reads the configuration as the daemon would at its start.
pub fn check(sources: Sources) -> Report {
    let files = sources
        .files()
        .into_iter()
        .filter(|(file, _)| file.exists())
        .map(|(file, _)| file.display().to_string())
        .collect();
    let config = ConfigStore::open(sources).current();
    let names = |usable: bool| {
        config
            .connections
            .iter()
            .filter(|(_, configured)| matches!(configured, Configured::Usable(_)) == usable)
            .map(|(name, _)| name.clone())
            .collect()
    };
    Report {
        files,
        usable: names(true),
        broken: names(false),
        problems: config.all_problems().cloned().collect(),
    }
}

impl Report {
    /// True if nothing is wrong.
    pub const fn ok(&self) -> bool {
        self.problems.is_empty()
    }

    /// The report for programs.
    pub fn json(&self) -> Value {
        let problems: Vec<Value> = self
            .problems
            .iter()
            .map(|problem| {
                json!({
                    "file": problem.file.display().to_string(),
                    "line": problem.at.map(|at| at.line),
                    "column": problem.at.map(|at| at.column),
                    "message": problem.message,
                    "hint": problem.hint,
                })
            })
            .collect();
        json!({
            "ok": self.ok(),
            "files": self.files,
            "usable": self.usable,
            "broken": self.broken,
            "problems": problems,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        if self.files.is_empty() {
            writeln!(
                f,
                "no configuration file is there; ssh_config aliases and user@host work without one"
            )?;
        }
        for file in &self.files {
            writeln!(f, "read {file}")?;
        }
        write!(
            f,
            "{} connections fit for use, {} not, {} problems",
            self.usable.len(),
            self.broken.len(),
            self.problems.len()
        )
    }
}
