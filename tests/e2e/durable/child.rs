//! What a durable command is to its session: a child in its language, with its directory and what it exports, beside
//! which other commands run.

use std::thread;

use serde_json::json;
use sshmcp_tests::{Shell, TestBed};

use super::{interrupt, run, start};

/// A session's language, with something exported, something not, and a directory.
fn prepared(shell: Shell) -> &'static str {
    match shell {
        Shell::Fish => "cd /usr; set -gx shared 'a  b'; set -g own x; set -gx d D; umask 027",
        Shell::Bash => {
            "cd /usr; export shared='a  b' d=D; own=x; umask 027; helper() { echo from a function; }; export -f helper"
        }
        _ => "cd /usr; export shared='a  b' d=D; own=x; umask 027",
    }
}

/// What it sees, what it gives, how it ends: in every shell.
#[test]
fn a_child() {
    let bed = TestBed::new();
    thread::scope(|scope| {
        for shell in Shell::ALL {
            let bed = &bed;
            scope.spawn(move || {
                let mut shim = bed.shim();
                let host = shell.host();
                shim.run(host, prepared(shell));
                let seen = run(
                    &mut shim,
                    host,
                    "pwd\necho \"<$shared><$own><$d>\"\numask\nwc -c\necho complaint >&2\ncd /\nexit 7",
                );
                let umask = if seen.stdout.contains("\n0027\n") {
                    "0027"
                } else {
                    "027"
                };
                assert_eq!(
                    (&*seen.status, seen.exit_code, &*seen.stdout, &*seen.stderr),
                    (
                        "completed",
                        Some(7),
                        &*format!("/usr\n<a  b><><D>\n{umask}\n0\n"),
                        "complaint\n"
                    ),
                    "{shell:?}: {seen:?}"
                );
                assert_eq!(
                    (&*seen.cwd, &seen.object["completion"]),
                    ("/usr", &json!("exact"))
                );
                assert_eq!(seen.notice, "", "{shell:?}");
                if shell == Shell::Bash {
                    assert_eq!(run(&mut shim, host, "helper").stdout, "from a function\n");
                }
                // Nothing is given back.
                assert_eq!(shim.run(host, "pwd").stdout, "/usr\n", "{shell:?}");
                let died = run(&mut shim, host, "sh -c 'kill -KILL $PPID'; echo no");
                assert_eq!(
                    (&*died.status, died.exit_code, &*died.stdout),
                    ("completed", Some(137), ""),
                    "{shell:?}: {died:?}"
                );
                beside(bed, shell);
                shim.close();
            });
        }
    });
    bed.finish();
}

/// The session is free at once, and an interrupt reaches the command and nothing else.
fn beside(bed: &TestBed, shell: Shell) {
    let mut shim = bed.shim();
    let host = shell.host();
    let long = start(&mut shim, host, "echo began; sleep 300; echo never");
    let quick = shim.run(host, "echo beside");
    assert_eq!((&*quick.stdout, &*quick.notice), ("beside\n", ""), "{shell:?}");
    assert_eq!(quick.session, long.session, "{shell:?}");
    let listed = shim.call("get_active_commands", json!({})).expect("a list");
    assert!(listed.to_string().contains(&format!("{:?}", long.id)), "{listed}");
    super::wrote(&mut shim, &long.id, 6);
    let signal = if shell == Shell::Dash { "TERM" } else { "INT" };
    let interrupted = interrupt(&mut shim, &long.id, signal);
    assert_eq!(interrupted["ended"], true, "{shell:?}: {interrupted}");
    let ended = shim.wait_for(&long.id);
    let code = ended.exit_code.expect("a code");
    assert!(
        ended.status == "interrupted" && [130, 143].contains(&code) && ended.stdout == "began\n",
        "{shell:?}: {ended:?}"
    );
    let again = interrupt(&mut shim, &long.id, "KILL");
    assert!(again.to_string().contains("ended"), "{again}");
    shim.close();
}

