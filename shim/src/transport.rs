//! stdin and stdout as the SDK's transport, which tells when either ends. Every line that asks is answered once: by the SDK,
//! or here where that would not.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use rmcp::{
    RoleServer,
    model::{
        ClientNotification, ClientRequest, GetMeta as _, JsonRpcMessage, ProtocolVersion, RequestId,
        ServerResult,
    },
    service::TxJsonRpcMessage,
    transport::Transport,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use crate::{
    lines::{LINE_BYTES, Line, Lines},
    message::{self, Message, Said},
    waiting::Waiting,
};

/// One JSON text a line, both ways.
pub(crate) struct Stdio<R, W> {
    lines: Lines<R>,
    output: Output<W>,
    /// An answer of ours on its way: before it is out, nothing more is read.
    answering: Option<BoxFuture<'static, io::Result<()>>>,
    /// Messages that came in one line.
    queue: VecDeque<Message>,
    /// The conversation has an era.
    is_open: bool,
    ended: CancellationToken,
}

/// The way out.
struct Output<W> {
    // Held while a line is written: lines do not mix.
    writer: Arc<tokio::sync::Mutex<W>>,
    state: Arc<Mutex<State>>,
    broken: CancellationToken,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    /// What was agreed on, if there was a handshake.
    version: Option<ProtocolVersion>,
}

impl<W> Clone for Output<W> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
            state: self.state.clone(),
            broken: self.broken.clone(),
        }
    }
}

impl<W: AsyncWrite + Send + Unpin + 'static> Output<W> {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, line: Option<Vec<u8>>) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let (writer, broken) = (self.writer.clone(), self.broken.clone());
        async move {
            let Some(mut line) = line else { return Ok(()) };
            line.push(b'\n');
            let mut writer = writer.lock().await;
            let written = async {
                writer.write_all(&line).await?;
                writer.flush().await
            };
            written.await.inspect_err(|_| broken.cancel())
        }
    }
}

impl<R, W> Stdio<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// `ended` is cancelled at the end of the input, `broken` when the output cannot be written.
    pub(crate) fn new(reader: R, writer: W, ended: CancellationToken, broken: CancellationToken) -> Self {
        Self {
            lines: Lines::new(reader),
            output: Output {
                writer: Arc::new(tokio::sync::Mutex::new(writer)),
                state: Arc::default(),
                broken,
            },
            answering: None,
            queue: VecDeque::new(),
            is_open: false,
            ended,
        }
    }

    /// Takes one line apart: what the SDK takes into the queue, and gives back what is answered at once.
    fn take(&mut self, line: Line) -> Option<Vec<u8>> {
        let (text, envelope) = match line {
            Line::Whole(text, envelope) => (text, envelope),
            Line::TooLong(envelope) => return Some(message::too_long(envelope, LINE_BYTES)),
        };
        let takes_batches = self.output.with(|state| {
            let version = state.version.as_ref();
            version.is_some_and(|version| version.as_str() <= ProtocolVersion::V_2025_03_26.as_str())
        });
        match message::understand(&text, envelope, takes_batches) {
            Said::Message(message) => {
                if let Some(id) = asking(&message)
                    && !self.output.with(|state| state.waiting.add(&id))
                {
                    return Some(message::in_use(&id));
                }
                self.queue.push_back(*message);
                None
            }
            Said::Refused(answer) => Some(answer),
            Said::Batch(parts) => self.take_batch(parts),
            Said::Nothing => None,
        }
    }

    fn take_batch(&mut self, parts: Vec<Said>) -> Option<Vec<u8>> {
        let (mut ids, mut answers, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            match part {
                Said::Message(message) => match asking(&message) {
                    Some(id) if ids.contains(&id) || self.output.with(|state| state.waiting.has(&id)) => {
                        answers.push(message::in_use(&id));
                    }
                    asking => {
                        ids.extend(asking);
                        messages.push(*message);
                    }
                },
                Said::Refused(answer) => answers.push(answer),
                Said::Batch(_) | Said::Nothing => {}
            }
        }
        self.queue.extend(messages);
        self.output.with(|state| state.waiting.add_batch(ids, answers))
    }

    /// True if the SDK takes this message now: before there is an era, it takes requests alone, and everything else as fatal.
    fn is_for_sdk(&mut self, message: &Message) -> bool {
        let JsonRpcMessage::Request(request) = message else {
            return self.is_open;
        };
        self.is_open |= match &request.request {
            ClientRequest::InitializeRequest(_) => true,
            ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
            other => {
                let meta = other.get_meta();
                let version = meta.protocol_version();
                version.is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
                    && meta
                        .missing_required_keys(&ProtocolVersion::V_2026_07_28)
                        .is_empty()
            }
        };
        true
    }

    /// A cancelled request is not waited for; tells what may be sent now.
    fn without_cancelled(&self, message: &Message) -> Option<Vec<u8>> {
        let JsonRpcMessage::Notification(told) = message else {
            return None;
        };
        let ClientNotification::CancelledNotification(cancelled) = &told.notification else {
            return None;
        };
        let id = cancelled.params.request_id.as_ref()?;
        self.output.with(|state| state.waiting.cancelled(id))
    }

    fn answer(&mut self, answer: Option<Vec<u8>>) {
        if answer.is_some() {
            self.answering = Some(Box::pin(self.output.write(answer)));
        }
    }
}

/// The id of a message that asks.
fn asking(message: &Message) -> Option<RequestId> {
    match message {
        JsonRpcMessage::Request(request) => Some(request.id.clone()),
        _ => None,
    }
}

