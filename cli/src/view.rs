//! How the messages of the protocol appear: words for people, and JSON with the names that the tools use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sshmcp_proto::v1;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::output::{Entry, Tone};

/// What became of a command, as the tools say it.
pub(crate) const fn status_word(status: v1::CommandStatus) -> &'static str {
    match status {
        v1::CommandStatus::Unspecified => "unknown",
        v1::CommandStatus::Queued => "queued",
        v1::CommandStatus::Running => "running",
        v1::CommandStatus::AwaitingInput => "awaiting_input",
        v1::CommandStatus::Completed => "completed",
        v1::CommandStatus::Interrupted => "interrupted",
        v1::CommandStatus::Lost => "lost",
    }
}

/// Where a session is in its life, as the tools say it.
pub(crate) const fn state_word(state: v1::SessionState) -> &'static str {
    match state {
        v1::SessionState::Unspecified => "unknown",
        v1::SessionState::Opening => "opening",
        v1::SessionState::Ready => "ready",
        v1::SessionState::Busy => "busy",
        v1::SessionState::AwaitingInput => "awaiting_input",
        v1::SessionState::Disconnected => "disconnected",
        v1::SessionState::Stalled => "stalled",
        v1::SessionState::Reconnecting => "reconnecting",
    }
}

const fn completion_word(completion: v1::Completion) -> Option<&'static str> {
    match completion {
        v1::Completion::Unspecified => None,
        v1::Completion::Exact => Some("exact"),
        v1::Completion::Prompt => Some("prompt"),
        v1::Completion::Idle => Some("idle"),
    }
}

/// True if the command has ended.
pub(crate) const fn has_ended(status: v1::CommandStatus) -> bool {
    match status {
        v1::CommandStatus::Completed | v1::CommandStatus::Interrupted | v1::CommandStatus::Lost => true,
        v1::CommandStatus::Unspecified
        | v1::CommandStatus::Queued
        | v1::CommandStatus::Running
        | v1::CommandStatus::AwaitingInput => false,
    }
}

/// A command's status with its exit code, for tables.
pub(crate) fn status_entry(command: &v1::Command) -> Entry {
    let status = command.status();
    let tone = match (status, command.exit_code) {
        (v1::CommandStatus::Completed, Some(0)) => Tone::Good,
        (v1::CommandStatus::Completed, Some(_)) | (v1::CommandStatus::Lost, _) => Tone::Bad,
        (v1::CommandStatus::Running | v1::CommandStatus::AwaitingInput | v1::CommandStatus::Queued, _) => {
            Tone::Busy
        }
        (
            v1::CommandStatus::Completed | v1::CommandStatus::Interrupted | v1::CommandStatus::Unspecified,
            _,
        ) => Tone::Plain,
    };
    let text = match command.exit_code {
        Some(code) if has_ended(status) => format!("{} {code}", status_word(status)),
        _ => status_word(status).to_owned(),
    };
    Entry(text, tone)
}

/// A session's state, for tables.
pub(crate) fn state_entry(session: &v1::Session) -> Entry {
    let state = session.state();
    let tone = match state {
        v1::SessionState::Ready => Tone::Good,
        v1::SessionState::Opening | v1::SessionState::Busy | v1::SessionState::AwaitingInput => Tone::Busy,
        v1::SessionState::Disconnected | v1::SessionState::Stalled | v1::SessionState::Reconnecting => {
            Tone::Bad
        }
        v1::SessionState::Unspecified => Tone::Plain,
    };
    let mut text = state_word(state).to_owned();
    if session.idle_since_ms > 0 {
        text.push_str(&format!(
            ", idle {}",
            ago(session.idle_since_ms).trim_end_matches(" ago")
        ));
    }
    Entry(text, tone)
}

