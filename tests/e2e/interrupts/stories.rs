//! Interrupts that meet no running program, or come twice, too late, or while a program is stopped.

use std::fs;

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, TestBed, eventually};

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Dash];

fn begin(shim: &mut Shim, shell: Shell, text: &str) -> Outcome {
    shim.run(shell.host(), "true");
    let begun = json!({"session": shell.host(), "host": shell.host(), "command": text, "timeout": 0.3});
    let begun = shim.execute(begun).expect("it begins");
    assert_eq!(begun.status, "running", "{begun:?}");
    begun
}

fn interrupt(shim: &mut Shim, which: &Value) -> Value {
    shim.call("interrupt_command", which.clone())
        .unwrap_or_else(|error| panic!("{which}: {error:?}"))
}

fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or_default()
}

/// Where nothing runs, nothing is typed: not even what stands half-typed at the prompt is touched.
#[test]
fn nothing_runs() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in SHELLS {
        assert_eq!(shim.run(shell.host(), "false").exit_code, Some(1));
        for signal in ["INT", "QUIT", "TERM", "KILL"] {
            let answer = interrupt(&mut shim, &json!({"session": shell.host(), "signal": signal}));
            assert_eq!(
                (&answer["ended"], &answer["command_id"]),
                (&json!(false), &Value::Null)
            );
            assert!(
                message(&answer).starts_with("no command was running in session"),
                "{answer}"
            );
        }
        assert_eq!(shim.run(shell.host(), "echo $?").stdout, "1\n", "{shell:?}");
    }
    shim.close();
    bed.finish();
}

/// A Ctrl-C that its command ignores stands on the terminal, and in no shell in the output.
#[test]
fn the_key_is_no_output() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let go = bed.scratch(Shell::Fish).join("go");
    for shell in [Shell::Fish, Shell::Bash, Shell::Ksh] {
        let wait = format!("until test -e {}; do sleep 0.1; done", go.display());
        let text = format!("sh -c 'trap \"\" INT; {wait}; echo out; echo err >&2'");
        let running = begin(&mut shim, shell, &text);
        let answer = interrupt(&mut shim, &json!({"command_id": running.id}));
        assert_eq!(answer["ended"], json!(false), "{answer}");
        fs::write(&go, "").expect("a file");
        let ended = shim.wait_for(&running.id);
        assert_eq!(
            (&*ended.stdout, &*ended.stderr, ended.exit_code),
            ("out\n", "err\n", Some(0)),
            "{shell:?}: {ended:?}"
        );
        fs::remove_file(&go).expect("there");
    }
    shim.close();
    bed.finish();
}

/// By the id of a command that has ended: its status is told, and what runs now is left alone.
#[test]
fn a_command_that_has_ended() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in SHELLS {
        let ended = shim.run(shell.host(), "(exit 7)");
        let running = begin(&mut shim, shell, "sleep 100");
        let answer = interrupt(&mut shim, &json!({"command_id": ended.id, "signal": "KILL"}));
        assert_eq!(answer["status"], json!("completed"));
        assert_eq!(
            message(&answer),
            "the command had ended already (exit code 7); no signal was sent"
        );
        let look = json!({"command_id": running.id});
        let still = Outcome::read(shim.call("get_command_output", look).expect("its state"));
        assert_eq!(still.status, "running", "{shell:?}: {still:?}");
        interrupt(&mut shim, &json!({"session": shell.host()}));
    }
    shim.close();
    bed.finish();
}

/// A command that waits for its turn is taken out of the queue: it never runs, whoever waits for it is told, and it can
/// be asked for afterwards. The running one is left alone.
#[test]
fn a_queued_command() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let mut other = bed.shim();
    for shell in SHELLS {
        let running = begin(&mut shim, shell, "sleep 100");
        let file = bed.scratch(shell).join("ran");
        let text = format!("touch {}", file.display());
        let queued = other.begin_call(
            "execute_command",
            json!({"session": shell.host(), "command": text, "timeout": 40}),
        );
        let mut id = Value::Null;
        eventually("it is queued", || {
            let all = shim.call("get_active_commands", json!({})).expect("a list");
            let commands = all["queued"].as_array().cloned().unwrap_or_default();
            let found = commands.iter().find(|command| command["command"] == json!(text));
            id = found.map_or(Value::Null, |command| command["command_id"].clone());
            !id.is_null()
        });
        let answer = interrupt(&mut shim, &json!({"command_id": id}));
        assert_eq!(
            (&answer["ended"], &answer["status"]),
            (&json!(true), &json!("interrupted"))
        );
        assert!(
            message(&answer).ends_with("was taken back; nothing was run"),
            "{answer}"
        );
        let told = Outcome::read(other.finish_call(queued).expect("an answer"));
        assert_eq!((&*told.status, told.exit_code), ("interrupted", None), "{told:?}");
        assert!(told.notice.contains("nothing was run"), "{told:?}");
        let later = shim.call("get_command_output", json!({"command_id": id}));
        assert_eq!(later.expect("it is known")["status"], json!("interrupted"));
        let look = json!({"command_id": running.id});
        let still = Outcome::read(shim.call("get_command_output", look).expect("its state"));
        assert_eq!(still.status, "running", "{shell:?}: {still:?}");
        interrupt(&mut shim, &json!({"session": shell.host()}));
        assert_eq!(shim.run(shell.host(), "echo after").stdout, "after\n");
        assert!(!file.exists(), "{shell:?}: it ran");
    }
    shim.close();
    other.close();
    bed.finish();
}

