//! What background jobs write after their command's end belongs to that command, and to no other.

mod bound;
mod jobs;

use std::{fs, path::Path};

use serde_json::json;
use sshmcp_tests::{Outcome, Shell, Shim, TestBed, eventually, eventually_some};

/// A background job that writes to both streams once its file is there.
fn job(tag: &str, gate: &Path) -> String {
    format!(
        "( while ! [ -e {0}-{tag} ]; do sleep 0.05; done; echo late {tag}; echo late error {tag} >&2 ) & echo now {tag}",
        gate.display()
    )
}

fn open(gate: &Path, tag: &str) {
    fs::write(format!("{}-{tag}", gate.display()), "").expect("a file");
}

/// The command's output once its job has written everything.
fn late(shim: &mut Shim, id: &str, tag: &str) -> (String, String) {
    eventually_some("late output", || {
        let (stdout, stderr) = shim.whole_output(id);
        (stdout.contains(&format!("late {tag}\n")) && stderr.contains(&format!("late error {tag}\n")))
            .then_some((stdout, stderr))
    })
}

/// Three jobs of three commands write while a fourth command runs, in the opposite order. An agent reads the late
/// output where the job was started.
#[test]
fn late_output_stays_with_its_command() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::ZshThemed, Shell::Dash] {
        let gate = bed.scratch(shell).join("gate");
        let tags = ["a", "b", "c"];
        let started: Vec<Outcome> = tags
            .iter()
            .map(|tag| {
                let outcome = shim.run(shell.host(), &job(tag, &gate));
                assert_eq!(
                    (&*outcome.status, outcome.exit_code),
                    ("completed", Some(0)),
                    "{outcome:?}"
                );
                assert_eq!(outcome.stdout, format!("now {tag}\n"), "{shell:?}: {outcome:?}");
                outcome
            })
            .collect();
        let between = shim.run(shell.host(), "echo between; echo between >&2");
        assert_eq!(
            (&*between.stdout, &*between.stderr),
            ("between\n", "between\n"),
            "{shell:?}"
        );

        let wait = format!(
            "echo begin; while ! [ -e {}-d ]; do sleep 0.05; done; echo end; echo end >&2",
            gate.display()
        );
        let running = shim.begin_call(
            "execute_command",
            json!({"session": shell.host(), "command": wait, "timeout": 50}),
        );
        for (tag, outcome) in tags.iter().zip(&started).rev() {
            open(&gate, tag);
            let (stdout, stderr) = late(&mut shim, &outcome.id, tag);
            assert_eq!(stdout, format!("now {tag}\nlate {tag}\n"), "{shell:?}");
            let foreign = stderr
                .lines()
                .any(|line| line.starts_with("late") && line != format!("late error {tag}"));
            assert!(!foreign, "{shell:?}: {stderr}");
        }
        open(&gate, "d");
        let outcome = Outcome::read(shim.finish_call(running).expect("it ends"));
        assert_eq!(outcome.stdout, "begin\nend\n", "{shell:?}: {outcome:?}");
        // bash tells on stderr that its jobs are done, and shows their text.
        let foreign = outcome.stderr.lines().any(|line| line.starts_with("late"));
        assert!(
            !foreign && outcome.stderr.ends_with("end\n"),
            "{shell:?}: {outcome:?}"
        );
        let after = shim.run(shell.host(), "echo after");
        assert_eq!(after.stdout, "after\n", "{shell:?}: {after:?}");
    }
    shim.close();
    bed.finish();
}

/// A job that writes much after its command's end must neither block on a full pipe nor die of a closed one.
#[test]
fn a_late_flood_neither_blocks_nor_dies() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let scratch = bed.scratch(shell);
        let (gate, done) = (scratch.join("gate"), scratch.join("done"));
        let command = format!(
            "( while ! [ -e {} ]; do sleep 0.05; done; seq 1 100000 && echo $? >{} ) &",
            gate.display(),
            done.display()
        );
        let outcome = shim.run(shell.host(), &command);
        assert_eq!(outcome.exit_code, Some(0), "{shell:?}: {outcome:?}");
        fs::write(&gate, "").expect("a file");
        eventually("the job has ended", || {
            fs::read_to_string(&done).is_ok_and(|status| status == "0\n")
        });
        let bytes: usize = (1..=100_000_u32).map(|number| number.to_string().len() + 1).sum();
        eventually("all of it is kept", || {
            let read = json!({"command_id": outcome.id, "tail": 1});
            let read = Outcome::read(shim.call("get_command_output", read).expect("its output"));
            read.number("total_bytes") >= bytes as u64 && read.stdout.contains("100000\n")
        });
        assert_eq!(shim.run(shell.host(), "echo after").stdout, "after\n");
    }
    shim.close();
    bed.finish();
}

/// The session may be closed under a job that still writes: the job is the user's, and goes on to its end.
#[test]
fn a_nohup_job_outlives_its_session() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let scratch = bed.scratch(shell);
        let (begun, gate, done) = (scratch.join("begun"), scratch.join("gate"), scratch.join("done"));
        let script = format!(
            "echo >{}; while ! [ -e {} ]; do sleep 0.05; done; seq 1 50000; echo error >&2; echo through >{}",
            begun.display(),
            gate.display(),
            done.display()
        );
        let disown = if shell == Shell::Zsh { "&!" } else { "&" };
        let outcome = shim.run(shell.host(), &format!("nohup sh -c '{script}' {disown}"));
        assert_eq!(outcome.exit_code, Some(0), "{shell:?}: {outcome:?}");
        // Before that nohup may not have had the time to ignore the hangup.
        eventually("it has begun", || begun.exists());
        shim.call("close_session", json!({"session": shell.host()}))
            .expect("closed");
        fs::write(&gate, "").expect("a file");
        eventually(&format!("the job of {shell:?} ends"), || {
            fs::read_to_string(&done).is_ok_and(|text| text == "through\n")
        });
    }
    shim.close();
    bed.finish();
}
