//! `Wait`: one blocking wait over many commands and sessions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::{join_all, select_all};
use regex::bytes::Regex;
use sshmcp_proto::{
    error::Fault,
    v1::{Reason, WaitItem, WaitRequest, WaitResponse, WaitUntil},
};
use tokio::time::{Instant, sleep_until};

use super::{bounded, from_proto};
use crate::{
    command::{Command, Status},
    output::forward,
    registry::Registry,
    rpc::to_proto,
    session::{Session, SessionState},
};

/// Things that one call may wait for.
const ITEMS_MAX: usize = 100;
/// Bytes that are searched for a pattern at once.
const SEARCHED: usize = 256 << 10; // 256 KiB

/// A line this long is still matched where it lies across two parts.
const LINE_REACH: u64 = 8 << 10; // 8 KiB

/// One thing that is waited for.
struct Item {
    command: Option<Arc<Command>>,
    session: Option<Arc<Session>>,
    name: String,
    from: u64,
    /// How far the pattern was looked for without being found.
    searched: AtomicU64,
}

/// What came to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Happened {
    event: &'static str,
    matched: String,
}

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
        return Err(Fault::new(
            Reason::InvalidArgument,
            "`offset` needs exactly one command",
        ));
    }
    let pattern = pattern
        .map(|text| from_proto::pattern("pattern", &text))
        .transpose()?;
    let idle = idle_ms.map(Duration::from_millis);
    let mut items = Vec::with_capacity(count);
    for id in &commands {
        let command = registry.commands.find(id)?;
        let from = offset.unwrap_or_else(|| command.state().shown_to(client));
        let session = registry.session(command.session.as_str()).ok();
        items.push(Item {
            command: Some(command),
            session,
            name: id.clone(),
            from,
            searched: AtomicU64::new(0),
        });
    }
    for name in &sessions {
        let session = registry.session(name)?;
        let running = session.summary().running;
        let command = running.and_then(|id| registry.commands.find(&id.to_string()).ok());
        let from = command
            .as_ref()
            .map_or(0, |command| command.state().shown_to(client));
        items.push(Item {
            command,
            session: Some(session),
            name: name.clone(),
            from,
            searched: AtomicU64::new(0),
        });
    }
    let limit = bounded(registry, timeout_ms, unbounded_wait);
    let deadline = limit.map(|limit| Instant::now() + limit);
    let waits = items
        .iter()
        .map(|item| Box::pin(item.wait(pattern.as_ref(), idle)));
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
    let share = from_proto::output_limit(output_limit) / count;
    let items = items
        .iter()
        .map(|item| item.report(pattern.as_ref(), idle, client, share, raw))
        .collect();
    Ok(WaitResponse { items, satisfied })
}

impl Item {
    /// Waits until something comes to pass.
    async fn wait(&self, pattern: Option<&Regex>, idle: Option<Duration>) -> Happened {
        let Some(command) = &self.command else {
            return Happened {
                event: "ended",
                matched: String::new(),
            };
        };
        let _waiting = command.wait_guard();
        if let Some(session) = &self.session {
            session.watch();
        }
        let mut changes = command.changes();
        loop {
            if let Some(happened) = self.happened(pattern, idle) {
                return happened;
            }
            let quiet = idle.map(|idle| self.last_write(command) + idle);
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return Happened { event: "disconnected", matched: String::new() };
                    }
                }
                () = async {
                    match quiet {
                        Some(quiet) => sleep_until(Instant::from_std(quiet)).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    fn last_write(&self, command: &Command) -> std::time::Instant {
        let state = command.state();
        state
            .last_write
            .or(state.started)
            .unwrap_or_else(std::time::Instant::now)
    }

    /// What has come to pass by now.
    fn happened(&self, pattern: Option<&Regex>, idle: Option<Duration>) -> Option<Happened> {
        let plain = |event| {
            Some(Happened {
                event,
                matched: String::new(),
            })
        };
        let Some(command) = &self.command else {
            let gone = self
                .session
                .as_ref()
                .is_some_and(|session| session.summary().state == SessionState::Disconnected);
            return plain(if gone { "disconnected" } else { "ended" });
        };
        if let Some(pattern) = pattern
            && let Some(matched) = self.find(command, pattern)
        {
            return Some(Happened {
                event: "pattern",
                matched,
            });
        }
        let status = command.state().status.clone();
        match status {
            Status::Lost => plain("disconnected"),
            Status::Completed | Status::Interrupted => plain("ended"),
            Status::Awaiting(_) => plain("awaiting_input"),
            Status::Queued | Status::Running => {
                let quiet = idle.is_some_and(|idle| self.last_write(command).elapsed() >= idle);
                if quiet { plain("idle") } else { None }
            }
        }
    }

    /// The first line that matches, of what the caller was not yet shown.
    fn find(&self, command: &Command, pattern: &Regex) -> Option<String> {
        let state = command.state();
        let mut from = self.searched.load(Ordering::Relaxed).max(self.from);
        loop {
            let view = forward(&state.output, from, SEARCHED, false);
            for text in [&view.stdout, &view.stderr] {
                if let Some(line) = text
                    .split(|&byte| byte == b'\n')
                    .find(|line| pattern.is_match(line))
                {
                    return Some(crate::id::shorten(&String::from_utf8_lossy(line), 500));
                }
            }
            let next = view.offset;
            if next <= from || next >= state.output.total() {
                return None;
            }
            from = next;
            // A line may go on in the next part.
            self.searched
                .store(next.saturating_sub(LINE_REACH), Ordering::Relaxed);
        }
    }

    fn report(
        &self,
        pattern: Option<&Regex>,
        idle: Option<Duration>,
        client: &str,
        limit: usize,
        raw: bool,
    ) -> WaitItem {
        let happened = self.happened(pattern, idle);
        let (event, matched) = happened.map_or(("timeout", String::new()), |happened| {
            (happened.event, happened.matched)
        });
        let command = self.command.as_ref().map_or_else(
            || sshmcp_proto::v1::Command {
                session: self.name.clone(),
                ..Default::default()
            },
            |command| {
                let mut state = command.state();
                let view = forward(&state.output, self.from, limit, raw);
                state.show_to(client, view.offset);
                if !state.status.is_final() {
                    state.told_running = true;
                }
                to_proto::command(command, &state, Some(view), raw)
            },
        );
        WaitItem {
            command: Some(command),
            event: event.into(),
            matched,
        }
    }
}
