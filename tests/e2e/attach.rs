//! A person in a session's live terminal, in a real tmux pane, beside an agent that works there.

use std::process::Output;

use serde_json::json;
use sshmcp_tests::{
    TestBed,
    wait::{LONG, eventually_some, within},
};

/// A person's terminal: a pane of a tmux server of its own.
pub(crate) struct Pane<'b>(&'b TestBed);

impl Pane<'_> {
    pub(crate) fn tmux(&self, arguments: &[&str]) -> Output {
        let socket = self.0.home().join("person");
        let mut tmux = self.0.tool("tmux");
        tmux.env_remove("TMUX")
            .arg("-S")
            .arg(socket)
            .args(["-f", "/dev/null"]);
        let output = tmux.args(arguments).output().expect("tmux runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }

    pub(crate) fn open(bed: &TestBed) -> Pane<'_> {
        let pane = Pane(bed);
        pane.tmux(&["new-session", "-d", "-s", "p", "-x", "90", "-y", "14", "sh"]);
        pane
    }

    /// Starts one of our programs in it.
    pub(crate) fn sshctl(&self, arguments: &str) {
        let program = self
            .0
            .program("sshctl")
            .get_program()
            .to_string_lossy()
            .into_owned();
        self.types(&format!("{program} {arguments}"));
        self.keys("Enter");
    }

    pub(crate) fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "p", "-l", text]);
    }

    pub(crate) fn keys(&self, name: &str) {
        self.tmux(&["send-keys", "-t", "p", name]);
    }

    fn seen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-t", "p"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until the pane shows what is wanted.
    pub(crate) fn shows(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let found = within(LONG, || Some(self.seen()).filter(|seen| wanted(seen)));
        found.unwrap_or_else(|| panic!("waited in vain: {what}; the pane shows:\n{}", self.seen()))
    }

    pub(crate) fn shows_row(&self, row: &str) -> String {
        self.shows(row, |seen| seen.lines().any(|line| line.trim_end() == row))
    }

    pub(crate) fn state(&self) -> String {
        let format = "#{alternate_on} #{cursor_flag} #{keypad_cursor_flag}";
        let output = self.tmux(&["display-message", "-p", "-t", "p", format]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn close(&self) {
        self.tmux(&["kill-server"]);
    }
}

/// What a person types runs, what an agent runs is seen, sizes follow, keys leave, and nothing of either is lost.
#[test]
fn a_person_works_beside_an_agent() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "PS1='$ '; echo before");
    let pane = Pane::open(&bed);
    pane.sshctl("attach bash");
    pane.shows("the screen at once", |seen| {
        seen.contains("\nbefore\n") && seen.contains("ctrl-] detaches")
    });
    pane.types("echo by-a-person; x=5");
    pane.keys("Enter");
    pane.shows_row("by-a-person");
    let ran = shim.run("bash", "echo by-an-agent $x");
    assert_eq!(ran.stdout, "by-an-agent 5\n", "{ran:?}");
    pane.shows_row("by-an-agent 5");
    let seen = pane.shows("the prompt", |seen| {
        seen.lines().filter(|row| *row == "$").count() == 1
    });
    assert_eq!(seen.matches("by-a-person").count(), 2, "{seen}");

    pane.tmux(&["resize-window", "-t", "p", "-x", "70", "-y", "10"]);
    pane.types("stty size");
    pane.keys("Enter");
    pane.shows_row("9 70");

    // A half-typed line is not run by us; taken away, it is in nobody's way.
    pane.types("half a li");
    pane.shows("the half line", |seen| seen.contains("$ half a li"));
    let arguments = json!({"host": "bash", "command": "echo now", "timeout": 2});
    let refused = shim.execute(arguments.clone()).expect_err("a line stands there");
    assert_eq!(refused.code, "human_has_control", "{refused:?}");
    pane.keys("C-u");
    pane.shows("an empty line", |seen| !seen.contains("half"));
    assert_eq!(shim.execute(arguments).expect("it runs").stdout, "now\n");

    pane.keys("C-]");
    pane.shows("the way out", |seen| seen.contains("detached from bash"));
    assert_eq!(pane.state(), "0 1 0");
    pane.close();
    shim.close();
    bed.finish();
}

