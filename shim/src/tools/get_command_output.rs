//! `get_command_output`: a command's status and any part of its output, without running anything.

use schemars::JsonSchema;
use serde::Deserialize;
use sshmcp_proto::{error::Fault, v1::GetOutputRequest};

use super::{Effect, Tool};
use crate::{
    arguments::{self, invalid},
    call::Call,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "get_command_output",
    title: "Read output",
    description: "Status and output of a command, running or ended; runs nothing. Reads on from `offset` (the answer's offset is \
                  the next), or the `tail` lines, or lines matching `grep`. For output that was cut.",
    effect: Effect::Looks,
    input: schema::input::<Arguments>,
    output: || {
        let mut fields = schema::command_fields();
        fields.push((
            "dropped_bytes",
            schema::field("integer", "bytes of it that are gone for good; notice says why"),
        ));
        fields.push((
            "matches",
            schema::maybe("integer: with grep, how many lines match in all"),
        ));
        schema::output(&fields)
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    command_id: String,
    /// Byte to read from
    offset: Option<u64>,
    /// Last lines
    tail: Option<u32>,
    /// Regular expression
    grep: Option<String>,
    /// Lines around a match
    context: Option<u32>,
    /// Characters (8000, up to 40000)
    output_limit: Option<u32>,
    /// Keep escape sequences
    raw: Option<bool>,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {
        command_id,
        offset,
        tail,
        grep,
        context,
        output_limit,
        raw,
    } = arguments;
    let ways = usize::from(offset.is_some()) + usize::from(tail.is_some()) + usize::from(grep.is_some());
    if ways > 1 {
        return Err(
            invalid("`offset`, `tail` and `grep` are three ways to read").hint("call again with one of them")
        );
    }
    let searched = grep.is_some();
    if !searched && context.unwrap_or(0) > 0 {
        return Err(invalid("`context` is lines around the matches of `grep`")
            .hint("call again with `grep`, or without `context`"));
    }
    let request = GetOutputRequest {
        command_id,
        offset,
        tail,
        grep,
        context: context.unwrap_or(0),
        output_limit: arguments::output_limit(output_limit)?,
        raw: raw.unwrap_or(false),
    };
    let response = call
        .rpc(|daemon| {
            let request = request.clone();
            async move { daemon.commands().get_output(request).await }
        })
        .await?;
    let command = response.command.unwrap_or_default();
    let mut object = render::command::object(&command, true);
    object.insert("dropped_bytes".to_owned(), command.dropped_bytes.into());
    let mut text = render::command::text(&command);
    if searched {
        object.insert("matches".to_owned(), response.matches.into());
        text.push_str(&format!(
            "\n[{} {}]",
            render::thousands(response.matches),
            if response.matches == 1 {
                "line matches"
            } else {
                "lines match"
            }
        ));
    }
    Ok(Reply::new(object.into(), text))
}
