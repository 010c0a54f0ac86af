//! Odd values of every parameter, as a stranger gives them: each is taken as it can only be meant, or refused with a code
//! and a hint, and nothing is run then.

use serde_json::{Value, json};
use sshmcp_tests::{Shim, TestBed};

/// A call that is refused: with this code, and this in its sentence.
fn refused(shim: &mut Shim, tool: &str, arguments: Value, code: &str, words: &str) {
    let what = format!("{tool} {arguments}");
    let error = shim.call(tool, arguments).expect_err(&what);
    assert_eq!(error.code, code, "{what}: {error:?}");
    assert!(error.message.contains(words), "{what}: {error:?}");
    assert!(!error.hint.is_empty(), "{what}: {error:?}");
}

#[test]
fn refused_in_words() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let id = shim.run("bash", "seq 1 100").id;
    shim.call("open_session", json!({"host": "bash", "session": "w"}))
        .expect("open");
    let run = |more: Value| {
        let mut arguments = json!({"command": "touch odd-ran", "host": "bash"});
        arguments
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().expect("an object"));
        arguments
    };
    let invalid = "invalid_argument";
    let table = [
        (
            "execute_command",
            json!({"command": "true"}),
            invalid,
            "neither `host` nor `session`",
        ),
        (
            "execute_command",
            json!({"host": "bash"}),
            invalid,
            "`command` is missing",
        ),
        ("execute_command", run(json!({"command": ""})), invalid, "empty"),
        ("execute_command", run(json!({"command": "a\0b"})), invalid, "NUL"),
        (
            "execute_command",
            run(json!({"command": ["ls"]})),
            invalid,
            "must be a string",
        ),
        (
            "execute_command",
            run(json!({"bogus": 1})),
            invalid,
            "unknown parameter `bogus`",
        ),
        (
            "execute_command",
            run(json!({"timeout": -1})),
            invalid,
            "`timeout`",
        ),
        (
            "execute_command",
            run(json!({"timeout": "soon"})),
            invalid,
            "`timeout`",
        ),
        (
            "execute_command",
            run(json!({"output_limit": -5})),
            invalid,
            "`output_limit`",
        ),
        ("execute_command", run(json!({"port": 0})), invalid, "port"),
        ("execute_command", run(json!({"port": 70_000})), invalid, "port"),
        (
            "execute_command",
            run(json!({"host": "-oProxyCommand=x"})),
            invalid,
            "`-`",
        ),
        ("execute_command", run(json!({"host": "a b"})), invalid, "host"),
        (
            "execute_command",
            run(json!({"session": "a/b"})),
            invalid,
            "session name",
        ),
        (
            "execute_command",
            run(json!({"host": "dash", "session": "w"})),
            "conflict",
            "another target",
        ),
        (
            "execute_command",
            json!({"session": "w", "command": "true", "username": "x"}),
            invalid,
            "belong to a `host`",
        ),
        (
            "execute_command",
            json!({"session": "none", "command": "true"}),
            "session_not_found",
            "none",
        ),
        (
            "get_command_output",
            json!({"command_id": id, "offset": -1}),
            invalid,
            "`offset`",
        ),
        (
            "get_command_output",
            json!({"command_id": id, "grep": "["}),
            invalid,
            "regular expression",
        ),
        (
            "get_command_output",
            json!({"command_id": id, "grep": "1", "tail": 1}),
            invalid,
            "three ways",
        ),
        (
            "get_command_output",
            json!({"command_id": id, "context": 2}),
            invalid,
            "`context`",
        ),
        (
            "get_command_output",
            json!({"command_id": "c0"}),
            "command_not_found",
            "c0",
        ),
        ("wait_for", json!({}), invalid, "neither"),
        (
            "wait_for",
            json!({"commands": [id], "timeout": -3}),
            invalid,
            "`timeout`",
        ),
        (
            "wait_for",
            json!({"commands": [id], "pattern": "("}),
            invalid,
            "regular expression",
        ),
        (
            "wait_for",
            json!({"commands": [id], "until": "some"}),
            invalid,
            "any, all",
        ),
        (
            "wait_for",
            json!({"sessions": ["none"]}),
            "session_not_found",
            "none",
        ),
        ("interrupt_command", json!({}), invalid, "exactly one"),
        (
            "interrupt_command",
            json!({"session": "w", "host": "bash"}),
            invalid,
            "exactly one",
        ),
        (
            "interrupt_command",
            json!({"session": "w", "signal": "HUP"}),
            invalid,
            "`signal`",
        ),
        (
            "get_active_commands",
            json!({"finished": -1}),
            invalid,
            "`finished`",
        ),
        (
            "open_session",
            json!({"host": "bash", "session": "x", "cols": 1}),
            invalid,
            "`cols`",
        ),
        (
            "open_session",
            json!({"host": "bash", "session": "x", "keeper": "none"}),
            invalid,
            "`keeper`",
        ),
        ("close_session", json!({}), invalid, "exactly one"),
        ("close_session", json!({"all": false}), invalid, "exactly one"),
        (
            "close_session",
            json!({"session": "none"}),
            "session_not_found",
            "none",
        ),
        ("list_sessions", json!({"x": 1}), invalid, "unknown parameter"),
    ];
    for (tool, arguments, code, words) in table {
        refused(&mut shim, tool, arguments, code, words);
    }
    let ran = shim.run("bash", "cd; ls odd-ran");
    assert_ne!(ran.exit_code, Some(0), "it was run after all: {ran:?}");
    shim.close();
    bed.finish();
}

