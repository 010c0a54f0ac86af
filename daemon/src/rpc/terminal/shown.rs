//! What a session's terminal shows, as an answer: bounded, with a word of what did not fit and where it can be read.

use std::sync::Arc;

use sshmcp_proto::{error::Fault, v1::GetTerminalResponse};

use crate::{
    registry::Registry,
    rpc::to_proto,
    session::{Look, Session},
};

/// Characters of one answer: as many as of a command's output.
pub(super) const TEXT_MAX: usize = 40_000;

/// Looks at a session.
pub(super) async fn show(
    registry: &Registry,
    session: &Arc<Session>,
    look: Look,
) -> Result<GetTerminalResponse, Fault> {
    let mut shown = session.look(look).await?;
    let mut omitted = 0;
    match look {
        // Empty rows below are seen by nobody. Many small signs have room on a large screen.
        Look::Screen => (shown.text, omitted) = last_of(&shown.text),
        Look::Tail(lines) => {
            let kept = shown.text.lines().count();
            if kept < lines && shown.has_earlier && shown.text.chars().count() < TEXT_MAX {
                // What the emulator has let go of is in the transcript.
                session.recorder.flush().await;
                if let Ok(text) = session.recorder.tail(lines).await
                    && text.lines().count() > kept
                {
                    shown.text = text;
                }
            }
            (shown.text, omitted) = last_of(&shown.text);
        }
        Look::Since(_) | Look::Next(..) | Look::Own(_) => {}
    }
    let running = session
        .summary()
        .running
        .and_then(|id| registry.commands.find(&id.to_string()).ok());
    let (cols, rows) = shown.size;
    Ok(GetTerminalResponse {
        session: session.name.to_string(),
        row: shown.row.into(),
        column: shown.column.into(),
        cols: cols.into(),
        rows: rows.into(),
        cursor: shown.cursor,
        command: running.map(|command| {
            let told = to_proto::command(&command, &command.state(), None, false);
            to_proto::told(told, Some(session.as_ref()))
        }),
        title: shown.title,
        alternate_screen: shown.alternate,
        dropped_bytes: shown.dropped,
        line_count: u32::try_from(shown.text.lines().count()).unwrap_or(u32::MAX),
        omitted_lines: omitted,
        first_cursor: shown.first,
        following_bytes: shown.follows,
        text: shown.text,
    })
}

/// The last lines, without blanks at their ends, that have room in one answer; and how many are above them. Of a line that
/// is longer than that, its end.
fn last_of(text: &str) -> (String, u32) {
    let mut room = TEXT_MAX;
    let lines: Vec<&str> = text
        .trim_end_matches('\n')
        .split('\n')
        .map(str::trim_end)
        .collect();
    let mut shown = Vec::new();
    for line in lines.iter().rev() {
        let length = line.chars().count() + 1;
        if length > room {
            break;
        }
        room -= length;
        shown.push(*line);
    }
    let above = lines.len().saturating_sub(shown.len());
    if let (true, Some(last)) = (shown.is_empty(), lines.last()) {
        let skip = last.chars().count().saturating_sub(TEXT_MAX - 1);
        let at = last.char_indices().nth(skip).map_or(0, |(at, _)| at);
        shown.push(last.get(at..).unwrap_or_default());
    }
    shown.reverse();
    (shown.join("\n"), u32::try_from(above).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole lines from the end, as many as there is room for; the others are counted.
    #[test]
    fn the_last_lines() {
        assert_eq!(last_of("a  \nb\n\n\n"), ("a\nb".to_owned(), 0));
        assert_eq!(last_of(""), (String::new(), 0));
        let line = "é".repeat(99);
        let many = vec![line.as_str(); 1000].join("\n");
        let (shown, above) = last_of(&many);
        assert_eq!((shown.lines().count(), above), (400, 600));
        assert!(shown.lines().all(|one| one == line));
        let (shown, above) = last_of(&format!("{}\nend{}", "a", "x".repeat(TEXT_MAX)));
        assert_eq!((shown.chars().count(), above), (TEXT_MAX - 1, 2));
    }
}
