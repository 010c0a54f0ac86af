//! One session runs one command at a time: who waits, for how long, and what is said to who cannot wait.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, TestBed, eventually, eventually_some};

/// Told without any wait, even on a machine under load.
const AT_ONCE: Duration = Duration::from_secs(8);

/// A command that runs until its file is made.
struct Gate {
    file: PathBuf,
}

impl Gate {
    fn new(bed: &TestBed, shell: Shell, name: &str) -> Self {
        let file = bed.scratch(shell).join(name);
        Self { file }
    }

    fn command(&self) -> String {
        format!("while ! [ -e {} ]; do sleep 0.05; done", self.file.display())
    }

    fn open(&self) {
        fs::write(&self.file, "").expect("a file");
    }
}

/// The one command that runs, once it does.
fn running(shim: &mut Shim) -> Value {
    eventually_some("a command runs", || {
        let active = shim.call("get_active_commands", json!({})).expect("a list");
        let commands = active["commands"].as_array()?;
        commands
            .iter()
            .find(|command| command["status"] == "running")
            .cloned()
    })
}

/// Two calls on one session, from whichever client, run in the order of their arrival; each waits for its turn.
#[test]
fn calls_take_their_turn() {
    let bed = TestBed::new();
    let (mut one, mut other) = (bed.shim(), bed.shim());
    let gate = Gate::new(&bed, Shell::Bash, "gate");
    let log = bed.scratch(Shell::Bash).join("log");
    one.call("open_session", json!({"host": "bash", "session": "work"}))
        .expect("open");
    let write = |word: &str| format!("echo {word} >> {}", log.display());
    let first = format!("{}; {}", gate.command(), write("first"));
    let first = one.begin_call("execute_command", json!({"session": "work", "command": first}));
    running(&mut one);
    let second = json!({"session": "work", "command": write("second")});
    let second = other.begin_call("execute_command", second);
    eventually("the second is queued", || {
        let active = one.call("get_active_commands", json!({})).expect("a list");
        active["queued"].as_array().map(Vec::len) == Some(1)
    });
    let third = json!({"session": "work", "command": write("third")});
    let third = one.begin_call("execute_command", third);
    gate.open();
    for (shim, call) in [(&mut one, first), (&mut other, second)] {
        let outcome = Outcome::read(shim.finish_call(call).expect("it runs"));
        assert_eq!(
            (&*outcome.session, outcome.exit_code),
            ("work", Some(0)),
            "{outcome:?}"
        );
    }
    one.finish_call(third).expect("it runs");
    assert_eq!(fs::read_to_string(log).expect("a log"), "first\nsecond\nthird\n");
    one.close();
    other.close();
    bed.finish();
}

/// Who cannot wait any longer is told what runs, and that nothing of the own command was run: it may be sent again.
#[test]
fn a_turn_that_does_not_come() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let gate = Gate::new(&bed, Shell::Zsh, "gate");
    let counter = bed.scratch(Shell::Zsh).join("counter");
    shim.run("zsh", "true");
    let holder = json!({"session": "zsh", "command": gate.command(), "timeout": 0});
    let holder = shim.execute(holder).expect("it begins");
    assert_eq!((&*holder.status, holder.exit_code), ("running", None));
    let count = format!("echo ran >> {}", counter.display());
    for timeout in [0.0, 1.0] {
        let began = Instant::now();
        let busy = shim.execute(json!({"session": "zsh", "command": count, "timeout": timeout}));
        let busy = busy.expect_err("no turn");
        assert_eq!(busy.code, "session_busy", "{busy:?}");
        assert!(
            busy.retryable && busy.message.contains("nothing was run"),
            "{busy:?}"
        );
        assert!(busy.message.contains(&holder.id), "names what runs: {busy:?}");
        assert!(busy.message.contains("while"), "and its text: {busy:?}");
        let took = began.elapsed();
        assert!(took.as_secs_f64() >= timeout && took < AT_ONCE, "{took:?}");
    }
    gate.open();
    assert_eq!(shim.wait_for(&holder.id).exit_code, Some(0));
    shim.run("zsh", "true");
    assert!(!counter.exists(), "it was run after all");
    shim.close();
    bed.finish();
}

