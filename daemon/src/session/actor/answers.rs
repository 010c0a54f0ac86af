//! Answers to what programs ask of their terminal (where its cursor is, what it can do). They are typed only where a
//! program takes keys: in a shell's line, or in a file that somebody types, they would be junk.

use std::time::Instant;

use super::{Shell, signal::Asked};
use crate::{
    command::Status,
    session::machine::{Effect, Event, Phase},
    shell::{
        front::{Foreground, Place},
        probe::LineMode,
    },
};

impl Shell {
    /// A captured command runs, and as far as is known its terminal shows what is typed.
    pub(super) fn shows_what_is_typed(&self, secret: bool) -> bool {
        let hides = self.running.as_ref().is_some_and(
            |command| matches!(&command.state().status, Status::Awaiting(Some(question)) if !question.echo),
        );
        !secret && !hides && self.machine.pair().is_some()
    }

    /// Asks the helper how the terminal takes input; the answers wait for that.
    pub(super) fn answer_when_raw(&mut self, answers: Vec<u8>) {
        let in_front = matches!(self.machine.phase(), Phase::Busy(_) | Phase::Typed);
        // tmux answers what runs in it.
        if !answers.is_empty() && in_front && self.link.has_helper() && self.link.kept.is_none() {
            self.ask_in_front("LOOK", Asked::Answers(answers));
        }
    }

    /// The helper has looked. The shell alone in front takes keys at its prompt, though we may not have heard yet that its
    /// command ended: another program has to be there.
    pub(super) fn answer(&mut self, front: &Foreground, answers: Vec<u8>) -> Vec<Effect> {
        let other = front.members.iter().any(|member| member.place == Place::InFront);
        let runs = matches!(self.machine.phase(), Phase::Busy(_) | Phase::Typed);
        if runs && other && front.mode == LineMode::Raw {
            // A link that is gone says so itself.
            self.link.write(answers);
            // Whoever read has it now.
            return self.machine.on(Event::Answered, Instant::now());
        }
        Vec::new()
    }
}
