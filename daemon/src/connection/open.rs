//! Opening one channel on one connection: the request, the answer, and what a refusal means.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use russh::{ChannelMsg, client::Msg};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::timeout;

use super::{Connection, channel::Channel, lease::Lease};
use crate::host::Options;

/// An overloaded host takes seconds to fork a shell; longer is a host that hangs. With a login before it, it is within the 15 s
/// after which callers expect an error.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Output that may precede the answer to a request; no sane server sends any.
const EARLY_MAX: usize = 64;

/// The terminal that a shell gets.
#[derive(Clone, Debug)]
pub struct Pty {
    /// Its type, e.g. `xterm-256color`.
    pub term: String,
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// What runs in a channel.
#[derive(Clone, Debug)]
pub(super) enum Program {
    Shell(Pty),
    Exec(String),
    /// What the server has under this name, e.g. `sftp`.
    Subsystem(&'static str),
}

/// Why there is no channel.
pub(super) enum NoChannel {
    /// The server takes no further channel on this connection.
    Refused,
    /// The connection is gone, and nothing was started on it: another may be tried.
    Gone(Fault),
    /// Anything else. The program may have been started.
    Failed(Fault),
}

/// Opens a channel and starts the program in it.
pub(super) async fn open(mut lease: Lease, program: &Program) -> Result<Channel, NoChannel> {
    let connection = lease.connection().clone();
    let opening = timeout(OPEN_TIMEOUT, connection.handle.channel_open_session());
    let opened = tokio::select! {
        biased;
        cause = connection.closed() => return Err(NoChannel::Gone(lost(&cause))),
        opened = opening => opened,
    };
    let mut channel = match opened {
        Ok(Ok(channel)) => channel,
        Ok(Err(russh::Error::ChannelOpenFailure(_))) => return Err(NoChannel::Refused),
        Ok(Err(_)) => return Err(NoChannel::Gone(lost(&connection.cause_of_end()))),
        Err(_) => return Err(NoChannel::Failed(no_answer())),
    };
    lease.holds_channel();
    let mut early = VecDeque::new();
    let started = tokio::select! {
        biased;
        cause = connection.closed() => Err(lost(&cause)),
        started = timeout(OPEN_TIMEOUT, request(&mut channel, program, connection.options(), &mut early)) => {
            started.unwrap_or_else(|_| Err(no_answer()))
        }
    };
    // From here on the guard closes it, also where the program did not start.
    let channel = Channel::new(channel, early, lease);
    started.map_err(NoChannel::Failed)?;
    Ok(channel)
}

/// Opens channels on a connection, without starting anything in them, until the server refuses one or there are so many
/// with those that are open already. How many there were, and whether one was refused. OpenSSH does not close a channel in
/// which nothing was started, so they stay until the connection ends: it must be a probe's own.
pub(super) async fn count(connection: &Arc<Connection>, most: usize) -> Result<(usize, bool), Fault> {
    let before = connection.usage.borrow().channels;
    let lease = Lease::new(connection.clone());
    let mut open = Vec::new();
    let mut refused = false;
    while before + open.len() < most && !refused {
        match timeout(OPEN_TIMEOUT, lease.connection().handle.channel_open_session()).await {
            Ok(Ok(channel)) => open.push(channel),
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => refused = true,
            Ok(Err(_)) => return Err(lost(&connection.cause_of_end())),
            Err(_) => return Err(no_answer()),
        }
    }
    let number = before + open.len();
    Ok((number, refused))
}

fn no_answer() -> Fault {
    Fault::new(
        Reason::Unreachable,
        "the host did not answer the opening of a channel in time",
    )
    .hint("the host may be overloaded; try again")
    .retryable()
}

fn lost(cause: &str) -> Fault {
    Fault::new(
        Reason::ConnectionLost,
        format!("the connection was lost while a channel was opened: {cause}"),
    )
    .hint("try again; a new connection will be made")
    .retryable()
}

async fn request(
    channel: &mut russh::Channel<Msg>,
    program: &Program,
    options: &Options,
    early: &mut VecDeque<ChannelMsg>,
) -> Result<(), Fault> {
    let ended = |_: russh::Error| lost("connection closed");
    // No answer is asked for: a server that takes none of it runs the program all the same.
    if options.forwarded_agent.is_some() {
        channel.agent_forward(false).await.map_err(ended)?;
    }
    for (name, value) in &options.environment {
        let set = channel.set_env(false, name.as_str(), value.as_str());
        set.await.map_err(ended)?;
    }
    match program {
        Program::Exec(command) => {
            channel.exec(true, command.as_bytes()).await.map_err(ended)?;
            answer(channel, early, "to run a command beside the shell").await
        }
        Program::Subsystem(name) => {
            channel.request_subsystem(true, *name).await.map_err(ended)?;
            answer(channel, early, &format!("its subsystem {name}")).await
        }
        Program::Shell(pty) => {
            let (cols, rows) = (u32::from(pty.cols), u32::from(pty.rows));
            // Both at once: one round trip less.
            channel
                .request_pty(true, &pty.term, cols, rows, 0, 0, &[])
                .await
                .map_err(ended)?;
            channel.request_shell(true).await.map_err(ended)?;
            answer(channel, early, "to give a terminal").await?;
            answer(channel, early, "to start a shell").await
        }
    }
}

async fn answer(
    channel: &mut russh::Channel<Msg>,
    early: &mut VecDeque<ChannelMsg>,
    what: &str,
) -> Result<(), Fault> {
    while early.len() < EARLY_MAX {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return Ok(()),
            Some(ChannelMsg::Failure | ChannelMsg::Close) | None => break,
            Some(message) => early.push_back(message),
        }
    }
    Err(
        Fault::new(Reason::NotSupported, format!("the host refused {what}"))
            .hint("the account or the server forbids it; ask the host's owner"),
    )
}
