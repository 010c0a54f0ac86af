//! A channel that is a program of this machine: what it writes are events, what it is told goes to its input, bounded on
//! both sides.

use std::{
    io,
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{mpsc, watch},
};

use super::{
    channel::{Channel, ChannelEvent, CloseReason},
    pulse::Ear,
};

/// Read at once, as much as a channel's message has.
const READ_MAX: usize = 32 << 10; // 32 KiB
/// What was read waits for whoever takes it: half a MiB, then the program's pipe fills, and it waits itself.
const EVENTS_MAX: usize = 16;
/// What was told waits for the program to read it: half a MiB, then whoever tells waits.
const TOLD_MAX: usize = 16;

/// What a program is told.
pub(super) enum Told {
    Bytes(Bytes),
    Eof,
}

impl Told {
    /// Bytes at once.
    pub(super) const PIECE: usize = 32 << 10; // 32 KiB
}

/// Starts a program as a channel, of whose words the ear hears. When it has ended, `lost` says whether what it needs is gone, and why.
pub(super) fn start<Cause>(
    mut command: Command,
    ear: Ear,
    lost: impl FnOnce(ExitStatus) -> Cause + Send + 'static,
) -> io::Result<Channel>
where
    Cause: Future<Output = Option<String>> + Send + 'static,
{
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let missing = || io::Error::other("it has no pipes");
    let stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    let (told, to_tell) = mpsc::channel(TOLD_MAX);
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let closed = Arc::new(watch::Sender::new(false));
    let (ended, has_ended) = watch::channel(None);
    tokio::spawn(tell(stdin, to_tell));
    let is_closed = closed.subscribe();
    tokio::spawn(async move {
        let reason = match follow(&mut child, (stdout, stderr), &ear, &sender, is_closed).await {
            Some(status) => lost(status).await.map(CloseReason::ConnectionLost),
            None => None,
        };
        let reason = reason.unwrap_or(CloseReason::Normal);
        let cause = match &reason {
            CloseReason::ConnectionLost(cause) => cause.as_str(),
            CloseReason::Normal => "its program has ended",
        };
        ended.send_replace(Some(Arc::from(cause)));
        // Nobody may listen any more.
        let _ = sender.send(ChannelEvent::Closed { reason }).await;
    });
    Ok(Channel::of_process(told, events, closed, has_ended))
}

/// Writes until the end is told, or nobody is left to tell anything.
async fn tell(mut stdin: ChildStdin, mut told: mpsc::Receiver<Told>) {
    while let Some(Told::Bytes(bytes)) = told.recv().await {
        if stdin.write_all(&bytes).await.is_err() {
            // It reads no more; its end says the rest.
            return;
        }
    }
}

async fn told_closed(closed: &mut watch::Receiver<bool>) {
    let _ = closed.wait_for(|closed| *closed).await;
}