/// What can only be meant one way is taken so.
#[test]
fn taken_as_meant() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let opened = shim
        .call("open_session", json!({"host": "bash", "session": "w"}))
        .expect("open");
    assert_eq!(opened["client"], "story", "who opened it used it last: {opened}");
    // No wait is too long to be asked for, and no limit too large; none at all is no limit.
    for (limit, most) in [(1_000_000_000_u64, 40_000), (8_000, 8_000), (200, 200), (1, 300)] {
        let arguments =
            json!({"session": "w", "command": "seq 1 20000", "output_limit": limit, "timeout": 1e12});
        let outcome = shim.execute(arguments).expect("taken");
        assert_eq!(outcome.exit_code, Some(0));
        assert!(outcome.stdout.chars().count() <= most, "{}", outcome.stdout);
        assert!(outcome.number("omitted_bytes") > 0);
    }
    // What is said on stderr is there, however much stands around it.
    for command in [
        "seq 1 200000; echo oops >&2",
        "seq 1 100000; echo oops >&2; seq 1 100000",
    ] {
        let outcome = shim
            .execute(json!({"session": "w", "command": command}))
            .expect("run");
        assert_eq!(outcome.stderr, "oops\n", "{command}");
        assert!(outcome.stdout.ends_with("00000\n"), "{outcome:?}");
    }
    let outcome = shim
        .execute(json!({"session": "w", "command": "seq 1 3"}))
        .expect("run");
    let read = |shim: &mut Shim, more: Value| {
        let mut arguments = json!({"command_id": outcome.id});
        arguments
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().expect("an object"));
        shim.call("get_command_output", arguments).expect("read")
    };
    let beyond = read(&mut shim, json!({"offset": 1_000_000_000_000_u64}));
    assert_eq!((&beyond["stdout"], &beyond["offset"]), (&json!(""), &json!(6)));
    assert_eq!(read(&mut shim, json!({"tail": 0}))["stdout"], "");
    let found = read(&mut shim, json!({"grep": "2", "context": 1_000_000}));
    assert_eq!(
        (&found["stdout"], &found["matches"]),
        (&json!("1\n2\n3\n"), &json!(1))
    );
    let waited = shim.call(
        "wait_for",
        json!({"commands": outcome.id, "until": "ANY", "timeout": "5"}),
    );
    assert_eq!(waited.expect("taken")["satisfied"], true);
    let running = shim
        .execute(json!({"session": "w", "command": "sleep 100", "timeout": 0}))
        .expect("begun");
    let ended = shim.call(
        "interrupt_command",
        json!({"command_id": running.id, "signal": "sigint"}),
    );
    assert_eq!(ended.expect("taken")["ended"], true);
    shim.close();
    bed.finish();
}
