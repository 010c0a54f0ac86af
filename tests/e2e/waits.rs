//! `wait_for`: each thing that can come to pass, of commands and of sessions, and what of it the caller was shown already.

use std::fs;

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, TestBed};

/// Waits at most half a minute; each wait here is ended by what it waits for.
fn wait(shim: &mut Shim, mut arguments: Value) -> Value {
    if arguments.get("timeout").is_none() {
        arguments["timeout"] = 30.into();
    }
    shim.call("wait_for", arguments).expect("a wait")
}

/// Begins a command and does not wait for it.
fn begin(shim: &mut Shim, session: &str, host: &str, command: &str) -> String {
    let arguments = json!({"host": host, "session": session, "command": command, "timeout": 0});
    Outcome::read(shim.call("execute_command", arguments).expect("it begins")).id
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("(none)")
}

/// What is printed between two calls is not missed; what the caller was shown is not found again, but from an offset.
#[test]
fn a_pattern_of_what_was_not_shown() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let go = bed.scratch(Shell::Bash).join("go");
    let until = |end: &str| format!("until [ -e {}{end} ]; do sleep 0.05; done", go.display());
    let (first, second) = (until(""), until("2"));
    let command = format!("echo starting; {first}; echo listening on 80; {second}; echo over");
    let id = begin(&mut shim, "server", "bash", &command);
    let shown = wait(
        &mut shim,
        json!({"commands": [id], "pattern": "^start", "offset": 0}),
    );
    assert_eq!(text(&shown, "/commands/0/matched"), "starting", "{shown}");
    fs::write(&go, "").expect("a file");
    // Somebody else sees it first, and lines alone are no reading on.
    let mut other = bed.shim();
    wait(&mut other, json!({"commands": [id], "pattern": "listening"}));
    shim.call("get_command_output", json!({"command_id": id, "tail": 1}))
        .expect("a line");
    shim.call("get_command_output", json!({"command_id": id, "grep": "over"}))
        .expect("no line");
    let shown = wait(
        &mut shim,
        json!({"commands": [id], "pattern": "listening on (\\d+)"}),
    );
    assert_eq!(text(&shown, "/commands/0/event"), "pattern", "{shown}");
    assert_eq!(text(&shown, "/commands/0/stdout"), "listening on 80\n", "{shown}");
    let shown = wait(
        &mut shim,
        json!({"commands": [id], "pattern": "listening", "timeout": 0}),
    );
    assert_eq!(text(&shown, "/commands/0/event"), "timeout", "{shown}");
    assert_eq!(shown["satisfied"], false);
    let again = json!({"commands": [id], "pattern": "listening", "offset": 0, "timeout": 0});
    let shown = wait(&mut shim, again);
    assert_eq!(
        text(&shown, "/commands/0/stdout"),
        "starting\nlistening on 80\n",
        "{shown}"
    );
    // A command that ends cannot match any more.
    fs::write(bed.scratch(Shell::Bash).join("go2"), "").expect("a file");
    let shown = wait(&mut shim, json!({"commands": [id], "pattern": "never"}));
    assert_eq!(text(&shown, "/commands/0/event"), "ended", "{shown}");
    assert_eq!(text(&shown, "/commands/0/stdout"), "over\n", "{shown}");
    other.close();
    shim.close();
    bed.finish();
}

/// A call that does not wait shows nothing of what goes on: the wait behind it finds all of it, however fast that is.
#[test]
fn a_pattern_behind_a_call_that_did_not_wait() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Dash] {
        let host = shell.host();
        shim.run(host, "true");
        for _ in 0..40 {
            let command = json!({"session": host, "command": "echo ready; sleep 100", "timeout": 0});
            let begun = shim.execute(command).expect("it begins");
            assert_eq!((&*begun.stdout, begun.number("offset")), ("", 0), "{begun:?}");
            let shown = wait(&mut shim, json!({"commands": [begun.id], "pattern": "^ready$"}));
            assert_eq!(text(&shown, "/commands/0/matched"), "ready", "{host}: {shown}");
            shim.call("interrupt_command", json!({"command_id": begun.id}))
                .expect("interrupted");
        }
    }
    shim.close();
    bed.finish();
}