impl<R, W> Transport<RoleServer> for Stdio<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let line = serde_json::to_vec(&item).map(|text| {
            self.output.with(|state| match &item {
                JsonRpcMessage::Response(response) => {
                    if let ServerResult::InitializeResult(agreed) = &response.result {
                        state.version = Some(agreed.protocol_version.clone());
                    }
                    state.waiting.answered(&response.id, text)
                }
                JsonRpcMessage::Error(error) => match &error.id {
                    Some(id) => state.waiting.answered(id, text),
                    None => Some(text),
                },
                JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => Some(text),
            })
        });
        let output = self.output.clone();
        async move { output.write(line?).await }
    }

    async fn receive(&mut self) -> Option<Message> {
        loop {
            // Dropped while it waits, it goes on where it was: the answer stays in its place until it is out.
            if let Some(answering) = &mut self.answering {
                let _told_by_broken = answering.await;
                self.answering = None;
            }
            if let Some(message) = self.queue.pop_front() {
                let answer = self.without_cancelled(&message);
                self.answer(answer);
                if self.is_for_sdk(&message) {
                    return Some(message);
                }
                continue;
            }
            let Ok(Some(line)) = self.lines.next().await else {
                self.ended.cancel();
                return None;
            };
            let answer = self.take(line);
            self.answer(answer);
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.output.write(None).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rmcp::model::ErrorData;
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    /// What comes of this input, in lines, where every request that gets through is answered.
    async fn answers(input: Vec<u8>, piece: usize) -> Vec<Value> {
        let (mut client, ours) = duplex(piece);
        let (output, mut read) = duplex(64);
        let writing = tokio::spawn(async move {
            client.write_all(&input).await.expect("it reads on");
        });
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            read.read_to_string(&mut text).await.expect("UTF-8");
            text
        });
        let mut stdio = Stdio::new(ours, output, CancellationToken::new(), CancellationToken::new());
        while let Some(message) = stdio.receive().await {
            if let Some(id) = asking(&message) {
                let answer = JsonRpcMessage::error(ErrorData::internal_error("reached", None), Some(id));
                stdio.send(answer).await.expect("open");
            }
        }
        drop(stdio);
        writing.await.expect("written");
        let text = reading.await.expect("read");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("one JSON text a line"))
            .collect()
    }

    fn request(id: usize) -> String {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "x", "arguments": {"a": [1, "b\n"]}}})
            .to_string()
    }

    /// Requests by number, some of them spoilt in one place, between lines of anything.
    fn conversation() -> impl Strategy<Value = Vec<(Option<usize>, Vec<u8>)>> {
        let line = prop_oneof![
            3 => Just(None),
            2 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(Some),
        ];
        let noise = prop::collection::vec(any::<u8>(), 0..40);
        prop::collection::vec((line, noise), 1..12).prop_map(|lines| {
            let mut all = Vec::new();
            for (at, (spoilt, mut noise)) in lines.into_iter().enumerate() {
                // Of which no two differ in one place alone: who is spoilt there does not take another's.
                let id = 111 + 11 * at;
                let mut text = request(id).into_bytes();
                match spoilt {
                    None => all.push((Some(id), text)),
                    Some((place, byte)) => {
                        let place = place.index(text.len());
                        text[place] = if byte == b'\n' { b' ' } else { byte };
                        all.push((None, text));
                    }
                }
                noise.retain(|&byte| byte != b'\n');
                all.push((None, noise));
            }
            all
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever comes between, each request that is right is answered once, each line at most once, and garbage with null.
        #[test]
        fn every_line_that_asks_is_answered_once(lines in conversation(), piece in 1_usize..300) {
            let input = lines.iter().map(|line| line.1.as_slice()).collect::<Vec<_>>().join(&b'\n');
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let answers = runtime.block_on(answers(input, piece));
            let right: Vec<usize> = lines.iter().filter_map(|line| line.0).collect();
            for id in &right {
                let own = answers.iter().filter(|answer| answer["id"] == json!(id) && answer["error"]["message"] == "reached");
                prop_assert_eq!(own.count(), 1, "{} in {:?}", id, answers);
            }
            // What JSON takes for white space alone.
            let is_empty = |line: &[u8]| line.iter().all(|byte| b" \t\r".contains(byte));
            let asked = lines.iter().filter(|line| !is_empty(&line.1)).count();
            prop_assert!(answers.len() <= asked, "{:?}", answers);
            let garbage = lines.iter().filter(|line| {
                !is_empty(&line.1) && line.1.iter().all(|&byte| byte < 128 && byte != b'"')
                    && serde_json::from_slice::<Value>(&line.1).is_err()
            });
            let refused = answers.iter().filter(|answer| answer["error"]["code"] == -32_700 && answer["id"].is_null());
            prop_assert!(refused.count() >= garbage.count(), "{:?}", answers);
        }
    }

    /// An id that is waited for is not taken by a second request, whose sender is told.
    #[tokio::test]
    async fn an_id_in_use_is_refused() {
        let (mut client, ours) = duplex(1_000);
        let (output, mut read) = duplex(1_000);
        let mut stdio = Stdio::new(ours, output, CancellationToken::new(), CancellationToken::new());
        let twice = format!("{}\n{}\n", request(1), request(1));
        client.write_all(twice.as_bytes()).await.expect("room");
        drop(client);
        assert!(stdio.receive().await.is_some());
        assert!(stdio.receive().await.is_none());
        drop(stdio);
        let mut text = String::new();
        read.read_to_string(&mut text).await.expect("UTF-8");
        let answer: Value = serde_json::from_str(&text).expect("one answer");
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!(1), &json!(-32_600))
        );
    }
}
