//! `sshctl commands`: what runs, and what ended lately. Carries no output.

use serde_json::{Value, json};
use sshmcp_proto::v1::{Command, CommandStatus, ListCommandsRequest, ListCommandsResponse};

use crate::args::CommandsArgs;
use crate::commands::status::problems;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{Entry, Output, Tone};
use crate::view;

/// Lists commands.
pub(crate) async fn run(args: CommandsArgs, context: &Context) -> Result<u8, Failure> {
    let request = ListCommandsRequest {
        finished: args.finished,
        session: args.session,
    };
    let answer = context.daemon().await?.commands().list_commands(request).await?;
    let ListCommandsResponse {
        commands,
        config_problems,
    } = answer.into_inner();
    let out = &context.out;
    if out.is_json() {
        let is_queued = |command: &&Command| command.status() == CommandStatus::Queued;
        let (queued, begun): (Vec<_>, Vec<_>) = commands.iter().partition(is_queued);
        let begun: Vec<Value> = begun.into_iter().map(view::command_json).collect();
        let queued: Vec<Value> = queued
            .into_iter()
            .map(|one| json!({"session": one.session, "command_id": one.id, "command": one.text}))
            .collect();
        out.json(&json!({"commands": begun, "queued": queued, "config_problems": config_problems}))?;
    } else {
        table(&commands, out)?;
        problems(&config_problems, out)?;
    }
    Ok(0)
}

/// Prints commands as a table.
pub(crate) fn table(commands: &[Command], out: &Output) -> Result<(), Failure> {
    let rows = commands.iter().map(row).collect();
    let heads = [
        "ID",
        "SESSION",
        "STATUS",
        "TIME",
        "OUTPUT",
        "COMMAND",
        "LAST LINE",
    ];
    out.table(&heads, rows, "no commands")?;
    Ok(())
}

fn row(command: &Command) -> Vec<Entry> {
    vec![
        Entry(command.id.clone(), Tone::Strong),
        command.session.clone().into(),
        view::status_entry(command),
        view::duration(command.duration_ms).into(),
        view::bytes(command.total_bytes).into(),
        view::short(&command.text, 50).into(),
        Entry(view::short(&command.last_line, 50), Tone::Faint),
    ]
}