/// A command as the tools return it.
pub(crate) fn command_json(command: &v1::Command) -> Value {
    let (status, completion) = (command.status(), command.completion());
    let v1::Command {
        id,
        session,
        text,
        status: _,
        exit_code,
        stdout,
        stderr,
        omitted_bytes,
        total_bytes,
        offset,
        cwd,
        duration_ms,
        completion: _,
        prompt,
        notice,
        started_at_ms,
        ended_at_ms,
        last_line,
        late_bytes,
        dropped_bytes,
        raw,
        reported_error,
    } = command;
    let mut value = json!({
        "command_id": or_null(id), "session": session, "command": text, "status": status_word(status),
        "exit_code": exit_code, "omitted_bytes": omitted_bytes, "total_bytes": total_bytes, "offset": offset,
        "cwd": or_null(cwd), "duration_ms": duration_ms, "completion": completion_word(completion),
        "prompt": prompt.as_ref().map(prompt_json), "notice": or_null(notice),
        "started_at_ms": started_at_ms, "ended_at_ms": (*ended_at_ms != 0).then_some(ended_at_ms),
        "last_line": or_null(last_line), "late_bytes": late_bytes, "dropped_bytes": dropped_bytes, "raw": raw,
        "reported_error": reported_error,
    });
    put_bytes(&mut value, "stdout", Some(stdout));
    put_bytes(&mut value, "stderr", stderr.as_ref());
    value
}

/// A piece of output as it comes: which stream's, from which offset, and its bytes.
pub(crate) fn chunk_json(chunk: &v1::OutputChunk) -> Value {
    let name = match chunk.stream() {
        v1::Stream::Stderr => "stderr",
        v1::Stream::Stdout | v1::Stream::Unspecified => "stdout",
    };
    let mut value = json!({"offset": chunk.offset});
    put_bytes(&mut value, name, Some(&chunk.data));
    value
}

/// Text where it is UTF-8; otherwise base64, and `NAME_encoding` says so.
fn put_bytes(value: &mut Value, name: &str, bytes: Option<&Vec<u8>>) {
    let Value::Object(map) = value else { return };
    let shown = match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
        None => Value::Null,
        Some(Ok(text)) => Value::from(text),
        Some(Err(bytes)) => {
            map.insert(format!("{name}_encoding"), Value::from("base64"));
            Value::from(STANDARD.encode(bytes))
        }
    };
    map.insert(name.to_owned(), shown);
}

fn prompt_json(prompt: &v1::Prompt) -> Value {
    let v1::Prompt {
        text,
        echo,
        source,
        keys,
    } = prompt;
    let mut told = json!({"text": text, "echo": echo, "source": source});
    if *keys {
        told["keys"] = true.into();
    }
    told
}

/// A session as the tools return it, with its times as well; it is called `name` too, as in other lists.
pub(crate) fn session_json(session: &v1::Session) -> Value {
    let state = session.state();
    let v1::Session {
        name,
        host,
        target,
        keeper,
        state: _,
        shell,
        cwd,
        running_command,
        running_text,
        opened_at_ms,
        last_used_at_ms,
        client,
        cursor,
        log_path,
        cols,
        rows,
        is_default,
        capture,
        notice,
        idle_since_ms,
        durable_commands,
    } = session;
    json!({
        "session": name, "name": name, "host": or_null(host), "target": or_null(target), "keeper": or_null(keeper),
        "state": state_word(state), "shell": or_null(shell), "cwd": or_null(cwd),
        "running_command_id": or_null(running_command), "running_command": or_null(running_text),
        "opened_seconds_ago": seconds_ago(*opened_at_ms), "last_used_seconds_ago": seconds_ago(*last_used_at_ms),
        "idle_seconds": seconds_ago(*idle_since_ms), "opened_at_ms": opened_at_ms, "last_used_at_ms": last_used_at_ms,
        "idle_since_ms": (*idle_since_ms != 0).then_some(idle_since_ms), "client": or_null(client), "cursor": cursor,
        "log_path": or_null(log_path), "cols": cols, "rows": rows, "default": is_default, "capture": or_null(capture),
        "notice": or_null(notice), "durable_command_ids": durable_commands,
    })
}

/// An opened session as the tools return it.
pub(crate) fn opened_json(answer: &v1::OpenSessionResponse) -> Value {
    let v1::OpenSessionResponse {
        session,
        opened,
        greeting,
        has_notes,
    } = answer;
    with(
        session_json(&session.clone().unwrap_or_default()),
        json!({"opened": opened, "greeting": or_null(greeting), "has_notes": has_notes}),
    )
}

