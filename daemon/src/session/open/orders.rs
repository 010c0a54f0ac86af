//! What the helper is told to do while a shell is being opened: to begin, to look, and to take another script.

use bytes::Bytes;
use sshmcp_proto::error::Fault;

use super::{HELPER_WAIT, NotOpened, Opening};
use crate::{
    session::Claims,
    shell::order::{self, Script},
    state::SavedSession,
};

impl Opening {
    /// Gives the helper its script and waits for its first words.
    pub(super) async fn prepare(&mut self, script: Vec<u8>) -> Result<(), NotOpened> {
        self.wait_for_helper().await?;
        if self.has_expired() {
            return self.change_password().await;
        }
        self.order(script).await?;
        self.wait_until(HELPER_WAIT, |opening| {
            opening.hello.is_some() || opening.helper.is_none()
        })
        .await?;
        Ok(())
    }

    /// Has the helper look at the shell that may be ours.
    pub(super) async fn look_for_shell(&self) -> Result<(), Fault> {
        self.order(match self.below {
            Some(pid) => order::look_below(pid),
            None => order::look_for_shells(self.is_apart),
        })
        .await
    }

    /// Asks the host, where this connection of it was not asked yet, what it keeps of ours that nobody remembers: the shell
    /// of this very session may be among it.
    pub(super) async fn look_for_left(
        &mut self,
        claims: &Claims,
        session: &str,
    ) -> Result<Option<SavedSession>, Fault> {
        // What OpenSSH alone reaches has none of ours.
        let Some(labels) = claims.labels().filter(|_| self.road.place().is_none()) else {
            return Ok(None);
        };
        let target = self.target.key();
        if labels.is_to_ask(self.road.id()) {
            self.order(order::labels(labels.mark())).await?;
            self.wait_until(HELPER_WAIT, |opening| {
                opening.labels.1 || opening.helper.is_none()
            })
            .await?;
            if self.labels.1 {
                labels.answered(self.road.id(), &target, &self.labels.0);
            }
        }
        Ok(labels.take_named(&target, session))
    }

    /// Has the helper take another integration script, if it has not this one.
    pub(super) async fn bring(
        &self,
        wanted: Script,
        script: &mut Script,
        brought: &mut usize,
    ) -> Result<(), Fault> {
        if wanted != *script {
            *script = wanted;
            *brought = brought.saturating_add(1);
            let dir = self.hello.as_ref().map_or("", |hello| hello.dir.as_str());
            self.order(order::install(wanted, dir, &self.nonce)).await?;
        }
        Ok(())
    }

    pub(super) async fn order(&self, order: Vec<u8>) -> Result<(), Fault> {
        match &self.helper {
            Some(helper) => helper.write(Bytes::from(order)).await,
            None => Ok(()),
        }
    }
}
