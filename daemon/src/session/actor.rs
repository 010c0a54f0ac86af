//! The task that owns a session: takes requests and what its channels say, asks the machine what it means, and does
//! that. It never waits for anything but its queues and short writes.

mod answering;
mod answers;
mod asking;
mod catching;
mod doing;
mod draining;
mod ending;
mod exiting;
mod flowing;
mod keeping;
mod leaving;
mod masking;
mod mirroring;
mod publishing;
mod queue;
mod returning;
mod signal;
mod starting;
mod taking;
mod typing;
mod waking;

use std::{
    collections::VecDeque,
    hash::RandomState,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use sshmcp_proto::error::Fault;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use self::{answers::Question, mirroring::Mirror, returning::Returning, signal::Signals, starting::Starting};
use super::{
    Caller, Claims, Opening, Request, Run, Session, Summary,
    device::Handover,
    flow::Flow,
    kept::Taken,
    link::Link,
    machine::{Event, Machine, SlotNames},
    mask::Mask,
    open::NotOpened,
    spot::Spot,
    sudo::Answering,
    view::View,
};
use waking::Wake;

use crate::{
    command::{Command, Commands},
    config::Kind,
    connection::{Channel, Pool, Pulse},
    output::StreamKind,
    secret::Secret,
    shell::{fish, frame, scan::Scanner},
};

/// A flood has always something to say: after so many turns in a row whatever else there is has its own.
const EVENTS_IN_A_ROW: u32 = 16;

pub(super) struct Actor {
    opening: Opening,
    session: Arc<Session>,
    pool: Arc<Pool>,
    claims: Arc<Claims>,
    commands: Arc<Commands>,
    summary: watch::Sender<Summary>,
    shell: Option<Shell>,
    starting: Option<Starting>,
    /// The shell is kept, its link lost, and we are on our way back to it.
    returning: Option<Returning>,
    /// Further pairs of FIFOs that are to be drained again.
    to_follow: VecDeque<u8>,
    draining: Option<(u8, JoinHandle<Result<Channel, Fault>>)>,
    waiting_open: Vec<oneshot::Sender<Result<bool, Fault>>>,
    /// Who wants to know now whether the running command waits for input, and until when.
    lookers: Vec<(Instant, oneshot::Sender<()>)>,
    queue: VecDeque<Run>,
    /// What is typed once the shell has fetched the running command.
    held: VecDeque<typing::Held>,
    view: View,
    cwd: String,
    /// Why the last shell is gone; the next one's first command says it.
    ended: Option<String>,
    last_client: Caller,
    cwd_client: Caller,
    opened_before: bool,
    /// The stored password for sudo is being fetched.
    fetching: Option<JoinHandle<Result<Secret, Fault>>>,
    /// What the password that was typed last for sudo hashes to.
    released: Option<u64>,
    /// What a stored password that sudo refused hashes to.
    refused: Option<u64>,
    hasher: RandomState,
    /// Secrets that were typed since the last command began.
    mask: Mask,
}

/// A living shell and what is known of it.
struct Shell {
    link: Link,
    /// Whether its host answers.
    pulse: watch::Receiver<Pulse>,
    machine: Machine,
    helper_frames: Scanner,
    /// The drained streams.
    streams: Vec<Stream>,
    marks: Scanner,
    running: Option<Arc<Command>>,
    /// Where its output goes.
    names: Option<SlotNames>,
    /// The running command until the shell has fetched its text.
    unfetched: Option<Run>,
    /// sudo in the running command, where somebody gave a password for it.
    answering: Option<Answering>,
    /// Earlier commands whose background jobs still hold a stream.
    late: Vec<Arc<Command>>,
    exit: Option<i32>,
    exit_at: Option<Instant>,
    /// The terminal's channel was closed in order: no mark can come any more.
    closed: bool,
    /// The last status, where the shell itself remembers another.
    last_status: Option<i32>,
    /// The running command was told that its shell is gone.
    is_told: bool,
    /// It does not take commands any more; the next use opens another.
    is_dead: bool,
    signals: Signals,
    started_at: Option<Instant>,
    /// What the terminal showed since then, where it may be an EXIT trap's.
    terminal_text: Vec<u8>,
    /// Somebody typed since then: it is a dialogue.
    typed_meanwhile: bool,
    /// The same of a fish whose command has ended but for its streams.
    fish_text: Option<(Vec<u8>, bool)>,
    /// What of its output is stopped on the host.
    flow: Flow,
    /// The terminal took our Ctrl-S.
    terminal_stopped: bool,
    /// What the terminal showed since the last prompt that is no command's output, in bytes.
    unowned: u64,
    /// The last bytes came on the terminal, not in a stream of the command's own.
    last_on_terminal: bool,
    /// The command wrote into its streams since somebody last typed.
    wrote_since_input: bool,
    /// What the pane of a kept shell is to show otherwise.
    mirror: Option<Mirror>,
    /// What comes is what we show there ourselves.
    is_mirroring: bool,
    /// Where in all that a kept terminal showed we are.
    spot: Spot,
    /// Programs asked the terminal, and none took keys yet.
    unanswered: Option<Question>,
    /// What a fish asked its terminal.
    fish_asks: fish::Questions,
    /// When a kept shell's host is told next that somebody is still interested.
    interest: Option<Instant>,
}

/// One drained stream of a pair of FIFOs.
struct Stream {
    set: u8,
    kind: StreamKind,
    /// Frames within it.
    scanner: Scanner,
    /// How far it was taken in, what the scanner holds back included; of a kept shell's alone.
    place: Taken,
}

impl Stream {
    fn new(set: u8, kind: StreamKind, nonce: &str) -> Self {
        Self {
            set,
            kind,
            scanner: Scanner::new(&frame::stream_introducer(nonce), frame::TERMINATOR),
            place: Taken::START,
        }
    }

    /// Behind the last byte, or whole frame, that was taken in.
    const fn taken(&self) -> Taken {
        Taken {
            segment: self.place.segment,
            offset: self.place.offset.saturating_sub(self.scanner.held() as u64),
        }
    }

    const fn letter(&self) -> char {
        match self.kind {
            StreamKind::Stdout => 'o',
            StreamKind::Stderr => 'e',
        }
    }
}

impl Actor {
    pub(super) fn new(
        opening: Opening,
        session: Arc<Session>,
        pool: Arc<Pool>,
        claims: Arc<Claims>,
        commands: Arc<Commands>,
        summary: watch::Sender<Summary>,
    ) -> Self {
        let earlier = opening.kept.as_ref();
        let cwd = opening.cwd.clone();
        let cwd = cwd.or_else(|| earlier.map(|earlier| earlier.cwd.clone()));
        let cwd = cwd.unwrap_or_default();
        let mut view = View::new(opening.cols, opening.rows, session.recorder.clone());
        if let Some((log, shown)) = session.shown_log() {
            view.outlives(log, shown, earlier.map_or(0, |earlier| earlier.cursor));
        }
        let ended = opening.ended.clone();
        Self {
            opening,
            session,
            pool,
            claims,
            commands,
            summary,
            shell: None,
            starting: None,
            returning: None,
            to_follow: VecDeque::new(),
            draining: None,
            waiting_open: Vec::new(),
            lookers: Vec::new(),
            queue: VecDeque::new(),
            held: VecDeque::new(),
            view,
            cwd,
            opened_before: ended.is_some(),
            ended,
            last_client: Caller::default(),
            cwd_client: Caller::default(),
            fetching: None,
            released: None,
            refused: None,
            hasher: RandomState::new(),
            mask: Mask::default(),
        }
    }

    /// Until it is closed, or is known to be a network device's: then another goes on with what comes back.
    pub(super) async fn run(mut self, requests: &mut mpsc::Receiver<Request>) -> Option<Handover> {
        if self.opening.target.kind == Kind::Network {
            return Some(self.hand_over());
        }
        self.begin_returning();
        let mut turns = 0;
        loop {
            self.type_held().await;
            self.start_next().await;
            self.publish();
            self.looked();
            turns = (turns + 1) % EVENTS_IN_A_ROW;
            let wake = self.next(requests, turns == 0).await;
            match wake {
                Wake::Request(None) => {
                    self.close().await;
                    self.session.recorder.closed().await;
                    return None;
                }
                Wake::Request(Some(Request::Close(reply))) => {
                    requests.close();
                    self.take_the_rest(requests);
                    let running = self.close().await;
                    self.session.recorder.closed().await;
                    let _ = reply.send(running);
                    return None;
                }
                Wake::Request(Some(Request::Leave(reply))) => {
                    requests.close();
                    self.take_the_rest(requests);
                    let lives_on = self.is_kept();
                    let running = self.leave().await;
                    if lives_on {
                        self.session.recorder.left().await;
                    } else {
                        self.session.recorder.closed().await;
                    }
                    let _ = reply.send(running);
                    return None;
                }
                Wake::Request(Some(Request::CloseIfIdle(limit, reply))) => {
                    let idle = self.session.idle_for().is_some_and(|idle| idle >= limit);
                    if !idle || !self.queue.is_empty() || !requests.is_empty() {
                        let _ = reply.send(false);
                        continue;
                    }
                    self.session.closing.store(true, Ordering::Relaxed);
                    requests.close();
                    self.take_the_rest(requests);
                    self.close().await;
                    self.session.recorder.closed().await;
                    let _ = reply.send(true);
                    return None;
                }
                Wake::Request(Some(request)) => self.on_request(request).await,
                Wake::Link(Some(event)) => self.on_link(event).await,
                Wake::Link(None) => self.lose("its channels ended", false).await,
                Wake::Returned(outcome) => self.on_returned(*outcome).await,
                Wake::Started(outcome) if matches!(*outcome, Err(NotOpened::Device)) => {
                    return Some(self.hand_over());
                }
                Wake::Started(outcome) => self.on_started(*outcome).await,
                Wake::Asked => self.on_asked(),
                Wake::Drained(set, outcome) => self.on_drained(set, outcome).await,
                Wake::Fetched(outcome) => self.on_fetched(outcome).await,
                // What it means is published above.
                Wake::Pulse => {}
                Wake::Time => self.on_time().await,
            }
        }
    }

    async fn on_time(&mut self) {
        let now = Instant::now();
        if self.is_away() {
            self.return_when_due(now);
            return;
        }
        self.on_flow_due(now);
        self.mirror_when_due(now);
        if self.view.echo_due().is_some_and(|due| now >= due) {
            self.view.end_echo();
        }
        self.masked_when_due(now);
        self.stay_interested(now);
        if let Some(shell) = &self.shell
            && shell.exit_at.is_some_and(|at| now >= at + taking::EXIT_GRACE)
        {
            if shell.is_told || shell.running.is_none() {
                self.finish_shell().await;
                return;
            }
            // A job of its holds the terminal open: what the shell printed has come all the same by now.
            self.end_running().await;
            if let Some(shell) = &mut self.shell {
                shell.exit_at = Some(now);
            }
            self.finish_if_exited().await;
            return;
        }
        self.signals_due(now).await;
        self.tell_wanted();
        let Some(shell) = &mut self.shell else { return };
        shell.ask_when_due(now);
        let effects = shell.machine.on(Event::Tick, now);
        self.carry_out(effects).await;
    }
}
