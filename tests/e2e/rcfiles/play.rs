//! Plays rows side by side, each as a user of its own, and writes down what was told wrongly.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use serde_json::json;
use sshmcp_tests::{LONG, Outcome, Shim, TestBed, ToolError, eventually_some, wait::within};

use super::{
    home::Homes,
    row::{Row, SLEEP, Step, Then},
};

/// Rows that are played at the same time.
const PLAYERS: usize = 12;

/// Plays every row once, and fails with what was wrong.
pub(super) fn play(rows: &[Row]) {
    let only = std::env::var("SSHMCP_ROW").ok();
    let mut rows: Vec<&Row> = rows
        .iter()
        .filter(|row| only.as_deref().is_none_or(|only| row.name.contains(only)))
        .collect();
    // What never opens takes longest: beside all others.
    rows.sort_by_key(|row| !matches!(row.then, Then::Fails(..)));
    let homes = Homes::new();
    let mut bed = TestBed::new();
    for row in &rows {
        let user = homes.make(row.name, row.shell, &row.files);
        bed.add_guest(row.name, &user);
    }
    let wrong = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..PLAYERS.min(rows.len()) {
            scope.spawn(|| {
                let mut shim = bed.shim();
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let began = Instant::now();
                    if let Err(words) = play_one(&mut shim, row) {
                        wrong.lock().expect("no player panics with it").push(format!(
                            "{}: after {:?}: {words}",
                            row.name,
                            began.elapsed()
                        ));
                    }
                    close(&mut shim, row);
                }
                shim.close();
            });
        }
    });
    let mut wrong = wrong.into_inner().expect("no player panicked");
    bed.stop_daemon();
    for row in rows.iter().filter(|row| row.history) {
        let home = sshmcp_tests::User::named(&format!("sshmcp-rc-{}", row.name), &row.shell.program()).home;
        wrong.extend(ours_in(&home).map(|words| format!("{}: {words}", row.name)));
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows are wrong:\n\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n\n")
    );
    bed.finish();
}

fn close(shim: &mut Shim, row: &Row) {
    // One that never opened is gone already.
    shim.call("close_session", json!({"host": row.name})).ok();
}

fn play_one(shim: &mut Shim, row: &Row) -> Result<(), String> {
    let opened = shim.call("open_session", json!({"host": row.name}));
    match (&row.then, opened) {
        (Then::Fails(code, message, hint), Err(error)) => {
            let right = error.code == *code && error.message.contains(message) && error.hint.contains(hint);
            return if right { Ok(()) } else { Err(words(&error)) };
        }
        (Then::Fails(..), Ok(opened)) => return Err(format!("it opens: {opened}")),
        (Then::Asks(text, answer) | Then::Holds(text, answer), Err(error)) => {
            waits(shim, row, &error, text, answer)?;
        }
        (Then::Asks(..) | Then::Holds(..), Ok(opened)) => return Err(format!("it opens unasked: {opened}")),
        (Then::Works | Then::OneStream, Err(error)) => return Err(words(&error)),
        (Then::Works | Then::OneStream, Ok(opened)) => {
            let greeting = opened["greeting"].as_str().unwrap_or_default();
            if !greeting.contains(row.greets) {
                return Err(format!("it greets otherwise: {opened}"));
            }
        }
    }
    for step in row.steps() {
        let outcome = run(shim, row, &step)?;
        compare(row, &step, &outcome)?;
    }
    Ok(())
}

fn words(error: &ToolError) -> String {
    format!("{}: {} ({})", error.code, error.message, error.hint)
}

/// The open said that it waits; the session is there, runs nothing else, and goes on once it is answered.
fn waits(shim: &mut Shim, row: &Row, error: &ToolError, text: &str, answer: &str) -> Result<(), String> {
    let right =
        error.code == "session_busy" && error.message.contains(text) && error.hint.contains("send_input");
    if !right {
        return Err(words(error));
    }
    let again = shim
        .execute(json!({"host": row.name, "command": "echo no"}))
        .err()
        .ok_or("a command answered the question")?;
    if again.code != "session_busy" || !again.message.contains(text) {
        return Err(words(&again));
    }
    let shown = shim.call("get_terminal_output", json!({"session": row.name}));
    let shown = shown.map_err(|error| words(&error))?;
    if matches!(row.then, Then::Asks(..)) && !shown.to_string().contains(text) {
        return Err(format!("its question is not on the screen: {shown}"));
    }
    let typed = json!({"session": row.name, "text": answer});
    shim.call("send_input", typed).map_err(|error| words(&error))?;
    let mut said = None;
    let opened = within(LONG, || {
        match shim.call("open_session", json!({"host": row.name})) {
            Ok(_) => return Some(()),
            Err(error) => said = Some(error),
        }
        None
    });
    if opened.is_none() {
        return Err(format!("it does not open once it is answered: {said:?}"));
    }
    if matches!(row.then, Then::Holds(..)) {
        return Ok(());
    }
    let asked = match row.speaks {
        sshmcp_tests::Shell::Fish => "echo $answer",
        _ => "echo \"$answer\"",
    };
    let outcome = shim.run(row.name, asked);
    if outcome.stdout != format!("{answer}\n") {
        return Err(format!("it was answered otherwise: {outcome:?}"));
    }
    Ok(())
}

fn run(shim: &mut Shim, row: &Row, step: &Step) -> Result<Outcome, String> {
    let interrupted = step.command == SLEEP;
    let timeout = if interrupted { 0.3 } else { 40.0 };
    let arguments = json!({"host": row.name, "command": step.command, "timeout": timeout});
    let outcome = shim
        .execute(arguments)
        .map_err(|error| format!("{:?}: {}", step.command, words(&error)))?;
    if !interrupted {
        return Ok(outcome);
    }
    let asked = json!({"command_id": outcome.id});
    let told = shim.call("interrupt_command", asked);
    told.map_err(|error| words(&error))?;
    Ok(shim.wait_for(&outcome.id))
}

fn compare(row: &Row, step: &Step, outcome: &Outcome) -> Result<(), String> {
    let status = if step.command == SLEEP {
        "interrupted"
    } else {
        "completed"
    };
    let streams = if matches!(row.then, Then::OneStream) {
        let together = format!("{}{}", step.stdout, step.stderr);
        // A terminal echoes what interrupts, and begins lines as it wants.
        outcome.object["stderr"].is_null()
            && (step.command == SLEEP || outcome.stdout.replace('\r', "") == together)
    } else {
        outcome.stdout == step.stdout && outcome.stderr == step.stderr
    };
    let right = outcome.status == status
        && outcome.exit_code == Some(step.code)
        && outcome.object["completion"] == "exact"
        && streams;
    if right {
        return Ok(());
    }
    Err(format!("{:?} gives {}", step.command, outcome.object))
}

/// What of ours stands in files of a home.
fn ours_in(home: &std::path::Path) -> impl Iterator<Item = String> {
    let mut open = vec![home.to_owned()];
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
                continue;
            }
            let text = std::fs::read(entry.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            if text.contains("sshmcp-") || text.contains("__sshmcp") {
                found.push(format!("{}: {text}", entry.path().display()));
            }
        }
    }
    found.into_iter()
}

/// Waits until the session has no shell.
pub(super) fn until_it_ends(shim: &mut Shim, session: &str) {
    eventually_some(&format!("the shell of {session} ends"), || {
        let listed = shim.call("list_sessions", json!({})).expect("listed");
        let sessions = listed["sessions"].as_array().cloned().unwrap_or_default();
        sessions
            .iter()
            .any(|one| one["session"] == session && one["state"] == "disconnected")
            .then_some(())
    });
}