/// Whoever names the session or its host means what runs beside its shell, too: in lists, waits, interrupts, and when it
/// is closed.
#[test]
fn it_is_its_sessions() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let by = |field: &str| json!({field: "bash"});
    let one = start(&mut shim, "bash", "echo one; sleep 300");
    super::wrote(&mut shim, &one.id, 4);
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    let listed = &listed["sessions"][0];
    assert_eq!(
        (
            &listed["state"],
            &listed["running_command_id"],
            &listed["durable_command_ids"]
        ),
        (&json!("ready"), &json!(one.id), &json!([one.id])),
        "{listed}"
    );
    // The wait for the session is one for its end.
    let waited = json!({"sessions": ["bash"], "timeout": 0.3});
    let waited = shim.call("wait_for", waited).expect("a wait");
    assert_eq!(
        (&waited["satisfied"], &waited["commands"][0]["command_id"]),
        (&json!(false), &json!(one.id)),
        "{waited}"
    );
    // What the shell runs comes first.
    let busy = json!({"session": "bash", "command": "sleep 300", "timeout": 0});
    let busy = shim.execute(busy).expect("it begins");
    let ended = shim.call("interrupt_command", by("session")).expect("an answer");
    assert_eq!(
        (&ended["command_id"], &ended["ended"]),
        (&json!(busy.id), &json!(true)),
        "{ended}"
    );
    let two = start(&mut shim, "bash", "echo two; sleep 300");
    super::wrote(&mut shim, &two.id, 4);
    for field in ["session", "host"] {
        let several = shim
            .call("interrupt_command", by(field))
            .expect_err("there are two");
        assert_eq!(several.code, "conflict", "{several:?}");
        assert!(several.message.contains(&two.id), "{several:?}");
    }
    assert_eq!(interrupt(&mut shim, &two.id, "TERM")["ended"], true);
    let ended = shim.call("interrupt_command", by("host")).expect("an answer");
    assert_eq!(
        (&ended["command_id"], &ended["ended"]),
        (&json!(one.id), &json!(true)),
        "{ended}"
    );
    let waited = shim.call("wait_for", json!({"sessions": ["bash"], "timeout": 30}));
    let waited = waited.expect("a wait");
    assert_eq!(waited["sessions"][0]["event"], "ended", "{waited}");

    // It outlives its session, and is still meant by that name.
    let three = start(&mut shim, "bash", "echo three; sleep 300");
    super::wrote(&mut shim, &three.id, 6);
    let closed = shim.call("close_session", by("session")).expect("closed");
    assert_eq!(
        (
            &closed["closed"][0]["running_command_id"],
            &closed["closed"][0]["durable_command_ids"]
        ),
        (&json!(three.id), &json!([three.id])),
        "{closed}"
    );
    let waited = json!({"sessions": ["bash"], "timeout": 0.2});
    let waited = shim.call("wait_for", waited).expect("a wait");
    assert_eq!(waited["commands"][0]["command_id"], json!(three.id), "{waited}");
    let ended = shim.call("interrupt_command", by("session")).expect("an answer");
    assert_eq!(
        (&ended["command_id"], &ended["ended"]),
        (&json!(three.id), &json!(true)),
        "{ended}"
    );
    let nothing = shim
        .call("interrupt_command", by("session"))
        .expect_err("it is closed");
    assert_eq!(nothing.code, "session_not_found", "{nothing:?}");
    shim.close();
    bed.finish();
}

/// What ignores a signal is told as that, and KILL ends it.
#[test]
fn a_signal_that_is_ignored() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let deaf = start(
        &mut shim,
        "bash",
        "trap '' INT; trap 'echo caught' TERM; echo ready; while :; do sleep 0.1; done",
    );
    super::wrote(&mut shim, &deaf.id, 6);
    let ignored = interrupt(&mut shim, &deaf.id, "INT");
    assert_eq!(ignored["ended"], false, "{ignored}");
    assert!(ignored.to_string().contains("ignores INT"), "{ignored}");
    let caught = interrupt(&mut shim, &deaf.id, "TERM");
    assert_eq!(caught["ended"], false, "{caught}");
    super::wrote(&mut shim, &deaf.id, 13);
    assert_eq!(interrupt(&mut shim, &deaf.id, "KILL")["ended"], true);
    let ended = shim.wait_for(&deaf.id);
    assert_eq!((&*ended.status, ended.exit_code), ("interrupted", Some(137)));
    shim.close();
    bed.finish();
}

