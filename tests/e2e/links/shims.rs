//! MCP servers come and go: killed at any moment they leave nothing behind in the daemon, and a daemon that is started
//! again under one is noticed by nobody who did not ask for anything meanwhile.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, TestBed, eventually, eventually_some, process::Process};

use super::{is_long, pass, say};

fn status(bed: &TestBed) -> Value {
    let status = bed.ctl(&["status", "--json"]);
    serde_json::from_slice(&status.stdout).unwrap_or_default()
}

/// The daemon is restarted while the MCP client is idle: it hears nothing of it, and its next call is served. A call in
/// flight ends in words.
#[test]
fn an_idle_client_notices_no_restart() {
    let bed = TestBed::new();
    let mut idle = bed.shim();
    idle.run("bash", "true");
    let mut waiting = bed.shim();
    let started = bed.scratch(Shell::Dash).join("started");
    let command = format!("touch {}; sleep 300", started.display());
    let call = waiting.begin_call(
        "execute_command",
        json!({"host": "dash", "command": command, "timeout": 50}),
    );
    eventually("it runs", || started.exists());
    let first = bed.daemons();
    let restarted = bed.ctl(&["daemon", "restart", "--force"]);
    assert!(restarted.status.success(), "{restarted:?}");
    assert_ne!(first, bed.daemons());
    // What ran was ended by whoever restarted it: told as a result or as an error, but told.
    match waiting.finish_call(call).map(Outcome::read) {
        Ok(outcome) => assert_eq!(outcome.status, "lost", "{outcome:?}"),
        Err(error) => assert_eq!(error.code, "daemon_unavailable", "{error:?}"),
    }
    assert_eq!(idle.run("bash", "echo there").stdout, "there\n");
    assert_eq!(idle.notifications(), Vec::<Value>::new());
    let daemons = bed.daemons();
    for daemon in &daemons {
        daemon.signal(Signal::KILL);
    }
    eventually("it is dead", || daemons.iter().all(Process::is_dead));
    assert_eq!(idle.run("bash", "echo again").stdout, "again\n");
    assert_eq!(idle.notifications(), Vec::<Value>::new());
    for shim in [idle, waiting] {
        let (code, _) = shim.close();
        assert!(code.success(), "{code:?}");
    }
    bed.finish();
}

/// A hundred servers are killed at any moment, with calls in flight: the sessions and their commands are there for the
/// next one, each command ran once, and the daemon waits for nobody any more. `SSHMCP_SEED=N` repeats a run.
#[test]
fn killed_servers_leave_nothing_behind() {
    let bed = TestBed::new();
    let named = std::env::var("SSHMCP_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = named.unwrap_or_else(rand::random);
    say(&format!("SSHMCP_SEED={seed}"));
    let mut random = StdRng::seed_from_u64(seed);
    let rounds = if is_long() { 100 } else { 5 };
    let counter = bed.scratch(Shell::Bash).join("counter");
    let mut keeper = bed.shim();
    keeper.run("bash", "kept=variable; cd /usr");
    // One command outlives them all.
    let call = keeper.begin_call(
        "execute_command",
        json!({"host": "dash", "command": "sleep 600; echo end", "timeout": 0}),
    );
    let long = Outcome::read(keeper.finish_call(call).expect("it runs"));
    assert_eq!(long.status, "running");
    for round in 0..rounds {
        let mut shim = bed.shim();
        let mark = format!("round-{round}");
        let command = format!("echo {mark} >> {}; sleep 0.3; echo {mark}", counter.display());
        shim.begin_call(
            "execute_command",
            json!({"host": "bash", "command": command, "timeout": 50}),
        );
        if random.random_bool(0.5) {
            shim.begin_call("wait_for", json!({"commands": [long.id], "timeout": 50}));
        }
        if random.random_bool(0.3) {
            let keys =
                json!({"session": "dash", "pattern": "never", "text": "", "enter": false, "timeout": 50});
            shim.begin_call("send_input", keys);
        }
        pass(Duration::from_millis(random.random_range(0..400)));
        shim.kill();
        let mut next = bed.shim();
        // Whatever reached the daemon is there under its id, ends as it would have, and ran once.
        let listed = next
            .call("get_active_commands", json!({"finished": 200}))
            .expect("a list");
        let commands = listed["commands"].as_array().expect("a list");
        assert!(
            commands.iter().any(|one| one["command_id"] == long.id.as_str()),
            "{listed}"
        );
        let ours = commands
            .iter()
            .find(|one| one["command"].as_str().is_some_and(|text| text.contains(&mark)));
        if let Some(id) = ours.and_then(|one| one["command_id"].as_str()) {
            let ended = next.wait_for(id);
            // One that waited for its turn may have been taken back with its caller.
            if ended.status == "completed" {
                assert_eq!(
                    (ended.exit_code, &*ended.stdout),
                    (Some(0), &*format!("{mark}\n")),
                    "{ended:?}"
                );
            }
        }
        let ran = std::fs::read_to_string(&counter).unwrap_or_default();
        assert!(ran.lines().filter(|line| *line == mark).count() <= 1, "{ran}");
        next.close();
    }
    let left = eventually_some("nobody waits any more", || {
        let status = status(&bed);
        (status["calls"] == 0).then_some(status)
    });
    assert_eq!(left["sessions"], 2, "{left}");
    assert_eq!(left["running_commands"], 1, "{left}");
    let state = keeper.run("bash", "echo $PWD $kept");
    assert_eq!((&*state.stdout, &*state.notice), ("/usr variable\n", ""));
    let outcome = Outcome::read(
        keeper
            .call("get_command_output", json!({"command_id": long.id}))
            .expect("known"),
    );
    assert_eq!(outcome.status, "running");
    keeper.close();
    bed.finish();
}
