//! `sshctl` for people and scripts: streams apart and as they come, exit codes, Ctrl-C, JSON, following.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sshmcp_tests::{
    Shell, TestBed, eventually_some,
    patient::{self, Patient},
};

/// A running sshctl, whose first lines are read before its end.
struct Running {
    child: Child,
    stdout: BufReader<Patient>,
}

impl Running {
    fn start(bed: &TestBed, arguments: &[&str]) -> Self {
        let mut child = bed
            .program("sshctl")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sshctl runs");
        let stdout = BufReader::new(Patient::new(child.stdout.take().expect("piped")));
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line
    }

    /// As the terminal sends it for Ctrl-C.
    fn ctrl_c(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("ours");
    }

    /// Its exit code, and the rest of both its streams.
    fn end(mut self) -> (Option<i32>, String, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        let output = patient::output(self.child);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), rest, stderr)
    }
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A script that calls `sshctl exec` can treat it as it treats `ssh host command`: pipes, exit codes, nothing added.
#[test]
fn streams_and_codes_pass_through() {
    let bed = TestBed::new();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let output = bed.ctl(&["exec", shell.host(), "--", "echo out; echo err >&2; (exit 7)"]);
        assert_eq!(
            (output.status.code(), &*output.stdout, &*output.stderr),
            (Some(7), &b"out\n"[..], &b"err\n"[..]),
            "{shell:?}: {output:?}"
        );
        // Bytes are bytes in a pipe.
        let output = bed.ctl(&["exec", shell.host(), "--", r"printf '\000\377\033[31mx\r\n'"]);
        assert_eq!(output.stdout, b"\x00\xff\x1b[31mx\r\n", "{shell:?}: {output:?}");
        let output = bed.ctl(&["exec", shell.host(), "--", "cd /usr"]);
        assert!(output.status.success(), "{output:?}");
        let output = bed.ctl(&["exec", shell.host(), "--", "pwd; seq 1 20000"]);
        let lines = String::from_utf8(output.stdout).expect("text");
        let wanted: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
        assert_eq!(lines, format!("/usr\n{wanted}"), "{shell:?}");
    }
    bed.finish();
}

/// Whoever watches a build sees each line when it is written, not at the end.
#[test]
fn output_comes_as_it_is_written() {
    let bed = TestBed::new();
    let gate = bed.scratch(Shell::Bash).join("gate");
    let command = format!(
        "echo early; echo warning >&2; while ! [ -e {} ]; do sleep 0.05; done; echo late",
        gate.display()
    );
    let mut running = Running::start(&bed, &["exec", "bash", "--", &command]);
    assert_eq!(running.line(), "early\n");
    fs::write(gate, "").expect("a file");
    let (code, rest, stderr) = running.end();
    assert_eq!((code, &*rest, &*stderr), (Some(0), "late\n", "warning\n"));
    bed.finish();
}

/// Ctrl-C means the command, not our program: it may clean up, and its own code is ours.
#[test]
fn ctrl_c_is_the_commands() {
    let bed = TestBed::new();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let catches = r#"sh -c 'trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.05; done'"#;
        let mut running = Running::start(&bed, &["exec", shell.host(), "--", catches]);
        assert_eq!(running.line(), "ready\n");
        running.ctrl_c();
        let (code, rest, stderr) = running.end();
        assert_eq!((code, &*rest), (Some(5), "caught\n"), "{shell:?}: {stderr}");

        let mut running = Running::start(&bed, &["exec", shell.host(), "--", "echo ready; sleep 300"]);
        assert_eq!(running.line(), "ready\n");
        running.ctrl_c();
        let (code, rest, stderr) = running.end();
        assert_eq!((code, &*rest), (Some(130), ""), "{shell:?}: {stderr}");
        let output = bed.ctl(&["exec", shell.host(), "--", "echo clean"]);
        assert_eq!(output.stdout, b"clean\n", "{shell:?}: {output:?}");
    }
    bed.finish();
}

