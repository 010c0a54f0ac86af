//! Sessions as the tools that open, list and close them show them.

use rmcp::model::JsonObject;
use serde_json::{Value, json};
use sshmcp_proto::v1::{
    CloseSessionResponse, ClosedSession, ListSessionsResponse, OpenSessionResponse, Session, SessionState,
};

use super::{Reply, duration, known, line, seconds_ago};

/// One session for programs.
pub(crate) fn object(session: &Session) -> JsonObject {
    let object = json!({
        "session": session.name,
        "host": known(&session.host),
        "target": known(&session.target),
        "keeper": known(&session.keeper),
        "state": state(session),
        "shell": known(&session.shell),
        "cwd": known(&session.cwd),
        "running_command_id": known(&session.running_command),
        "running_command": known(&session.running_text),
        "durable_command_ids": session.durable_commands,
        "opened_seconds_ago": seconds_ago(session.opened_at_ms),
        "last_used_seconds_ago": seconds_ago(session.last_used_at_ms),
        "idle_seconds": seconds_ago(session.idle_since_ms),
        "client": known(&session.client),
        "cursor": session.cursor,
        "log_path": known(&session.log_path),
        "cols": session.cols,
        "rows": session.rows,
        "default": session.is_default,
        "capture": known(&session.capture),
        "notice": known(&session.notice),
    });
    match object {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

/// An opened session.
pub(crate) fn opened(response: &OpenSessionResponse) -> Reply {
    let OpenSessionResponse {
        session,
        opened,
        greeting,
        has_notes,
    } = response;
    let session = session.clone().unwrap_or_default();
    let mut structured = object(&session);
    structured.insert("opened".to_owned(), json!(opened));
    structured.insert("greeting".to_owned(), known(greeting));
    structured.insert("has_notes".to_owned(), json!(has_notes));
    let mut text = greeting.trim_end().to_owned();
    if !text.is_empty() {
        text.push('\n');
    }
    let how = if *opened { "opened" } else { "was open already" };
    text.push_str(&format!("[{how} · {}]", facts(&session)));
    if *has_notes {
        let host = line(&session.host);
        text.push_str(&format!(
            "\nIts owner left notes for you: list_hosts(host=\"{host}\")."
        ));
    }
    notice(&mut text, &session);
    Reply::new(Value::Object(structured), text)
}

/// All sessions.
pub(crate) fn list(response: &ListSessionsResponse) -> Reply {
    let sessions = &response.sessions;
    let mut text = String::new();
    for session in sessions {
        text.push_str(&facts(session));
        if !session.running_command.is_empty() {
            text.push_str(&line(&format!(
                " · {}: {}",
                session.running_command, session.running_text
            )));
        }
        text.push_str(&durable(&session.durable_commands, "beside its shell"));
        if let Some(seconds) = seconds_ago(session.last_used_at_ms).as_u64() {
            text.push_str(&format!(
                " · used {} ago",
                duration(seconds.saturating_mul(1_000))
            ));
        }
        if !session.client.is_empty() {
            text.push_str(&line(&format!(" by {}", session.client)));
        }
        if let Some(seconds) = seconds_ago(session.idle_since_ms).as_u64() {
            let time = duration(seconds.saturating_mul(1_000));
            text.push_str(&format!(" · idle for {time}"));
        }
        notice(&mut text, session);
        text.push('\n');
    }
    text.push_str(&match sessions.len() {
        0 => "[no session is open; execute_command with a host opens one]".to_owned(),
        1 => "[1 session]".to_owned(),
        many => format!("[{many} sessions]"),
    });
    for problem in &response.config_problems {
        text.push_str(&format!("\n[configuration: {}]", line(problem)));
    }
    Reply::new(
        json!({
            "sessions": sessions.iter().map(object).collect::<Vec<_>>(),
            "state_dir": response.state_dir,
            "config_problems": response.config_problems,
        }),
        text,
    )
}

/// What was closed, and what it was doing.
pub(crate) fn closed(response: &CloseSessionResponse) -> Reply {
    let closed = &response.closed;
    let mut text = String::new();
    for one in closed {
        let ClosedSession {
            name,
            running_command,
            running_text,
            durable_commands,
            host: _,
            target: _,
        } = one;
        let doing = if durable_commands.contains(running_command) {
            "nothing was running in its shell".to_owned()
        } else if running_command.is_empty() {
            "nothing was running".to_owned()
        } else {
            format!("{running_command} was still running: {running_text}")
        };
        text.push_str(&line(&format!("{name} · {doing}")));
        text.push_str(&durable(durable_commands, "without it"));
        text.push('\n');
    }
    text.push_str(&match closed.len() {
        1 => "[1 session closed]".to_owned(),
        number => format!("[{number} sessions closed]"),
    });
    let all: Vec<_> = closed
        .iter()
        .map(|one| {
            json!({
                "session": one.name,
                "host": known(&one.host),
                "target": known(&one.target),
                "running_command_id": known(&one.running_command),
                "running_command": known(&one.running_text),
                "durable_command_ids": one.durable_commands,
            })
        })
        .collect();
    Reply::new(json!({"closed": all}), text)
}

/// Which durable commands go on, and how.
fn durable(ids: &[String], how: &str) -> String {
    match ids {
        [] => String::new(),
        [one] => line(&format!(" · {one} is durable and goes on {how}")),
        all => line(&format!(" · {} are durable and go on {how}", all.join(", "))),
    }
}

fn facts(session: &Session) -> String {
    let mut facts = vec![
        session.name.clone(),
        session.target.clone(),
        state(session).unwrap_or_default().to_owned(),
    ];
    facts.extend([session.shell.clone(), session.cwd.clone(), session.keeper.clone()]);
    if session.is_default {
        facts.push("default of its host".to_owned());
    }
    facts.retain(|fact| !fact.is_empty());
    line(&facts.join(" · "))
}

fn notice(text: &mut String, session: &Session) {
    if !session.notice.is_empty() {
        text.push_str(&format!("\n[notice: {}]", line(&session.notice)));
    }
}

fn state(session: &Session) -> Option<&'static str> {
    match session.state() {
        SessionState::Opening => Some("opening"),
        SessionState::Ready => Some("ready"),
        SessionState::Busy => Some("busy"),
        SessionState::AwaitingInput => Some("awaiting_input"),
        SessionState::Disconnected => Some("disconnected"),
        SessionState::Stalled => Some("stalled"),
        SessionState::Reconnecting => Some("reconnecting"),
        SessionState::Unspecified => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> Session {
        Session {
            name: "web1".to_owned(),
            host: "web1".to_owned(),
            target: "deploy@10.0.0.5:22".to_owned(),
            keeper: "daemon".to_owned(),
            state: SessionState::Busy.into(),
            shell: "bash".to_owned(),
            cwd: "/srv".to_owned(),
            running_command: "c42".to_owned(),
            running_text: "make\nall".to_owned(),
            is_default: true,
            ..Session::default()
        }
    }

    /// A session is one line; what runs there is on it.
    #[test]
    fn sessions_read_well() {
        let reply = list(&ListSessionsResponse {
            sessions: vec![web()],
            state_dir: "/state".to_owned(),
            config_problems: vec!["/c.toml:1:1: not valid TOML".to_owned()],
        });
        assert_eq!(
            reply.text,
            "web1 · deploy@10.0.0.5:22 · busy · bash · /srv · daemon · default of its host · c42: make all\n[1 session]\n\
             [configuration: /c.toml:1:1: not valid TOML]"
        );
        assert!(
            list(&ListSessionsResponse::default())
                .text
                .contains("no session is open")
        );
    }

    /// Opening tells whether it was new, what the host greeted with, and that there are notes.
    #[test]
    fn opening_reads_well() {
        let reply = opened(&OpenSessionResponse {
            session: Some(Session {
                state: SessionState::Ready.into(),
                running_command: String::new(),
                ..web()
            }),
            opened: true,
            greeting: "Welcome\n".to_owned(),
            has_notes: true,
        });
        assert_eq!(
            reply.text,
            "Welcome\n[opened · web1 · deploy@10.0.0.5:22 · ready · bash · /srv · daemon · default of its host]\n\
             Its owner left notes for you: list_hosts(host=\"web1\")."
        );
        assert_eq!(reply.structured.get("opened"), Some(&json!(true)));
    }

    /// What outlives a session is told with it.
    #[test]
    fn durable_commands_are_told() {
        let reply = list(&ListSessionsResponse {
            sessions: vec![Session {
                state: SessionState::Ready.into(),
                durable_commands: vec!["c42".to_owned()],
                ..web()
            }],
            ..ListSessionsResponse::default()
        });
        let told = "c42: make all · c42 is durable and goes on beside its shell";
        assert!(reply.text.contains(told), "{}", reply.text);
        let reply = closed(&CloseSessionResponse {
            closed: vec![ClosedSession {
                name: "web1".to_owned(),
                running_command: "c42".to_owned(),
                running_text: "make".to_owned(),
                durable_commands: vec!["c41".to_owned(), "c42".to_owned()],
                ..ClosedSession::default()
            }],
        });
        assert_eq!(
            reply.text,
            "web1 · nothing was running in its shell · c41, c42 are durable and go on without it\n[1 session closed]"
        );
    }

    /// Closing says what was still running.
    #[test]
    fn closing_reads_well() {
        let reply = closed(&CloseSessionResponse {
            closed: vec![ClosedSession {
                name: "web1".to_owned(),
                running_command: "c42".to_owned(),
                running_text: "make".to_owned(),
                host: "web1".to_owned(),
                target: "deploy@10.0.0.5:22".to_owned(),
                durable_commands: Vec::new(),
            }],
        });
        assert_eq!(
            reply.text,
            "web1 · c42 was still running: make\n[1 session closed]"
        );
    }
}