/// What cannot be is refused in words, and nothing is run; the session's turn is kept.
#[test]
fn refusals_and_turns() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for (with, value) in [
        ("terminal", json!(true)),
        ("stdin", json!("x")),
        ("sudo_password", json!("x")),
    ] {
        let refused = shim.execute(json!({"host": "dash", "command": "id", "durable": true, with: value}));
        let refused = refused.expect_err("refused");
        assert_eq!(refused.code, "invalid_argument", "{with}: {refused:?}");
        assert!(refused.message.contains(with), "{refused:?}");
    }
    let long = start(&mut shim, "bash", "echo x; sleep 300");
    let typed = shim.call("send_input", json!({"command_id": long.id, "text": "y"}));
    assert_eq!(typed.expect_err("no terminal").code, "invalid_argument");
    interrupt(&mut shim, &long.id, "TERM");
    // Behind a command that holds the session it waits, and is taken back where its time is over.
    let holds = shim.begin_call(
        "execute_command",
        json!({"session": "bash", "command": "sleep 300", "timeout": 50}),
    );
    let mut other = bed.shim();
    sshmcp_tests::eventually("it runs", || {
        let listed = other.call("get_active_commands", json!({})).expect("a list");
        listed.to_string().contains("sleep 300") && listed.to_string().contains("\"running\"")
    });
    let late = other.execute(json!({"session": "bash", "command": "echo no", "durable": true, "timeout": 1}));
    let late = late.expect_err("its turn did not come");
    assert_eq!(late.code, "session_busy", "{late:?}");
    interrupt_session(&mut other);
    shim.finish_call(holds).expect("a result");
    shim.close();
    other.close();
    bed.finish();
}

fn interrupt_session(shim: &mut sshmcp_tests::Shim) {
    shim.call("interrupt_command", json!({"session": "bash"}))
        .expect("interrupted");
}

/// What its background jobs write after its end is its late output; then nothing of it is left.
#[test]
fn late_output() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let go = bed.scratch(Shell::Zsh).join("go");
    let command = format!(
        "{{ until [ -e {} ]; do sleep 0.1; done; echo late; }} & echo early",
        go.display()
    );
    let ended = run(&mut shim, "zsh", &command);
    assert_eq!(
        (&*ended.status, &*ended.stdout),
        ("completed", "early\n"),
        "{ended:?}"
    );
    std::fs::write(&go, "").expect("a file");
    super::wrote(&mut shim, &ended.id, 11);
    assert_eq!(shim.wait_for(&ended.id).stdout, "early\nlate\n");
    shim.close();
    bed.finish();
}

/// People have the same, and the end of their terminal is not its end.
#[test]
fn from_the_command_line() {
    let bed = TestBed::new();
    let out = bed.ctl(&["exec", "--durable", "ksh", "--", "echo out; echo err >&2; exit 3"]);
    assert_eq!(
        (out.status.code(), &*out.stdout, &*out.stderr),
        (Some(3), &b"out\n"[..], &b"err\n"[..])
    );
    bed.finish();
}

/// A flood that nobody reads goes free for a while and is then slowed on its host; it ends at once when it is told to, and
/// the disk of the host holds no more than the spool's limit. For the long suite.
#[test]
fn a_flood() {
    if std::env::var_os("SSHMCP_LONG").is_none() {
        return;
    }
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let flood = start(&mut shim, "dash", "yes");
    super::wrote(&mut shim, &flood.id, 150 << 20);
    let before = std::time::Instant::now();
    super::wrote(&mut shim, &flood.id, 170 << 20);
    let slow = before.elapsed();
    let ended = interrupt(&mut shim, &flood.id, "KILL");
    assert_eq!(ended["ended"], true, "{ended}");
    let read = sshmcp_tests::Outcome::read(
        shim.call("get_command_output", json!({"command_id": flood.id, "tail": 1}))
            .expect("its output"),
    );
    assert!(
        read.notice.contains("slowed") && slow > std::time::Duration::from_secs(3),
        "{slow:?}: {read:?}"
    );
    shim.close();
    bed.finish();
}
