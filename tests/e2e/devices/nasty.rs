//! The router of our own, end to end.

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shim, eventually_some};

use super::{PASSWORD, Stage};

/// A command that ends by itself, and what it printed.
fn ran(shim: &mut Shim, command: &str) -> Outcome {
    let outcome = shim.run("router", command);
    assert_eq!(outcome.status, "completed", "{command}: {outcome:?}");
    assert_eq!(outcome.exit_code, None, "{command}: {outcome:?}");
    assert_eq!(
        outcome.object["completion"],
        json!("prompt"),
        "{command}: {outcome:?}"
    );
    assert_eq!(outcome.object["stderr"], Value::Null, "{command}: {outcome:?}");
    outcome
}

/// Output is what the command printed and no more, whatever it looks like.
#[test]
fn output_is_exact() {
    let mut stage = Stage::new("kind = \"network\"");
    let shim = &mut stage.shim;
    let lines: String = (1..=35)
        .map(|number| format!("  line {number} of 35\n"))
        .collect();
    let log = "*Mar  1 00:01:02.345: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up";
    for (command, output) in [
        ("show lines", lines.as_str()),
        ("show nothing", ""),
        ("show echo", "show echo\n  show echo  \n"),
        (
            "show prompts",
            "R1#\nR1# show clock\nR1# is how a prompt looks\nR1>\nthe end\n",
        ),
        ("show late", "soon\ndone\n"),
        ("show log", &format!("one\n{log}\ntwo\n")),
        ("show logged", "before\n"),
        ("show stubborn", "page 0\npage 1\npage 2\n"),
        // The pager is answered where it cannot be turned off.
        ("terminal page", ""),
        ("show lines", lines.as_str()),
        (
            "show nothing\nshow echo\nshow nothing",
            "show echo\n  show echo  \n",
        ),
    ] {
        let outcome = ran(shim, command);
        assert_eq!(
            (outcome.stdout.as_str(), outcome.notice.as_str()),
            (output, ""),
            "{command}: {outcome:?}"
        );
    }
    // Help comes without Enter, and nothing of it stays on the line.
    let help = "  lines    Many of them\n  nothing  None\n\n";
    assert_eq!(ran(shim, "show ?").stdout, help);
    assert_eq!(ran(shim, "show nothing").stdout, "");
    let outcome = ran(shim, "show nonsense");
    assert!(
        outcome
            .stdout
            .ends_with("^\n% Invalid input detected at '^' marker.\n\n"),
        "{outcome:?}"
    );
    assert!(
        outcome
            .notice
            .contains("the device reports an error: % Invalid input"),
        "{outcome:?}"
    );
    for (command, code) in [("show nonsense", 91), ("show nothing", 0)] {
        let output = stage.bed.ctl(&["exec", "router", "--", command]);
        assert_eq!(output.status.code(), Some(code), "{command}: {output:?}");
    }
    let outcome = ran(shim, "show\nshow nothing");
    assert!(
        outcome.notice.contains("\"show\": % Incomplete command."),
        "{outcome:?}"
    );
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    assert_eq!(
        listed["sessions"][0]["shell"],
        json!("network (like Cisco IOS)"),
        "{listed}"
    );
    for (what, arguments, code) in [
        (
            "durable",
            json!({"host": "router", "command": "show echo", "durable": true}),
            "not_supported",
        ),
        (
            "stdin",
            json!({"host": "router", "command": "show echo", "stdin": "x"}),
            "not_supported",
        ),
        (
            "keys",
            json!({"host": "router", "command": "show \u{3}"}),
            "invalid_argument",
        ),
        (
            "KILL",
            json!({"session": "router", "signal": "KILL"}),
            "not_supported",
        ),
    ] {
        let tool = if what == "KILL" {
            "interrupt_command"
        } else {
            "execute_command"
        };
        let error = shim.call(tool, arguments).expect_err(what);
        assert_eq!(error.code, code, "{what}: {error:?}");
    }
    stage.finish();
}