/// A program reads the same objects from `--json` that an agent gets from the tools.
#[test]
fn json_has_the_tools_fields() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let by_tool = shim.run("bash", "echo out; echo err >&2; (exit 3)").object;
    let output = bed.ctl(&["exec", "bash", "--json", "--", "echo out; echo err >&2; (exit 3)"]);
    assert_eq!(output.status.code(), Some(3));
    let by_ctl = json_of(&output);
    for field in by_tool.as_object().expect("an object").keys() {
        assert!(by_ctl.get(field).is_some(), "{field} is missing: {by_ctl}");
    }
    for field in [
        "stdout",
        "stderr",
        "exit_code",
        "status",
        "cwd",
        "session",
        "completion",
        "total_bytes",
    ] {
        assert_eq!(by_ctl[field], by_tool[field], "{field}");
    }
    let listed = json_of(&bed.ctl(&["commands", "--json"]));
    let commands = listed
        .as_array()
        .or_else(|| listed["commands"].as_array())
        .expect("a list");
    assert_eq!(commands.len(), 2, "{listed}");
    assert_eq!(
        commands[0]["command_id"], by_ctl["command_id"],
        "the latest first"
    );
    let sessions = json_of(&bed.ctl(&["ls", "--json"]));
    let sessions = sessions
        .as_array()
        .or_else(|| sessions["sessions"].as_array())
        .expect("a list")
        .clone();
    assert_eq!(
        (&sessions[0]["name"], &sessions[0]["state"]),
        (&json!("bash"), &json!("ready"))
    );
    let hosts = json_of(&bed.ctl(&["hosts", "--json"])).to_string();
    assert!(
        Shell::ALL.iter().all(|shell| hosts.contains(shell.host())),
        "{hosts}"
    );
    let error = bed.ctl(&["exec", "-s", "nowhere", "--json", "--", "true"]);
    assert_eq!(error.status.code(), Some(73), "{error:?}");
    assert!(
        String::from_utf8_lossy(&error.stdout).contains("session_not_found")
            || String::from_utf8_lossy(&error.stderr).contains("session_not_found"),
        "{error:?}"
    );
    shim.close();
    bed.finish();
}

/// A command that was left running is found again and followed to its end, from its first byte.
#[test]
fn a_left_command_is_followed() {
    let bed = TestBed::new();
    let gate = bed.scratch(Shell::Dash).join("gate");
    let command = format!(
        "echo one; while ! [ -e {} ]; do sleep 0.05; done; echo two; echo three >&2; (exit 9)",
        gate.display()
    );
    let left = bed.ctl(&["exec", "dash", "--timeout", "0.5", "--", &command]);
    assert_eq!(
        (left.status.code(), &*left.stdout),
        (Some(90), &b"one\n"[..]),
        "{left:?}"
    );
    let told = String::from_utf8_lossy(&left.stderr).into_owned();
    let id = told
        .split_whitespace()
        .find(|word| word.starts_with('c') && word.len() < 6);
    let id = id.unwrap_or_else(|| panic!("no id in {told:?}")).to_owned();
    let mut following = Running::start(&bed, &["output", &id, "-f"]);
    assert_eq!(following.line(), "one\n");
    let waiting = Running::start(&bed, &["wait", &id]);
    fs::write(gate, "").expect("a file");
    let (code, rest, stderr) = following.end();
    assert_eq!((code, &*rest), (Some(0), "two\n"), "{stderr}");
    assert!(
        stderr.contains("three\n") && stderr.contains("exit code 9"),
        "{stderr}"
    );
    let (code, _, stderr) = waiting.end();
    assert_eq!(code, Some(0), "{stderr}");
    let tail = bed.ctl(&["output", &id, "--tail", "1"]);
    assert!(tail.status.success(), "{tail:?}");
    bed.finish();
}

/// What is piped in is the command's input; `sshctl send` answers a question; `interrupt` and `close` say what they did.
#[test]
fn input_and_answers() {
    let bed = TestBed::new();
    let list = bed.path("list");
    fs::write(&list, "b\na\n").expect("a file");
    let output = bed
        .program("sshctl")
        .args(["exec", "bash", "-i", "--", "sort"])
        .stdin(fs::File::open(list).expect("a file"))
        .output()
        .expect("sshctl runs");
    assert_eq!(output.stdout, b"a\nb\n", "{output:?}");

    let asking = Running::start(&bed, &["exec", "bash", "--", "read answer; echo \"got $answer\""]);
    eventually_some("it asks", || {
        let listed = json_of(&bed.ctl(&["commands", "--json"])).to_string();
        listed.contains("awaiting_input").then_some(())
    });
    let sent = bed.ctl(&["send", "bash", "--text", "this"]);
    assert!(sent.status.success(), "{sent:?}");
    let (code, rest, stderr) = asking.end();
    assert_eq!((code, &*rest), (Some(0), "got this\n"), "{stderr}");

    let mut long = Running::start(&bed, &["exec", "bash", "--", "echo ready; sleep 300"]);
    assert_eq!(long.line(), "ready\n");
    let interrupted = bed.ctl(&["interrupt", "bash"]);
    assert!(interrupted.status.success(), "{interrupted:?}");
    assert_eq!(long.end().0, Some(130));
    let closed = bed.ctl(&["close", "bash"]);
    assert!(closed.status.success(), "{closed:?}");
    let gone = bed.ctl(&["exec", "-s", "bash", "--", "true"]);
    assert_eq!(gone.status.code(), Some(73), "{gone:?}");
    bed.finish();
}
