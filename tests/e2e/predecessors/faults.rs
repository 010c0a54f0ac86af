//! What was wrong in mcp-ssh-interactive and mcp-ssh-session, and must not come back: a test a line.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use sshmcp_tests::{
    Outcome, Shell, Shim, SshdOptions, Sudoer, TestBed, eventually, eventually_some,
    sshd::{free_port, keygen},
};

use super::{profile, put, told, yaml};
use crate::devices;

/// An sshd that takes passwords only.
pub(crate) fn password_only() -> SshdOptions {
    let lines = [
        "Match all",
        "PasswordAuthentication yes",
        "PubkeyAuthentication no",
    ];
    SshdOptions {
        lines: lines.map(str::to_owned).into(),
        ..SshdOptions::default()
    }
}

/// The id of a command that was told to go on.
fn id_of(text: &str) -> String {
    let id = text
        .split_once("ID: ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    id.unwrap_or_else(|| panic!("no id: {text}")).to_owned()
}

/// "ssh typed into a local shell: after a failed or ended connection, commands ran on the operator's own machine."
#[test]
fn commands_never_run_on_the_operators_own_machine() {
    let bed = TestBed::new();
    let gone = format!(
        "  gone:\n    host: 127.0.0.1\n    user: u\n    key_path: ~/.ssh/id_ed25519\n    port: {}\n",
        free_port()
    );
    put(
        &bed,
        ".mcp-ssh-interactive/config.yml",
        &(yaml(&bed, "web", "") + &gone),
    );
    // Where the operator alone may write.
    let mark = bed.home().join("ran-here");
    let mut shim = profile(&bed, "interactive");
    let open = |shim: &mut Shim, config: &str| {
        let arguments = json!({"connection_config_name": config, "session_name": config});
        told(shim, "open_connection", &arguments)
    };
    let touch = |shim: &mut Shim, session: &str| {
        let arguments = json!({"session_name": session, "command": format!("touch {}", mark.display())});
        let (is_error, text) = told(shim, "execute_command", &arguments);
        assert!(is_error, "{session}: {text}");
    };
    let is_over = |shim: &mut Shim| {
        eventually("the session has no shell", || {
            told(shim, "list_connections", &json!({}))
                .1
                .contains("\"status\": \"disconnected\"")
        });
    };
    let (is_error, text) = open(&mut shim, "gone");
    assert!(is_error && text.contains("\"code\": \"unreachable\""), "{text}");
    touch(&mut shim, "gone");

    let (is_error, text) = open(&mut shim, "web");
    assert!(!is_error && text.contains("local-tmux"), "{text}");
    let leave = json!({"session_name": "web", "command": "exit"});
    shim.call("execute_command", leave).expect("typed");
    is_over(&mut shim);
    touch(&mut shim, "web");

    let (is_error, text) = open(&mut shim, "web");
    assert!(!is_error, "it opens again: {text}");
    bed.sshd().cut_connections();
    is_over(&mut shim);
    touch(&mut shim, "web");
    assert!(!mark.exists(), "a command ran on the operator's own machine");
    // Who comes again clears away what the cut left there.
    let (is_error, text) = open(&mut shim, "web");
    assert!(!is_error, "it opens again: {text}");
    shim.call("close_connection", json!({"session_name": "web"}))
        .expect("closed");
    assert!(!mark.exists());
    shim.close();
    bed.finish();
}

/// "'Connected' reported while a host-key question, a password prompt or an error stood on the screen."
#[test]
fn connected_is_told_of_a_shell_alone() {
    let mut bed = TestBed::new();
    let passwords = bed.add_sshd(&password_only(), &[]);
    let user = bed.user(Shell::Bash).name.clone();
    let connection = |name: &str, port: u16, host: &str| {
        format!(
            "  {name}:\n    host: {host}\n    user: {user}\n    key_path: ~/.ssh/id_ed25519\n    port: {port}\n"
        )
    };
    let text = "connections:\n".to_owned()
        // Its key is not known by this name.
        + &connection("stranger", bed.sshd().port(), "localhost")
        + &connection("asks", bed.sshds()[passwords].port(), "127.0.0.1")
        + &connection("gone", free_port(), "127.0.0.1");
    put(&bed, ".mcp-ssh-interactive/config.yml", &text);
    let mut shim = profile(&bed, "interactive");
    let mut refusals = Vec::new();
    for (name, codes, words) in [
        ("stranger", &["host_key_unknown"][..], "sshctl trust"),
        ("asks", &["auth_failed", "auth_input_required"], "sshctl"),
        ("gone", &["unreachable"], ""),
    ] {
        let arguments = json!({"connection_config_name": name, "session_name": name});
        let (is_error, text) = told(&mut shim, "open_connection", &arguments);
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        assert!(is_error && answer["success"] == false, "{name}: {text}");
        assert!(
            codes.contains(&answer["code"].as_str().unwrap_or_default()),
            "{name}: {text}"
        );
        assert!(text.contains(words), "{name}: {text}");
        let (_, listed) = told(&mut shim, "list_connections", &json!({}));
        assert!(!listed.contains("\"active\""), "{name}: {listed}");
        refusals.push(text);
    }
    // The one thing that is asked of whoever comes from there.
    let fingerprint = refusals
        .iter()
        .find_map(|text| text.split_whitespace().find(|word| word.starts_with("SHA256:")))
        .expect("a fingerprint")
        .trim_end_matches(['"', ',', ';']);
    let trusted = bed.ctl(&["trust", "stranger", "--fingerprint", fingerprint]);
    assert!(trusted.status.success(), "{trusted:?}");
    let arguments = json!({"connection_config_name": "stranger", "session_name": "stranger"});
    let (is_error, text) = told(&mut shim, "open_connection", &arguments);
    assert!(!is_error && text.contains("local-tmux"), "{text}");
    shim.call("close_connection", json!({"session_name": "stranger"}))
        .expect("closed");
    shim.close();
    bed.finish();
}

/// What a person half typed is not run with a command: their line stays, and the agent is told.
#[test]
fn a_persons_half_typed_line_is_not_run_with_a_command() {
    let bed = TestBed::new();
    put(&bed, ".mcp-ssh-interactive/config.yml", &yaml(&bed, "web", ""));
    let mut shim = profile(&bed, "interactive");
    let open = json!({"connection_config_name": "web", "session_name": "web"});
    shim.call("open_connection", open).expect("it opens");
    let sent = bed.ctl(&["send", "web", "--text", "echo half", "--no-enter"]);
    assert!(sent.status.success(), "{sent:?}");
    let run = json!({"session_name": "web", "command": "-typed"});
    let (is_error, text) = told(&mut shim, "execute_command", &run);
    assert!(is_error && text.contains("human_has_control"), "{text}");
    // The person goes on, or clears it.
    let cleared = bed.ctl(&["send", "web", "--keys", "ctrl-c"]);
    assert!(cleared.status.success(), "{cleared:?}");
    eventually("the prompt is free", || {
        let run = json!({"session_name": "web", "command": "echo who''le"});
        !told(&mut shim, "execute_command", &run).0
    });
    eventually("it ran, and nothing else", || {
        let shown = told(&mut shim, "get_terminal_output", &json!({"session_name": "web"})).1;
        assert!(!shown.contains("half-typed"), "{shown}");
        shown.contains("\\nwhole")
    });
    shim.call("close_connection", json!({"session_name": "web"}))
        .expect("closed");
    shim.close();
    bed.finish();
}

/// "Ctrl-C sent to healthy commands that print in many pieces; a new command killing one that ran longer than 30 s."
#[test]
fn healthy_commands_are_left_alone() {
    let bed = TestBed::new();
    let mut shim = profile(&bed, "session");
    let pieces =
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do printf \"piece $i \"; sleep 0.2; done; echo; echo whole";
    let (_, text) = told(
        &mut shim,
        "execute_command",
        &json!({"host": "bash", "command": pieces}),
    );
    let all: String = (1..=12).map(|number| format!("piece {number} ")).collect();
    assert_eq!(text, format!("Exit Status: 0\n\nSTDOUT:\n{all}\nwhole\n"));

    let gate = bed.scratch(Shell::Bash).join("gate");
    // It runs beyond its timeout, and for more than 30 s where there is time for that.
    let seconds = if std::env::var_os("SSHMCP_LONG").is_some() {
        35
    } else {
        0
    };
    let long = format!(
        "echo begun; sleep {seconds}; until [ -e {} ]; do sleep 0.1; done; echo survived",
        gate.display()
    );
    let (_, text) = told(
        &mut shim,
        "execute_command",
        &json!({"host": "bash", "command": long, "timeout": 1}),
    );
    let id = id_of(&text);
    for round in 0..3 {
        let (_, text) = told(
            &mut shim,
            "execute_command",
            &json!({"host": "bash", "command": format!("echo new {round}")}),
        );
        assert!(text.contains(&format!("STDOUT:\nnew {round}\n")), "{text}");
        let (_, text) = told(&mut shim, "get_command_status", &json!({"command_id": id}));
        assert!(text.contains("Status: running"), "{text}");
    }
    let (_, text) = told(
        &mut shim,
        "execute_command",
        &json!({"host": "bash", "command": format!("sleep {seconds}; touch {}", gate.display()), "timeout": 50}),
    );
    assert!(text.starts_with("Exit Status: 0"), "{text}");
    let ended = shim.wait_for(&id);
    assert_eq!(
        (&*ended.status, ended.exit_code, &*ended.stdout),
        ("completed", Some(0), "begun\nsurvived\n"),
        "{ended:?}"
    );
    shim.call("close_all_sessions", json!({})).expect("closed");
    shim.close();
    bed.finish();
}

/// "Echo, prompt and marker text in results; a marker typed into `less`; exit code 0 after every sudo and enable command."
#[test]
fn results_are_what_commands_wrote_and_their_own_codes() {
    let bed = TestBed::new();
    let sudoer = Sudoer::new(Shell::Bash);
    sudoer.allow("@ ALL=(ALL:ALL) ALL");
    bed.authorize(bed.sshd(), &sudoer.user);
    bed.alias("sudo", &sudoer.user.name, bed.sshd().port());
    let mut shim = profile(&bed, "session");
    for (command, output) in [
        ("true", ""),
        ("printf 'no newline'", "STDOUT:\nno newline\n"),
        ("echo '$ echo __END__ $?'", "STDOUT:\n$ echo __END__ $?\n"),
        ("PS1='changed> '; echo one; echo two", "STDOUT:\none\ntwo\n"),
        ("pwd", "STDOUT:\n/usr\n"),
    ] {
        let (_, text) = told(
            &mut shim,
            "execute_command",
            &json!({"host": "bash", "command": format!("cd /usr\n{command}")}),
        );
        assert_eq!(text, format!("Exit Status: 0\n\n{output}"), "{command}");
    }
    // What a full-screen program has is not typed into.
    let file = bed.scratch(Shell::Bash).join("lines");
    let lines: String = (1..=500).map(|number| format!("line {number}\n")).collect();
    fs::write(&file, lines).expect("written");
    let keys = format!("less {}<enter>", file.display());
    shim.call("send_keys", json!({"host": "bash", "keys": keys}))
        .expect("typed");
    let look = json!({"host": "bash", "max_lines": 0});
    let before = eventually_some("less is shown", || {
        let screen = shim.call("read_screen", look.clone()).expect("a screen");
        let shown = screen["alternate_screen"] == true
            && screen["text"].as_str().unwrap_or_default().contains("line 20");
        shown.then_some(screen)
    });
    let refused = shim.call(
        "execute_command",
        json!({"host": "bash", "command": "echo marker", "timeout": 1}),
    );
    assert_eq!(refused.expect_err("less has it").code, "session_busy");
    let after = shim.call("read_screen", look).expect("a screen");
    assert_eq!(before["text"], after["text"], "less was not typed into");
    shim.call("send_keys", json!({"host": "bash", "keys": "q"}))
        .expect("typed");
    eventually("the shell is back", || {
        let run = json!({"host": "bash", "command": "echo back"});
        told(&mut shim, "execute_command", &run).1 == "Exit Status: 0\n\nSTDOUT:\nback\n"
    });

    for (command, status) in [
        ("sudo sh -c 'exit 3'", 3),
        ("sh -c 'exit 4'", 4),
        ("sudo true", 0),
    ] {
        let run =
            json!({"host": "sudo", "command": command, "sudo_password": sudoer.password, "timeout": 40});
        let (_, text) = told(&mut shim, "execute_command", &run);
        assert_eq!(text, format!("Exit Status: {status}\n\n"), "{command}");
    }
    shim.call("close_all_sessions", json!({})).expect("closed");
    shim.close();
    bed.finish();

    let stage = devices::Stage::new("kind = \"network\"");
    let mut shim = profile(&stage.bed, "session");
    let run = json!({"host": "router", "command": "show nonsense", "enable_password": devices::PASSWORD, "timeout": 40});
    let (_, text) = told(&mut shim, "execute_command", &run);
    assert!(
        text.starts_with("Exit Status: unknown\n") && text.contains("% Invalid input"),
        "a device gives no code: {text}"
    );
    shim.call("close_all_sessions", json!({})).expect("closed");
    shim.close();
    stage.finish();
}

/// "Unknown and changed host keys accepted; passwords in a world-readable log."
#[test]
fn host_keys_are_refused_and_passwords_are_nowhere() {
    let mut bed = TestBed::new();
    let sudoer = Sudoer::new(Shell::Bash);
    let number = bed.add_sshd(&password_only(), &[]);
    let port = bed.sshds()[number].port();
    let user = sudoer.user.name.clone();
    // A name that known_hosts does not have, and one that it has another key of.
    let other = bed.path("other");
    keygen(&other);
    let key = fs::read_to_string(other.with_extension("pub")).expect("a key");
    bed.append(".ssh/known_hosts", &format!("changed {key}"));
    for name in ["unknown", "changed"] {
        let lines =
            format!("Host {name}\n HostName 127.0.0.1\n Port {port}\n User {user}\n HostKeyAlias {name}\n");
        bed.append(".ssh/config", &lines);
    }
    bed.alias("known", &user, port);
    let known_hosts = bed.home().join(".ssh/known_hosts");
    let before = fs::read_to_string(&known_hosts).expect("known_hosts");
    for (name, tool) in [("interactive", "open_connection"), ("session", "execute_command")] {
        let mut shim = profile(&bed, name);
        for host in ["unknown", "changed"] {
            let arguments = match name {
                "session" => json!({"host": host, "command": "true", "password": sudoer.password}),
                _ => json!({"connection_config_name": host, "session_name": host}),
            };
            let fault = shim.call(tool, arguments).expect_err("nobody accepted its key");
            assert_eq!(fault.code, format!("host_key_{host}"), "{name}: {fault:?}");
            assert!(fault.message.contains("SHA256:"), "{name}: {fault:?}");
        }
        shim.close();
    }
    assert_eq!(fs::read_to_string(&known_hosts).expect("known_hosts"), before);

    let mut shim = profile(&bed, "session");
    let run = json!({"host": "known", "command": "echo in", "password": sudoer.password});
    let (_, text) = told(&mut shim, "execute_command", &run);
    assert_eq!(text, "Exit Status: 0\n\nSTDOUT:\nin\n");
    shim.call("close_all_sessions", json!({})).expect("closed");
    shim.close();
    bed.stop_daemon();
    let files = below(&bed.home().join(".local"));
    assert!(
        files.iter().any(|file| file.ends_with("logs/known.log")),
        "{files:?}"
    );
    for file in files {
        let bytes = fs::read(&file).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&bytes).contains(&sudoer.password),
            "the password is in {}",
            file.display()
        );
        let open_to = |path: &Path| {
            path.metadata()
                .map_or(0, |facts| facts.permissions().mode() & 0o077)
        };
        let is_private = open_to(&file) == 0 && file.parent().is_some_and(|parent| open_to(parent) == 0);
        assert!(is_private, "{} can be read by others", file.display());
    }
    bed.finish();
}