/// Two at once end one command, and nothing else.
#[test]
fn twice_at_once() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in SHELLS {
        for signal in ["INT", "TERM", "KILL"] {
            let begun = begin(&mut shim, shell, "sleep 100");
            let ask = json!({"command_id": begun.id, "signal": signal});
            let calls = [0; 2].map(|_| shim.begin_call("interrupt_command", ask.clone()));
            for call in calls {
                let answer = shim.finish_call(call).expect("an answer");
                assert_eq!(
                    (&answer["ended"], &answer["status"]),
                    (&json!(true), &json!("interrupted"))
                );
            }
            let code = shim.wait_for(&begun.id).exit_code.expect("a code");
            let next = shim.run(shell.host(), "echo \"$?\"");
            assert_eq!(next.stdout, format!("{code}\n"), "{shell:?} {signal}");
        }
    }
    shim.close();
    bed.finish();
}

/// An interrupt that comes as the command ends by itself: the next command sees the status that was told, and is not
/// interrupted in its stead.
#[test]
fn an_end_by_itself_meanwhile() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in SHELLS {
        for round in 0..12_u32 {
            let text = format!("sleep 0.{:02}; (exit 5)", 10 + round);
            let call = json!({"host": shell.host(), "command": text, "timeout": 0});
            let begun = shim.execute(call).expect("it begins");
            let signal = ["INT", "TERM", "KILL"][round as usize % 3];
            interrupt(&mut shim, &json!({"command_id": begun.id, "signal": signal}));
            let next = shim.run(shell.host(), "echo \"$?\"; sleep 0.05; echo through");
            let ended = shim.wait_for(&begun.id);
            let code = ended
                .exit_code
                .unwrap_or_else(|| panic!("{shell:?} {signal}: no code: {ended:?} {next:?}"));
            assert_eq!(
                next.stdout,
                format!("{code}\nthrough\n"),
                "{shell:?} {signal}: {ended:?} {next:?}"
            );
            assert_eq!(next.status, "completed", "{shell:?}");
        }
    }
    shim.close();
    bed.finish();
}

/// What was typed by `send_input` is no command, and is interrupted all the same.
#[test]
fn what_was_typed() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in SHELLS {
        shim.run(shell.host(), "true");
        for signal in ["INT", "TERM", "KILL"] {
            let typed = json!({"session": shell.host(), "text": "sleep 100"});
            shim.call("send_input", typed).expect("typed");
            eventually("it runs", || {
                bed.processes().iter().any(|process| process.line == "sleep 100")
            });
            let answer = interrupt(&mut shim, &json!({"session": shell.host(), "signal": signal}));
            assert_eq!(answer["ended"], json!(true), "{shell:?} {signal}: {answer}");
            assert!(
                message(&answer).ends_with("what was typed there ended"),
                "{answer}"
            );
            assert_eq!(shim.run(shell.host(), "echo after").stdout, "after\n");
        }
    }
    shim.close();
    bed.finish();
}

/// Ctrl-Z: the command is over for the shell, with the status that shells give, and the job that is left is told. It can
/// be gone on with, and ended.
#[test]
fn a_stopped_program() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in SHELLS {
        for terminal in [false, true] {
            shim.run(shell.host(), "true");
            let call =
                json!({"host": shell.host(), "command": "sleep 100", "terminal": terminal, "timeout": 0.5});
            let begun = shim.execute(call).expect("it begins");
            let key = json!({"command_id": begun.id, "keys": ["ctrl-z"], "enter": false});
            shim.call("send_input", key).expect("typed");
            let ended = shim.wait_for(&begun.id);
            assert_eq!(
                (&*ended.status, ended.exit_code),
                ("completed", Some(148)),
                "{shell:?}: {ended:?}"
            );
            assert!(
                ended.notice.contains("it was stopped, not ended: sleep ("),
                "{shell:?}: {ended:?}"
            );
            let on = json!({"host": shell.host(), "command": "fg", "timeout": 0.5});
            let on = shim.execute(on).expect("it goes on");
            assert_eq!(on.status, "running", "{shell:?}: {on:?}");
            let answer = interrupt(&mut shim, &json!({"command_id": on.id}));
            assert_eq!(
                (&answer["status"], &answer["exit_code"]),
                (&json!("interrupted"), &json!(130)),
                "{shell:?}: {answer}"
            );
            let again = shim
                .execute(json!({"host": shell.host(), "command": "sleep 101", "timeout": 0.5}))
                .expect("it begins");
            let key = json!({"command_id": again.id, "keys": ["ctrl-z"], "enter": false});
            shim.call("send_input", key).expect("typed");
            shim.wait_for(&again.id);
            let killed = shim.run(shell.host(), "kill %1; echo $?");
            assert!(killed.stdout.ends_with("0\n"), "{shell:?}: {killed:?}");
            shim.run(shell.host(), "kill -CONT %1 2>/dev/null; wait; true");
            eventually("the job has ended", || {
                !bed.processes().iter().any(|process| process.line == "sleep 101")
            });
        }
    }
    shim.close();
    bed.finish();
}

/// A program that stops itself where the shell in between does not see it: TERM wakes it to its end.
#[test]
fn a_program_stopped_unseen() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in SHELLS {
        let text = "sh -c 'sleep 100 & kill -STOP $!; echo ready; wait'";
        let begun = begin(&mut shim, shell, text);
        let answer = interrupt(&mut shim, &json!({"command_id": begun.id, "signal": "TERM"}));
        assert_eq!(
            (&answer["ended"], &answer["exit_code"]),
            (&json!(true), &json!(143)),
            "{answer}"
        );
        eventually("nothing of it is left", || {
            !bed.processes().iter().any(|process| process.line == "sleep 100")
        });
        assert_eq!(shim.run(shell.host(), "echo after").stdout, "after\n");
    }
    shim.close();
    bed.finish();
}
