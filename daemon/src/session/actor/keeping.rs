//! What comes of a shell that a tmux keeps, and of no other: its exit, pauses of its terminal, segments of its streams.

use std::time::{Duration, Instant};

use super::{Actor, Shell, Stream};
use crate::{
    command::Command,
    output::StreamKind,
    session::{
        flow::Place,
        kept::{Origin, Taken, shown},
    },
    shell::{mark, order, scan::Scanner},
};

/// How often a host is told that somebody is still interested: many times before a kept session's own end.
const INTEREST: Duration = Duration::from_secs(600);

impl Actor {
    /// Tells the host, when it is time, that what it keeps is not forgotten.
    pub(super) fn stay_interested(&mut self, now: Instant) {
        let pause = INTEREST.min(self.opening.orphan_after / 4);
        let Some(shell) = &mut self.shell else { return };
        if shell.interest.is_some_and(|at| at <= now) {
            shell.interest = Some(now + pause);
            shell.link.order(order::still_interested());
        }
    }

    /// The shell of a pane has ended; what it wrote before has come.
    pub(super) async fn pane_ended(&mut self, code: i32) {
        self.shell_exited(Some(code)).await;
        if let Some(shell) = &mut self.shell {
            shell.closed = true;
            if shell.machine.has_started() {
                self.end_running().await;
                self.finish_if_exited().await;
            } else {
                self.finish_shell().await;
            }
        }
    }

    /// OpenSSH's client in the pane has ended without its shell's having done so: what is left of it is looked at.
    pub(super) async fn client_ended(&mut self) {
        self.lose("the connection was lost", true).await;
    }

    /// tmux did not send some of what the terminal showed; what it looks like follows.
    pub(super) fn on_gap(&mut self) {
        let Some(shell) = &mut self.shell else { return };
        let owner = shell.machine.terminal_owner();
        if let Some(command) = owner.and_then(|id| shell.find(id)) {
            command
                .notice("a part of its output is missing: the terminal wrote faster than it could be sent");
        }
        // The rest of what was held of a mark is not coming.
        shell.marks = Scanner::new(&mark::introducer(&shell.link.nonce), mark::TERMINATOR);
        shell.forget_mirror();
        shell.spot.ask();
        // An end may be among it.
        shell.machine.returned(Instant::now());
    }
}

impl Actor {
    /// Where a kept terminal is in all that it showed.
    pub(super) fn ask_place(&mut self) {
        if let Some(shell) = &mut self.shell {
            shell.ask_place();
        }
    }
}

impl Shell {
    /// Has a command that begins outlive the daemon, and remembers where its output comes from.
    pub(super) fn keep(&self, command: &Command) {
        let set = self.machine.pair();
        let at = |kind: StreamKind| {
            let mut streams = self.streams.iter();
            let stream = streams.find(|stream| Some(stream.set) == set && stream.kind == kind);
            stream.map_or(Taken::START, Stream::taken)
        };
        let origin = Origin {
            set,
            turns: set.map_or((0, 0), |set| self.machine.turns(set)),
            from: (at(StreamKind::Stdout), at(StreamKind::Stderr)),
            shown: self.spot.place(),
        };
        command.keep();
        command.set_place(serde_json::to_value(origin).unwrap_or(serde_json::Value::Null));
    }

    fn ask_place(&mut self) {
        if self.link.kept.is_some() {
            let number = self.spot.ask();
            self.link.order(order::place(number));
        }
    }

    /// What was taken of the terminal is safe, and its host may forget it.
    pub(super) fn forget_shown(&mut self) {
        if let Some(place) = self.spot.forget() {
            self.link.order(order::seen(place));
        }
    }

    /// The command that has the terminal began here.
    pub(super) fn note_start(&self) {
        let owner = self.running.as_ref().filter(|_| self.machine.pair().is_none());
        if let (Some(command), Some(place)) = (owner, self.spot.place()) {
            command.consumed(shown(place));
        }
    }

    /// It is known now where the terminal is: what was taken of it before is not asked for again.
    pub(super) fn note_place(&self) {
        if self.machine.has_started() {
            self.note_start();
        }
    }

    /// What is kept of a stream goes on in another segment; the one before may go.
    pub(super) fn next_segment(&mut self, set: u8, kind: StreamKind, segment: u32) {
        let segment = u64::from(segment);
        let mut streams = self.streams.iter_mut();
        let Some(stream) = streams.find(|stream| stream.set == set && stream.kind == kind) else {
            return;
        };
        stream.place = Taken { segment, offset: 0 };
        let order = order::follow(stream.letter(), set, segment, 0);
        if set == 0 {
            self.link.order(order);
        } else {
            self.link.order_drain(set, order);
        }
        // Whoever reads there now does not know that it is to stop.
        if self.flow.is_closed(Place::Pair(set)) {
            self.link.order(order::stop_readers(set));
        }
    }

    /// The host's disk had no room for some of a stream.
    pub(super) fn dropped(&self, set: u8, kind: StreamKind) {
        let owner = self.machine.owner(set, kind);
        if let Some(command) = owner.and_then(|id| self.find(id)) {
            command.notice("up to 64 KiB of its output are missing: the host's disk had no room for them");
        }
    }
}
