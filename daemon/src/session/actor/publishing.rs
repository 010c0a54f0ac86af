//! What everybody else sees of the session: its state, who used it last, and what is remembered when that changes.

use super::Actor;
use crate::{
    command::{Status, now_ms},
    connection::Pulse,
    session::{Caller, SessionState, machine::Phase},
};

impl Actor {
    pub(super) fn publish(&self) {
        let state = match &self.shell {
            None if self.asked().is_some() => SessionState::Awaiting,
            None if self.starting.is_some() => SessionState::Opening,
            _ if self.is_away() => SessionState::Reconnecting,
            None => SessionState::Disconnected,
            Some(shell) => match shell.machine.phase() {
                Phase::Ready { .. } => SessionState::Ready,
                Phase::Settling { .. }
                    if shell.running.is_none()
                        && self.queue.is_empty()
                        && !shell.machine.runs_ahead()
                        && !shell.machine.runs_unknown() =>
                {
                    SessionState::Ready
                }
                Phase::Typed | Phase::Settling { .. } => SessionState::Busy,
                Phase::Busy(_) => {
                    let awaiting = shell
                        .running
                        .as_ref()
                        .is_some_and(|command| matches!(command.state().status, Status::Awaiting(_)));
                    if awaiting {
                        SessionState::Awaiting
                    } else {
                        SessionState::Busy
                    }
                }
            },
        };
        let running = self
            .running_away()
            .filter(|command| !command.internal)
            .map(|command| command.id);
        let kind = self
            .shell
            .as_ref()
            .map(|shell| (shell.link.shell.kind.clone(), shell.link.typed.is_none()));
        // A dead connection is more than a silent one.
        let reached = self.shell.as_ref().filter(|_| !self.is_away());
        let silent_since = reached.and_then(|shell| match *shell.pulse.borrow() {
            Pulse::Stalled { since } => Some(since),
            Pulse::Answers => None,
        });
        let settling = self
            .shell
            .as_ref()
            .is_some_and(|shell| matches!(shell.machine.phase(), Phase::Settling { .. }))
            || self.view.is_drawing();
        let mut is_to_save = false;
        self.summary.send_if_modified(|summary| {
            let before = summary.clone();
            summary.state = state;
            summary.silent_since = silent_since;
            summary.cwd.clone_from(&self.cwd);
            summary.running = running;
            summary.cursor = self.view.cursor();
            summary.settling = settling;
            summary.size = self.view.size();
            summary.input = self.view.input();
            if let Some((kind, apart)) = kind {
                summary.shell = kind;
                summary.apart = apart;
            }
            is_to_save = summary.cwd != before.cwd || summary.size != before.size;
            *summary != before
        });
        if is_to_save || self.session.is_cursor_due() {
            self.session.save();
        }
    }

    pub(super) fn used_by(&mut self, client: &Caller) {
        self.last_client.clone_from(client);
        self.shown_as_used_by(client);
    }

    /// Lists name the client; its commands are no other's for that.
    pub(super) fn shown_as_used_by(&self, client: &Caller) {
        self.session.touch();
        self.summary.send_modify(|summary| {
            summary.last_used_ms = now_ms();
            summary.client.clone_from(&client.name);
        });
    }
}
