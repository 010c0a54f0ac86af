//! The daemon dies, or its disk does: what outlives it is there again under the same names, ids and offsets, what does not is
//! told, and no session waits for a disk.

mod damaged;
mod disk;

use std::{path::PathBuf, sync::Arc, time::Instant};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shim, TestBed, eventually};
use sshmcpd::{
    command::{Command, CommandLimits, Commands, Status},
    id::SessionName,
    output::{Consumed, OutputLimits, StreamKind},
    shell::order::Capture,
    state::{Hop, SavedSession, Store},
};

/// Where the daemon keeps its state.
fn state_dir(bed: &TestBed) -> PathBuf {
    bed.home().join(".local/state/sshmcp")
}

/// Kills the daemon without a word, and waits until it is gone; and the one that a shim with calls left starts in its place.
fn kill_daemon(bed: &TestBed) {
    eventually("it is gone", || {
        let daemons = bed.daemons();
        for daemon in &daemons {
            daemon.signal(Signal::KILL);
        }
        daemons.is_empty()
    });
}

fn state_problems(bed: &TestBed) -> String {
    let told = bed.ctl(&["status", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    told["state_problems"].to_string()
}

/// A session that only the daemon keeps is gone with it. Whoever names it is told so, and where the call opens it again it
/// is in the same directory, and says what is gone.
#[test]
fn sessions_that_end_with_the_daemon() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "cd /usr; kept=variable");
    let named = json!({"host": "bash", "session": "work", "command": "cd /var"});
    let earlier = shim.execute(named).expect("it runs");
    // What was put last is on disk a moment later.
    let saved = |name: &str| {
        let (_, loaded) = Store::open(&state_dir(&bed));
        loaded.sessions.into_iter().find(|one| one.name == name)
    };
    eventually("it is remembered", || {
        saved("work").is_some_and(|one| one.cwd == "/var")
            && saved("bash").is_some_and(|one| one.cwd == "/usr")
    });
    kill_daemon(&bed);
    drop(shim);

    let mut shim = bed.shim();
    let list = shim.call("list_sessions", json!({})).expect("a list");
    assert_eq!(list["sessions"], json!([]), "nothing is opened by itself");
    let gone = shim.execute(json!({"session": "work", "command": "pwd"}));
    let gone = gone.expect_err("it is gone");
    assert_eq!(gone.code, "session_not_found");
    assert!(gone.message.contains("ended with an earlier daemon"), "{gone:?}");
    let unknown = shim.execute(json!({"session": "other", "command": "pwd"}));
    let unknown = unknown.expect_err("it never was");
    assert!(!unknown.message.contains("daemon"), "{unknown:?}");
    let lost = shim.call("get_command_output", json!({"command_id": earlier.id}));
    let lost = lost.expect_err("its output is gone");
    assert_eq!(lost.code, "command_not_found");
    assert!(lost.message.contains("an earlier daemon"), "{lost:?}");
    let never = shim.call("get_command_output", json!({"command_id": "c900000"}));
    let never = never.expect_err("it never was");
    assert!(!never.message.contains("daemon"), "{never:?}");

    for (name, directory) in [("work", "/var"), ("bash", "/usr")] {
        let arguments = json!({"host": "bash", "session": name, "command": "pwd; echo \"${kept-gone}\""});
        let again = shim.execute(arguments).expect("it runs");
        assert_eq!(again.stdout, format!("{directory}\ngone\n"), "{again:?}");
        for word in ["opened again", "daemon", "variables"] {
            assert!(again.notice.contains(word), "{word}: {again:?}");
        }
        assert!(again.id != earlier.id, "no id comes twice");
    }
    let second = shim
        .execute(json!({"session": "work", "command": "pwd"}))
        .expect("it runs");
    assert_eq!(second.notice, "", "told once");
    // One that was closed is not remembered.
    shim.call("close_session", json!({"session": "work"}))
        .expect("closed");
    eventually("it is forgotten", || saved("work").is_none());
    shim.close();
    bed.finish();
}

