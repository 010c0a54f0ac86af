//! Secrets that were typed, on their way back: what the terminal and the streams show of them is left out before anybody
//! gets it. From when one was typed until the next command begins.

use std::time::Instant;

use super::Actor;
use crate::{output::StreamKind, session::mask::Origin};

/// Told with the command in whose output it was.
const LEFT_OUT: &str = "a secret that was typed stood in the output; it was left out";

impl Actor {
    /// A command begins, or the shell is gone: nothing shows an earlier secret any more.
    pub(super) fn forget_secrets(&mut self) {
        self.release_masked();
        self.mask.clear();
    }

    /// Bytes as they may be shown. The place of what waits is not kept, so that nothing of a kept shell waits.
    pub(super) fn masked(&mut self, origin: Origin, bytes: Vec<u8>, now: Instant) -> Vec<u8> {
        let is_kept = self.is_kept();
        let (bytes, found) = self.mask.filter(origin, bytes, !is_kept, now);
        if found && let Some(command) = self.shell.as_ref().and_then(|shell| shell.running.as_ref()) {
            command.notice(LEFT_OUT);
        }
        bytes
    }

    /// When what may be the beginning of a secret is shown.
    pub(super) fn masked_when_due(&mut self, now: Instant) {
        if self.mask.due().is_some_and(|due| now >= due) {
            self.release_masked();
        }
    }

    fn release_masked(&mut self) {
        for origin in self.mask.origins() {
            match origin {
                None => self.release_terminal(),
                Some((set, stream)) => self.release_stream(set, stream),
            }
        }
    }

    /// What was held of the terminal belongs before what comes now.
    pub(super) fn release_terminal(&mut self) {
        let rest = self.mask.rest(None);
        let Some(shell) = self.shell.as_mut().filter(|_| !rest.is_empty()) else {
            return;
        };
        let owner = shell.machine.terminal_owner().and_then(|id| shell.find(id));
        if let Some(command) = owner {
            command.append(StreamKind::Stdout, &rest);
            self.view.show_output(&rest);
        } else {
            self.view.show(&rest);
        }
    }

    /// The same of a stream.
    pub(super) fn release_stream(&mut self, set: u8, stream: StreamKind) {
        let rest = self.mask.rest(Some((set, stream)));
        let Some(shell) = self.shell.as_mut().filter(|_| !rest.is_empty()) else {
            return;
        };
        let Some(command) = shell.machine.owner(set, stream).and_then(|id| shell.find(id)) else {
            return;
        };
        command.append(stream, &rest);
        if shell
            .running
            .as_ref()
            .is_some_and(|running| running.id == command.id)
        {
            self.view.mirror(&rest, Instant::now());
        }
    }
}