/// A long job may be the very first call to a host: no wait is asked for, so the answer is its id, not that the session
/// is not open yet.
#[test]
fn a_first_call_that_does_not_wait() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let gate = Gate::new(&bed, shell, "gate");
        let command = format!("{}; echo through", gate.command());
        let begun = shim.execute(json!({"host": shell.host(), "command": command, "timeout": 0}));
        let begun = begun.expect("it begins");
        assert_eq!((&*begun.status, begun.exit_code), ("running", None), "{begun:?}");
        gate.open();
        assert_eq!(shim.wait_for(&begun.id).stdout, "through\n", "{shell:?}");
    }
    shim.close();
    bed.finish();
}

/// An agent that was told `running` goes on working on that host without a thought: its next call finds a further
/// session in the same directory. Who names a session means that one.
#[test]
fn a_held_default_session_is_left_alone() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let gate = Gate::new(&bed, Shell::Bash, "gate");
    shim.run("bash", "cd /usr/share");
    let held = json!({"host": "bash", "command": gate.command(), "timeout": 0.2});
    let call = shim.begin_call("execute_command", held);
    let answer = shim.answer(call);
    let text = answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default();
    assert!(
        text.contains("do not start it again") && text.contains("wait_for"),
        "{text}"
    );
    let held = Outcome::read(answer["result"]["structuredContent"].clone());
    assert_eq!(held.status, "running");

    let next = shim.run("bash", "pwd");
    assert_eq!(
        (&*next.session, &*next.stdout),
        ("bash-2", "/usr/share\n"),
        "{next:?}"
    );
    assert!(
        next.notice.contains("bash-2") && next.notice.contains(&held.id),
        "{next:?}"
    );
    let after = shim.run("bash", "echo $OLDPWD; pwd");
    assert_eq!(after.session, "bash-2");
    assert_eq!(after.notice, "", "said once");

    let named = shim.execute(json!({"host": "bash", "session": "bash", "command": "true", "timeout": 0.2}));
    assert_eq!(named.expect_err("held").code, "session_busy");
    gate.open();
    shim.wait_for(&held.id);
    assert_eq!(
        shim.run("bash", "true").session,
        "bash-2",
        "the default from then on"
    );
    let named = shim
        .execute(json!({"session": "bash", "command": "pwd"}))
        .expect("free again");
    assert_eq!((&*named.session, &*named.stdout), ("bash", "/usr/share\n"));
    shim.close();
    bed.finish();
}

/// A program that asks holds the terminal until it is answered. Waiting would be in vain, so the next call is told at
/// once where to answer.
#[test]
fn a_question_makes_busy_at_once() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let began = Instant::now();
        let asked = shim.run(
            shell.host(),
            "printf 'name? ' >/dev/tty; read name; echo \"hello $name\"",
        );
        assert_eq!(asked.status, "awaiting_input", "{shell:?}: {asked:?}");
        assert!(began.elapsed() < AT_ONCE, "{shell:?}: {:?}", began.elapsed());
        assert_eq!(asked.object["prompt"]["echo"], true, "{asked:?}");
        assert!(
            asked.object["prompt"]["text"]
                .as_str()
                .is_some_and(|text| text.contains("name?")),
            "{asked:?}"
        );
        for place in [json!({"host": shell.host()}), json!({"session": shell.host()})] {
            let mut arguments = place;
            arguments["command"] = "true".into();
            let began = Instant::now();
            let busy = shim.execute(arguments).expect_err("held");
            assert_eq!(busy.code, "session_busy", "{busy:?}");
            assert!(
                busy.hint.contains("send_input") && busy.message.contains(&asked.id),
                "{busy:?}"
            );
            assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        }
        shim.call("send_input", json!({"command_id": asked.id, "text": "you"}))
            .expect("typed");
        let ended = shim.wait_for(&asked.id);
        assert_eq!(
            (&*ended.stdout, ended.exit_code),
            ("hello you\n", Some(0)),
            "{shell:?}: {ended:?}"
        );
    }
    shim.close();
    bed.finish();
}

