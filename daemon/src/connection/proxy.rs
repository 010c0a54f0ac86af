//! A byte stream that is a program's input and output: ssh_config's ProxyCommand, run as OpenSSH does.

use std::{
    io,
    pin::Pin,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::watch,
    time::timeout,
};

use super::{
    identity::find_agent,
    words::{place, plain},
};
use crate::host::Target;

/// The end of what a program complains is kept: its last line says why it ended.
const SAID_MAX: usize = 2 << 10; // 2 KiB

/// A program whose input has ended may end by itself before it is asked to.
const ENDING: Duration = Duration::from_millis(500);
/// The last words of a program that has ended are waited for, unless a child of its keeps them open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the program wrote to its stderr last.
#[derive(Clone)]
pub(super) struct Said {
    text: Arc<Mutex<Vec<u8>>>,
    /// Its sender goes when there is no more to come.
    ended: watch::Receiver<()>,
}

impl Said {
    /// A failure of what ran over the program, which is gone by now, in its words too.
    pub(super) async fn with(mut self, mut fault: Fault) -> Fault {
        let _ = timeout(LAST_WORDS, self.ended.changed()).await;
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        fault.message += &last.map_or_else(
            || " (it is reached by ssh_config's ProxyCommand)".to_owned(),
            |line| format!(" (ssh_config's ProxyCommand says: {})", plain(line)),
        );
        if fault.reason == Reason::Unreachable {
            "run the ProxyCommand of ssh_config by hand to see what is wrong with it"
                .clone_into(&mut fault.hint);
        }
        fault
    }
}

/// A program that is the way to a host. It is ended with the stream.
pub(super) struct Proxy {
    stdin: ChildStdin,
    stdout: ChildStdout,
    child: Option<Child>,
    pub(super) said: Said,
}

/// Starts it: the user's shell, in whose place the command runs.
pub(super) fn start(target: &Target, command: &str) -> Result<Proxy, Fault> {
    let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    let mut program = Command::new(shell.unwrap_or_else(|| "/bin/sh".into()));
    // As OpenSSH: no process is left between us and it.
    let line = if command.starts_with("exec ") {
        command.to_owned()
    } else {
        format!("exec {command}")
    };
    program.arg("-c").arg(line);
    if std::env::var_os("SSH_AUTH_SOCK").is_none()
        && let Some(agent) = find_agent()
    {
        program.env("SSH_AUTH_SOCK", agent);
    }
    let spawned = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What it starts in its turn ends with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let taken = spawned.and_then(|mut child| {
        let missing = || io::Error::other("it has no pipes");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        Ok((child, stdin, stdout, stderr))
    });
    let (child, stdin, stdout, stderr) = taken.map_err(|error| {
        Fault::new(
            Reason::Unreachable,
            format!(
                "ssh_config's ProxyCommand to {} cannot be started: {error}",
                place(target)
            ),
        )
        .hint("look at ProxyCommand in ssh_config and at SHELL in the daemon's environment")
    })?;
    let text = Arc::new(Mutex::default());
    let (end, ended) = watch::channel(());
    tokio::spawn(listen(stderr, text.clone(), end));
    let said = Said { text, ended };
    Ok(Proxy {
        stdin,
        stdout,
        child: Some(child),
        said,
    })
}

/// Reads to the end: a full pipe would stop the program.
async fn listen(mut stderr: ChildStderr, text: Arc<Mutex<Vec<u8>>>, _end: watch::Sender<()>) {
    let mut bytes = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut bytes).await {
        let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(bytes.get(..read).unwrap_or_default());
        let over = text.len().saturating_sub(SAID_MAX);
        text.drain(..over);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Without a runtime the daemon is ending, and it is killed as it is dropped.
        if let (Some(child), Ok(runtime)) = (self.child.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(end(child));
        }
    }
}

/// Its input and output are closed: most programs end of that. Others are asked to, then killed.
async fn end(mut child: Child) {
    for signal in [Signal::HUP, Signal::KILL] {
        if timeout(ENDING, child.wait()).await.is_ok() {
            return;
        }
        // None: it has ended, and its number may be another's.
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            let _ = kill_process_group(group, signal);
        }
    }
    let _ = child.wait().await;
}

impl AsyncRead for Proxy {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(context, buffer)
    }
}

impl AsyncWrite for Proxy {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(context)
    }
}
