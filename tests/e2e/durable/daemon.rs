//! The daemon dies under durable commands, without a word, and the next one goes on.

use std::{thread::sleep, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use sshmcp_tests::{Shell, Shim, TestBed, eventually};

use super::{cuts, start, wrote};

/// A call that was under way when the daemon died fails; the next finds another one.
fn served(shim: &mut Shim) {
    eventually("another daemon serves", || {
        shim.call("list_sessions", serde_json::json!({})).is_ok()
    });
}

fn kill(bed: &TestBed) {
    let daemons = bed.daemons();
    assert_eq!(daemons.len(), 1, "{daemons:?}");
    for daemon in &daemons {
        daemon.signal(Signal::KILL);
    }
    eventually("it is dead", || !daemons.iter().any(|daemon| daemon.lives()));
}

/// 10 MB through three deaths, all once and in order.
#[test]
fn a_stream_through_three_deaths() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let counter = bed.scratch(Shell::Bash).join("counter");
    let command = cuts::command(Shell::Bash, &counter.display().to_string());
    let id = start(&mut shim, "bash", &command).id;
    for death in 1..=3 {
        wrote(&mut shim, &id, 2_500_000 * death - 1_000_000);
        kill(&bed);
        served(&mut shim);
    }
    cuts::complete(&bed, &mut shim, &id, &counter);
    shim.close();
    bed.finish();
}

/// Deaths at any moment from the first word of its start on: it runs once at most, and where it runs all is there.
#[test]
fn deaths_at_any_moment() {
    let rounds = if std::env::var_os("SSHMCP_LONG").is_some() {
        50
    } else {
        2
    };
    let seed = rand::rng().random::<u64>();
    let mut dice = StdRng::seed_from_u64(seed);
    for round in 0..rounds {
        let bed = TestBed::new();
        let mut shim = bed.shim();
        shim.run("dash", "true");
        let counter = bed.scratch(Shell::Dash).join("counter");
        let command = format!(
            "echo ran >>{}; seq 1 20000; sleep 0.2; seq 20001 40000; exit 5",
            counter.display()
        );
        let call = shim.begin_call(
            "execute_command",
            serde_json::json!({"host": "dash", "command": command, "durable": true, "timeout": 0}),
        );
        let pause = Duration::from_micros(dice.random_range(0..400_000));
        sleep(pause);
        kill(&bed);
        served(&mut shim);
        let told = format!("seed {seed}, round {round}, killed after {pause:?}");
        let ran = || std::fs::read_to_string(&counter).unwrap_or_default();
        let id = shim
            .finish_call(call)
            .ok()
            .map(|answer| answer["command_id"].as_str().unwrap_or_default().to_owned());
        let id = id.or_else(|| {
            let listed = shim
                .call("get_active_commands", serde_json::json!({"finished": 5}))
                .expect("a list");
            let all = listed["commands"].as_array().cloned().unwrap_or_default();
            all.iter()
                .find(|one| one["command"] == command.as_str())
                .map(|one| one["command_id"].as_str().unwrap_or_default().to_owned())
        });
        if let Some(id) = id {
            let ended = shim.wait_for(&id);
            if ended.status == "completed" {
                let wanted: String = (1..=40_000).map(|number| format!("{number}\n")).collect();
                assert_eq!(ended.exit_code, Some(5), "{told}");
                assert!(shim.whole_output(&id).0 == wanted, "{told}");
                assert_eq!(ran(), "ran\n", "{told}");
            } else {
                assert!(ended.status == "lost" && ran().is_empty(), "{told}: {ended:?}");
            }
        }
        assert!(ran().len() <= 4, "{told}");
        shim.close();
        bed.finish();
    }
}
