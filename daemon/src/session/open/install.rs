//! The line that has a shell read its integration script: typed until one of its forms is taken.

use std::time::{Duration, Instant};

use sshmcp_proto::error::Fault;

use super::{HELPER_WAIT, INSTALL_WAIT, Opening, QUIET};
use crate::shell::{candidate::Candidate, order, typed};

/// A line that a shell did not understand as ours has it back at its prompt before this.
const INSTALL_LOOK: Duration = Duration::from_millis(700);
/// A terminal that floods more often than this while our line is read is no prompt's.
const GAPS_MAX: u32 = 8;

impl Opening {
    /// Asks a shell that the helper does not see whether it has what the helper made. True if it says that it has not:
    /// the helper is on another machine then, or in another container of it.
    pub(super) async fn is_elsewhere(&mut self, dir: &str) -> Result<bool, Fault> {
        self.write(typed::ask_for(&self.nonce, dir)).await?;
        self.wait_until(INSTALL_WAIT, |opening| opening.is_here.is_some())
            .await?;
        let is_elsewhere = self.is_here == Some(false);
        if is_elsewhere {
            tracing::info!(target = %self.target.key(), "the helper is elsewhere than the shell");
        }
        Ok(is_elsewhere)
    }

    /// Types the line that has the integration script read, in the next of its forms as long as the shell is back at its
    /// prompt without having done so.
    pub(super) async fn install(&mut self, dir: &str, name: &str) -> Result<(), Fault> {
        let mut lines = order::type_install(dir, name).into_iter();
        let mut typed: Option<Vec<u8>> = None;
        let mut missed = self.marks.gaps;
        loop {
            // Its answer may be among what was not sent: then it is typed once more.
            let is_missing = std::mem::replace(&mut missed, self.marks.gaps) != self.marks.gaps;
            let again = typed.take_if(|_| is_missing && missed <= GAPS_MAX);
            let line = again.or_else(|| lines.next());
            let Some(line) = line else { return Ok(()) };
            self.write(line.clone()).await?;
            typed = Some(line);
            self.wait_until(INSTALL_LOOK, |opening| opening.shell.is_some())
                .await?;
            let until = Instant::now() + INSTALL_WAIT;
            let mut refused = 0;
            while self.shell.is_none() && self.helper.is_some() && refused < 2 {
                if Instant::now() > until {
                    return Ok(());
                }
                self.candidates = None;
                self.look_for_shell().await?;
                self.wait_until(HELPER_WAIT, |opening| {
                    opening.candidates.is_some() || opening.helper.is_none()
                })
                .await?;
                let candidates = self.candidates.iter().flatten();
                let at_prompt = candidates
                    .filter(|candidate| candidate.tty == self.tty)
                    .any(Candidate::at_prompt);
                refused = if at_prompt { refused + 1 } else { 0 };
                self.wait_until(QUIET / 4, |opening| opening.shell.is_some())
                    .await?;
            }
            if self.shell.is_some() {
                return Ok(());
            }
        }
    }
}