/// Hands on what the program writes, until it has closed both outputs and ended; none: it was ended by us.
async fn follow(
    child: &mut Child,
    (mut stdout, mut stderr): (ChildStdout, ChildStderr),
    ear: &Ear,
    events: &mpsc::Sender<ChannelEvent>,
    mut closed: watch::Receiver<bool>,
) -> Option<ExitStatus> {
    let (mut out, mut err) = (BytesMut::new(), BytesMut::new());
    let (mut has_out, mut has_err) = (true, true);
    while has_out || has_err {
        out.reserve(READ_MAX);
        err.reserve(READ_MAX);
        ear.waits();
        let event = tokio::select! {
            biased;
            () = told_closed(&mut closed) => {
                let _ = child.kill().await;
                return None;
            }
            read = stdout.read_buf(&mut out), if has_out => {
                has_out = matches!(read, Ok(1..));
                ChannelEvent::Stdout(out.split().freeze())
            }
            read = stderr.read_buf(&mut err), if has_err => {
                has_err = matches!(read, Ok(1..));
                ChannelEvent::Stderr(err.split().freeze())
            }
        };
        let is_empty =
            matches!(&event, ChannelEvent::Stdout(bytes) | ChannelEvent::Stderr(bytes) if bytes.is_empty());
        if is_empty {
            continue;
        }
        ear.hears();
        tokio::select! {
            biased;
            () = told_closed(&mut closed) => {
                let _ = child.kill().await;
                return None;
            }
            sent = events.send(event) => {
                if sent.is_err() {
                    let _ = child.kill().await;
                    return None;
                }
            }
        }
    }
    let _ = events.send(ChannelEvent::Eof).await;
    let status = tokio::select! {
        biased;
        () = told_closed(&mut closed) => {
            let _ = child.kill().await;
            return None;
        }
        status = child.wait() => status.ok()?,
    };
    let said = match (status.code(), status.signal()) {
        (Some(code), _) => ChannelEvent::ExitStatus(u32::try_from(code).unwrap_or_default()),
        (None, signal) => ChannelEvent::ExitSignal {
            name: signal.unwrap_or_default().to_string(),
            core_dumped: false,
        },
    };
    let _ = events.send(said).await;
    Some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing_lost(_: ExitStatus) -> std::future::Ready<Option<String>> {
        std::future::ready(None)
    }

    /// What is told comes back, all of it, and the end is told in order.
    #[tokio::test]
    async fn told_and_heard() {
        let mut channel = start(Command::new("cat"), Ear::default(), nothing_lost).expect("it starts");
        let writer = channel.writer();
        let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let told = Bytes::from(bytes.clone());
        tokio::spawn(async move {
            writer.write(told).await.expect("it reads");
            writer.eof().await.expect("it reads");
        });
        let mut heard = Vec::new();
        let mut rest = Vec::new();
        while let Some(event) = channel.next().await {
            match event {
                ChannelEvent::Stdout(bytes) => heard.extend(bytes),
                event => rest.push(event),
            }
        }
        assert!(heard == bytes, "{} bytes", heard.len());
        let reason = CloseReason::Normal;
        let wanted = [
            ChannelEvent::Eof,
            ChannelEvent::ExitStatus(0),
            ChannelEvent::Closed { reason },
        ];
        assert_eq!(rest, wanted);
    }

    /// Whoever closes it ends its program, and waits for nobody.
    #[tokio::test]
    async fn closed() {
        let mut sleep = Command::new("sleep");
        sleep.arg("1000");
        let mut channel = start(sleep, Ear::default(), nothing_lost).expect("it starts");
        let writer = channel.writer();
        writer.close().await.expect("it is open");
        let reason = CloseReason::Normal;
        assert_eq!(channel.next().await, Some(ChannelEvent::Closed { reason }));
        assert_eq!(channel.next().await, None);
        assert!(writer.write(Bytes::from_static(b"x")).await.is_err());
    }

    /// Where what it needs is gone, its end says so.
    #[tokio::test]
    async fn lost() {
        let mut failing = Command::new("sh");
        failing.args(["-c", "echo words >&2; exit 255"]);
        let lost = |status: ExitStatus| {
            std::future::ready((status.code() == Some(255)).then(|| "the cause".to_owned()))
        };
        let mut channel = start(failing, Ear::default(), lost).expect("it starts");
        let mut heard = Vec::new();
        while let Some(event) = channel.next().await {
            heard.push(event);
        }
        let reason = CloseReason::ConnectionLost("the cause".into());
        assert_eq!(heard.last(), Some(&ChannelEvent::Closed { reason }));
        assert!(heard.contains(&ChannelEvent::Stderr(Bytes::from_static(b"words\n"))));
        let fault = channel
            .writer()
            .write(Bytes::from_static(b"x"))
            .await
            .expect_err("it is gone");
        assert_eq!(fault.reason, sshmcp_proto::v1::Reason::ConnectionLost);
    }
}
