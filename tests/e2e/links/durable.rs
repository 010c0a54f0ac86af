//! What a network does to commands that survive it: nothing, but for the time.

use std::time::Duration;

use serde_json::json;
use sshmcp_tests::{Outcome, Shell, Shim, eventually};

use super::{Far, HOST, is_long, lines, numbered, pass, writes};
use crate::durable::cuts;

fn start(shim: &mut Shim, command: &str) -> String {
    let arguments = json!({"host": HOST, "command": command, "durable": true, "timeout": 0});
    let started = shim.execute(arguments).expect("it is started");
    assert_eq!(started.status, "running", "{started:?}");
    started.id
}

fn is_away(shim: &mut Shim, id: &str) -> bool {
    let read = shim.call("get_command_output", json!({"command_id": id, "tail": 1}));
    Outcome::read(read.expect("its output"))
        .notice
        .contains("cannot be reached")
}

/// A black hole that is taken for a dead host: the session is lost and says so, the command goes on, and when the host
/// is back every line of it is there.
#[test]
fn a_black_hole() {
    let far = Far::with(" ServerAliveInterval 1\n ServerAliveCountMax 2\n");
    let mut shim = far.bed.shim();
    let number = if is_long() { 700 } else { 60 };
    let id = start(&mut shim, &lines(number));
    writes(&mut shim, 0);
    far.net.swallow();
    eventually("it is said", || is_away(&mut shim, &id));
    if is_long() {
        pass(Duration::from_secs(60));
    }
    far.net.deliver();
    let ended = shim.wait_for(&id);
    assert_eq!(
        (&*ended.status, ended.exit_code, &*ended.stdout, &*ended.notice),
        ("completed", Some(7), &*numbered(number), ""),
        "{ended:?}"
    );
    eventually("what it had there is removed", || {
        let left = far.bed.processes();
        !left.iter().any(|process| process.line.ends_with("/k guard"))
    });
    // The far sshd is told that the old connection is dead.
    far.net.reset();
    shim.close();
    far.finish();
}

/// 10 MB through a black hole, a cable that is pulled out, and resets at both ends. For the long suite.
#[test]
fn a_stream_through_three_outages() {
    if !is_long() {
        return;
    }
    let far = Far::with(" ServerAliveInterval 1\n ServerAliveCountMax 2\n");
    let mut shim = far.bed.shim();
    let counter = far.bed.scratch(Shell::Bash).join("counter");
    let id = start(
        &mut shim,
        &cuts::command(Shell::Bash, &counter.display().to_string()),
    );
    for cut in 1..=3 {
        crate::durable::wrote(&mut shim, &id, 2_500_000 * cut - 1_000_000);
        match cut {
            1 => far.net.swallow(),
            2 => far.net.plug(false),
            _ => far.net.reset(),
        }
        if cut < 3 {
            eventually("it is said", || is_away(&mut shim, &id));
        }
        match cut {
            1 => far.net.deliver(),
            _ => far.net.plug(true),
        }
    }
    cuts::complete(&far.bed, &mut shim, &id, &counter);
    shim.close();
    far.finish();
}
