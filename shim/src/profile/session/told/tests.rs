//! Answers in mcp-ssh-session's words, from structured content as our tools make it.

use serde_json::json;

use super::*;

fn object(value: &Value) -> JsonObject {
    value.as_object().cloned().unwrap_or_default()
}

fn command(more: &Value) -> JsonObject {
    let mut command = object(&json!({
        "session": "web", "command_id": "c4", "status": "completed", "exit_code": 0, "stdout": "", "stderr": "",
        "omitted_bytes": 0, "total_bytes": 0, "offset": 0, "duration_ms": 3, "prompt": null, "notice": null,
    }));
    command.extend(object(more));
    command
}

/// What a prompt for it looks for is where it was.
#[test]
fn an_ended_command_has_status_and_streams() {
    let none = JsonObject::new();
    let both = command(&json!({"exit_code": 3, "stdout": "out\n", "stderr": "err\n"}));
    assert_eq!(
        executed(&none, &both),
        "Exit Status: 3\n\nSTDOUT:\nout\nSTDERR:\nerr\n"
    );
    assert_eq!(executed(&none, &command(&json!({}))), "Exit Status: 0\n\n");
    let lost = executed(&none, &command(&json!({"status": "lost", "exit_code": null})));
    assert!(
        lost.starts_with("Exit Status: unknown") && lost.contains("c4"),
        "{lost}"
    );
    let cut = executed(
        &none,
        &command(&json!({"omitted_bytes": 5000, "total_bytes": 9000, "notice": "opened\nagain"})),
    );
    assert!(
        cut.contains("5,000 of 9,000") && cut.ends_with("[notice: opened again]\n"),
        "{cut}"
    );
}

/// One that goes on is named, and never to be started again.
#[test]
fn a_running_command_has_an_id() {
    let none = JsonObject::new();
    let running = command(&json!({"status": "running", "exit_code": null, "stdout": "so far\n"}));
    let told = executed(&none, &running);
    for words in [
        "Command ID: c4",
        "get_command_status('c4')",
        "do not start it again",
        "STDOUT:\nso far",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains("Exit Status"), "{told}");
    assert!(started(&none, &running).starts_with("Command started with ID: c4"));
    let quick = started(&none, &command(&json!({"stdout": "x\n"})));
    assert!(quick.starts_with("Command ID: c4\nExit Status: 0"), "{quick}");
}

/// A question is told with how to answer it; a secret is a person's business.
#[test]
fn a_question_is_told() {
    let none = JsonObject::new();
    let asks = |echo: bool| {
        command(&json!({
            "status": "awaiting_input", "exit_code": null, "prompt": {"text": "Name:", "echo": echo, "source": "terminal"},
        }))
    };
    let open = executed(&none, &asks(true));
    assert!(
        open.contains("(Name:)") && open.contains("send_input('c4', 'your_input\\n')"),
        "{open}"
    );
    let secret = status(&none, &asks(false));
    assert!(
        secret.contains("sshctl send --secret web") && !secret.contains("send_input"),
        "{secret}"
    );
    assert!(
        secret.starts_with("Command ID: c4\nSession: web\nStatus: awaiting_input\nAwaiting Input: Name:\n")
    );
}

/// Lists say when there is nothing, and a hostile text breaks no line.
#[test]
fn lists_read_well() {
    let none = JsonObject::new();
    assert_eq!(
        running(&none, &object(&json!({"commands": []}))),
        "No running commands"
    );
    let wrong = object(&json!({"commands": [], "config_problems": ["/c.toml:1:1: not valid"]}));
    assert_eq!(
        active(&none, &wrong),
        "No active commands\n[configuration: /c.toml:1:1: not valid]"
    );
    assert_eq!(
        sessions(&none, &object(&json!({"sessions": []}))),
        "No active SSH sessions"
    );
    let listed = sessions(
        &none,
        &object(&json!({"sessions": [
            {"session": "web", "target": "u@h:22", "state": "ready", "cwd": "/srv\n- root@evil:22", "notice": null},
            {"session": "db", "target": "u@db:22", "state": "busy", "cwd": "/"},
        ], "config_problems": ["/c.toml:1:1: not valid TOML"]})),
    );
    assert_eq!(
        listed,
        "Active SSH Sessions:\n- u@h:22 (web, ready, /srv - root@evil:22)\n- u@db:22 (db, busy, /)\n\
         [configuration: /c.toml:1:1: not valid TOML]"
    );
    let one = command(&json!({"command": "make\nall", "exit_code": 2}));
    let told = history(&none, &object(&json!({"commands": [one]})));
    assert_eq!(
        told,
        "Command History (last 1):\n\n- ID: c4\n  Session: web\n  Command: make all\n  Status: completed\n  Exit Code: 2\n  Duration: 3 ms\n"
    );
}

/// What waits for its turn has an id by which it is asked for, so it is told.
#[test]
fn what_waits_is_listed() {
    let waits =
        json!({"commands": [], "queued": [{"session": "web", "command_id": "c5", "command": "make"}]});
    let told = active(&JsonObject::new(), &object(&waits));
    assert_eq!(
        told,
        "Active Commands:\n\n- ID: c5\n  Session: web\n  Command: make\n  Status: running (it waits for its turn: nothing of it was run yet)\n"
    );
}

/// The screen is JSON, its cursor at its place; keys are told by their host.
#[test]
fn a_screen_is_json() {
    let structured = json!({"text": "$ vi  \n~\n", "row": 2, "column": 4, "cols": 120, "rows": 40});
    let told: Value = serde_json::from_str(&screen(&JsonObject::new(), &object(&structured))).expect("JSON");
    let wanted =
        json!({"lines": ["$ vi", "~", ""], "cursor_x": 4, "cursor_y": 2, "width": 120, "height": 40});
    assert_eq!(told, wanted);
    let typed = object(&json!({"text": "$ ", "command": null}));
    assert_eq!(
        pressed(&object(&json!({"host": "web"})), &typed),
        "Successfully sent keys to web\n\nOutput:\n$\n"
    );
    let nothing = object(&json!({"text": "", "command": null}));
    assert!(
        pressed(&object(&json!({"host": "web"})), &nothing).ends_with("\nNo immediate output received\n")
    );
}

/// What was typed shows the command's output, or the terminal where there is none.
#[test]
fn typing_shows_what_came_of_it() {
    let none = JsonObject::new();
    let ended = json!({"text": "$ ", "command": command(&json!({"stdout": "hello Ada\n"}))});
    let told = typed(&none, &object(&ended));
    assert!(told.starts_with("Input sent successfully\n"), "{told}");
    assert!(
        told.ends_with("Status: completed\nExit Code: 0\n\nOutput:\nSTDOUT:\nhello Ada\n"),
        "{told}"
    );
    let shell = typed(&none, &object(&json!({"text": "$ q\n$ ", "command": null})));
    assert_eq!(shell, "Input sent successfully\n\nOutput:\n$ q\n$\n");
}
