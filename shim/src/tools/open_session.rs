//! `open_session`: a session of a chosen name, size or keeper; commands open plain ones by themselves.

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;
use sshmcp_proto::{error::Fault, v1::OpenSessionRequest};

use super::{Effect, Tool, target::Login};
use crate::{
    arguments,
    call::Call,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "open_session",
    title: "Open session",
    description: "Opens a persistent shell on a host, or answers with the open one of that name. Only needed for a \
                  second shell on a host, a chosen name or a terminal size: execute_command opens sessions by itself. \
                  Returns the session with its shell, cwd and greeting.",
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
#[schemars(crate = "schemars")]
struct Arguments {
    /// Name from list_hosts, ssh_config alias, hostname or user@host:port
    host: String,
    /// Name for it
    session: Option<String>,
    /// What keeps it alive
    #[schemars(extend("enum" = ["auto", "daemon", "remote-tmux", "local-tmux"]))]
    keeper: Option<String>,
    /// Terminal width (120)
    cols: Option<u32>,
    /// Terminal height (40)
    rows: Option<u32>,
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
        login,
    } = arguments;
    let request = OpenSessionRequest {
        host: Some(login.host(host)),
        session,
        keeper,
        cols,
        rows,
        must_be_new: false,
    };
    let opening = call.rpc(|daemon| {
        let request = request.clone();
        async move { daemon.sessions().open_session(request).await }
    });
    let response = call.patiently("opening the session", opening).await?;
    Ok(render::session::opened(&response))
}
