//! The steps themselves: each calls tools as an agent would, quotes what came back, and checks it against its claim.

use serde_json::{Value, json};

use super::Line;
use crate::demo::Broken;
use crate::demo::agent::{Agent, Answer};
use crate::demo::stage::{NAME, Stage};

/// What `seq 1 COUNT` writes is 5 MB, to the byte.
const COUNT: u32 = 730_158;
const COUNT_BYTES: u64 = 5_000_001;
/// Characters of output that a call returns unless asked for more; the contract of `execute_command`.
const SHOWN: usize = 8_000;
/// The longest line of output that is quoted.
const QUOTE: usize = 90;

/// A step under way: the agent, and what is told about it.
pub(super) struct Scene {
    agent: Agent,
    /// What was called and came back since it was last told.
    pub(super) lines: Vec<Line>,
}

impl Scene {
    /// Calls a tool and tells so.
    async fn call(&mut self, tool: &'static str, about: &str, arguments: Value) -> Result<Answer, Broken> {
        self.lines.push(Line::Call(tool, about.to_owned()));
        self.agent.call(tool, arguments).await
    }

    /// Runs a command in the session and tells so.
    async fn run(&mut self, command: &str) -> Result<Answer, Broken> {
        self.call(
            "execute_command",
            command,
            json!({"host": NAME, "command": command}),
        )
        .await
    }

    /// Starts a command without waiting for it; tells its id.
    async fn begin(&mut self, command: &str) -> Result<String, Broken> {
        let arguments = json!({"host": NAME, "command": command, "timeout": 0});
        let answer = self
            .call("execute_command", &format!("{command}   (timeout 0)"), arguments)
            .await?;
        check(&answer, "/status", &json!("running"))?;
        let id = text(&answer, "/command_id")?.to_owned();
        self.back(&format!("{id} is running"));
        Ok(id)
    }

    fn back(&mut self, text: &str) {
        for line in text.trim_end().lines() {
            let short = crate::view::short(line, QUOTE);
            self.lines.push(Line::Back(short));
        }
    }
}

pub(super) async fn start(stage: &Stage) -> Result<Scene, Broken> {
    let mut agent = Agent::start(stage).await?;
    let tools = agent.tools().await?;
    for tool in [
        "list_hosts",
        "open_session",
        "execute_command",
        "wait_for",
        "send_input",
        "interrupt_command",
    ] {
        if !tools.iter().any(|name| name == tool) {
            return Err(Broken(format!("the tool {tool} is not listed")));
        }
    }
    let lines = vec![
        Line::Call("tools/list", String::new()),
        Line::Back(format!(
            "{} tools: {}, …",
            tools.len(),
            tools.get(..4).unwrap_or_default().join(", ")
        )),
    ];
    Ok(Scene { agent, lines })
}

pub(super) async fn hosts(scene: &mut Scene, stage: &Stage) -> Result<(), Broken> {
    let answer = scene.call("list_hosts", "", json!({})).await?;
    let hosts = answer.facts["hosts"].as_array().cloned().unwrap_or_default();
    let Some(host) = hosts.iter().find(|host| host["name"] == NAME) else {
        return Err(Broken(format!("{NAME} is not among the hosts: {}", answer.text)));
    };
    let about = host["description"].as_str().unwrap_or_default();
    scene.back(&format!("{NAME}   {}   {about}", stage.address()));
    Ok(())
}

pub(super) async fn open(scene: &mut Scene, stage: &Stage) -> Result<(), Broken> {
    let answer = scene.call("open_session", NAME, json!({"host": NAME})).await?;
    let name = answer.facts["session"].as_str().unwrap_or_default();
    let shell = answer.facts["shell"].as_str().unwrap_or_default();
    if name != NAME {
        return Err(Broken(format!(
            "the session is not named {NAME}: {}",
            answer.facts
        )));
    }
    let expected = stage.shell().file_name().unwrap_or_default().to_string_lossy();
    // /bin/sh is a name that several shells go by.
    if expected != "sh" && shell != expected {
        return Err(Broken(format!(
            "the shell is {expected}, but {shell:?} was found"
        )));
    }
    scene.back(&format!(
        "session {name} is ready: {shell} on {}",
        stage.address()
    ));
    Ok(())
}

