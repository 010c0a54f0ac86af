//! `Interrupt`: signals what runs, and says what that reached.

use std::{sync::Arc, time::Duration};

use sshmcp_proto::{
    error::Fault,
    v1::{InterruptRequest, InterruptResponse, Reason, Signal, interrupt_request::Which},
};
use tokio::time::{Instant, timeout_at};

use super::{from_proto, report};
use crate::{
    command::{Command, Status},
    registry::Registry,
    session::{self, Session},
};

/// How long an interrupted program has to end before the answer says that it has not.
const WAIT: Duration = Duration::from_secs(3);
/// Output in the answer.
const OUTPUT: usize = 4000;

pub(super) async fn interrupt(
    registry: &Registry,
    request: InterruptRequest,
) -> Result<InterruptResponse, Fault> {
    let signal = request.signal();
    let InterruptRequest {
        which,
        signal: _,
        timeout_ms,
    } = request;
    let nothing = || {
        Fault::new(
            Reason::InvalidArgument,
            "nothing is named that should be interrupted",
        )
        .hint("give `command_id`, `session` or `host`")
    };
    let (session, command) = match which.ok_or_else(nothing)? {
        Which::CommandId(id) => {
            let command = registry.commands.find(&id)?;
            if command.state().status.is_final() {
                return Ok(ended_already(&command));
            }
            (registry.session(command.session.as_str())?, Some(command))
        }
        Which::Session(name) => by_session(registry, registry.session(&name)?),
        Which::Host(host) => {
            let key = registry.resolve(&from_proto::host(host)?).await?.key();
            let session = registry.default_of(&key).ok_or_else(|| {
                Fault::new(Reason::SessionNotFound, format!("no session is open on {key}"))
                    .hint("list_sessions shows the open ones")
            })?;
            by_session(registry, session)
        }
    };
    if let Some(command) = &command
        && command.state().status == Status::Queued
    {
        return withdraw(registry, &session, command).await;
    }
    let done = session.signal(own(signal)).await?;
    let wait = if timeout_ms == 0 {
        WAIT
    } else {
        Duration::from_millis(timeout_ms).min(Duration::from_secs(50))
    };
    let Some(command) = command else {
        return Ok(InterruptResponse {
            command: None,
            ended: false,
            message: format!("no command was running; {done}"),
            session: session.name.to_string(),
        });
    };
    let ended = wait_for_end(&command, &session, wait).await;
    let message = if ended {
        format!("{done}, and the command ended")
    } else {
        let next = match signal {
            Signal::Unspecified | Signal::Int => "try QUIT, TERM or KILL",
            Signal::Quit => "try TERM or KILL",
            Signal::Term => "try KILL, or INT if it is the shell itself that runs",
            Signal::Kill => "try INT if it is the shell itself that runs; close_session ends everything",
        };
        format!("{done}, but the command has not ended; {next}")
    };
    Ok(InterruptResponse {
        command: Some(report(&command, "", OUTPUT, false)),
        ended,
        message,
        session: session.name.to_string(),
    })
}

fn ended_already(command: &Arc<Command>) -> InterruptResponse {
    InterruptResponse {
        command: Some(report(command, "", OUTPUT, false)),
        ended: true,
        message: "the command had ended already; no signal was sent".into(),
        session: command.session.to_string(),
    }
}

fn by_session(registry: &Registry, session: Arc<Session>) -> (Arc<Session>, Option<Arc<Command>>) {
    let running = session.summary().running;
    let command = running.and_then(|id| registry.commands.find(&id.to_string()).ok());
    (session, command)
}

/// A command that waits for its turn is taken back instead.
async fn withdraw(
    registry: &Registry,
    session: &Session,
    command: &Arc<Command>,
) -> Result<InterruptResponse, Fault> {
    if !session.withdraw(command.id).await {
        return Err(Fault::new(Reason::Conflict, "the command began just now")
            .hint("interrupt it again")
            .retryable());
    }
    command.notice("it was taken back before it began; nothing was run");
    command.end(Status::Interrupted, None, None);
    registry.commands.forget(command.id);
    Ok(InterruptResponse {
        command: Some(report(command, "", OUTPUT, false)),
        ended: true,
        message: "the command had not begun and was taken back; nothing was run".into(),
        session: session.name.to_string(),
    })
}

async fn wait_for_end(command: &Command, session: &Session, wait: Duration) -> bool {
    let deadline = Instant::now() + wait;
    let _waiting = command.wait_guard();
    session.watch();
    let mut changes = command.changes();
    loop {
        if command.state().status.is_final() {
            return true;
        }
        if !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
            return command.state().status.is_final();
        }
    }
}

const fn own(signal: Signal) -> session::Signal {
    match signal {
        Signal::Unspecified | Signal::Int => session::Signal::Int,
        Signal::Quit => session::Signal::Quit,
        Signal::Term => session::Signal::Term,
        Signal::Kill => session::Signal::Kill,
    }
}
