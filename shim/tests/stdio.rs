//! The built server over stdio, here without a daemon: both eras of MCP, errors, cancellation and the ways to end.

#[path = "stdio/calls.rs"]
mod calls;
#[path = "stdio/client.rs"]
mod client;
#[path = "stdio/fake.rs"]
mod fake;
#[path = "stdio/garbage.rs"]
mod garbage;
#[path = "../../tests/src/patient.rs"]
mod patient;

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use client::{Client, Daemon};
use serde_json::{Value, json};

/// Clients send SIGTERM 2 s after the end of the input; it must be gone before.
const LEAVES_WITHIN: Duration = Duration::from_millis(1_500);

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer.pointer("/result/tools").and_then(Value::as_array);
    tools
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["name"].as_str())
        .collect()
}

const NAMES: [&str; 13] = [
    "list_hosts",
    "open_session",
    "list_sessions",
    "close_session",
    "execute_command",
    "get_active_commands",
    "get_command_output",
    "wait_for",
    "interrupt_command",
    "get_terminal_output",
    "send_input",
    "read_file",
    "write_file",
];

/// Each version with a handshake is served as it was asked for, and lists answer with the daemon down.
#[test]
fn every_version_with_a_handshake_is_served() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut client = Client::start(&Daemon::Missing);
        let hello = client.initialize(version);
        assert_eq!(hello.pointer("/result/protocolVersion"), Some(&json!(version)));
        assert_eq!(hello.pointer("/result/serverInfo/name"), Some(&json!("ssh")));
        let words = hello
            .pointer("/result/instructions")
            .and_then(Value::as_str)
            .unwrap_or_default();
        assert!(words.contains("wait_for") && words.len() < 1_500, "{words}");
        let list = client.ask(2, "tools/list", json!({}));
        assert_eq!(names(&list), NAMES);
        assert_eq!(list.pointer("/result/nextCursor"), None, "one page");
        let beyond = client.ask(7, "tools/list", json!({"cursor": "2"}));
        assert_eq!(beyond.pointer("/error/code"), Some(&json!(-32602)), "{beyond}");
        assert_eq!(names(&client.ask(8, "tools/list", json!({"cursor": ""}))), NAMES);
        assert_eq!(client.ask(3, "ping", json!({})).get("result"), Some(&json!({})));
        let resources = client.ask(4, "resources/list", json!({}));
        let first = resources.pointer("/result/resources/0/uri");
        assert_eq!(first, Some(&json!("ssh://sessions")), "{resources}");
        assert_eq!(resources.pointer("/result/resources/1"), None, "{resources}");
        let unread = client.ask(5, "resources/read", json!({"uri": "ssh://sessions"}));
        let words = unread
            .pointer("/error/message")
            .and_then(Value::as_str)
            .unwrap_or_default();
        assert!(words.contains("[daemon_unavailable]"), "{unread}");
        let unknown = client.ask(6, "resources/read", json!({"uri": "file:///etc/passwd"}));
        assert!(unknown.pointer("/error/code").is_some(), "{unknown}");
        let (status, took) = client.close();
        assert!(
            status.success() && took < LEAVES_WITHIN,
            "{status} after {took:?}"
        );
    }
}

/// The version without a handshake: discovery, then requests that carry who asks.
#[test]
fn the_version_without_a_handshake_is_served() {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut client = Client::start(&Daemon::Missing);
    let found = client.ask(1, "server/discover", json!({"_meta": meta}));
    let versions = found
        .pointer("/result/supportedVersions")
        .and_then(Value::as_array);
    assert!(
        versions.is_some_and(|all| all.contains(&json!("2026-07-28"))),
        "{found}"
    );
    assert!(found.pointer("/result/instructions").is_some(), "{found}");
    let list = client.ask(2, "tools/list", json!({"_meta": meta}));
    assert_eq!(names(&list), NAMES);
    let resources = client.ask(4, "resources/list", json!({"_meta": meta}));
    let first = resources.pointer("/result/resources/0/uri");
    assert_eq!(first, Some(&json!("ssh://sessions")), "{resources}");
    let call = client.ask(
        3,
        "tools/call",
        json!({"_meta": meta, "name": "list_hosts", "arguments": {}}),
    );
    assert_eq!(call.pointer("/result/isError"), Some(&json!(true)), "{call}");
    assert!(client.close().0.success());
}

/// A late notification of a client that probed before does not end the conversation before it began.
#[test]
fn an_early_notification_is_passed_over() {
    let mut client = Client::start(&Daemon::Missing);
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}}));
    let hello = client.initialize("2025-06-18");
    assert!(hello.get("result").is_some(), "{hello}");
    assert!(client.close().0.success());
}

