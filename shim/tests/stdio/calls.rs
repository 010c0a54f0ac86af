//! Calls through the built server to a scripted daemon: results, progress, cancellation, and what a loss does.

use std::{sync::atomic::Ordering, sync::mpsc::Receiver, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::{Client, Daemon},
    fake::Fake,
};

/// Longer than any step here takes on a machine under load.
const PATIENCE: Duration = Duration::from_secs(20);

fn story() -> (TempDir, Fake, Receiver<String>, Client) {
    let home = tempfile::tempdir().expect("a home");
    let (fake, told) = Fake::serve(&home);
    let mut client = Client::start(&Daemon::At(fake.socket().to_owned()));
    client.initialize("2025-06-18");
    (home, fake, told, client)
}

fn run(command: &str) -> Value {
    json!({"name": "execute_command", "arguments": {"host": "web", "command": command}})
}

fn code(answer: &Value) -> &str {
    answer
        .pointer("/result/structuredContent/error/code")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A command's result comes in both forms, and the daemon knows who asked and for how long.
#[test]
fn a_result_comes_in_both_forms() {
    let (_home, _fake, _told, mut client) = story();
    let answer = client.ask(2, "tools/call", run("who"));
    assert_eq!(answer.pointer("/result/isError"), Some(&json!(false)), "{answer}");
    let structured = &answer["result"]["structuredContent"];
    assert_eq!(
        (&structured["status"], &structured["exit_code"]),
        (&json!("completed"), &json!(3))
    );
    assert_eq!(structured["stdout"], "mcp-ssh test");
    assert_eq!(
        answer["result"]["content"][0]["text"],
        "mcp-ssh test\n[exit 3 · web · c7 · 0 ms]"
    );
    let plain = client.ask(3, "tools/call", run("ask"));
    assert_eq!(plain["result"]["structuredContent"]["stdout"], "30000 0 0");
    let given = json!({"host": "web", "command": "ask", "timeout": "0.5", "output_limit": 100});
    let given = client.ask(
        4,
        "tools/call",
        json!({"name": "execute_command", "arguments": given}),
    );
    assert_eq!(given["result"]["structuredContent"]["stdout"], "500 0 100");
    assert!(client.close().0.success());
}

/// A client that gave a token hears of progress that grows; one that gave none hears nothing.
#[test]
fn progress_goes_to_who_asked_for_it() {
    let (_home, _fake, _told, mut client) = story();
    let mut call = run("slow");
    call["_meta"] = json!({"progressToken": "t"});
    client.send(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}));
    let (first, second, answer) = (client.next(), client.next(), client.next());
    for note in [&first, &second] {
        assert_eq!(note["method"], "notifications/progress");
        assert_eq!(note["params"]["progressToken"], "t");
        assert_eq!(note["params"]["message"], "3 s, 48,213 bytes, last line: 50 %");
    }
    assert!(second["params"]["progress"].as_f64() > first["params"]["progress"].as_f64());
    let text = answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default();
    assert!(
        text.contains("do not start it again") && text.contains("wait_for"),
        "{text}"
    );
    let quiet = client.ask(3, "tools/call", run("slow"));
    assert_eq!(quiet["result"]["structuredContent"]["status"], "running");
    assert!(client.close().0.success());
}

/// Cancelling a call ends the wait at the daemon too, and is not answered.
#[test]
fn cancelling_ends_the_wait() {
    let (_home, fake, told, mut client) = story();
    client.send(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": run("hang")}));
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("started"));
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}));
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("dropped"));
    let next = client.ask(3, "tools/call", run("who"));
    assert_eq!(next["result"]["structuredContent"]["status"], "completed");
    assert_eq!(fake.seen.executed.load(Ordering::SeqCst), 2);
    assert!(client.close().0.success());
}

/// A stream that breaks off behind `accepted` names the command, and it is not sent again.
#[test]
fn a_broken_stream_names_the_command() {
    let (_home, fake, _told, mut client) = story();
    let answer = client.ask(2, "tools/call", run("break"));
    let text = answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default();
    assert!(text.contains("get_command_output(command_id=\"c7\")"), "{text}");
    assert_eq!(fake.seen.executed.load(Ordering::SeqCst), 1);
    assert!(client.close().0.success());
}

/// A daemon that dies in the middle of a call: the call fails once and is not repeated, though a new daemon is there.
#[test]
fn a_call_of_unknown_fate_is_not_repeated() {
    let (home, fake, told, mut client) = story();
    client.send(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": run("hang")}));
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("started"));
    drop(fake);
    let (second, _told) = Fake::serve(&home);
    let answer = client.next();
    assert_eq!(code(&answer), "daemon_unavailable", "{answer}");
    let text = answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default();
    assert!(text.contains("do not start it again"), "{text}");
    assert_eq!(second.seen.executed.load(Ordering::SeqCst), 0);
    assert_eq!(
        client.ask(3, "tools/call", run("who"))["result"]["isError"],
        false
    );
    assert!(client.close().0.success());
}

/// A call that only looks is made again when the connection ends under it: the agent need not know.
#[test]
fn a_look_is_repeated() {
    let (_home, fake, _told, mut client) = story();
    let wait = json!({"name": "wait_for", "arguments": {"commands": ["c7"]}});
    let answer = client.ask(2, "tools/call", wait);
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    assert_eq!(fake.seen.waited.load(Ordering::SeqCst), 2);
    assert_eq!(fake.seen.greeted.load(Ordering::SeqCst), 2, "on a new connection");
    assert!(client.close().0.success());
}

/// With nobody on the socket the request never left: the daemon is started again, or that is what fails.
#[test]
fn a_lost_daemon_is_started_again() {
    let (home, fake, _told, mut client) = story();
    assert_eq!(
        client.ask(2, "tools/call", run("who"))["result"]["isError"],
        false
    );
    drop(fake);
    let answer = client.ask(3, "tools/call", run("who"));
    assert_eq!(code(&answer), "daemon_unavailable");
    let text = answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default();
    assert!(text.contains("could not be started"), "{text}");
    let (second, _told) = Fake::serve(&home);
    assert_eq!(
        client.ask(4, "tools/call", run("who"))["result"]["isError"],
        false
    );
    assert_eq!(second.seen.greeted.load(Ordering::SeqCst), 1);
    assert!(client.close().0.success());
}

/// A daemon of another version runs nothing for us: the agent reads which side is older and what a person does about it,
/// and once that is done the same server works.
#[test]
fn another_version_is_told_in_words() {
    for (protocol, older) in [(0, "the daemon is older"), (u32::MAX, "the client is older")] {
        let (_home, fake, _told, mut client) = story();
        *fake.seen.protocol.lock().expect("not poisoned") = Some(protocol);
        let refused = client.ask(2, "tools/call", run("who"));
        assert_eq!(code(&refused), "version_mismatch", "{refused}");
        let error = &refused["result"]["structuredContent"]["error"];
        let said = |key: &str| error[key].as_str().unwrap_or_default();
        assert!(said("message").starts_with(older), "{error}");
        assert!(said("hint").contains("sshctl daemon restart"), "{error}");
        assert_eq!(fake.seen.executed.load(Ordering::SeqCst), 0);
        *fake.seen.protocol.lock().expect("not poisoned") = None;
        let served = client.ask(3, "tools/call", run("who"));
        assert_eq!(
            served["result"]["structuredContent"]["stdout"], "mcp-ssh test",
            "{served}"
        );
        assert!(client.close().0.success());
    }
}