pub(super) async fn state(scene: &mut Scene) -> Result<(), Broken> {
    let made = scene
        .run("mkdir -p shop && cd shop && COLOUR=teal && greet() { echo \"hello from $COLOUR\"; }")
        .await?;
    exited(&made, 0)?;
    let answer = scene.run("pwd; greet").await?;
    exited(&answer, 0)?;
    let stdout = text(&answer, "/stdout")?;
    if !stdout.trim_end().ends_with("/shop\nhello from teal") {
        return Err(Broken(format!("directory or function did not stay: {stdout:?}")));
    }
    scene.back(stdout);
    Ok(())
}

pub(super) async fn apart(scene: &mut Scene) -> Result<(), Broken> {
    let answer = scene.run("echo result; echo trouble >&2; (exit 7)").await?;
    exited(&answer, 7)?;
    check(&answer, "/stdout", &json!("result\n"))?;
    check(&answer, "/stderr", &json!("trouble\n"))?;
    check(&answer, "/completion", &json!("exact"))?;
    scene.back(&format!(
        "stdout \"result\"   stderr \"trouble\"   exit code 7   {} ms on the host",
        answer.facts["duration_ms"]
    ));
    Ok(())
}

pub(super) async fn long(scene: &mut Scene) -> Result<(), Broken> {
    let id = scene
        .begin("for step in 1 2 3; do echo \"step $step\"; sleep 0.4; done; echo built")
        .await?;
    let ended = scene.wait(&id).await?;
    exited(&ended, 0)?;
    if !text(&ended, "/stdout")?.ends_with("step 3\nbuilt\n") {
        return Err(Broken(format!(
            "output of the long command is missing: {}",
            ended.facts
        )));
    }
    scene.back(&format!(
        "{id} completed after {} ms: step 1 … step 3, built",
        ended.facts["duration_ms"]
    ));
    Ok(())
}

impl Scene {
    /// Waits for one command; its entry of the answer.
    async fn wait(&mut self, id: &str) -> Result<Answer, Broken> {
        let answer = self
            .call("wait_for", id, json!({"commands": [id], "timeout": 15}))
            .await?;
        let entry = answer
            .facts
            .pointer("/commands/0")
            .cloned()
            .ok_or_else(|| Broken(format!("wait_for told of no command: {}", answer.facts)))?;
        Ok(Answer {
            facts: entry,
            text: answer.text,
        })
    }
}

pub(super) async fn question(scene: &mut Scene) -> Result<(), Broken> {
    let asked = scene
        .run("printf 'Deploy to production? [y/N] '; read answer; echo \"answer: $answer\"")
        .await?;
    check(&asked, "/status", &json!("awaiting_input"))?;
    let prompt = text(&asked, "/prompt/text")?.to_owned();
    if !prompt.contains("Deploy to production?") {
        return Err(Broken(format!("the question was not seen, but {prompt:?}")));
    }
    let id = text(&asked, "/command_id")?.to_owned();
    scene.back(&format!("awaiting_input: \"{}\"", prompt.trim_end()));
    scene
        .call("send_input", "y", json!({"session": NAME, "text": "y"}))
        .await?;
    let ended = scene.wait(&id).await?;
    exited(&ended, 0)?;
    let whole = scene
        .agent
        .call("get_command_output", json!({"command_id": id, "offset": 0}))
        .await?;
    let stdout = text(&whole, "/stdout")?;
    if !stdout.ends_with("answer: y\n") {
        return Err(Broken(format!("the answer did not arrive: {stdout:?}")));
    }
    scene.back(&format!("{id} completed: \"answer: y\""));
    Ok(())
}

pub(super) async fn interrupt(scene: &mut Scene) -> Result<(), Broken> {
    let id = scene.begin("sleep 300").await?;
    scene
        .call("interrupt_command", &id, json!({"command_id": id}))
        .await?;
    let ended = scene
        .agent
        .call("get_command_output", json!({"command_id": id}))
        .await?;
    check(&ended, "/status", &json!("interrupted"))?;
    check(&ended, "/exit_code", &json!(130))?;
    scene.back(&format!(
        "{id} interrupted after {} ms, exit code 130",
        ended.facts["duration_ms"]
    ));
    let after = scene.run("greet").await?;
    exited(&after, 0)?;
    check(&after, "/stdout", &json!("hello from teal\n"))?;
    scene.back("hello from teal");
    Ok(())
}

