//! `sshctl logs`: the end of a session's transcript, and what is written behind it.

use serde_json::json;
use sshmcp_proto::v1::{FindRecordingRequest, ReadLogRequest, Stream, read_log_response::What};

use crate::args::LogsArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::output::Sink;

/// Prints the transcript; with `--follow` until the session is closed.
pub(crate) async fn run(args: LogsArgs, context: &Context) -> Result<u8, Failure> {
    let LogsArgs {
        session,
        follow,
        lines,
    } = args;
    let daemon = context.daemon().await?;
    let out = &context.out;
    let request = ReadLogRequest {
        session: session.clone(),
        lines,
        follow,
    };
    let mut pieces = daemon.logs().read_log(request).await?.into_inner();
    let mut sink = Sink::new();
    let mut ended = String::new();
    let mut text = Vec::new();
    while let Some(piece) = pieces.message().await? {
        match piece.what {
            Some(What::Text(bytes)) if !out.is_json() => sink.write(Stream::Stdout, &bytes).await?,
            Some(What::Text(bytes)) => {
                text.extend(bytes);
                if follow {
                    let whole = text
                        .iter()
                        .rposition(|byte| *byte == b'\n')
                        .map_or(0, |at| at + 1);
                    for line in text
                        .drain(..whole)
                        .as_slice()
                        .split_inclusive(|byte| *byte == b'\n')
                    {
                        let line = String::from_utf8_lossy(line);
                        out.json_line(&json!({"line": line.trim_end_matches('\n')}))?;
                    }
                }
            }
            Some(What::Ended(words)) => ended = words,
            None => {}
        }
    }
    sink.finish().await?;
    if out.is_json() && !follow {
        let found = daemon
            .logs()
            .find_recording(FindRecordingRequest {
                session: session.clone(),
            })
            .await?
            .into_inner();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        out.json(&json!({"session": session, "log_path": found.log_path, "lines": lines}))?;
    }
    if !ended.is_empty() {
        out.note(&ended)?;
    }
    Ok(0)
}
