//! What hostile programs print, through real sessions: memory stays bounded, the status is right, the next command is
//! right, and what a model reads has no control character in it. `SSHMCP_LONG=1` adds the large ones. And hostile servers.

mod forged;
mod large;
mod printed;
mod servers;

use serde_json::json;
use sshmcp_tests::{Outcome, Shell, Shim, TestBed, memory::Memory};

/// Memory that all of it may cost, in millions of bytes: the daemon's caches of 200 commands' ends and one command's
/// buffers; the shim's largest answer, a few times.
const DAEMON_COST: f64 = 64.0;
const SHIM_COST: f64 = 16.0;

/// One hostile program.
pub(crate) struct Row {
    /// What it prints, in POSIX shell; its status is 7.
    command: String,
    /// What the answer must have, captured and on a terminal.
    has: &'static str,
    /// It can only be told without a terminal.
    captured_only: bool,
}

fn row(command: impl Into<String>, has: &'static str) -> Row {
    Row {
        command: command.into(),
        has,
        captured_only: false,
    }
}

/// A model's text is lines and tabs, and nothing that acts on a terminal or on the order of reading.
fn is_clean(text: &str) -> bool {
    let acts = |c: char| match c {
        '\n' | '\t' => false,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    };
    !text.chars().any(acts)
}

fn play(shim: &mut Shim, shell: Shell, terminal: bool, number: usize, row: &Row) -> Option<String> {
    let command = format!("{}; (exit 7)", row.command);
    let arguments = json!({"host": shell.host(), "command": command, "terminal": terminal, "timeout": 50, "output_limit": 40_000});
    let shown: String = row.command.chars().take(100).collect();
    let told = |what: String| Some(format!("{shell:?}, terminal {terminal}: {shown}\n  {what}"));
    let outcome = match shim.execute(arguments) {
        Ok(outcome) => outcome,
        Err(error) => return told(format!("{error:?}")),
    };
    let end = || -> String {
        outcome
            .stdout
            .chars()
            .rev()
            .take(200)
            .collect::<String>()
            .chars()
            .rev()
            .collect()
    };
    if (&*outcome.status, outcome.exit_code) != ("completed", Some(7)) {
        return told(format!(
            "{} {:?}, {}; …{:?}",
            outcome.status,
            outcome.exit_code,
            outcome.notice,
            end()
        ));
    }
    if !is_clean(&outcome.stdout) || !is_clean(&outcome.stderr) {
        return told(format!("control characters are left: …{:?}", end()));
    }
    if !outcome.stdout.contains(row.has) {
        return told(format!("{:?} is missing: …{:?}", row.has, end()));
    }
    let next =
        json!({"host": shell.host(), "command": format!("echo next {number}; echo error >&2; (exit 5)")});
    match shim.execute(next) {
        Ok(next)
            if (&*next.stdout, &*next.stderr, next.exit_code)
                == (&*format!("next {number}\n"), "error\n", Some(5)) =>
        {
            None
        }
        other => told(format!("the next command: {other:?}")),
    }
}

fn is_long() -> bool {
    std::env::var_os("SSHMCP_LONG").is_some()
}

fn play_all(shell: Shell) {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run(shell.host(), "true");
    let before = (
        Memory::of_daemon(&bed).megabytes(),
        Memory::of(shim.pid()).megabytes(),
    );
    let mut rows = printed::rows();
    rows.extend(forged::rows());
    if is_long() {
        rows.extend(large::rows());
    }
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        for terminal in [false, true] {
            if !(terminal && row.captured_only) {
                wrong.extend(play(&mut shim, shell, terminal, number, row));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    let after = (
        Memory::of_daemon(&bed).megabytes(),
        Memory::of(shim.pid()).megabytes(),
    );
    assert!(
        after.0 - before.0 < DAEMON_COST,
        "the daemon: {before:?} to {after:?} MB"
    );
    assert!(
        after.1 - before.1 < SHIM_COST,
        "the shim: {before:?} to {after:?} MB"
    );
    shim.close();
    bed.finish();
}

#[test]
fn bash_survives() {
    play_all(Shell::Bash);
}

#[test]
fn dash_survives() {
    play_all(Shell::Dash);
}

#[test]
fn zsh_survives() {
    play_all(Shell::Zsh);
}

/// An agent that looks for words in one endless line waits no longer for that than for any other output.
fn searches(shim: &mut Shim, outcome: &Outcome) {
    let began = std::time::Instant::now();
    for arguments in [
        json!({"command_id": outcome.id, "grep": "needle"}),
        json!({"command_id": outcome.id, "grep": "(x+x+)+y"}),
        json!({"command_id": outcome.id, "tail": 5}),
        json!({"command_id": outcome.id, "offset": 20_000_000}),
    ] {
        let found = Outcome::read(
            shim.call("get_command_output", arguments.clone())
                .expect("an answer"),
        );
        assert!(
            is_clean(&found.stdout) && found.stdout.len() < 100_000,
            "{arguments}"
        );
    }
    assert!(began.elapsed() < sshmcp_tests::IN_TIME, "{:?}", began.elapsed());
}

#[test]
fn one_huge_line_is_searched() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let size = if is_long() { 104_857_600 } else { 33_000_000 };
    let outcome = shim.run("bash", &format!("head -c {size} /dev/zero | tr '\\0' x"));
    assert_eq!(
        (&*outcome.status, outcome.number("total_bytes")),
        ("completed", size)
    );
    searches(&mut shim, &outcome);
    shim.close();
    bed.finish();
}
