//! `sshctl daemon`: starts, stops and looks at the daemon.

use std::fs;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use sshmcp_proto::client::Daemon;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{ListCommandsRequest, ListSessionsRequest, Reason, StopRequest, StopResponse};
use tokio::time::{Instant, sleep};

use crate::args::{DaemonVerb, Force};
use crate::commands::{list, status};
use crate::context::Context;
use crate::error::Failure;

/// A daemon that stops closes its sessions and syncs what is on disk; a loaded machine gets this much for it.
const STOP_TIME: Duration = Duration::from_secs(15);
/// Between two looks whether it is gone.
const STOP_PAUSE: Duration = Duration::from_millis(20);

/// Does what the verb says.
pub(crate) async fn run(verb: DaemonVerb, context: &Context) -> Result<u8, Failure> {
    match verb {
        DaemonVerb::Start => {
            let daemon = context.daemon().await?;
            status::show(&daemon, &context.out).await
        }
        DaemonVerb::Status => status::run(context).await,
        DaemonVerb::Stop(force) => {
            let stopped = stop(force, context).await?;
            let out = &context.out;
            if out.is_json() {
                let StopResponse {
                    closed_sessions,
                    ended_commands,
                } = stopped.clone().unwrap_or_default();
                out.json(&json!({
                    "stopped": stopped.is_some(), "closed_sessions": closed_sessions, "ended_commands": ended_commands,
                }))?;
            } else if stopped.is_none() {
                out.line("no daemon was running")?;
            } else {
                out.line("stopped")?;
            }
            Ok(0)
        }
        DaemonVerb::Restart(force) => {
            stop(force, context).await?;
            let daemon = context.daemon().await?;
            status::show(&daemon, &context.out).await
        }
    }
}

/// Stops the daemon that runs and waits until it is gone; `None` if there was none.
async fn stop(force: Force, context: &Context) -> Result<Option<StopResponse>, Failure> {
    let daemon = match context.running_daemon().await {
        Ok(daemon) => daemon,
        // Not retryable: nobody serves there, as against somebody who does not answer.
        Err(fault) if fault.reason == Reason::DaemonUnavailable && !fault.retryable => return Ok(None),
        Err(fault) => return Err(fault.into()),
    };
    if !force.force {
        refuse_while_running(&daemon, context).await?;
    }
    let request = StopRequest { force: force.force };
    let stopped = daemon.daemon().stop(request).await?.into_inner();
    if !context.out.is_json() {
        for session in &stopped.closed_sessions {
            context.out.note(&format!("closed session {session}"))?;
        }
        for command in &stopped.ended_commands {
            context.out.note(&format!("ended command {command}"))?;
        }
    }
    await_end(&daemon).await?;
    Ok(Some(stopped))
}

/// Waits until a daemon that was told to stop is gone. Its socket says nothing of that: a service manager's goes on
/// listening, and a look at it would start the next daemon.
pub(crate) async fn await_end(daemon: &Daemon) -> Result<(), Fault> {
    let give_up = Instant::now() + STOP_TIME;
    while lives(daemon) {
        if Instant::now() >= give_up {
            return Err(Fault::new(
                Reason::DaemonUnavailable,
                format!(
                    "process {} still lives {} seconds after it was told to stop",
                    daemon.hello().pid,
                    STOP_TIME.as_secs()
                ),
            )
            .hint("look at its log, then end that process"));
        }
        sleep(STOP_PAUSE).await;
    }
    Ok(())
}

/// True while it holds the lock that it holds for life.
fn lives(daemon: &Daemon) -> bool {
    let path = daemon.socket().life_lock();
    let Ok(lock) = fs::File::open(&path) else {
        return false;
    };
    if flock(&lock, FlockOperation::NonBlockingLockShared).is_ok() {
        return false;
    }
    // The next one may hold it by now.
    let holder = fs::read_to_string(&path).unwrap_or_default();
    holder
        .trim()
        .parse()
        .is_ok_and(|pid: u32| pid == daemon.hello().pid)
}

/// Names what would end.
async fn refuse_while_running(daemon: &Daemon, context: &Context) -> Result<(), Failure> {
    let request = ListCommandsRequest {
        finished: 0,
        session: None,
    };
    let mut running = match daemon.commands().list_commands(request).await {
        Ok(answer) => answer.into_inner().commands,
        // A daemon of another version refuses by itself if it has reason to.
        Err(_) => return Ok(()),
    };
    if let Ok(answer) = daemon
        .sessions()
        .list_sessions(ListSessionsRequest::default())
        .await
    {
        // What is kept goes on without the daemon.
        let sessions = answer.into_inner().sessions;
        let is_kept = |name: &str| {
            let mut found = sessions.iter();
            found.any(|session| session.name == name && session.keeper != "daemon")
        };
        running.retain(|command| !is_kept(&command.session));
    }
    if running.is_empty() {
        return Ok(());
    }
    if !context.out.is_json() {
        list::table(&running, &context.out)?;
    }
    let number = u32::try_from(running.len()).unwrap_or(u32::MAX);
    Err(Fault::new(
        Reason::Conflict,
        format!(
            "{} would end with the daemon",
            status::count(number, "running command")
        ),
    )
    .hint("wait for them with `sshctl wait`, or stop all the same with --force")
    .into())
}
