//! `sshctl wait`: one blocking wait over commands and sessions.

use serde_json::{Value, json};
use sshmcp_proto::v1::{Command, WaitItem, WaitRequest, WaitResponse, WaitUntil};

use crate::args::WaitArgs;
use crate::commands::output::{print_output, tell};
use crate::context::{Context, is_command_id, milliseconds};
use crate::error::{EXIT_STILL_RUNNING, Failure};
use crate::output::Output;
use crate::view;

/// The wait without `--timeout`: longer than anybody sits there, short enough for any clock's arithmetic.
pub(crate) const FOREVER_MS: u64 = 365 * 24 * 60 * 60 * 1000; // a year

/// Waits.
pub(crate) async fn run(args: WaitArgs, context: &Context) -> Result<u8, Failure> {
    let (commands, mut sessions): (Vec<_>, Vec<_>) =
        args.targets.into_iter().partition(|name| is_command_id(name));
    sessions.extend(args.session);
    let request = WaitRequest {
        commands,
        sessions,
        until: if args.any { WaitUntil::Any } else { WaitUntil::All }.into(),
        timeout_ms: args.timeout.map_or(FOREVER_MS, milliseconds),
        pattern: args.pattern,
        idle_ms: args.idle.map(milliseconds),
        output_limit: 0,
        offset: None,
        unbounded_wait: true,
        raw: false,
    };
    let answer = context.daemon().await?.commands().wait(request).await?;
    let WaitResponse { items, satisfied } = answer.into_inner();
    let out = &context.out;
    if out.is_json() {
        let (commands, sessions): (Vec<&WaitItem>, Vec<&WaitItem>) =
            items.iter().partition(|item| command_of(item).is_some());
        let objects = |items: Vec<&WaitItem>| items.into_iter().map(item_json).collect::<Vec<Value>>();
        out.json(
            &json!({"satisfied": satisfied, "commands": objects(commands), "sessions": objects(sessions)}),
        )?;
    } else {
        for item in &items {
            print(item, out)?;
        }
    }
    Ok(if satisfied { 0 } else { EXIT_STILL_RUNNING })
}

fn item_json(item: &WaitItem) -> Value {
    let WaitItem {
        command,
        event,
        matched,
        text,
        dropped_bytes,
    } = item;
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let object = match command_of(item) {
        Some(command) => view::command_json(command),
        None => {
            let session = command.as_ref().map(|command| &command.session);
            json!({"session": session, "text": text, "dropped_bytes": dropped_bytes})
        }
    };
    view::with(object, json!({"event": known(event), "matched": known(matched)}))
}

/// The command that it is about; none if it is about a session.
fn command_of(item: &WaitItem) -> Option<&Command> {
    item.command.as_ref().filter(|command| !command.id.is_empty())
}

fn print(item: &WaitItem, out: &Output) -> Result<(), Failure> {
    let Some(command) = &item.command else {
        out.note(&item.event)?;
        return Ok(());
    };
    if command.id.is_empty() {
        if item.dropped_bytes > 0 {
            out.note(&format!(
                "{} bytes before this are not kept any more: `sshctl logs {}` has them",
                item.dropped_bytes, command.session
            ))?;
        }
        if !item.text.trim().is_empty() {
            out.text(&item.text)?;
        }
        out.note(&format!(
            "{}: {}, no command runs there",
            command.session, item.event
        ))?;
        return Ok(());
    }
    print_output(command, out)?;
    tell(command, out)?;
    if !item.matched.is_empty() {
        out.note(&format!("{} matched: {}", command.id, item.matched))?;
    }
    if let Some(prompt) = &command.prompt {
        out.note(&super::exec::how_to_answer(&command.id, prompt))?;
    }
    Ok(())
}
