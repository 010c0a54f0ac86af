//! Terminals: what the screen shows, where the cursor is, and how far the transcript goes.

use rmcp::model::JsonObject;
use serde_json::{Value, json};
use sshmcp_proto::v1::{GetTerminalResponse, SendInputResponse};

use super::{Reply, command, known, line, thousands};

/// The terminal for programs.
fn object(terminal: &GetTerminalResponse) -> JsonObject {
    let object = json!({
        "session": terminal.session,
        "text": terminal.text,
        "row": terminal.row,
        "column": terminal.column,
        "cols": terminal.cols,
        "rows": terminal.rows,
        "cursor": terminal.cursor,
        "lines": terminal.line_count,
        "title": known(&terminal.title),
        "alternate_screen": terminal.alternate_screen,
        "dropped_bytes": terminal.dropped_bytes,
        "omitted_lines": terminal.omitted_lines,
        "first_cursor": terminal.first_cursor,
        "following_bytes": terminal.following_bytes,
        "command": terminal.command.as_ref().map(|one| command::object(one, false)),
    });
    match object {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

/// The terminal as it is.
pub(crate) fn screen(terminal: &GetTerminalResponse) -> Reply {
    let mut text = body(terminal);
    if let Some(running) = &terminal.command {
        text.push('\n');
        text.push_str(&command::row(running));
    }
    Reply::new(Value::Object(object(terminal)), text)
}

/// The terminal and the command after something was typed.
pub(crate) fn typed(response: &SendInputResponse) -> Reply {
    let SendInputResponse {
        terminal,
        settled,
        why,
        command: answered,
    } = response;
    let terminal = terminal.clone().unwrap_or_default();
    let mut structured = object(&terminal);
    structured.insert("settled".to_owned(), json!(settled));
    structured.insert("why".to_owned(), known(why));
    structured.insert(
        "command".to_owned(),
        answered.as_ref().map(|one| command::object(one, true)).into(),
    );
    let mut text = body(&terminal);
    text.push('\n');
    text.push_str(&match why.as_str() {
        "prompt" => "[typed; the shell is at its prompt]".to_owned(),
        "awaiting_input" => "[typed; it reads again]".to_owned(),
        "ended" => "[typed; the command ended]".to_owned(),
        "pattern" => "[typed; the pattern matched]".to_owned(),
        "quiet" => "[typed; the screen is quiet]".to_owned(),
        "timeout" => {
            "[typed; the screen has not settled yet, or the pattern not come: look again with get_terminal_output]".to_owned()
        }
        other => format!("[typed; {}]", line(other)),
    });
    if let Some(answered) = answered {
        text.push('\n');
        text.push_str(&command::text(answered));
    }
    Reply::new(Value::Object(structured), text)
}

fn body(terminal: &GetTerminalResponse) -> String {
    let mut text = terminal.text.trim_end().to_owned();
    if !text.is_empty() {
        text.push('\n');
    }
    let mut facts = vec![
        format!("screen of {}", terminal.session),
        format!(
            "cursor at row {}, column {} of {}x{}",
            terminal.row, terminal.column, terminal.cols, terminal.rows
        ),
        format!("transcript cursor {}", terminal.cursor),
    ];
    if terminal.alternate_screen {
        facts.push("a full-screen program has it".to_owned());
    }
    if !terminal.title.is_empty() {
        facts.push(format!("title \"{}\"", terminal.title));
    }
    if terminal.dropped_bytes > 0 {
        facts.push(format!(
            "{} bytes before this are gone",
            thousands(terminal.dropped_bytes)
        ));
    }
    text.push_str(&format!("[{}]", line(&facts.join(" · "))));
    if terminal.omitted_lines > 0 {
        text.push_str(&format!(
            "\n[{} lines above these are left out; get_terminal_output(session=\"{session}\", cursor={}) reads on from the oldest \
             that is kept, the log_path of list_sessions has all]",
            thousands(terminal.omitted_lines.into()),
            terminal.first_cursor,
            session = line(&terminal.session),
        ));
    }
    if terminal.following_bytes > 0 {
        text.push_str(&format!(
            "\n[{} bytes follow: get_terminal_output(session=\"{session}\", cursor={}) reads on]",
            thousands(terminal.following_bytes),
            terminal.cursor,
            session = line(&terminal.session),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use sshmcp_proto::v1::{Command, CommandStatus};

    use super::*;

    fn terminal() -> GetTerminalResponse {
        GetTerminalResponse {
            session: "web1".to_owned(),
            text: "$ read x\nyes\n\n".to_owned(),
            row: 2,
            column: 0,
            cols: 120,
            rows: 40,
            cursor: 812,
            ..GetTerminalResponse::default()
        }
    }

    /// The screen, then where the cursor is.
    #[test]
    fn the_screen_reads_well() {
        let reply = screen(&terminal());
        assert_eq!(
            reply.text,
            "$ read x\nyes\n[screen of web1 · cursor at row 2, column 0 of 120x40 · transcript cursor 812]"
        );
        assert_eq!(reply.structured.get("command"), Some(&Value::Null));
    }

    /// What did not fit, and where it is to be had.
    #[test]
    fn what_is_left_out_is_told() {
        let above = screen(&GetTerminalResponse {
            omitted_lines: 1500,
            first_cursor: 77,
            ..terminal()
        });
        assert!(
            above.text.ends_with(
                "\n[1,500 lines above these are left out; get_terminal_output(session=\"web1\", cursor=77) reads on from the oldest \
                 that is kept, the log_path of list_sessions has all]"
            ),
            "{}",
            above.text
        );
        let behind = screen(&GetTerminalResponse {
            following_bytes: 2000,
            ..terminal()
        });
        assert!(
            behind.text.ends_with(
                "\n[2,000 bytes follow: get_terminal_output(session=\"web1\", cursor=812) reads on]"
            ),
            "{}",
            behind.text
        );
    }

    /// After typing: the screen, why it settled, and how the command goes.
    #[test]
    fn typing_reads_well() {
        let reply = typed(&SendInputResponse {
            terminal: Some(terminal()),
            settled: true,
            why: "ended".to_owned(),
            command: Some(Command {
                id: "c7".to_owned(),
                session: "web1".to_owned(),
                status: CommandStatus::Completed.into(),
                exit_code: Some(0),
                stdout: b"x=yes\n".to_vec(),
                duration_ms: 10,
                ..Command::default()
            }),
        });
        assert!(
            reply
                .text
                .ends_with("\n[typed; the command ended]\nx=yes\n[exit 0 · web1 · c7 · 10 ms]"),
            "{}",
            reply.text
        );
        let exit = reply
            .structured
            .get("command")
            .and_then(|command| command.get("exit_code"));
        assert_eq!(exit, Some(&json!(0)));
    }
}
