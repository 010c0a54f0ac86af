//! Whether a durable command has ended, by what its streams and its host say, and whether everything of it is taken.

use tokio::sync::mpsc;

use super::{Follower, Step, send};
use crate::{
    command::Status,
    shell::durable::{self as words, State},
};

pub(super) const INCOMPLETE: &str =
    "the end of its output may be missing: what kept it on the host was ended";

impl Follower {
    /// Both streams told the end: all that the command wrote before it was taken.
    pub(super) fn has_ended(&self) -> bool {
        self.streams.iter().all(|stream| stream.ended.is_some())
    }

    /// Whether it has ended, by what is known now, and whether everything is taken.
    pub(super) fn judge(&mut self, orders: &mpsc::Sender<Vec<u8>>) -> Result<Step, ()> {
        if self.clearing {
            return Ok(Step::Go);
        }
        if let Some(code) = self.streams.iter().find_map(|stream| stream.ended)
            && self.has_ended()
        {
            self.end(Some(code), "");
        }
        if self.streams.iter().all(|stream| stream.eof) && (self.has_ended() || self.end_without_word()) {
            return self.clear_away(orders);
        }
        let Some(state) = self.state else {
            return Ok(Step::Go);
        };
        let spool_is_dead = self.rebooted || state.drains < 2;
        let is_over = self.rebooted || state.code.is_some() || !state.runs && !state.lives;
        if !spool_is_dead || !is_over {
            return Ok(Step::Go);
        }
        // Nobody writes there any more: what is there is all.
        if !std::mem::replace(&mut self.sizes_asked, true) {
            for stream in &self.streams {
                send(orders, words::ask_size(stream.name))?;
            }
        }
        if !self.streams.iter().all(|stream| stream.eof || stream.is_taken()) {
            return Ok(Step::Go);
        }
        for stream in &mut self.streams {
            if let Some(rest) = stream.finish() {
                self.command.append(stream.kind, &rest);
            }
        }
        if !self.has_ended() && state.code.is_some() {
            self.command.notice(INCOMPLETE);
        }
        self.end_without_word();
        self.clear_away(orders)
    }

    /// Ends it by what the host knows besides the streams; false if that is not known.
    fn end_without_word(&mut self) -> bool {
        match self.state {
            Some(State { code: Some(code), .. }) => self.end(Some(code), ""),
            _ if self.rebooted => {
                self.end(
                    None,
                    "the host was rebooted while it ran; its exit code is not known",
                );
            }
            Some(state) if !state.runs && !state.lives => self.end(
                None,
                "what waited for its end on the host was killed; its exit code is not known",
            ),
            Some(_) | None => return false,
        }
        true
    }

    pub(super) fn end(&self, code: Option<i32>, why: &str) {
        if self.command.state().status.is_final() {
            return;
        }
        if !why.is_empty() {
            self.command.notice(why);
        }
        let status = match (code, self.place.interrupted) {
            (None, _) => Status::Lost,
            (Some(_), true) => Status::Interrupted,
            (Some(_), false) => Status::Completed,
        };
        self.command.end(status, code, None);
    }

    fn clear_away(&mut self, orders: &mpsc::Sender<Vec<u8>>) -> Result<Step, ()> {
        self.clearing = true;
        send(orders, words::CLEAR_AWAY.to_vec())
    }
}
