//! A kept shell on a new link: its machine, and its streams from behind the last byte that was taken.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use crate::{
    command::Command,
    output::StreamKind,
    session::{
        actor::{Shell, Stream, catching::last_shown},
        flow::Flow,
        kept::{self, Origin, Taken},
        link::Link,
        machine::{Left, Machine, SlotNames},
    },
    shell::{
        frame::{self, KeptStream},
        mark, order,
        scan::Scanner,
    },
};

impl Shell {
    /// A shell that an earlier daemon left, with what ran in it.
    pub(super) fn left_by_another(
        link: Link,
        found: &[KeptStream],
        running: Option<Arc<Command>>,
        has_rest: bool,
        now: Instant,
    ) -> Self {
        let origin: Option<Origin> = running
            .as_ref()
            .and_then(|command| serde_json::from_value(command.place()).ok());
        let pair = origin
            .as_ref()
            .and_then(|origin| origin.set.map(|set| (set, origin.turns.0, origin.turns.1)));
        let left = running.as_ref().map(|command| Left {
            id: command.id,
            pair,
            begun: has_rest.then(|| last_shown(command).is_some()),
        });
        let machine = Machine::resumed(link.shell.pid, found, left, now);
        let positions = running
            .as_ref()
            .map(|command| command.positions())
            .unwrap_or_default();
        let streams = found.iter().map(|stream| {
            let kind = if stream.is_err {
                StreamKind::Stderr
            } else {
                StreamKind::Stdout
            };
            let mut own = Stream::new(stream.set, kind, &link.nonce);
            // What others wrote meanwhile is nobody's any more.
            own.place = Taken {
                segment: stream.segment,
                offset: stream.size,
            };
            if let Some(origin) = origin.as_ref().filter(|origin| origin.set == Some(stream.set)) {
                let source = kept::source(stream.set, kind);
                let taken = positions.iter().find(|taken| taken.source == source);
                let from = if stream.is_err {
                    origin.from.1
                } else {
                    origin.from.0
                };
                own.place = taken.map_or(from, |taken| Taken::of(*taken));
            }
            own
        });
        let streams: Vec<Stream> = streams.collect();
        let mut shell = Self::new(link, machine, streams);
        shell.names = pair.map(|(set, out, err)| SlotNames::of(set, out, err));
        shell.running = running;
        shell.follow();
        shell
    }

    /// Works on the new link, from where the last one was.
    pub(super) fn come_up(&mut self, link: Link) {
        let nonce = link.nonce.clone();
        let has_alias = self.link.has_alias;
        self.pulse = link.road.pulse();
        self.link = link;
        self.link.has_alias = has_alias;
        self.helper_frames = Scanner::new(&frame::helper_introducer(&nonce), frame::TERMINATOR);
        self.marks = Scanner::new(&mark::introducer(&nonce), mark::TERMINATOR);
        self.spot.ask();
        self.flow = Flow::default();
        self.terminal_stopped = false;
        self.forget_mirror();
        for stream in &mut self.streams {
            let place = stream.taken();
            *stream = Stream::new(stream.set, stream.kind, &nonce);
            stream.place = place;
        }
        self.follow();
    }

    /// Has the helper hand on the first pair's streams from where we are.
    fn follow(&mut self) {
        for stream in self.streams.iter().filter(|stream| stream.set == 0) {
            let place = stream.taken();
            let order = order::follow(stream.letter(), 0, place.segment, place.offset);
            self.link.order(order);
        }
    }

    /// The pairs beside the first.
    pub(super) fn further_sets(&self) -> VecDeque<u8> {
        let sets: BTreeSet<u8> = self.streams.iter().map(|stream| stream.set).collect();
        sets.into_iter().filter(|set| *set != 0).collect()
    }
}
