//! `list_hosts`: what can be named as a host.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use sshmcp_proto::{error::Fault, v1::ListHostsRequest};

use super::{Effect, Tool};
use crate::{
    arguments,
    call::Call,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "list_hosts",
    title: "List hosts",
    description: "Lists hosts to name as `host`: configured connections and ssh_config aliases, with user, address, \
                  description, tags, policy; with `host`, that one and its owner's notes for agents. Any hostname or \
                  user@host:port works too.",
    effect: Effect::Looks,
    input: schema::input::<Arguments>,
    output: || {
        let host = schema::output(&[
            ("name", schema::field("string", "to be used as host")),
            ("user", schema::maybe("string or null")),
            ("hostname", schema::maybe("string or null: what is dialled")),
            ("port", schema::field("integer", "TCP port")),
            ("description", schema::maybe("string or null")),
            ("tags", json!({"type": "array", "items": {"type": "string"}})),
            ("policy", schema::maybe("full, approve or read-only")),
            ("source", schema::maybe("where it comes from")),
            ("jump", json!({"type": "array", "items": {"type": "string"}})),
            (
                "problem",
                schema::maybe("string or null: what is wrong with its configuration"),
            ),
            ("notes", schema::maybe("string or null: markdown, only with host")),
            ("has_notes", schema::field("boolean", "notes are there")),
            (
                "notes_paths",
                json!({"type": "array", "items": {"type": "string"}}),
            ),
            (
                "resolved_by",
                schema::maybe("string or null: who read ssh_config for it: ssh -G, built-in or none"),
            ),
        ]);
        schema::output(&[
            ("hosts", schema::list(&host, "the hosts")),
            (
                "config_path",
                schema::maybe("string or null: the configuration file"),
            ),
            (
                "config_problems",
                json!({"type": "array", "items": {"type": "string"}}),
            ),
        ])
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// This one, with notes
    host: Option<String>,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let request = ListHostsRequest { host: arguments.host };
    let response = call
        .rpc(|daemon| {
            let request = request.clone();
            async move { daemon.hosts().list_hosts(request).await }
        })
        .await?;
    Ok(render::host::hosts(&response))
}
