//! Commands that survive their session, its connection and the daemon (`durable`): what they see and give, that none of
//! their output is missing or comes twice, that they run once, and that nothing stays on the host.

mod child;
pub(crate) mod cuts;
mod daemon;

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shim, eventually_some};

/// Runs a durable command, waiting for it as long as a call does.
fn run(shim: &mut Shim, host: &str, command: &str) -> Outcome {
    let arguments =
        json!({"host": host, "command": command, "durable": true, "timeout": 50, "output_limit": 40_000});
    shim.execute(arguments)
        .unwrap_or_else(|error| panic!("{host}: {command:?}: {error:?}"))
}

/// Starts one, and does not wait.
fn start(shim: &mut Shim, host: &str, command: &str) -> Outcome {
    let arguments = json!({"host": host, "command": command, "durable": true, "timeout": 0});
    let started = shim
        .execute(arguments)
        .unwrap_or_else(|error| panic!("{host}: {command:?}: {error:?}"));
    assert_eq!(started.status, "running", "{host}: {started:?}");
    started
}

/// What a command has written so far; none while the daemon is away.
fn so_far(shim: &mut Shim, id: &str) -> Option<u64> {
    let arguments = json!({"command_id": id, "tail": 1});
    match shim.call("get_command_output", arguments) {
        Ok(object) => Some(Outcome::read(object).number("total_bytes")),
        Err(error) if error.code == "daemon_unavailable" => None,
        Err(error) => panic!("{id}: {error:?}"),
    }
}

/// Waits until it has written so much.
pub(crate) fn wrote(shim: &mut Shim, id: &str, bytes: u64) {
    eventually_some(&format!("{id} writes {bytes} bytes"), || {
        so_far(shim, id).filter(|now| *now >= bytes)
    });
}

/// Interrupts a command: its end, and what was said.
fn interrupt(shim: &mut Shim, id: &str, signal: &str) -> Value {
    let arguments = json!({"command_id": id, "signal": signal});
    shim.call("interrupt_command", arguments)
        .unwrap_or_else(|error| panic!("{id}: {signal}: {error:?}"))
}
