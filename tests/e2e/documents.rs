//! README and docs: every configuration in them is understood, every command runs, and every call answers what stands there.
//! What a snippet is for is said behind its language (```json call), as `docs/tools.md` says; `NOT_HERE` lists what other tests run.

mod expected;
mod markdown;

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::clients::workspace;
use expected::matches;
use markdown::{Block, blocks};
use serde_json::Value;
use sshmcp_proto::{error::reason_code, v1::Reason};
use sshmcp_tests::{Shell, Shim, TestBed, eventually};

/// Commands that are not run here, and where they are.
const NOT_HERE: [(&str, &str); 4] = [
    (
        "cargo build",
        "every run of the tests; the demo: sshctl's own tests",
    ),
    ("tests/run", "this is a part of it"),
    ("cargo install", "tests/release readme, on a fresh Debian"),
    ("claude mcp add", "another's program"),
];

/// What a person answers on the terminal of a command.
const ANSWERS: [(&str, &str); 2] = [("sshctl trust", "yes\r"), ("sshctl attach", "\u{1d}")];

/// A document in use: its hosts, an agent, and a person's shell.
struct Reader {
    bed: TestBed,
    /// With its profile.
    shim: Option<(String, Shim)>,
    wrong: Vec<String>,
}

impl Reader {
    fn new() -> Self {
        let bed = TestBed::new();
        let port = bed.sshd().port();
        for (name, shell) in [("web1", Shell::Bash), ("web2", Shell::Bash), ("db1", Shell::Zsh)] {
            bed.alias(name, &bed.user(shell).name, port);
        }
        Self {
            bed,
            shim: None,
            wrong: Vec::new(),
        }
    }

    fn read(&mut self, name: &str) {
        let text = fs::read_to_string(workspace().join(name)).expect("a document");
        let all = blocks(&text);
        for (number, block) in all.iter().enumerate() {
            let next = all.get(number + 1).filter(|next| next.info == "text answer");
            let result = match &*block.info {
                "toml" => self.configuration(&block.text),
                "yaml" => self.predecessors(&block.text),
                "json call" => self.call("default", &block.text, next),
                "json call interactive" => self.call("interactive", &block.text, next),
                "json call session" => self.call("session", &block.text, next),
                "sh" => self.commands(&block.text),
                "console" => self.console(&block.text),
                // Of other programs; that it is what it says is all that can be held.
                "json client" => client(&serde_json::from_str(&block.text).expect("JSON")),
                "toml client" => client(&to_json(&block.text)),
                "text answer" | "text" => Ok(()),
                other => Err(format!("`{other}` is no kind of snippet")),
            };
            if let Err(error) = result {
                let place = format!("{name}:{}", block.line);
                self.wrong.push(format!("{place}: {error}"));
            }
        }
    }

    /// `config.toml` without a mistake.
    fn configuration(&self, text: &str) -> Result<(), String> {
        let path = self.private("snippet.toml", text);
        let mut command = self.bed.program("sshctl");
        command.args(["config", "check"]).env("SSHMCP_CONFIG", path);
        success(&mut command)
    }

    /// The YAML of mcp-ssh-interactive.
    fn predecessors(&self, text: &str) -> Result<(), String> {
        let path = self.private(".ssh_mcp_config.yml", text);
        let mut command = self.bed.program("sshctl");
        let checked = success(command.args(["config", "check"]));
        fs::remove_file(path).expect("just written");
        checked
    }

    /// A file of the operator's that nobody else reads.
    fn private(&self, name: &str, text: &str) -> PathBuf {
        let path = self.bed.home().join(name);
        fs::write(&path, text).expect("a snippet");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        self.bed.give(name);
        path
    }

    fn call(&mut self, profile: &str, text: &str, answer: Option<&Block>) -> Result<(), String> {
        let call: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let (_, shim) = match self.shim.take() {
            Some((same, shim)) if same == profile => self.shim.insert((same, shim)),
            other => {
                if let Some((_, other)) = other {
                    other.close();
                }
                let mut command = self.bed.program("mcp-ssh");
                command.args(["--profile", profile]).stderr(Stdio::null());
                self.shim.insert((profile.to_owned(), Shim::start(command)))
            }
        };
        let mut answered = shim.ask("tools/call", call.clone());
        let looks = ["get_terminal_output", "get_command_status"].map(|tool| call["name"] == tool);
        if let (Some(answer), true) = (answer, looks.contains(&true)) {
            // What was typed is shown once the host has echoed it, and a question once somebody reads.
            eventually("what is looked at is what the document says", || {
                answered = shim.ask("tools/call", call.clone());
                let said = answered["result"]["content"][0]["text"].as_str();
                said.is_some_and(|said| matches(&answer.text, said).is_ok())
            });
        }
        let said = answered["result"]["content"][0]["text"]
            .as_str()
            .ok_or_else(|| format!("{call}: {answered}"))?;
        match answer {
            Some(answer) => matches(&answer.text, said),
            None if answered["result"]["isError"] == true => Err(said.to_owned()),
            None => Ok(()),
        }
    }

