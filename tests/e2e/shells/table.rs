//! A row of the table, and a session that plays rows one after the other and writes down what was wrong.

use std::path::PathBuf;

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, TestBed, ToolError, User};

use super::reference::{Said, run, without_names};

/// What is to be seen of one stream.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    /// This and no more.
    Is(String),
    /// This somewhere.
    Has(&'static str),
    /// Whatever there is.
    Any,
}

/// What somebody does while the command runs.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Nothing,
    /// Types these lines, one whenever the command awaits input; `echo` tells what the prompt must say of it.
    Answer(&'static [&'static str], bool),
    /// Answers a line, then ends the input.
    AnswerAndEnd(&'static str),
    /// Interrupts it as soon as it runs.
    Interrupt,
}

/// What must come of it.
#[derive(Clone, Debug)]
enum Expect {
    /// As `SHELL -c` says.
    Like,
    These {
        code: Option<i64>,
        stdout: Text,
        stderr: Text,
    },
}

/// One command of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    text: String,
    act: Act,
    expect: Expect,
    ends: bool,
    traced: bool,
    whole: bool,
    other: bool,
    noticed: bool,
}

impl Row {
    fn new(text: impl Into<String>, expect: Expect) -> Self {
        Self {
            text: text.into(),
            act: Act::Nothing,
            expect,
            ends: false,
            traced: false,
            whole: false,
            other: false,
            noticed: false,
        }
    }

    /// The shell ends with it; the next command meets a new one, and is told.
    pub(crate) fn ends(mut self) -> Self {
        self.ends = true;
        self
    }

    /// From here on the shell itself writes to standard error.
    pub(crate) fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// More output than an answer carries: all of it is read by offsets.
    pub(crate) fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// From here on `printf` and all that is traced says something else: the plain command after it is left out.
    pub(crate) fn other(mut self) -> Self {
        self.other = true;
        self
    }

    /// The answer has something to tell of it.
    pub(crate) fn noticed(mut self) -> Self {
        self.noticed = true;
        self
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn act(mut self, act: Act) -> Self {
        self.act = act;
        self
    }
}

/// As `SHELL -c` says.
pub(crate) fn like(text: impl Into<String>) -> Row {
    Row::new(text, Expect::Like)
}

/// Exactly this.
pub(crate) fn gives(text: impl Into<String>, code: i64, stdout: impl Into<String>, stderr: &str) -> Row {
    sees(text, code, Text::Is(stdout.into()), Text::Is(stderr.into()))
}

/// This, as far as it is said.
pub(crate) fn sees(text: impl Into<String>, code: i64, stdout: Text, stderr: Text) -> Row {
    let code = Some(code);
    Row::new(text, Expect::These { code, stdout, stderr })
}

/// A host's session, and what went wrong in it.
pub(crate) struct Session {
    shim: Shim,
    shell: Shell,
    user: User,
    cwd: PathBuf,
    scratch: PathBuf,
    wrong: Vec<String>,
    opened: bool,
}

impl Session {
    pub(crate) fn new(bed: &TestBed, shell: Shell) -> Self {
        let user = bed.user(shell).clone();
        Self {
            shim: bed.shim(),
            shell,
            cwd: user.home.clone(),
            user,
            scratch: bed.scratch(shell),
            wrong: Vec::new(),
            opened: false,
        }
    }

    pub(crate) fn finish(self) -> Vec<String> {
        self.shim.close();
        self.wrong
    }

    /// Plays a row, and a plain command after it. `@` in the text is a directory of the story's own.
    pub(crate) fn play(&mut self, row: &Row) {
        let text = row.text.replace("@/", &format!("{}/", self.scratch.display()));
        let expected = match &row.expect {
            Expect::Like => {
                let Said { code, stdout, stderr } = run(&self.user, self.shell, &self.cwd, &text);
                (code, Text::Is(stdout), Text::Is(stderr))
            }
            Expect::These { code, stdout, stderr } => (*code, stdout.clone(), stderr.clone()),
        };
        let outcome = match self.perform(&text, row) {
            Ok(outcome) => outcome,
            Err(words) => return self.give_up(&text, &words),
        };
        self.compare(&text, &outcome, &expected);
        if self.opened && outcome.notice.is_empty() == row.noticed && !row.ends {
            self.note(&text, &format!("notice: {:?}", outcome.notice));
        }
        self.opened = true;
        if row.other {
            return;
        }
        let next = match self.shell {
            Shell::Fish => "printf 'next %s\\n' $status",
            _ => "printf 'next %s\\n' \"$?\"",
        };
        let code = if row.ends {
            0
        } else {
            outcome.exit_code.unwrap_or_default()
        };
        let plain = Row::new(next, Expect::Like);
        match self.perform(next, &plain) {
            Ok(mut outcome) => {
                // ksh remembers 256 + n of a signal that everybody else, and we, tell as 128 + n.
                if self.shell == Shell::Ksh
                    && [code + 128, 256]
                        .iter()
                        .any(|other| outcome.stdout == format!("next {other}\n"))
                {
                    outcome.stdout = format!("next {code}\n");
                }
                let stderr = if row.traced {
                    Text::Any
                } else {
                    Text::Is(String::new())
                };
                let what = format!("after {}", short(&text));
                self.compare(
                    &what,
                    &outcome,
                    &(Some(0), Text::Is(format!("next {code}\n")), stderr),
                );
                if outcome.notice.is_empty() == row.ends {
                    self.note(&what, &format!("notice: {:?}", outcome.notice));
                }
                self.cwd = outcome.cwd.into();
            }
            Err(words) => self.give_up(&format!("after {}", short(&text)), &words),
        }
    }

