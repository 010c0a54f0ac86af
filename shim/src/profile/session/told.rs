//! Answers in the words of mcp-ssh-session, each from the structured content; no fact is here that is not there.

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use crate::{
    profile::Profile,
    render::{line, thousands},
};

/// What an answer to typed text begins with.
const SENT: &str = "Input sent successfully\n";
/// Characters of a command's text in a listing.
const TEXT_CHARS: usize = 120;

pub(super) fn text<'a>(object: &'a JsonObject, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn number(object: &JsonObject, name: &str) -> u64 {
    object.get(name).and_then(Value::as_u64).unwrap_or_default()
}

pub(super) fn is_true(object: &JsonObject, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn list<'a>(object: &'a JsonObject, name: &str) -> Vec<&'a JsonObject> {
    let items = object.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_object).collect()
}

/// A command that was waited for.
pub(super) fn executed(_: &JsonObject, command: &JsonObject) -> String {
    let id = line(text(command, "command_id"));
    match text(command, "status") {
        "completed" | "interrupted" => {
            let mut told = format!("Exit Status: {}\n\n", exit_code(command));
            told.push_str(&output(command));
            notes(&mut told, command, &id);
            told
        }
        "lost" => {
            let mut told = format!(
                "Exit Status: unknown\n\nCommand ID: {id}\n\nIts shell or connection went away while it ran, so nobody knows how it \
                 ended. It is not run again by itself: look at the host before you repeat it.\n\n"
            );
            told.push_str(&output(command));
            notes(&mut told, command, &id);
            told
        }
        "awaiting_input" => {
            let mut told = format!(
                "Command paused waiting for user input ({}).\n\nCommand ID: {id}\n\n",
                question(command)
            );
            told.push_str(&answer_it(command, &id));
            told.push_str("\n\n");
            told.push_str(&output(command));
            notes(&mut told, command, &id);
            told
        }
        _ => {
            let mut told = format!(
                "Command is still running in background; do not start it again.\n\nCommand ID: {id}\n\n{}\n\n",
                go_on(&id)
            );
            told.push_str(&output(command));
            notes(&mut told, command, &id);
            told
        }
    }
}

/// A command that was not waited for.
pub(super) fn started(arguments: &JsonObject, command: &JsonObject) -> String {
    match text(command, "status") {
        "running" | "queued" => {
            let id = line(text(command, "command_id"));
            let mut told = format!("Command started with ID: {id}\n\n{}\n", go_on(&id));
            notes(&mut told, command, &id);
            told
        }
        // It was quicker than the answer.
        _ => {
            let id = line(text(command, "command_id"));
            format!("Command ID: {id}\n{}", executed(arguments, command))
        }
    }
}

/// A command by its id.
pub(super) fn status(_: &JsonObject, command: &JsonObject) -> String {
    let id = line(text(command, "command_id"));
    let mut told = format!(
        "Command ID: {id}\nSession: {}\nStatus: {}\n",
        line(text(command, "session")),
        line(text(command, "status"))
    );
    if command.get("exit_code").is_some_and(|code| !code.is_null()) {
        told.push_str(&format!("Exit Code: {}\n", exit_code(command)));
    }
    if text(command, "status") == "awaiting_input" {
        told.push_str(&format!(
            "Awaiting Input: {}\n{}\n",
            question(command),
            answer_it(command, &id)
        ));
    }
    let output = output(command);
    if !output.is_empty() {
        told.push('\n');
        told.push_str(&output);
    }
    let (offset, total) = (number(command, "offset"), number(command, "total_bytes"));
    if offset < total {
        told.push_str(&format!(
            "[{} bytes follow: get_command_status also takes offset={offset} to read on]\n",
            thousands(total - offset)
        ));
    }
    notes(&mut told, command, &id);
    told
}

/// What a signal did.
pub(super) fn interrupted(_: &JsonObject, structured: &JsonObject) -> String {
    let mut told = line(&Profile::Session.says(text(structured, "message")));
    let id = line(text(structured, "command_id"));
    if !id.is_empty() {
        let ended = if is_true(structured, "ended") {
            format!("ended, exit status {}", exit_code(structured))
        } else {
            format!("has not ended: {}", go_on(&id))
        };
        told.push_str(&format!("\n\nCommand ID: {id} ({ended})\n"));
        told.push_str(&output(structured));
    }
    told
}

