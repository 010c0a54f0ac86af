//! What comes in: requests, and what the channels say.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Actor, Shell, Stream};
use crate::{
    command::Command,
    connection::{ChannelEvent, CloseReason},
    id::CommandId,
    output::StreamKind,
    session::{
        Request,
        flow::Place,
        kept::{Taken, shown},
        link::{LinkEvent, Source},
        machine::{Event, Phase},
    },
    shell::{
        frame::{self, HelperFrame, StreamFrame},
        mark::{self, Mark},
        order,
        scan::Piece,
    },
};

/// After a shell's exit status its last output is on its way; a channel that does not close is not waited for longer.
pub(super) const EXIT_GRACE: Duration = Duration::from_millis(800);

/// What is kept of the terminal for what a shell prints there of a command's.
pub(super) const TERMINAL_TEXT_MAX: usize = 64 << 10; // 64 KiB

impl Actor {
    pub(super) async fn on_request(&mut self, request: Request) {
        match request {
            Request::Open(client, reply) => {
                self.shown_as_used_by(&client);
                if self.is_away() {
                    self.waiting_open.push(reply);
                    self.return_now();
                } else if self.shell.is_some() {
                    let _ = reply.send(Ok(false));
                } else if let Some(question) = self.asked() {
                    let _ = reply.send(Err(question.fault(&self.session.name)));
                } else {
                    self.waiting_open.push(reply);
                    self.ensure_shell();
                }
            }
            Request::Run(run) => {
                self.used_by(&run.client);
                if let Some(run) = self.refuse_when_full(run) {
                    self.queue.push_back(run);
                }
            }
            Request::Withdraw(id, reply) => {
                let before = self.queue.len();
                self.queue.retain(|run| run.command.id != id);
                let _ = reply.send(self.queue.len() < before);
            }
            Request::Watch => self.tell_wanted(),
            Request::LookNow(reply) => self.look_now(reply),
            Request::Type {
                bytes,
                secret,
                is_line,
                client,
                reply,
            } => {
                self.used_by(&client);
                if is_line && secret && self.is_at_prompt() {
                    let _ = reply.send(Err(self.session.shows_secrets()));
                    return;
                }
                if is_line && self.is_half_typed() {
                    let _ = reply.send(Err(self.session.half_typed()));
                    return;
                }
                self.type_in_turn(client, bytes, secret, reply).await;
            }
            Request::Signal(asked) => self.signal(asked).await,
            Request::Foreground(reply) => self.look_in_front(reply),
            Request::Look(look, reply) => drop(reply.send(self.view.look(look))),
            Request::Paint(cols, rows, reply) => {
                let _ = reply.send(self.view.paint(cols, rows));
            }
            Request::Resize(cols, rows) => self.resize(cols, rows),
            Request::Close(_) | Request::Leave(_) | Request::CloseIfIdle(..) => {}
        }
    }

    /// The shell is at its prompt, which shows what is typed.
    fn is_at_prompt(&self) -> bool {
        let shell = self.shell.as_ref();
        shell.is_some_and(|shell| matches!(shell.machine.phase(), Phase::Ready { .. }))
    }

    /// A line stands at the shell's prompt that was not sent.
    fn is_half_typed(&self) -> bool {
        let shell = self.shell.as_ref();
        shell.is_some_and(|shell| matches!(shell.machine.phase(), Phase::Ready { half_typed: true }))
    }

    /// The next shell gets the same size.
    fn resize(&mut self, cols: u16, rows: u16) {
        if self.view.size() == (cols, rows) {
            return;
        }
        (self.opening.cols, self.opening.rows) = (cols, rows);
        self.view.resize(cols, rows);
        self.fit_terminal();
    }

