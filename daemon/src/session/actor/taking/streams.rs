//! Bytes of the helper and of the drains: frames, and between them the output of commands, by the pair that it comes through.

use std::{sync::Arc, time::Instant};

use crate::{
    command::Command,
    id::CommandId,
    output::StreamKind,
    session::{
        actor::{Actor, Shell, Stream},
        flow::Place,
        kept::Taken,
        machine::Event,
    },
    shell::{
        frame::{self, HelperFrame, StreamFrame},
        scan::Piece,
    },
};

impl Actor {
    /// Bytes of the helper: its own frames, and around them the first pair's stdout.
    pub(super) async fn on_helper(&mut self, bytes: &[u8]) {
        let Some(shell) = &mut self.shell else { return };
        for piece in shell.helper_frames.feed(bytes) {
            match piece {
                Piece::Data(data) => self.on_stream(0, StreamKind::Stdout, &data).await,
                Piece::Frame(body) => {
                    if let Some(frame) = frame::parse_helper(&body) {
                        self.on_helper_frame(frame).await;
                    }
                }
            }
        }
    }

    async fn on_helper_frame(&mut self, frame: HelperFrame) {
        let Some(shell) = &mut self.shell else { return };
        match frame {
            HelperFrame::Probe(probe) => {
                shell.machine.note_drained(shell.link.road.drained());
                let effects = shell.machine.on(Event::Probe(probe), Instant::now());
                self.carry_out(effects).await;
            }
            HelperFrame::Front(front) => self.on_front(front).await,
            HelperFrame::Foreground(number, found) => self.on_foreground(number, found).await,
            HelperFrame::Opened(set) => self.drain(set),
            HelperFrame::Flow(takes) => shell.on_terminal_flow(takes),
            HelperFrame::At(number, place) => {
                shell.spot.told(number, place);
                shell.note_place();
            }
            HelperFrame::Reading
            | HelperFrame::Hello(_)
            | HelperFrame::Installed
            | HelperFrame::Who(_)
            | HelperFrame::Kept(_)
            | HelperFrame::Label(_)
            | HelperFrame::Missing(_)
            | HelperFrame::Caught(_) => {}
        }
    }

    pub(super) async fn on_stream(&mut self, set: u8, stream: StreamKind, bytes: &[u8]) {
        let Some(shell) = &mut self.shell else { return };
        let Some(drained) = shell
            .streams
            .iter_mut()
            .find(|drained| drained.set == set && drained.kind == stream)
        else {
            return;
        };
        let mut taken = drained.taken();
        drained.place.offset += bytes.len() as u64;
        for piece in drained.scanner.feed(bytes) {
            let now = Instant::now();
            let Some(shell) = &mut self.shell else { return };
            taken.offset += match &piece {
                Piece::Data(data) => data.len(),
                Piece::Frame(body) => frame::stream_length(&shell.link.nonce, body),
            } as u64;
            let consumed = taken.consumed(set, stream);
            match piece {
                Piece::Data(data) => {
                    self.session.touch();
                    let Some(id) = shell.machine.data(set, stream) else {
                        continue;
                    };
                    let is_running = shell.running.as_ref().is_some_and(|running| running.id == id);
                    let length = data.len();
                    let (data, asked) = if is_running {
                        shell.without_nonce(Some(stream), data)
                    } else {
                        (data, false)
                    };
                    let data = self.masked(Some((set, stream)), data, now);
                    let Some(shell) = &mut self.shell else { return };
                    if let Some(command) = shell.find(id) {
                        let demand = if shell.link.kept.is_some() {
                            command.append_from(stream, &data, consumed)
                        } else {
                            command.append(stream, &data)
                        };
                        shell.passed(Place::Pair(set), length, Some(&command), demand, now);
                        shell.last_on_terminal &= !is_running;
                        shell.wrote_since_input |= is_running;
                        if is_running && !command.internal {
                            self.view.mirror(&data, now);
                        }
                    }
                    shell.machine.on(Event::Activity, now);
                    if asked {
                        self.sudo_asks().await;
                    }
                }
                Piece::Frame(body) => {
                    self.release_stream(set, stream);
                    let Some(shell) = &mut self.shell else { return };
                    let frame = frame::parse_stream(&body);
                    let consumed = match frame {
                        // What was before it may be gone on the host at once.
                        Some(StreamFrame::Next(segment)) => {
                            taken = Taken {
                                segment: segment.into(),
                                offset: 0,
                            };
                            taken.consumed(set, stream)
                        }
                        Some(_) | None => consumed,
                    };
                    if shell.link.kept.is_some()
                        && let Some(command) = shell.machine.owner(set, stream).and_then(|id| shell.find(id))
                    {
                        command.consumed(consumed);
                    }
                    if let Some(frame) = frame {
                        if let StreamFrame::Below(id) = frame {
                            shell.below_began(id);
                            continue;
                        }
                        if let StreamFrame::Next(segment) = frame {
                            shell.next_segment(set, stream, segment);
                            continue;
                        }
                        if frame == StreamFrame::Dropped {
                            shell.dropped(set, stream);
                            continue;
                        }
                        if !matches!(frame, StreamFrame::Level(_)) {
                            shell.flush_prompts(set, stream);
                        }
                        let effects = shell.machine.on(Event::Frame(set, stream, frame), now);
                        shell.forget_late();
                        self.carry_out(effects).await;
                    }
                }
            }
        }
    }
}

impl Shell {
    pub(in crate::session::actor) fn find(&self, id: CommandId) -> Option<Arc<Command>> {
        self.running
            .iter()
            .chain(&self.late)
            .find(|command| command.id == id)
            .cloned()
    }

    /// Lets go of ended commands that no stream belongs to any more.
    pub(in crate::session::actor) fn forget_late(&mut self) {
        let machine = &self.machine;
        let sets: Vec<u8> = self.streams.iter().map(|stream| stream.set).collect();
        self.late.retain(|command| {
            sets.iter().any(|&set| {
                [StreamKind::Stdout, StreamKind::Stderr]
                    .iter()
                    .any(|&stream| machine.owner(set, stream) == Some(command.id))
            })
        });
    }

    pub(in crate::session::actor) fn add_streams(&mut self, set: u8) {
        if self.streams.iter().any(|stream| stream.set == set) {
            return;
        }
        for kind in [StreamKind::Stdout, StreamKind::Stderr] {
            self.streams.push(Stream::new(set, kind, &self.link.nonce));
        }
    }
}
