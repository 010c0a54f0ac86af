//! How many commands' background jobs may hold their output: so many, then a clear error, and room again once some end.

use std::fs;

use serde_json::json;
use sshmcp_tests::{Shell, TestBed, eventually};

/// As many as the daemon has pairs of FIFOs for in one session.
const PAIRS: u32 = 32;

fn waits(gate: &std::path::Path, number: u32) -> String {
    format!(
        "( while ! [ -e {}-{number} ]; do sleep 0.2; done; echo late {number} ) & echo {number}",
        gate.display()
    )
}

/// Jobs that end give their pair back: far more than there are pairs may come one after the other.
#[test]
fn jobs_that_end_make_room() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let gate = bed.scratch(shell).join("gate");
        for round in 0..PAIRS / 2 {
            let ids: Vec<String> = (0..3)
                .map(|job| {
                    let begun = shim.run(shell.host(), &waits(&gate, round * 3 + job));
                    assert_eq!(begun.stdout, format!("{}\n", round * 3 + job), "{begun:?}");
                    begun.id
                })
                .collect();
            for job in 0..3 {
                fs::write(format!("{}-{}", gate.display(), round * 3 + job), "").expect("a file");
            }
            for (job, id) in ids.iter().enumerate() {
                let line = format!("late {}\n", round as usize * 3 + job);
                eventually("its late output", || shim.whole_output(id).0.ends_with(&line));
            }
        }
    }
    shim.close();
    bed.finish();
}

#[test]
fn more_than_there_is_room_for() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let shell = Shell::Bash;
    let gate = bed.scratch(shell).join("gate");
    let mut ids = Vec::new();
    for number in 0..PAIRS {
        ids.push(shim.run(shell.host(), &waits(&gate, number)).id);
    }
    let session = json!({"session": shell.host(), "command": "echo more"});
    let refused = shim.execute(session.clone()).expect_err("there is no room");
    assert_eq!(refused.code, "limit_reached", "{refused:?}");
    assert!(
        refused.message.contains("32 earlier commands") && refused.message.contains("nothing was run"),
        "{refused:?}"
    );
    let has_terminal = json!({"session": shell.host(), "command": "echo here", "terminal": true});
    let outcome = shim.execute(has_terminal).expect("it needs no room");
    assert_eq!(outcome.stdout.trim_end(), "here", "{outcome:?}");
    // One lets go: there is room for one.
    fs::write(format!("{}-7", gate.display()), "").expect("a file");
    eventually("there is room again", || {
        shim.execute(session.clone())
            .is_ok_and(|outcome| outcome.stdout == "more\n")
    });
    for number in 0..PAIRS {
        fs::write(format!("{}-{number}", gate.display()), "").expect("a file");
    }
    for (number, id) in ids.iter().enumerate() {
        let wanted = format!("{number}\nlate {number}\n");
        eventually("its late output", || shim.whole_output(id).0 == wanted);
    }
    assert_eq!(shim.run(shell.host(), "echo after").stdout, "after\n");
    shim.close();
    bed.finish();
}
