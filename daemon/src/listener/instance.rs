//! One daemon to a socket: the life lock. A lock ends with its process, so no crash leaves one behind.

use std::{
    fs,
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};
use sshmcp_proto::{endpoint::Socket, error::Fault, v1::Reason};
use tokio::{
    net::UnixStream,
    time::{Instant, sleep, timeout},
};

/// Longest wait for a predecessor that has given up its socket but not its life: its own end is bounded below this.
const PREDECESSOR_TIME: Duration = Duration::from_secs(15);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two signs of life to whoever waits for us; well below the silence that they bear.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// A plain connect is answered by the kernel; only a full backlog makes it wait.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// The right to the socket, held until dropped.
#[derive(Debug)]
pub struct Instance {
    _lock: fs::File,
    socket: Socket,
}

/// Why there is no right to the socket.
#[derive(Debug)]
pub enum Refusal {
    /// A daemon serves on it already.
    Serving(Fault),
    /// Anything else.
    Failed(Fault),
}

impl Instance {
    /// Takes the socket for this process. Waits for a predecessor that is ending, calling `waiting` now and then.
    ///
    /// A socket that a service manager has handed over says nothing of a predecessor: it accepts connections all the time.
    pub async fn claim(
        socket: Socket,
        is_handed_over: bool,
        mut waiting: impl FnMut(),
    ) -> Result<Self, Refusal> {
        socket.prepare_directory().map_err(Refusal::Failed)?;
        let path = socket.life_lock();
        let mut lock = open(&path).map_err(|error| Refusal::Failed(cannot(&path, &error)))?;
        let begun = Instant::now();
        let mut signed = begun;
        while !try_lock(&lock).map_err(|error| Refusal::Failed(cannot(&path, &error)))? {
            let holder = holder(&mut lock);
            if !is_handed_over
                && matches!(
                    timeout(PROBE_TIME, UnixStream::connect(socket.path())).await,
                    Ok(Ok(_))
                )
            {
                return Err(Refusal::Serving(serving(&socket, &holder)));
            }
            if begun.elapsed() >= PREDECESSOR_TIME {
                return Err(if is_handed_over {
                    Refusal::Serving(serving(&socket, &holder))
                } else {
                    Refusal::Failed(ending(&socket, &holder))
                });
            }
            if signed.elapsed() >= SIGN_OF_LIFE {
                signed = Instant::now();
                waiting();
            }
            sleep(PAUSE).await;
        }
        // For people and messages only; the lock is what counts.
        let written = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(|error| Refusal::Failed(cannot(&path, &error)))?;
        Ok(Self { _lock: lock, socket })
    }

    /// The socket.
    pub const fn socket(&self) -> &Socket {
        &self.socket
    }
}

/// The lock under which clients start daemons, if nobody has it; while we hold it none is started.
pub fn try_start_lock(socket: &Socket) -> io::Result<Option<fs::File>> {
    let file = open(&socket.start_lock())?;
    Ok(try_lock(&file)?.then_some(file))
}

fn open(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

fn try_lock(file: &fs::File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The holder's process id, as far as it has written it.
fn holder(lock: &mut fs::File) -> String {
    let mut text = String::new();
    let read = lock
        .rewind()
        .and_then(|()| lock.take(20).read_to_string(&mut text));
    match read.ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

fn serving(socket: &Socket, holder: &str) -> Fault {
    Fault::new(
        Reason::DaemonUnavailable,
        format!(
            "a daemon is running on {} already ({holder})",
            socket.path().display()
        ),
    )
    .hint("use it, or end it with `sshctl daemon stop`")
}

fn ending(socket: &Socket, holder: &str) -> Fault {
    Fault::new(
        Reason::DaemonUnavailable,
        format!(
            "{holder} holds {} without serving, and did not end within {} seconds",
            socket.life_lock().display(),
            PREDECESSOR_TIME.as_secs()
        ),
    )
    .hint("end that process, then start the daemon again")
}

fn cannot(path: &Path, error: &io::Error) -> Fault {
    Fault::new(
        Reason::DaemonUnavailable,
        format!("the lock {} could not be taken: {error}", path.display()),
    )
    .hint("mend that, or name another socket by SSHMCP_SOCKET")
}