/// Killed at random moments while its state is being written: what is on disk is whole, has each session, and a
/// directory that it was in lately.
#[test]
#[expect(clippy::print_stderr, reason = "the seed repeats a run")]
fn killed_while_it_writes() {
    let rounds = if std::env::var_os("SSHMCP_LONG").is_some() {
        50
    } else {
        4
    };
    let seed: u64 = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let bed = TestBed::new();
    let state = state_dir(&bed);
    for round in 0..rounds {
        let what = format!("seed {seed}, round {round}");
        let mut shim = bed.shim();
        for name in ["one", "two"] {
            let open = json!({"host": "dash", "session": name});
            shim.call("open_session", open).expect("it opens");
        }
        let known = |loaded: &[SavedSession]| {
            ["one", "two"]
                .iter()
                .all(|name| loaded.iter().any(|one| one.name == *name))
        };
        eventually("both are remembered", || known(&Store::open(&state).1.sessions));
        let last = random.random_range(3..30);
        let mut calls = Vec::new();
        for number in 0..=last {
            let directory = ["/usr", "/var", "/etc"][number % 3];
            let arguments = json!({"session": "one", "command": format!("cd {directory}")});
            calls.push(shim.begin_call("execute_command", arguments));
        }
        // Some of them are answered, some are under way, and the rest wait.
        for call in calls.iter().take(random.random_range(0..last)) {
            shim.finish_call(*call).expect("it ran");
        }
        kill_daemon(&bed);
        drop(shim);
        let (_, loaded) = Store::open(&state);
        assert!(loaded.set_aside.is_empty(), "{what}: {loaded:?}");
        assert!(known(&loaded.sessions), "{what}: {loaded:?}");
    }
    eprintln!("state: {rounds} rounds with seed {seed}");
    bed.finish();
}

/// What the terminal of that session showed.
const SHOWN: &str = "$ echo one\r\none\r\n$ ";

