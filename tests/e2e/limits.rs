//! Each limit is reached by the real programs: what is inside of it goes on working, what is beyond is told by name,
//! value and setting, and once there is room again it works again.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, TestBed, ToolError, eventually};

pub(crate) mod disk;
mod idle;
pub(crate) mod output;

/// Settings of a daemon that the first client starts.
struct Limited {
    bed: TestBed,
    config: PathBuf,
}

impl Limited {
    fn by(settings: &str) -> Self {
        let bed = TestBed::new();
        let config = bed.path("config.toml");
        let limited = Self { bed, config };
        limited.set(settings);
        limited
    }

    fn set(&self, settings: &str) {
        fs::write(&self.config, format!("[settings]\n{settings}\n")).expect("a file");
    }

    fn shim(&self) -> Shim {
        let mut server = self.bed.program("mcp-ssh");
        server.arg("--config").arg(&self.config);
        Shim::start(server)
    }

    /// A command that runs until its gate is opened.
    fn gate(&self, shell: Shell, name: &str) -> (String, PathBuf) {
        let file = self.bed.scratch(shell).join(name);
        let command = format!(
            "while ! [ -e {} ]; do sleep 0.05; done; echo through",
            file.display()
        );
        (command, file)
    }
}

/// Refused for this limit, in words that name it, its value and the setting, and say what to do.
fn refused(answer: Result<Value, ToolError>, code: &str, value: &str, setting: &str) {
    let error = answer.expect_err(setting);
    assert_eq!(error.code, code, "{error:?}");
    assert!(
        error.message.contains(value) && error.message.contains(setting),
        "{error:?}"
    );
    assert!(
        error.hint.contains(setting) && error.hint.contains("config.toml"),
        "{error:?}"
    );
}

fn open(shim: &mut Shim, host: &str, session: &str) -> Result<Value, ToolError> {
    shim.call("open_session", json!({"host": host, "session": session}))
}

fn echo(shim: &mut Shim, session: &str) {
    let outcome = shim.execute(json!({"session": session, "command": "echo fine"}));
    assert_eq!(outcome.expect(session).stdout, "fine\n");
}

/// Sessions, of all hosts and of one. A limit that is raised in the file holds without a restart.
#[test]
fn sessions() {
    let limited = Limited::by("max_sessions = 3\nmax_sessions_per_host = 2");
    let mut shim = limited.shim();
    for session in ["one", "two"] {
        open(&mut shim, "bash", session).expect("inside");
    }
    refused(
        open(&mut shim, "bash", "three"),
        "limit_reached",
        "2 sessions",
        "max_sessions_per_host",
    );
    open(&mut shim, "dash", "other").expect("another host");
    refused(
        open(&mut shim, "zsh", "more"),
        "limit_reached",
        "3 sessions",
        "max_sessions",
    );
    for session in ["one", "two", "other"] {
        echo(&mut shim, session);
    }
    shim.call("close_session", json!({"session": "one"}))
        .expect("closed");
    open(&mut shim, "bash", "three").expect("there is room again");
    echo(&mut shim, "three");
    limited.set("max_sessions = 4\nmax_sessions_per_host = 2");
    eventually("the raised limit holds", || {
        open(&mut shim, "zsh", "more").is_ok()
    });
    shim.close();
    limited.bed.finish();
}

/// Commands that wait for their turn.
#[test]
fn queue() {
    let limited = Limited::by("max_queued_commands = 2");
    let mut shim = limited.shim();
    open(&mut shim, "bash", "work").expect("open");
    let (command, gate) = limited.gate(Shell::Bash, "gate");
    let run = |command: &str| json!({"session": "work", "command": command, "timeout": 40});
    let first = shim.begin_call("execute_command", run(&command));
    let listed = |shim: &mut Shim| {
        let active = shim.call("get_active_commands", json!({})).expect("a list");
        ["commands", "queued"].map(|list| active[list].as_array().map_or(0, Vec::len))
    };
    eventually("it runs", || listed(&mut shim) == [1, 0]);
    let waiting: Vec<u64> = ["echo 2", "echo 3"]
        .into_iter()
        .map(|command| shim.begin_call("execute_command", run(command)))
        .collect();
    eventually("both wait", || listed(&mut shim) == [1, 2]);
    refused(
        shim.call("execute_command", run("echo never")),
        "limit_reached",
        "2 commands",
        "max_queued_commands",
    );
    fs::write(gate, "").expect("a file");
    for (call, stdout) in [first]
        .into_iter()
        .chain(waiting)
        .zip(["through\n", "2\n", "3\n"])
    {
        let outcome = Outcome::read(shim.finish_call(call).expect("inside"));
        assert_eq!(outcome.stdout, stdout);
    }
    echo(&mut shim, "work");
    shim.close();
    limited.bed.finish();
}

