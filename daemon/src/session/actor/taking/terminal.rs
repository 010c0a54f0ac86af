//! Bytes of the terminal: marks, output of a command that has it, and what a person would see.

use std::time::Instant;

use crate::{
    output::StreamKind,
    session::{
        actor::{Actor, Shell},
        flow::Place,
        kept::shown,
        machine::{Event, Phase},
    },
    shell::{
        mark::{self, Mark},
        order,
        scan::Piece,
    },
};

/// What is kept of the terminal for what a shell prints there of a command's.
pub(in crate::session::actor) const TERMINAL_TEXT_MAX: usize = 64 << 10; // 64 KiB

impl Actor {
    /// Bytes of the terminal: marks, output of a command that has it, and what a person would see.
    pub(in crate::session::actor) async fn on_terminal(&mut self, bytes: &[u8]) {
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
                Piece::Data(data) if shell.is_mirroring => {
                    if let Some(mirror) = &mut shell.mirror {
                        mirror.drawn(&data);
                    }
                }
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
                    shell.answer_at_prompt(&data);
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
                        self.on_ours(begins, now);
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
}

impl Shell {
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