/// The privileged mode is entered once, with a password that is asked for once; modes and names are followed.
#[test]
fn modes_are_entered_and_followed() {
    let source = format!("kind = \"network\"\nenable_password = {{ command = \"echo {PASSWORD}\" }}");
    let mut stage = Stage::new(&source);
    let shim = &mut stage.shim;
    for (command, output) in [
        (
            "configure terminal",
            "Enter configuration commands, one per line.  End with CNTL/Z.\n",
        ),
        ("interface GigabitEthernet0/1", ""),
        ("description up\nshutdown", ""),
        ("exit", ""),
        ("hostname a-router-with-another-name", ""),
        ("interface GigabitEthernet0/2", ""),
        ("show echo", "show echo\n  show echo  \n"),
    ] {
        let outcome = ran(shim, command);
        assert_eq!(
            (outcome.stdout.as_str(), outcome.notice.as_str()),
            (output, ""),
            "{command}: {outcome:?}"
        );
    }
    ran(shim, "end");
    let outcome = ran(shim, "show echo");
    assert_eq!(outcome.stdout, "show echo\n  show echo  \n");
    // Whoever leaves the mode means that.
    ran(shim, "disable");
    let outcome = ran(shim, "configure terminal");
    assert!(outcome.notice.contains("% Invalid input"), "{outcome:?}");
    // Unless the call asks for it.
    let outcome = shim
        .execute(json!({"host": "router", "command": "configure terminal", "enable_password": PASSWORD}))
        .expect("it runs");
    assert_eq!(outcome.notice, "", "{outcome:?}");
    assert_eq!(stage.asked(), 2);
    stage.finish();
}

/// A wrong password is told after one try, and nothing was run.
#[test]
fn a_wrong_password_is_told() {
    let mut stage = Stage::new("kind = \"network\"");
    let error = stage
        .shim
        .call(
            "execute_command",
            json!({"host": "router", "command": "configure terminal", "enable_password": "wrong"}),
        )
        .expect_err("a wrong password");
    assert_eq!(error.code, "auth_failed", "{error:?}");
    assert!(
        error.message.contains("nothing was run") && !error.message.contains("wrong;"),
        "{error:?}"
    );
    let error = stage
        .shim
        .call(
            "execute_command",
            json!({"host": "router", "command": "show echo", "enable_command": "enable"}),
        )
        .expect_err("no password");
    assert_eq!(error.code, "auth_input_required", "{error:?}");
    let error = stage
        .shim
        .call("execute_command", json!({"host": "router", "command": "show echo", "enable_command": "elevate", "enable_password": PASSWORD}))
        .expect_err("no such command");
    assert_eq!(error.code, "not_supported", "{error:?}");
    assert!(error.message.contains("% Invalid input"), "{error:?}");
    assert_eq!(ran(&mut stage.shim, "show nothing").notice, "");
    let outcome = stage
        .shim
        .execute(json!({"host": "router", "command": "configure terminal", "enable_password": PASSWORD}))
        .expect("it runs");
    assert_eq!(outcome.notice, "", "{outcome:?}");
    stage.finish();
}

/// Questions are told, and answered by send_input; what runs on is interrupted by the device's own key.
#[test]
fn questions_and_interrupts() {
    let mut stage = Stage::new("kind = \"network\"");
    let shim = &mut stage.shim;
    let outcome = shim.run("router", "reload");
    assert_eq!(outcome.status, "awaiting_input", "{outcome:?}");
    assert_eq!(
        outcome.object["prompt"]["text"],
        json!("Proceed with reload? [confirm]"),
        "{outcome:?}"
    );
    assert_eq!(outcome.object["prompt"]["source"], json!("text"), "{outcome:?}");
    let error = shim
        .call(
            "execute_command",
            json!({"host": "router", "command": "show nothing"}),
        )
        .expect_err("it asks");
    assert_eq!(error.code, "session_busy", "{error:?}");
    let answered = shim
        .call("send_input", json!({"command_id": outcome.id, "text": ""}))
        .expect("an answer");
    assert_eq!(answered["why"], json!("ended"), "{answered}");
    let outcome = shim.wait_for(&outcome.id);
    assert_eq!(outcome.status, "completed", "{outcome:?}");
    assert!(
        outcome.stdout.contains("Reload was not meant seriously\n"),
        "{outcome:?}"
    );

    let outcome = shim.run("router", "copy run start");
    assert_eq!(
        outcome.object["prompt"]["text"],
        json!("Destination filename [startup-config]?"),
        "{outcome:?}"
    );
    shim.call("send_input", json!({"session": "router", "text": "backup"}))
        .expect("an answer");
    let outcome = shim.wait_for(&outcome.id);
    assert_eq!(outcome.status, "completed", "{outcome:?}");
    assert_eq!(
        shim.whole_output(&outcome.id).0,
        "Destination filename [startup-config]? backup\nBuilding configuration...\n[OK]\nto backup\n"
    );

    let outcome = shim
        .execute(json!({"host": "router", "command": "ping 10.0.0.1", "timeout": 1}))
        .expect("it runs");
    assert_eq!(outcome.status, "running", "{outcome:?}");
    let answer = shim
        .call("interrupt_command", json!({"command_id": outcome.id}))
        .expect("an interrupt");
    assert_eq!(answer["ended"], json!(true), "{answer}");
    assert_eq!(answer["status"], json!("interrupted"), "{answer}");
    assert_eq!(ran(shim, "show nothing").stdout, "");

    // What is typed at the prompt by hand goes on to the next prompt, and a half line is in nobody's way unseen.
    let typed = shim
        .call("send_input", json!({"session": "router", "text": "show echo"}))
        .expect("typed");
    assert_eq!(typed["why"], json!("prompt"), "{typed}");
    shim.call(
        "send_input",
        json!({"session": "router", "text": "show no", "enter": false, "timeout": 1}),
    )
    .expect("typed");
    let error = shim
        .call(
            "execute_command",
            json!({"session": "router", "command": "show nothing", "timeout": 2}),
        )
        .expect_err("a half line");
    assert_eq!(error.code, "human_has_control", "{error:?}");
    shim.call(
        "send_input",
        json!({"session": "router", "keys": ["ctrl-c"], "enter": false}),
    )
    .expect("typed");
    assert_eq!(ran(shim, "show nothing").stdout, "");
    stage.finish();
}

