//! The service manager's orders, and the daemon that runs already: it is stopped only where it has no session, or was told to.

use sshmcp_proto::client::Daemon;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{GetStatusRequest, Reason, StopRequest};

use super::orders::Order;
use super::{Outcome, Run};
use crate::commands::daemon::await_end;

impl Run<'_> {
    /// Gives orders one after the other; behind one that failed the others are left.
    pub(super) async fn give(&mut self, orders: Vec<Order>) {
        let mut failed = false;
        for order in orders {
            let what = format!("run {}", order.line());
            let (outcome, why) = if failed {
                (Outcome::Left, String::new())
            } else if self.act {
                match order.give().await {
                    Ok(()) => (Outcome::Done, String::new()),
                    Err(why) => {
                        failed = true;
                        (Outcome::Failed, why)
                    }
                }
            } else {
                (Outcome::Planned, String::new())
            };
            self.step(what, outcome, &why);
        }
    }

    /// The daemon that runs, who started it, and how many sessions it has.
    pub(super) async fn running(&self) -> Result<Option<(Daemon, String, u32)>, Fault> {
        let daemon = match self.context.running_daemon().await {
            Ok(daemon) => daemon,
            Err(fault) if fault.reason == Reason::DaemonUnavailable && !fault.retryable => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let status = daemon
            .daemon()
            .get_status(GetStatusRequest {})
            .await?
            .into_inner();
        Ok(Some((daemon, status.started_by, status.sessions)))
    }

    /// Has the service manager serve the socket from now on, unless a daemon with sessions does.
    pub(super) async fn start(&mut self) -> Result<(), Fault> {
        let orders = self.system.start(&self.directory);
        match self.running().await? {
            None => self.give(orders).await,
            Some((_, by, _)) if by == self.system.name() => {
                for order in orders {
                    self.step(format!("run {}", order.line()), Outcome::Already, "");
                }
            }
            Some((_, _, 0)) => {
                self.stop(false).await?;
                self.give(orders).await;
            }
            Some((daemon, by, sessions)) => {
                let why = format!(
                    "the daemon that runs (process {}, started by {by}) has {sessions} open sessions, which would end; it \
                     takes over at your next login, or by this after `sshctl daemon stop`",
                    daemon.hello().pid
                );
                for order in orders {
                    self.step(format!("run {}", order.line()), Outcome::Left, &why);
                }
            }
        }
        Ok(())
    }

    /// Has the daemon that runs end.
    pub(super) async fn stop(&mut self, force: bool) -> Result<(), Fault> {
        let Some((daemon, _, sessions)) = self.running().await? else {
            return Ok(());
        };
        let what = match sessions {
            0 => format!(
                "stop the daemon that runs (process {}) and has no session",
                daemon.hello().pid
            ),
            _ => format!(
                "stop the daemon that runs (process {}) with {sessions} sessions",
                daemon.hello().pid
            ),
        };
        if self.act {
            daemon.daemon().stop(StopRequest { force }).await?;
            await_end(&daemon).await?;
        }
        self.step(what, self.done(), "");
        Ok(())
    }
}
