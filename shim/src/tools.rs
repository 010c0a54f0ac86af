//! The tools in the order in which agents see them; each has a file of its name with its arguments, call and reply.

use futures::future::BoxFuture;
use rmcp::model::{self, JsonObject, ToolAnnotations};
use serde_json::Value;
use sshmcp_proto::error::Fault;

use crate::{call::Call, render::Reply, schema};

mod close_session;
mod execute_command;
mod get_active_commands;
mod get_command_output;
mod get_terminal_output;
mod interrupt_command;
mod list_hosts;
mod list_sessions;
mod open_session;
mod read_file;
mod send_input;
mod target;
mod wait_for;
mod write_file;

/// A tool.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// When to use it and what comes back, for a reader who never saw it.
    pub(crate) description: &'static str,
    pub(crate) effect: Effect,
    pub(crate) input: fn() -> JsonObject,
    pub(crate) output: fn() -> JsonObject,
    pub(crate) run: Run,
}

/// Runs a tool with arguments that fit its schema.
pub(crate) type Run = for<'a> fn(&'a Call<'a>, JsonObject) -> BoxFuture<'a, Result<Reply, Fault>>;

/// What a call does to the world, as clients are told before they ask their users.
#[derive(Clone, Copy)]
pub(crate) enum Effect {
    /// Looks at what the daemon knows.
    Looks,
    /// Looks at a host.
    Reads,
    /// Makes something new on a host; a second time changes nothing.
    Opens,
    /// Ends something; a second time changes nothing.
    Ends,
    /// May do anything on a host.
    Acts,
}

/// The tools with their schemas.
pub(crate) struct Catalog(Vec<Entry>);

/// One of them.
pub(crate) struct Entry {
    pub(crate) tool: Tool,
    /// Each parameter, also those that are not listed.
    pub(crate) properties: JsonObject,
    pub(crate) required: Vec<String>,
    /// What clients see.
    pub(crate) listed: model::Tool,
}

/// All tools that are built, listed with parameters that carry secrets or without them.
pub(crate) fn catalog(exposes_secrets: bool) -> Catalog {
    let tools = [
        list_hosts::TOOL,
        open_session::TOOL,
        list_sessions::TOOL,
        close_session::TOOL,
        execute_command::TOOL,
        get_active_commands::TOOL,
        get_command_output::TOOL,
        wait_for::TOOL,
        interrupt_command::TOOL,
        get_terminal_output::TOOL,
        send_input::TOOL,
        read_file::TOOL,
        write_file::TOOL,
    ];
    Catalog(
        tools
            .into_iter()
            .map(|tool| Entry::new(tool, exposes_secrets))
            .collect(),
    )
}

impl Catalog {
    /// The tool of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.tool.name == name)
    }

    /// All names, in order.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|entry| entry.tool.name).collect()
    }

    /// What `tools/list` answers.
    pub(crate) fn listed(&self) -> Vec<model::Tool> {
        self.0.iter().map(|entry| entry.listed.clone()).collect()
    }
}

impl Entry {
    fn new(tool: Tool, exposes_secrets: bool) -> Self {
        let input = (tool.input)();
        let listed = model::Tool::new(
            tool.name,
            tool.description,
            schema::listed(&input, exposes_secrets),
        )
        .with_title(tool.title)
        .with_raw_output_schema((tool.output)().into())
        .with_annotations(tool.effect.annotations());
        let required = input
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        Self {
            required: required.filter_map(Value::as_str).map(str::to_owned).collect(),
            properties: input
                .get("properties")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
            tool,
            listed,
        }
    }
}

impl Effect {
    /// As clients are told.
    pub(crate) fn annotations(self) -> ToolAnnotations {
        let (read_only, destructive, idempotent, open_world) = match self {
            Self::Looks => (true, false, true, false),
            Self::Reads => (true, false, true, true),
            Self::Opens => (false, false, true, true),
            Self::Ends => (false, true, true, true),
            Self::Acts => (false, true, false, true),
        };
        ToolAnnotations::new()
            .read_only(read_only)
            .destructive(destructive)
            .idempotent(idempotent)
            .open_world(open_world)
    }
}

#[cfg(test)]
mod tests;
