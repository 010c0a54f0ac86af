//! What the host says of a durable command: which host it is, how the command is, and its output, on our disk before it is
//! removed there.

use tokio::sync::mpsc;

use super::{Broken, Follower, Step, ending::INCOMPLETE, send};
use crate::{
    durable::stream::Part,
    shell::{
        durable::{self as words, Frame, Reached, Started},
        frame::StreamFrame,
    },
};

const DROPPED: &str = "output was dropped on the host, up to 64 KiB at a time, for want of room on its disk";

impl Follower {
    pub(super) fn on_frame(
        &mut self,
        frame: Frame,
        orders: &mpsc::Sender<Vec<u8>>,
    ) -> Result<Result<Step, ()>, Broken> {
        Ok(match frame {
            Frame::Found(found) => return self.on_found(found).map(Ok),
            Frame::State(state) => {
                if self.state.is_none() {
                    self.seen = true;
                    self.tell_back();
                    for stream in &self.streams {
                        let (segment, offset) = stream.position();
                        if send(orders, words::go_on(stream.name, segment, offset)).is_err() {
                            return Ok(Err(()));
                        }
                    }
                }
                self.state = Some(state);
                self.judge(orders)
            }
            Frame::Signal(number, reached) => {
                if let Reached::Sent(_) = reached {
                    self.place.interrupted = true;
                    self.place.save(&self.command);
                }
                if let Some(at) = self.signals.iter().position(|(waiting, _)| *waiting == number) {
                    let (_, reply) = self.signals.swap_remove(at);
                    let _gone = reply.send(Ok(reached));
                }
                Ok(Step::Go)
            }
            Frame::Size(name, segment, bytes) => {
                for stream in &mut self.streams {
                    if stream.name == name {
                        stream.last = Some((segment, bytes));
                    }
                }
                self.judge(orders)
            }
            Frame::Cleared => Ok(Step::Over),
            Frame::Reading => Ok(Step::Go),
        })
    }

    /// Which host answers, and whether it has anything of the command.
    fn on_found(&mut self, found: Started) -> Result<Step, Broken> {
        let differs = |was: &str, is: &str| !was.is_empty() && !is.is_empty() && was != is;
        let was = &mut self.place;
        if differs(&was.machine, &found.machine) {
            return Err(Broken {
                cause: "another machine answers under that name".into(),
                attached: false,
                slowly: true,
            });
        }
        self.rebooted = differs(&was.boot, &found.boot);
        if !found.dir.is_empty() {
            if was.dir.is_empty() {
                was.started(&found);
                was.save(&self.command);
            }
            return Ok(Step::Go);
        }
        let why = match (self.rebooted, self.place.dir.is_empty()) {
            (true, _) => "the host was rebooted while it ran; its exit code is not known",
            (false, true) => {
                "the connection was lost while it was started, and nothing of it is on the host: it did not begin, or ended at once"
            }
            (false, false) => "what it had on the host was removed there; its exit code is not known",
        };
        self.end(None, why);
        Ok(Step::Over)
    }

    /// Output, and frames among it.
    pub(super) fn on_bytes(
        &mut self,
        which: usize,
        bytes: &[u8],
        orders: &mpsc::Sender<Vec<u8>>,
    ) -> Result<Step, ()> {
        let Some(stream) = self.streams.get_mut(which) else {
            return Ok(Step::Go);
        };
        let (name, kind) = (stream.name, stream.kind);
        let parts = stream.feed(bytes);
        let (ended, eof) = (stream.ended, stream.eof);
        for part in parts {
            let (frame, consumed) = match part {
                Part::Data(data, consumed) => {
                    let demand = self.command.append_from(kind, &data, consumed);
                    self.slow_down(demand, data.len(), orders)?;
                    continue;
                }
                Part::Frame(frame, consumed) => (frame, consumed),
            };
            match frame {
                Some(StreamFrame::Next(next)) => {
                    // On our disk before it is removed there.
                    self.command.consumed(consumed);
                    // A new reader would not be paused.
                    if self.paused.is_none() {
                        send(orders, words::go_on(name, next, 0))?;
                    } else if let Some(waits) = self.next_waits.get_mut(which) {
                        *waits = true;
                    }
                    continue;
                }
                Some(StreamFrame::Dropped) => self.command.notice(DROPPED),
                Some(StreamFrame::Broken) => {
                    // The other may have more, and the host knows how it ended.
                    self.command.notice(INCOMPLETE);
                    if let Some(eof) = self.place.eof.get_mut(which) {
                        *eof = true;
                    }
                    self.place.save(&self.command);
                    send(orders, words::ASK_STATE.to_vec())?;
                    continue;
                }
                Some(StreamFrame::Ended(_) | StreamFrame::Eof(_)) => {
                    // What it says is on disk before that it was read.
                    if let Some(at) = self.place.ended.get_mut(which) {
                        *at = ended;
                    }
                    if let Some(at) = self.place.eof.get_mut(which) {
                        *at = eof;
                    }
                    self.place.save(&self.command);
                    if eof && !self.has_ended() {
                        send(orders, words::ASK_STATE.to_vec())?;
                    }
                }
                Some(StreamFrame::End(_) | StreamFrame::Below(_) | StreamFrame::Level(_)) | None => {}
            }
            self.command.consumed(consumed);
        }
        self.judge(orders)
    }
}
