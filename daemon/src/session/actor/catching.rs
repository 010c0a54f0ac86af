//! What a kept terminal showed while nobody was there, for a command that has it: from where it is to be had, and how it is
//! taken in.

use std::time::Instant;

use super::{Actor, Shell};
use crate::{
    command::Command,
    session::{
        kept::{self, Origin},
        open::Caught,
        spot::Spot,
    },
    shell::{mark, scan::Scanner},
};

/// Of what a terminal showed: what came in one event.
const SHOWN_AT_ONCE: usize = 32 << 10; // 32 KiB

impl Actor {
    /// Takes what the terminal showed since that place, as if it had come then.
    pub(super) async fn catch_up(&mut self, caught: Caught, from: u64) {
        if let Some(shell) = &mut self.shell {
            shell.spot = Spot::at_mark(0, from);
        }
        let mut rest = caught.missed.as_slice();
        let mut taken = 0;
        for (at, missing) in caught.holes {
            let (before, behind) = rest.split_at(rest.len().min(at.saturating_sub(taken)));
            (rest, taken) = (behind, at);
            self.take_shown(before).await;
            let Some(shell) = &mut self.shell else { return };
            shell.skip_shown(missing);
        }
        self.take_shown(rest).await;
        let Some(shell) = &mut self.shell else { return };
        shell.spot = caught.spot;
        shell.machine.returned(Instant::now());
        self.take_shown(&caught.live).await;
    }

    async fn take_shown(&mut self, shown: &[u8]) {
        for piece in shown.chunks(SHOWN_AT_ONCE) {
            Box::pin(self.on_terminal(piece)).await;
        }
    }
}

impl Shell {
    /// The running command has the terminal.
    pub(super) fn shows_output(&self) -> bool {
        self.running.is_some() && self.machine.running().is_some() && self.machine.pair().is_none()
    }

    /// So many bytes of what the terminal showed are lost.
    fn skip_shown(&mut self, bytes: u64) {
        self.spot.pass(usize::try_from(bytes).unwrap_or(usize::MAX));
        self.marks = Scanner::new(&mark::introducer(&self.link.nonce), mark::TERMINATOR);
        self.is_mirroring = false;
        if let Some(command) = &self.running {
            command.notice(format!(
                "{bytes} bytes of its output are missing: more came while nobody was connected than its host keeps of a terminal"
            ));
        }
    }
}

/// Up to where what a command showed on the terminal was taken, if any was.
pub(super) fn last_shown(command: &Command) -> Option<u64> {
    let positions = command.positions();
    let taken = positions.iter().find(|taken| taken.source == kept::TERMINAL);
    taken.map(|taken| taken.offset)
}

/// The same, or where the terminal was when it was given to the shell; of one that has the terminal.
pub(super) fn shown_until(command: &Command) -> Option<u64> {
    let origin: Origin = serde_json::from_value(command.place()).ok()?;
    let shown = last_shown(command).or(origin.shown);
    shown.filter(|_| origin.set.is_none())
}
