//! What looking costs on the host: nothing while nobody waits, and little while somebody waits for a silent command.

use std::{fs, time::Duration};

use serde_json::json;
use sshmcp_tests::{Shim, TestBed, eventually, process::Process};

/// Watched this long.
const TIME: Duration = Duration::from_secs(4);

/// The helper of the one session: the shell that reads its script from `head`.
fn helper(bed: &TestBed) -> Process {
    let mut found = bed.processes();
    found.retain(|process| process.line.contains("head -c") && process.line.starts_with("/bin/sh -c"));
    // The readers of the FIFOs are forks of it, and hang below it.
    let all = found.clone();
    found.retain(|process| !all.iter().any(|other| other.pid == process.parent));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// How often it has gone to sleep, and how many processes it has started: each look begins with waking up.
fn sleeps(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).expect("it lives");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|number| number.trim().parse().ok())
        .expect("a number")
}

/// Milliseconds of processor time, its children's with it.
fn worked(process: &Process) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).expect("it lives");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("a stat").1.split(' ').collect();
    fields[11..15]
        .iter()
        .map(|ticks| ticks.parse::<u64>().expect("ticks") * 10)
        .sum()
}

fn watched(shim: &mut Shim, id: &str) {
    let waited = json!({"commands": [id], "timeout": TIME.as_secs_f64()});
    shim.call("wait_for", waited).expect("a wait");
}

#[test]
fn nobody_waits_nobody_looks() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let begun = shim
        .execute(json!({"host": "bash", "command": "echo begun; sleep 60", "timeout": 0}))
        .expect("it begins");
    let seen = json!({"commands": [begun.id], "pattern": "begun", "offset": 0});
    shim.call("wait_for", seen).expect("it runs");
    let helper = helper(&bed);
    // Handing over the text and the look of the wait above may still be under way; who looks twice a second never leaves it so.
    // A wait for another command is none for this one.
    let mut slept = 0;
    eventually("nobody looks for two seconds", || {
        slept = sleeps(&helper);
        shim.run("dash", "sleep 2");
        sleeps(&helper) == slept
    });
    // One who waits has it looked at: at 60, 120, 240 ms, and then twice a second, 10 times; a busy host wakes it more often.
    let spent = worked(&helper);
    watched(&mut shim, &begun.id);
    let looks = sleeps(&helper) - slept;
    assert!((1..=40).contains(&looks), "{looks} wake-ups in {TIME:?}");
    let spent = worked(&helper) - spent;
    assert!(spent <= 200, "{spent} ms in {TIME:?}");
    shim.close();
    bed.finish();
}
