//! One conversation with an SFTP server over a channel: requests with their replies, many at a time, each waited for until
//! one deadline. Knows no paths' meaning and no whole files.
//!
//! Two tasks of its own read and write the channel, so that it is drained whatever is waited for. A server that answers what
//! nobody asked, or what cannot be an answer, ends the conversation, and nothing else.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::packet::{
    self, Attributes, EXPAND_PATH, FSYNC, Field, Offers, POSIX_RENAME, Packets, Reply, STATVFS, Space, Verb,
    status,
};
use crate::connection::{Channel, ChannelEvent, ChannelWriter, CloseReason, plain};

/// Requests that wait for the channel to take them: as many as are made at a time, so that none waits for nothing.
const TO_SEND_MAX: usize = 64;
/// What the server's program says on its stderr is kept as far as an error shows it.
const SAID_MAX: usize = 1 << 10; // 1 KiB

/// Why there is no answer that can be used.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// The server refused: a number of `status`, and its words.
    Refused(u32, String),
    /// The conversation is over, or the time is.
    Gone(Fault),
}

impl Trouble {
    /// The status that was given, if one was.
    pub(super) const fn status(&self) -> Option<u32> {
        match self {
            Self::Refused(status, _) => Some(*status),
            Self::Gone(_) => None,
        }
    }
}

type Answer<T> = Result<T, Trouble>;

/// A conversation.
pub(super) struct Sftp {
    shared: Arc<Mutex<Shared>>,
    to_send: mpsc::Sender<Bytes>,
    next: AtomicU32,
    pub(super) offers: Offers,
    deadline: Mutex<Instant>,
    _reader: AbortOnDropHandle<()>,
    _writer: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    waiting: HashMap<u32, oneshot::Sender<Reply>>,
    ended: Option<Fault>,
}

/// An open file.
#[derive(Clone, Debug)]
pub(super) struct Handle(Bytes);

impl Sftp {
    /// Greets the server at the other end of a channel.
    pub(super) async fn begin(mut channel: Channel, deadline: Instant) -> Result<Self, Fault> {
        let writer = channel.writer();
        let mut packets = Packets::default();
        let greet = async {
            writer.write(packet::greeting()).await?;
            first_packet(&mut channel, &mut packets).await
        };
        let greeting = timeout_at(deadline, greet)
            .await
            .unwrap_or_else(|_| Err(no_sftp("what the host started did not answer in time")))?;
        let offers = packet::offers(greeting).map_err(no_sftp)?;
        let shared = Arc::<Mutex<Shared>>::default();
        let (to_send, sending) = mpsc::channel(TO_SEND_MAX);
        Ok(Self {
            _reader: AbortOnDropHandle::new(tokio::spawn(read(channel, packets, shared.clone()))),
            _writer: AbortOnDropHandle::new(tokio::spawn(write(writer, sending))),
            shared,
            to_send,
            next: AtomicU32::new(1),
            offers,
            deadline: Mutex::new(deadline),
        })
    }

    /// There is so much time from now on, however late it is: to put things back.
    pub(super) fn give_time(&self, time: Duration) {
        let mut deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        *deadline = (*deadline).max(Instant::now() + time);
    }

    async fn ask(&self, verb: Verb, fields: &[Field<'_>]) -> Answer<Reply> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        {
            let mut shared = lock(&self.shared);
            if let Some(fault) = &shared.ended {
                return Err(Trouble::Gone(fault.clone()));
            }
            shared.waiting.insert(id, sender);
        }
        let request = packet::request(verb, id, fields);
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = timeout_at(deadline, async {
            self.to_send.send(request).await.ok()?;
            receiver.await.ok()
        });
        match answered.await {
            Ok(Some(Reply::Status(code, words))) if code != status::OK => {
                let words = plain(&String::from_utf8_lossy(&words));
                Err(Trouble::Refused(code, words))
            }
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => {
                let ended = lock(&self.shared).ended.clone();
                Err(Trouble::Gone(ended.unwrap_or_else(|| {
                    no_sftp("the conversation with the host's SFTP server ended")
                })))
            }
            Err(_) => Err(Trouble::Gone(
                Fault::new(
                    Reason::Unreachable,
                    "the host's SFTP server did not answer in time",
                )
                .hint("the host, its disk or the link may be overloaded; try again")
                .retryable(),
            )),
        }
    }

