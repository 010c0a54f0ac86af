//! The smallest MCP client: starts the real `mcp-ssh` and calls its tools by JSON-RPC over stdio, as an agent's does.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::Broken;
use super::stage::Stage;

/// No step of the demo takes this long; a hanging one must not hang the demo.
const ANSWER_TIME: Duration = Duration::from_secs(20);
/// The revision of MCP that most clients speak now.
const REVISION: &str = "2025-06-18";
/// Longest piece of the server's own complaints that is shown.
const COMPLAINT: u64 = 4096; // bytes

/// A running MCP server and our end of its pipes. Killed when dropped.
pub(super) struct Agent {
    server: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    complaints: Option<ChildStderr>,
    next: u64,
}

/// What a tool answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// For programs.
    pub(super) facts: Value,
    /// For a model.
    pub(super) text: String,
}

impl Agent {
    /// Starts the server and shakes hands.
    pub(super) async fn start(stage: &Stage) -> Result<Self, Broken> {
        let mut server = Command::new(stage.shim())
            .env_clear()
            .envs(stage.environment())
            .current_dir(stage.directory())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the demo, which then clears up in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(requests), Some(answers)) = (server.stdin.take(), server.stdout.take()) else {
            return Err(Broken("mcp-ssh was started without pipes".to_owned()));
        };
        let mut agent = Self {
            complaints: server.stderr.take(),
            server,
            requests,
            answers: BufReader::new(answers).lines(),
            next: 1,
        };
        let client = json!({"name": "sshctl demo", "version": env!("CARGO_PKG_VERSION")});
        let hello = json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client});
        agent.request("initialize", hello).await?;
        agent
            .write(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await?;
        Ok(agent)
    }

    /// The names of the tools.
    pub(super) async fn tools(&mut self) -> Result<Vec<String>, Broken> {
        let list = self.request("tools/list", json!({})).await?;
        let tools = list["tools"].as_array().cloned().unwrap_or_default();
        Ok(tools
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .map(str::to_owned)
            .collect())
    }

    /// Calls a tool; its error is ours.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Answer, Broken> {
        let result = self
            .request("tools/call", json!({"name": tool, "arguments": arguments}))
            .await?;
        let text = result["content"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n");
        if result["isError"] == true {
            return Err(Broken(format!("{tool} failed: {text}")));
        }
        Ok(Answer {
            facts: result["structuredContent"].clone(),
            text,
        })
    }

    /// Ends the server without a word, as a client that crashes does.
    pub(super) async fn kill(mut self) -> Result<(), Broken> {
        Ok(self.server.kill().await?)
    }

    async fn request(&mut self, method: &str, params: Value) -> Result<Value, Broken> {
        let id = self.next;
        self.next += 1;
        self.write(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await?;
        let answer = timeout(ANSWER_TIME, self.answer(id)).await.map_err(|_| {
            Broken(format!(
                "{method} had no answer within {} seconds",
                ANSWER_TIME.as_secs()
            ))
        })??;
        match answer.get("error") {
            Some(error) => Err(Broken(format!("{method} was refused: {error}"))),
            None => Ok(answer["result"].clone()),
        }
    }

    /// The answer with this id; what else the server says meanwhile (progress, logs) is passed over.
    async fn answer(&mut self, id: u64) -> Result<Value, Broken> {
        while let Some(line) = self.answers.next_line().await? {
            let message: Value = serde_json::from_str(&line).map_err(|_| {
                Broken(format!(
                    "mcp-ssh wrote something else than JSON on stdout: {line:?}"
                ))
            })?;
            if message["id"] == id && message.get("method").is_none() {
                return Ok(message);
            }
        }
        Err(Broken(format!("mcp-ssh ended: {}", self.last_words().await)))
    }

    async fn last_words(&mut self) -> String {
        let mut words = Vec::new();
        if let Some(complaints) = self.complaints.take() {
            // What was read before a failure is all there is.
            let _read = complaints.take(COMPLAINT).read_to_end(&mut words).await;
        }
        String::from_utf8_lossy(&words).trim().to_owned()
    }

    async fn write(&mut self, message: Value) -> Result<(), Broken> {
        let mut line = message.to_string();
        line.push('\n');
        self.requests.write_all(line.as_bytes()).await?;
        Ok(self.requests.flush().await?)
    }
}
