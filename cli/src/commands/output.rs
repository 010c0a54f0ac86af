//! `sshctl output`: what a command wrote, again or as it comes. Runs nothing.

use serde_json::json;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::follow_output_event::Event;
use sshmcp_proto::v1::{Command, FollowOutputRequest, GetOutputRequest, GetOutputResponse, Reason, Stream};

use crate::args::OutputArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{Output, Sink};
use crate::view;

/// Shows or follows output.
pub(crate) async fn run(args: OutputArgs, context: &Context) -> Result<u8, Failure> {
    if args.follow {
        return follow(args, context).await;
    }
    let grep = args.grep.is_some();
    let request = GetOutputRequest {
        command_id: args.command,
        offset: args.offset,
        tail: args.tail,
        grep: args.grep,
        context: args.context,
        output_limit: args.limit,
        raw: args.raw,
    };
    let answer = context.daemon().await?.commands().get_output(request).await?;
    let GetOutputResponse { command, matches } = answer.into_inner();
    let command =
        command.ok_or_else(|| Fault::new(Reason::Internal, "the daemon answered without the command"))?;
    let out = &context.out;
    if out.is_json() {
        let mut value = view::command_json(&command);
        if let (true, Some(map)) = (grep, value.as_object_mut()) {
            map.insert("matches".to_owned(), json!(matches));
        }
        out.json(&value)?;
        return Ok(0);
    }
    print_output(&command, out)?;
    if grep {
        out.note(&format!("{matches} matching lines"))?;
    }
    tell(&command, out)?;
    Ok(0)
}

/// Prints the output that an answer carries.
pub(crate) fn print_output(command: &Command, out: &Output) -> Result<(), Failure> {
    out.command_text(Stream::Stdout, &command.stdout)?;
    if let Some(stderr) = &command.stderr {
        out.command_text(Stream::Stderr, stderr)?;
    }
    Ok(())
}

/// One line about how it stands with a command, and what its reader should know, on stderr.
pub(crate) fn tell(command: &Command, out: &Output) -> Result<(), Failure> {
    let mut line = format!("{} {}", command.id, view::status_word(command.status()));
    if let Some(code) = command.exit_code {
        line.push_str(&format!(", exit code {code}"));
    }
    line.push_str(&format!(", {}", view::duration(command.duration_ms)));
    if command.omitted_bytes > 0 {
        line.push_str(&format!(
            "; {} bytes left out, go on with `sshctl output {} --offset N`",
            command.omitted_bytes, command.id
        ));
    } else if command.offset < command.total_bytes {
        line.push_str(&format!(
            "; more: `sshctl output {} --offset {}`",
            command.id, command.offset
        ));
    }
    out.note(&line)?;
    if !command.notice.is_empty() {
        out.note(&command.notice)?;
    }
    Ok(())
}

async fn follow(args: OutputArgs, context: &Context) -> Result<u8, Failure> {
    let request = FollowOutputRequest {
        command_id: args.command,
        offset: args.offset.unwrap_or(0),
    };
    let mut events = context
        .daemon()
        .await?
        .commands()
        .follow_output(request)
        .await?
        .into_inner();
    let mut sink = Sink::new();
    let out = &context.out;
    while let Some(event) = events.message().await? {
        match event.event {
            Some(Event::Output(chunk)) if out.is_json() => out.json_line(&view::chunk_json(&chunk))?,
            Some(Event::Output(chunk)) => {
                let stream = chunk.stream();
                sink.write(stream, &chunk.data).await?;
            }
            Some(Event::Result(command)) if out.is_json() => {
                out.json_line(&view::command_json(&command))?;
                return Ok(0);
            }
            Some(Event::Result(command)) => {
                sink.finish().await?;
                tell(&command, out)?;
                return Ok(0);
            }
            None => {}
        }
    }
    Err(Fault::new(
        Reason::ConnectionLost,
        "the daemon stopped telling what the command writes",
    )
    .hint("look at it with `sshctl commands`")
    .into())
}