/// "A printed 'Continue?' taken for a prompt; a real `Password:` missed, and the answer then sent to the shell."
#[test]
fn questions_are_seen_where_they_are_and_answers_go_nowhere_else() {
    let bed = TestBed::new();
    let mut shim = profile(&bed, "session");
    let gate = bed.scratch(Shell::Bash).join("gate");
    let printed = format!(
        "printf 'Continue? [y/N] '; until [ -e {} ]; do sleep 0.1; done; echo; echo over",
        gate.display()
    );
    let (_, text) = told(
        &mut shim,
        "execute_command",
        &json!({"host": "bash", "command": printed, "timeout": 3}),
    );
    assert!(
        text.contains("still running in background") && text.contains("Continue? [y/N]"),
        "{text}"
    );
    let printing = id_of(&text);
    fs::write(&gate, "").expect("the gate opens");
    let ended = shim.wait_for(&printing);
    assert_eq!(ended.stdout, "Continue? [y/N] \nover\n", "{ended:?}");

    // The answer comes when nobody asks any more.
    let secret = "answer-S3CRET";
    let late = json!({"command_id": printing, "input_text": format!("{secret}\\n")});
    let fault = shim.call("send_input", late).expect_err("it has ended");
    assert_eq!(fault.code, "conflict", "{fault:?}");

    let asks = "read -r -s -p 'Password: ' x; echo; echo \"got ${#x}\"";
    let (_, text) = told(
        &mut shim,
        "execute_command",
        &json!({"host": "bash", "command": asks, "timeout": 40}),
    );
    assert!(
        text.contains("waiting for user input (Password:)") && text.contains("sshctl send --secret"),
        "{text}"
    );
    let asking = id_of(&text);
    let state = shim.call("get_command_status", json!({"command_id": asking}));
    let state = Outcome::read(state.expect("its state"));
    assert_eq!(state.object["prompt"]["echo"], false, "{state:?}");
    let answer = json!({"command_id": asking, "input_text": format!("{secret}\\n")});
    shim.call("send_input", answer).expect("it asks");
    let ended = shim.wait_for(&asking);
    assert!(
        ended.stdout.ends_with(&format!("got {}\n", secret.len())),
        "{ended:?}"
    );
    // The shell was sent none of it.
    let (_, text) = told(
        &mut shim,
        "read_screen",
        &json!({"host": "bash", "max_lines": 200}),
    );
    assert!(
        !text.contains(secret) && !text.contains("command not found"),
        "{text}"
    );
    shim.call("close_all_sessions", json!({})).expect("closed");
    shim.close();
    bed.finish();
}

