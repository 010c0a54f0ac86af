//! A password given in the call: the whole command under sudo, in every way that sudoers may have it.

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Sudoer, eventually};

use super::{ALL, Stage};

/// What a row wants.
enum Wanted {
    /// An exit code, stdout, and what stderr has.
    Gives(i64, &'static str, &'static str),
    /// An error code, and a part of its message.
    Fails(&'static str, &'static str),
}

use Wanted::{Fails, Gives};

/// sudoers; command; further arguments; outcome.
type Row = (&'static str, &'static str, Value, Wanted);

fn rows() -> Vec<Row> {
    let none = || json!({});
    vec![
        (ALL, "id -un", none(), Gives(0, "root\n", "")),
        (
            ALL,
            "echo out; echo err >&2; (exit 7)",
            none(),
            Gives(7, "out\n", "err\n"),
        ),
        (
            ALL,
            "for i in 1 2 3; do\n  echo $i\ndone | sort -r |\n  head -n 2\ncat <<'X'\n'it\"s $x'\nX\n",
            none(),
            Gives(0, "3\n2\n'it\"s $x'\n", ""),
        ),
        (ALL, "exit 3", none(), Gives(3, "", "")),
        (ALL, "kill -TERM $$", none(), Gives(143, "", "")),
        (ALL, "kill -KILL $$", none(), Gives(137, "", "")),
        (ALL, "nosuchcommand", none(), Gives(127, "", "not found")),
        (
            ALL,
            "test -t 0 && echo tty; test -t 1 || echo captured",
            none(),
            Gives(0, "tty\ncaptured\n", ""),
        ),
        (
            ALL,
            "read x; echo \"got $x\"",
            json!({"stdin": "a line\n"}),
            Gives(0, "got a line\n", ""),
        ),
        (ALL, "wc -c", json!({"stdin": "12345"}), Gives(0, "5\n", "")),
        (
            ALL,
            "test -t 1 && id -un",
            json!({"terminal": true}),
            Gives(0, "root\n", ""),
        ),
        (ALL, "echo 'ü € 🙂'", none(), Gives(0, "ü € 🙂\n", "")),
        (
            ALL,
            "echo \"$#\" \"${SUDO_PROMPT-unset}\"",
            none(),
            Gives(0, "0 unset\n", ""),
        ),
        (
            "Defaults:@ !use_pty\n@ ALL=(ALL:ALL) ALL",
            "id -un; (exit 4)",
            none(),
            Gives(4, "root\n", ""),
        ),
        (
            "Defaults:@ use_pty\n@ ALL=(ALL:ALL) ALL",
            "id -un; (exit 5)",
            none(),
            Gives(5, "root\n", ""),
        ),
        (
            "Defaults:@ !use_pty\n@ ALL=(ALL:ALL) ALL",
            "kill -TERM $$",
            none(),
            Gives(143, "", ""),
        ),
        (
            "Defaults:@ requiretty\n@ ALL=(ALL:ALL) ALL",
            "id -un",
            none(),
            Gives(0, "root\n", ""),
        ),
        (
            "Defaults:@ lecture=always\n@ ALL=(ALL:ALL) ALL",
            "id -un",
            none(),
            Gives(0, "root\n", ""),
        ),
        (
            "Defaults:@ pwfeedback\n@ ALL=(ALL:ALL) ALL",
            "id -un",
            none(),
            Gives(0, "root\n", ""),
        ),
        (
            "Defaults:@ timestamp_timeout=0\n@ ALL=(ALL:ALL) ALL",
            "id -un",
            none(),
            Gives(0, "root\n", ""),
        ),
        (
            "Defaults:@ passprompt_override\n@ ALL=(ALL:ALL) ALL",
            "id -un",
            none(),
            Gives(0, "root\n", ""),
        ),
        (
            "@ ALL=(ALL:ALL) NOPASSWD: ALL",
            "id -un",
            json!({"sudo_password": "never asked for"}),
            Gives(0, "root\n", ""),
        ),
        (
            ALL,
            "id -un",
            json!({"sudo_password": "wrong"}),
            Fails("auth_failed", "the command was not run"),
        ),
        (
            "Defaults:@ passwd_tries=1\n@ ALL=(ALL:ALL) ALL",
            "id -un",
            json!({"sudo_password": "wrong"}),
            Fails("auth_failed", "the command was not run"),
        ),
        (
            "Defaults:@ rootpw\n@ ALL=(ALL:ALL) ALL",
            "id -un",
            none(),
            Fails("auth_failed", "the command was not run"),
        ),
        (
            "# nobody",
            "id -un",
            none(),
            Fails("permission_denied", "not in the sudoers file"),
        ),
        (
            "@ ALL=(ALL) /usr/bin/true",
            "id -un",
            none(),
            Fails("permission_denied", "not allowed to execute"),
        ),
        // The text's own sudo is run as it is.
        (ALL, "sudo id -un", none(), Gives(0, "root\n", "")),
        (
            ALL,
            "sudo -u nobody id -un && echo here",
            none(),
            Gives(0, "nobody\nhere\n", ""),
        ),
        (
            ALL,
            "sudo -k id -un; sudo -k id -u",
            none(),
            Gives(0, "root\n0\n", ""),
        ),
        (ALL, "sudo id -un | tr a-z A-Z", none(), Gives(0, "ROOT\n", "")),
        (
            ALL,
            "sudo true | sudo cat; echo ${PIPESTATUS[*]}",
            none(),
            Gives(0, "0 0\n", ""),
        ),
        (
            ALL,
            "sudo -S id -un",
            none(),
            Gives(0, "root\n", "[sudo] password for "),
        ),
        (
            ALL,
            "sudo -n id -un",
            none(),
            Gives(1, "", "a password is required"),
        ),
        (ALL, "sudo -A id -un", none(), Gives(1, "", "askpass")),
        (ALL, "sudo sh -c 'exit 9'", none(), Gives(9, "", "")),
        (ALL, "sudo sh -c 'kill -9 $$'", none(), Gives(137, "", "Killed")),
        (
            "@ ALL=(ALL) /usr/bin/id",
            "sudo id -un",
            none(),
            Gives(0, "root\n", ""),
        ),
        (
            ALL,
            "sudo id -un || echo refused",
            json!({"sudo_password": "wrong"}),
            Gives(0, "refused\n", "incorrect password"),
        ),
    ]
}

