//! A pane's terminal, read from a tmux in control mode: outputs, captured screens, pauses. A pause is ended at once, and
//! the screen asked for, since what was written meanwhile is not sent.

use std::collections::VecDeque;

use tokio::sync::watch;

use super::channel::{Channel, ChannelEvent, CloseReason};
use crate::tmux::{
    command,
    control::{Control, Event},
};

/// What tmux said last is the cause where its client ends.
const WORDS_MAX: usize = 500;

/// The reading side of a pane.
pub(super) struct Pane {
    client: Channel,
    id: String,
    control: Control,
    ready: VecDeque<ChannelEvent>,
    /// What tmux said of its end, or of what failed.
    words: String,
    attached: watch::Sender<bool>,
}

impl Pane {
    pub(super) fn new(client: Channel, id: &str) -> Self {
        Self {
            client,
            id: id.to_owned(),
            attached: watch::Sender::new(false),
            control: Control::new(id),
            ready: VecDeque::new(),
            words: String::new(),
        }
    }

    /// True once what the pane shows comes here. tmux does what its client is told also while that still attaches (3.3a on
    /// a busy host), and then nothing is sent of what comes of it.
    pub(super) fn attached(&self) -> watch::Receiver<bool> {
        self.attached.subscribe()
    }

    /// As `Channel::next`; the last is `Closed`.
    pub(super) async fn next(&mut self) -> ChannelEvent {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            // The client's channel is no pane: this goes one deep.
            match Box::pin(self.client.next()).await {
                Some(ChannelEvent::Stdout(bytes)) => self.take(&bytes),
                Some(ChannelEvent::Stderr(bytes)) => {
                    let room = WORDS_MAX.saturating_sub(self.words.len());
                    let words = String::from_utf8_lossy(&bytes);
                    self.words.extend(words.chars().take(room));
                }
                Some(ChannelEvent::Closed { reason }) => return ChannelEvent::Closed { reason },
                Some(_) => {}
                None => {
                    return ChannelEvent::Closed {
                        reason: CloseReason::Normal,
                    };
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for event in self.control.feed(bytes) {
            match event {
                Event::Attached => drop(self.attached.send_replace(true)),
                Event::Output(bytes) => self.ready.push_back(ChannelEvent::Stdout(bytes.into())),
                Event::Screen(screen) => self.ready.push_back(ChannelEvent::Screen(Box::new(screen))),
                Event::Paused => {
                    self.ready.push_back(ChannelEvent::Gap);
                    let writer = self.client.writer();
                    let mut lines = command::go_on(&self.id);
                    lines.extend(command::capture(&self.id));
                    tokio::spawn(async move {
                        // A connection that is gone says so itself.
                        let _ = writer.tell_tmux(lines).await;
                    });
                }
                Event::Failed(words) => {
                    tracing::debug!(words, "tmux");
                    self.words = words;
                }
                Event::Exit(words) => {
                    if !words.is_empty() {
                        self.words = words;
                    }
                    tracing::debug!(words = self.words, "tmux's control client ended");
                    self.ready.push_back(ChannelEvent::Closed {
                        reason: CloseReason::Normal,
                    });
                }
                Event::Garbled => self.ready.push_back(ChannelEvent::Closed {
                    reason: CloseReason::ConnectionLost("tmux's control mode was not understood".into()),
                }),
            }
        }
    }
}