    pub(super) async fn on_link(&mut self, event: LinkEvent) {
        let is_kept = self.is_kept();
        match (event.source, event.event) {
            (Source::Terminal, ChannelEvent::Stdout(bytes) | ChannelEvent::Stderr(bytes)) => {
                self.on_terminal(&bytes).await;
            }
            (Source::Terminal, ChannelEvent::ExitStatus(code)) => {
                self.shell_exited(i32::try_from(code).ok()).await;
            }
            (Source::Terminal, ChannelEvent::ExitSignal { name, .. }) => {
                self.shell_exited(signal_number(&name).map(|number| 128 + number))
                    .await;
            }
            (
                Source::Terminal,
                ChannelEvent::Closed {
                    reason: CloseReason::ConnectionLost(cause),
                },
            ) => {
                if self.shell.as_ref().is_some_and(|shell| shell.exit_at.is_some()) {
                    self.finish_shell().await;
                } else {
                    self.lose(&format!("the connection was lost ({cause})"), true)
                        .await;
                }
            }
            // Its control client has ended, and it may not have.
            (
                Source::Terminal,
                ChannelEvent::Closed {
                    reason: CloseReason::Normal,
                },
            ) if is_kept && self.shell.as_ref().is_some_and(|shell| shell.exit_at.is_none()) => {
                self.lose("its terminal was detached on the host", true).await;
            }
            (Source::Terminal, ChannelEvent::Screen(screen)) => {
                self.view.repaint(&screen);
                // What comes from here on is shown to us.
                self.ask_place();
            }
            (Source::Terminal, ChannelEvent::Gap) => self.on_gap(),
            (
                Source::Terminal,
                ChannelEvent::Closed {
                    reason: CloseReason::Normal,
                },
            ) => {
                self.shell_exited(None).await;
                if let Some(shell) = &mut self.shell {
                    shell.closed = true;
                    if !shell.machine.has_started() {
                        self.finish_shell().await;
                    } else {
                        self.end_running().await;
                        self.finish_if_exited().await;
                    }
                }
            }
            (Source::Helper, ChannelEvent::Stdout(bytes)) => self.on_helper(&bytes).await,
            (Source::Helper, ChannelEvent::Stderr(bytes)) => {
                self.on_stream(0, StreamKind::Stderr, &bytes).await;
            }
            (Source::Drain(set), ChannelEvent::Stdout(bytes)) => {
                self.on_stream(set, StreamKind::Stdout, &bytes).await;
            }
            (Source::Drain(set), ChannelEvent::Stderr(bytes)) => {
                self.on_stream(set, StreamKind::Stderr, &bytes).await;
            }
            (Source::Helper, ChannelEvent::ExitStatus(_) | ChannelEvent::ExitSignal { .. }) if is_kept => {}
            (Source::Helper, ChannelEvent::ExitStatus(_) | ChannelEvent::ExitSignal { .. }) => {
                self.helper_died().await;
            }
            (Source::Helper, ChannelEvent::Closed { reason }) => self.helper_ended(reason).await,
            (Source::Terminal | Source::Helper | Source::Drain(_), _) => {}
        }
    }

    /// Bytes of the terminal: marks, output of a command that has it, and what a person would see.
    pub(super) async fn on_terminal(&mut self, bytes: &[u8]) {
        let Some(shell) = &mut self.shell else { return };
        let pieces = shell.marks.feed(bytes);
        for piece in pieces {
            let now = Instant::now();
            let Some(shell) = &mut self.shell else { return };
            shell.spot.pass(match &piece {
                Piece::Data(data) => data.len(),
                Piece::Frame(body) => mark::length(&shell.link.nonce, body),
            });
            match piece {
                Piece::Data(_) if shell.is_mirroring => {}
                Piece::Data(data) => {
                    self.session.touch();
                    let length = data.len();
                    if let Some(mirror) = &mut shell.mirror {
                        mirror.passed(&data, now);
                    }
                    let (data, asked) = shell.without_nonce(None, data);
                    let data = self.masked(None, data, now);
                    let Some(shell) = &mut self.shell else { return };
                    let owner = shell.machine.terminal_owner();
                    let owner = owner.and_then(|id| shell.find(id));
                    let is_output = owner.is_some();
                    if let Some(command) = owner {
                        let demand = match shell.spot.place() {
                            Some(place) => command.append_from(StreamKind::Stdout, &data, shown(place)),
                            None => command.append(StreamKind::Stdout, &data),
                        };
                        shell.passed(Place::Terminal, length, Some(&command), demand, now);
                    } else {
                        shell.shown(length, now);
                    }
                    // Until the shell has fetched a command, what comes is the echo of what we typed.
                    if shell.machine.has_started() {
                        shell.last_on_terminal = true;
                        if is_output {
                            self.view.show_output(&data);
                        } else {
                            self.view.show(&data);
                        }
                        let answers = self.view.answers();
                        shell.answer_when_raw(answers);
                        shell.keep_terminal_text(&data);
                    } else {
                        self.view.pass_by(&data);
                    }
                    shell.machine.on(Event::Activity, now);
                    if matches!(shell.machine.phase(), Phase::Ready { half_typed: true })
                        && self.view.is_line_empty()
                    {
                        shell.machine.on(Event::Cleared, now);
                    }
                    shell.answer_ash(&data);
                    if asked {
                        self.sudo_asks().await;
                    }
                }
                Piece::Frame(body) => {
                    let Some(mark) = mark::parse(&body) else { continue };
                    self.release_terminal();
                    let Some(shell) = &mut self.shell else { return };
                    if let Mark::Place(number) = mark {
                        shell.spot.passed(number);
                        shell.note_place();
                        continue;
                    }
                    if matches!(mark, Mark::Start(Some(_))) && shell.running.is_some() {
                        shell.unfetched = None;
                        shell.started_at = Some(now);
                        shell.terminal_text.clear();
                        shell.typed_meanwhile = false;
                        shell.fish_text = None;
                        shell.note_start();
                        self.view.start();
                    }
                    if let Mark::Ours(begins) = mark {
                        shell.is_mirroring = begins;
                        continue;
                    }
                    if let Mark::Exit(code) = mark {
                        self.pane_ended(code).await;
                        continue;
                    }
                    if mark == Mark::Gone {
                        self.client_ended().await;
                        continue;
                    }
                    if let Mark::Below(id) = mark {
                        shell.below_began(id);
                        continue;
                    }
                    let mark = interrupted_as_elsewhere(mark, shell);
                    self.end_of_fish(&mark);
                    let Some(shell) = &mut self.shell else { return };
                    match mark {
                        // Its streams' ends are behind what is still in the FIFOs.
                        Mark::End { id, .. } => {
                            shell.open_running(now);
                            if shell.running.as_ref().is_some_and(|running| running.id == id) {
                                self.view.hold();
                            }
                        }
                        Mark::Start(_) | Mark::Prompt { .. } => shell.unowned = 0,
                        Mark::Hello(_)
                        | Mark::Terminal(_)
                        | Mark::Here(_)
                        | Mark::Below(_)
                        | Mark::Exit(_)
                        | Mark::Gone
                        | Mark::Ours(_)
                        | Mark::Place(_)
                        | Mark::NoAlias(_) => {}
                    }
                    let is_prompt = matches!(mark, Mark::Prompt { .. });
                    let effects = shell.machine.on(Event::Mark(mark), now);
                    if is_prompt {
                        self.view.prompt();
                        self.summary.send_modify(|summary| summary.prompts += 1);
                    }
                    self.carry_out(effects).await;
                }
            }
        }
        if let Some(shell) = &mut self.shell {
            shell.forget_shown();
        }
    }