/// The matrix, row after row in one session; what sudo remembers is forgotten in between.
#[test]
fn matrix_in_bash() {
    let mut stage = Stage::new(Shell::Bash);
    let mut wrong = Vec::new();
    for (rules, command, mut more, wanted) in rows() {
        stage.sudoer.allow(rules);
        if more["sudo_password"].is_null() {
            more["sudo_password"] = json!(stage.sudoer.password);
        }
        let outcome = stage.execute(command, more.clone());
        let right = match (&outcome, &wanted) {
            (Ok(outcome), Gives(code, stdout, stderr)) => {
                outcome.status == "completed"
                    && outcome.exit_code == Some(*code)
                    && outcome.stdout.ends_with(stdout)
                    && (outcome.stdout == *stdout || more["terminal"] == json!(true))
                    && (if stderr.is_empty() {
                        outcome.stderr.is_empty()
                    } else {
                        outcome.stderr.contains(stderr)
                    })
            }
            (Err(error), Fails(code, words)) => error.code == *code && error.message.contains(words),
            (Ok(_), Fails(..)) | (Err(_), Gives(..)) => false,
        };
        if !right {
            wrong.push(format!("{rules}\n{command}\n{outcome:#?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} rows are wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    stage.finish();
}

/// The core of it in the other shells.
fn core(shell: Shell) {
    let is_fish = shell == Shell::Fish;
    let either = |posix: &'static str, fish: &'static str| if is_fish { fish } else { posix };
    let mut stage = Stage::new(shell);
    let outcome = stage.under(either(
        "id -un; echo err >&2; (exit 7)",
        "id -un; echo err >&2; sh -c 'exit 7'",
    ));
    assert_eq!(
        (outcome.exit_code, &*outcome.stdout, &*outcome.stderr),
        (Some(7), "root\n", "err\n"),
        "{outcome:?}"
    );
    stage.sudoer.forget();
    let error = stage
        .execute("id", json!({"sudo_password": "wrong"}))
        .expect_err("refused");
    assert_eq!(error.code, "auth_failed", "{error:?}");
    stage.sudoer.forget();
    let outcome = stage.under(either(
        "sudo -k id -un; sudo -k id -u; mine=kept",
        "sudo -k id -un; sudo -k id -u; set mine kept",
    ));
    assert_eq!(outcome.stdout, "root\n0\n", "{outcome:?}");
    let outcome = stage.plain("echo \"$mine\"; sh -c 'echo \"${SUDO_PROMPT-unset}\"'");
    assert_eq!(outcome.stdout, "kept\nunset\n", "{outcome:?}");
    stage.plain(either(
        "SUDO_PROMPT='my own: '; export SUDO_PROMPT",
        "set -gx SUDO_PROMPT 'my own: '",
    ));
    stage.sudoer.forget();
    let outcome = stage.under("sudo id -un");
    assert_eq!(outcome.stdout, "root\n", "{outcome:?}");
    let outcome = stage.plain(either(
        "sh -c 'echo \"$SUDO_PROMPT\"'; unset SUDO_PROMPT",
        "sh -c 'echo \"$SUDO_PROMPT\"'; set -e SUDO_PROMPT",
    ));
    assert_eq!(outcome.stdout, "my own: \n", "{outcome:?}");
    // A text that is read neither there nor here.
    stage.sudoer.forget();
    let outcome = stage.under("sudo -k id -un; echo 'open");
    assert!(outcome.exit_code.is_some_and(|code| code != 0), "{outcome:?}");
    let outcome = stage.plain("sh -c 'echo \"${SUDO_PROMPT-unset}\"'; cd /usr");
    assert_eq!(outcome.stdout, "unset\n", "{outcome:?}");
    // A child's state ends with it; signals and codes are told as its own.
    let outcome = stage.under(either(
        "cd /etc; pwd; kill -TERM $$",
        "cd /etc; pwd; kill -TERM $fish_pid",
    ));
    let code = outcome.exit_code;
    assert_eq!((code, &*outcome.stdout), (Some(143), "/etc\n"), "{outcome:?}");
    assert!(outcome.notice.contains("are not kept"), "{outcome:?}");
    assert_eq!(outcome.cwd, "/usr", "{outcome:?}");
    let text = either(
        "x='LONG'; echo ${#x}; id -un",
        "set x 'LONG'; string length $x; id -un",
    )
    .replace("LONG", &"0123456789".repeat(20_000));
    let outcome = stage.under(&text);
    assert_eq!(outcome.stdout, "200000\nroot\n", "{}", outcome.notice);
    stage.sudoer.allow("# nobody");
    let password = json!({"sudo_password": stage.sudoer.password});
    let error = stage.execute("id", password).expect_err("refused");
    assert_eq!(error.code, "permission_denied", "{error:?}");
    stage.sudoer.allow("@ ALL=(ALL:ALL) NOPASSWD: ALL");
    assert_eq!(stage.under("id -un").stdout, "root\n");
    interrupted(&mut stage);
    stage.finish();
}

#[test]
fn core_in_zsh() {
    core(Shell::Zsh);
}

#[test]
fn core_in_dash() {
    core(Shell::Dash);
}

#[test]
fn core_in_ash() {
    core(Shell::Ash);
}

#[test]
fn core_in_ksh() {
    core(Shell::Ksh);
}

#[test]
fn core_in_mksh() {
    core(Shell::Mksh);
}

#[test]
fn core_in_fish() {
    core(Shell::Fish);
}

/// 200 KB of text: no argument holds that.
#[test]
fn a_long_command() {
    let mut stage = Stage::new(Shell::Bash);
    let text = format!("x='{}'\necho ${{#x}}; id -un", "0123456789".repeat(20_000));
    let outcome = stage.under(&text);
    assert_eq!(
        (outcome.exit_code, &*outcome.stdout),
        (Some(0), "200000\nroot\n"),
        "{}",
        outcome.notice
    );
    stage.finish();
}

/// cd and variables stay in the child shell, and that is said where it matters only; the text is in the history, and
/// nothing of ours is.
#[test]
fn what_is_kept() {
    let mut stage = Stage::new(Shell::Bash);
    stage.plain("cd /usr; mine=here");
    let outcome = stage.under("cd /etc; export other=1; pwd");
    assert_eq!(
        (&*outcome.stdout, &*outcome.cwd),
        ("/etc\n", "/usr"),
        "{outcome:?}"
    );
    assert!(outcome.notice.contains("are not kept"), "{outcome:?}");
    let outcome = stage.under("pwd");
    assert_eq!(
        (&*outcome.stdout, &*outcome.notice),
        ("/usr\n", ""),
        "{outcome:?}"
    );
    let outcome = stage.plain("echo \"$mine ${other-unset} ${SUDO_PROMPT-unset}\"");
    assert_eq!(outcome.stdout, "here unset unset\n", "{outcome:?}");
    let outcome = stage.plain("history; set; env");
    assert!(
        outcome.stdout.contains("cd /etc; export other=1; pwd"),
        "{}",
        outcome.stdout
    );
    assert!(
        !outcome.stdout.contains("SUDO_PROMPT=\"[sudo"),
        "{}",
        outcome.stdout
    );
    stage.finish();
}

/// One wrong password is one attempt in sudo's own log, however the command is written.
#[test]
fn one_attempt() {
    let mut stage = Stage::new(Shell::Bash);
    let log = stage.bed.path("sudo.log");
    stage
        .sudoer
        .allow(&format!("Defaults:@ logfile={}\n{ALL}", log.display()));
    let wrong = json!({"sudo_password": "wrong"});
    stage.execute("id", wrong.clone()).expect_err("refused");
    let log_text = || {
        std::fs::read_to_string(&log)
            .unwrap_or_default()
            .replace("\n    ", " ")
    };
    eventually("sudo logs", || log_text().contains("attempt"));
    assert!(
        log_text().contains("1 incorrect password attempt"),
        "{}",
        log_text()
    );
    std::fs::write(&log, "").expect("a log");
    let outcome = stage
        .execute("sudo -k id; sudo -k id; sudo -k id; echo $?", wrong)
        .expect("it runs");
    assert_eq!(outcome.stdout, "1\n", "{outcome:?}");
    assert!(outcome.notice.contains("refused the password"), "{outcome:?}");
    let text = log_text();
    assert_eq!(text.matches("1 incorrect password attempt").count(), 1, "{text}");
    assert!(
        !text.contains("2 incorrect") && !text.contains("3 incorrect"),
        "{text}"
    );
    stage.finish();
}

/// Starts a command under sudo that says `on`.
fn begin(stage: &mut Stage, command: &str) -> Outcome {
    let password = stage.sudoer.password.clone();
    let started = stage
        .execute(command, json!({"sudo_password": password, "timeout": 0}))
        .expect("it begins");
    eventually("it is on", || {
        stage.shim.whole_output(&started.id).0.contains("on\n")
    });
    started
}

/// Ctrl-C reaches what runs below sudo; the session is usable after.
fn interrupted(stage: &mut Stage) {
    let started = begin(stage, "echo on; sleep 300");
    let interrupted = stage
        .shim
        .call("interrupt_command", json!({"command_id": started.id}))
        .expect("sent");
    assert_eq!(interrupted["ended"], json!(true), "{interrupted}");
    let outcome = stage.shim.wait_for(&started.id);
    assert_eq!(
        (&*outcome.status, outcome.exit_code),
        ("interrupted", Some(130)),
        "{outcome:?}"
    );
    assert_eq!(stage.plain("echo next").stdout, "next\n");
}

/// With and without a pty of sudo's.
#[test]
fn interrupts() {
    let mut stage = Stage::new(Shell::Bash);
    for pty in ["use_pty", "!use_pty"] {
        stage.sudoer.allow(&format!("Defaults:@ {pty}\n{ALL}"));
        interrupted(&mut stage);
        let started = begin(&mut stage, "trap '' INT; echo on; sleep 8; echo survived");
        let interrupted = stage
            .shim
            .call("interrupt_command", json!({"command_id": started.id}))
            .expect("sent");
        assert_eq!(interrupted["ended"], json!(false), "{pty}: {interrupted}");
        let outcome = stage.shim.wait_for(&started.id);
        assert_eq!(
            (outcome.exit_code, &*outcome.stdout),
            (Some(0), "on\nsurvived\n"),
            "{pty}: {outcome:?}"
        );
        assert_eq!(stage.plain("echo next").stdout, "next\n");
    }
    stage.finish();
}

/// Where sudo asks for another user's password, that one is given.
#[test]
fn passwords_of_others() {
    let other = Sudoer::new(Shell::Bash);
    let name = other.user.name.clone();
    let mut stage = Stage::new(Shell::Bash);
    let password = json!({"sudo_password": other.password});
    stage.sudoer.allow(&format!("Defaults:@ targetpw\n{ALL}"));
    let outcome = stage
        .execute(&format!("sudo -u {name} id -un"), password.clone())
        .expect("it runs");
    assert_eq!(outcome.stdout, format!("{name}\n"), "{outcome:?}");
    stage
        .sudoer
        .allow(&format!("Defaults:@ runaspw, runas_default={name}\n{ALL}"));
    let outcome = stage.execute("sudo id -un", password).expect("it runs");
    assert_eq!(outcome.stdout, format!("{name}\n"), "{outcome:?}");
    stage.finish();
}

/// No sudo on the host: 127, and it is said. Nothing durable goes with a password.
#[test]
fn without_sudo() {
    let mut stage = Stage::new(Shell::Bash);
    stage.plain("before=$PATH; PATH=/usr/games");
    let outcome = stage.under("id");
    assert_eq!(outcome.exit_code, Some(127), "{outcome:?}");
    assert!(outcome.notice.contains("sudo is not installed"), "{outcome:?}");
    stage.plain("PATH=$before");
    let durable = json!({"sudo_password": "x", "durable": true});
    let error = stage.execute("id", durable).expect_err("refused");
    assert_eq!(error.code, "invalid_argument", "{error:?}");
    for bad in ["", "two\nlines"] {
        let error = stage
            .execute("id", json!({"sudo_password": bad}))
            .expect_err("refused");
        assert_eq!(error.code, "invalid_argument", "{error:?}");
    }
    stage.finish();
}

/// What is left behind in the background is late output, as without sudo.
#[test]
fn background_jobs() {
    let mut stage = Stage::new(Shell::Bash);
    stage.sudoer.allow(&format!("Defaults:@ !use_pty\n{ALL}"));
    let outcome = stage.under("(sleep 1; echo late) & echo first");
    assert_eq!(
        (outcome.exit_code, &*outcome.stdout),
        (Some(0), "first\n"),
        "{outcome:?}"
    );
    assert_eq!(stage.plain("echo second").stdout, "second\n");
    eventually("late output", || {
        stage.shim.whole_output(&outcome.id).0 == "first\nlate\n"
    });
    stage.finish();
}
