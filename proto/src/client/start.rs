//! Reaching the daemon's socket, and starting a daemon so that of many clients at once exactly one does.
//!
//! Connect; take the start lock; connect again under it; spawn with a readiness pipe; wait; unlock. Only the daemon
//! removes a stale socket, under its own lock.

use std::{
    env, fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::UnixStream,
    process::Command,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{ConnectOptions, check_peer};
use crate::{
    endpoint::{DAEMON_VARIABLE, Socket},
    error::Fault,
    v1::Reason,
};

/// What a starting daemon writes when its socket accepts connections; anything else is a sentence of what failed.
pub const READY: &str = "ready";
/// What it writes each time it has waited a while for a predecessor that is still ending.
pub const WAITING: &str = "waiting";

/// Longest silence of a daemon that starts: opening a socket takes milliseconds, a loaded machine a second.
const START_SILENCE: Duration = Duration::from_secs(5);
/// Longest wait for a daemon altogether, by this client's hand or another's; covers a predecessor's good order.
const START_TIME: Duration = Duration::from_secs(20);
/// Between two looks at what others hold for a moment, the start lock above all: about what a daemon needs to start.
const PAUSE: Duration = Duration::from_millis(10);
/// A plain connect is answered by the kernel; only a full backlog makes it wait.
const PROBE_TIME: Duration = Duration::from_secs(2);
/// Longest line taken from a daemon that starts.
const LINE_MAX: u64 = 4096; // bytes

/// Makes sure that somebody of ours accepts connections on the socket.
pub(super) async fn reach(socket: &Socket, options: &ConnectOptions) -> Result<(), Fault> {
    let give_up = Instant::now() + START_TIME;
    let mut prepared = false;
    loop {
        match probe(socket).await {
            Ok(_) => return Ok(()),
            Err(error) if !options.start || !nobody_serves(&error) => {
                return Err(unreachable(socket, &error));
            }
            Err(_) => {}
        }
        if !prepared {
            socket.prepare_directory()?;
            prepared = true;
        }
        if let Some(_lock) = try_lock(&socket.start_lock())? {
            // Somebody may have started it between our look and our lock.
            if probe(socket).await.is_ok() {
                return Ok(());
            }
            return spawn(socket, options, give_up).await;
        }
        if Instant::now() >= give_up {
            return Err(failed(&format!(
                "another client has been starting it for {} seconds",
                START_TIME.as_secs()
            )));
        }
        sleep(PAUSE).await;
    }
}

/// A plain connect, bounded in time, that also checks who serves.
pub(super) async fn probe(socket: &Socket) -> io::Result<UnixStream> {
    let connect = async {
        loop {
            match UnixStream::connect(socket.path()).await {
                // The backlog is full: many come at once.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    };
    let stream = timeout(PROBE_TIME, connect)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    check_peer(&stream, rustix::process::geteuid().as_raw())?;
    Ok(stream)
}

/// True if the error means that there is no daemon, as against one that we must not or cannot talk to. A file that
/// is no socket counts too: the daemon refuses it with words.
fn nobody_serves(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
    )
}

/// The lock if nobody has it. It ends with the file, so no crash leaves it behind.
fn try_lock(path: &Path) -> Result<Option<fs::File>, Fault> {
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(|error| {
            failed(&format!(
                "the lock {} could not be opened: {error}",
                path.display()
            ))
        })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
        Err(error) => Err(failed(&format!(
            "the lock {} could not be taken: {error}",
            path.display()
        ))),
    }
}

/// Starts a daemon that outlives us, and waits until it accepts connections.
async fn spawn(socket: &Socket, options: &ConnectOptions, give_up: Instant) -> Result<(), Fault> {
    let program = options.daemon.clone().unwrap_or_else(daemon_program);
    let mut command = Command::new(&program);
    command.arg("--detach").arg("--socket").arg(socket.path());
    if let Some(config) = &options.config {
        command.arg("--config").arg(crate::endpoint::absolute(config)?);
    }
    let mut child = command
        .current_dir("/")
        // These belong to whoever started us; a daemon that took them over would answer for us.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("LISTEN_FDS")
        .env_remove("LISTEN_PID")
        .env_remove("WATCHDOG_USEC")
        .env_remove("WATCHDOG_PID")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            failed(&format!("{} could not be run: {error}", program.display())).hint(format!(
                "install sshmcpd beside this program or in PATH, or name it by {DAEMON_VARIABLE}"
            ))
        })?;
    let Some(pipe) = child.stdout.take() else {
        return Err(failed("its readiness pipe is missing"));
    };
    let verdict = await_ready(BufReader::new(pipe), give_up).await;
    // The process that we started only starts the daemon itself, so that this one is no child of ours; it ends at
    // once. Where it does not, the runtime reaps it later.
    let _ended = timeout(START_SILENCE, child.wait()).await;
    verdict
}

/// Reads the daemon's lines until it is ready, gives up, or falls silent.
async fn await_ready(
    mut pipe: BufReader<tokio::process::ChildStdout>,
    give_up: Instant,
) -> Result<(), Fault> {
    loop {
        let until = give_up.min(Instant::now() + START_SILENCE);
        let mut line = String::new();
        let mut limited = (&mut pipe).take(LINE_MAX);
        match timeout_at(until, limited.read_line(&mut line)).await {
            Err(_) => return Err(failed("it did not get ready in time").retryable()),
            Ok(Err(error)) => return Err(failed(&format!("its readiness pipe broke: {error}"))),
            Ok(Ok(0)) => return Err(failed("it ended before it was ready")),
            Ok(Ok(_)) => {}
        }
        match line.trim_end() {
            READY => return Ok(()),
            WAITING => {}
            sentence => return Err(failed(sentence)),
        }
    }
}

/// The daemon's executable: as named, else beside ours, else in PATH.
pub fn daemon_program() -> PathBuf {
    if let Some(named) = env::var_os(DAEMON_VARIABLE).filter(|named| !named.is_empty()) {
        return named.into();
    }
    env::current_exe()
        .ok()
        .and_then(|own| own.canonicalize().ok())
        .map(|own| own.with_file_name("sshmcpd"))
        .filter(|beside| beside.is_file())
        .unwrap_or_else(|| PathBuf::from("sshmcpd"))
}

fn failed(cause: &str) -> Fault {
    Fault::new(
        Reason::DaemonUnavailable,
        format!("the daemon could not be started: {cause}"),
    )
    .hint("run `sshmcpd` in a terminal to see what keeps it from starting")
}

fn unreachable(socket: &Socket, error: &io::Error) -> Fault {
    let place = socket.path().display();
    if nobody_serves(error) {
        return Fault::new(
            Reason::DaemonUnavailable,
            format!("no daemon is running on {place}"),
        )
        .hint("start it with `sshctl daemon start`");
    }
    let hint = if error.kind() == io::ErrorKind::PermissionDenied {
        "remove the socket if it is not yours to use, or name another by SSHMCP_SOCKET"
    } else {
        "look at `sshctl daemon status`; if it hangs, `sshctl daemon restart`"
    };
    Fault::new(
        Reason::DaemonUnavailable,
        format!("the daemon on {place} could not be reached: {error}"),
    )
    .hint(hint)
    .retryable()
}
