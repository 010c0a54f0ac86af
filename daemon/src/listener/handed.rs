//! The socket that a service manager listens on for us: systemd's by the environment (sd_listen_fds(3)), launchd's by asking
//! it. Says nothing of whether it is the right one.

use std::{io, os::unix::net::UnixListener};

/// What the socket is called in `launchd/org.sshmcp.sshmcpd.plist`.
const LAUNCHD_NAME: &std::ffi::CStr = c"Listener";

/// The socket; none: nobody listens for us. It is handed over once in a process's life.
pub fn handed_over() -> io::Result<Option<UnixListener>> {
    let by_environment = listenfd::ListenFd::from_env().take_unix_listener(0)?;
    if by_environment.is_some() {
        return Ok(by_environment);
    }
    let by_launchd = sshmcp_launchd::sockets(LAUNCHD_NAME)?;
    Ok(by_launchd.into_iter().next().map(UnixListener::from))
}
