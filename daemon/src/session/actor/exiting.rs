//! The end of a session's shell: it says how, and what it wrote last is still to come.

use std::time::Instant;

use super::Actor;
use crate::shell::order;

impl Actor {
    /// The shell ended by itself and said how.
    pub(super) async fn shell_exited(&mut self, code: Option<i32>) {
        let Some(shell) = &mut self.shell else { return };
        if shell.exit_at.is_some() {
            return;
        }
        shell.exit = code;
        shell.exit_at = Some(Instant::now());
        self.finish_if_exited().await;
    }

    /// The shell is gone and will print no end of the running command. Not sooner: its exit status comes before what it
    /// printed last, and that may be the command's own end.
    pub(super) async fn end_running(&mut self) {
        let Some(shell) = &mut self.shell else { return };
        shell.is_told = true;
        // Until its start was seen, it may be that the shell never fetched it; the channel's end decides that.
        let Some(command) = shell.running.as_ref().filter(|_| shell.machine.has_started()) else {
            return;
        };
        // Its streams end behind everything that was written before.
        let finish = order::finish(command.id);
        shell.open_all(Instant::now());
        shell.link.order(finish);
        let effects = shell.machine.shell_ended(shell.exit, Instant::now());
        self.carry_out(effects).await;
    }

    /// The shell is gone and everything that was to come has come, or time is over.
    pub(super) async fn finish_shell(&mut self) {
        let Some(shell) = &mut self.shell else { return };
        let code = shell.exit;
        let words = code.map_or_else(
            || "its shell ended".to_owned(),
            |code| format!("its shell ended with exit code {code}"),
        );
        if !shell.machine.has_started() {
            if shell.closed
                && let Some(id) = shell.machine.running()
            {
                // The terminal's channel ended in order without a start: the text was never fetched.
                self.not_started(id);
            }
        } else if let Some(command) = shell.running.take() {
            command.notice("its output may be incomplete: the shell was gone before the streams ended");
            self.complete(&command, code, None, false);
        }
        self.lose(&words, false).await;
    }

    /// Once the command that ended the shell is complete, the rest of the session's shell goes too.
    pub(super) async fn finish_if_exited(&mut self) {
        if self
            .shell
            .as_ref()
            .is_some_and(|shell| shell.exit_at.is_some() && shell.running.is_none())
        {
            self.finish_shell().await;
        }
    }
}
