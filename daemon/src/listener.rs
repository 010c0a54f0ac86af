//! The socket: bound by us or handed over by the service manager, ours alone, and gone when we are. What comes in on it
//! is for `admission`.

mod admission;
mod handed;
mod instance;
mod seats;

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::{UnixListener as StdListener, UnixStream as StdStream},
    },
    path::Path,
};

use sshmcp_proto::{endpoint::Socket, error::Fault, v1::Reason};
use tokio::net::UnixListener;

pub use admission::{Admission, Connection};
pub use handed::handed_over;
pub use instance::{Instance, Refusal, try_start_lock};
pub use seats::Peer;

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    place: Place,
}

/// Whose the socket's file is, and so who removes it.
#[derive(Debug)]
enum Place {
    /// Bound by us: removed by us, if it is still this file.
    Bound { socket: Socket, device: u64, inode: u64 },
    /// The service manager's, which goes on listening when we end.
    HandedOver,
}

impl Listener {
    /// Takes the service manager's socket, where there is one, or binds ours. Only for the holder of the life lock.
    pub fn open(instance: &Instance, handed: Option<StdListener>) -> Result<Self, Fault> {
        match handed {
            Some(listener) => Self::take_over(listener, instance.socket().path()),
            None => Self::bind(instance.socket()),
        }
    }

    fn take_over(listener: StdListener, expected: &Path) -> Result<Self, Fault> {
        let address = listener
            .local_addr()
            .map_err(|error| cannot(expected, "taken over", &error))?;
        if address.as_pathname() != Some(expected) {
            return Err(Fault::new(
                Reason::DaemonUnavailable,
                format!(
                    "the service manager handed over {address:?}, but clients look for {}",
                    expected.display()
                ),
            )
            .hint("make ListenStream= in the socket unit (SockPathName in launchd's list) and --socket or SSHMCP_SOCKET the same path"));
        }
        let listener = fs::set_permissions(expected, fs::Permissions::from_mode(0o600))
            .and_then(|()| into_tokio(listener))
            .map_err(|error| cannot(expected, "taken over", &error))?;
        Ok(Self {
            listener,
            place: Place::HandedOver,
        })
    }

    fn bind(socket: &Socket) -> Result<Self, Fault> {
        let path = socket.path();
        clear(path)?;
        let bound = (|| {
            let listener = StdListener::bind(path)?;
            // The umask did most of it; the directory is private besides.
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            let found = fs::symlink_metadata(path)?;
            Ok((into_tokio(listener)?, found.dev(), found.ino()))
        })();
        let (listener, device, inode) = bound.map_err(|error| cannot(path, "bound", &error))?;
        Ok(Self {
            listener,
            place: Place::Bound {
                socket: socket.clone(),
                device,
                inode,
            },
        })
    }

    /// Splits into what accepts, and what removes the socket.
    pub fn split(self) -> (UnixListener, Trace) {
        (self.listener, Trace(self.place))
    }
}

/// What is left in the file system when the listener is closed.
#[derive(Debug)]
pub struct Trace(Place);

impl Trace {
    /// Removes the socket if it is still the one that we bound.
    pub fn remove(self) {
        let Place::Bound {
            socket,
            device,
            inode,
        } = self.0
        else {
            return;
        };
        let is_ours = fs::symlink_metadata(socket.path())
            .is_ok_and(|found| (found.dev(), found.ino()) == (device, inode));
        if is_ours && let Err(error) = fs::remove_file(socket.path()) {
            tracing::warn!(%error, "the socket could not be removed");
        }
    }
}

/// Removes a socket that nobody serves; refuses anything else in its place.
fn clear(path: &Path) -> Result<(), Fault> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot(path, "looked at", &error)),
    };
    if !found.file_type().is_socket() {
        return Err(Fault::new(
            Reason::DaemonUnavailable,
            format!("{} is there and is not a socket", path.display()),
        )
        .hint(format!(
            "move it away if it is not needed: `mv {0} {0}.old`",
            path.display()
        )));
    }
    match StdStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| cannot(path, "removed", &error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot(path, "looked at", &error)),
        Ok(_) => Err(Fault::new(
            Reason::DaemonUnavailable,
            format!("another program accepts connections on {}", path.display()),
        )
        .hint(
            "if it is the socket unit of the service manager, use `systemctl --user start sshmcpd.service`; \
             else name another socket by SSHMCP_SOCKET",
        )),
    }
}

fn into_tokio(listener: StdListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

fn cannot(path: &Path, verb: &str, error: &io::Error) -> Fault {
    Fault::new(
        Reason::DaemonUnavailable,
        format!("the socket {} could not be {verb}: {error}", path.display()),
    )
    .hint("mend that, or name another socket by SSHMCP_SOCKET")
}
