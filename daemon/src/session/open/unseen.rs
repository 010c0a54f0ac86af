//! A shell that nobody can look at, for there is no helper: it says itself which it is, and is worked by lines that are typed.

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::timeout;

use super::{HELPER_WAIT, INSTALL_WAIT, Opening, STARTUP_MAX, last_words, windows};
use crate::{
    connection::ChannelEvent,
    shell::typed::{self, Dialect},
};

/// What csh calls itself is a short line.
const VERSION_MAX: usize = 200;

impl Opening {
    /// Sets up a shell that has no FIFOs, and of which perhaps nothing is known.
    pub(super) async fn install_unseen(&mut self, is_seen: bool, greeting: &[u8]) -> Result<Dialect, Fault> {
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
            // With `set -u` a shell answers this alone. Start-up files may be at work still.
            self.write(typed::greet_options(&self.nonce)).await?;
            let limit = STARTUP_MAX.saturating_sub(self.began.elapsed()).max(INSTALL_WAIT);
            self.wait_until(limit, |opening| opening.shell.is_some()).await?;
            let Some(shell) = &mut self.shell else {
                // What answered neither gets nothing further.
                return Err(self.not_taken(greeting));
            };
            if shell.version.contains('r') {
                shell.version.clear();
                Dialect::Restricted.kind().clone_into(&mut shell.kind);
                return Ok(Dialect::Restricted);
            }
            self.shell = None;
        }
        self.write(typed::install(&self.nonce)).await?;
        Ok(Dialect::Posix)
    }

    /// What reads the terminal did not understand what was typed.
    pub(super) fn not_taken(&self, greeting: &[u8]) -> Fault {
        if let Err(fault) = windows::refuse_screen(&self.shown) {
            return fault;
        }
        let mut said = last_words(&self.shown);
        if said.contains("__sshmcp") || said.contains(&self.nonce) {
            // Ours, which nobody took.
            said = last_words(greeting);
        }
        Fault::new(
            Reason::NotSupported,
            format!("the login shell did not take the session's set-up; its terminal shows: {said}"),
        )
        .hint("check which shell the account has, if it has one: bash, zsh, fish, dash, ash, ksh and mksh are worked fully, unless start-up files leave its line editor no way to take text, or functions of theirs hide `.`, `builtin` and `command` at once")
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
