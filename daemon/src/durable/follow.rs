//! One command's follower: attaches to its spool on the host, takes the output in, notices its end, and clears away
//! behind it. A lost link costs nothing but time: it goes on from the last byte that was taken.

mod pace;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::Rng as _;
use sshmcp_proto::v1::Reason;
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{
    Ask, Place, away,
    stream::{Part, Stream},
};
use crate::{
    command::{Command, Status},
    connection::{ChannelEvent, ChannelWriter, CloseReason, Pool, Road},
    host::Target,
    shell::{
        durable::{self as words, Frame, Reached, Started, State},
        frame::{StreamFrame, TERMINATOR, helper_introducer},
        scan::{Piece, Scanner},
    },
};

/// How often the host is asked how it is with the command, and told that somebody is interested.
const LOOK: Duration = Duration::from_secs(20);
/// The same where its streams have ended and its end was not told.
const LOOK_SOON: Duration = Duration::from_secs(1);
/// Orders that wait to be written: a host that takes none of so many has gone.
const ORDERS_MAX: usize = 64;
/// First and longest time between two tries to reach the host.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// Between two tries where the login fails: more would lock accounts.
const AGAIN_LOGIN: Duration = Duration::from_secs(60);
/// What a flood wrote before a signal is here in this time.
const URGENT: Duration = Duration::from_secs(10);

const DROPPED: &str = "output was dropped on the host, up to 64 KiB at a time, for want of room on its disk";
const INCOMPLETE: &str = "the end of its output may be missing: what kept it on the host was ended";

/// Follows one command.
pub(super) struct Follower {
    command: Arc<Command>,
    target: Target,
    pool: Arc<Pool>,
    place: Place,
    asks: mpsc::Receiver<Ask>,
    streams: [Stream; 2],
    /// The host has another boot than the command began in.
    rebooted: bool,
    /// How it was when it was last asked.
    state: Option<State>,
    signals: Vec<(u64, oneshot::Sender<Result<Reached, sshmcp_proto::error::Fault>>)>,
    next_signal: u64,
    /// Nothing more is to be sent until then.
    paused: Option<Instant>,
    /// Which streams go on with their next segments then.
    next_waits: [bool; 2],
    /// Bytes that came slowly since the last pause began.
    burst: u64,
    /// How large the streams are was asked.
    sizes_asked: bool,
    /// A signal was sent: what it does is wanted at once.
    urgent_until: Option<Instant>,
    /// The clearing was ordered.
    clearing: bool,
    /// What callers are told while the host is away.
    away: Option<String>,
    /// It was attached once: until then signals wait.
    seen: bool,
    /// The last way to it was a connection of a session's client.
    by_lent: bool,
}

/// Why the link is of no more use.
struct Broken {
    cause: String,
    /// It had been attached.
    attached: bool,
    /// Trying again soon does harm, or no good.
    slowly: bool,
}

/// What is next.
enum Step {
    Go,
    /// Nothing is left to do.
    Over,
}

impl Follower {
    pub(super) fn new(
        command: Arc<Command>,
        target: Target,
        pool: Arc<Pool>,
        place: Place,
        asks: mpsc::Receiver<Ask>,
    ) -> Self {
        // After a restart: as far as its output is on our disk.
        let positions = command.positions();
        let streams = [0_u8, 1].map(|source| {
            let consumed = positions.iter().find(|consumed| consumed.source == source);
            let position = consumed.map_or((1, 0), |consumed| (consumed.segment, consumed.offset));
            let mut stream = Stream::new(source, &place.nonce, position);
            let at = usize::from(source);
            stream.ended = place.ended.get(at).copied().flatten();
            stream.eof = place.eof.get(at).copied().unwrap_or_default();
            stream
        });
        Self {
            command,
            target,
            pool,
            place,
            asks,
            streams,
            rebooted: false,
            state: None,
            signals: Vec::new(),
            next_signal: 0,
            paused: None,
            next_waits: [false; 2],
            burst: 0,
            sizes_asked: false,
            urgent_until: None,
            clearing: false,
            away: None,
            seen: false,
            by_lent: false,
        }
    }

