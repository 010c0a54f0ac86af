//! What comes in: requests, and what the channels say.

mod streams;
mod terminal;

use std::time::Duration;

pub(super) use self::terminal::TERMINAL_TEXT_MAX;
use super::Actor;
use crate::{
    connection::{ChannelEvent, CloseReason},
    output::StreamKind,
    session::{
        Request,
        link::{LinkEvent, Source},
        machine::Phase,
    },
};

/// After a shell's exit status its last output is on its way; a channel that does not close is not waited for longer.
pub(super) const EXIT_GRACE: Duration = Duration::from_millis(800);

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
        if let Some(mirror) = self.shell.as_mut().and_then(|shell| shell.mirror.as_mut()) {
            mirror.resized(cols, rows);
        }
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
