//! Shells within the session's shell: the command that began one waits for input, no other is run beside it, and its end
//! is the command's.

use serde_json::json;
use sshmcp_tests::{Outcome, Shell, Shim, TestBed};

fn begin(shim: &mut Shim, command: &str, terminal: bool) -> Outcome {
    let arguments = json!({"host": "bash", "command": command, "terminal": terminal, "timeout": 30});
    let begun = shim.execute(arguments).expect("it begins");
    assert_eq!(begun.status, "awaiting_input", "{begun:?}");
    begun
}

fn is_busy(shim: &mut Shim, holder: &str) {
    for arguments in [
        json!({"host": "bash", "command": "true"}),
        json!({"session": "bash", "command": "true"}),
    ] {
        let busy = shim.execute(arguments).expect_err("it is held");
        assert_eq!(busy.code, "session_busy", "{busy:?}");
        assert!(
            busy.message.contains(holder) && busy.hint.contains("send_input"),
            "{busy:?}"
        );
    }
}

fn type_line(shim: &mut Shim, id: &str, line: &str) {
    shim.call("send_input", json!({"command_id": id, "text": line}))
        .expect("it is typed");
}

/// An inner shell is worked in by typing, and left by its `exit`.
#[test]
fn an_inner_shell_holds_the_session() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "cd /usr; x=outer");
    for (command, terminal) in [
        ("bash", false),
        ("bash --norc", true),
        ("zsh -f", true),
        ("dash", true),
        ("python3 -q", true),
    ] {
        let begun = begin(&mut shim, command, terminal);
        is_busy(&mut shim, &begun.id);
        let leave = if command.starts_with("python") {
            "exit(5)"
        } else {
            "exit 5"
        };
        type_line(&mut shim, &begun.id, leave);
        let ended = shim.wait_for(&begun.id);
        assert_eq!(
            (&*ended.status, ended.exit_code),
            ("completed", Some(5)),
            "{command}: {ended:?}"
        );
        let next = shim.run("bash", "echo $x $PWD");
        assert_eq!(
            (&*next.stdout, &*next.session),
            ("outer /usr\n", "bash"),
            "{command}: {next:?}"
        );
        assert_eq!(next.notice, "", "{command}");
    }
    shim.close();
    bed.finish();
}

/// `exec` puts another program in the shell's place: that is told, and its end is the shell's.
#[test]
fn a_replaced_shell_is_told() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for (command, terminal) in [("exec zsh -f", true), ("exec bash --norc", true)] {
        let begun = begin(&mut shim, command, terminal);
        assert!(begun.notice.contains("replaced"), "{command}: {begun:?}");
        is_busy(&mut shim, &begun.id);
        // Ctrl-C at its prompt does not make it ours again.
        shim.call(
            "send_input",
            json!({"command_id": begun.id, "keys": ["ctrl-c"], "enter": false}),
        )
        .expect("it is typed");
        type_line(&mut shim, &begun.id, "exit 4");
        let ended = shim.wait_for(&begun.id);
        assert_eq!(
            (&*ended.status, ended.exit_code),
            ("completed", Some(4)),
            "{command}: {ended:?}"
        );
        let next = shim.run("bash", "echo again");
        assert_eq!(next.stdout, "again\n", "{command}");
        assert!(next.notice.contains("opened again"), "{command}: {next:?}");
    }
    let ended = shim.run("bash", "exec sh -c 'exit 7'");
    assert_eq!(
        (&*ended.status, ended.exit_code),
        ("completed", Some(7)),
        "{ended:?}"
    );
    assert_eq!(shim.run("bash", "echo again").stdout, "again\n");
    shim.close();
    bed.finish();
}

/// Who was told `running` finds out that it asks by asking, without a wait; and an answer that came in time is seen.
#[test]
fn what_is_said_of_a_running_command_is_true_now() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let pipe = bed.scratch(Shell::Bash).join("go");
    shim.run("bash", &format!("mkfifo {}", pipe.display()));
    let command = format!("cat {}; read -t 2 x; cat {}", pipe.display(), pipe.display());
    let begun = shim
        .execute(json!({"host": "bash", "command": command, "timeout": 0}))
        .expect("it begins");
    assert_eq!(begun.status, "running");
    std::fs::write(&pipe, "").expect("a pipe");
    sshmcp_tests::eventually("it asks", || status(&mut shim, &begun.id) == "awaiting_input");
    sshmcp_tests::eventually("its time to answer is over", || {
        status(&mut shim, &begun.id) == "running"
    });
    std::fs::write(&pipe, "").expect("a pipe");
    assert_eq!(shim.wait_for(&begun.id).status, "completed");
    shim.close();
    bed.finish();
}

fn status(shim: &mut Shim, id: &str) -> String {
    Outcome::read(
        shim.call("get_command_output", json!({"command_id": id}))
            .expect("it is known"),
    )
    .status
}