    /// Of fish's stderr a part is on the terminal until here. It opens no FIFO that may have lost its reader: where a
    /// command was aborted, the helper ends its streams.
    fn end_of_fish(&mut self, mark: &Mark) {
        let Some(shell) = &mut self.shell else { return };
        let Mark::End { id, aborted, .. } = mark else {
            return;
        };
        if shell.link.shell.kind != "fish" || shell.machine.running() != Some(*id) {
            return;
        }
        let is_dialogue = shell.typed_meanwhile || shell.machine.was_interrupted();
        shell.fish_text = Some((std::mem::take(&mut shell.terminal_text), is_dialogue));
        if *aborted && let Some(names) = &shell.names {
            let finish = order::finish_streams(*id, &names.out, &names.err);
            shell.link.order(finish);
        }
    }

    /// Bytes of the helper: its own frames, and around them the first pair's stdout.
    async fn on_helper(&mut self, bytes: &[u8]) {
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

    async fn on_stream(&mut self, set: u8, stream: StreamKind, bytes: &[u8]) {
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
    /// ash asks where the cursor is before it reads a line, and waits 20 ms at the line's end unless it was told.
    fn answer_ash(&mut self, shown: &[u8]) {
        let at_prompt = matches!(self.machine.phase(), Phase::Ready { .. } | Phase::Settling { .. });
        let is_asked = self.link.kept.is_none() && self.link.shell.kind == "ash";
        if at_prompt && is_asked && memchr::memmem::find(shown, b"\x1b[6n").is_some() {
            self.link.write(b"\x1b[1;1R".to_vec());
        }
    }

    pub(super) fn find(&self, id: CommandId) -> Option<Arc<Command>> {
        self.running
            .iter()
            .chain(&self.late)
            .find(|command| command.id == id)
            .cloned()
    }

    /// Some shells undo a command's redirections before their EXIT trap, and fish never redirects its own messages:
    /// what they print comes on the terminal.
    fn keep_terminal_text(&mut self, data: &[u8]) {
        let captured = self.running.as_ref().is_some_and(|command| command.state().apart);
        if captured && matches!(self.link.shell.kind.as_str(), "dash" | "ash" | "ksh" | "fish") {
            let room = TERMINAL_TEXT_MAX.saturating_sub(self.terminal_text.len());
            self.terminal_text
                .extend(data.iter().take(room).filter(|&&byte| byte != b'\r'));
        }
    }

    /// Lets go of ended commands that no stream belongs to any more.
    pub(super) fn forget_late(&mut self) {
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

    pub(super) fn add_streams(&mut self, set: u8) {
        if self.streams.iter().any(|stream| stream.set == set) {
            return;
        }
        for kind in [StreamKind::Stdout, StreamKind::Stderr] {
            self.streams.push(Stream::new(set, kind, &self.link.nonce));
        }
    }
}

/// A line that an interrupt aborted has its error flag as status in zsh (2, or 3 with an error), where it is 130 at a
/// prompt and everywhere else.
fn interrupted_as_elsewhere(mark: Mark, shell: &mut Shell) -> Mark {
    let Mark::End {
        id,
        status,
        aborted,
        cwd,
    } = mark
    else {
        return mark;
    };
    let is_interrupt = shell.link.shell.kind == "zsh" && shell.machine.was_interrupted();
    let status = if is_interrupt && aborted && matches!(status, 2 | 3) {
        130
    } else {
        status
    };
    if is_interrupt {
        // Its prompt may remember the flag even where the command's end was told right.
        shell.last_status = Some(status);
    }
    Mark::End {
        id,
        status,
        aborted,
        cwd,
    }
}

/// Number of a signal by its RFC 4254 name; the same on every system for these.
fn signal_number(name: &str) -> Option<i32> {
    Some(match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ILL" => 4,
        "ABRT" => 6,
        "FPE" => 8,
        "KILL" => 9,
        "SEGV" => 11,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        _ => return None,
    })
}
