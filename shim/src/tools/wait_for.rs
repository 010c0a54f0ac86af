//! `wait_for`: one wait over many commands and sessions.

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sshmcp_proto::{
    error::Fault,
    v1::{WaitItem, WaitRequest, WaitResponse, WaitUntil},
};

use super::{Effect, Tool};
use crate::{
    arguments::{self, invalid},
    call::Call,
    render::{self, Reply, known},
    schema,
};

/// Seconds to wait when the caller does not say; half of what clients wait.
const TIMEOUT: f64 = 30.0;

pub(super) const TOOL: Tool = Tool {
    name: "wait_for",
    title: "Wait",
    description: "Waits until commands end or ask for input, or sessions are free; or until new output matches `pattern`, or none came \
                  for `idle` seconds. Returns what happened where and the output not shown yet. If time ran out, call it \
                  again.",
    effect: Effect::Looks,
    input: schema::input::<Arguments>,
    output: || {
        let mut fields = schema::command_fields();
        fields.extend(happened());
        let mut session = vec![
            ("session", schema::field("string", "its name")),
            (
                "text",
                schema::field(
                    "string",
                    "what its terminal showed besides commands, not shown yet",
                ),
            ),
            (
                "dropped_bytes",
                schema::field("integer", "before text, not shown yet and not kept any more"),
            ),
        ];
        session.extend(happened());
        schema::output(&[
            (
                "satisfied",
                schema::field("boolean", "what was waited for came to pass in time"),
            ),
            (
                "commands",
                schema::list(&schema::output(&fields), "the commands, in the order asked"),
            ),
            (
                "sessions",
                schema::list(&schema::output(&session), "sessions without a command"),
            ),
        ])
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// Command ids
    commands: Option<Vec<String>>,
    sessions: Option<Vec<String>>,
    /// Default all
    #[schemars(extend("enum" = ["any", "all"]))]
    until: Option<String>,
    /// Seconds to wait (30)
    timeout: Option<f64>,
    /// Regular expression
    pattern: Option<String>,
    idle: Option<f64>,
    /// Characters (8000, up to 40000)
    output_limit: Option<u32>,
    /// Byte to read from, for one command
    offset: Option<u64>,
}

fn happened() -> [(&'static str, Value); 2] {
    [
        (
            "event",
            schema::maybe("ended, awaiting_input, pattern, idle, disconnected or timeout"),
        ),
        ("matched", schema::maybe("string or null: the line that matched")),
    ]
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {
        commands,
        sessions,
        until,
        timeout,
        pattern,
        idle,
        output_limit,
        offset,
    } = arguments;
    let (commands, sessions) = (commands.unwrap_or_default(), sessions.unwrap_or_default());
    if commands.is_empty() && sessions.is_empty() {
        return Err(invalid("neither `commands` nor `sessions` is given")
            .hint("call again with command ids; get_active_commands lists them"));
    }
    let request = WaitRequest {
        commands,
        sessions,
        until: match until.as_deref() {
            Some("any") => WaitUntil::Any.into(),
            _ => WaitUntil::All.into(),
        },
        timeout_ms: arguments::millis("timeout", timeout.unwrap_or(TIMEOUT))?,
        pattern,
        idle_ms: idle
            .map(|seconds| arguments::millis("idle", seconds))
            .transpose()?,
        output_limit: arguments::output_limit(output_limit)?,
        offset,
        unbounded_wait: false,
        raw: false,
    };
    let waiting = call.rpc(|daemon| {
        let request = request.clone();
        async move { daemon.commands().wait(request).await }
    });
    Ok(reply(&call.patiently("waiting", waiting).await?))
}

fn reply(response: &WaitResponse) -> Reply {
    let (mut commands, mut sessions) = (Vec::<Value>::new(), Vec::<Value>::new());
    let mut text = String::new();
    for item in &response.items {
        let (object, words) = one(item);
        let of_a_command = object.contains_key("command_id");
        if of_a_command {
            &mut commands
        } else {
            &mut sessions
        }
        .push(object.into());
        text.push_str(&words);
        text.push('\n');
    }
    text.push_str(if response.satisfied {
        "[what you waited for came to pass]"
    } else {
        "[the time is over; call wait_for again to go on waiting]"
    });
    Reply::new(
        json!({"satisfied": response.satisfied, "commands": commands, "sessions": sessions}),
        text,
    )
}

fn one(item: &WaitItem) -> (JsonObject, String) {
    let command = item.command.clone().unwrap_or_default();
    let (mut object, mut words) = if command.id.is_empty() {
        let session = JsonObject::from_iter([
            ("session".to_owned(), json!(command.session)),
            ("text".to_owned(), json!(item.text)),
            ("dropped_bytes".to_owned(), json!(item.dropped_bytes)),
        ]);
        let text = item.text.trim_end_matches('\n');
        let before = if text.is_empty() { "" } else { "\n" };
        let (name, event) = (render::line(&command.session), render::line(&item.event));
        let gone = match item.dropped_bytes {
            0 => String::new(),
            bytes => format!(
                "[{} bytes before this are gone; the log_path of list_sessions has all]\n",
                render::thousands(bytes)
            ),
        };
        (session, format!("{gone}{text}{before}[{name}: {event}]"))
    } else {
        (
            render::command::object(&command, true),
            render::command::text(&command),
        )
    };
    object.insert("event".to_owned(), known(&item.event));
    object.insert("matched".to_owned(), known(&item.matched));
    if !item.matched.is_empty() {
        words.push_str(&format!("\n[matched: {}]", render::line(&item.matched)));
    }
    (object, words)
}

#[cfg(test)]
mod tests {
    use sshmcp_proto::v1::{Command, CommandStatus};

    use super::*;

    /// Commands and sessions are told apart; each says what happened to it.
    #[test]
    fn each_item_says_what_happened() {
        let ended = WaitItem {
            command: Some(Command {
                id: "c1".to_owned(),
                session: "web1".to_owned(),
                status: CommandStatus::Completed.into(),
                exit_code: Some(0),
                stdout: b"ready\n".to_vec(),
                duration_ms: 5,
                ..Command::default()
            }),
            event: "pattern".to_owned(),
            matched: "ready".to_owned(),
            ..WaitItem::default()
        };
        let session = WaitItem {
            command: Some(Command {
                session: "db".to_owned(),
                ..Command::default()
            }),
            event: "ended".to_owned(),
            text: "$ \n".to_owned(),
            dropped_bytes: 1500,
            ..WaitItem::default()
        };
        let reply = reply(&WaitResponse {
            items: vec![ended, session],
            satisfied: true,
        });
        assert_eq!(
            reply.text,
            "ready\n[exit 0 · web1 · c1 · 5 ms]\n[matched: ready]\n\
             [1,500 bytes before this are gone; the log_path of list_sessions has all]\n$ \n[db: ended]\n[what you waited for came to pass]"
        );
        let structured = Value::Object(reply.structured);
        assert_eq!(structured.pointer("/commands/0/event"), Some(&json!("pattern")));
        assert_eq!(
            structured.pointer("/sessions/0"),
            Some(
                &json!({"session": "db", "text": "$ \n", "dropped_bytes": 1500, "event": "ended", "matched": null})
            )
        );
    }
}
