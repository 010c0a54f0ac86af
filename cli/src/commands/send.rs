//! `sshctl send`: types into a session, secrets unseen, and shows its terminal once it has settled.

use serde_json::json;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::send_input_request::Which;
use sshmcp_proto::v1::{Reason, SendInputRequest, SendInputResponse};

use crate::args::SendArgs;
use crate::commands::exec::read_stdin;
use crate::commands::output::tell;
use crate::context::{Context, is_command_id, milliseconds};
use crate::error::Failure;
use crate::{terminal, view};

/// Types.
pub(crate) async fn run(args: SendArgs, context: &Context) -> Result<u8, Failure> {
    let which = match (args.target, args.session) {
        (Some(id), None) if is_command_id(&id) => Which::CommandId(id),
        (Some(session), _) | (None, Some(session)) => Which::Session(session),
        (None, None) => return Err(Fault::new(Reason::InvalidArgument, "no session was named").into()),
    };
    let text = if args.secret {
        let (Which::CommandId(name) | Which::Session(name)) = &which;
        let question = format!("secret for {}: ", crate::sanitise::line(name));
        Some(terminal::ask_secret(&question).await?)
    } else {
        args.text
    };
    let data = if args.stdin { read_stdin()? } else { Vec::new() };
    let only_keys = text.is_none() && !args.keys.is_empty();
    let request = SendInputRequest {
        which: Some(which),
        text,
        enter: !args.no_enter && !only_keys && !args.stdin,
        keys: args.keys,
        data,
        pattern: args.pattern,
        timeout_ms: milliseconds(args.timeout).max(1),
        secret: args.secret,
        stored_secret: None,
        is_line: false,
        later_keys: Vec::new(),
    };
    let answer = context.daemon().await?.terminals().send_input(request).await?;
    let SendInputResponse {
        terminal,
        settled,
        why,
        command,
    } = answer.into_inner();
    let out = &context.out;
    if out.is_json() {
        out.json(&view::with(
            view::terminal_json(&terminal.unwrap_or_default()),
            json!({"settled": settled, "why": why, "command": command.as_ref().map(view::command_json)}),
        ))?;
        return Ok(0);
    }
    if let Some(terminal) = &terminal {
        out.text(terminal.text.trim_end())?;
    }
    if !settled {
        out.note("it had not settled when the time was over: `sshctl screen` shows what is new")?;
    }
    if let Some(command) = &command {
        tell(command, out)?;
    }
    Ok(0)
}
