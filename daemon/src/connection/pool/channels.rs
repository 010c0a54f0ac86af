//! Channels, each on whatever connection has room: which is tried when one refuses, and when that is told.

use std::{sync::Arc, time::Duration};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{CONNECTIONS_MAX, Pool};
use crate::{
    connection::{
        Connection,
        channel::Channel,
        lease::Lease,
        open::{NoChannel, Program, Pty, count, open},
        words::place,
    },
    host::Target,
};

/// Connections that one opening tries before it gives up. Each refusal means that others took the places of a connection, and
/// among hundreds that open at once that can befall the same one on each.
const OPENINGS_MAX: usize = CONNECTIONS_MAX;

/// sshd frees a closed channel's place a moment after it said so: a short wait is cheaper than a login.
const CLEARING_WAIT: Duration = Duration::from_millis(10);
/// Doubled each time: 70 ms in all.
const CLEARING_TRIES: u32 = 3;

/// A shell and what runs beside it.
pub struct Pair {
    /// The shell's connection.
    pub connection: Arc<Connection>,
    /// The shell.
    pub shell: Channel,
    /// The command, if the host runs it.
    pub beside: Result<Channel, Fault>,
    /// The shell's connection had no place left for it: it is on another.
    pub is_apart: bool,
}

impl Pool {
    /// An interactive login shell on a connection of the target.
    pub async fn open_shell(
        self: &Arc<Self>,
        target: &Target,
        pty: Pty,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        self.open(target, None, Program::Shell(pty)).await
    }

    /// A command without a terminal, on the preferred connection if that takes another channel, else on another.
    pub async fn open_exec(
        self: &Arc<Self>,
        target: &Target,
        prefer: &Arc<Connection>,
        command: &str,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        let prefer = Some(prefer.clone());
        self.open(target, prefer, Program::Exec(command.to_owned())).await
    }

    /// A command without a terminal, on whatever connection there is or can be made.
    pub async fn open_beside(
        self: &Arc<Self>,
        target: &Target,
        command: &str,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        self.open(target, None, Program::Exec(command.to_owned())).await
    }

    /// A subsystem of the server's, on whatever connection there is or can be made. `not_supported`: it has none of that
    /// name, or refuses it to the account.
    pub async fn open_subsystem(
        self: &Arc<Self>,
        target: &Target,
        name: &'static str,
    ) -> Result<Channel, Fault> {
        let opened = self.open(target, None, Program::Subsystem(name)).await;
        opened.map(|(_, channel)| channel)
    }

    /// How many channels a connection takes, those that are open included and at most so many, and whether it refused one
    /// more. What is opened for that stays open until the connection ends.
    pub async fn count_channels(
        &self,
        connection: &Arc<Connection>,
        most: usize,
    ) -> Result<(usize, bool), Fault> {
        count(connection, most).await
    }

    /// A login shell, and a command beside it that is asked for in the same moment: on a slow link that is sooner than
    /// one after the other. The command is on the shell's connection if that takes both.
    pub async fn open_pair(
        self: &Arc<Self>,
        target: &Target,
        pty: Pty,
        command: &str,
    ) -> Result<Pair, Fault> {
        let (pool, target) = (self.clone(), target.clone());
        let (shell, command) = (Program::Shell(pty), Program::Exec(command.to_owned()));
        // A task of its own, as for one channel.
        tokio::spawn(async move { pool.open_pair_now(&target, &shell, &command).await })
            .await
            .unwrap_or_else(|_| Err(failed_within()))
    }

    /// Runs in a task of its own: a caller that goes away leaves no half-open channel behind.
    async fn open(
        self: &Arc<Self>,
        target: &Target,
        prefer: Option<Arc<Connection>>,
        program: Program,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        let (pool, target) = (self.clone(), target.clone());
        tokio::spawn(async move { pool.open_now(&target, prefer, &program).await })
            .await
            .unwrap_or_else(|_| Err(failed_within()))
    }

    async fn open_now(
        self: &Arc<Self>,
        target: &Target,
        prefer: Option<Arc<Connection>>,
        program: &Program,
    ) -> Result<(Arc<Connection>, Channel), Fault> {
        let mut prefer = prefer.and_then(|connection| {
            let usable = connection.is_alive() && connection.usage.borrow().has_room();
            usable.then(|| Lease::new(connection))
        });
        let mut clearing = 0;
        for _ in 0..OPENINGS_MAX {
            let lease = match prefer.take() {
                Some(lease) => lease,
                None => self.lease(target).await?,
            };
            let connection = lease.connection().clone();
            match open(lease, program).await {
                Ok(channel) => return Ok((connection, channel)),
                Err(no) => {
                    prefer = self
                        .without_channel(no, target, connection, &mut clearing)
                        .await?;
                }
            }
        }
        Err(refuses_all(target).retryable())
    }

    async fn open_pair_now(
        self: &Arc<Self>,
        target: &Target,
        shell: &Program,
        command: &Program,
    ) -> Result<Pair, Fault> {
        let mut prefer = None;
        let mut clearing = 0;
        for _ in 0..OPENINGS_MAX {
            let lease = match prefer.take() {
                Some(lease) => lease,
                None => self.lease(target).await?,
            };
            let connection = lease.connection().clone();
            let second = Lease::new(connection.clone());
            // The shell is asked for first: where there is one place left, it has it.
            match tokio::join!(open(lease, shell), open(second, command)) {
                (Ok(shell), beside) => {
                    let mut is_apart = false;
                    let beside = match beside {
                        Ok(channel) => Ok(channel),
                        Err(NoChannel::Failed(fault)) => Err(fault),
                        Err(NoChannel::Refused | NoChannel::Gone(_)) => {
                            let prefer = Some(connection.clone());
                            let opened = self.open_now(target, prefer, command).await;
                            opened.map(|(other, channel)| {
                                is_apart = other.id() != connection.id();
                                channel
                            })
                        }
                    };
                    return Ok(Pair {
                        connection,
                        shell,
                        beside,
                        is_apart,
                    });
                }
                (Err(no), _closed) => {
                    prefer = self
                        .without_channel(no, target, connection, &mut clearing)
                        .await?;
                }
            }
        }
        Err(refuses_all(target).retryable())
    }

    /// Takes in that a connection gave no channel: where to try next, if not on any connection.
    async fn without_channel(
        &self,
        no: NoChannel,
        target: &Target,
        connection: Arc<Connection>,
        clearing: &mut u32,
    ) -> Result<Option<Lease>, Fault> {
        match no {
            NoChannel::Refused if !connection.shared.has_opened() => Err(refuses_all(target)),
            NoChannel::Refused if *clearing < CLEARING_TRIES && connection.is_unused() => {
                tokio::time::sleep(CLEARING_WAIT * (1 << *clearing)).await;
                *clearing = clearing.saturating_add(1);
                Ok(Some(Lease::new(connection)))
            }
            NoChannel::Refused => {
                self.is_full(target, &connection);
                Ok(None)
            }
            // A connection may turn out to be dead only when it is used.
            NoChannel::Gone(fault) => {
                self.remove(&connection);
                if connection.shared.has_opened() {
                    Ok(None)
                } else {
                    Err(fault)
                }
            }
            NoChannel::Failed(fault) => Err(fault),
        }
    }
}

pub(super) fn failed_within() -> Fault {
    Fault::new(Reason::Internal, "opening a channel failed within")
}

pub(super) fn refuses_all(target: &Target) -> Fault {
    Fault::new(
        Reason::LimitReached,
        format!("{} opens no session", place(target)),
    )
    .hint("its MaxSessions, or a limit of the account, is reached; ask the host's owner")
}