pub(super) async fn crash(scene: &mut Scene, stage: &Stage) -> Result<(), Broken> {
    let id = scene.begin("sleep 0.8; echo \"survived in $COLOUR\"").await?;
    scene.agent.crash_and_start(stage).await?;
    scene.back("… mcp-ssh is killed, and started anew …");
    let sessions = scene.call("list_sessions", "", json!({})).await?;
    if !sessions.facts.to_string().contains(&format!("\"{id}\"")) {
        return Err(Broken(format!(
            "the running command is not listed: {}",
            sessions.facts
        )));
    }
    scene.back(&format!("{NAME}: {id} is running"));
    let ended = scene.wait(&id).await?;
    exited(&ended, 0)?;
    check(&ended, "/stdout", &json!("survived in teal\n"))?;
    scene.back("survived in teal");
    Ok(())
}

pub(super) async fn flood(scene: &mut Scene) -> Result<(), Broken> {
    let answer = scene.run(&format!("seq 1 {COUNT}")).await?;
    exited(&answer, 0)?;
    check(&answer, "/total_bytes", &json!(COUNT_BYTES))?;
    let stdout = text(&answer, "/stdout")?;
    let omitted = answer.facts["omitted_bytes"].as_u64().unwrap_or(0);
    let shown = stdout.chars().count();
    // What is left out is said in the text: a short notice on top of the limit.
    if shown > SHOWN + 400 || omitted < COUNT_BYTES - 2 * SHOWN as u64 {
        return Err(Broken(format!(
            "{shown} characters were returned, {omitted} bytes left out"
        )));
    }
    if !stdout.starts_with("1\n2\n3\n") || !stdout.trim_end().ends_with(&COUNT.to_string()) {
        return Err(Broken("head or tail of the output is missing".to_owned()));
    }
    scene.back(&format!(
        "{COUNT_BYTES} bytes in {} ms; returned: head and tail",
        answer.facts["duration_ms"]
    ));
    scene.back(&format!("{omitted} bytes left out"));
    let id = text(&answer, "/command_id")?.to_owned();
    let found = scene
        .call(
            "get_command_output",
            &format!("{id} grep ^65432[01]$"),
            json!({"command_id": id, "grep": "^65432[01]$"}),
        )
        .await?;
    let lines = text(&found, "/stdout")?;
    if !lines.contains("654320") || !lines.contains("654321") {
        return Err(Broken(format!(
            "what was left out cannot be found again: {lines:?}"
        )));
    }
    scene.back("654320, 654321: found in what was left out, without running anything again");
    Ok(())
}

pub(super) async fn close(scene: &mut Scene, stage: &Stage) -> Result<(), Broken> {
    scene
        .call("close_session", NAME, json!({"session": NAME}))
        .await?;
    let sessions = scene.agent.call("list_sessions", json!({})).await?;
    if sessions.facts["sessions"]
        .as_array()
        .is_none_or(|list| !list.is_empty())
    {
        return Err(Broken(format!("a session is still open: {}", sessions.facts)));
    }
    scene.back("no sessions");
    let left = stage.left_on_host()?;
    if !left.is_empty() {
        return Err(Broken(format!("the home directory there still has {left:?}")));
    }
    Ok(())
}

/// What stands at a place of an answer must be this.
fn check(answer: &Answer, place: &str, expected: &Value) -> Result<(), Broken> {
    let found = answer.facts.pointer(place).unwrap_or(&Value::Null);
    if found == expected {
        return Ok(());
    }
    Err(Broken(format!(
        "{} is {found}, not {expected}; the whole answer: {}",
        place.trim_start_matches('/'),
        answer.facts
    )))
}

/// The command must have completed with this code.
fn exited(answer: &Answer, code: i32) -> Result<(), Broken> {
    check(answer, "/status", &json!("completed"))?;
    check(answer, "/exit_code", &json!(code))
}

fn text<'a>(answer: &'a Answer, place: &str) -> Result<&'a str, Broken> {
    answer
        .facts
        .pointer(place)
        .and_then(Value::as_str)
        .ok_or_else(|| {
            Broken(format!(
                "{} is missing: {}",
                place.trim_start_matches('/'),
                answer.facts
            ))
        })
}
