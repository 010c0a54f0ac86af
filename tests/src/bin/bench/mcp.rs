//! The least that an MCP client is: one line out, one line in, on the same thread.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use serde_json::{Value, json};
use sshmcp_tests::TestBed;

/// A running `mcp-ssh`.
pub(crate) struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: String,
    last: u64,
    /// Answers that came before they were asked for.
    early: HashMap<u64, Value>,
}

impl Client {
    /// Starts it and shakes hands.
    pub(crate) fn start(bed: &TestBed) -> Self {
        let mut child = bed
            .program("mcp-ssh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("mcp-ssh runs");
        let mut client = Self {
            input: child.stdin.take().expect("piped"),
            output: BufReader::new(child.stdout.take().expect("piped")),
            child,
            line: String::new(),
            last: 0,
            early: HashMap::new(),
        };
        client.ask(
            "initialize",
            &json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "bench", "version": "1"},
            }),
        );
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The tools, as every client asks for them first.
    pub(crate) fn list_tools(&mut self) {
        let result = self.ask("tools/list", &json!({}));
        assert!(result["tools"].is_array(), "{result}");
    }

    /// One command in the host's session.
    pub(crate) fn run_true(&mut self, host: &str) {
        let begun = self.begin_true(host);
        self.finish_true(begun);
    }

    /// Begins one; several may be under way.
    pub(crate) fn begin_true(&mut self, host: &str) -> u64 {
        self.begin(
            "execute_command",
            &json!({"host": host, "command": "true", "timeout": 50}),
        )
    }

    /// The same in a session of this name.
    pub(crate) fn begin_true_in(&mut self, host: &str, session: &str) -> u64 {
        self.begin(
            "execute_command",
            &json!({"host": host, "session": session, "command": "true", "timeout": 50}),
        )
    }

    /// Waits for its end.
    pub(crate) fn finish_true(&mut self, begun: u64) {
        let result = self.answer(begun);
        assert_eq!(result["structuredContent"]["exit_code"], 0, "{result}");
    }

    /// A command with output; gives its id, after it has ended and all of its bytes were counted.
    pub(crate) fn run_counted(&mut self, host: &str, command: &str, bytes: u64) -> String {
        let arguments = json!({"host": host, "command": command, "timeout": 50});
        let content = self.call("execute_command", &arguments);
        assert_eq!(content["exit_code"], 0, "{content}");
        assert_eq!(content["total_bytes"], bytes, "{content}");
        content["command_id"].as_str().unwrap_or_default().to_owned()
    }

    /// A command in a session; all of its bytes were counted.
    pub(crate) fn run_in(&mut self, session: &str, command: &str, bytes: u64) {
        let arguments = json!({"session": session, "command": command, "timeout": 50});
        let content = self.call("execute_command", &arguments);
        assert_eq!(content["exit_code"], 0, "{content}");
        assert_eq!(content["total_bytes"], bytes, "{content}");
    }

    /// Reads a command's output from its first byte to its last, and gives its length.
    pub(crate) fn read_back(&mut self, id: &str) -> usize {
        let (mut offset, mut length) = (0, 0);
        loop {
            let arguments = json!({"command_id": id, "offset": offset, "output_limit": 40_000});
            let content = self.call("get_command_output", &arguments);
            length += content["stdout"].as_str().unwrap_or_default().len();
            let next = content["offset"].as_u64().unwrap_or_default();
            if next >= content["total_bytes"].as_u64().unwrap_or_default() {
                return length;
            }
            assert!(next > offset, "reading does not move on: {content}");
            offset = next;
        }
    }

    /// A call that the daemon answers out of its memory; gives how many sessions there are.
    pub(crate) fn list_sessions(&mut self) -> usize {
        let content = self.call("list_sessions", &json!({}));
        content["sessions"].as_array().expect("a list").len()
    }

    /// One call; its facts.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let begun = self.begin(tool, arguments);
        self.answer(begun)["structuredContent"].take()
    }

    fn begin(&mut self, tool: &str, arguments: &Value) -> u64 {
        self.request("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.request(method, params);
        self.answer(id)
    }

    fn request(&mut self, method: &str, params: &Value) -> u64 {
        self.last += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}));
        self.last
    }

    /// The result of a request.
    fn answer(&mut self, id: u64) -> Value {
        if let Some(result) = self.early.remove(&id) {
            return result;
        }
        loop {
            self.line.clear();
            let read = self.output.read_line(&mut self.line).expect("the server writes");
            assert!(read > 0, "the server ended");
            let mut answer: Value = serde_json::from_str(&self.line).expect("JSON");
            let result = answer["result"].take();
            match answer["id"].as_u64() {
                Some(answered) if answered == id => return result,
                Some(answered) => drop(self.early.insert(answered, result)),
                None => {}
            }
        }
    }

    fn send(&mut self, message: &Value) {
        let mut line = message.to_string();
        line.push('\n');
        self.input.write_all(line.as_bytes()).expect("the server reads");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
