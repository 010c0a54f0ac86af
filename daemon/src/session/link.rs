//! A session's way to its shell: the terminal's channel, the helper's, further drains, and what comes from all of them
//! in one bounded queue. Knows nothing of commands.

use std::sync::Arc;

use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    kept::Kept,
    outbox::{Outbox, Sent},
};
use crate::{
    connection::{Channel, ChannelEvent, ChannelWriter, CloseReason, Road},
    shell::{frame::HelperHello, mark::ShellHello, order, typed::Dialect},
};

/// Events between the channels and the session: at 32 KiB a message this holds 2 MiB for a session that is slow to
/// take them, and the connection waits then.
pub const EVENTS_MAX: usize = 64;

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The terminal.
    Terminal,
    /// The helper, which also drains the first pair of FIFOs.
    Helper,
    /// A drain of a further pair.
    Drain(u8),
}

/// What came from where.
#[derive(Debug)]
pub struct LinkEvent {
    /// Where from.
    pub source: Source,
    /// What.
    pub event: ChannelEvent,
}

/// The open channels of one session.
pub struct Link {
    /// How the host is reached.
    pub road: Road,
    /// Types into the terminal.
    terminal: Outbox,
    /// Gives orders to the helper; none where the host allows none.
    helper: Option<Outbox>,
    events: mpsc::Receiver<LinkEvent>,
    /// What the shell said of itself.
    pub shell: ShellHello,
    /// What the helper said of itself.
    pub hello: HelperHello,
    /// In every frame and mark.
    pub nonce: String,
    /// The integration script's alias is there.
    pub has_alias: bool,
    /// Commands are typed whole, for want of FIFOs; none: they are fetched from there.
    pub typed: Option<Dialect>,
    /// A tmux keeps the shell.
    pub kept: Option<Kept>,
    /// Its connection is lost, and the shell kept: nothing comes and nothing goes.
    is_down: bool,
    sender: mpsc::Sender<LinkEvent>,
    pumps: Vec<AbortHandle>,
    drains: Vec<(u8, ChannelWriter)>,
}

/// Channels as they are being set up.
pub struct Wiring {
    sender: mpsc::Sender<LinkEvent>,
    /// Everything that comes.
    pub events: mpsc::Receiver<LinkEvent>,
    pumps: Vec<AbortHandle>,
}

impl Wiring {
    /// No channel yet.
    pub fn new() -> Self {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        Self {
            sender,
            events,
            pumps: Vec::new(),
        }
    }

    /// Adds a channel; its writer comes back.
    pub fn add(&mut self, source: Source, channel: Channel) -> ChannelWriter {
        let writer = channel.writer();
        self.pumps.push(pump(source, channel, self.sender.clone()));
        writer
    }

    /// The finished link.
    pub fn finish(mut self, parts: Parts) -> Link {
        let Parts {
            road,
            terminal,
            helper,
            shell,
            hello,
            nonce,
            typed,
            kept,
        } = parts;
        let (_, unused) = mpsc::channel(1);
        Link {
            road,
            terminal: Outbox::new(terminal),
            helper: helper.map(Outbox::new),
            events: std::mem::replace(&mut self.events, unused),
            hello,
            nonce,
            has_alias: kept
                .as_ref()
                .map_or(typed.is_none() && shell.kind != "fish", |kept| kept.has_alias),
            shell,
            typed,
            kept,
            is_down: false,
            sender: self.sender.clone(),
            pumps: std::mem::take(&mut self.pumps),
            drains: Vec::new(),
        }
    }
}

/// What a link is made of beside its wiring; each as in `Link`.
pub struct Parts {
    /// How the host is reached.
    pub road: Road,
    /// The terminal's writer.
    pub terminal: ChannelWriter,
    /// The helper's writer.
    pub helper: Option<ChannelWriter>,
    /// The shell's words.
    pub shell: ShellHello,
    /// The helper's words.
    pub hello: HelperHello,
    /// In every frame and mark.
    pub nonce: String,
    /// How commands are typed, if they are.
    pub typed: Option<Dialect>,
    /// What is known of a kept shell.
    pub kept: Option<Kept>,
}

impl Default for Wiring {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Wiring {
    fn drop(&mut self) {
        for pump in &self.pumps {
            pump.abort();
        }
    }
}

impl Link {
    /// Adds the drain of a further pair of FIFOs.
    pub fn add_drain(&mut self, set: u8, channel: Channel) -> ChannelWriter {
        let writer = channel.writer();
        self.pumps
            .push(pump(Source::Drain(set), channel, self.sender.clone()));
        self.drains.push((set, writer.clone()));
        writer
    }

