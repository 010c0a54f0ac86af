//! `Execute`: one command from acceptance to the end of the wait, as a stream of events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sshmcp_proto::{
    error::Fault,
    v1::{self, Accepted, Client, ExecuteEvent, ExecuteRequest, OutputChunk, Progress, execute_event::Event},
};
use tokio::{
    sync::mpsc,
    time::{interval, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{EVENTS_MAX, Events, bounded, from_proto, report, report_at_once, told};
use crate::{
    command::{Command, Following},
    execute::{Execution, Handed, hand_over},
    output::{Piece, StreamKind},
    registry::{Registry, Wanted},
    shell::order::Capture,
};

/// The answer of a command that ends within this time goes out in one piece, which wakes the client once.
const QUICK: Duration = Duration::from_millis(5);
/// Bytes in one event.
pub(super) const CHUNK: usize = 64 << 10; // 64 KiB

struct Call {
    registry: Arc<Registry>,
    handed: Handed,
    client: String,
    limit: usize,
    raw: bool,
    stream_output: bool,
    progress: Option<Duration>,
    wait: Option<Duration>,
}

pub(super) async fn execute(
    registry: Arc<Registry>,
    request: ExecuteRequest,
    client: Client,
) -> Result<Events<ExecuteEvent>, Fault> {
    let ExecuteRequest {
        command,
        host,
        session,
        timeout_ms,
        durable,
        terminal,
        stdin,
        output_limit,
        raw,
        sudo_password,
        enable_password,
        enable_command,
        stream_output,
        progress_ms,
        unbounded_wait,
        cols,
        rows,
    } = request;
    let sudo_password = from_proto::sudo_password(sudo_password, durable)?;
    from_proto::durable(durable, terminal, stdin.is_some())?;
    let enable = from_proto::enable(enable_password, enable_command)?;
    let size = from_proto::size((cols > 0).then_some(cols), (rows > 0).then_some(rows))?;
    let wanted = Wanted {
        host: host.map(from_proto::host).transpose()?,
        session,
        size,
        keeper: None,
    };
    let capture = if terminal {
        Capture::Terminal
    } else {
        Capture::Apart
    };
    let execution = Execution {
        wanted,
        text: command,
        capture,
        stdin,
        sudo_password,
        enable,
        durable,
        client: crate::rpc::person_or_agent(&client),
    };
    let wait = bounded(&registry, timeout_ms, unbounded_wait);
    let handed = hand_over(&registry, execution).await?;
    let call = Call {
        registry,
        handed,
        client: client.id,
        limit: from_proto::output_limit(output_limit),
        raw,
        stream_output,
        progress: (progress_ms > 0).then(|| Duration::from_millis(progress_ms.into())),
        wait,
    };
    let quick = !call.stream_output;
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    let mut running = tokio::spawn(call.run(events));
    if quick {
        // Whether it has ended or not, what it has said so far goes out now.
        let _ended = timeout(QUICK, &mut running).await;
    }
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

impl Call {
    async fn run(mut self, events: mpsc::Sender<Result<ExecuteEvent, Status>>) {
        let command = self.handed.command.clone();
        let accepted = Event::Accepted(Accepted {
            command_id: command.id.to_string(),
            session: command.session.to_string(),
        });
        if send(&events, accepted).await.is_err() && self.wait == Some(Duration::ZERO) {
            return;
        }
        let position = AtomicU64::new(0);
        let streamed = self.stream_output.then_some(&position);
        let following = self.stream_output.then(|| command.follow(0));
        let reported = async {
            tokio::join!(
                stream_output(streamed.zip(following.as_ref()), &command, &events),
                report_progress(self.progress, &command, &events)
            )
        };
        let outcome = tokio::select! {
            outcome = self.handed.wait(&self.registry, self.wait) => outcome,
            _ = reported => return,
            () = events.closed() => return,
        };
        if let Err(fault) = outcome {
            // The caller may be gone: then nobody is told, and nothing was run.
            let _gone = events.send(Err(fault.into())).await;
            return;
        }
        if let Some(following) = &following
            && send_rest(&position, following, &command, &events).await.is_err()
        {
            return;
        }
        let told_at_once = self.wait == Some(Duration::ZERO) && !self.stream_output;
        let report = if told_at_once { report_at_once } else { report };
        let mut result = report(&command, &self.client, self.limit, self.raw);
        if self.stream_output {
            result.stdout.clear();
            result.stderr = result.stderr.map(|_| Vec::new());
        }
        add_advice(&command, &mut result);
        let result = told(&self.registry, result);
        let _gone = send(&events, Event::Result(result)).await;
    }
}

/// Says what an agent can do about a program that keeps its output in its own buffer, and why a command has not begun.
fn add_advice(command: &Command, result: &mut v1::Command) {
    let silent = result.total_bytes == 0
        && result.status == i32::from(v1::CommandStatus::Running)
        && command.capture == Capture::Apart
        && result.duration_ms >= 2000;
    let is_queued = result.status == i32::from(v1::CommandStatus::Queued);
    let words = if silent {
        "no output yet: the program may be holding it in its buffer (`terminal: true` would show it)"
    } else if is_queued {
        "its session is still being opened: it begins when that is done, and ends as `lost`, with nothing run, if the host \
         cannot be reached"
    } else {
        return;
    };
    if !result.notice.is_empty() {
        result.notice.push_str("; ");
    }
    result.notice.push_str(words);
}

async fn send(events: &mpsc::Sender<Result<ExecuteEvent, Status>>, event: Event) -> Result<(), ()> {
    events
        .send(Ok(ExecuteEvent { event: Some(event) }))
        .await
        .map_err(|_| ())
}

/// Sends output as it comes, until nobody takes it.
async fn stream_output(
    streamed: Option<(&AtomicU64, &Following<'_>)>,
    command: &Command,
    events: &mpsc::Sender<Result<ExecuteEvent, Status>>,
) {
    let Some((position, following)) = streamed else {
        return std::future::pending().await;
    };
    let mut changes = command.changes();
    loop {
        if send_rest(position, following, command, events).await.is_err() || changes.changed().await.is_err()
        {
            return;
        }
    }
}

/// Sends what was written and not sent yet. Whoever stops here half-way has moved the position as far as was sent.
async fn send_rest(
    position: &AtomicU64,
    following: &Following<'_>,
    command: &Command,
    events: &mpsc::Sender<Result<ExecuteEvent, Status>>,
) -> Result<(), ()> {
    loop {
        let pieces = command
            .state()
            .output
            .read(position.load(Ordering::Relaxed), CHUNK);
        if pieces.is_empty() {
            return Ok(());
        }
        for piece in pieces {
            let end = piece.end();
            send(events, Event::Output(chunk(piece))).await?;
            position.store(end, Ordering::Relaxed);
            following.taken(end);
        }
    }
}

pub(super) fn chunk(piece: Piece) -> OutputChunk {
    let Piece { stream, offset, data } = piece;
    let stream = match stream {
        StreamKind::Stdout => v1::Stream::Stdout,
        StreamKind::Stderr => v1::Stream::Stderr,
    };
    OutputChunk {
        stream: stream.into(),
        data,
        offset,
    }
}

async fn report_progress(
    every: Option<Duration>,
    command: &Command,
    events: &mpsc::Sender<Result<ExecuteEvent, Status>>,
) {
    let Some(every) = every else {
        return std::future::pending().await;
    };
    let mut ticks = interval(every);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let progress = {
            let state = command.state();
            Progress {
                elapsed_ms: state.duration_ms(),
                total_bytes: state.output.total(),
                last_line: state.output.last_line(),
            }
        };
        if send(events, Event::Progress(progress)).await.is_err() {
            return;
        }
    }
}
