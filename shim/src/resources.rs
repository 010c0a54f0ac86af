//! MCP resources: the list of sessions, and each session's screen and log, for clients that show or attach them. Reading
//! one changes nothing, starts no daemon for a list, and does not count as shown to the agent.

use rmcp::{
    ErrorData,
    model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate},
};
use serde_json::Value;
use sshmcp_proto::{
    error::Fault,
    v1::{GetTerminalRequest, ListSessionsRequest, ListSessionsResponse, Reason},
};

use crate::{
    call::Call,
    profile::environment::Environment,
    render::{self, session},
};

/// All sessions, as `list_sessions` has them.
const SESSIONS: &str = "ssh://sessions";
/// What a session's are under.
const SESSION: &str = "ssh://session/";
/// Lines of a session's log that a reader gets: the last ones.
const LOG_LINES: u32 = 2000;

/// What of a session is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Screen,
    Log,
}

impl Part {
    const ALL: [Self; 2] = [Self::Screen, Self::Log];

    const fn name(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::Log => "log",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Screen => "What a person would see in the session's terminal now",
            Self::Log => "The end of what the session's terminal showed, commands and their output in order",
        }
    }
}

/// What is there to read now.
pub(crate) async fn list(call: &Call<'_>) -> Vec<Resource> {
    let mut all = vec![
        Resource::new(SESSIONS, "sessions")
            .with_title("SSH sessions")
            .with_description("All sessions with target, state, working directory and running command")
            .with_mime_type("application/json"),
    ];
    let listed = call
        .rpc_running(|daemon| async move {
            daemon
                .sessions()
                .list_sessions(ListSessionsRequest::default())
                .await
        })
        .await;
    // Without a daemon there are no sessions.
    for session in listed.unwrap_or_default().sessions {
        let name = render::line(&session.name);
        for part in Part::ALL {
            let resource = Resource::new(
                format!("{SESSION}{name}/{}", part.name()),
                format!("{name} {}", part.name()),
            );
            all.push(
                resource
                    .with_title(format!("{name}: {}", part.name()))
                    .with_description(part.words())
                    .with_mime_type("text/plain"),
            );
        }
    }
    all
}

/// How a session's are named.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let template = |part: Part| {
        ResourceTemplate::new(format!("{SESSION}{{name}}/{}", part.name()), part.name())
            .with_title(format!("A session's {}", part.name()))
            .with_description(part.words())
            .with_mime_type("text/plain")
    };
    Part::ALL.into_iter().map(template).collect()
}

/// One of them, as it is now.
pub(crate) async fn read(
    call: &Call<'_>,
    uri: &str,
    environment: &Environment,
) -> Result<ReadResourceResult, ErrorData> {
    let contents = if uri == SESSIONS {
        let listed: ListSessionsResponse = call
            .rpc(|daemon| async move {
                daemon
                    .sessions()
                    .list_sessions(ListSessionsRequest::default())
                    .await
            })
            .await
            .map_err(|fault| error(&fault, uri))?;
        let mut reply = session::list(&listed);
        environment.hide(&mut reply.structured);
        ResourceContents::text(Value::Object(reply.structured).to_string(), uri)
            .with_mime_type("application/json")
    } else {
        let (name, part) = session_part(uri).ok_or_else(|| not_found(uri))?;
        let request = GetTerminalRequest {
            session: name.to_owned(),
            lines: if part == Part::Log { LOG_LINES } else { 0 },
            cursor: None,
            aside: true,
        };
        let shown = call
            .rpc(|daemon| {
                let request = request.clone();
                async move { daemon.terminals().get_terminal(request).await }
            })
            .await
            .map_err(|fault| error(&fault, uri))?;
        let text = if shown.omitted_lines > 0 {
            // Who attaches it sees nothing but the text.
            let above = render::thousands(shown.omitted_lines.into());
            format!("[{above} lines above these are left out]\n{}", shown.text)
        } else {
            shown.text
        };
        ResourceContents::text(text, uri)
    };
    Ok(ReadResourceResult::new(vec![contents]))
}

fn session_part(uri: &str) -> Option<(&str, Part)> {
    let (name, part) = uri.strip_prefix(SESSION)?.split_once('/')?;
    let part = Part::ALL.into_iter().find(|known| known.name() == part)?;
    (!name.is_empty()).then_some((name, part))
}

fn not_found(uri: &str) -> ErrorData {
    ErrorData::resource_not_found(
        format!(
            "there is no resource {}; resources/list shows what there is",
            render::line(uri)
        ),
        None,
    )
}

fn error(fault: &Fault, uri: &str) -> ErrorData {
    if fault.reason == Reason::SessionNotFound {
        return not_found(uri);
    }
    ErrorData::internal_error(render::fault(fault).text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what is listed is read.
    #[test]
    fn names_are_exact() {
        assert_eq!(
            session_part("ssh://session/web1/screen"),
            Some(("web1", Part::Screen))
        );
        assert_eq!(
            session_part("ssh://session/a.b-2/log"),
            Some(("a.b-2", Part::Log))
        );
        for wrong in [
            "ssh://session//screen",
            "ssh://session/web1",
            "ssh://session/web1/screen/",
            "ssh://session/web1/output",
            "http://session/web1/screen",
        ] {
            assert_eq!(session_part(wrong), None, "{wrong}");
        }
    }
}
