//! Opening one channel on one connection: the request, the answer, and what a refusal means.

use std::{collections::VecDeque, time::Duration};

use russh::{ChannelMsg, client::Msg};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::timeout;

use super::{channel::Channel, pool::Lease};

/// An overloaded host takes seconds to fork a shell; longer is a host that hangs.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
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
}

/// Why there is no channel.
pub(super) enum NoChannel {
    /// The server takes no further channel on this connection.
    Refused,
    /// Anything else.
    Failed(Fault),
}

/// Opens a channel and starts the program in it.
pub(super) async fn open(lease: Lease, program: &Program) -> Result<Channel, NoChannel> {
    let connection = lease.connection().clone();
    let lost = async {
        let cause = connection.closed().await;
        NoChannel::Failed(lost(&cause))
    };
    tokio::select! {
        biased;
        opened = timeout(OPEN_TIMEOUT, start(lease, program)) => opened.unwrap_or_else(|_| {
            Err(NoChannel::Failed(
                Fault::new(
                    Reason::Unreachable,
                    "the host did not answer the opening of a channel in time".to_owned(),
                )
                .hint("the host may be overloaded; try again")
                .retryable(),
            ))
        }),
        lost = lost => Err(lost),
    }
}

fn lost(cause: &str) -> Fault {
    Fault::new(
        Reason::ConnectionLost,
        format!("the connection was lost while a channel was opened: {cause}"),
    )
    .hint("try again; a new connection will be made")
    .retryable()
}

async fn start(mut lease: Lease, program: &Program) -> Result<Channel, NoChannel> {
    let connection = lease.connection().clone();
    let opened = connection.handle.channel_open_session().await;
    let mut channel = match opened {
        Ok(channel) => channel,
        Err(russh::Error::ChannelOpenFailure(_)) => return Err(NoChannel::Refused),
        Err(_) => return Err(NoChannel::Failed(lost(&connection.cause_of_end()))),
    };
    lease.holds_channel();
    let mut early = VecDeque::new();
    let started = request(&mut channel, program, &mut early).await;
    // From here on the guard closes it, also where the program did not start.
    let channel = Channel::new(channel, early, lease);
    match started {
        Ok(()) => Ok(channel),
        Err(fault) if connection.is_alive() => Err(NoChannel::Failed(fault)),
        Err(_) => Err(NoChannel::Failed(lost(&connection.cause_of_end()))),
    }
}

async fn request(
    channel: &mut russh::Channel<Msg>,
    program: &Program,
    early: &mut VecDeque<ChannelMsg>,
) -> Result<(), Fault> {
    let ended = |_: russh::Error| lost("connection closed");
    match program {
        Program::Exec(command) => {
            channel.exec(true, command.as_bytes()).await.map_err(ended)?;
            answer(channel, early, "to run a command beside the shell").await
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
