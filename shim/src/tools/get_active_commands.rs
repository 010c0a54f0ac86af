//! `get_active_commands`: what runs now, and what ended last.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sshmcp_proto::{
    error::Fault,
    v1::{Command, CommandStatus, ListCommandsRequest},
};

use super::{Effect, Tool};
use crate::{
    arguments,
    call::Call,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "get_active_commands",
    title: "Running commands",
    description: "Lists running commands of all sessions and clients: id, session, text, time, bytes so far, last line; with \
                  `finished`, the latest ended ones too. Finds lost command ids.",
    effect: Effect::Looks,
    input: schema::input::<Arguments>,
    output: || {
        let mut fields = schema::command_fields();
        fields.extend([
            ("command", schema::field("string", "what was run")),
            (
                "last_line",
                schema::maybe("string or null: last line of output so far"),
            ),
        ]);
        schema::output(&[
            (
                "commands",
                schema::list(&schema::output(&fields), "running ones first, no output"),
            ),
            (
                "queued",
                schema::list(
                    &schema::output(&[
                        ("session", schema::field("string", "where it waits for its turn")),
                        ("command_id", schema::field("string", "its id")),
                        ("command", schema::field("string", "what is to be run")),
                    ]),
                    "calls that wait for their turn: nothing of them was run yet",
                ),
            ),
            (
                "config_problems",
                schema::words("what is wrong with the configuration"),
            ),
        ])
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// How many ended ones
    finished: Option<u32>,
    session: Option<String>,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let request = ListCommandsRequest {
        finished: arguments.finished.unwrap_or(0),
        session: arguments.session,
    };
    let response = call
        .rpc(|daemon| {
            let request = request.clone();
            async move { daemon.commands().list_commands(request).await }
        })
        .await?;
    let commands = &response.commands;
    let is_queued = |command: &&Command| command.status() == CommandStatus::Queued;
    let mut text: String = commands
        .iter()
        .map(|command| render::command::row(command) + "\n")
        .collect();
    text.push_str(&match commands.len() {
        0 => "[no command is running]".to_owned(),
        1 => "[1 command]".to_owned(),
        many => format!("[{many} commands]"),
    });
    for problem in &response.config_problems {
        text.push_str(&format!("\n[configuration: {}]", render::line(problem)));
    }
    let (queued, begun): (Vec<_>, Vec<_>) = commands.iter().partition(is_queued);
    let begun: Vec<Value> = begun
        .into_iter()
        .map(|command| render::command::listed(command).into())
        .collect();
    let queued: Vec<Value> = queued
        .into_iter()
        .map(|one| json!({"session": one.session, "command_id": one.id, "command": one.text}))
        .collect();
    Ok(Reply::new(
        json!({"commands": begun, "queued": queued, "config_problems": response.config_problems}),
        text,
    ))
}