/// Closing ends what runs, so it says what that was.
#[test]
fn closing_says_what_was_running() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let gate = Gate::new(&bed, Shell::Dash, "never");
    for session in ["idle", "busy"] {
        shim.call("open_session", json!({"host": "dash", "session": session}))
            .expect("open");
    }
    let held = json!({"session": "busy", "command": gate.command(), "timeout": 0});
    let held = shim.execute(held).expect("it begins");
    let closed = shim
        .call("close_session", json!({"host": "dash"}))
        .expect("closed");
    let mut closed = closed["closed"].as_array().expect("a list").clone();
    closed.sort_by_key(|one| one["session"].to_string());
    assert_eq!(closed.len(), 2, "{closed:?}");
    assert_eq!(
        (&closed[0]["session"], &closed[0]["running_command_id"]),
        (&json!("busy"), &json!(held.id))
    );
    assert!(
        closed[0]["running_command"]
            .as_str()
            .is_some_and(|text| text.contains("while")),
        "{closed:?}"
    );
    assert_eq!(
        (&closed[1]["session"], &closed[1]["running_command_id"]),
        (&json!("idle"), &Value::Null)
    );
    let ended = shim.wait_for(&held.id);
    assert!(
        ended.status != "completed" || ended.exit_code != Some(0),
        "{ended:?}"
    );
    let gone = shim.execute(json!({"session": "busy", "command": "true"}));
    assert_eq!(gone.expect_err("closed").code, "session_not_found");
    shim.close();
    bed.finish();
}

/// A client that shows progress hears from a command that takes long; the sum of bytes and the last line tell more
/// than a spinner.
#[test]
fn progress_is_told() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let gate = Gate::new(&bed, Shell::Bash, "gate");
    let command = format!("echo working; {}; echo done", gate.command());
    let call = shim.request(
        "tools/call",
        json!({
            "name": "execute_command",
            "arguments": {"host": "bash", "command": command, "timeout": 50},
            "_meta": {"progressToken": "token7"},
        }),
    );
    let told = eventually_some("two notifications", || {
        let answer = shim.answer_within(call, Duration::from_millis(50));
        assert_eq!(answer, None, "it still runs");
        let all: Vec<Value> = shim.notifications();
        let mine = all
            .into_iter()
            .filter(|one| one["method"] == "notifications/progress");
        let mine: Vec<Value> = mine.collect();
        (!mine.is_empty()).then_some(mine)
    });
    assert_eq!(told[0]["params"]["progressToken"], "token7", "{told:?}");
    assert!(told[0]["params"]["progress"].is_number(), "{told:?}");
    assert!(
        told[0]["params"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("working")),
        "{told:?}"
    );
    gate.open();
    let outcome = Outcome::read(shim.finish_call(call).expect("it ends"));
    assert_eq!(outcome.stdout, "working\ndone\n");
    shim.close();
    bed.finish();
}

/// Cancelling gives the caller back its time. The command may be half through something that must not be torn.
#[test]
fn cancelling_ends_the_wait_alone() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let gate = Gate::new(&bed, Shell::Bash, "gate");
    let command = format!("{}; echo through", gate.command());
    let call = shim.begin_call(
        "execute_command",
        json!({"host": "bash", "command": command, "timeout": 50}),
    );
    let id = running(&mut shim)["command_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    shim.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": call}}));
    // Whoever goes on meanwhile is served, and the cancelled call is answered by nobody.
    let listed = shim.call("get_active_commands", json!({})).expect("a list");
    assert_eq!(listed["commands"][0]["command_id"], *id);
    assert_eq!(shim.answer_within(call, Duration::from_millis(300)), None);
    gate.open();
    let ended = shim.wait_for(&id);
    assert_eq!(
        (&*ended.stdout, ended.exit_code),
        ("through\n", Some(0)),
        "{ended:?}"
    );
    shim.close();
    bed.finish();
}
