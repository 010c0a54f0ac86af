//! A shell that nobody can look at, for there is no helper: it says itself which it is, and is worked by lines that are typed.

use sshmcp_proto::error::Fault;
use tokio::time::timeout;

use super::{HELPER_WAIT, INSTALL_WAIT, Opening};
use crate::{
    connection::ChannelEvent,
    shell::typed::{self, Dialect},
};

/// What csh calls itself is a short line.
const VERSION_MAX: usize = 200;

impl Opening {
    /// Sets up a shell that has no FIFOs, and of which perhaps nothing is known.
    pub(super) async fn install_unseen(&mut self, is_seen: bool) -> Result<Dialect, Fault> {
        if !is_seen {
            self.write(typed::greet_unseen(&self.nonce)).await?;
            self.wait_until(INSTALL_WAIT, |opening| opening.shell.is_some())
                .await?;
            let dialect = self
                .shell
                .as_ref()
                .map_or(Dialect::Posix, |shell| Dialect::by_version(&shell.version));
            if let (Dialect::Fish | Dialect::Csh, Some(shell)) = (dialect, &mut self.shell) {
                dialect.kind().clone_into(&mut shell.kind);
                return Ok(dialect);
            }
            self.shell = None;
            self.write(typed::greet_options(&self.nonce)).await?;
            self.wait_until(INSTALL_WAIT, |opening| opening.shell.is_some())
                .await?;
            if let Some(shell) = self.shell.as_mut().filter(|shell| shell.version.contains('r')) {
                shell.version.clear();
                Dialect::Restricted.kind().clone_into(&mut shell.kind);
                return Ok(Dialect::Restricted);
            }
            self.shell = None;
        }
        self.write(typed::install(&self.nonce)).await?;
        Ok(Dialect::Posix)
    }

    /// Whether commands there are run by csh, whose prompt looks like a device's, and which does not run the helper.
    pub(super) async fn is_csh(&self) -> bool {
        let opened = self
            .pool
            .open_on(&self.target, &self.road, "echo \"$version\"")
            .await;
        let Ok((_, mut channel)) = opened else {
            return false;
        };
        let mut said = Vec::new();
        let heard = timeout(HELPER_WAIT, async {
            while let Some(event) = channel.next().await {
                if let ChannelEvent::Stdout(bytes) = event {
                    said.extend(bytes.iter().take(VERSION_MAX.saturating_sub(said.len())));
                }
            }
        });
        heard.await.is_ok() && said.starts_with(b"tcsh")
    }

    /// Ends the helper; it removes what it has made.
    pub(super) async fn leave_helper(&mut self) {
        if let Some(helper) = self.helper.take() {
            // One that is gone has ended.
            let _ = helper.eof().await;
        }
        self.hello = None;
        self.candidates = Some(Vec::new());
    }
}