/// "`grep nohup file` and `cmd &` refused; 0.5 to 5 s a command."
#[test]
fn nothing_is_refused_by_its_text_and_nothing_waits_for_silence() {
    let bed = TestBed::new();
    let mut shim = profile(&bed, "session");
    let file = bed.scratch(Shell::Bash).join("file");
    fs::write(&file, "one\nnohup two\n").expect("written");
    for (command, output) in [
        (format!("grep nohup {}", file.display()), "nohup two\n"),
        ("sleep 300 & kill $!; echo started".to_owned(), "started\n"),
        (
            "nohup true; echo tail -f, vim, top".to_owned(),
            "tail -f, vim, top\n",
        ),
    ] {
        let (_, text) = told(
            &mut shim,
            "execute_command",
            &json!({"host": "bash", "command": command}),
        );
        assert!(
            text.starts_with("Exit Status: 0\n") && text.contains(&format!("STDOUT:\n{output}")),
            "{command}: {text}"
        );
    }
    // The best of some is what the way itself takes, whatever else the machine does.
    let fastest = (0..8)
        .map(|_| {
            let began = std::time::Instant::now();
            told(
                &mut shim,
                "execute_command",
                &json!({"host": "bash", "command": "true"}),
            );
            began.elapsed()
        })
        .min()
        .expect("some");
    assert!(fastest.as_millis() < 500, "{fastest:?}");
    shim.call("close_all_sessions", json!({})).expect("closed");
    shim.close();
    bed.finish();
}

/// All files below a directory.
fn below(directory: &Path) -> Vec<PathBuf> {
    let (mut open, mut files) = (vec![directory.to_owned()], Vec::new());
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}
