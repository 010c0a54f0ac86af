//! `get_terminal_output`: what a session's terminal shows.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use sshmcp_proto::{
    error::Fault,
    v1::{GetTerminalRequest, GetTerminalResponse},
};

use super::{
    Effect, Tool,
    target::{self, Apart},
};
use crate::{
    arguments::{self, invalid},
    call::Call,
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "get_terminal_output",
    title: "Read terminal",
    description: "Shows a session's terminal as a person sees it: for prompts, full-screen programs, `terminal: true` commands. With \
                  `cursor`, what is new since. Other commands' output: get_command_output.",
    effect: Effect::Looks,
    input: schema::input::<Arguments>,
    output: || schema::output(&fields()),
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    session: Option<String>,
    #[schemars(extend("x-hidden" = true))]
    host: Option<String>,
    #[serde(flatten)]
    apart: Apart,
    /// Lines of scrollback
    lines: Option<u32>,
    /// An earlier answer's cursor
    cursor: Option<u64>,
    /// Rows of the screen at most, those about the cursor; 0: all
    #[schemars(extend("x-hidden" = true))]
    screen_rows: Option<u32>,
}

/// The terminal, wherever one is reported.
pub(super) fn fields() -> Vec<(&'static str, Value)> {
    vec![
        ("session", schema::field("string", "its session")),
        ("text", schema::field("string", "one line a row")),
        ("row", schema::field("integer", "of the cursor, from 0")),
        ("column", schema::field("integer", "of the cursor, from 0")),
        ("cols", schema::field("integer", "width")),
        ("rows", schema::field("integer", "height")),
        (
            "cursor",
            schema::field("integer", "position in the transcript, for the next call"),
        ),
        ("lines", schema::field("integer", "lines in text")),
        ("title", schema::maybe("string or null")),
        (
            "alternate_screen",
            schema::field("boolean", "a full-screen program has it"),
        ),
        (
            "dropped_bytes",
            schema::field("integer", "between the asked cursor and what is kept"),
        ),
        (
            "omitted_lines",
            schema::field("integer", "lines that are above text and did not fit"),
        ),
        (
            "first_cursor",
            schema::field("integer", "oldest position that cursor still reads"),
        ),
        (
            "following_bytes",
            schema::field("integer", "behind cursor, that did not fit: read on there"),
        ),
        (
            "command",
            schema::maybe("object or null: the running command as execute_command reports it"),
        ),
    ]
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {
        session,
        host,
        apart,
        lines,
        cursor,
        screen_rows,
    } = arguments;
    let session = match (session, host) {
        (Some(session), _) => session,
        (None, Some(host)) => target::default_session(call, &apart.host(host)).await?,
        (None, None) => {
            return Err(
                invalid("`session` is missing").hint("call again with `session`; list_sessions shows them")
            );
        }
    };
    let request = GetTerminalRequest {
        session,
        lines: lines.unwrap_or(0),
        cursor,
        aside: false,
    };
    let mut response = call
        .rpc(|daemon| {
            let request = request.clone();
            async move { daemon.terminals().get_terminal(request).await }
        })
        .await?;
    if let Some(rows) = screen_rows.filter(|rows| *rows > 0) {
        cut(&mut response, rows);
    }
    Ok(render::terminal::screen(&response))
}

/// At most so many rows, the first ones unless the cursor is below them; its row counts from the first that is left.
fn cut(screen: &mut GetTerminalResponse, rows: u32) {
    let all: Vec<&str> = screen.text.lines().collect();
    let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let row = screen.row.saturating_sub(screen.omitted_lines);
    let from = (row.saturating_add(1).saturating_sub(rows)).min(count.saturating_sub(rows));
    let left: Vec<&str> = all
        .into_iter()
        .skip(usize::try_from(from).unwrap_or(usize::MAX))
        .take(usize::try_from(rows).unwrap_or(usize::MAX))
        .collect();
    screen.line_count = u32::try_from(left.len()).unwrap_or(u32::MAX);
    screen.text = left.join("\n");
    screen.row = row.saturating_sub(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A screen that is higher than what is wanted of it shows its top, or where the cursor is.
    #[test]
    fn rows_about_the_cursor() {
        for (row, rows, text, line) in [
            (0, 24, "a\nb\nc\nd", 0),
            (1, 2, "a\nb", 1),
            (2, 2, "b\nc", 1),
            (3, 2, "c\nd", 1),
        ] {
            let mut screen = GetTerminalResponse {
                text: "a\nb\nc\nd".to_owned(),
                row,
                rows: 40,
                ..GetTerminalResponse::default()
            };
            cut(&mut screen, rows);
            assert_eq!((screen.text.as_str(), screen.row), (text, line), "{row} {rows}");
        }
        let mut high = GetTerminalResponse {
            text: "c\nd".to_owned(),
            row: 3,
            rows: 40,
            omitted_lines: 2,
            ..GetTerminalResponse::default()
        };
        cut(&mut high, 1);
        assert_eq!((high.text.as_str(), high.row), ("d", 0), "its top did not fit");
        let mut blank = GetTerminalResponse {
            row: 9,
            text: "top".to_owned(),
            ..GetTerminalResponse::default()
        };
        cut(&mut blank, 4);
        assert_eq!(
            (blank.text.as_str(), blank.row),
            ("top", 9),
            "the rows below are empty"
        );
    }
}
