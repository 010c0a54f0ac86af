//! One command's follower: attaches to its spool on the host, takes the output in, notices its end, and clears away
//! behind it. A lost link costs nothing but time: it goes on from the last byte that was taken.

mod ending;
mod pace;
mod taking;

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

use super::{Ask, Place, away, stream::Stream};
use crate::{
    command::Command,
    connection::{ChannelEvent, ChannelWriter, CloseReason, Pool, Road},
    host::Target,
    shell::{
        durable::{self as words, Frame, Reached, State},
        frame::{TERMINATOR, helper_introducer},
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
