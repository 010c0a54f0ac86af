//! Files and failures in the words of mcp-ssh-session: what would have been a program's output stands where that did.

use rmcp::model::JsonObject;
use sshmcp_proto::{error::Fault, v1::Reason};

use super::told::{is_true, number, text};
use crate::{
    profile::Profile,
    render::{line, thousands},
};

/// A file's content.
pub(super) fn read(_: &JsonObject, file: &JsonObject) -> String {
    let mut told = "Exit Status: 0\n\n".to_owned();
    let content = text(file, "content");
    if !content.is_empty() {
        told.push_str(&format!("CONTENT:\n{content}\n"));
    }
    if !is_true(file, "eof") {
        told.push_str(&format!(
            "STDERR:\nContent truncated: these are the first {} of {} bytes; read_file also takes offset={} to read on.\n",
            thousands(number(file, "next_offset")),
            thousands(number(file, "size")),
            number(file, "next_offset")
        ));
    }
    told
}

/// A file that was written, or added to.
pub(super) fn written(arguments: &JsonObject, file: &JsonObject) -> String {
    let (path, size) = (line(text(file, "path")), number(file, "size"));
    let done = if is_true(arguments, "append") {
        format!("Added to {path}, which has {size} bytes now")
    } else {
        format!("Wrote {size} bytes to {path}")
    };
    let mut told = format!("Exit Status: 0\n\nMESSAGE:\n{done}\n");
    if !text(file, "notice").is_empty() {
        told.push_str(&format!(
            "[notice: {}]\n",
            line(&Profile::Session.says(text(file, "notice")))
        ));
    }
    told
}

/// A failure, as each tool told its own.
pub(in crate::profile) fn failed(tool: &str, fault: &Fault, ours: &str) -> String {
    match tool {
        "read_file" | "write_file" => format!("Exit Status: 1\n\nSTDERR:\n{ours}\n"),
        _ if matches!(
            fault.reason,
            Reason::Unreachable
                | Reason::AuthFailed
                | Reason::AuthInputRequired
                | Reason::HostKeyUnknown
                | Reason::HostKeyChanged
                | Reason::HostNotFound
        ) =>
        {
            format!("Connection Error: {ours}")
        }
        _ => format!("Error: {ours}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(value: &Value) -> JsonObject {
        value.as_object().cloned().unwrap_or_default()
    }

    /// A file is its content; what is missing of it is said. What went wrong stands where it stood.
    #[test]
    fn files_are_their_content() {
        let none = JsonObject::new();
        let whole = object(&json!({"content": "a\n", "eof": true, "next_offset": 2, "size": 2}));
        assert_eq!(read(&none, &whole), "Exit Status: 0\n\nCONTENT:\na\n\n");
        let part = object(&json!({"content": "a", "eof": false, "next_offset": 1, "size": 3000}));
        let told = read(&none, &part);
        assert!(
            told.starts_with("Exit Status: 0\n\nCONTENT:\na\nSTDERR:\nContent truncated")
                && told.contains("the first 1 of 3,000 bytes"),
            "{told}"
        );
        let empty = object(&json!({"content": "", "eof": true, "next_offset": 0, "size": 0}));
        assert_eq!(read(&none, &empty), "Exit Status: 0\n\n");
        let done = object(&json!({"path": "/x", "size": 1200, "notice": "in place"}));
        assert_eq!(
            written(&none, &done),
            "Exit Status: 0\n\nMESSAGE:\nWrote 1200 bytes to /x\n[notice: in place]\n"
        );
        let added = written(&object(&json!({"append": true})), &done);
        assert!(
            added.contains("\nAdded to /x, which has 1200 bytes now\n"),
            "{added}"
        );
        for (tool, reason, begins) in [
            ("read_file", Reason::NotFound, "Exit Status: 1\n\nSTDERR:\nno."),
            ("execute_command", Reason::Unreachable, "Connection Error: no."),
            ("get_command_status", Reason::CommandNotFound, "Error: no."),
        ] {
            let told = failed(tool, &Fault::new(reason, "no"), "no.");
            assert!(told.starts_with(begins), "{told}");
        }
    }
}