    /// The next event. Meanwhile, what was given to be written is: whoever reads here never waits for the far side.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        let Self {
            terminal,
            helper,
            events,
            road,
            ..
        } = self;
        loop {
            tokio::select! {
                biased;
                () = terminal.write_next(), if terminal.is_waiting() => {}
                () = async {
                    if let Some(helper) = helper.as_mut() {
                        helper.write_next().await;
                    }
                }, if helper.as_ref().is_some_and(Outbox::is_waiting) => {}
                event = events.recv() => return event,
                () = async {
                    match road {
                        Road::OpenSsh(master) => master.asks().await,
                        Road::Pooled(_) => std::future::pending().await,
                    }
                } => {
                    if let Some(helper) = helper.as_mut() {
                        // What does not get there is not answered, and that is what is asked.
                        drop(helper.send(order::say_here(), None));
                    }
                }
            }
        }
    }

    /// The connection is lost: nothing of it comes any more, and the shell is left as it is.
    pub fn go_down(&mut self) {
        for pump in self.pumps.drain(..) {
            pump.abort();
        }
        self.drains.clear();
        (self.sender, self.events) = mpsc::channel(EVENTS_MAX);
        self.is_down = true;
    }

    /// Nothing comes and nothing goes, until somebody has come back.
    pub const fn is_down(&self) -> bool {
        self.is_down
    }

    /// Gives an order to the drain of a further pair.
    pub fn order_drain(&self, set: u8, order: Vec<u8>) {
        let Some((_, drain)) = self.drains.iter().find(|(of, _)| *of == set) else {
            return;
        };
        let drain = drain.clone();
        tokio::spawn(async move {
            // A connection that is gone says so itself.
            let _ = drain.write(order.into()).await;
        });
    }

    /// There is somebody who takes orders.
    pub const fn has_helper(&self) -> bool {
        self.helper.is_some()
    }

    /// Gives the helper an order.
    pub fn order(&mut self, order: Vec<u8>) -> Sent {
        match &mut self.helper {
            Some(helper) => helper.send(order, None),
            None => Sent::Done(Ok(())),
        }
    }

    /// Types into the terminal.
    pub fn write(&mut self, bytes: Vec<u8>) -> Sent {
        self.terminal.send(bytes, None)
    }

    /// Types into the terminal once something else was sent.
    pub fn write_after(&mut self, first: Sent, bytes: Vec<u8>) -> Sent {
        match first {
            Sent::Done(Ok(())) => self.terminal.send(bytes, None),
            Sent::Done(Err(fault)) => Sent::Done(Err(fault)),
            Sent::Later(sent) => self.terminal.send(bytes, Some(sent)),
        }
    }

    /// Lets go of a kept shell, which lives on.
    pub async fn leave(self) {
        let (terminal, helper) = (self.terminal.writer(), self.helper.as_ref().map(Outbox::writer));
        let gone = async move {
            if let Some(helper) = &helper {
                let _ = helper.eof().await;
            }
            let _ = terminal.eof().await;
        };
        let _ = tokio::time::timeout(CLOSE_WAIT, gone).await;
    }

    /// Ends the shell and lets the helper clean up behind it; returns when the helper is gone, or cannot be waited for.
    pub async fn close(mut self) {
        let (terminal, helper) = (self.terminal.writer(), self.helper.as_ref().map(Outbox::writer));
        let is_kept = self.kept.is_some();
        let place = self.road.place().cloned();
        let drains = std::mem::take(&mut self.drains);
        let tell = async {
            // The connection may be dead: then nothing of this reaches anyone, and sshd ends both on the host.
            if is_kept && let Some(helper) = &helper {
                let _ = helper.write(order::end_keeping().into()).await;
            } else {
                let _ = terminal.close().await;
            }
            for (_, drain) in &drains {
                let _ = drain.eof().await;
            }
            if let Some(helper) = &helper {
                let _ = helper.eof().await;
            }
        };
        let has_helper = helper.is_some();
        // What still comes must be taken, or the connection would wait.
        let drain = async {
            while let Some(event) = self.events.recv().await {
                if event.source == Source::Helper && matches!(event.event, ChannelEvent::Closed { .. }) {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(CLOSE_WAIT, async {
            tokio::pin!(drain);
            tokio::select! {
                () = tell => {}
                () = &mut drain => return,
            }
            if has_helper {
                drain.await;
            }
        })
        .await;
        if let Some(place) = place {
            place.end().await;
        }
    }
}

impl Link {
    /// The terminal's channel, past what waits to be typed.
    pub fn terminal(&self) -> Arc<ChannelWriter> {
        self.terminal.writer()
    }
}

/// The helper removes its directory in milliseconds; a host that is slower does it alone.
const CLOSE_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

impl Drop for Link {
    fn drop(&mut self) {
        for pump in &self.pumps {
            pump.abort();
        }
    }
}

fn pump(source: Source, mut channel: Channel, sender: mpsc::Sender<LinkEvent>) -> AbortHandle {
    tokio::spawn(async move {
        while let Some(event) = channel.next().await {
            let is_end = matches!(event, ChannelEvent::Closed { .. });
            if sender.send(LinkEvent { source, event }).await.is_err() || is_end {
                return;
            }
        }
        let event = ChannelEvent::Closed {
            reason: CloseReason::Normal,
        };
        let _ = sender.send(LinkEvent { source, event }).await;
    })
    .abort_handle()
}
