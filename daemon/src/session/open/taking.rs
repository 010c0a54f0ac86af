//! What both channels say while a shell is being opened, until what is waited for has come.

use std::time::{Duration, Instant};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::timeout_at;

use super::{Opening, login};
use crate::{
    connection::{ChannelEvent, CloseReason},
    id::shorten,
    session::link::{LinkEvent, Source},
    shell::{
        fish,
        frame::{self, HelperFrame},
        mark::{self, Mark},
        order::Script,
        scan::Piece,
    },
    terminal::clean::clean,
};

/// Sessions of ours on one host that nobody remembers; the others are found with another connection.
const LABELS_MAX: usize = 500;
/// What is kept of what was printed before the first prompt.
const GREETING_MAX: usize = 16 << 10; // 16 KiB

impl Opening {
    /// Takes events until the condition holds or the time is over.
    pub(super) async fn wait_until(
        &mut self,
        limit: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), Fault> {
        let deadline = tokio::time::Instant::now() + limit;
        while !done(self) {
            match timeout_at(deadline, self.wiring.events.recv()).await {
                Ok(Some(event)) => self.take(event).await?,
                Ok(None) | Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Answers what fish asked its terminal, also before it was known to be one; nobody else is answered, who might not be there
    /// any more to read it.
    pub(super) async fn answer(&mut self, shown: &[u8]) {
        // tmux answers what runs in it.
        if self.kept.is_some() {
            return;
        }
        let login = self.hello.as_ref().map(|hello| hello.shell.as_str());
        let now = self.candidates.iter().flatten();
        let now = now.filter(|candidate| candidate.tty == self.tty);
        let is_fish = login
            .into_iter()
            .chain(now.map(|candidate| candidate.name.as_str()))
            .any(|shell| Script::of(shell) == Script::Fish);
        self.fish_answer = self.fish_asks.answer(shown).or(self.fish_answer);
        self.fish_greeted |= fish::greets(shown);
        if (is_fish || self.fish_greeted)
            && let Some(answer) = self.fish_answer.take()
        {
            let _ = self.write(answer.to_vec()).await;
        }
    }

    pub(super) async fn take(&mut self, event: LinkEvent) -> Result<(), Fault> {
        match (event.source, event.event) {
            (Source::Terminal, ChannelEvent::Stdout(bytes) | ChannelEvent::Stderr(bytes)) => {
                self.answer(&bytes).await;
                for piece in self.marks.feed(&bytes) {
                    if matches!(piece, Piece::Data(_)) {
                        self.last_shown = Some(Instant::now());
                    }
                    match piece {
                        Piece::Data(data) if self.shell.is_some() => self.after.extend(data),
                        Piece::Data(data) => {
                            self.shown_total += data.len() as u64;
                            self.shown.extend(data);
                            let surplus = self.shown.len().saturating_sub(GREETING_MAX);
                            self.shown.drain(..surplus);
                        }
                        Piece::Frame(body) => match mark::parse(&body) {
                            Some(Mark::Hello(hello)) => self.shell = Some(hello),
                            Some(Mark::Terminal(tty)) => self.tty = tty,
                            Some(Mark::Here(is_here)) => self.is_here = Some(is_here),
                            Some(Mark::Exit(code)) => {
                                self.said.ended_with(Some(code));
                                if !self.said.ends() {
                                    return Err(ended_early(&self.shown, Some(code)));
                                }
                            }
                            Some(Mark::Gone) => return Err(login::refused(&self.target, &self.shown)),
                            Some(_) | None => {
                                // A prompt mark that came with the hello is given to the session as it was.
                                self.after.extend(mark::introducer(&self.nonce));
                                self.after.extend(body);
                                self.after.push(mark::TERMINATOR);
                            }
                        },
                    }
                }
            }
            (Source::Terminal, ChannelEvent::ExitStatus(code)) => {
                self.said.ended_with(i32::try_from(code).ok());
            }
            (Source::Terminal, ChannelEvent::Closed { reason }) => {
                if self.said.ends() {
                    return Ok(());
                }
                return Err(match reason {
                    CloseReason::ConnectionLost(cause) => Fault::new(
                        Reason::ConnectionLost,
                        format!("the connection was lost while the shell started: {cause}"),
                    )
                    .retryable(),
                    CloseReason::Normal => ended_early(&self.shown, None),
                });
            }
            (Source::Terminal, ChannelEvent::Gap) => self.marks.gap(),
            // What it showed before we came, or is left of what was not sent.
            (Source::Terminal, ChannelEvent::Screen(screen)) => {
                let rows = screen.rows.join(&b"\r\n"[..]);
                let rows = rows.trim_ascii_end();
                self.last_shown = Some(Instant::now());
                if self.shell.is_some() {
                    self.after.extend(rows);
                    return Ok(());
                }
                self.shown_total += rows.len() as u64;
                self.shown.extend(rows);
            }
            (Source::Helper, ChannelEvent::Stderr(bytes)) => self.said.hears(&bytes),
            (Source::Helper, ChannelEvent::Stdout(bytes)) => {
                for piece in self.helper_frames.feed(&bytes) {
                    let Piece::Frame(body) = piece else { continue };
                    match frame::parse_helper(&body) {
                        Some(HelperFrame::Reading) => self.reading = Some(Instant::now()),
                        Some(HelperFrame::Hello(hello)) => self.hello = Some(hello),
                        Some(HelperFrame::Installed) => self.installed = self.installed.saturating_add(1),
                        Some(HelperFrame::Who(candidates)) => {
                            self.candidates = Some(candidates);
                            self.answer(&[]).await;
                        }
                        Some(HelperFrame::Label(Some(label))) => {
                            if self.labels.0.len() < LABELS_MAX {
                                self.labels.0.push(label);
                            }
                        }
                        Some(HelperFrame::Label(None)) => self.labels.1 = true,
                        Some(
                            HelperFrame::Opened(_)
                            | HelperFrame::Probe(_)
                            | HelperFrame::Front(_)
                            | HelperFrame::Foreground(..)
                            | HelperFrame::Flow(_)
                            | HelperFrame::Kept(_)
                            | HelperFrame::At(..)
                            | HelperFrame::Missing(_)
                            | HelperFrame::Caught(_),
                        )
                        | None => {}
                    }
                }
            }
            (Source::Helper, ChannelEvent::Closed { .. }) => {
                self.helper = None;
                self.candidates.get_or_insert_default();
            }
            (Source::Terminal | Source::Helper | Source::Drain(_), _) => {}
        }
        Ok(())
    }
}

fn ended_early(shown: &[u8], code: Option<i32>) -> Fault {
    let said = last_words(shown);
    let code = code.map_or_else(String::new, |code| format!(" with exit code {code}"));
    Fault::new(
        Reason::NotSupported,
        format!("the login shell ended{code} before it showed a prompt: {said}"),
    )
    .hint("check that the account has a login shell and may log in interactively")
}

/// The last line on the terminal, for an error's words.
pub(super) fn last_words(shown: &[u8]) -> String {
    let text = clean(shown);
    let line = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("nothing");
    shorten(line.trim_end(), 200)
}
