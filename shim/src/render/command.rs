//! One command as every tool reports it: the contract's object, and output with one status line for a model.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rmcp::model::JsonObject;
use serde_json::{Value, json};
use sshmcp_proto::v1::{Command, CommandStatus, Completion, Progress};

use super::{duration, known, line, thousands};

/// A command that is accepted counts as running, but that is not all of the truth.
const WAITS: &str = "it waits for its turn in the session: nothing of it was run yet";
/// Characters of a command's text that a listing shows.
const TEXT_CHARS: usize = 120;

/// The object; `with_output` is false in answers that carry none.
pub(crate) fn object(command: &Command, with_output: bool) -> JsonObject {
    let mut object = JsonObject::new();
    let mut put = |name: &str, value: Value| {
        object.insert(name.to_owned(), value);
    };
    put("session", known(&command.session));
    put("command_id", known(&command.id));
    put("status", known(status(command)));
    put("exit_code", command.exit_code.into());
    for (name, bytes) in [
        ("stdout", Some(&command.stdout)),
        ("stderr", command.stderr.as_ref()),
    ] {
        let Some(bytes) = bytes.filter(|_| with_output) else {
            put(name, Value::Null);
            continue;
        };
        let (text, encoded) = text_of(bytes, command.raw);
        put(name, text.into());
        if encoded {
            put(&format!("{name}_encoding"), json!("base64"));
        }
    }
    put("omitted_bytes", command.omitted_bytes.into());
    put("total_bytes", command.total_bytes.into());
    put("offset", command.offset.into());
    put("cwd", known(&command.cwd));
    put("duration_ms", command.duration_ms.into());
    put(
        "completion",
        match command.completion() {
            Completion::Exact => json!("exact"),
            Completion::Prompt => json!("prompt"),
            Completion::Idle => json!("idle"),
            Completion::Unspecified => Value::Null,
        },
    );
    put(
        "prompt",
        command.prompt.as_ref().map_or(Value::Null, |prompt| {
            let mut told = json!({"text": prompt.text, "echo": prompt.echo, "source": known(&prompt.source)});
            if prompt.keys {
                told["keys"] = true.into();
            }
            told
        }),
    );
    put("notice", known(&notice(command)));
    object
}

/// What the reader must know beside the status.
fn notice(command: &Command) -> String {
    let words = [WAITS, command.notice.as_str()];
    let first = usize::from(command.status() != CommandStatus::Queued);
    let words = words.iter().skip(first).filter(|words| !words.is_empty());
    words.copied().collect::<Vec<_>>().join("; ")
}

/// The object of a listing: no output, but what was run and what it last said.
pub(crate) fn listed(command: &Command) -> JsonObject {
    let mut object = object(command, false);
    object.insert("command".to_owned(), json!(command.text));
    object.insert("last_line".to_owned(), known(&command.last_line));
    object
}

/// Output, then the status line, then what must be done about it.
pub(crate) fn text(command: &Command) -> String {
    let mut text = output(command);
    text.push_str(&status_line(command));
    for note in notes(command) {
        text.push('\n');
        text.push_str(&note);
    }
    text
}

