//! A durable command's interrupt: its process group is signalled where it is, and its end waited for.

use std::{sync::Arc, time::Duration};

use sshmcp_proto::{
    error::Fault,
    v1::{InterruptResponse, Reason, Signal},
};
use tokio::time::{Instant, timeout_at};

use super::{OUTPUT, report, words};
use crate::{command::Command, registry::Registry, shell::durable::Reached};

pub(super) async fn interrupt(
    registry: &Registry,
    command: &Arc<Command>,
    signal: Signal,
    wait: Duration,
) -> Result<InterruptResponse, Fault> {
    let name = words::name(signal);
    let deadline = Instant::now() + wait;
    let reached = registry.durables.signal(command.id, name).await?;
    let ended = match reached {
        Reached::Sent(_) | Reached::Gone => ends_by(command, deadline).await,
        Reached::Refused => {
            return Err(Fault::new(
                Reason::PermissionDenied,
                format!("the host refused {name}: the command's processes are another user's"),
            )
            .hint("end it on the host as that user, for example with sudo kill"));
        }
    };
    let message = match (reached, ended) {
        (Reached::Sent(_), true) => format!("{name} was sent to its process group, and the command ended"),
        (Reached::Sent(_), false) if signal == Signal::Kill => {
            "KILL was sent to its process group, but its end has not come yet: what was written before is on its way, or a process waits for a device; wait_for it".to_owned()
        }
        (Reached::Sent(true), false) => format!(
            "{name} was sent to its process group, but the command has not ended: it ignores {name}; interrupt it with {}",
            stronger(signal)
        ),
        (Reached::Sent(false), false) => format!(
            "{name} was sent to its process group, but the command has not ended: it catches {name}, or takes its time; wait_for it, or interrupt it with {}",
            stronger(signal)
        ),
        (Reached::Gone | Reached::Refused, true) => {
            "nothing was sent: its processes had ended already, and the command ended".to_owned()
        }
        (Reached::Gone | Reached::Refused, false) => {
            "nothing was sent: no process of its group lives, but its end has not been told yet; wait_for it"
                .to_owned()
        }
    };
    Ok(InterruptResponse {
        command: Some(report(command, "", OUTPUT, false)),
        ended,
        message,
        session: command.session.to_string(),
    })
}

const fn stronger(signal: Signal) -> &'static str {
    match signal {
        Signal::Unspecified | Signal::Int | Signal::Quit => "TERM",
        Signal::Term | Signal::Kill => "KILL",
    }
}

async fn ends_by(command: &Arc<Command>, deadline: Instant) -> bool {
    let _waiting = command.wait_guard();
    let mut changes = command.changes();
    while !command.state().status.is_final() {
        if !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
            return command.state().status.is_final();
        }
    }
    true
}
