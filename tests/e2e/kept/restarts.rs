//! The daemon dies under kept sessions: the next one has them under the same names, with the same commands, and nothing
//! that ran was stopped, lost or run twice.

use std::time::{Duration, Instant};

use rand::Rng as _;
use rustix::process::Signal;
use serde_json::json;
use sshmcp_tests::{Shell, Shim, TestBed, eventually, process::Process, wait::within};

use super::{Kept, are_back, dice, is_long, open_many, state};

pub(super) fn kill_daemon(bed: &TestBed) {
    for daemon in bed.daemons() {
        daemon.signal(Signal::KILL);
    }
    eventually("it is gone", || bed.daemons().is_empty());
}

/// Killed without a word while commands run and write, in several shells at once.
#[test]
fn killed() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    let shells = [Shell::Bash, Shell::Zsh, Shell::Dash, Shell::Fish];
    let mut begun = Vec::new();
    for shell in shells {
        kept.open(&mut shim, shell);
        shim.run(shell.host(), "cd /usr");
        let earlier = shim.run(shell.host(), "echo earlier; echo words >&2");
        let command = "sh -c 'i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo $i; sleep 0.1; done; exit 6'";
        let call = json!({"host": shell.host(), "command": command, "timeout": 1});
        begun.push((shell, earlier.id, shim.execute(call).expect("it runs").id));
    }
    kill_daemon(&kept.bed);
    drop(shim);

    let mut shim = kept.bed.shim();
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    assert_eq!(
        listed["sessions"].as_array().map(Vec::len),
        Some(shells.len()),
        "{listed}"
    );
    for (shell, earlier, id) in &begun {
        let ended = shim.wait_for(id);
        assert_eq!(
            (&*ended.status, ended.exit_code),
            ("completed", Some(6)),
            "{shell:?}: {ended:?}"
        );
        let (out, _) = shim.whole_output(id);
        let wanted: String = (1..=40).map(|number| format!("{number}\n")).collect();
        assert_eq!(out, wanted, "{shell:?}");
        assert_eq!(shim.whole_output(earlier), ("earlier\n".into(), "words\n".into()));
        let next = shim.run(shell.host(), "pwd");
        assert_eq!(next.stdout, "/usr\n", "{shell:?}: {next:?}");
    }
    kept.finish(shim, &shells);
}

/// Killed at moments of chance, again and again, while a counter writes, commands are run and output is read: every
/// session is back each time, the counter's lines are there once each, and no command ran twice. `SSHMCP_LONG=1` makes it
/// 50 rounds; `SSHMCP_SEED=N` repeats a run.
#[test]
#[expect(clippy::print_stderr, reason = "the figures of a run")]
fn killed_at_any_moment() {
    let is_long = is_long();
    let mut random = dice();
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    kept.open(&mut shim, Shell::Zsh);
    let lines = if is_long { 1200 } else { 150 };
    let go = kept.bed.scratch(Shell::Bash).join("go");
    let count = format!(
        "sh -c 'i=0; while [ $i -lt {lines} ] || [ ! -e {} ]; do i=$((i+1)); echo $i; sleep 0.02; done; exit 6'",
        go.display()
    );
    let counter = shim.execute(json!({"host": "bash", "command": count, "timeout": 0}));
    let counter = counter.expect("it runs").id;
    let ran = kept.bed.scratch(Shell::Zsh).join("ran");
    let mut slowest = Duration::ZERO;
    let rounds = if is_long { 50 } else { 4 };
    for round in 0..rounds {
        let number = random.random_range(0..6);
        let calls: Vec<String> = (0..number)
            .map(|call| format!("echo {round}.{call} >> {}; seq 1 2000", ran.display()))
            .collect();
        for command in calls {
            shim.begin_call(
                "execute_command",
                json!({"host": "zsh", "command": command, "timeout": 20}),
            );
        }
        // At a moment of chance, not in answer to anything.
        within(Duration::from_millis(random.random_range(0..400)), || None::<()>);
        kill_daemon(&kept.bed);
        shim.kill();
        let since = Instant::now();
        shim = kept.bed.shim();
        eventually("both are back", || {
            ["bash", "zsh"]
                .iter()
                .all(|name| !matches!(&*state(&mut shim, name), "" | "reconnecting" | "disconnected"))
        });
        slowest = slowest.max(since.elapsed());
    }
    std::fs::write(&go, "").expect("written");
    let ended = shim.wait_for(&counter);
    assert_eq!(
        (&*ended.status, ended.exit_code),
        ("completed", Some(6)),
        "{ended:?}"
    );
    let (out, _) = shim.whole_output(&counter);
    let wanted: String = (1..=out.lines().count())
        .map(|number| format!("{number}\n"))
        .collect();
    assert!(
        out == wanted && out.lines().count() >= lines,
        "{} lines",
        out.lines().count()
    );
    let mut ran: Vec<String> = std::fs::read_to_string(&ran)
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect();
    let all = ran.len();
    ran.sort();
    ran.dedup();
    assert_eq!(ran.len(), all, "a command ran twice");
    eprintln!("kept: {rounds} rounds, {all} commands ran, the slowest return took {slowest:?}");
    kept.finish(shim, &[Shell::Bash, Shell::Zsh]);
}

