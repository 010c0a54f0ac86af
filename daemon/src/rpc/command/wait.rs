//! `Wait`: one blocking wait over many commands and sessions.

mod item;

use std::{sync::Arc, time::Duration};

use futures::future::{join_all, select_all};
use sshmcp_proto::{
    error::Fault,
    v1::{Reason, WaitRequest, WaitResponse, WaitUntil},
};
use tokio::time::{Instant, sleep_until};

use super::{super::beside, bounded, from_proto};
use crate::{command::Command, registry::Registry, session::SessionState};
use item::{Item, Wanted};

/// Things that one call may wait for.
const ITEMS_MAX: usize = 100;

pub(super) async fn wait(
    registry: &Registry,
    request: WaitRequest,
    client: &str,
) -> Result<WaitResponse, Fault> {
    let until = request.until();
    let WaitRequest {
        commands,
        sessions,
        until: _,
        timeout_ms,
        pattern,
        idle_ms,
        output_limit,
        offset,
        unbounded_wait,
        raw,
    } = request;
    let count = commands.len() + sessions.len();
    if count == 0 || count > ITEMS_MAX {
        return Err(Fault::new(
            Reason::InvalidArgument,
            format!("{count} commands and sessions are named"),
        )
        .hint(format!("name 1 to {ITEMS_MAX} of them")));
    }
    if offset.is_some() && (commands.len() != 1 || !sessions.is_empty()) {
        return Err(
            Fault::new(Reason::InvalidArgument, "`offset` needs exactly one command")
                .hint("name one command and no session, or leave `offset` out"),
        );
    }
    let wanted = Wanted {
        pattern: pattern
            .map(|text| from_proto::pattern("pattern", &text))
            .transpose()?,
        idle: idle_ms.map(Duration::from_millis),
    };
    let mut items = Vec::with_capacity(count);
    for id in &commands {
        let command = registry.commands.find(id)?;
        let from = offset.unwrap_or_else(|| command.state().shown_to(client));
        let session = registry.session(command.session.as_str()).ok();
        items.push(Item::command(command, session, from));
    }
    for name in &sessions {
        items.extend(of_session(registry, name, client)?);
    }
    let limit = bounded(registry, timeout_ms, unbounded_wait);
    let deadline = limit.map(|limit| Instant::now() + limit);
    let waits = items.iter().map(|item| Box::pin(item.wait(&wanted)));
    let timer = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    let satisfied = match until {
        WaitUntil::Any => tokio::select! {
            _ = select_all(waits) => true,
            () = timer => false,
        },
        WaitUntil::All | WaitUntil::Unspecified => tokio::select! {
            _ = join_all(waits) => true,
            () = timer => false,
        },
    };
    let share = (from_proto::output_limit(output_limit) / items.len().max(1)).max(1);
    let reports = items.iter().map(|item| item.report(&wanted, client, share, raw));
    let items = join_all(reports).await;
    Ok(WaitResponse { items, satisfied })
}

/// A session with what its shell runs; where that is free, or it was closed, with each durable command beside it.
fn of_session(registry: &Registry, name: &str, client: &str) -> Result<Vec<Item>, Fault> {
    let durables = beside::of_session(registry, name);
    let session = match registry.session(name) {
        Ok(session) => session,
        Err(fault) if durables.is_empty() => return Err(fault),
        Err(_) => {
            let shown = |command: &Arc<Command>| command.state().shown_to(client);
            let items = durables.into_iter().map(|command| {
                let from = shown(&command);
                Item::command(command, None, from)
            });
            return Ok(items.collect());
        }
    };
    let summary = session.summary();
    let running = summary
        .running
        .and_then(|id| beside::in_shell(registry, name, id));
    let is_free =
        summary.running.is_none() && !matches!(summary.state, SessionState::Busy | SessionState::Awaiting);
    if is_free && !durables.is_empty() {
        let items = durables
            .into_iter()
            .map(|command| Item::session(session.clone(), Some(command), client));
        return Ok(items.collect());
    }
    Ok(vec![Item::session(session, running, client)])
}
