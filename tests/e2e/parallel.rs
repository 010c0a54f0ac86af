//! Many commands at once, several clients of one session, and a client that dies: no output crosses, and none is lost.

use std::{collections::BTreeSet, fs, thread};

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, SshdOptions, TestBed, User, eventually, eventually_some};

/// Commands, sessions and hosts at once.
const MANY: usize = 8;
/// Lines that each command writes to each of its streams.
const LINES: usize = 1500;

/// A command that writes its own numbered lines to both streams, and ends with its own code.
fn numbered(tag: &str, code: usize) -> String {
    format!(
        "i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo \"{tag} out $i\"; echo \"{tag} err $i\" >&2; done; (exit {code})"
    )
}

/// All lines of one stream of such a command, and nothing else.
fn lines(tag: &str, stream: &str) -> String {
    (1..=LINES)
        .map(|number| format!("{tag} {stream} {number}\n"))
        .collect()
}

/// Begins such a command in each of these places at once, and holds every byte of every answer against what it wrote.
fn at_once(shim: &mut Shim, places: &[Value]) {
    let begun: Vec<(String, u64)> = places
        .iter()
        .enumerate()
        .map(|(number, place)| {
            let tag = format!("tag{number}");
            let mut arguments = place.clone();
            arguments["command"] = numbered(&tag, number + 1).into();
            arguments["timeout"] = 50.into();
            (tag, shim.begin_call("execute_command", arguments))
        })
        .collect();
    for (number, (tag, call)) in begun.into_iter().enumerate() {
        let outcome = Outcome::read(shim.finish_call(call).expect("it runs"));
        assert_eq!(outcome.status, "completed", "{tag}: {outcome:?}");
        assert_eq!(outcome.exit_code, Some(number as i64 + 1), "{tag}");
        let (stdout, stderr) = shim.whole_output(&outcome.id);
        assert_same(&tag, &stdout, &lines(&tag, "out"));
        assert_same(&tag, &stderr, &lines(&tag, "err"));
    }
}

/// Says where two long texts part, instead of printing both.
fn assert_same(what: &str, got: &str, wanted: &str) {
    let parts = got
        .lines()
        .zip(wanted.lines())
        .find(|(got, wanted)| got != wanted);
    assert_eq!(parts, None, "{what} differs");
    assert_eq!(got.len(), wanted.len(), "{what} is of another length");
}

/// An agent that works in eight places of one host gets eight answers, each its own, though the host's sshd takes
/// fewer channels a connection than that.
#[test]
fn eight_sessions_of_one_host() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let places: Vec<Value> = (0..MANY)
            .map(|number| json!({"host": shell.host(), "session": format!("{}-s{number}", shell.host())}))
            .collect();
        at_once(&mut shim, &places);
        // Warm, all of them again: now nothing but the commands takes time.
        at_once(&mut shim, &places);
        shim.call("close_session", json!({"host": shell.host()}))
            .expect("closed");
    }
    shim.close();
    bed.finish();
}

/// The same over eight servers: one slow or busy host stands in nobody's way.
#[test]
fn eight_hosts() {
    let mut bed = TestBed::new();
    let mut places = Vec::new();
    for number in 0..MANY {
        let shell = Shell::POSIX[number % Shell::POSIX.len()];
        let sshd = bed.add_sshd(&SshdOptions::default(), &[]);
        let sshd = &bed.sshds()[sshd];
        let user = bed.user(shell);
        bed.authorize(sshd, user);
        let name = format!("host{number}");
        bed.alias(&name, &user.name, sshd.port());
        places.push(json!({"host": name}));
    }
    let mut shim = bed.shim();
    at_once(&mut shim, &places);
    at_once(&mut shim, &places);
    shim.close();
    bed.finish();
}

