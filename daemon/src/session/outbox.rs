//! What is written to one channel, in order, without anybody waiting for the far side. What the channel takes at once
//! is written at once; the rest waits here, bounded.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::oneshot;

use crate::connection::ChannelWriter;

/// Bytes that may wait: the largest thing that one call may carry. What makes it more is refused.
const WAITING_MAX: usize = 64 << 20; // 64 MiB

/// What became of something that was to be written.
pub enum Sent {
    /// It was written, or it failed.
    Done(Result<(), Fault>),
    /// The far side does not take it yet.
    Later(oneshot::Receiver<Result<(), Fault>>),
}

impl Sent {
    /// Tells somebody when it is written.
    pub fn tell<T: Send + 'static>(self, reply: oneshot::Sender<Result<T, Fault>>, words: T) {
        match self {
            Self::Done(done) => {
                let _ = reply.send(done.map(|()| words));
            }
            Self::Later(sent) => {
                tokio::spawn(async move {
                    let done = sent.await.unwrap_or_else(|_| Err(gone()));
                    let _ = reply.send(done.map(|()| words));
                });
            }
        }
    }
}

/// One channel's queue.
pub struct Outbox {
    writer: Arc<ChannelWriter>,
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

struct Waiting {
    write: BoxFuture<'static, Result<(), Fault>>,
    bytes: usize,
    done: oneshot::Sender<Result<(), Fault>>,
}

impl Outbox {
    /// An empty queue before this channel.
    pub fn new(writer: ChannelWriter) -> Self {
        Self {
            writer: Arc::new(writer),
            waiting: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The channel itself, past the queue.
    pub fn writer(&self) -> Arc<ChannelWriter> {
        self.writer.clone()
    }

    /// Something waits to be written.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Writes behind everything that waits, and not before `first` was written.
    pub fn send(&mut self, bytes: Vec<u8>, first: Option<oneshot::Receiver<Result<(), Fault>>>) -> Sent {
        let len = bytes.len();
        if self.is_waiting() && self.bytes.saturating_add(len) > WAITING_MAX {
            return Sent::Done(Err(Fault::new(
                Reason::LimitReached,
                format!(
                    "{} bytes wait already for what runs there to read them",
                    self.bytes
                ),
            )
            .hint("wait until it reads, or interrupt it")
            .retryable()));
        }
        let writer = self.writer.clone();
        let mut write = async move {
            if let Some(first) = first {
                first.await.unwrap_or_else(|_| Err(gone()))?;
            }
            writer.write(Bytes::from(bytes)).await
        }
        .boxed();
        if !self.is_waiting()
            && let Some(done) = (&mut write).now_or_never()
        {
            return Sent::Done(done);
        }
        let (done, sent) = oneshot::channel();
        self.bytes = self.bytes.saturating_add(len);
        self.waiting.push_back(Waiting {
            write,
            bytes: len,
            done,
        });
        Sent::Later(sent)
    }

    /// Writes the first thing that waits. May be dropped and called again without losing anything.
    pub async fn write_next(&mut self) {
        let Some(first) = self.waiting.front_mut() else {
            return;
        };
        let result = (&mut first.write).await;
        if let Some(first) = self.waiting.pop_front() {
            self.bytes = self.bytes.saturating_sub(first.bytes);
            // Nobody may want to know.
            let _ = first.done.send(result);
        }
    }
}

fn gone() -> Fault {
    Fault::new(Reason::ConnectionLost, "the session's shell is gone").retryable()
}