/// What a daemon leaves that had these: a session with something to come back to, and its commands.
fn leave(bed: &TestBed) -> [String; 3] {
    let directory = state_dir(bed);
    let limits = || CommandLimits {
        ended: 100,
        disk_bytes: u64::MAX,
        output: OutputLimits::default(),
    };
    let commands = Commands::open(&directory, limits);
    let session = SessionName::parse("kept").expect("a name");
    let create = |text: &str| -> Arc<Command> {
        let command = commands.create(&session, text.into(), Capture::Apart, false);
        command.keep();
        command
    };
    let [ended, running, queued] = ["seq 1000", "sleep 1000", "touch never"].map(create);
    for command in [&ended, &running] {
        command.change(|state| {
            state.status = Status::Running;
            state.started = Some(Instant::now());
        });
    }
    for number in 1..=1000_u64 {
        let consumed = Consumed {
            source: 0,
            segment: 1,
            offset: number,
        };
        ended.append_from(StreamKind::Stdout, format!("{number}\n").as_bytes(), consumed);
    }
    ended.end(Status::Completed, Some(3), Some("/srv".into()));
    running.append(StreamKind::Stderr, b"begun\n");
    let (store, _) = Store::open(&directory);
    let (mut shown, _) = store.shown("kept");
    shown.show(0, SHOWN.as_bytes());
    store.put_session(SavedSession {
        name: "kept".into(),
        host: "nowhere".into(),
        target: vec![Hop {
            user: "nobody".into(),
            hostname: "127.0.0.1".into(),
            port: 9,
        }],
        keeper: "remote-tmux".into(),
        cols: 100,
        rows: 30,
        cwd: "/srv".into(),
        opened_ms: 1_700_000_000_000,
        last_used_ms: 1_700_000_001_000,
        client: "somebody".into(),
        cursor: 5000,
        kept: json!({
            "name": "kept-1", "nonce": "0123456789abcdef", "dir": "/var/tmp/.sshmcp-0123456789abcdef", "boot_id": "",
            "shell": {"kind": "bash", "eval": "eval", "pid": 1, "tty": "", "version": "", "cwd": "/"},
            "has_alias": true,
        }),
        ..SavedSession::default()
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    assert!(runtime.expect("a runtime").block_on(store.saved()));
    [ended, running, queued].map(|command| command.id.to_string())
}

/// The same name, ids and offsets as before; what never ran is told as that.
#[test]
fn what_outlives_the_daemon() {
    let bed = TestBed::new();
    bed.alias("nowhere", "nobody", 9);
    let [ended, running, queued] = leave(&bed);
    bed.give(".local");
    let mut shim = bed.shim();
    let check = |shim: &mut Shim| {
        let list = shim.call("list_sessions", json!({})).expect("a list");
        let sessions = list["sessions"].as_array().expect("a list");
        let [session] = sessions.as_slice() else {
            panic!("{list}")
        };
        assert_eq!(
            [&session["session"], &session["keeper"], &session["target"]],
            ["kept", "remote-tmux", "nobody@127.0.0.1:9"],
            "{list}"
        );
        let read = |shim: &mut Shim, id: &str, offset: u64| {
            let arguments = json!({"command_id": id, "offset": offset, "output_limit": 40_000});
            Outcome::read(shim.call("get_command_output", arguments).expect("known"))
        };
        let whole = read(shim, &ended, 0);
        assert_eq!(
            (&*whole.status, whole.exit_code),
            ("completed", Some(3)),
            "{whole:?}"
        );
        assert!(whole.stdout.starts_with("1\n2\n") && whole.stdout.ends_with("\n1000\n"));
        assert_eq!(read(shim, &ended, 3888).stdout, "1000\n", "{whole:?}");
        let never = read(shim, &queued, 0);
        assert_eq!((&*never.status, never.exit_code), ("lost", None));
        assert!(never.notice.contains("nothing was run"), "{never:?}");
        let begun = read(shim, &running, 0);
        assert_eq!((&*begun.stderr, begun.exit_code), ("begun\n", None), "{begun:?}");
        let arguments = json!({"session": "kept", "cursor": 12});
        let shown = shim.call("get_terminal_output", arguments).expect("a terminal");
        assert_eq!(shown["text"], "one\n$ ", "{shown}");
        assert_eq!(shown["cursor"], SHOWN.len(), "{shown}");
        let new = shim.run("bash", "echo new");
        let number = |id: &str| id.trim_start_matches('c').parse::<u64>().expect("a number");
        assert!(number(&new.id) > number(&queued), "{new:?}");
    };
    check(&mut shim);
    shim.call("close_session", json!({"host": "bash"}))
        .expect("closed");
    // And once more: what was found again outlives the next one, too.
    kill_daemon(&bed);
    drop(shim);
    let mut shim = bed.shim();
    check(&mut shim);
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
}

/// A session is bound to its target: where its host means another now, nothing is run there, and a person can put it right
/// without a restart.
#[test]
fn a_host_that_means_another_now() {
    let bed = TestBed::new();
    leave(&bed);
    bed.alias("nowhere", "nobody", 10);
    bed.give(".local");
    let mut shim = bed.shim();
    let run = json!({"session": "kept", "command": "true"});
    let refused = shim.execute(run.clone()).expect_err("another target");
    assert_eq!(refused.code, "conflict", "{refused:?}");
    for word in ["nobody@127.0.0.1:9", "nobody@127.0.0.1:10", "nowhere"] {
        assert!(refused.message.contains(word), "{word}: {refused:?}");
    }
    let config = bed.home().join(".ssh/config");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, text.replace("Port 10\n", "Port 9\n")).expect("written");
    let tried = shim.execute(run).expect_err("nobody listens there");
    assert_ne!(tried.code, "conflict", "{tried:?}");
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
}

/// Many sessions on as many hosts, and many commands: all are there with the first answer.
#[test]
#[expect(clippy::print_stderr, reason = "how long a start takes is worth knowing")]
fn many() {
    const SESSIONS: u16 = 50;
    let bed = TestBed::new();
    leave(&bed);
    let directory = state_dir(&bed);
    let limits = || CommandLimits {
        ended: 200,
        disk_bytes: u64::MAX,
        output: OutputLimits::default(),
    };
    let commands = Commands::open(&directory, limits);
    let (store, _) = Store::open(&directory);
    let kept = store.session("kept").expect("it is there");
    for number in 0..SESSIONS {
        let host = format!("host{number}");
        bed.alias(&host, "nobody", 9 + number);
        let mut session = SavedSession {
            name: host.clone(),
            host: host.clone(),
            ..SavedSession::clone(&kept)
        };
        session.target[0].port = 9 + number;
        store.put_session(session);
        let name = SessionName::parse(&host).expect("a name");
        for _ in 0..3 {
            let command = commands.create(&name, "seq 100000".into(), Capture::Apart, false);
            command.keep();
            command.append(StreamKind::Stdout, &[b'x'; 100_000]);
            command.end(Status::Completed, Some(0), None);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    assert!(runtime.expect("a runtime").block_on(store.saved()));
    drop((commands, store));
    bed.give(".local");
    let began = Instant::now();
    let mut shim = bed.shim();
    let list = shim.call("list_sessions", json!({})).expect("a list");
    eprintln!(
        "state: {SESSIONS} sessions and their commands are there after {:?}",
        began.elapsed()
    );
    let sessions = list["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), usize::from(SESSIONS) + 1, "{list}");
    let finished = shim
        .call("get_active_commands", json!({"finished": 200}))
        .expect("a list");
    let finished = finished["commands"].as_array().expect("a list");
    assert!(finished.len() >= 3 * usize::from(SESSIONS), "{}", finished.len());
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
}