/// What does not fit into an answer follows in the next, and each says so; a character in two halves is told once, whole.
#[test]
fn more_than_fits() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let go = bed.scratch(Shell::Bash).join("go");
    let command = format!(
        "seq 1 3000; printf 'a\\342\\202'; until [ -e {0} ]; do sleep 0.05; done; printf '\\254z\\033[3'; \
         until [ -e {0}2 ]; do sleep 0.05; done; printf '1mred\\033[0m\\n'",
        go.display()
    );
    let id = begin(&mut shim, "long", "bash", &command);
    let mut all = String::new();
    let mut reads_on = |shim: &mut Shim, arguments: Value| -> (u64, u64) {
        let answer = shim.begin_call("wait_for", arguments);
        let answer = shim.answer(answer);
        let command = &answer["result"]["structuredContent"]["commands"][0];
        let number = |name: &str| command[name].as_u64().expect("a number");
        all.push_str(command["stdout"].as_str().expect("text"));
        let follow = number("total_bytes") - number("offset");
        let told = text(&answer, "/result/content/0/text").contains("bytes follow: get_command_output(");
        assert_eq!((told, number("omitted_bytes")), (follow > 0, 0), "{answer}");
        (follow, number("offset"))
    };
    let from = |offset: u64| json!({"commands": [id], "pattern": "a$|^3000$", "output_limit": 5000, "offset": offset});
    let (mut follow, mut offset) = reads_on(&mut shim, from(0));
    assert!(follow > 8000 && offset <= 5000, "{follow} behind {offset}");
    while follow > 2 {
        (follow, offset) = reads_on(
            &mut shim,
            json!({"commands": [id], "timeout": 0, "output_limit": 5000, "offset": offset}),
        );
    }
    // What has only begun waits.
    let now = Outcome::read(
        shim.call("get_command_output", json!({"command_id": id, "tail": 1}))
            .expect("a line"),
    );
    assert_eq!(
        (&*now.stdout, now.number("total_bytes") - now.number("offset")),
        ("a", 2)
    );
    fs::write(&go, "").expect("a file");
    reads_on(&mut shim, json!({"commands": [id], "pattern": "z"}));
    fs::write(bed.scratch(Shell::Bash).join("go2"), "").expect("a file");
    reads_on(&mut shim, json!({"commands": [id]}));
    let numbers: String = (1..=3000).map(|at| format!("{at}\n")).collect();
    assert_eq!(all, format!("{numbers}a\u{20ac}zred\n"));
    shim.close();
    bed.finish();
}

/// One of many is enough, or all have to come; each says what came to pass with it.
#[test]
fn any_and_all() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let go = bed.scratch(Shell::Dash).join("go");
    let slow = begin(
        &mut shim,
        "slow",
        "dash",
        &format!("until [ -e {} ]; do sleep 0.05; done; (exit 3)", go.display()),
    );
    let asks = begin(&mut shim, "asks", "dash", "read -r answer; echo $answer");
    let quick = begin(&mut shim, "quick", "dash", "echo quick");
    let shown = wait(
        &mut shim,
        json!({"commands": [slow, asks, quick], "until": "any"}),
    );
    assert_eq!(shown["satisfied"], true, "{shown}");
    assert_eq!(text(&shown, "/commands/0/event"), "timeout", "{shown}");
    let shown = wait(&mut shim, json!({"commands": [asks, quick], "until": "all"}));
    let events = [
        text(&shown, "/commands/0/event"),
        text(&shown, "/commands/1/event"),
    ];
    assert_eq!(events, ["awaiting_input", "ended"], "{shown}");
    let shown = wait(&mut shim, json!({"commands": [slow, asks], "timeout": 0.2}));
    assert_eq!(shown["satisfied"], false, "{shown}");
    assert_eq!(text(&shown, "/commands/1/event"), "awaiting_input", "{shown}");
    fs::write(&go, "").expect("a file");
    // A session comes to pass as its command does, and one at its prompt at once.
    let shown = wait(&mut shim, json!({"sessions": ["slow", "asks", "quick"]}));
    assert_eq!(shown["satisfied"], true, "{shown}");
    assert_eq!(text(&shown, "/sessions/0/event"), "ended", "{shown}");
    let unknown = shim.call("wait_for", json!({"sessions": ["nobody"]}));
    assert_eq!(unknown.expect_err("no session").code, "session_not_found");
    let unknown = shim.call("wait_for", json!({"commands": ["c99999"]}));
    assert_eq!(unknown.expect_err("no command").code, "command_not_found");
    shim.close();
    bed.finish();
}

