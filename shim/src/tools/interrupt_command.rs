//! `interrupt_command`: signals what runs, and says whether that ended it.

use schemars::JsonSchema;
use serde::Deserialize;
use sshmcp_proto::{
    error::Fault,
    v1::{Command, InterruptRequest, InterruptResponse, Signal, interrupt_request::Which},
};

use super::{Effect, Tool, target::Apart};
use crate::{
    arguments::{self, invalid},
    call::Call,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "interrupt_command",
    title: "Interrupt command",
    description: "Interrupts a command by `command_id`, or what runs in a `session` or on a `host`. INT is Ctrl-C; try it before TERM \
                  and KILL. Says whether it ended; the session stays.",
    effect: Effect::Ends,
    input: schema::input::<Arguments>,
    output: || {
        let mut fields = schema::command_fields();
        fields.extend([
            ("ended", schema::field("boolean", "the command ended")),
            ("message", schema::field("string", "what was done and reached")),
        ]);
        schema::output(&fields)
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    command_id: Option<String>,
    session: Option<String>,
    host: Option<String>,
    #[serde(flatten)]
    apart: Apart,
    /// Default INT
    #[schemars(extend("enum" = ["INT", "QUIT", "TERM", "KILL"]))]
    signal: Option<String>,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {
        command_id,
        session,
        host,
        apart,
        signal,
    } = arguments;
    let which = match (command_id, session, host) {
        (Some(command_id), None, None) => Which::CommandId(command_id),
        (None, Some(session), None) => Which::Session(session),
        (None, None, Some(host)) => Which::Host(apart.host(host)),
        _ => {
            return Err(
                invalid("exactly one of `command_id`, `session` and `host` says what to interrupt")
                    .hint("call again with one of them; get_active_commands shows what runs"),
            );
        }
    };
    let signal = match signal.as_deref() {
        Some("QUIT") => Signal::Quit,
        Some("TERM") => Signal::Term,
        Some("KILL") => Signal::Kill,
        _ => Signal::Int,
    };
    let request = InterruptRequest {
        which: Some(which),
        signal: signal.into(),
        timeout_ms: 0,
    };
    let response = call
        .rpc(|daemon| {
            let request = request.clone();
            async move { daemon.commands().interrupt(request).await }
        })
        .await?;
    Ok(reply(response))
}

fn reply(response: InterruptResponse) -> Reply {
    let InterruptResponse {
        command,
        ended,
        message,
        session,
    } = response;
    let words = format!("[{}]", render::line(&message));
    let text = match &command {
        Some(command) => format!("{}\n{words}", render::command::text(command)),
        None => words,
    };
    // Where nothing ran the object is there all the same, with nothing known but the session.
    let nothing = Command {
        session,
        ..Command::default()
    };
    let mut object = render::command::object(command.as_ref().unwrap_or(&nothing), command.is_some());
    object.insert("ended".to_owned(), ended.into());
    object.insert("message".to_owned(), message.into());
    Reply::new(object.into(), text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Nothing that ran is an answer too, not a failure.
    #[test]
    fn nothing_to_interrupt_is_said() {
        let reply = reply(InterruptResponse {
            session: "web1".to_owned(),
            message: "nothing runs in web1".to_owned(),
            ..InterruptResponse::default()
        });
        assert_eq!(reply.text, "[nothing runs in web1]");
        assert_eq!(reply.structured.get("session"), Some(&json!("web1")));
        assert_eq!(reply.structured.get("command_id"), Some(&Value::Null));
        assert_eq!(reply.structured.get("ended"), Some(&json!(false)));
    }
}
