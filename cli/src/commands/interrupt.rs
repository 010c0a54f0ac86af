//! `sshctl interrupt`: signals the command that runs in a session.

use serde_json::json;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::interrupt_request::Which;
use sshmcp_proto::v1::{Command, InterruptRequest, InterruptResponse, Reason, Signal};

use crate::args::{InterruptArgs, SignalName};
use crate::commands::output::tell;
use crate::context::{Context, host_named, is_command_id, milliseconds};
use crate::error::{EXIT_STILL_RUNNING, Failure};
use crate::view;

/// Signals.
pub(crate) async fn run(args: InterruptArgs, context: &Context) -> Result<u8, Failure> {
    let which = match (args.target, args.session, args.host) {
        (Some(id), _, _) if is_command_id(&id) => Which::CommandId(id),
        (Some(session), _, _) | (None, Some(session), _) => Which::Session(session),
        (None, None, Some(host)) => Which::Host(host_named(&host)),
        (None, None, None) => {
            return Err(Fault::new(Reason::InvalidArgument, "nothing to interrupt was named").into());
        }
    };
    let request = InterruptRequest {
        which: Some(which),
        signal: match args.signal {
            SignalName::Int => Signal::Int,
            SignalName::Quit => Signal::Quit,
            SignalName::Term => Signal::Term,
            SignalName::Kill => Signal::Kill,
        }
        .into(),
        // 0 on the wire is the daemon's own default.
        timeout_ms: milliseconds(args.timeout).max(1),
    };
    let answer = context.daemon().await?.commands().interrupt(request).await?;
    let InterruptResponse {
        command,
        ended,
        message,
        session,
    } = answer.into_inner();
    let out = &context.out;
    if out.is_json() {
        // Where nothing ran the object is there all the same, with nothing known but the session.
        let nothing = Command {
            session,
            ..Command::default()
        };
        let object = view::command_json(command.as_ref().unwrap_or(&nothing));
        out.json(&view::with(object, json!({"ended": ended, "message": message})))?;
    } else {
        out.line(&message)?;
        if let Some(command) = &command {
            tell(command, out)?;
        }
    }
    Ok(if ended || command.is_none() {
        0
    } else {
        EXIT_STILL_RUNNING
    })
}
