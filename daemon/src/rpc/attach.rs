//! A live terminal for a person. Paintings are made when the person's side takes one, so that neither a flood nor a
//! stalled person costs more than one painting in memory; what is typed is passed on as it comes.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::Stream;
use sshmcp_proto::{
    error::Fault,
    v1::{
        AttachRequest, AttachResponse, AttachStart, AttachStatus, Reason, TerminalSize,
        attach_request::What as Said, attach_response::What,
    },
};
use tokio::{
    sync::mpsc::{self, Permit},
    time::{Instant, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::{
    id::shorten,
    registry::Registry,
    session::{Caller, Held, Session, SessionState, Summary},
    terminal::screen::Painting,
};

pub(super) type Events = Pin<Box<dyn Stream<Item = Result<AttachResponse, Status>> + Send>>;

/// One painting waits for the person's side; the next is made when that was taken.
const EVENTS_MAX: usize = 1;
/// Between two paintings: 60 a second is what screens show.
const FRAME: Duration = Duration::from_millis(16);
/// Of the running command's text.
const TEXT_SHOWN: usize = 60;
/// Typed at once.
const TYPED_MAX: usize = 1 << 20; // 1 MiB

/// Attaches a person to a session.
pub(super) async fn attach(
    registry: &Arc<Registry>,
    mut requests: Streaming<AttachRequest>,
    person: Caller,
) -> Result<Events, Fault> {
    let first = requests
        .message()
        .await
        .ok()
        .flatten()
        .and_then(|request| request.what);
    let Some(Said::Start(AttachStart {
        session,
        size,
        watch,
        take,
    })) = first
    else {
        return Err(Fault::new(
            Reason::InvalidArgument,
            "an attachment begins with `start`",
        ));
    };
    if !person.is_person {
        return Err(Fault::new(
            Reason::PermissionDenied,
            "only a person's own program attaches to a session",
        )
        .hint("agents use get_terminal_output and send_input"));
    }
    let session = registry.session(&session)?;
    let mut attached = Attached {
        registry: registry.clone(),
        size: sides(size),
        watch,
        held: None,
        session,
        person,
        shown: None,
        told: None,
    };
    if !watch {
        attached.fit().await?;
        attached.take(take);
    }
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(async move {
        let words = attached.run(requests, &events).await;
        if let Some(words) = words {
            // Who has gone needs no words.
            let _ = events.send(Ok(response(What::Ended(words)))).await;
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

struct Attached {
    registry: Arc<Registry>,
    session: Arc<Session>,
    person: Caller,
    size: (u16, u16),
    watch: bool,
    held: Option<Held>,
    /// What the person's terminal shows.
    shown: Option<Painting>,
    told: Option<AttachStatus>,
}

pub(super) fn sides(size: Option<TerminalSize>) -> (u16, u16) {
    let TerminalSize { cols, rows } = size.unwrap_or(TerminalSize { cols: 80, rows: 24 });
    let side = |side: u32, least: u16| u16::try_from(side).unwrap_or(u16::MAX).clamp(least, 1000);
    (side(cols, 2), side(rows, 1))
}

fn response(what: What) -> AttachResponse {
    AttachResponse { what: Some(what) }
}

impl Attached {
    /// Until the person goes, or the session does; then it says why.
    async fn run(
        mut self,
        mut requests: Streaming<AttachRequest>,
        events: &mpsc::Sender<Result<AttachResponse, Status>>,
    ) -> Option<String> {
        let mut changes = self.session.changes();
        let mut next = Instant::now();
        let mut is_due = true;
        loop {
            tokio::select! {
                biased;
                request = requests.message() => {
                    let said = request.ok().flatten()?.what?;
                    if let Err(fault) = self.on(said).await {
                        return Some(fault.message);
                    }
                    is_due = true;
                }
                changed = changes.changed() => {
                    if changed.is_err() {
                        return Some(format!("the session {} was closed", self.session.name));
                    }
                    is_due = true;
                }
                permit = ready(events, next), if is_due => {
                    is_due = false;
                    next = Instant::now() + FRAME;
                    let summary = changes.borrow().clone();
                    is_due |= match self.send(permit?, &summary).await {
                        Ok(more) => more,
                        Err(fault) => return Some(fault.message),
                    };
                }
                () = events.closed() => return None,
            }
        }
    }

    async fn on(&mut self, said: Said) -> Result<(), Fault> {
        match said {
            Said::Start(_) => {}
            Said::Size(size) => {
                self.size = sides(Some(size));
                self.shown = None;
                if !self.watch {
                    self.fit().await?;
                }
            }
            Said::Take(take) if !self.watch => self.take(take),
            Said::Data(bytes) if !self.watch && bytes.len() <= TYPED_MAX => {
                let typed = self.session.type_bytes(bytes, self.person.clone()).await;
                // Without a shell there is nobody to type to; the status says that.
                if let Err(fault) = typed
                    && fault.reason == Reason::SessionNotFound
                {
                    return Err(fault);
                }
            }
            Said::Take(_) | Said::Data(_) => {}
        }
        Ok(())
    }

    async fn fit(&self) -> Result<(), Fault> {
        let (cols, rows) = self.size;
        self.session.resize(cols, rows).await
    }

    fn take(&mut self, take: bool) {
        self.held = take.then(|| self.session.take(self.person.clone()));
    }

    /// Sends what changed, status first; true if there is more.
    async fn send(
        &mut self,
        permit: Permit<'_, Result<AttachResponse, Status>>,
        summary: &Summary,
    ) -> Result<bool, Fault> {
        let status = self.status(summary);
        if self.told.as_ref() != Some(&status) {
            self.told = Some(status.clone());
            permit.send(Ok(response(What::Status(status))));
            return Ok(true);
        }
        let painting = self.session.paint(self.size.0, self.size.1).await?;
        if self.shown.as_ref() != Some(&painting) {
            let bytes = painting.since(self.shown.as_ref()).into_bytes();
            self.shown = Some(painting);
            permit.send(Ok(response(What::Painting(bytes))));
        }
        Ok(false)
    }

    fn status(&self, summary: &Summary) -> AttachStatus {
        let command = summary
            .running
            .and_then(|id| self.registry.commands.find(&id.to_string()).ok())
            .map(|command| shorten(command.text.lines().next().unwrap_or_default(), TEXT_SHOWN))
            .unwrap_or_default();
        AttachStatus {
            session: self.session.name.to_string(),
            state: match summary.state {
                _ if summary.silent_since.is_some() => "stalled",
                SessionState::Opening => "opening",
                SessionState::Ready => "ready",
                SessionState::Busy => "busy",
                SessionState::Awaiting => "awaiting_input",
                SessionState::Disconnected => "disconnected",
                SessionState::Reconnecting => "reconnecting",
            }
            .into(),
            command,
            client: summary.client.clone(),
            holder: self
                .session
                .holder()
                .map(|holder| holder.person.name)
                .unwrap_or_default(),
        }
    }
}

/// The person's side takes a painting, and it is time for one.
async fn ready(
    events: &mpsc::Sender<Result<AttachResponse, Status>>,
    next: Instant,
) -> Option<Permit<'_, Result<AttachResponse, Status>>> {
    sleep_until(next).await;
    events.reserve().await.ok()
}