    /// Each line is a command that succeeds.
    fn commands(&self, text: &str) -> Result<(), String> {
        for line in text.lines() {
            if !line.trim().is_empty() && !line.starts_with('#') && !elsewhere(line) {
                self.shell(line)?;
            }
        }
        Ok(())
    }

    /// `$ command`, and below it what it prints.
    fn console(&self, text: &str) -> Result<(), String> {
        for part in text.split("$ ").skip(1) {
            let (line, output) = part.split_once('\n').unwrap_or((part, ""));
            if !elsewhere(line) {
                matches(output, &self.shell(line)?)?;
            }
        }
        Ok(())
    }

    /// What a command prints on a terminal where it asks, and on a pipe elsewhere.
    fn shell(&self, line: &str) -> Result<String, String> {
        let answer = ANSWERS.iter().find(|(command, _)| line.starts_with(command));
        let ctl = self.bed.program("sshctl");
        let programs = Path::new(ctl.get_program())
            .parent()
            .expect("a directory")
            .to_owned();
        let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        )));
        let mut command = match answer {
            Some(_) => {
                let mut command = self.bed.tool("script");
                command.args(["-qec", line, "/dev/null"]).stdin(Stdio::piped());
                command
            }
            None => {
                let mut command = self.bed.tool("sh");
                command.args(["-c", line]);
                command
            }
        };
        self.bed.program("sshmcpd");
        command.env("PATH", path.expect("a path")).envs(
            ctl.get_envs()
                .filter_map(|(name, value)| Some((name, value?)))
                .filter(|(name, _)| *name != "PATH"),
        );
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        if let (Some((_, typed)), Some(input)) = (answer, child.stdin.as_mut()) {
            input.write_all(typed.as_bytes()).ok();
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        // The doctor tells what it found by its exit code.
        let found = line.starts_with("sshctl doctor") && output.status.code() == Some(1);
        if !output.status.success() && !found {
            return Err(format!("`{line}`: {output:?}"));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What is wrong, once nothing is left of it.
    fn finish(mut self) -> Vec<String> {
        if let Some((_, shim)) = self.shim.take() {
            shim.close();
        }
        self.bed.ctl(&["close", "--all"]);
        self.bed.finish();
        self.wrong
    }
}

fn success(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{output:?}"))
}

fn elsewhere(line: &str) -> bool {
    NOT_HERE.iter().any(|(command, _)| line.starts_with(command))
}

fn to_json(text: &str) -> Value {
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

/// The entry of a client starts our program.
fn client(entry: &Value) -> Result<(), String> {
    match entry {
        Value::Object(fields) if fields.contains_key("command") => (fields["command"] == "mcp-ssh")
            .then_some(())
            .ok_or_else(|| format!("another command: {entry}")),
        Value::Object(fields) if fields.len() == 1 => fields.values().try_for_each(client),
        _ => Err(format!("no entry: {entry}")),
    }
}

/// Who meets a code finds it.
#[test]
fn trouble_has_every_code() {
    let text = fs::read_to_string(workspace().join("docs/trouble.md")).expect("a document");
    for reason in (1..).map_while(|number| Reason::try_from(number).ok()) {
        let row = format!("| `{}` | ", reason_code(reason));
        assert!(text.contains(&row), "{row}");
    }
}

#[test]
fn every_snippet_does_what_it_says() {
    let mut names: Vec<String> = fs::read_dir(workspace().join("docs"))
        .expect("docs")
        .map(|entry| format!("docs/{}", entry.expect("an entry").file_name().to_string_lossy()))
        .filter(|name| name.ends_with(".md"))
        .collect();
    names.push("README.md".to_owned());
    names.sort();
    let mut wrong = Vec::new();
    for name in names {
        let mut reader = Reader::new();
        reader.read(&name);
        wrong.extend(reader.finish());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