/// The output alone, each stream ending in a line break.
pub(crate) fn output(command: &Command) -> String {
    let mut text = String::new();
    let stderr = command.stderr.as_deref().unwrap_or_default();
    for (title, bytes) in [("", command.stdout.as_slice()), ("[stderr]\n", stderr)] {
        if bytes.is_empty() {
            continue;
        }
        let (shown, encoded) = text_of(bytes, command.raw);
        text.push_str(title);
        if encoded {
            text.push_str("[not UTF-8, in base64]\n");
        }
        text.push_str(&shown);
        if !shown.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

/// One line for a listing.
pub(crate) fn row(command: &Command) -> String {
    let mut row = status_line(command);
    let shown: String = command.text.chars().take(TEXT_CHARS).collect();
    row.push(' ');
    row.push_str(&line(&shown));
    if shown.len() < command.text.len() {
        row.push('…');
    }
    if !command.last_line.is_empty() {
        row.push_str(&format!("\n  last line: {}", line(&command.last_line)));
    }
    row
}

/// `12 s, 48,213 bytes, last line: …`
pub(crate) fn progress(progress: &Progress) -> String {
    let mut words = format!(
        "{} s, {} bytes",
        progress.elapsed_ms / 1_000,
        thousands(progress.total_bytes)
    );
    if !progress.last_line.is_empty() {
        words.push_str(&format!(", last line: {}", line(&progress.last_line)));
    }
    words
}

/// `[exit 0 · web1 · c42 · /srv · 3 ms]`
pub(crate) fn status_line(command: &Command) -> String {
    let mut parts = vec![match command.status() {
        CommandStatus::Queued => "queued, not started".to_owned(),
        CommandStatus::Running => "running".to_owned(),
        CommandStatus::AwaitingInput => "awaiting input".to_owned(),
        CommandStatus::Completed => ended("", command),
        CommandStatus::Interrupted => ended("interrupted, ", command),
        CommandStatus::Lost if never_began(command) => "lost, never started".to_owned(),
        CommandStatus::Lost => "lost, exit code unknown".to_owned(),
        CommandStatus::Unspecified => "status unknown".to_owned(),
    }];
    parts.extend(
        [&command.session, &command.id, &command.cwd]
            .into_iter()
            .filter(|part| !part.is_empty())
            .cloned(),
    );
    parts.push(duration(command.duration_ms));
    if !is_over(command) && command.total_bytes > 0 {
        parts.push(format!("{} bytes so far", thousands(command.total_bytes)));
    }
    format!("[{}]", line(&parts.join(" · ")))
}

fn ended(how: &str, command: &Command) -> String {
    let code = command
        .exit_code
        .map_or_else(|| "exit code unknown".to_owned(), |code| format!("exit {code}"));
    let known_by = match command.completion() {
        Completion::Prompt => ", end known by the prompt",
        Completion::Idle => ", end guessed from silence",
        Completion::Exact | Completion::Unspecified => "",
    };
    format!("{how}{code}{known_by}")
}

/// What the reader must know or do, one a line.
fn notes(command: &Command) -> Vec<String> {
    let (id, session) = (line(&command.id), line(&command.session));
    let mut notes = Vec::new();
    if command.omitted_bytes > 0 {
        let how = if command.omitted_bytes > command.dropped_bytes {
            format!(
                "; get_command_output(command_id=\"{id}\") reads them: offset=0 from the start, tail for the last lines, \
                 grep for a pattern"
            )
        } else {
            ": they are gone for good".to_owned()
        };
        notes.push(format!(
            "[{} of {} bytes are left out{how}]",
            thousands(command.omitted_bytes),
            thousands(command.total_bytes),
        ));
    }
    if command.offset < command.total_bytes {
        notes.push(format!(
            "[{} bytes follow: get_command_output(command_id=\"{id}\", offset={}) reads on]",
            thousands(command.total_bytes.saturating_sub(command.offset)),
            command.offset
        ));
    }
    if command.late_bytes > 0 {
        notes.push(format!(
            "[its background jobs wrote {} bytes after its end]",
            thousands(command.late_bytes)
        ));
    }
    if !command.notice.is_empty() {
        notes.push(format!("[notice: {}]", line(&command.notice)));
    }
    let next = match command.status() {
        CommandStatus::Queued => {
            format!("It waits for its turn: do not start it again. Wait with wait_for(commands=[\"{id}\"]).")
        }
        CommandStatus::Running => format!(
            "It is still running: do not start it again. Wait with wait_for(commands=[\"{id}\"]), read on with \
             get_command_output(command_id=\"{id}\", offset={}), stop it with interrupt_command(command_id=\"{id}\").",
            command.offset
        ),
        CommandStatus::AwaitingInput => asks(command, &id, &session),
        CommandStatus::Lost if never_began(command) => {
            "It was never started: call again once what stands in the notice is mended.".to_owned()
        }
        CommandStatus::Lost => {
            "Its shell or connection went away while it ran, so nobody knows how it ended. It is not run again by \
             itself: look at the host before you repeat it."
                .to_owned()
        }
        CommandStatus::Completed | CommandStatus::Interrupted | CommandStatus::Unspecified => String::new(),
    };
    if !next.is_empty() {
        notes.push(next);
    }
    notes
}

fn asks(command: &Command, id: &str, session: &str) -> String {
    match &command.prompt {
        Some(prompt) if prompt.keys => format!(
            "It waits for a key, which it does not show: \"{}\". Press it with send_input(command_id=\"{id}\", text=\"…\", \
             enter=false) or `keys`; it asks for no secret. Do not start it again.",
            line(&prompt.text)
        ),
        Some(prompt) if !prompt.echo => format!(
            "It asks for a secret: \"{}\". Do not type one yourself; ask the user to run `sshctl send --secret {session}`, \
             then wait_for(commands=[\"{id}\"]).",
            line(&prompt.text)
        ),
        Some(prompt) => format!(
            "It asks: \"{}\". Answer with send_input(command_id=\"{id}\", text=\"…\"); do not start it again.",
            line(&prompt.text)
        ),
        None => format!(
            "It reads from the terminal. See get_terminal_output(session=\"{session}\"), answer with \
             send_input(command_id=\"{id}\", text=\"…\"); do not start it again."
        ),
    }
}

/// The contract's word for a command's status.
pub(crate) fn status(command: &Command) -> &'static str {
    match command.status() {
        CommandStatus::Queued | CommandStatus::Running => "running",
        CommandStatus::AwaitingInput => "awaiting_input",
        CommandStatus::Completed => "completed",
        CommandStatus::Interrupted => "interrupted",
        CommandStatus::Lost => "lost",
        CommandStatus::Unspecified => "",
    }
}

/// The daemon says so in these words where nothing was run.
fn never_began(command: &Command) -> bool {
    command.duration_ms == 0 && command.notice.contains("nothing was run")
}

fn is_over(command: &Command) -> bool {
    matches!(
        command.status(),
        CommandStatus::Completed | CommandStatus::Interrupted | CommandStatus::Lost
    )
}

/// Bytes as text, and whether that had to be base64.
fn text_of(bytes: &[u8], raw: bool) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), false),
        Err(_) if raw => (STANDARD.encode(bytes), true),
        Err(_) => (String::from_utf8_lossy(bytes).into_owned(), false),
    }
}

#[cfg(test)]
mod tests;