/// Who takes the keyboard has it alone, until they go, however they go.
#[test]
fn a_person_takes_the_keyboard() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("zsh", "true");
    let pane = Pane::open(&bed);
    pane.sshctl("attach zsh --take");
    pane.shows("the bar", |seen| seen.contains("agents are kept out"));
    let session = json!({"session": "zsh"});
    let with = |key: &str, value: &str| json!({"session": "zsh", key: value});
    for (tool, arguments) in [
        ("execute_command", with("command", "echo no")),
        ("send_input", with("text", "no")),
        ("interrupt_command", session.clone()),
    ] {
        let refused = shim.call(tool, arguments).expect_err("a person has it");
        assert_eq!(refused.code, "human_has_control", "{tool}: {refused:?}");
        assert!(refused.message.contains("since 20"), "{refused:?}");
    }
    shim.call("get_terminal_output", session)
        .expect("who looks is let");
    let all = shim.call("get_active_commands", json!({"finished": 1}));
    for told in [
        all.expect("a list")["commands"][0].clone(),
        shim.call("list_sessions", json!({})).expect("a list")["sessions"][0].clone(),
    ] {
        let notice = told["notice"].as_str().unwrap_or_default();
        assert!(
            notice.contains("has had the keyboard of session zsh since 20"),
            "{told}"
        );
    }
    pane.types("vim -u NONE -N");
    pane.keys("Enter");
    pane.shows("vim", |seen| seen.matches("\n~").count() > 5);
    let attached = eventually_some("sshctl", || {
        bed.processes()
            .into_iter()
            .find(|process| process.line.contains("attach zsh --take"))
    });
    let killed = bed
        .tool("kill")
        .arg(attached.pid.to_string())
        .status()
        .expect("kill runs");
    assert!(killed.success());
    pane.shows("the way out", |seen| seen.contains("detached from zsh"));
    assert_eq!(pane.state(), "0 1 0");
    let shown = shim
        .call("send_input", with("text", ":q!"))
        .expect("it is given back");
    assert_eq!(shown["settled"], true, "{shown}");
    assert_eq!(shim.run("zsh", "echo back").stdout, "back\n");
    pane.close();
    shim.close();
    bed.finish();
}

/// Who only looks types nothing, and what a host wants to do to their terminal is not done.
#[test]
fn a_person_looks_on() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("dash", "true");
    let pane = Pane::open(&bed);
    pane.tmux(&["set-option", "-g", "set-clipboard", "on"]);
    pane.sshctl("watch dash");
    pane.shows("the bar", |seen| seen.contains("looking on"));
    pane.types("xyz");
    let hostile = r"printf '\033]0;evil\007\033]52;c;ZXZpbA==\007\033P+q544e\033\\\033[c\033[6n\033[?1049h\033[41mred\033[?1049l\nseen\n'";
    let ran = shim.run("dash", hostile);
    assert_eq!(ran.exit_code, Some(0), "{ran:?}");
    let seen = pane.shows_row("seen");
    assert!(!seen.contains("xyz"), "{seen}");
    let output = pane.tmux(&["display-message", "-p", "-t", "p", "#{pane_title}"]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("evil"));
    let buffers = pane.tmux(&["list-buffers"]);
    assert!(buffers.stdout.is_empty(), "{buffers:?}");
    assert_eq!(shim.run("dash", "echo clean").stdout, "clean\n");
    pane.keys("q");
    pane.shows("the way out", |seen| seen.contains("detached from dash"));
    pane.close();
    shim.close();
    bed.finish();
}
