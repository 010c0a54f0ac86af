//! A pseudo-terminal: the master for us, the slave for a shell. Knows nothing of SSH.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, FdFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Our side of a pseudo-terminal; clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Master(Arc<AsyncFd<OwnedFd>>);

/// Opens a pseudo-terminal of this size; the second is the shell's side.
#[expect(
    deprecated,
    reason = "its successor is unsafe for the sake of types that lie about their descriptor; `OwnedFd` does not"
)]
pub(super) fn open(cols: u32, rows: u32) -> io::Result<(Master, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&master, FdFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name, flags, Mode::empty())?;
    rustix::io::ioctl_fionbio(&master, true)?;
    let master = Master(Arc::new(AsyncFd::new(master)?));
    master.resize(cols, rows)?;
    Ok((master, slave))
}

impl Master {
    /// Tells the shell's side its new size.
    pub(super) fn resize(&self, cols: u32, rows: u32) -> io::Result<()> {
        let side = |length: u32| u16::try_from(length).unwrap_or(u16::MAX).max(1);
        let size = Winsize {
            ws_col: side(cols),
            ws_row: side(rows),
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(tcsetwinsize(self.0.get_ref(), size)?)
    }

    /// What the shell's side wrote; 0 when nobody has that side open any more.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self
            .0
            .async_io(Interest::READABLE, |fd| {
                match rustix::io::read(fd, &mut *buffer) {
                    // How Linux says it; elsewhere it is an ordinary end of file.
                    Err(Errno::IO) => Ok(0),
                    other => Ok(other?),
                }
            })
            .await?;
        Ok(read)
    }

    /// Types.
    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self
                .0
                .async_io(Interest::WRITABLE, |fd| Ok(rustix::io::write(fd, bytes)?))
                .await?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}
