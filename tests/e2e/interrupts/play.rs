//! A session that plays rows of the table one after the other and writes down what was wrong.

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, TestBed, process::Process};

use super::rows::Row;

/// A host's session, and what went wrong in it.
pub(super) struct Session {
    shim: Shim,
    shell: Shell,
    modes: String,
    wrong: Vec<String>,
}

impl Session {
    pub(super) fn new(bed: &TestBed, shell: Shell) -> Self {
        let mut shim = bed.shim();
        let modes = shim.run(shell.host(), MODES).stdout;
        Self {
            shim,
            shell,
            modes,
            wrong: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<String> {
        self.shim.close();
        self.wrong
    }

    /// Plays a row, and plain commands after it.
    pub(super) fn play(&mut self, row: &Row) {
        if let Err(words) = self.try_row(row) {
            self.wrong
                .push(format!("{:?} {:?}: {words}", row.text, row.steps[0].signal));
            // The next row gets a new session.
            self.shim.call("close_session", json!({"all": true})).ok();
        }
    }

    fn try_row(&mut self, row: &Row) -> Result<(), String> {
        let host = self.shell.host();
        let begun = json!({"host": host, "command": row.text, "terminal": row.terminal, "timeout": 0.3});
        let begun = self.shim.execute(begun).map_err(|error| error.message)?;
        same("status", is_open(&begun.status), true)?;
        if !row.ready.is_empty() {
            let wait = json!({"commands": [begun.id], "pattern": row.ready, "timeout": 20, "offset": 0});
            let seen = self.shim.call("wait_for", wait).map_err(|error| error.message)?;
            has("what it waits for", &seen.to_string(), "\"pattern\"")?;
        }
        let mut last = Value::Null;
        for step in &row.steps {
            let ask = json!({"command_id": begun.id, "signal": step.signal});
            last = self
                .shim
                .call("interrupt_command", ask)
                .map_err(|error| format!("{}: {}: {}", step.signal, error.code, error.message))?;
            has(
                step.signal,
                last["message"].as_str().unwrap_or_default(),
                step.says,
            )?;
            if step.ends && last["ended"] == false && self.hangs() {
                return self.end_hung(&begun.id);
            }
            same("ended", last["ended"].clone(), json!(step.ends))
                .map_err(|words| format!("{words}: {}", last["message"]))?;
        }
        let outcome = Outcome::read(last);
        same("status", &*outcome.status, "interrupted")?;
        if row.code.is_some() {
            same("exit code", outcome.exit_code, row.code)?;
        }
        same("output behind it", outcome.stdout.contains("NO"), false)?;
        let code = if row.kills_shell {
            0
        } else {
            outcome.exit_code.unwrap_or_default()
        };
        let asks = match self.shell {
            Shell::Fish => "printf 'next %s\\n' $status",
            _ => "printf 'next %s\\n' \"$?\"",
        };
        self.next(asks, &format!("next {code}\n"), row)?;
        if let Some((text, prints)) = row.then {
            self.next(text, prints, row)?;
        }
        if row.terminal {
            let modes = self.modes.clone();
            self.next(MODES, &modes, row)?;
        }
        Ok(())
    }

    /// busybox ash leaves its signal handler by a jump, also out of the C library's stdio with a lock held, and waits for
    /// that for ever (1.35.0 with glibc 2.36: one Ctrl-C of some thirty in a loop of builtins, without us too).
    fn hangs(&self) -> bool {
        let waits = |process: &Process| {
            let place = std::fs::read_to_string(format!("/proc/{}/wchan", process.pid));
            process.line == "-ash" && place.is_ok_and(|place| place.contains("futex"))
        };
        self.shell == Shell::Ash && Process::all().iter().any(waits)
    }

    /// A shell that hangs is ended by KILL alone, which says so; the session goes on with a new one.
    fn end_hung(&mut self, id: &str) -> Result<(), String> {
        let ask = json!({"command_id": id, "signal": "KILL"});
        let answer = self.shim.call("interrupt_command", ask);
        let answer = answer.map_err(|error| error.message)?;
        same("ended by KILL", answer["ended"].clone(), json!(true))?;
        let message = answer["message"].as_str().unwrap_or_default();
        has("KILL", message, "the session's shell was killed")?;
        let ask = json!({"host": self.shell.host(), "command": "echo new"});
        let outcome = self.shim.execute(ask).map_err(|error| error.message)?;
        same("after it", &*outcome.stdout, "new\n")
    }

    fn next(&mut self, text: &str, prints: &str, row: &Row) -> Result<(), String> {
        let what = format!("after it, {text:?}");
        let ask = json!({"host": self.shell.host(), "command": text});
        let outcome = self.shim.execute(ask);
        let outcome = outcome.map_err(|error| format!("{what}: {}: {}", error.code, error.message))?;
        same(&what, &*outcome.stdout, prints)?;
        same(&what, &*outcome.status, "completed")?;
        if !row.kills_shell {
            same(&format!("{what}: notice"), &*outcome.notice, "")?;
        }
        Ok(())
    }
}

/// The terminal as the next command finds it.
const MODES: &str = "stty -a";

fn is_open(status: &str) -> bool {
    matches!(status, "running" | "awaiting_input")
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Result<(), String> {
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{what}\n  got    {got:?}\n  wanted {wanted:?}"))
    }
}

fn has(what: &str, got: &str, part: &str) -> Result<(), String> {
    if got.contains(part) {
        Ok(())
    } else {
        Err(format!("{what}\n  got    {got:?}\n  wanted {part:?} in it"))
    }
}