/// Two agents may share a session: their commands run one after the other, each caller gets the output of its own,
/// and the shell's state is one.
#[test]
fn two_clients_of_one_session() {
    /// Commands of each client.
    const EACH: usize = 25;
    let bed = TestBed::new();
    bed.shim().run("bash", "n=0");
    let seen: Vec<BTreeSet<usize>> = thread::scope(|scope| {
        let clients: Vec<_> = ["left", "right"]
            .map(|name| {
                let mut shim = bed.shim();
                scope.spawn(move || {
                    (0..EACH)
                        .map(|number| {
                            let tag = format!("{name}{number}");
                            let command = format!("n=$((n+1)); echo {tag} $n; echo {tag} >&2");
                            let outcome = shim.execute(json!({"session": "bash", "command": command}));
                            let outcome = outcome.expect("it runs");
                            assert_eq!(outcome.stderr, format!("{tag}\n"), "{outcome:?}");
                            let own = outcome.stdout.strip_prefix(&format!("{tag} "));
                            own.and_then(|count| count.trim_end().parse().ok())
                                .unwrap_or_else(|| panic!("{tag}: {outcome:?}"))
                        })
                        .collect()
                })
            })
            .into_iter()
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().expect("a client"))
            .collect()
    });
    let all: BTreeSet<usize> = seen.iter().flatten().copied().collect();
    assert_eq!(all, (1..=2 * EACH).collect(), "each command counted once");
    bed.finish();
}

/// MCP clients are restarted at any time. The command belongs to the session: who comes next reads it by its id, from
/// the first byte to the last.
#[test]
fn the_next_client_reads_on() {
    let bed = TestBed::new();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let gate = bed.scratch(shell).join("gate");
        let command = format!(
            "{}; while ! [ -e {} ]; do sleep 0.05; done; {}",
            numbered("before", 0),
            gate.display(),
            numbered("after", 7)
        );
        let mut first = bed.shim();
        first.begin_call(
            "execute_command",
            json!({"host": shell.host(), "command": command, "timeout": 50}),
        );
        let mut second = bed.shim();
        let wanted = format!("before err {LINES}");
        let id = eventually_some("the first half is there", || {
            let active = second.call("get_active_commands", json!({})).expect("a list");
            let found = active["commands"]
                .as_array()?
                .iter()
                .find(|command| command["session"] == shell.host() && command["status"] == "running")?;
            let id = found["command_id"].as_str()?.to_owned();
            second.whole_output(&id).1.contains(&wanted).then_some(id)
        });
        first.kill();
        fs::write(&gate, "").expect("a file");
        let waited = second.call("wait_for", json!({"commands": [id], "timeout": 45}));
        let waited = waited.expect("it ends");
        let outcome = second.wait_for(&id);
        assert_eq!(outcome.exit_code, Some(7), "{shell:?}: {waited} {outcome:?}");
        let (stdout, stderr) = second.whole_output(&id);
        for (stream, got) in [("out", stdout), ("err", stderr)] {
            let wanted = lines("before", stream) + &lines("after", stream);
            assert_same(&format!("{shell:?} {stream}"), &got, &wanted);
        }
        second.close();
    }
    bed.finish();
}

/// A flood in one session must not hold up the answers of another on the same connection.
#[test]
fn a_flood_holds_up_nobody() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    let stop = bed.scratch(Shell::Bash).join("stop");
    let flood = format!("while ! [ -e {} ]; do seq 1 20000; done", stop.display());
    shim.call("open_session", json!({"host": "bash", "session": "flood"}))
        .expect("open");
    let flood = json!({"host": "bash", "session": "flood", "command": flood, "timeout": 0});
    let flood = shim.execute(flood).expect("it begins");
    eventually("the flood flows", || {
        let read = json!({"command_id": flood.id, "tail": 1});
        let state = shim.call("get_command_output", read).expect("its state");
        state["total_bytes"].as_u64() > Some(2_000_000)
    });
    for number in 0..20 {
        let outcome = shim.run("bash", &format!("echo {number}"));
        assert_eq!(outcome.stdout, format!("{number}\n"), "{outcome:?}");
        assert!(outcome.number("duration_ms") < 5_000, "{outcome:?}");
    }
    fs::write(stop, "").expect("a file");
    assert_eq!(shim.wait_for(&flood.id).exit_code, Some(0));
    shim.close();
    bed.finish();
}

/// One user's session name can mean only one target; and a session named by its host is the same for every client.
#[test]
fn names_are_shared() {
    let bed = TestBed::new();
    let (mut one, mut other) = (bed.shim(), bed.shim());
    one.run("bash", "cd /usr");
    assert_eq!(other.run("bash", "pwd").stdout, "/usr\n");
    if User::many() {
        let taken = other.execute(json!({"host": "dash", "session": "bash", "command": "true"}));
        assert_eq!(taken.expect_err("another target").code, "conflict");
    }
    one.close();
    other.close();
    bed.finish();
}
