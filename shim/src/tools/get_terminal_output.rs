//! `get_terminal_output`: what a session's terminal shows.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use sshmcp_proto::{error::Fault, v1::GetTerminalRequest};

use super::{
    Effect, Tool,
    target::{self, Apart},
};
use crate::{
    arguments::{self, invalid},
    call::Call,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "get_terminal_output",
    title: "Read terminal",
    description: "Shows a session's terminal as a person sees it: for prompts, full-screen programs, `terminal: true` commands. With \
                  `cursor`, what is new since. Other commands' output: get_command_output.",
    effect: Effect::Looks,
    input: schema::input::<Arguments>,
    output: || schema::output(&fields()),
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    session: Option<String>,
    #[schemars(extend("x-hidden" = true))]
    host: Option<String>,
    #[serde(flatten)]
    apart: Apart,
    /// Lines of scrollback
    lines: Option<u32>,
    /// An earlier answer's cursor
    cursor: Option<u64>,
}

/// The terminal, wherever one is reported.
pub(super) fn fields() -> Vec<(&'static str, Value)> {
    vec![
        ("session", schema::field("string", "its session")),
        ("text", schema::field("string", "one line a row")),
        ("row", schema::field("integer", "of the cursor, from 0")),
        ("column", schema::field("integer", "of the cursor, from 0")),
        ("cols", schema::field("integer", "width")),
        ("rows", schema::field("integer", "height")),
        (
            "cursor",
            schema::field("integer", "position in the transcript, for the next call"),
        ),
        ("lines", schema::field("integer", "lines in text")),
        ("title", schema::maybe("string or null")),
        (
            "alternate_screen",
            schema::field("boolean", "a full-screen program has it"),
        ),
        (
            "dropped_bytes",
            schema::field("integer", "between the asked cursor and what is kept"),
        ),
        (
            "command",
            schema::maybe("object or null: the running command as execute_command reports it"),
        ),
    ]
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {
        session,
        host,
        apart,
        lines,
        cursor,
    } = arguments;
    let session = match (session, host) {
        (Some(session), _) => session,
        (None, Some(host)) => target::default_session(call, &apart.host(host)).await?,
        (None, None) => {
            return Err(
                invalid("`session` is missing").hint("call again with `session`; list_sessions shows them")
            );
        }
    };
    let request = GetTerminalRequest {
        session,
        lines: lines.unwrap_or(0),
        cursor,
        aside: false,
    };
    let response = call
        .rpc(|daemon| {
            let request = request.clone();
            async move { daemon.terminals().get_terminal(request).await }
        })
        .await?;
    Ok(render::terminal::screen(&response))
}
