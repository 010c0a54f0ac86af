//! The daemon dies under sessions that a local tmux keeps, and finds them again, with its state or without.

use std::{
    fs,
    time::{Duration, Instant},
};

use rand::Rng as _;
use serde_json::json;
use sshmcp_tests::{Shell, eventually, wait::within};

use super::{
    super::{are_back, dice, is_long, open_many, restarts::kill_daemon, state},
    Local,
};

/// Killed without a word while commands run and write: all goes on, and the ends are exact.
#[test]
fn killed() {
    let local = Local::new();
    let mut shim = local.bed.shim();
    let shells = [Shell::Bash, Shell::Zsh, Shell::Dash, Shell::Fish];
    let mut begun = Vec::new();
    for shell in shells {
        Local::open(&mut shim, shell);
        shim.run(shell.host(), "cd /usr");
        let earlier = shim.run(shell.host(), "echo earlier; echo words >&2");
        let command = "sh -c 'i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo $i; sleep 0.1; done; exit 6'";
        let call = json!({"host": shell.host(), "command": command, "timeout": 1});
        begun.push((shell, earlier.id, shim.execute(call).expect("it runs").id));
    }
    kill_daemon(&local.bed);
    drop(shim);

    let mut shim = local.bed.shim();
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    assert_eq!(
        listed["sessions"].as_array().map(Vec::len),
        Some(shells.len()),
        "{listed}"
    );
    for (shell, earlier, id) in &begun {
        let ended = shim.wait_for(id);
        let got = (&*ended.status, ended.exit_code);
        assert_eq!(got, ("completed", Some(6)), "{shell:?}: {ended:?}");
        let wanted: String = (1..=40).map(|number| format!("{number}\n")).collect();
        assert_eq!(shim.whole_output(id).0, wanted, "{shell:?}");
        assert_eq!(shim.whole_output(earlier), ("earlier\n".into(), "words\n".into()));
        let next = shim.run(shell.host(), "pwd");
        assert_eq!(next.stdout, "/usr\n", "{shell:?}: {next:?}");
    }
    local.finish(shim);
}

/// The shell ends while no daemon is there: its last output and its code are there afterwards.
#[test]
fn ended_meanwhile() {
    let local = Local::new();
    let mut shim = local.bed.shim();
    Local::open(&mut shim, Shell::Bash);
    let go = local.bed.scratch(Shell::Bash).join("go");
    let command = format!(
        "until [ -e {} ]; do sleep 0.05; done; echo meanwhile; exit 8",
        go.display()
    );
    let begun = shim.execute(json!({"host": "bash", "command": command, "timeout": 1}));
    let begun = begun.expect("it runs");
    kill_daemon(&local.bed);
    shim.kill();
    let place = local.places().pop().expect("a place");
    fs::write(&go, "").expect("written");
    eventually("it has ended", || place.join("exit").exists());
    let mut shim = local.bed.shim();
    let ended = shim.wait_for(&begun.id);
    let got = (&*ended.status, ended.exit_code, &*ended.stdout);
    assert_eq!(got, ("completed", Some(8), "meanwhile\n"), "{ended:?}");
    assert_eq!(shim.run("bash", "echo anew").stdout, "anew\n");
    local.finish(shim);
}

/// The state is gone as well: the session is found by its tmux, at once, with all that its shell knows; one that is at work
/// is worked with when that is over.
#[test]
fn found_without_state() {
    found_without(".local/state/sshmcp/state");
}

/// The same where all of the state directory is gone.
#[test]
fn found_without_state_directory() {
    found_without(".local/state/sshmcp");
}

