//! Sessions in which nothing happens: listed as idle, and closed only where the settings say so.

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, eventually};

use super::{Limited, echo, open};

fn session(shim: &mut Shim, name: &str) -> Option<Value> {
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    let all = listed["sessions"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["session"] == name)
}

fn is_idle(shim: &mut Shim, name: &str) -> bool {
    let one = session(shim, name).expect("it is there");
    let idle = &one["idle_seconds"];
    assert!(idle.is_null() || idle.as_u64() >= Some(1), "{one}");
    !idle.is_null()
}

/// What is used, what runs, and what a background job prints keeps a session from being idle; nothing is closed.
#[test]
fn listed() {
    let limited = Limited::by("idle_after = 1");
    let mut shim = limited.shim();
    for name in ["still", "job", "busy"] {
        open(&mut shim, "bash", name).expect("open");
    }
    let (_, quiet) = limited.gate(Shell::Bash, "quiet");
    let job = format!(
        "(while ! [ -e {} ]; do echo tick; sleep 0.2; done) &",
        quiet.display()
    );
    shim.execute(json!({"session": "job", "command": job}))
        .expect("it begins");
    let (command, gate) = limited.gate(Shell::Bash, "gate");
    let busy = shim
        .execute(json!({"session": "busy", "command": command, "timeout": 0}))
        .expect("it begins");
    eventually("it is idle", || is_idle(&mut shim, "still"));
    for name in ["job", "busy"] {
        assert!(!is_idle(&mut shim, name), "{name} is not");
    }
    let still = session(&mut shim, "still").expect("listed");
    assert_eq!(still["state"], "ready", "its state is what it is");
    let id = shim.begin_call("list_sessions", json!({}));
    let answer = shim.answer(id);
    let text = answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default();
    let line = text
        .lines()
        .find(|line| line.starts_with("still"))
        .unwrap_or_default();
    assert!(line.contains("idle for"), "{text}");
    let shown = limited.bed.ctl(&["ls"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("ready, idle "), "{shown}");
    let shown = limited.bed.ctl(&["ls", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let since = |name: &str| {
        let all = shown["sessions"].as_array().expect("a list");
        let one = all.iter().find(|one| one["name"] == name);
        one.expect("listed")["idle_since_ms"].clone()
    };
    assert!(since("still").is_i64() && since("busy").is_null(), "{shown}");
    for file in [quiet, gate] {
        std::fs::write(file, "").expect("a file");
    }
    shim.wait_for(&busy.id);
    for name in ["job", "busy"] {
        eventually("it is idle, too", || is_idle(&mut shim, name));
    }
    echo(&mut shim, "still");
    assert!(!is_idle(&mut shim, "still"), "it was just used");
    shim.close();
    limited.bed.finish();
}

/// Where the settings say so an idle session is closed, one in which something happens is not; who asks for the closed
/// one is told why it is gone, and by its host opens another.
#[test]
fn closed_if_wanted() {
    let limited = Limited::by("close_idle_after = 1");
    let mut shim = limited.shim();
    let (command, gate) = limited.gate(Shell::Bash, "gate");
    let busy = shim
        .execute(json!({"host": "bash", "session": "busy", "command": command, "timeout": 0}))
        .expect("it begins");
    shim.run("dash", "cd /tmp");
    eventually("it is closed", || session(&mut shim, "dash").is_none());
    assert!(session(&mut shim, "busy").is_some(), "something runs there");
    let gone = shim
        .execute(json!({"session": "dash", "command": "true"}))
        .expect_err("closed");
    assert_eq!(gone.code, "session_not_found");
    assert!(gone.message.contains("close_idle_after"), "{gone:?}");
    assert_eq!(shim.run("dash", "echo again").stdout, "again\n");
    std::fs::write(gate, "").expect("a file");
    assert_eq!(shim.wait_for(&busy.id).stdout, "through\n");
    eventually("it is closed, too", || session(&mut shim, "busy").is_none());
    shim.close();
    limited.bed.finish();
}
