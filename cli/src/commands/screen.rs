//! `sshctl screen`: what a session's terminal shows now, as text.

use sshmcp_proto::v1::GetTerminalRequest;

use crate::args::ScreenArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::view;

/// Shows the terminal.
pub(crate) async fn run(args: ScreenArgs, context: &Context) -> Result<u8, Failure> {
    let request = GetTerminalRequest {
        session: args.session,
        lines: args.lines,
        cursor: args.cursor,
        aside: false,
    };
    let terminal = context
        .daemon()
        .await?
        .terminals()
        .get_terminal(request)
        .await?
        .into_inner();
    let out = &context.out;
    if out.is_json() {
        out.json(&view::terminal_json(&terminal))?;
        return Ok(0);
    }
    out.text(&terminal.text)?;
    if terminal.dropped_bytes > 0 {
        out.note(&format!(
            "{} bytes before that are not kept any more",
            terminal.dropped_bytes
        ))?;
    }
    if terminal.omitted_lines > 0 {
        out.note(&format!(
            "{} lines above these are left out: `sshctl logs {}` has them",
            terminal.omitted_lines, terminal.session
        ))?;
    }
    if args.cursor.is_some() {
        out.note(&format!("go on with --cursor {}", terminal.cursor))?;
    }
    Ok(0)
}