/// Commands that run, each with its session.
pub(super) fn active(_: &JsonObject, structured: &JsonObject) -> String {
    let waits = list(structured, "queued");
    let runs = list(structured, "commands");
    commands("Active Commands:", "No active commands", &runs, &waits) + &configuration(structured)
}

/// Commands that run, by their ids.
pub(super) fn running(_: &JsonObject, structured: &JsonObject) -> String {
    let waits = list(structured, "queued");
    let runs = list(structured, "commands");
    commands("Running Commands:", "No running commands", &runs, &waits) + &configuration(structured)
}

/// Commands that ended, behind those that run.
pub(super) fn history(_: &JsonObject, structured: &JsonObject) -> String {
    let all = list(structured, "commands");
    commands(
        &format!("Command History (last {}):", all.len()),
        "No command history",
        &all,
        &[],
    ) + &configuration(structured)
}

/// A list of commands, and of those that wait for their turn behind them.
fn commands(title: &str, none: &str, commands: &[&JsonObject], waits: &[&JsonObject]) -> String {
    if commands.is_empty() && waits.is_empty() {
        return none.to_owned();
    }
    let mut told = format!("{title}\n");
    for command in commands {
        told.push_str(&named(command));
        told.push_str(&format!("  Status: {}\n", line(text(command, "status"))));
        if command.get("exit_code").is_some_and(|code| !code.is_null()) {
            told.push_str(&format!("  Exit Code: {}\n", exit_code(command)));
        }
        told.push_str(&format!("  Duration: {} ms\n", number(command, "duration_ms")));
        let last = text(command, "last_line");
        if !last.is_empty() {
            told.push_str(&format!("  Last line: {}\n", line(last)));
        }
    }
    for command in waits {
        told.push_str(&named(command));
        told.push_str("  Status: running (it waits for its turn: nothing of it was run yet)\n");
    }
    told
}

/// Which command it is, in a list.
fn named(command: &JsonObject) -> String {
    let shown: String = text(command, "command").chars().take(TEXT_CHARS).collect();
    format!(
        "\n- ID: {}\n  Session: {}\n  Command: {}\n",
        line(text(command, "command_id")),
        line(text(command, "session")),
        line(&shown)
    )
}

/// The shells that are open, each as its target.
pub(super) fn sessions(_: &JsonObject, structured: &JsonObject) -> String {
    let sessions = list(structured, "sessions");
    let mut told = if sessions.is_empty() {
        "No active SSH sessions".to_owned()
    } else {
        "Active SSH Sessions:".to_owned()
    };
    for session in sessions {
        let facts = ["session", "state", "cwd", "running_command_id", "log_path"];
        let facts: Vec<&str> = facts
            .iter()
            .map(|fact| text(session, fact))
            .filter(|fact| !fact.is_empty())
            .collect();
        let facts = line(&format!("- {} ({})", text(session, "target"), facts.join(", ")));
        told.push_str(&format!("\n{facts}"));
        let notice = text(session, "notice");
        if !notice.is_empty() {
            told.push_str(&format!("\n  notice: {}", line(&Profile::Session.says(notice))));
        }
    }
    told + &configuration(structured)
}

/// What is wrong with the configuration, for every listing to say.
fn configuration(structured: &JsonObject) -> String {
    let problems = structured.get("config_problems").and_then(Value::as_array);
    let words = problems
        .into_iter()
        .flatten()
        .map(|problem| line(problem.as_str().unwrap_or_default()));
    words
        .map(|problem| format!("\n[configuration: {problem}]"))
        .collect()
}

/// The shells of a host were closed.
pub(super) fn closed(_: &JsonObject, structured: &JsonObject) -> String {
    let closed: Vec<String> = list(structured, "closed")
        .into_iter()
        .map(|one| {
            let running = text(one, "running_command");
            let doing = if running.is_empty() {
                String::new()
            } else {
                format!(" (was still running: {running})")
            };
            line(&format!(
                "Closed session: {} ({}){doing}",
                text(one, "target"),
                text(one, "session")
            ))
        })
        .collect();
    closed.join("\n")
}

/// All shells were closed.
pub(super) fn all_closed(arguments: &JsonObject, structured: &JsonObject) -> String {
    let each = closed(arguments, structured);
    format!("All SSH sessions closed\n{each}").trim_end().to_owned()
}