    async fn done(&self, verb: Verb, fields: &[Field<'_>]) -> Answer<()> {
        match self.ask(verb, fields).await? {
            Reply::Status(..) => Ok(()),
            _ => Err(self.nonsense()),
        }
    }

    async fn attributes(&self, verb: Verb, of: &[u8]) -> Answer<Attributes> {
        match self.ask(verb, &[Field::Text(of)]).await? {
            Reply::Attributes(attributes) => Ok(attributes),
            _ => Err(self.nonsense()),
        }
    }

    async fn name(&self, verb: Verb, fields: &[Field<'_>]) -> Answer<Vec<u8>> {
        match self.ask(verb, fields).await? {
            Reply::Name(name) => Ok(name.to_vec()),
            _ => Err(self.nonsense()),
        }
    }

    /// An answer of another kind than the question.
    fn nonsense(&self) -> Trouble {
        let fault = no_sftp("it gave an answer that does not fit the question");
        lock(&self.shared).end(fault.clone());
        Trouble::Gone(fault)
    }

    /// What is at the end of the path, links followed.
    pub(super) async fn stat(&self, path: &[u8]) -> Answer<Attributes> {
        self.attributes(Verb::Stat, path).await
    }

    /// What is at the path, a link if it is one.
    pub(super) async fn lstat(&self, path: &[u8]) -> Answer<Attributes> {
        self.attributes(Verb::Lstat, path).await
    }

    /// What an open file is.
    pub(super) async fn fstat(&self, handle: &Handle) -> Answer<Attributes> {
        self.attributes(Verb::Fstat, &handle.0).await
    }

    /// The path as the server writes it.
    pub(super) async fn realpath(&self, path: &[u8]) -> Answer<Vec<u8>> {
        self.name(Verb::Realpath, &[Field::Text(path)]).await
    }

    /// `~user/…` as the server knows it; only if that is offered.
    pub(super) async fn expand_path(&self, path: &[u8]) -> Answer<Vec<u8>> {
        self.name(Verb::Extended, &[Field::Text(EXPAND_PATH), Field::Text(path)])
            .await
    }

    /// Where a link leads.
    pub(super) async fn readlink(&self, path: &[u8]) -> Answer<Vec<u8>> {
        self.name(Verb::Readlink, &[Field::Text(path)]).await
    }

    /// Opens a file; what is made gets these permission bits, less those that the host's umask takes away.
    pub(super) async fn open(&self, path: &[u8], flags: u32, mode: Option<u32>) -> Answer<Handle> {
        let attributes = mode.map_or_else(Attributes::default, Attributes::of_mode);
        let fields = [
            Field::Text(path),
            Field::Number(flags),
            Field::Attributes(attributes),
        ];
        match self.ask(Verb::Open, &fields).await? {
            Reply::Handle(handle) => Ok(Handle(handle)),
            _ => Err(self.nonsense()),
        }
    }

    pub(super) async fn close(&self, handle: &Handle) -> Answer<()> {
        self.done(Verb::Close, &[Field::Text(&handle.0)]).await
    }

    /// At most so many bytes from there; none at the end of the file.
    pub(super) async fn read(&self, handle: &Handle, offset: u64, size: u32) -> Answer<Option<Bytes>> {
        let fields = [Field::Text(&handle.0), Field::Long(offset), Field::Number(size)];
        match self.ask(Verb::Read, &fields).await {
            Ok(Reply::Data(data)) if !data.is_empty() && data.len() <= size as usize => Ok(Some(data)),
            Ok(_) => Err(self.nonsense()),
            Err(Trouble::Refused(status::EOF, _)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    pub(super) async fn write(&self, handle: &Handle, offset: u64, data: &[u8]) -> Answer<()> {
        let fields = [Field::Text(&handle.0), Field::Long(offset), Field::Text(data)];
        self.done(Verb::Write, &fields).await
    }

    /// Changes what is there of the attributes.
    pub(super) async fn fsetstat(&self, handle: &Handle, attributes: Attributes) -> Answer<()> {
        let fields = [Field::Text(&handle.0), Field::Attributes(attributes)];
        self.done(Verb::Fsetstat, &fields).await
    }

    /// Has what was written on the disk, where the server can say so.
    pub(super) async fn fsync(&self, handle: &Handle) -> Answer<()> {
        if !self.offers.fsync {
            return Ok(());
        }
        let fields = [Field::Text(FSYNC), Field::Text(&handle.0)];
        match self.done(Verb::Extended, &fields).await {
            // A file system that cannot.
            Err(Trouble::Refused(status::UNSUPPORTED, _)) => Ok(()),
            done => done,
        }
    }

    pub(super) async fn remove(&self, path: &[u8]) -> Answer<()> {
        self.done(Verb::Remove, &[Field::Text(path)]).await
    }

    pub(super) async fn mkdir(&self, path: &[u8]) -> Answer<()> {
        let fields = [Field::Text(path), Field::Attributes(Attributes::of_mode(0o777))];
        self.done(Verb::Mkdir, &fields).await
    }

    /// Gives a file another name, which must be free.
    pub(super) async fn rename(&self, from: &[u8], to: &[u8]) -> Answer<()> {
        self.done(Verb::Rename, &[Field::Text(from), Field::Text(to)])
            .await
    }

    /// Gives a file another name, in one moment instead of what has that; only if that is offered.
    pub(super) async fn replace(&self, from: &[u8], to: &[u8]) -> Answer<()> {
        let fields = [Field::Text(POSIX_RENAME), Field::Text(from), Field::Text(to)];
        self.done(Verb::Extended, &fields).await
    }

    /// What the file system of a path has left; none where that is not known.
    pub(super) async fn space(&self, path: &[u8]) -> Option<Space> {
        if !self.offers.statvfs {
            return None;
        }
        let fields = [Field::Text(STATVFS), Field::Text(path)];
        match self.ask(Verb::Extended, &fields).await {
            Ok(Reply::Extended(body)) => packet::space(body),
            Ok(_) | Err(_) => None,
        }
    }
}

impl Shared {
    fn end(&mut self, fault: Fault) {
        self.ended.get_or_insert(fault);
        // Whoever waits is told by this.
        self.waiting.clear();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What answers is no SFTP server, or a wrong one.
pub(super) fn no_sftp(what: impl Into<String>) -> Fault {
    Fault::new(
        Reason::NotSupported,
        format!("the host's SFTP server is of no use: {}", what.into()),
    )
    .hint("read and write files with execute_command (cat, sed; content as `stdin`)")
}

/// The first packet that a server sends.
async fn first_packet(channel: &mut Channel, packets: &mut Packets) -> Result<Bytes, Fault> {
    let mut said = Vec::new();
    loop {
        match packets.next() {
            Ok(Some(packet)) => return Ok(packet),
            Ok(None) => {}
            // Start-up files that print are the usual cause.
            Err(_) => {
                return Err(no_sftp(format!(
                    "it begins with {:?}",
                    plain(&String::from_utf8_lossy(packets.rest()))
                )));
            }
        }
        match channel.next().await {
            Some(ChannelEvent::Stdout(bytes)) => packets.feed(&bytes),
            Some(ChannelEvent::Stderr(bytes)) => keep(&mut said, &bytes),
            Some(ChannelEvent::Closed { reason }) => return Err(ended(&reason, &said)),
            Some(_) => {}
            None => return Err(ended(&CloseReason::Normal, &said)),
        }
    }
}

fn keep(said: &mut Vec<u8>, bytes: &[u8]) {
    let room = SAID_MAX.saturating_sub(said.len());
    said.extend(bytes.iter().take(room));
}

fn ended(reason: &CloseReason, said: &[u8]) -> Fault {
    match reason {
        CloseReason::ConnectionLost(cause) => Fault::new(
            Reason::ConnectionLost,
            format!("the connection was lost: {cause}"),
        )
        .hint("call again; a new connection will be made")
        .retryable(),
        CloseReason::Normal => {
            let words = plain(&String::from_utf8_lossy(said));
            no_sftp(if words.is_empty() {
                "it ended".to_owned()
            } else {
                format!("it ended and said {words:?}")
            })
        }
    }
}

/// Reads what the server says, and tells whoever waits for it.
async fn read(mut channel: Channel, mut packets: Packets, shared: Arc<Mutex<Shared>>) {
    let mut said = Vec::new();
    let fault = loop {
        match take(&mut packets, &shared) {
            Ok(()) => {}
            Err(what) => break no_sftp(what),
        }
        match channel.next().await {
            Some(ChannelEvent::Stdout(bytes)) => packets.feed(&bytes),
            Some(ChannelEvent::Stderr(bytes)) => keep(&mut said, &bytes),
            Some(ChannelEvent::Closed { reason }) => break ended(&reason, &said),
            Some(_) => {}
            None => break ended(&CloseReason::Normal, &said),
        }
    };
    lock(&shared).end(fault);
}

/// Hands on the replies that are whole.
fn take(packets: &mut Packets, shared: &Mutex<Shared>) -> Result<(), packet::Broken> {
    while let Some(packet) = packets.next()? {
        let (id, reply) = packet::reply(packet)?;
        let waiting = lock(shared).waiting.remove(&id);
        match waiting {
            // Who asked may be gone.
            Some(sender) => drop(sender.send(reply)),
            None => return Err("it answered what nobody asked"),
        }
    }
    Ok(())
}

/// Writes the requests, whole and one after the other.
async fn write(writer: ChannelWriter, mut sending: mpsc::Receiver<Bytes>) {
    while let Some(request) = sending.recv().await {
        if let Err(fault) = writer.write(request).await {
            // What the reader is told is more exact, if it is told anything.
            tracing::trace!(%fault, "an SFTP server takes nothing more");
            return;
        }
    }
}