/// An object with more in it.
pub(crate) fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// A host as the tools return it.
pub(crate) fn host_json(host: &v1::Host) -> Value {
    let v1::Host {
        name,
        user,
        hostname,
        port,
        description,
        tags,
        policy,
        source,
        jump,
        problem,
        notes,
        has_notes,
        resolved_by,
        notes_paths,
    } = host;
    json!({
        "name": name, "user": or_null(user), "hostname": hostname, "port": port, "description": or_null(description),
        "tags": tags, "policy": policy, "source": source, "jump": jump, "problem": or_null(problem),
        "notes": or_null(notes), "has_notes": has_notes, "notes_paths": notes_paths, "resolved_by": or_null(resolved_by),
    })
}

/// A terminal as the tools return it.
pub(crate) fn terminal_json(terminal: &v1::GetTerminalResponse) -> Value {
    let v1::GetTerminalResponse {
        session,
        text,
        row,
        column,
        cols,
        rows,
        cursor,
        command,
        title,
        alternate_screen,
        dropped_bytes,
        line_count,
        omitted_lines,
        first_cursor,
        following_bytes,
    } = terminal;
    json!({
        "session": session, "text": text, "row": row, "column": column, "cols": cols, "rows": rows, "cursor": cursor,
        "command": command.as_ref().map(command_json), "title": or_null(title), "alternate_screen": alternate_screen,
        "dropped_bytes": dropped_bytes, "lines": line_count, "omitted_lines": omitted_lines,
        "first_cursor": first_cursor, "following_bytes": following_bytes,
    })
}

/// What is empty on the wire is null in JSON.
fn or_null(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A span of time in one or two units: `350ms`, `12.4s`, `3m05s`, `2h10m`, `4d03h`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms}ms"),
        1..60 => format!("{seconds}.{}s", ms % 1000 / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Whole seconds since a time; none if it is not set.
fn seconds_ago(unix_ms: i64) -> Option<u64> {
    let then = u128::try_from(unix_ms).ok().filter(|then| *then > 0)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis());
    u64::try_from(now.saturating_sub(then) / 1000).ok()
}

/// How long ago, by this machine's clock; empty for a time that is not set.
pub(crate) fn ago(unix_ms: i64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis());
    let Some(then) = u128::try_from(unix_ms).ok().filter(|then| *then > 0) else {
        return String::new();
    };
    // Below a second is now; tables do not need tenths either.
    match u64::try_from(now.saturating_sub(then)).unwrap_or(0) / 1000 {
        0 => "now".to_owned(),
        seconds @ 1..60 => format!("{seconds}s ago"),
        seconds => format!("{} ago", duration(seconds * 1000)),
    }
}

/// A number of bytes in the unit that fits: `812 B`, `4.8 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut tenths = u128::from(count) * 10 / 1024;
    let mut units = UNITS.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    for next in units {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = next;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Shortens to so many characters, with an ellipsis.
pub(crate) fn short(text: &str, max: usize) -> String {
    let one_line = crate::sanitise::line(text);
    if one_line.chars().count() <= max {
        return one_line;
    }
    let mut cut: String = one_line.chars().take(max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans and sizes read as people write them.
    #[test]
    fn spans_and_sizes() {
        for (ms, shown) in [
            (350, "350ms"),
            (12_420, "12.4s"),
            (185_000, "3m05s"),
            (7_800_000, "2h10m"),
            (356_400_000, "4d03h"),
        ] {
            assert_eq!(duration(ms), shown);
        }
        for (count, shown) in [
            (812, "812 B"),
            (1024, "1.0 KiB"),
            (5_000_000, "4.7 MiB"),
            (1 << 40, "1.0 TiB"),
        ] {
            assert_eq!(bytes(count), shown);
        }
        assert_eq!(short("abcdef", 4), "abc…");
    }

    /// Bytes that are no text arrive whole, and are marked.
    #[test]
    fn binary_output_is_base64() {
        let command = v1::Command {
            stdout: vec![0xff, 0],
            stderr: None,
            ..Default::default()
        };
        let value = command_json(&command);
        assert_eq!(value["stdout"], "/wA=");
        assert_eq!(value["stdout_encoding"], "base64");
        assert_eq!(value["stderr"], Value::Null);
    }
}
