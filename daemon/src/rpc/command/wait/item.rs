//! One command or session of a wait: when something has come to pass with it, and what the caller is told of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use regex::bytes::Regex;
use sshmcp_proto::v1::{self, WaitItem};
use tokio::time::{Instant, sleep_until};

use crate::{
    command::{Command, Status},
    id::shorten,
    output::forward,
    rpc::to_proto,
    session::{Look, Session, SessionState},
};

/// Bytes that are searched for a pattern at once.
const SEARCHED: usize = 256 << 10; // 256 KiB
/// A line this long is still matched where it lies across two parts.
const LINE_REACH: u64 = 8 << 10; // 8 KiB
/// Characters of a line that is shown as the one that matched.
const MATCHED: usize = 500;

/// What is looked for beside ends and questions.
pub(super) struct Wanted {
    /// In lines that the caller was not yet shown.
    pub(super) pattern: Option<Regex>,
    /// Nothing written for so long.
    pub(super) idle: Option<Duration>,
}

/// One thing that is waited for.
pub(super) struct Item {
    subject: Subject,
    /// The session's name, for a session that is gone.
    name: String,
    /// The command that is reported: the one named, or the session's at the beginning.
    command: Option<Read>,
    /// How far the terminal was searched.
    terminal: AtomicU64,
}

/// What was named.
enum Subject {
    Command(Option<Arc<Session>>),
    Session(Arc<Session>),
}

/// A command, and how far it was shown and searched.
struct Read {
    command: Arc<Command>,
    from: u64,
    searched: AtomicU64,
}

/// What came to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Happened {
    event: &'static str,
    matched: String,
}

impl Happened {
    const fn plain(event: &'static str) -> Option<Self> {
        Some(Self {
            event,
            matched: String::new(),
        })
    }

    fn matched(line: &[u8]) -> Self {
        Self {
            event: "pattern",
            matched: shorten(&String::from_utf8_lossy(line), MATCHED),
        }
    }
}

impl Read {
    fn new(command: Arc<Command>, from: u64) -> Self {
        Self {
            command,
            from,
            searched: AtomicU64::new(from),
        }
    }

    /// The first line that matches, of what the caller was not yet shown.
    fn find(&self, pattern: &Regex) -> Option<Happened> {
        let state = self.command.state();
        let mut from = self.searched.load(Ordering::Relaxed);
        loop {
            let view = forward(&state.output, from, SEARCHED, false);
            let found = [&view.stdout, &view.stderr]
                .into_iter()
                .find_map(|text| line_of(pattern, text));
            if found.is_some() {
                return found;
            }
            let next = view.offset;
            if next <= from || next >= state.output.total() {
                return None;
            }
            from = next;
            // A line may go on in the next part.
            self.searched
                .fetch_max(next.saturating_sub(LINE_REACH), Ordering::Relaxed);
        }
    }

    /// A full-screen program draws what it shows, and writes no lines.
    fn has_screen(&self) -> bool {
        let state = self.command.state();
        state.output.has_screen() && !state.status.is_final()
    }

    /// How it is with the command.
    fn status(&self, idle: Option<Duration>) -> Option<Happened> {
        // The lock ends here: `last_write` takes it too.
        let status = self.command.state().status.clone();
        match status {
            Status::Lost => Happened::plain("disconnected"),
            Status::Completed | Status::Interrupted => Happened::plain("ended"),
            Status::Awaiting(_) => Happened::plain("awaiting_input"),
            Status::Queued | Status::Running => idle
                .filter(|idle| self.last_write().elapsed() >= *idle)
                .and_then(|_| Happened::plain("idle")),
        }
    }

    fn last_write(&self) -> std::time::Instant {
        let state = self.command.state();
        let written = state.last_write.or(state.started);
        written.unwrap_or_else(std::time::Instant::now)
    }
}

impl Item {
    /// A command, whose output the caller has from here on.
    pub(super) fn command(command: Arc<Command>, session: Option<Arc<Session>>, from: u64) -> Self {
        Self {
            name: command.session.to_string(),
            subject: Subject::Command(session),
            command: Some(Read::new(command, from)),
            terminal: AtomicU64::new(0),
        }
    }

    /// A session, with what runs in it or beside it.
    pub(super) fn session(session: Arc<Session>, running: Option<Arc<Command>>, client: &str) -> Self {
        Self {
            name: session.name.to_string(),
            terminal: AtomicU64::new(session.shown_to(client)),
            command: running.map(|command| {
                let from = command.state().shown_to(client);
                Read::new(command, from)
            }),
            subject: Subject::Session(session),
        }
    }

