//! `sshctl sessions` (`ls`): the open sessions and what runs in them.

use serde_json::{Value, json};
use sshmcp_proto::v1::{ListSessionsRequest, ListSessionsResponse, Session};

use crate::commands::status::problems;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{Entry, Tone};
use crate::view;

/// Lists the sessions.
pub(crate) async fn run(context: &Context) -> Result<u8, Failure> {
    let answer = context
        .daemon()
        .await?
        .sessions()
        .list_sessions(ListSessionsRequest::default())
        .await?;
    let ListSessionsResponse {
        sessions,
        state_dir,
        config_problems,
    } = answer.into_inner();
    let out = &context.out;
    if out.is_json() {
        let sessions: Vec<Value> = sessions.iter().map(view::session_json).collect();
        out.json(&json!({
            "sessions": sessions, "state_dir": state_dir, "config_problems": config_problems,
        }))?;
        return Ok(0);
    }
    let rows = sessions.iter().map(row).collect();
    let heads = ["NAME", "TARGET", "STATE", "RUNNING", "CWD", "SHELL", "USED", "BY"];
    out.table(&heads, rows, "no open sessions: `sshctl open HOST` opens one")?;
    for session in sessions.iter().filter(|session| !session.notice.is_empty()) {
        out.note(&format!("{}: {}", session.name, session.notice))?;
    }
    problems(&config_problems, out)?;
    Ok(0)
}

fn row(session: &Session) -> Vec<Entry> {
    let running = if session.running_command.is_empty() {
        String::new()
    } else {
        format!(
            "{} {}",
            session.running_command,
            view::short(&session.running_text, 40)
        )
    };
    vec![
        Entry(session.name.clone(), Tone::Strong),
        session.target.clone().into(),
        view::state_entry(session),
        running.into(),
        session.cwd.clone().into(),
        session.shell.clone().into(),
        Entry(view::ago(session.last_used_at_ms), Tone::Faint),
        Entry(session.client.clone(), Tone::Faint),
    ]
}
