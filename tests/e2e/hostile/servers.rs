//! SSH servers that mean harm, met by the daemon as it is: floods before the keys, in the login, behind it, and behind the
//! shell. Each ends in a clear error, in time; nobody else waits, and no memory is lost.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use sshmcp_tests::{IN_TIME, Memory, TestBed};

use crate::simulator::Simulator;

/// After which callers expect an error.
const BOUND: Duration = Duration::from_secs(15);
/// A shell whose start-up files say nothing has 25 s, and what floods behind a shell looks like that.
const BOUND_OF_SHELLS: Duration = Duration::from_secs(40);
/// What the daemon may keep of all of them, in millions of bytes.
const COST: f64 = 48.0;

#[test]
fn floods_end() {
    let servers = Simulator::start("e2e/hostile/server.py", &[]);
    let bed = servers.bed("");
    let mut shim = bed.shim();
    // A session that is there before.
    assert_eq!(shim.run("bash", "echo before").stdout, "before\n");
    let before = Memory::of_daemon(&bed);
    let (mut peak, mut slowest, mut faults) = (0.0_f64, Duration::ZERO, Vec::new());
    thread::scope(|scope| {
        // All at once would keep each other from agreeing on keys.
        for is_early in [true, false] {
            let names = servers.names().filter(|name| name.contains("behind") != is_early);
            let attacks: Vec<_> = names
                .map(|name| {
                    let bed = &bed;
                    scope.spawn(move || attack(bed, name))
                })
                .collect();
            while !attacks.iter().all(thread::ScopedJoinHandle::is_finished) {
                let began = Instant::now();
                assert_eq!(shim.run("bash", "echo beside").stdout, "beside\n");
                slowest = slowest.max(began.elapsed());
                peak = peak.max(Memory::of_daemon(&bed).megabytes());
            }
            faults.extend(
                attacks
                    .into_iter()
                    .filter_map(|attack| attack.join().expect("an attack ends")),
            );
        }
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(slowest < IN_TIME, "{slowest:?}");
    assert!(
        peak - before.megabytes() < COST,
        "{} MB, then {peak} MB",
        before.megabytes()
    );
    assert_eq!(shim.run("bash", "echo after").stdout, "after\n");
    shim.close();
    bed.finish();
}

/// Meets one of them; what is wrong with what comes of it.
fn attack(bed: &TestBed, name: &str) -> Option<String> {
    let mut shim = bed.shim();
    let began = Instant::now();
    let arguments = json!({"host": name, "command": "true", "timeout": 50});
    let outcome = shim.execute(arguments);
    let took = began.elapsed();
    shim.close();
    let bound = if name.ends_with("behind-the-shell") {
        BOUND_OF_SHELLS
    } else {
        BOUND
    };
    let error = match outcome {
        Ok(outcome) => return Some(format!("{name}: {outcome:?}")),
        Err(error) => error,
    };
    let is_known = [
        "unreachable",
        "auth_failed",
        "auth_input_required",
        "connection_lost",
    ]
    .contains(&&*error.code);
    let is_told = error.message.chars().count() < 600 && !error.hint.is_empty();
    let is_kept = !format!("{error:?}").contains("let-me-in");
    (took > bound || !is_known || !is_told || !is_kept).then(|| format!("{name} after {took:?}: {error:?}"))
}