/// What goes wrong in a tool is a tool's error in words; only unknown tools are errors of the protocol.
#[test]
fn errors_are_told_where_an_agent_reads_them() {
    let mut client = Client::start(&Daemon::Missing);
    client.initialize("2025-06-18");
    for (id, name, arguments, code) in [
        (
            10,
            "execute_command",
            json!({"host": "web", "command": "true"}),
            "daemon_unavailable",
        ),
        (11, "list_sessions", json!({}), "daemon_unavailable"),
        (
            12,
            "execute_command",
            json!({"command": "true"}),
            "invalid_argument",
        ),
        (13, "execute_command", json!({"host": "web"}), "invalid_argument"),
        (
            14,
            "execute_command",
            json!({"hots": "web", "command": "true"}),
            "invalid_argument",
        ),
        (
            15,
            "execute_command",
            json!({"host": "web", "command": "true", "timeout": -1}),
            "invalid_argument",
        ),
        (
            16,
            "execute_command",
            json!({"session": "s", "command": "true", "port": 22}),
            "invalid_argument",
        ),
        (
            17,
            "open_session",
            json!({"host": "web", "cols": 5_000_000_000_u64}),
            "invalid_argument",
        ),
        (
            18,
            "open_session",
            json!({"host": "web", "keeper": "screen"}),
            "invalid_argument",
        ),
        (
            19,
            "get_command_output",
            json!({"command_id": "c1", "tail": 3, "grep": "x"}),
            "invalid_argument",
        ),
        (20, "wait_for", json!({}), "invalid_argument"),
        (
            21,
            "interrupt_command",
            json!({"session": "s", "command_id": "c1"}),
            "invalid_argument",
        ),
        (22, "close_session", json!({}), "invalid_argument"),
        (23, "send_input", json!({"text": "x"}), "invalid_argument"),
        (
            24,
            "send_input",
            json!({"session": "s", "secret": "x"}),
            "daemon_unavailable",
        ),
        (25, "get_terminal_output", json!({}), "invalid_argument"),
        (
            26,
            "open_connection",
            json!({"connection_name": "web", "session_name": "s"}),
            "daemon_unavailable",
        ),
    ] {
        let answer = client.ask(id, "tools/call", json!({"name": name, "arguments": arguments}));
        let result = &answer["result"];
        assert_eq!(result["isError"], true, "{answer}");
        let error = &result["structuredContent"]["error"];
        assert_eq!(error["code"], code, "{answer}");
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        for part in ["message", "hint", "code"] {
            let words = error[part].as_str().unwrap_or_default();
            assert!(!words.is_empty() && text.contains(words), "{part}: {answer}");
        }
    }
    let unknown = client.ask(
        30,
        "tools/call",
        json!({"name": "execute_comand", "arguments": {}}),
    );
    assert_eq!(unknown["error"]["code"], -32_602, "{unknown}");
    let words = unknown["error"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("execute_command"), "{words}");
    assert!(client.close().0.success());
}

/// A cancelled call is not answered, and the next one is.
#[test]
fn a_cancelled_call_is_not_answered() {
    let mut client = Client::start(&Daemon::Mute);
    client.initialize("2025-06-18");
    let call = json!({"name": "execute_command", "arguments": {"host": "web", "command": "true"}});
    client.send(&json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}));
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}));
    assert_eq!(names(&client.ask(8, "tools/list", json!({}))), NAMES);
    assert!(client.close().1 < LEAVES_WITHIN);
}

/// A call in flight does not keep the server when the client is gone.
#[test]
fn the_end_of_the_input_ends_it_in_the_middle_of_a_call() {
    let mut client = Client::start(&Daemon::Mute);
    client.initialize("2025-06-18");
    let call = json!({"name": "list_sessions", "arguments": {}});
    client.send(&json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}));
    assert_eq!(names(&client.ask(8, "tools/list", json!({}))), NAMES);
    let (status, took) = client.close();
    assert!(
        status.success() && took < LEAVES_WITHIN,
        "{status} after {took:?}"
    );
}

/// A client that no longer reads ends it too, though its input stays open.
#[test]
fn a_broken_output_ends_it() {
    let mut client = Client::start(&Daemon::Missing);
    client.initialize("2025-06-18");
    let (mut server, input) = client.deafen();
    let mut input = input.expect("open");
    let request = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let began = Instant::now();
    // A process that another test is starting may hold our end for a moment more: then that answer is still taken.
    let status = loop {
        if let Some(status) = server.try_wait().expect("a child") {
            break status;
        }
        if began.elapsed() > LEAVES_WITHIN {
            server.kill().expect("a child");
        }
        // It may be gone already.
        writeln!(input, "{request}").ok();
        std::thread::yield_now();
    };
    assert!(status.success());
    assert!(began.elapsed() < LEAVES_WITHIN);
}

/// What cannot be served is said before the protocol begins, on stderr only.
#[test]
fn flags_are_checked() {
    for (arguments, code, words) in [
        (["--profile", "nonsense"], 2, "no profile"),
        (["--no-such-flag", "x"], 2, "unexpected argument"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_mcp-ssh"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let output = patient::output(output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{said}");
    }
}
