//! `open_session`: a session of a chosen name, size or keeper; commands open plain ones by themselves.

use schemars::JsonSchema;
use serde::Deserialize;
use sshmcp_proto::{error::Fault, v1::OpenSessionRequest};

use super::{Effect, Tool, target::Login};
use crate::{
    arguments,
    call::Call,
    daemon::Connected,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "open_session",
    title: "Open session",
    description: "Opens a persistent shell, or answers with the open one of that name. Needed only for a second shell on a \
                  host, a chosen name or size: execute_command opens sessions itself. Returns shell, cwd, greeting.",
    effect: Effect::Opens,
    input: schema::input::<Arguments>,
    output: || {
        let mut fields = super::list_sessions::fields();
        fields.extend([
            ("opened", schema::field("boolean", "false: it was open already")),
            (
                "greeting",
                schema::maybe("string or null: what the host printed at login"),
            ),
            (
                "has_notes",
                schema::field("boolean", "list_hosts with host shows notes"),
            ),
        ]);
        schema::output(&fields)
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// Configured name, ssh_config alias or user@host:port
    host: String,
    /// Its name
    session: Option<String>,
    /// remote-tmux survives lost links
    #[schemars(extend("enum" = ["auto", "daemon", "remote-tmux", "local-tmux"]))]
    keeper: Option<String>,
    /// Width (120)
    cols: Option<u32>,
    /// Height (40)
    rows: Option<u32>,
    /// The keeper of those who had no other: where nobody names one, and it can be had.
    #[schemars(extend("x-hidden" = true))]
    prefer_local_tmux: Option<bool>,
    #[serde(flatten)]
    login: Login,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {
        host,
        session,
        keeper,
        cols,
        rows,
        prefer_local_tmux,
        login,
    } = arguments;
    let request = OpenSessionRequest {
        host: Some(login.host(host)),
        session,
        keeper,
        cols,
        rows,
        must_be_new: false,
        prefer_local_tmux: prefer_local_tmux.unwrap_or(false),
    };
    let has_secret = request.host.as_ref().is_some_and(|host| host.password.is_some());
    let send = |daemon: Connected| {
        let request = request.clone();
        async move { daemon.sessions().open_session(request).await }
    };
    let opening = async {
        if has_secret {
            call.rpc_apart(send).await
        } else {
            call.rpc(send).await
        }
    };
    let response = call.patiently("opening the session", opening).await?;
    Ok(render::session::opened(&response))
}
