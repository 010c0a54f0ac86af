//! The least that an MCP client is: one line out, one line in, on the same thread.

use std::{
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

    /// One command in the host's session.
    pub(crate) fn run_true(&mut self, host: &str) {
        let result = self.call("execute_command", &json!({"host": host, "command": "true"}));
        let content = &result["structuredContent"];
        assert_eq!(content["exit_code"], 0, "{result}");
    }

    /// A call that the daemon answers out of its memory.
    pub(crate) fn list_sessions(&mut self) {
        let result = self.call("list_sessions", &json!({}));
        assert!(result["structuredContent"]["sessions"].is_array(), "{result}");
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}));
        loop {
            self.line.clear();
            let read = self.output.read_line(&mut self.line).expect("the server writes");
            assert!(read > 0, "the server ended");
            let mut answer: Value = serde_json::from_str(&self.line).expect("JSON");
            if answer["id"] == self.last {
                return answer["result"].take();
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