    /// Waits until something comes to pass.
    pub(super) async fn wait(&self, wanted: &Wanted) {
        let _waiting = self.command.as_ref().map(|read| read.command.wait_guard());
        // Before the session is told: what was typed there is looked at only while somebody waits for it.
        let _settling = match (&self.command, &self.subject) {
            (None, Subject::Session(session)) => Some(session.settle_guard()),
            _ => None,
        };
        if let Some(session) = self.session_of() {
            session.watch();
        }
        let mut of_command = self.command.as_ref().map(|read| read.command.changes());
        let mut of_session = match &self.subject {
            Subject::Session(session) => Some(session.changes()),
            Subject::Command(_) => None,
        };
        loop {
            if self.happened(wanted).await.is_some() {
                return;
            }
            let quiet_at = wanted.idle.map(|idle| self.last_write() + idle);
            tokio::select! {
                changed = async {
                    match &mut of_command {
                        Some(changes) => changes.changed().await,
                        None => std::future::pending().await,
                    }
                } => if changed.is_err() { of_command = None },
                changed = async {
                    match &mut of_session {
                        Some(changes) => changes.changed().await,
                        None => std::future::pending().await,
                    }
                } => if changed.is_err() { of_session = None },
                () = async {
                    match quiet_at {
                        Some(at) => sleep_until(Instant::from_std(at)).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    const fn session_of(&self) -> Option<&Arc<Session>> {
        match &self.subject {
            Subject::Command(session) => session.as_ref(),
            Subject::Session(session) => Some(session),
        }
    }

    fn last_write(&self) -> std::time::Instant {
        match (&self.command, &self.subject) {
            (Some(read), _) => read.last_write(),
            (None, Subject::Session(session)) => session.last_active(),
            (None, Subject::Command(_)) => std::time::Instant::now(),
        }
    }

    /// What has come to pass by now.
    async fn happened(&self, wanted: &Wanted) -> Option<Happened> {
        let Wanted { pattern, idle } = wanted;
        if let (Some(pattern), Some(read)) = (pattern, &self.command)
            && let Some(found) = read.find(pattern)
        {
            return Some(found);
        }
        if let (Some(pattern), Some(read), Some(session)) = (pattern, &self.command, self.session_of())
            && read.has_screen()
            && let Ok(shown) = session.look(Look::Screen).await
            && let Some(found) = line_of(pattern, shown.text.as_bytes())
        {
            return Some(found);
        }
        if let (Some(pattern), Subject::Session(session)) = (pattern, &self.subject)
            && let Some(found) = self.find_on_terminal(session, pattern).await
        {
            return Some(found);
        }
        if let Some(read) = &self.command {
            return read.status(*idle);
        }
        let Subject::Session(session) = &self.subject else {
            return None;
        };
        if session.is_closing() {
            return Happened::plain("disconnected");
        }
        let summary = session.summary();
        match summary.state {
            SessionState::Busy if summary.reads => return Happened::plain("awaiting_input"),
            SessionState::Disconnected | SessionState::Reconnecting => {
                return Happened::plain("disconnected");
            }
            SessionState::Awaiting => return Happened::plain("awaiting_input"),
            SessionState::Ready if pattern.is_none() => return Happened::plain("ended"),
            SessionState::Ready | SessionState::Opening | SessionState::Busy => {}
        }
        idle.filter(|idle| session.last_active().elapsed() >= *idle)
            .and_then(|_| Happened::plain("idle"))
    }

    /// The first line that matches, of what the terminal showed besides commands and the caller was not yet shown.
    async fn find_on_terminal(&self, session: &Session, pattern: &Regex) -> Option<Happened> {
        let from = self.terminal.load(Ordering::Relaxed);
        let shown = session.look(Look::Own(from)).await.ok()?;
        let found = line_of(pattern, shown.text.as_bytes());
        if found.is_none() {
            // A line may go on.
            let from = from.max(shown.cursor.saturating_sub(LINE_REACH));
            self.terminal.fetch_max(from, Ordering::Relaxed);
        }
        found
    }

    /// What the caller is told, which counts as shown.
    pub(super) async fn report(&self, wanted: &Wanted, client: &str, limit: usize, raw: bool) -> WaitItem {
        let happened = self.happened(wanted).await;
        let (event, matched) = happened.map_or(("timeout", String::new()), |happened| {
            (happened.event, happened.matched)
        });
        let (mut text, mut dropped_bytes) = (String::new(), 0);
        let command = match (&self.command, &self.subject) {
            (Some(read), _) => {
                let mut state = read.command.state();
                let view = forward(&state.output, read.from, limit, raw);
                state.show_to(client, view.offset);
                if !state.status.is_final() {
                    state.told_running = true;
                }
                let told = to_proto::command(&read.command, &state, Some(view), raw);
                to_proto::told(told, self.session_of().map(Arc::as_ref))
            }
            (None, subject) => {
                if let Subject::Session(session) = subject
                    && let Ok(shown) = session.look(Look::Own(session.shown_to(client))).await
                {
                    (text, dropped_bytes) = (last_of(shown.text, limit), shown.dropped);
                    session.show_to(client, shown.cursor);
                }
                v1::Command {
                    session: self.name.clone(),
                    ..Default::default()
                }
            }
        };
        WaitItem {
            command: Some(command),
            event: event.into(),
            matched,
            text,
            dropped_bytes,
        }
    }
}

fn line_of(pattern: &Regex, text: &[u8]) -> Option<Happened> {
    text.split(|&byte| byte == b'\n')
        .find(|line| pattern.is_match(line))
        .map(Happened::matched)
}

/// The last so many characters, and a word of what is left out.
fn last_of(text: String, limit: usize) -> String {
    let length = text.chars().count();
    if length <= limit {
        return text;
    }
    let left_out = length - limit;
    let kept: String = text.chars().skip(left_out).collect();
    format!("[{left_out} characters before this: get_terminal_output with `lines`]\n{kept}")
}