    fn perform(&mut self, text: &str, row: &Row) -> Result<Outcome, String> {
        let host = self.shell.host();
        let arguments = json!({
            "host": host, "session": "table", "command": text, "timeout": 50, "output_limit": 40_000,
        });
        let outcome = match row.act {
            Act::Interrupt => {
                let mut arguments = arguments;
                arguments["timeout"] = json!(1);
                let began = self.shim.execute(arguments).map_err(words)?;
                if began.status != "running" && began.status != "awaiting_input" {
                    return Err(format!("is not running: {}", began.object));
                }
                let asked = json!({"command_id": began.id});
                self.shim.call("interrupt_command", asked).map_err(words)?;
                self.end_of(&began)?
            }
            Act::Nothing => self.shim.execute(arguments).map_err(words)?,
            Act::Answer(lines, echo) => {
                let mut outcome = self.shim.execute(arguments).map_err(words)?;
                for line in lines {
                    if outcome.status != "awaiting_input" {
                        return Err(format!("asks nothing: {}", outcome.object));
                    }
                    let prompt = &outcome.object["prompt"];
                    if prompt["echo"] != json!(echo) || prompt["source"] != json!("terminal") {
                        return Err(format!("asks otherwise: {prompt}"));
                    }
                    let typed = json!({"command_id": outcome.id, "text": line});
                    self.shim.call("send_input", typed).map_err(words)?;
                    outcome = self.until_it_asks(&outcome)?;
                }
                outcome
            }
            Act::AnswerAndEnd(line) => {
                let outcome = self.shim.execute(arguments).map_err(words)?;
                if outcome.status != "awaiting_input" {
                    return Err(format!("asks nothing: {}", outcome.object));
                }
                let typed = json!({"command_id": outcome.id, "text": line});
                self.shim.call("send_input", typed).map_err(words)?;
                let end = json!({"command_id": outcome.id, "keys": ["ctrl-d"], "enter": false});
                self.shim.call("send_input", end).map_err(words)?;
                self.end_of(&outcome)?
            }
        };
        let wanted = if matches!(row.act, Act::Interrupt) {
            "interrupted"
        } else {
            "completed"
        };
        if outcome.status != wanted || outcome.object["completion"] != "exact" {
            return Err(format!("is not {wanted}: {}", short(&outcome.object.to_string())));
        }
        if row.whole {
            let (stdout, stderr) = self.shim.whole_output(&outcome.id);
            return Ok(Outcome {
                stdout,
                stderr,
                ..outcome
            });
        }
        Ok(outcome)
    }

    /// The command when it has ended, or asks again.
    fn until_it_asks(&mut self, outcome: &Outcome) -> Result<Outcome, String> {
        let waited = json!({"commands": [outcome.id], "timeout": 20});
        self.shim.call("wait_for", waited).map_err(words)?;
        let read = json!({"command_id": outcome.id, "output_limit": 40_000});
        self.shim
            .call("get_command_output", read)
            .map(Outcome::read)
            .map_err(words)
    }

    fn end_of(&mut self, outcome: &Outcome) -> Result<Outcome, String> {
        let ended = self.until_it_asks(outcome)?;
        if ended.status == "running" || ended.status == "awaiting_input" {
            return Err(format!("does not end: {}", ended.object));
        }
        Ok(ended)
    }

    fn compare(&mut self, text: &str, outcome: &Outcome, expected: &(Option<i64>, Text, Text)) {
        let (code, stdout, stderr) = expected;
        if outcome.exit_code != *code {
            self.note(
                text,
                &format!(
                    "exit code {:?}, not {code:?}; stderr {:?}",
                    outcome.exit_code,
                    short(&outcome.stderr)
                ),
            );
        }
        for (name, got, wanted) in [
            ("stdout", &outcome.stdout, stdout),
            ("stderr", &outcome.stderr, stderr),
        ] {
            let right = match wanted {
                Text::Is(wanted) if name == "stderr" => {
                    without_names(self.shell, got) == without_names(self.shell, wanted)
                }
                Text::Is(wanted) => got == wanted,
                Text::Has(part) => got.contains(part),
                Text::Any => true,
            };
            if !right {
                let wanted = match wanted {
                    Text::Is(wanted) => short(wanted),
                    other => format!("{other:?}"),
                };
                self.note(
                    text,
                    &format!("{name}\n  got    {:?}\n  wanted {wanted:?}", short(got)),
                );
            }
        }
    }

    fn note(&mut self, text: &str, words: &str) {
        self.wrong.push(format!("{:?}: {words}", short(text)));
    }

    /// Something that never came: the next row gets a new session.
    fn give_up(&mut self, text: &str, words: &str) {
        self.note(text, words);
        let closed: Result<Value, ToolError> = self.shim.call("close_session", json!({"session": "table"}));
        if let Err(error) = closed {
            self.note("close_session", &error.message);
        }
        self.cwd = self.user.home.clone();
        self.opened = false;
    }
}

fn words(error: ToolError) -> String {
    format!("{}: {} {}", error.code, error.message, error.hint)
}

/// Enough of a text to recognise it.
fn short(text: &str) -> String {
    const SHOWN: usize = 300;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let head: String = text.chars().take(SHOWN / 2).collect();
    let tail: Vec<char> = text.chars().rev().take(SHOWN / 2).collect();
    format!(
        "{head}…({} bytes)…{}",
        text.len(),
        tail.iter().rev().collect::<String>()
    )
}
