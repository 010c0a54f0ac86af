//! `sshctl status`: what the daemon is and holds. Starts none.

use serde_json::json;
use sshmcp_proto::client::Daemon;
use sshmcp_proto::v1::{GetStatusRequest, GetStatusResponse};

use crate::context::Context;
use crate::error::Failure;
use crate::output::{Entry, Output, Tone};
use crate::view;

/// Shows the daemon that runs.
pub(crate) async fn run(context: &Context) -> Result<u8, Failure> {
    let daemon = context.running_daemon().await?;
    show(&daemon, &context.out).await
}

/// Shows this daemon.
pub(crate) async fn show(daemon: &Daemon, out: &Output) -> Result<u8, Failure> {
    let GetStatusResponse {
        version,
        pid,
        uptime_seconds,
        socket,
        config_path,
        state_dir,
        connections,
        sessions,
        running_commands,
        clients,
        config_problems,
        started_by,
        spool_bytes,
        memory_bytes,
        agent_socket,
        log_problems,
        state_problems,
        away_sessions,
        calls,
    } = daemon
        .daemon()
        .get_status(GetStatusRequest {})
        .await?
        .into_inner();
    if out.is_json() {
        out.json(&json!({
            "running": true, "version": version, "pid": pid, "uptime_seconds": uptime_seconds, "socket": socket,
            "config_path": config_path, "state_dir": state_dir, "connections": connections, "sessions": sessions,
            "running_commands": running_commands, "clients": clients, "config_problems": config_problems,
            "started_by": started_by, "spool_bytes": spool_bytes, "memory_bytes": memory_bytes,
            "log_problems": log_problems, "state_problems": state_problems, "away_sessions": away_sessions,
            "calls": calls,
            "agent_socket": (!agent_socket.is_empty()).then_some(agent_socket),
        }))?;
        return Ok(0);
    }
    out.pairs(vec![
        (
            "daemon",
            Entry(format!("sshmcpd {version}, running as process {pid}"), Tone::Good),
        ),
        (
            "up",
            format!(
                "{}, started by {started_by}",
                view::duration(uptime_seconds.max(1).saturating_mul(1000))
            )
            .into(),
        ),
        ("connections", connections.to_string().into()),
        ("sessions", sessions.to_string().into()),
        ("not reached", Entry(away_sessions.join(", "), Tone::Bad)),
        ("running", count(running_commands, "command").into()),
        (
            "clients",
            format!("{clients}, with {} under way", count(calls, "call")).into(),
        ),
        ("output kept", view::bytes(spool_bytes).into()),
        (
            "memory",
            if memory_bytes == 0 {
                String::new()
            } else {
                view::bytes(memory_bytes)
            }
            .into(),
        ),
        ("socket", socket.into()),
        ("configuration", config_path.into()),
        ("state", state_dir.into()),
    ])?;
    problems(&config_problems, out)?;
    for problem in state_problems.iter().chain(&log_problems) {
        out.note(problem)?;
    }
    Ok(0)
}

/// Says what is wrong with the configuration, on stderr.
pub(crate) fn problems(problems: &[String], out: &Output) -> Result<(), Failure> {
    for problem in problems {
        out.note(&format!("configuration: {problem}"))?;
    }
    Ok(())
}

/// `1 command`, `2 commands`.
pub(crate) fn count(number: u32, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
