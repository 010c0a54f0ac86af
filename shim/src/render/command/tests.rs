//! Commands as a model and a program read them, one case a status.

use sshmcp_proto::v1::Prompt;

use super::*;

fn done() -> Command {
    Command {
        id: "c42".to_owned(),
        session: "web1".to_owned(),
        text: "make".to_owned(),
        status: CommandStatus::Completed.into(),
        exit_code: Some(0),
        stdout: b"hello world\n".to_vec(),
        stderr: Some(Vec::new()),
        total_bytes: 12,
        offset: 12,
        cwd: "/srv".to_owned(),
        duration_ms: 3,
        completion: Completion::Exact.into(),
        ..Command::default()
    }
}

/// The object is the contract's, null where nothing is known.
#[test]
fn the_object_is_the_contracts() {
    assert_eq!(
        Value::Object(object(&done(), true)),
        json!({"session": "web1", "command_id": "c42", "status": "completed", "exit_code": 0,
            "stdout": "hello world\n", "stderr": "", "omitted_bytes": 0, "total_bytes": 12, "offset": 12,
            "cwd": "/srv", "duration_ms": 3, "completion": "exact", "prompt": null, "notice": null})
    );
    let lost = Command {
        status: CommandStatus::Lost.into(),
        exit_code: None,
        stderr: None,
        completion: 0,
        ..done()
    };
    let lost = Value::Object(object(&lost, true));
    for name in ["exit_code", "stderr", "completion"] {
        assert_eq!(lost.get(name), Some(&Value::Null), "{name}");
    }
}

/// Raw bytes that are no text come as base64 and say so; cleaned ones never do.
#[test]
fn raw_bytes_are_base64() {
    let binary = Command {
        stdout: vec![0xff, 0x00],
        stderr: Some(b"ok".to_vec()),
        raw: true,
        ..done()
    };
    let shown = object(&binary, true);
    assert_eq!(shown.get("stdout"), Some(&json!("/wA=")));
    assert_eq!(shown.get("stdout_encoding"), Some(&json!("base64")));
    assert_eq!(shown.get("stderr"), Some(&json!("ok")));
    assert_eq!(shown.get("stderr_encoding"), None);
    assert!(text(&binary).starts_with("[not UTF-8, in base64]\n/wA=\n[stderr]\nok\n[exit 0"));
    let cleaned = Command { raw: false, ..binary };
    assert_eq!(object(&cleaned, true).get("stdout"), Some(&json!("\u{fffd}\0")));
}