/// Bytes of a command and of its input: one byte too many, and none.
#[test]
fn bytes_of_a_command() {
    let limited = Limited::by("max_command_kib = 2\nmax_stdin_kib = 3");
    let mut shim = limited.shim();
    let text = |size: usize| format!("echo {}", "x".repeat(size - "echo ".len()));
    let outcome = shim.execute(json!({"host": "bash", "command": text(2048)}));
    assert_eq!(outcome.expect("inside").stdout.len(), 2048 - 4);
    let input = |size: usize| json!({"host": "bash", "command": "wc -c", "stdin": "é".repeat(size / 2) + &"x".repeat(size % 2)});
    assert_eq!(shim.execute(input(3072)).expect("inside").stdout.trim(), "3072");
    let over = shim.call("execute_command", json!({"host": "bash", "command": text(2049)}));
    refused(
        over,
        "too_large",
        "2049 bytes, more than the 2 KiB",
        "max_command_kib",
    );
    let over = shim.call("execute_command", input(3073));
    refused(
        over,
        "too_large",
        "3073 bytes, more than the 3 KiB",
        "max_stdin_kib",
    );
    echo(&mut shim, "bash");
    shim.close();
    limited.bed.finish();
}

/// Programs that are connected. Who is too many can still see what is there and end it, so that a full daemon is not
/// stuck.
#[test]
fn clients() {
    let limited = Limited::by("max_clients = 2");
    let run = json!({"host": "bash", "command": "echo fine"});
    let mut inside = [limited.shim(), limited.shim()];
    for shim in &mut inside {
        shim.execute(run.clone()).expect("inside");
    }
    let mut third = limited.shim();
    refused(
        third.call("execute_command", run.clone()),
        "limit_reached",
        "2 programs",
        "max_clients",
    );
    let listed = third
        .call("list_sessions", json!({}))
        .expect("to look is always allowed");
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(1));
    assert!(limited.bed.ctl(&["ls"]).status.success());
    let refusal = limited.bed.ctl(&["exec", "bash", "--", "true"]);
    assert_eq!(refusal.status.code(), Some(83), "{refusal:?}");
    for shim in &mut inside {
        shim.execute(run.clone()).expect("as before");
    }
    let [one, other] = inside;
    one.close();
    eventually("there is a seat", || third.execute(run.clone()).is_ok());
    third.close();
    other.close();
    limited.bed.finish();
}

/// Calls under way, of one program and of all. The calls that are inside end as they would have.
#[test]
fn calls() {
    let limited = Limited::by("max_calls_per_client = 2\nmax_calls = 3");
    let (mut one, mut other, mut third) = (limited.shim(), limited.shim(), limited.shim());
    let (command, gate) = limited.gate(Shell::Bash, "gate");
    let hold = |session: &str| json!({"host": "bash", "session": session, "command": command, "timeout": 45});
    let run = |session: &str| json!({"host": "bash", "session": session, "command": "echo fine"});
    let held: Vec<u64> = ["a", "b"]
        .into_iter()
        .map(|session| one.begin_call("execute_command", hold(session)))
        .collect();
    let running = |shim: &mut Shim| {
        let active = shim
            .call("get_active_commands", json!({}))
            .expect("to look is always allowed");
        active["commands"].as_array().map_or(0, Vec::len)
    };
    eventually("both run", || running(&mut one) == 2);
    refused(
        one.call("execute_command", run("c")),
        "limit_reached",
        "2 calls of this program",
        "max_calls_per_client",
    );
    other.execute(run("c")).expect("another program");
    let last = other.begin_call("execute_command", hold("c"));
    eventually("three run", || running(&mut other) == 3);
    refused(
        third.call("execute_command", run("d")),
        "limit_reached",
        "3 calls",
        "max_calls",
    );
    fs::write(gate, "").expect("a file");
    let ended = held
        .into_iter()
        .map(|call| one.finish_call(call))
        .collect::<Vec<_>>();
    for answer in ended.into_iter().chain([other.finish_call(last)]) {
        assert_eq!(Outcome::read(answer.expect("inside")).stdout, "through\n");
    }
    for (shim, session) in [(&mut one, "a"), (&mut other, "b"), (&mut third, "d")] {
        shim.execute(run(session)).expect("there is room again");
    }
    for shim in [one, other, third] {
        shim.close();
    }
    limited.bed.finish();
}

/// Ended commands that can be asked for.
#[test]
fn commands_kept() {
    let limited = Limited::by("keep_commands = 2");
    let mut shim = limited.shim();
    let ids: Vec<String> = (0..4)
        .map(|n| shim.run("bash", &format!("echo {n}")).id)
        .collect();
    let running = shim
        .execute(json!({"host": "bash", "command": "true"}))
        .expect("a fifth");
    let gone = shim
        .call("get_command_output", json!({"command_id": ids[0]}))
        .expect_err("gone");
    assert_eq!(gone.code, "command_not_found");
    assert!(
        gone.hint.contains("latest 2") && gone.hint.contains("keep_commands"),
        "{gone:?}"
    );
    for (id, stdout) in [(&ids[3], "3\n"), (&running.id, "")] {
        assert_eq!(shim.wait_for(id).stdout, stdout);
    }
    shim.close();
    limited.bed.finish();
}
