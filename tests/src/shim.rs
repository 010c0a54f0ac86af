//! A plain JSON-RPC client over the pipes of a running `mcp-ssh`. Knows of MCP what a call needs, and waits for nothing
//! without an end.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    outcome::{Outcome, ToolError},
    wait::{eventually_some, within},
};

/// Longer than any call of ours may take: the longest wait of a call is 50 s.
const CALL_TIME: Duration = Duration::from_secs(90);
/// Messages read ahead; a server that says more waits for us.
const MESSAGES: usize = 1000;

/// A running server and our ends of its pipes.
pub struct Shim {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    answers: HashMap<u64, Value>,
    notifications: Vec<Value>,
    last: u64,
}

impl Shim {
    /// Starts the server and shakes hands.
    pub fn start(command: Command) -> Self {
        let mut shim = Self::spawn(command);
        let answer = shim.ask(
            "initialize",
            json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "story", "version": "1"},
            }),
        );
        assert!(answer["result"]["serverInfo"].is_object(), "{answer}");
        shim.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        shim
    }

    /// Starts the server and says nothing yet.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("mcp-ssh runs");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, messages) = sync_channel(MESSAGES);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line)
                    .unwrap_or_else(|error| json!({"not JSON": line, "because": error.to_string()}));
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self {
            input: child.stdin.take(),
            child,
            messages,
            answers: HashMap::new(),
            notifications: Vec::new(),
            last: 0,
        }
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One line to the server.
    pub fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("open");
        writeln!(input, "{message}").expect("the server reads");
    }

    /// Sends a request, and gives its id.
    pub fn request(&mut self, method: &str, params: Value) -> u64 {
        self.last += 1;
        let id = self.last;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The answer to a request, whole; other answers that come meanwhile are kept.
    pub fn answer(&mut self, id: u64) -> Value {
        self.answer_within(id, CALL_TIME)
            .unwrap_or_else(|| panic!("request {id} was not answered in {CALL_TIME:?}"))
    }

    /// The answer, if it comes in this time.
    pub fn answer_within(&mut self, id: u64, time: Duration) -> Option<Value> {
        let until = Instant::now() + time;
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return Some(answer);
            }
            let left = until.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).ok()?;
            match message["id"].as_u64() {
                Some(answered) => {
                    self.answers.insert(answered, message);
                }
                None => self.notifications.push(message),
            }
        }
    }

    /// The next answer to any request, if one comes in this time, with the request's id.
    pub fn next_answer(&mut self, time: Duration) -> Option<(u64, Value)> {
        let early = self.answers.keys().next().copied();
        if let Some(id) = early {
            return self.answers.remove(&id).map(|answer| (id, answer));
        }
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).ok()?;
            match message["id"].as_u64() {
                Some(id) => return Some((id, message)),
                None => self.notifications.push(message),
            }
        }
    }

    /// A request and its answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.answer(id)
    }

    /// Notifications that came while answers were waited for.
    pub fn notifications(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.notifications)
    }

    /// Begins a tool call; `finish_call` waits for it.
    pub fn begin_call(&mut self, tool: &str, arguments: Value) -> u64 {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// The structured content of a call that was begun.
    pub fn finish_call(&mut self, id: u64) -> Result<Value, ToolError> {
        let answer = self.answer(id);
        let result = &answer["result"];
        assert!(result.is_object(), "no result: {answer}");
        let content = result["structuredContent"].clone();
        if result["isError"].as_bool().unwrap_or_default() {
            return Err(ToolError::read(&content["error"]));
        }
        Ok(content)
    }

    /// Calls a tool.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        let id = self.begin_call(tool, arguments);
        self.finish_call(id)
    }

    /// `execute_command` with these arguments.
    pub fn execute(&mut self, arguments: Value) -> Result<Outcome, ToolError> {
        self.call("execute_command", arguments).map(Outcome::read)
    }

    /// Runs a command in the default session of a host, with all the output that a call gives.
    pub fn run(&mut self, host: &str, command: &str) -> Outcome {
        let arguments = json!({"host": host, "command": command, "output_limit": 40_000, "timeout": 50});
        self.execute(arguments)
            .unwrap_or_else(|error| panic!("{command:?}: {error:?}"))
    }

    /// Waits until a command has ended.
    pub fn wait_for(&mut self, id: &str) -> Outcome {
        eventually_some(&format!("{id} ends"), || {
            let arguments = json!({"command_id": id, "output_limit": 40_000});
            let outcome = self.call("get_command_output", arguments).map(Outcome::read);
            let outcome = outcome.expect("the command is known");
            (!matches!(&*outcome.status, "queued" | "running" | "awaiting_input")).then_some(outcome)
        })
    }

    /// All output of a command, read forward by offsets.
    pub fn whole_output(&mut self, id: &str) -> (String, String) {
        let (mut stdout, mut stderr, mut offset) = (String::new(), String::new(), 0);
        loop {
            let arguments = json!({"command_id": id, "offset": offset, "output_limit": 40_000});
            let part = Outcome::read(self.call("get_command_output", arguments).expect("its output"));
            stdout.push_str(&part.stdout);
            stderr.push_str(&part.stderr);
            let next = part.number("offset");
            if next >= part.number("total_bytes") {
                return (stdout, stderr);
            }
            assert!(next > offset, "reading does not move on: {}", part.object);
            offset = next;
        }
    }

    /// Closes the server's input, and tells how and after what time it ended.
    pub fn close(mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        drop(self.input.take());
        let ended = within(CALL_TIME, || self.child.try_wait().expect("its status"));
        (ended.expect("mcp-ssh ends with its input"), began.elapsed())
    }

    /// Kills the server without a word.
    pub fn kill(mut self) {
        self.child.kill().expect("ours");
        self.child.wait().expect("ours");
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