/// Each status ends in one line, and says what to do where something is to be done.
#[test]
fn each_status_reads_well() {
    let running = Command {
        status: CommandStatus::Running.into(),
        exit_code: None,
        completion: 0,
        duration_ms: 30_000,
        ..done()
    };
    let asking = |text: &str, echo| Command {
        status: CommandStatus::AwaitingInput.into(),
        exit_code: None,
        prompt: Some(Prompt {
            text: text.to_owned(),
            echo,
            source: "terminal".to_owned(),
            keys: text.starts_with("--More--"),
        }),
        ..done()
    };
    for (command, expected) in [
        (done(), "hello world\n[exit 0 · web1 · c42 · /srv · 3 ms]"),
        (
            Command {
                stdout: Vec::new(),
                ..done()
            },
            "[exit 0 · web1 · c42 · /srv · 3 ms]",
        ),
        (
            Command {
                stdout: b"out".to_vec(),
                stderr: Some(b"err".to_vec()),
                exit_code: Some(2),
                ..done()
            },
            "out\n[stderr]\nerr\n[exit 2 · web1 · c42 · /srv · 3 ms]",
        ),
        (
            Command {
                status: CommandStatus::Interrupted.into(),
                exit_code: Some(130),
                cwd: String::new(),
                ..done()
            },
            "hello world\n[interrupted, exit 130 · web1 · c42 · 3 ms]",
        ),
        (
            Command {
                exit_code: None,
                completion: Completion::Idle.into(),
                ..done()
            },
            "hello world\n[exit code unknown, end guessed from silence · web1 · c42 · /srv · 3 ms]",
        ),
        (
            Command {
                notice: "the session was\nopened again".to_owned(),
                ..done()
            },
            "hello world\n[exit 0 · web1 · c42 · /srv · 3 ms]\n[notice: the session was opened again]",
        ),
        (
            running,
            "hello world\n[running · web1 · c42 · /srv · 30.0 s · 12 bytes so far]\nIt is still running: do not start it \
             again. Wait with wait_for(commands=[\"c42\"]), read on with get_command_output(command_id=\"c42\", \
             offset=12), stop it with interrupt_command(command_id=\"c42\").",
        ),
        (
            asking("Continue? [y/N] ", true),
            "hello world\n[awaiting input · web1 · c42 · /srv · 3 ms · 12 bytes so far]\nIt asks: \"Continue? [y/N] \". \
             Answer with send_input(command_id=\"c42\", text=\"…\"); do not start it again.",
        ),
        (
            asking("--More--(4%)", false),
            "hello world\n[awaiting input · web1 · c42 · /srv · 3 ms · 12 bytes so far]\nIt waits for a key, which it does \
             not show: \"--More--(4%)\". Press it with send_input(command_id=\"c42\", text=\"…\", enter=false) or `keys`; it \
             asks for no secret. Do not start it again.",
        ),
        (
            asking("Password:", false),
            "hello world\n[awaiting input · web1 · c42 · /srv · 3 ms · 12 bytes so far]\nIt asks for a secret: \
             \"Password:\". Do not type one yourself; ask the user to run `sshctl send --secret web1`, then \
             wait_for(commands=[\"c42\"]).",
        ),
        (
            Command {
                status: CommandStatus::Lost.into(),
                exit_code: None,
                stdout: Vec::new(),
                ..done()
            },
            "[lost, exit code unknown · web1 · c42 · /srv · 3 ms]\nIts shell or connection went away while it ran, so nobody knows how \
             it ended. It is not run again by itself: look at the host before you repeat it.",
        ),
        (
            Command {
                omitted_bytes: 5_000_000,
                total_bytes: 5_008_000,
                offset: 5_008_000,
                ..done()
            },
            "hello world\n[exit 0 · web1 · c42 · /srv · 3 ms]\n[5,000,000 of 5,008,000 bytes are left out; \
             get_command_output(command_id=\"c42\") reads them: offset=0 from the start, tail for the last lines, grep \
             for a pattern]",
        ),
        (
            Command {
                omitted_bytes: 500,
                dropped_bytes: 500,
                total_bytes: 1_512,
                ..done()
            },
            "hello world\n[exit 0 · web1 · c42 · /srv · 3 ms]\n[500 of 1,512 bytes are left out: they are gone for good]\n\
             [1,500 bytes follow: get_command_output(command_id=\"c42\", offset=12) reads on]",
        ),
    ] {
        assert_eq!(text(&command), expected);
    }
}

/// The contract has no word for a command that waits for its turn: it is said beside.
#[test]
fn one_that_waits_says_so() {
    let waits = Command {
        status: CommandStatus::Queued.into(),
        exit_code: None,
        notice: "opened again".to_owned(),
        ..done()
    };
    let object = object(&waits, true);
    assert_eq!(object.get("status"), Some(&json!("running")));
    assert_eq!(
        object.get("notice"),
        Some(&json!(format!("{WAITS}; opened again")))
    );
    assert!(text(&waits).contains("[queued, not started · web1"));
}

/// A listing shows no output, and keeps to its lines whatever was run.
#[test]
fn a_row_keeps_to_its_lines() {
    let command = Command {
        text: "for i in 1\ndo x\ndone".to_owned(),
        last_line: "50 %\rx".to_owned(),
        ..done()
    };
    assert_eq!(
        row(&command),
        "[exit 0 · web1 · c42 · /srv · 3 ms] for i in 1 do x done\n  last line: 50 % x"
    );
    assert_eq!(listed(&command).get("stdout"), Some(&Value::Null));
}