/// What a background job prints in the terminal is waited for by its session; what commands wrote is not taken for it.
#[test]
fn a_session_prints_by_itself() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Dash] {
        let host = shell.host();
        let go = bed.scratch(shell).join("go");
        // Its caller was shown this.
        assert_eq!(shim.run(host, "echo listening").stdout, "listening\n");
        let job = format!(
            "sh -c 'until [ -e {} ]; do sleep 0.05; done; echo listening now >/dev/tty' &",
            go.display()
        );
        shim.run(host, &job);
        let pattern = json!({"sessions": [host], "pattern": "listening", "timeout": 0});
        let shown = wait(&mut shim, pattern);
        assert_eq!(text(&shown, "/sessions/0/event"), "timeout", "{host}: {shown}");
        fs::write(&go, "").expect("a file");
        let shown = wait(&mut shim, json!({"sessions": [host], "pattern": "listening"}));
        // It may stand behind the prompt.
        let matched = text(&shown, "/sessions/0/matched");
        assert!(matched.ends_with("listening now"), "{host}: {shown}");
        assert!(
            text(&shown, "/sessions/0/text").contains("listening now"),
            "{host}: {shown}"
        );
        let shown = wait(
            &mut shim,
            json!({"sessions": [host], "pattern": "listening", "timeout": 0}),
        );
        assert_eq!(text(&shown, "/sessions/0/event"), "timeout", "{host}: {shown}");
        let shown = wait(
            &mut shim,
            json!({"sessions": [host], "pattern": "never", "idle": 0.3}),
        );
        assert_eq!(text(&shown, "/sessions/0/event"), "idle", "{host}: {shown}");
    }
    shim.close();
    bed.finish();
}

/// What a session showed beside commands is told in its bounds, and how much of it is gone.
#[test]
fn what_is_gone_is_told() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    let much = json!({"session": "bash", "text": "seq 1 100000", "pattern": "\n100000\n", "timeout": 30});
    let shown = shim.call("send_input", much).expect("it is typed");
    assert_eq!(shown["why"], "pattern", "{shown}");
    let shown = wait(&mut shim, json!({"sessions": ["bash"], "output_limit": 1000}));
    let session = &shown["sessions"][0];
    assert_eq!(session["event"], "ended", "{shown}");
    shim.close();
    let mut other = bed.shim();
    let shown = wait(&mut other, json!({"sessions": ["bash"], "output_limit": 1000}));
    let dropped = shown["sessions"][0]["dropped_bytes"].as_u64().expect("a number");
    // Of 588,895 bytes and as many carriage returns as lines the last 256 KiB are kept.
    assert!(dropped > 400_000, "{shown}");
    assert!(text(&shown, "/sessions/0/text").contains("100000\n"), "{shown}");
    let shown = wait(&mut other, json!({"sessions": ["bash"]}));
    assert_eq!(shown["sessions"][0]["dropped_bytes"], 0, "{shown}");
    other.close();
    bed.finish();
}

/// A quiet command is idle, and a shell that goes is told wherever somebody waits.
#[test]
fn idle_and_disconnected() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let id = begin(&mut shim, "gone", "bash", "echo said; sleep 600");
    let shown = wait(&mut shim, json!({"commands": [id], "idle": 0.4}));
    assert_eq!(text(&shown, "/commands/0/event"), "idle", "{shown}");
    shim.run("bash", "true");
    let of_command = shim.begin_call("wait_for", json!({"commands": [id], "timeout": 30}));
    let of_session = shim.begin_call(
        "wait_for",
        json!({"sessions": ["gone", "bash"], "pattern": "never", "timeout": 30}),
    );
    shim.call("get_active_commands", json!({})).expect("both wait");
    bed.sshd().cut_connections();
    let shown = shim.finish_call(of_command).expect("it ends");
    assert_eq!(text(&shown, "/commands/0/event"), "disconnected", "{shown}");
    assert_eq!(text(&shown, "/commands/0/status"), "lost", "{shown}");
    let shown = shim.finish_call(of_session).expect("it ends");
    assert_eq!(text(&shown, "/commands/0/event"), "disconnected", "{shown}");
    assert_eq!(text(&shown, "/sessions/0/event"), "disconnected", "{shown}");
    shim.close();
    bed.finish();
}
