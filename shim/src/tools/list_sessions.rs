//! `list_sessions`: every open session and what it does.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use sshmcp_proto::{error::Fault, v1::ListSessionsRequest};

use super::{Effect, Tool};
use crate::{
    arguments,
    call::Call,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "list_sessions",
    title: "List sessions",
    description: "Lists open sessions, also those of other clients and earlier conversations: target, state, shell, cwd, running \
                  command, last use.",
    effect: Effect::Looks,
    input: schema::input::<Arguments>,
    output: || {
        schema::output(&[
            ("sessions", schema::list(&schema::output(&fields()), "by name")),
            ("state_dir", schema::field("string", "where they are remembered")),
            (
                "config_problems",
                schema::words("what is wrong with the configuration"),
            ),
        ])
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {}

/// A session, wherever one is reported.
pub(super) fn fields() -> Vec<(&'static str, Value)> {
    vec![
        ("session", schema::field("string", "its name")),
        ("host", schema::maybe("string: the host as it was named")),
        ("target", schema::maybe("string: user@hostname:port")),
        ("keeper", schema::maybe("daemon, remote-tmux or local-tmux")),
        (
            "state",
            schema::maybe(
                "opening, ready, busy, awaiting_input, stalled (the host does not answer), disconnected or reconnecting",
            ),
        ),
        ("shell", schema::maybe("string or null")),
        ("cwd", schema::maybe("string or null")),
        ("running_command_id", schema::maybe("string or null")),
        (
            "running_command",
            schema::maybe("string or null: its text, shortened"),
        ),
        (
            "durable_command_ids",
            schema::words("durable commands started there that run beside its shell"),
        ),
        ("opened_seconds_ago", schema::maybe("integer or null")),
        ("last_used_seconds_ago", schema::maybe("integer or null")),
        (
            "idle_seconds",
            schema::maybe("integer if nothing has happened in it for long, else null"),
        ),
        ("client", schema::maybe("string or null: who used it last")),
        ("cursor", schema::field("integer", "end of its transcript")),
        ("log_path", schema::maybe("string or null: the transcript's file")),
        ("cols", schema::field("integer", "terminal width")),
        ("rows", schema::field("integer", "terminal height")),
        (
            "default",
            schema::field("boolean", "calls that name only the host use it"),
        ),
        (
            "capture",
            schema::maybe("captured: stdout and stderr apart; terminal: one stream"),
        ),
        ("notice", schema::maybe("string or null: what you must know")),
    ]
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {} = arguments;
    let response = call
        .rpc(|daemon| async move {
            daemon
                .sessions()
                .list_sessions(ListSessionsRequest::default())
                .await
        })
        .await?;
    Ok(render::session::list(&response))
}
