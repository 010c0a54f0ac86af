//! Answers to what programs ask of their terminal (where its cursor is, what it can do). They are typed only where a
//! program takes keys: in a shell's line, or in a file that somebody types, they would be junk.

use std::time::{Duration, Instant};

use super::{Shell, signal::Asked};
use crate::{
    command::Status,
    session::machine::{Effect, Event, Phase},
    shell::{
        front::{Foreground, Place},
        probe::LineMode,
    },
};

/// Further looks at who asked, each after twice the pause of the one before: 3 s in all. A busy host is slow to set a
/// terminal; a program that takes lines for good is not to find the answer in its input.
const LOOKS_MAX: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// What was asked of a terminal, in the words of the answers.
#[derive(Debug, Default)]
pub(super) struct Question {
    answers: Vec<u8>,
    /// Who was in front at the first look.
    askers: Vec<u32>,
    looks: u32,
    due: Option<Instant>,
}

impl Shell {
    /// A captured command runs, and as far as is known its terminal shows what is typed.
    pub(super) fn shows_what_is_typed(&self, secret: bool) -> bool {
        let hides = self.running.as_ref().is_some_and(
            |command| matches!(&command.state().status, Status::Awaiting(Some(question)) if !question.echo),
        );
        !secret && !hides && self.machine.pair().is_some()
    }

    /// Answers the shell itself at its prompt, which takes keys there. ash asks where the cursor is before it reads a line, and
    /// waits 20 ms at the line's end unless it was told; fish what its terminal is, also of what was typed at once, which it
    /// reads when it was told or after ten seconds.
    pub(super) fn answer_at_prompt(&mut self, shown: &[u8]) {
        // tmux answers what runs in it.
        if self.link.kept.is_some() {
            return;
        }
        let at_prompt = self.machine.is_prompting();
        let answer = match self.link.shell.kind.as_str() {
            "ash" if at_prompt && memchr::memmem::find(shown, b"\x1b[6n").is_some() => {
                Some(&b"\x1b[1;1R"[..])
            }
            // What was asked in pieces is to be seen also where the second comes later.
            "fish" => self.fish_asks.answer(shown).filter(|_| at_prompt),
            _ => None,
        };
        if let Some(answer) = answer {
            self.link.write(answer.to_vec());
        }
    }

    /// Asks the helper how the terminal takes input; the answers wait for that.
    pub(super) fn answer_when_raw(&mut self, answers: Vec<u8>) {
        let in_front = matches!(self.machine.phase(), Phase::Busy(_) | Phase::Typed);
        // tmux answers what runs in it.
        if answers.is_empty() || !in_front || !self.link.has_helper() || self.link.kept.is_some() {
            return;
        }
        // What was not answered yet was asked before.
        let mut question = self.unanswered.take().unwrap_or_default();
        question.answers.extend(answers);
        self.ask_in_front("LOOK", Asked::Answers(question));
    }

    /// The helper has looked. The shell alone in front takes keys at its prompt, though we may not have heard yet that its
    /// command ended: another program has to be there, or a fish that asks in its `read` too. One that takes lines may be about
    /// to take keys.
    pub(super) fn answer(&mut self, front: &Foreground, question: Question, now: Instant) -> Vec<Effect> {
        let others = front
            .members
            .iter()
            .filter(|member| member.place == Place::InFront);
        let others: Vec<u32> = others.map(|member| member.pid).collect();
        let runs = matches!(self.machine.phase(), Phase::Busy(_) | Phase::Typed);
        if !runs || (others.is_empty() && !self.link.shell.is_asking_fish()) {
            return Vec::new();
        }
        if front.mode == LineMode::Raw {
            // A link that is gone says so itself.
            self.link.write(question.answers);
            // Whoever read has it now.
            return self.machine.on(Event::Answered, now);
        }
        self.unanswered = question.again(others, now);
        Vec::new()
    }

    /// When it is looked again how the terminal takes input.
    pub(super) fn question_due(&self) -> Option<Instant> {
        self.unanswered.as_ref().and_then(|question| question.due)
    }

    pub(super) fn ask_when_due(&mut self, now: Instant) {
        if let Some(question) = self
            .unanswered
            .take_if(|question| question.due.is_some_and(|due| now >= due))
        {
            self.ask_in_front("LOOK", Asked::Answers(question));
        }
    }
}

impl Question {
    /// To be looked at again, unless whoever may have asked has gone, or takes lines for good.
    fn again(mut self, in_front: Vec<u32>, now: Instant) -> Option<Self> {
        let is_there = self.askers.is_empty() || self.askers.iter().any(|asker| in_front.contains(asker));
        if !is_there || self.looks == LOOKS_MAX {
            return None;
        }
        self.looks += 1;
        self.due = Some(now + PAUSE * 2_u32.pow(self.looks));
        if self.askers.is_empty() {
            self.askers = in_front;
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is looked again for as long as one of those is there that may have asked, some seconds at most.
    #[test]
    fn waits_for_who_asked() {
        let now = Instant::now();
        let mut question = Question::default();
        for look in 1..=LOOKS_MAX {
            question = question.again(vec![7, look + 8], now).expect("7 is there");
            assert_eq!(question.due, Some(now + PAUSE * 2_u32.pow(look)));
        }
        assert!(question.again(vec![7], now).is_none());
        let question = Question::default()
            .again(vec![7, 8], now)
            .expect("the first look");
        assert!(question.again(vec![9], now).is_none());
    }
}