/// The running command has a further pair of FIFOs, since a background job of an earlier one holds the first.
#[test]
fn killed_with_a_background_job() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    let go = kept.bed.scratch(Shell::Bash).join("go");
    let wait = format!("until [ -e {} ]; do sleep 0.05; done", go.display());
    shim.run("bash", &format!("{{ {wait}; }} &"));
    shim.run("bash", &format!("{{ {wait}; }} &"));
    let command = format!("seq 1 5; {wait}; seq 6 10; (exit 4)");
    let begun = shim.execute(json!({"host": "bash", "command": command, "timeout": 1}));
    let begun = begun.expect("it runs");
    assert_eq!(begun.stdout, "1\n2\n3\n4\n5\n");
    kill_daemon(&kept.bed);
    eventually("it is back", || state(&mut shim, "bash") == "busy");
    std::fs::write(&go, "").expect("written");
    assert_eq!(shim.wait_for(&begun.id).exit_code, Some(4));
    let wanted: String = (1..=10).map(|number| format!("{number}\n")).collect();
    assert_eq!(shim.whole_output(&begun.id).0, wanted);
    kept.finish(shim, &[Shell::Bash]);
}

/// As much as a segment on the host takes was written, and nothing since: what was taken is gone there, and is not asked for
/// again.
#[test]
fn killed_between_two_segments() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    let go = kept.bed.scratch(Shell::Bash).join("go");
    let command = format!(
        "dd if=/dev/zero bs=65536 count=32 2>/dev/null; until [ -e {} ]; do sleep 0.05; done; echo end; (exit 4)",
        go.display()
    );
    let begun = shim.execute(json!({"host": "bash", "command": command, "timeout": 0}));
    let begun = begun.expect("it runs");
    let total = |shim: &mut Shim| {
        let now = shim.call("get_command_output", json!({"command_id": begun.id, "tail": 1}));
        now.expect("it is known")["total_bytes"].as_u64()
    };
    eventually("all is taken", || total(&mut shim) == Some(2 << 20));
    kill_daemon(&kept.bed);
    eventually("it is back", || state(&mut shim, "bash") == "busy");
    std::fs::write(&go, "").expect("written");
    let ended = shim.wait_for(&begun.id);
    assert_eq!(
        (&*ended.status, ended.exit_code),
        ("completed", Some(4)),
        "{ended:?}"
    );
    assert_eq!(total(&mut shim), Some((2 << 20) + 4));
    kept.finish(shim, &[Shell::Bash]);
}

/// Many of one host, which lets ten channels on a connection: all are back, in their directories. `SSHMCP_LONG=1` makes it
/// fifty.
#[test]
fn many_are_back() {
    let count = if is_long() { 50 } else { 8 };
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    let names = open_many(&mut shim, "remote-tmux", count, count);
    kill_daemon(&kept.bed);
    shim.kill();
    let mut shim = kept.bed.shim();
    are_back(&mut shim, &names);
    kept.finish(shim, &[Shell::Dash]);
}

/// Told to stop: it lets go of them at once, whatever runs there, and the next one has the end that came meanwhile.
#[test]
fn stopped() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    let go = kept.bed.scratch(Shell::Bash).join("go");
    let done = kept.bed.scratch(Shell::Bash).join("done");
    let command = format!(
        "variable=kept; until [ -e {} ]; do sleep 0.05; done; echo meanwhile; touch {}; (exit 8)",
        go.display(),
        done.display()
    );
    let begun = shim.execute(json!({"host": "bash", "command": command, "timeout": 1}));
    let begun = begun.expect("it runs");
    let stopped = kept.bed.ctl(&["daemon", "stop"]);
    assert!(stopped.status.success(), "{stopped:?}");
    eventually("it is gone", || kept.bed.daemons().is_empty());
    std::fs::write(&go, "").expect("written");
    eventually("it went on", || done.exists());

    let ended = shim.wait_for(&begun.id);
    let got = (&*ended.status, ended.exit_code, &*ended.stdout);
    assert_eq!(got, ("completed", Some(8), "meanwhile\n"), "{ended:?}");
    let next = shim.run("bash", "echo $variable");
    assert_eq!(next.stdout, "kept\n", "{next:?}");
    let log = kept.bed.home().join(".local/state/sshmcp/logs/bash.log");
    let log = std::fs::read_to_string(log).expect("a transcript");
    assert!(log.contains("meanwhile") && !log.contains("closed"), "{log}");
    kept.finish(shim, &[Shell::Bash]);
}

/// The host lost what was kept while nobody was there: that is said, and what ran is lost, never run again.
/// What goes on apart from the session goes on.
#[test]
fn gone_meanwhile() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    let go = kept.bed.scratch(Shell::Bash).join("go");
    let apart = format!(
        "echo apart; until [ -e {} ]; do sleep 0.1; done; exit 3",
        go.display()
    );
    let apart = json!({"host": "bash", "command": apart, "durable": true, "timeout": 0});
    let apart = shim.execute(apart).expect("it runs").id;
    eventually("it is at work", || shim.whole_output(&apart).0 == "apart\n");
    let call = json!({"host": "bash", "command": "echo begun; sleep 300", "timeout": 1});
    let begun = shim.execute(call).expect("it runs");
    kill_daemon(&kept.bed);
    let server = kept.tmux(Shell::Bash, &["display-message", "-p", "#{pid}"]);
    let server = server
        .trim()
        .parse()
        .ok()
        .and_then(Process::read)
        .expect("a server");
    server.signal(Signal::KILL);
    let lost = shim.wait_for(&begun.id);
    assert_eq!((lost.exit_code, &*lost.stdout), (None, "begun\n"), "{lost:?}");
    assert!(matches!(&*lost.status, "lost" | "completed"), "{lost:?}");
    eventually("it is without a shell", || {
        state(&mut shim, "bash") == "disconnected"
    });
    let next = shim.run("bash", "echo anew");
    assert_eq!(next.stdout, "anew\n", "{next:?}");
    std::fs::write(&go, "").expect("written");
    let apart = shim.wait_for(&apart);
    let got = (&*apart.status, apart.exit_code, &*apart.stdout);
    assert_eq!(got, ("completed", Some(3), "apart\n"), "{apart:?}");
    kept.finish(shim, &[Shell::Bash]);
}
