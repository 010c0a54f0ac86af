//! `close_session`: ends one session, those of a host, or all.

use schemars::JsonSchema;
use serde::Deserialize;
use sshmcp_proto::{
    error::Fault,
    v1::{CloseSessionRequest, close_session_request::Which},
};

use super::{Effect, Tool, target::Apart};
use crate::{
    arguments::{self, invalid},
    call::Call,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "close_session",
    title: "Close session",
    description: "Ends a session with what runs in it; by `session`, every one of a `host`, or `all` of every client. Says what \
                  still ran.",
    effect: Effect::Ends,
    input: schema::input::<Arguments>,
    output: || {
        let one = schema::output(&[
            ("session", schema::field("string", "its name")),
            ("host", schema::maybe("string: the host as it was named")),
            ("target", schema::maybe("string: user@hostname:port")),
            (
                "running_command_id",
                schema::maybe("string or null: what was still running"),
            ),
            (
                "running_command",
                schema::maybe("string or null: its text, shortened"),
            ),
            (
                "durable_command_ids",
                schema::words("durable commands started there, which go on"),
            ),
        ]);
        schema::output(&[("closed", schema::list(&one, "what was closed"))])
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    session: Option<String>,
    host: Option<String>,
    username: Option<String>,
    port: Option<u32>,
    // From the user's environment, and not to be given by a model.
    #[schemars(skip)]
    hostname: Option<String>,
    all: Option<bool>,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {
        session,
        host,
        username,
        port,
        hostname,
        all,
    } = arguments;
    if host.is_none() && (username.is_some() || port.is_some()) {
        return Err(invalid("`username` and `port` belong to a `host`")
            .hint("call again with `host`, or without them"));
    }
    let apart = Apart {
        username,
        port,
        hostname,
    };
    let which = match (session, host, all.unwrap_or(false)) {
        (Some(session), None, false) => Which::Session(session),
        (None, Some(host), false) => Which::Host(apart.host(host)),
        (None, None, true) => Which::All(true),
        _ => {
            return Err(
                invalid("exactly one of `session`, `host` and `all` says what to close")
                    .hint("call again with one of them; list_sessions shows what is open"),
            );
        }
    };
    let request = CloseSessionRequest { which: Some(which) };
    let response = call
        .rpc(|daemon| {
            let request = request.clone();
            async move { daemon.sessions().close_session(request).await }
        })
        .await?;
    Ok(render::session::closed(&response))
}
