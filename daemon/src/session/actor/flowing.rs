//! Slows what floods: the readers of FIFOs are stopped on the host, and the terminal by Ctrl-S where that is not
//! somebody's input.

use std::{sync::Arc, time::Instant};

use super::{Actor, Shell};
use crate::{
    command::{Command, Demand},
    output::StreamKind,
    session::flow::{FlowOrder, Place},
    shell::order,
};

/// What the terminal may show at full speed between two prompts where it is no command's output.
const SHOWN_FREE: u64 = 16 << 20; // 16 MiB

/// What a caller is told of a command that was slowed.
const SLOWED: &str = "it writes more than anybody reads, so its output is slowed on the host: send it to a file there if all of it is wanted";

/// Ctrl-S and Ctrl-Q, as the terminal takes them.
const STOP: u8 = 0x13;
const START: u8 = 0x11;

impl Actor {
    /// Opens or leaves closed what was stopped long enough.
    pub(super) fn on_flow_due(&mut self, now: Instant) {
        let Some(shell) = &mut self.shell else { return };
        for place in shell.flow.due(now) {
            let demand = match (shell.source(place), place) {
                (Some(command), _) => command.state().demand(now),
                (None, Place::Pair(_)) => Demand::Free,
                (None, Place::Terminal) => shell.terminal_demand(),
            };
            if let Some(order) = shell.flow.decide(place, demand, now) {
                shell.obey(order);
            }
        }
    }
}

impl Shell {
    /// Bytes of this command came from there.
    pub(super) fn passed(
        &mut self,
        place: Place,
        bytes: usize,
        command: Option<&Command>,
        demand: Demand,
        now: Instant,
    ) {
        let Some(order) = self.flow.passed(place, bytes, demand, now) else {
            return;
        };
        if let (Some(command), Demand::Slow) = (command, demand) {
            command.notice(SLOWED);
        }
        self.obey(order);
    }

    /// Bytes came that the terminal shows and no command owns.
    pub(super) fn shown(&mut self, bytes: usize, now: Instant) {
        self.unowned = self
            .unowned
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.passed(Place::Terminal, bytes, None, self.terminal_demand(), now);
    }

    const fn terminal_demand(&self) -> Demand {
        if self.unowned <= SHOWN_FREE {
            Demand::Free
        } else {
            Demand::Slow
        }
    }

    /// The running command has something to say that must come at once: its end, or what it does about a signal.
    pub(super) fn open_running(&mut self, now: Instant) {
        let pair = self.machine.pair().map(Place::Pair);
        for place in pair.into_iter().chain([Place::Terminal]) {
            if let Some(order) = self.flow.open(place, now) {
                self.obey(order);
            }
        }
    }

    /// Everything that is left must come at once.
    pub(super) fn open_all(&mut self, now: Instant) {
        for order in self.flow.open_all(now) {
            self.obey(order);
        }
    }

    /// The terminal takes Ctrl-S itself, or does not: then it would be what runs there that gets it.
    pub(super) fn on_terminal_flow(&mut self, takes: bool) {
        let closed = self.flow.is_closed(Place::Terminal);
        let byte = match (closed, self.terminal_stopped, takes) {
            (true, false, true) => Some(STOP),
            (false, true, true) => Some(START),
            (true, true, true) | (_, false, _) => return,
            // Whoever took that mode away has let it go on with that.
            (_, true, false) => None,
        };
        self.terminal_stopped = byte == Some(STOP);
        if let Some(byte) = byte {
            self.link.write(vec![byte]);
        }
    }

    fn obey(&mut self, order: FlowOrder) {
        tracing::debug!(?order, "flow");
        let order = match order {
            FlowOrder::Stop(Place::Pair(set)) => order::stop_readers(set),
            FlowOrder::Go(Place::Pair(set)) => order::continue_readers(set),
            // The answer decides.
            FlowOrder::Stop(Place::Terminal) | FlowOrder::Go(Place::Terminal) => order::ask_flow(),
        };
        // An order that fails means a helper that is gone, and that says so itself.
        self.link.order(order);
    }

    fn source(&self, place: Place) -> Option<Arc<Command>> {
        let id = match place {
            Place::Terminal => self.machine.terminal_owner(),
            Place::Pair(set) => [StreamKind::Stdout, StreamKind::Stderr]
                .into_iter()
                .find_map(|stream| self.machine.owner(set, stream)),
        };
        id.and_then(|id| self.find(id))
    }
}