/// A session that the device ends, a connection that is lost: told, and never run again.
#[test]
fn ends_and_losses() {
    let mut stage = Stage::new("kind = \"network\"");
    let outcome = stage.shim.run("router", "exit");
    assert_eq!(outcome.status, "completed", "{outcome:?}");
    assert!(
        outcome.notice.contains("the device ended the session"),
        "{outcome:?}"
    );
    let outcome = ran(&mut stage.shim, "show echo");
    assert!(outcome.notice.contains("opened again"), "{outcome:?}");
    let outcome = stage
        .shim
        .execute(json!({"host": "router", "command": "ping 10.0.0.1", "timeout": 1}))
        .expect("it runs");
    stage.bed.sshds()[stage.number].cut_connections();
    let shim = &mut stage.shim;
    let lost = eventually_some("the loss is told", || {
        let now = shim.wait_for(&outcome.id);
        (now.status != "running").then_some(now)
    });
    assert_eq!((lost.status.as_str(), lost.exit_code), ("lost", None), "{lost:?}");
    let outcome = ran(shim, "show nothing");
    assert!(outcome.notice.contains("opened again"), "{outcome:?}");
    stage.finish();
}

/// With nothing configured, a device is known by its first screen, or by what its server calls itself. A device gives one
/// channel a connection, and every session has its own.
#[test]
fn a_device_is_found() {
    for (addendum, shell) in [
        ("", "network (like Cisco IOS)"),
        ("VersionAddendum Cisco-1.25", "Cisco IOS"),
    ] {
        let mut stage = Stage::with("", addendum);
        for (host, session) in [("bare", "one"), ("router", "two")] {
            let outcome = stage
                .shim
                .execute(json!({"host": host, "session": session, "command": "show echo"}))
                .expect("it runs");
            assert_eq!(outcome.stdout, "show echo\n  show echo  \n", "{outcome:?}");
            assert_eq!(outcome.object["completion"], json!("prompt"), "{outcome:?}");
        }
        // Its files are not tried for: what the session found is known.
        let files = json!({"host": "bare", "path": "/etc/passwd"});
        let refused = stage.shim.call("read_file", files).expect_err("it has none");
        assert_eq!(refused.code, "not_supported", "{refused:?}");
        assert!(refused.message.starts_with("a network device"), "{refused:?}");
        if !addendum.is_empty() {
            stays_a_device(&mut stage.shim);
        }
        let listed = stage.shim.call("list_sessions", json!({})).expect("a list");
        for session in 0..2 {
            assert_eq!(listed["sessions"][session]["shell"], json!(shell), "{listed}");
        }
        let output = stage.bed.ctl(&["exec", "router", "--", "show echo"]);
        assert_eq!(output.stdout, b"show echo\n  show echo  \n", "{output:?}");
        assert!(output.status.success(), "{output:?}");
        stage.finish();
    }
}

/// What goes on after its interrupt is a device's, whatever its dialect is called.
fn stays_a_device(shim: &mut Shim) {
    let deaf = json!({"session": "one", "command": "deaf", "timeout": 0.5});
    let deaf = shim.execute(deaf).expect("it runs");
    assert_eq!(deaf.status, "running", "{deaf:?}");
    let interrupt = json!({"command_id": deaf.id});
    let told = shim.call("interrupt_command", interrupt).expect("an answer");
    assert_eq!(told["ended"], json!(false), "{told}");
    let message = told["message"].as_str().unwrap_or_default();
    assert!(message.contains("type what it takes with send_input"), "{told}");
    let typed = json!({"session": "one", "text": ""});
    shim.call("send_input", typed).expect("typed");
    assert_eq!(shim.wait_for(&deaf.id).status, "interrupted");
}