/// What came of what was typed: a command's own output, else the terminal.
pub(super) fn typed(_: &JsonObject, structured: &JsonObject) -> String {
    let mut told = SENT.to_owned();
    let command = structured.get("command").and_then(Value::as_object);
    let output = command.map(output).unwrap_or_default();
    if let Some(command) = command {
        let id = line(text(command, "command_id"));
        told.push_str(&format!(
            "\nCommand ID: {id}\nStatus: {}\n",
            line(text(command, "status"))
        ));
        if command.get("exit_code").is_some_and(|code| !code.is_null()) {
            told.push_str(&format!("Exit Code: {}\n", exit_code(command)));
        }
        if text(command, "status") == "awaiting_input" {
            told.push_str(&format!("Awaiting Input: {}\n", question(command)));
        }
    }
    let screen = text(structured, "text").trim_end();
    if output.is_empty() && screen.is_empty() {
        told.push_str("\nNo immediate output received\n");
    } else if output.is_empty() {
        told.push_str(&format!("\nOutput:\n{screen}\n"));
    } else {
        told.push_str(&format!("\nOutput:\n{output}"));
    }
    told
}

/// Keys that were typed.
pub(super) fn pressed(arguments: &JsonObject, structured: &JsonObject) -> String {
    let to = ["host", "session"].map(|name| text(arguments, name));
    let to = to.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let told = typed(arguments, structured);
    let rest = told.strip_prefix(SENT).unwrap_or(&told);
    format!("Successfully sent keys to {}\n{rest}", line(to))
}

/// The screen, as JSON: rows and the cursor's place among them, from 0.
pub(super) fn screen(_: &JsonObject, structured: &JsonObject) -> String {
    let mut lines: Vec<&str> = text(structured, "text").lines().map(str::trim_end).collect();
    // The cursor's row is there, and empty ones above it.
    let cursor = number(structured, "row").min(number(structured, "rows"));
    let rows = usize::try_from(cursor).unwrap_or_default().saturating_add(1);
    lines.resize(lines.len().max(rows), "");
    let shown = json!({
        "lines": lines, "cursor_x": structured.get("column"), "cursor_y": structured.get("row"),
        "width": structured.get("cols"), "height": structured.get("rows"),
    });
    serde_json::to_string_pretty(&shown).unwrap_or_else(|_| shown.to_string())
}

fn exit_code(command: &JsonObject) -> String {
    match command.get("exit_code").and_then(Value::as_i64) {
        Some(code) => code.to_string(),
        None => "unknown".to_owned(),
    }
}

/// Both streams, where they hold something.
fn output(command: &JsonObject) -> String {
    let mut told = String::new();
    for (title, stream) in [("STDOUT", "stdout"), ("STDERR", "stderr")] {
        let written = text(command, stream);
        if !written.is_empty() {
            told.push_str(&format!(
                "{title}:\n{}\n",
                written.strip_suffix('\n').unwrap_or(written)
            ));
        }
    }
    told
}

fn notes(told: &mut String, command: &JsonObject, id: &str) {
    let omitted = number(command, "omitted_bytes");
    if omitted > 0 {
        told.push_str(&format!(
            "[{} of {} bytes are left out in the middle; get_command_status('{id}') has them from the start]\n",
            thousands(omitted),
            thousands(number(command, "total_bytes"))
        ));
    }
    let notice = text(command, "notice");
    if !notice.is_empty() {
        told.push_str(&format!("[notice: {}]\n", line(&Profile::Session.says(notice))));
    }
}

fn go_on(id: &str) -> String {
    format!(
        "Use get_command_status('{id}') to check progress.\nUse interrupt_command_by_id('{id}') to stop it."
    )
}

fn question(command: &JsonObject) -> String {
    let prompt = command.get("prompt").and_then(Value::as_object);
    let asked = prompt.map(|prompt| text(prompt, "text")).unwrap_or_default();
    if asked.is_empty() {
        "it reads from the terminal".to_owned()
    } else {
        line(asked)
    }
}

fn answer_it(command: &JsonObject, id: &str) -> String {
    let prompt = command.get("prompt").and_then(Value::as_object);
    let says = |name: &str, value| prompt.is_some_and(|prompt| prompt.get(name) == Some(&Value::Bool(value)));
    let is_secret = says("echo", false) && !says("keys", true);
    if is_secret {
        let session = line(text(command, "session"));
        format!(
            "It asks for a secret: ask the user to run `sshctl send --secret {session}`, then get_command_status('{id}')."
        )
    } else {
        format!("Use send_input('{id}', 'your_input\\n') to provide input.")
    }
}

#[cfg(test)]
mod tests;