    /// Until everything is taken and cleared away.
    pub(super) async fn run(mut self) {
        let mut tries = 0;
        let mut lent = self.pool.lent_news();
        loop {
            lent.mark_unchanged();
            let Err(broken) = self.attached().await else {
                Place::forget(&self.command);
                return;
            };
            tracing::info!(command = %self.command.id, cause = broken.cause, "a durable command's link is lost");
            self.signals.clear();
            for stream in &mut self.streams {
                stream.rewind(&self.place.nonce);
            }
            (self.state, self.paused, self.next_waits) = (None, None, [false; 2]);
            (self.sizes_asked, self.clearing) = (false, false);
            if broken.attached {
                tries = 0;
                self.by_lent = false;
            }
            self.tell_away(&broken.cause);
            let wait = pause(tries, broken.slowly);
            tries = tries.saturating_add(1);
            let (pool, key) = (self.pool.clone(), self.target.key());
            // Where only OpenSSH's client logs in, the next try is due when it has.
            let again = async {
                tokio::select! {
                    () = sleep(wait) => {}
                    () = pool.wait_for_lent(&key, &mut lent) => {}
                }
            };
            self.meanwhile(&broken.cause, again).await;
        }
    }

    /// Does something, and refuses signals meanwhile.
    async fn meanwhile<T>(&mut self, cause: &str, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(ask) = self.asks.recv() => {
                    // Nobody waits any more where that is not taken.
                    let _gone = ask.reply.send(Err(away(cause)));
                }
            }
        }
    }

    async fn attached(&mut self) -> Result<(), Broken> {
        let (line, script) = words::follow(&self.place.nonce, &self.place.dir);
        let (pool, target) = (self.pool.clone(), self.target.clone());
        let was_lent = std::mem::take(&mut self.by_lent);
        let opening = async move { pool.open_anyhow(&target, &line, was_lent).await };
        let opened = if self.seen {
            self.meanwhile("it is being connected to", opening).await
        } else {
            opening.await
        };
        let (road, mut channel) = opened.map_err(|fault| Broken {
            cause: fault.message.clone(),
            attached: false,
            slowly: matches!(
                fault.reason,
                Reason::AuthFailed
                    | Reason::AuthInputRequired
                    | Reason::HostKeyChanged
                    | Reason::HostKeyUnknown
                    | Reason::ConfigInvalid
                    | Reason::PermissionDenied
            ),
        })?;
        self.by_lent = matches!(road, Road::OpenSsh(_));
        let orders = writer(channel.writer());
        let mut own = Scanner::new(&helper_introducer(&self.place.nonce), TERMINATOR);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.reset();
        let mut script = Some(script);
        let mut attached = false;
        loop {
            let broken = |cause: &str, attached: bool| Broken {
                cause: cause.to_owned(),
                attached,
                slowly: false,
            };
            let resume = self.paused;
            let step = tokio::select! {
                event = channel.next() => match event {
                    Some(ChannelEvent::Stdout(bytes)) => {
                        let mut step = Ok(Step::Go);
                        for piece in own.feed(&bytes) {
                            step = match piece {
                                Piece::Data(data) => self.on_bytes(0, &data, &orders),
                                Piece::Frame(body) => match words::parse(&body) {
                                    Some(Frame::Reading) => send(&orders, script.take().unwrap_or_default()),
                                    Some(frame) => {
                                        attached |= matches!(frame, Frame::State(_));
                                        self.on_frame(frame, &orders)?
                                    }
                                    None => Ok(Step::Go),
                                },
                            };
                            if !matches!(step, Ok(Step::Go)) {
                                break;
                            }
                        }
                        step
                    }
                    Some(ChannelEvent::Stderr(bytes)) => self.on_bytes(1, &bytes, &orders),
                    Some(ChannelEvent::Closed { reason: CloseReason::ConnectionLost(cause) }) => {
                        return Err(broken(&cause, attached));
                    }
                    Some(ChannelEvent::Closed { reason: CloseReason::Normal }) | None => {
                        return Err(broken("what reads its output on the host was ended", attached));
                    }
                    Some(ChannelEvent::ExitStatus(_) | ChannelEvent::ExitSignal { .. } | ChannelEvent::Eof | ChannelEvent::Screen(_) | ChannelEvent::Gap) => Ok(Step::Go),
                },
                Some(ask) = self.asks.recv(), if self.state.is_some() => self.signal(ask, &orders),
                _ = looks.tick() => {
                    if self.streams.iter().all(|stream| stream.eof) {
                        looks.reset_after(LOOK_SOON);
                    }
                    send(&orders, words::ASK_STATE.to_vec())
                }
                () = until(resume) => self.resume(&orders),
            };
            match step {
                Ok(Step::Go) => {}
                Ok(Step::Over) => return Ok(()),
                Err(()) => return Err(broken("the host takes no orders any more", attached)),
            }
        }
    }

    fn on_frame(&mut self, frame: Frame, orders: &mpsc::Sender<Vec<u8>>) -> Result<Result<Step, ()>, Broken> {
        Ok(match frame {
            Frame::Found(found) => return self.on_found(found).map(Ok),
            Frame::State(state) => {
                if self.state.is_none() {
                    self.seen = true;
                    self.tell_back();
                    for stream in &self.streams {
                        let (segment, offset) = stream.position();
                        if send(orders, words::go_on(stream.name, segment, offset)).is_err() {
                            return Ok(Err(()));
                        }
                    }
                }
                self.state = Some(state);
                self.judge(orders)
            }
            Frame::Signal(number, reached) => {
                if let Reached::Sent(_) = reached {
                    self.place.interrupted = true;
                    self.place.save(&self.command);
                }
                if let Some(at) = self.signals.iter().position(|(waiting, _)| *waiting == number) {
                    let (_, reply) = self.signals.swap_remove(at);
                    let _gone = reply.send(Ok(reached));
                }
                Ok(Step::Go)
            }
            Frame::Size(name, segment, bytes) => {
                for stream in &mut self.streams {
                    if stream.name == name {
                        stream.last = Some((segment, bytes));
                    }
                }
                self.judge(orders)
            }
            Frame::Cleared => Ok(Step::Over),
            Frame::Reading => Ok(Step::Go),
        })
    }

    /// Which host answers, and whether it has anything of the command.
    fn on_found(&mut self, found: Started) -> Result<Step, Broken> {
        let differs = |was: &str, is: &str| !was.is_empty() && !is.is_empty() && was != is;
        let was = &mut self.place;
        if differs(&was.machine, &found.machine) {
            return Err(Broken {
                cause: "another machine answers under that name".into(),
                attached: false,
                slowly: true,
            });
        }
        self.rebooted = differs(&was.boot, &found.boot);
        if !found.dir.is_empty() {
            if was.dir.is_empty() {
                was.started(&found);
                was.save(&self.command);
            }
            return Ok(Step::Go);
        }
        let why = match (self.rebooted, self.place.dir.is_empty()) {
            (true, _) => "the host was rebooted while it ran; its exit code is not known",
            (false, true) => {
                "the connection was lost while it was started, and nothing of it is on the host: it did not begin, or ended at once"
            }
            (false, false) => "what it had on the host was removed there; its exit code is not known",
        };
        self.end(None, why);
        Ok(Step::Over)
    }

    /// Output, and frames among it.
    fn on_bytes(&mut self, which: usize, bytes: &[u8], orders: &mpsc::Sender<Vec<u8>>) -> Result<Step, ()> {
        let Some(stream) = self.streams.get_mut(which) else {
            return Ok(Step::Go);
        };
        let (name, kind) = (stream.name, stream.kind);
        let parts = stream.feed(bytes);
        let (ended, eof) = (stream.ended, stream.eof);
        for part in parts {
            let (frame, consumed) = match part {
                Part::Data(data, consumed) => {
                    let demand = self.command.append_from(kind, &data, consumed);
                    self.slow_down(demand, data.len(), orders)?;
                    continue;
                }
                Part::Frame(frame, consumed) => (frame, consumed),
            };
            match frame {
                Some(StreamFrame::Next(next)) => {
                    // On our disk before it is removed there.
                    self.command.consumed(consumed);
                    // A new reader would not be paused.
                    if self.paused.is_none() {
                        send(orders, words::go_on(name, next, 0))?;
                    } else if let Some(waits) = self.next_waits.get_mut(which) {
                        *waits = true;
                    }
                    continue;
                }
                Some(StreamFrame::Dropped) => self.command.notice(DROPPED),
                Some(StreamFrame::Broken) => {
                    // The other may have more, and the host knows how it ended.
                    self.command.notice(INCOMPLETE);
                    if let Some(eof) = self.place.eof.get_mut(which) {
                        *eof = true;
                    }
                    self.place.save(&self.command);
                    send(orders, words::ASK_STATE.to_vec())?;
                    continue;
                }
                Some(StreamFrame::Ended(_) | StreamFrame::Eof(_)) => {
                    // What it says is on disk before that it was read.
                    if let Some(at) = self.place.ended.get_mut(which) {
                        *at = ended;
                    }
                    if let Some(at) = self.place.eof.get_mut(which) {
                        *at = eof;
                    }
                    self.place.save(&self.command);
                    if eof && !self.has_ended() {
                        send(orders, words::ASK_STATE.to_vec())?;
                    }
                }
                Some(StreamFrame::End(_) | StreamFrame::Below(_) | StreamFrame::Level(_)) | None => {}
            }
            self.command.consumed(consumed);
        }
        self.judge(orders)
    }

    /// Both streams told the end: all that the command wrote before it was taken.
    fn has_ended(&self) -> bool {
        self.streams.iter().all(|stream| stream.ended.is_some())
    }

    /// Whether it has ended, by what is known now, and whether everything is taken.
    fn judge(&mut self, orders: &mpsc::Sender<Vec<u8>>) -> Result<Step, ()> {
        if self.clearing {
            return Ok(Step::Go);
        }
        if let Some(code) = self.streams.iter().find_map(|stream| stream.ended)
            && self.has_ended()
        {
            self.end(Some(code), "");
        }
        if self.streams.iter().all(|stream| stream.eof) && (self.has_ended() || self.end_without_word()) {
            return self.clear_away(orders);
        }
        let Some(state) = self.state else {
            return Ok(Step::Go);
        };
        let spool_is_dead = self.rebooted || state.drains < 2;
        let is_over = self.rebooted || state.code.is_some() || !state.runs && !state.lives;
        if !spool_is_dead || !is_over {
            return Ok(Step::Go);
        }
        // Nobody writes there any more: what is there is all.
        if !std::mem::replace(&mut self.sizes_asked, true) {
            for stream in &self.streams {
                send(orders, words::ask_size(stream.name))?;
            }
        }
        if !self.streams.iter().all(|stream| stream.eof || stream.is_taken()) {
            return Ok(Step::Go);
        }
        for stream in &mut self.streams {
            if let Some(rest) = stream.finish() {
                self.command.append(stream.kind, &rest);
            }
        }
        if !self.has_ended() && state.code.is_some() {
            self.command.notice(INCOMPLETE);
        }
        self.end_without_word();
        self.clear_away(orders)
    }

    /// Ends it by what the host knows besides the streams; false if that is not known.
    fn end_without_word(&mut self) -> bool {
        match self.state {
            Some(State { code: Some(code), .. }) => self.end(Some(code), ""),
            _ if self.rebooted => {
                self.end(
                    None,
                    "the host was rebooted while it ran; its exit code is not known",
                );
            }
            Some(state) if !state.runs && !state.lives => self.end(
                None,
                "what waited for its end on the host was killed; its exit code is not known",
            ),
            Some(_) | None => return false,
        }
        true
    }

    fn end(&self, code: Option<i32>, why: &str) {
        if self.command.state().status.is_final() {
            return;
        }
        if !why.is_empty() {
            self.command.notice(why);
        }
        let status = match (code, self.place.interrupted) {
            (None, _) => Status::Lost,
            (Some(_), true) => Status::Interrupted,
            (Some(_), false) => Status::Completed,
        };
        self.command.end(status, code, None);
    }

    fn clear_away(&mut self, orders: &mpsc::Sender<Vec<u8>>) -> Result<Step, ()> {
        self.clearing = true;
        send(orders, words::CLEAR_AWAY.to_vec())
    }

    fn signal(&mut self, ask: Ask, orders: &mpsc::Sender<Vec<u8>>) -> Result<Step, ()> {
        // Who does not wait any more was told that nothing is known.
        if ask.reply.is_closed() {
            return Ok(Step::Go);
        }
        self.urgent_until = Some(Instant::now() + URGENT);
        if self.paused.is_some() {
            self.go_on(orders)?;
        }
        self.next_signal += 1;
        self.signals.push((self.next_signal, ask.reply));
        send(orders, words::signal(self.next_signal, ask.signal))
    }

    fn tell_away(&mut self, cause: &str) {
        self.tell_back();
        if self.command.state().status.is_final() {
            return;
        }
        let words = format!(
            "the host cannot be reached ({cause}): the command goes on there, and its output from where it stopped when the host is back"
        );
        self.command.notice(words.clone());
        self.away = Some(words);
    }

    fn tell_back(&mut self) {
        if let Some(words) = self.away.take() {
            self.command
                .change(|state| state.notices.retain(|notice| *notice != words));
        }
    }
}

/// Writes orders, so that whoever gives them never waits for the far side; ends with their sender.
fn writer(writer: ChannelWriter) -> mpsc::Sender<Vec<u8>> {
    let (sender, mut orders) = mpsc::channel::<Vec<u8>>(ORDERS_MAX);
    tokio::spawn(async move {
        while let Some(order) = orders.recv().await {
            if writer.write(Bytes::from(order)).await.is_err() {
                return;
            }
        }
    });
    sender
}

fn send(orders: &mpsc::Sender<Vec<u8>>, order: Vec<u8>) -> Result<Step, ()> {
    orders.try_send(order).map(|()| Step::Go).map_err(|_| ())
}

async fn until(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}

/// How long to wait before the next try, with so much chance in it that not all come at once.
fn pause(tries: u32, slowly: bool) -> Duration {
    let wait = (AGAIN.0 * 2_u32.saturating_pow(tries.min(10))).min(AGAIN.1);
    let wait = if slowly { wait.max(AGAIN_LOGIN) } else { wait };
    wait.mul_f64(rand::rng().random_range(0.75..1.25))
}

#[cfg(test)]
mod tests;
