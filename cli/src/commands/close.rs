//! `sshctl close`: closes sessions and says what was still running in them.

use serde_json::{Value, json};
use sshmcp_proto::v1::close_session_request::Which;
use sshmcp_proto::v1::{CloseSessionRequest, ClosedSession};

use crate::args::CloseArgs;
use crate::context::{Context, host_named};
use crate::error::Failure;

/// Closes.
pub(crate) async fn run(args: CloseArgs, context: &Context) -> Result<u8, Failure> {
    let which: Vec<Which> = match (args.host, args.all) {
        (Some(host), _) => vec![Which::Host(host_named(&host))],
        (None, true) => vec![Which::All(true)],
        (None, false) => args.sessions.into_iter().map(Which::Session).collect(),
    };
    let out = &context.out;
    let mut sessions = context.daemon().await?.sessions();
    let mut all: Vec<Value> = Vec::new();
    let mut closed = 0_usize;
    for which in which {
        let request = CloseSessionRequest { which: Some(which) };
        let answer = sessions.close_session(request).await?.into_inner();
        closed += answer.closed.len();
        for ClosedSession {
            name,
            running_command,
            running_text,
            host,
            target,
            durable_commands,
        } in answer.closed
        {
            if out.is_json() {
                all.push(json!({
                    "session": name, "name": name, "host": host, "target": target,
                    "running_command_id": (!running_command.is_empty()).then_some(running_command),
                    "running_command": (!running_text.is_empty()).then_some(running_text),
                    "durable_command_ids": durable_commands,
                }));
            } else if !durable_commands.is_empty() && durable_commands.contains(&running_command) {
                out.line(&format!(
                    "closed {name}; {} goes on: it is durable",
                    durable_commands.join(", ")
                ))?;
            } else if running_command.is_empty() {
                out.line(&format!("closed {name}"))?;
            } else {
                out.line(&format!(
                    "closed {name}, where {running_command} was running: {running_text}"
                ))?;
            }
        }
    }
    if out.is_json() {
        out.json(&json!({"closed": all}))?;
    } else if closed == 0 {
        out.line("no session to close")?;
    }
    Ok(0)
}
