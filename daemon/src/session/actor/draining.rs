//! Further pairs of FIFOs, beside the helper's own: a channel for each, opened one at a time.

use bytes::Bytes;
use sshmcp_proto::error::Fault;

use super::Actor;
use crate::{connection::Channel, shell::order};

impl Actor {
    /// The further pair of FIFOs is there: a channel of its own drains it.
    pub(super) fn drain(&mut self, set: u8) {
        let Some(shell) = &self.shell else { return };
        let (dir, nonce) = (&shell.link.hello.dir, &shell.link.nonce);
        let (command, script) = if shell.link.kept.is_some() {
            order::follow_command(dir, nonce, &[('o', set, 1, 0), ('e', set, 1, 0)])
        } else {
            order::drain_command(dir, nonce, set)
        };
        self.open_drain(set, command, script);
    }

    fn open_drain(&mut self, set: u8, command: String, script: Vec<u8>) {
        let Some(shell) = &self.shell else { return };
        let (pool, target) = (self.pool.clone(), self.session.target());
        let road = shell.link.road.clone();
        self.draining = Some((
            set,
            tokio::spawn(async move {
                let (_, channel) = pool.open_on(&target, &road, &command).await?;
                channel.writer().write(Bytes::from(script)).await?;
                Ok(channel)
            }),
        ));
    }

    pub(super) async fn on_drained(&mut self, set: u8, outcome: Result<Channel, Fault>) {
        self.draining = None;
        match (outcome, &mut self.shell) {
            (Ok(channel), Some(shell)) => {
                shell.link.add_drain(set, channel);
                shell.add_streams(set);
                shell.machine.add_slot(set);
            }
            (Err(fault), Some(_)) => {
                if let Some(run) = self.queue.pop_front() {
                    run.fail(fault);
                }
            }
            (_, None) => {}
        }
        self.follow_next();
    }

    /// The next of the further pairs is drained again, from where we were; one channel is opened at a time.
    pub(super) fn follow_next(&mut self) {
        let Some(shell) = &self.shell else { return };
        let Some(set) = self.to_follow.pop_front() else {
            return;
        };
        let places: Vec<_> = shell
            .streams
            .iter()
            .filter(|stream| stream.set == set)
            .map(|stream| {
                let place = stream.taken();
                (stream.letter(), set, place.segment, place.offset)
            })
            .collect();
        let (command, script) = order::follow_command(&shell.link.hello.dir, &shell.link.nonce, &places);
        self.open_drain(set, command, script);
    }
}
