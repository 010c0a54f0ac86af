//! What a tool call gave, as its structured content says it. Fields that a story rarely needs are in `object`.

use serde_json::Value;

/// A tool's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolError {
    /// One of the contract's codes.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// True if the same call may work later.
    pub retryable: bool,
}

impl ToolError {
    /// Reads `structuredContent.error`.
    pub fn read(error: &Value) -> Self {
        Self {
            code: text(error, "code"),
            message: text(error, "message"),
            hint: text(error, "hint"),
            retryable: error["retryable"].as_bool().unwrap_or_default(),
        }
    }
}

/// One command as a tool reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// `c1`, `c2`, …
    pub id: String,
    /// The session that it ran in.
    pub session: String,
    /// `completed`, `running`, …
    pub status: String,
    /// Only if the far side gave it.
    pub exit_code: Option<i64>,
    /// Standard output that the answer carries.
    pub stdout: String,
    /// Standard error; empty also where it cannot be told apart.
    pub stderr: String,
    /// Working directory.
    pub cwd: String,
    /// What the caller must know; empty if nothing.
    pub notice: String,
    /// All of it.
    pub object: Value,
}

impl Outcome {
    /// Reads the object that every tool which reports on a command returns.
    pub fn read(object: Value) -> Self {
        Self {
            id: text(&object, "command_id"),
            session: text(&object, "session"),
            status: text(&object, "status"),
            exit_code: object["exit_code"].as_i64(),
            stdout: text(&object, "stdout"),
            stderr: text(&object, "stderr"),
            cwd: text(&object, "cwd"),
            notice: text(&object, "notice"),
            object,
        }
    }

    /// A number of the object; fails if it is none.
    pub fn number(&self, field: &str) -> u64 {
        self.object[field]
            .as_u64()
            .unwrap_or_else(|| panic!("{field} is no number: {}", self.object))
    }
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().to_owned()
}