fn found_without(state_files: &str) {
    let local = Local::new();
    let mut shim = local.bed.shim();
    for session in ["idle", "busy"] {
        Local::open_as(&mut shim, "bash", session);
        let set = json!({"session": session, "command": "variable=kept; cd /usr"});
        shim.execute(set).expect("it runs");
    }
    let go = local.bed.scratch(Shell::Bash).join("go");
    let wait = format!("until [ -e {} ]; do sleep 0.05; done", go.display());
    let call = json!({"session": "busy", "command": wait, "timeout": 0});
    shim.execute(call).expect("it runs");
    kill_daemon(&local.bed);
    shim.kill();
    fs::remove_dir_all(local.bed.home().join(state_files)).expect("the state is removed");

    let mut shim = local.bed.shim();
    eventually("it is found", || state(&mut shim, "idle") == "ready");
    let call = json!({"session": "idle", "command": "echo $variable $PWD"});
    let found = shim.execute(call).expect("it runs");
    assert_eq!(found.stdout, "kept /usr\n", "{found:?}");
    eventually("it is known to be at work", || state(&mut shim, "busy") == "busy");
    let call = json!({"session": "busy", "command": "echo $variable $PWD", "timeout": 1});
    let fault = shim.execute(call.clone()).expect_err("it is at work");
    assert_eq!(fault.code, "session_busy", "{fault:?}");
    fs::write(&go, "").expect("written");
    eventually("it is at its prompt", || {
        shim.execute(call.clone())
            .is_ok_and(|run| run.stdout == "kept /usr\n")
    });
    local.finish(shim);
}

/// Killed at moments of chance, again and again, while a counter writes and commands are run. `SSHMCP_LONG=1` makes it 50
/// rounds; `SSHMCP_SEED=N` repeats a run.
#[test]
#[expect(clippy::print_stderr, reason = "the figures of a run")]
fn killed_at_any_moment() {
    let mut random = dice();
    let local = Local::new();
    let mut shim = local.bed.shim();
    Local::open(&mut shim, Shell::Bash);
    Local::open(&mut shim, Shell::Zsh);
    let (rounds, lines) = if is_long() { (50, 1200) } else { (4, 100) };
    let go = local.bed.scratch(Shell::Bash).join("go");
    let count = format!(
        "sh -c 'i=0; while [ $i -lt {lines} ] || [ ! -e {} ]; do i=$((i+1)); echo $i; sleep 0.02; done; exit 6'",
        go.display()
    );
    let counter = shim.execute(json!({"host": "bash", "command": count, "timeout": 0}));
    let counter = counter.expect("it runs").id;
    let ran = local.bed.scratch(Shell::Zsh).join("ran");
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        for call in 0..random.random_range(0..6) {
            let command = format!("echo {round}.{call} >> {}; seq 1 2000", ran.display());
            shim.begin_call(
                "execute_command",
                json!({"host": "zsh", "command": command, "timeout": 20}),
            );
        }
        // At a moment of chance, not in answer to anything.
        within(Duration::from_millis(random.random_range(0..400)), || None::<()>);
        kill_daemon(&local.bed);
        shim.kill();
        let since = Instant::now();
        shim = local.bed.shim();
        eventually("both are back", || {
            ["bash", "zsh"]
                .iter()
                .all(|name| !matches!(&*state(&mut shim, name), "" | "reconnecting" | "disconnected"))
        });
        slowest = slowest.max(since.elapsed());
    }
    fs::write(&go, "").expect("written");
    let ended = shim.wait_for(&counter);
    assert_eq!(
        (&*ended.status, ended.exit_code),
        ("completed", Some(6)),
        "{ended:?}"
    );
    let (out, _) = shim.whole_output(&counter);
    let count = out.lines().count();
    let wanted: String = (1..=count).map(|number| format!("{number}\n")).collect();
    assert!(out == wanted && count >= lines, "{count} lines");
    let ran = fs::read_to_string(&ran).unwrap_or_default();
    let mut ran: Vec<&str> = ran.lines().collect();
    let all = ran.len();
    ran.sort_unstable();
    ran.dedup();
    assert_eq!(ran.len(), all, "a command ran twice");
    eprintln!("local: {rounds} rounds, {all} commands ran, the slowest return took {slowest:?}");
    local.finish(shim);
}

/// Many at once, each with a client of its own: all are back, in their directories. `SSHMCP_LONG=1` makes it fifty.
#[test]
fn many_are_back() {
    let count = if is_long() { 50 } else { 3 };
    let local = Local::new();
    let mut shim = local.bed.shim();
    // Not more logins at a time than sshd takes.
    let names = open_many(&mut shim, "local-tmux", count, 5);
    kill_daemon(&local.bed);
    shim.kill();
    let mut shim = local.bed.shim();
    are_back(&mut shim, &names);
    local.finish(shim);
}
