//! Where things are: the daemon's socket, its configuration and its state. The only place that knows; opens nothing.

mod directory;

use std::{
    env,
    ffi::OsString,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use directories::{BaseDirs, ProjectDirs};

pub use directory::{private_directory, private_state};

use crate::{error::Fault, v1::Reason};

/// Names the socket; the `--socket` flag goes before it.
pub const SOCKET_VARIABLE: &str = "SSHMCP_SOCKET";
/// Names the configuration file; the `--config` flag goes before it.
pub const CONFIG_VARIABLE: &str = "SSHMCP_CONFIG";
/// Names the state directory; the daemon's `--state-dir` flag goes before it.
pub const STATE_VARIABLE: &str = "SSHMCP_STATE_DIR";
/// What the daemon logs, as a `tracing` filter: `debug`, or `info,russh=debug`.
pub const LOG_VARIABLE: &str = "SSHMCP_LOG";
/// Names the daemon's executable, where it is neither beside the client's nor in PATH.
pub const DAEMON_VARIABLE: &str = "SSHMCP_DAEMON";

/// Longest path of a socket in bytes: the shorter of what macOS (104) and Linux (108) have room for, less the NUL.
pub const SOCKET_PATH_MAX: usize = 103;

/// The default socket below HOME, the same on every system. The service units spell it out too (`%h/…`).
pub const SOCKET_BELOW_HOME: &str = ".local/state/sshmcp/sshmcpd.sock";

/// Tells this machine from another that has the same homes.
const MACHINE_ID: &str = "/etc/machine-id";

/// The daemon's address, and the lock files beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    path: PathBuf,
    origin: Origin,
}

/// Who chose the socket's directory; decides how strictly it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A flag or variable named it: a directory that was there before is not changed.
    Named,
    /// Below HOME: a directory of ours that is too open is tightened.
    Home,
    /// Below /tmp, where others may have been first: must be ours as a whole.
    Temporary,
}

impl Socket {
    /// The socket that a flag, `SSHMCP_SOCKET` or else HOME names. Never looks at XDG variables, because a client that
    /// was started with HOME and PATH alone must meet the same daemon as one with a full environment.
    pub fn find(flag: Option<&Path>) -> Result<Self, Fault> {
        let named = flag.map(Path::to_owned).or_else(|| variable(SOCKET_VARIABLE));
        match named {
            Some(path) => Self::named(&path),
            None => Self::below_home(&home()?, rustix::process::geteuid().as_raw()),
        }
    }

    fn named(path: &Path) -> Result<Self, Fault> {
        let path = absolute(path)?;
        if path.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(Fault::new(
                Reason::InvalidArgument,
                format!(
                    "the socket path {} has {} bytes, more than the {SOCKET_PATH_MAX} that a socket may have",
                    path.display(),
                    path.as_os_str().len()
                ),
            )
            .hint(format!("name a shorter path by --socket or {SOCKET_VARIABLE}")));
        }
        if path.file_name().is_none() {
            return Err(Fault::new(
                Reason::InvalidArgument,
                format!("{} is not the path of a socket", path.display()),
            ));
        }
        Ok(Self {
            path,
            origin: Origin::Named,
        })
    }

    fn below_home(home: &Path, uid: u32) -> Result<Self, Fault> {
        if !home.is_absolute() {
            return Err(Fault::new(
                Reason::DaemonUnavailable,
                format!("HOME is {home:?}, which is not an absolute path"),
            )
            .hint(format!("set HOME, or name the socket by {SOCKET_VARIABLE}")));
        }
        let path = home.join(SOCKET_BELOW_HOME);
        if path.as_os_str().len() <= SOCKET_PATH_MAX {
            return Ok(Self {
                path,
                origin: Origin::Home,
            });
        }
        // Two homes of one user must not share a daemon, so the home is part of the name. Not TMPDIR: it may differ
        // between two clients.
        let hash = fnv1a(home.as_os_str().as_bytes());
        Ok(Self {
            path: PathBuf::from(format!("/tmp/sshmcp-{uid}-{hash:016x}/sshmcpd.sock")),
            origin: Origin::Temporary,
        })
    }

    /// The socket's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Held by a client while it starts a daemon, and by a daemon while it leaves for want of work.
    pub fn start_lock(&self) -> PathBuf {
        self.beside(".start")
    }

    /// Held by the daemon for life; holds its process id as text. Only its holder removes the socket.
    pub fn life_lock(&self) -> PathBuf {
        self.beside(".lock")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// Makes the directory of the socket if it is missing, and refuses one in which others could replace the socket.
    pub fn prepare_directory(&self) -> Result<(), Fault> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        match self.origin {
            Origin::Named => directory::named(directory),
            Origin::Home => directory::private_directory(directory),
            Origin::Temporary => directory::below_tmp(directory),
        }
    }
}

/// Where the configuration and the state are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The configuration file, whether it is there or not.
    pub config: PathBuf,
    /// The state directory: spool, audit, the daemon's own log.
    pub state: PathBuf,
    /// The directory of the sessions' transcripts, inside the state directory.
    pub logs: PathBuf,
}

impl Paths {
    /// The places that flags, `SSHMCP_CONFIG` and `SSHMCP_STATE_DIR`, or else the system's custom name.
    pub fn find(config: Option<&Path>, state: Option<&Path>) -> Result<Self, Fault> {
        let config = config.map(Path::to_owned).or_else(|| variable(CONFIG_VARIABLE));
        let state = state.map(Path::to_owned).or_else(|| variable(STATE_VARIABLE));
        let config = match config {
            Some(path) => absolute(&path)?,
            None => project()?.config_dir().join("config.toml"),
        };
        let state = match state {
            Some(path) => absolute(&path)?,
            None => {
                let project = project()?;
                // macOS has no directory for state of its own; local data is the nearest.
                let place = project.state_dir().unwrap_or_else(|| project.data_local_dir());
                place.to_owned()
            }
        };
        let logs = state.join("logs");
        Ok(Self { config, state, logs })
    }

    /// Where what kept sessions are found by is, if the state directory is lost; none: there is no place but that. Another
    /// machine with the same home has another.
    pub fn anchor(state: &Path) -> Option<PathBuf> {
        let project = project().ok()?;
        let data = project.data_local_dir();
        let machine = std::fs::read(MACHINE_ID).unwrap_or_default();
        let name = fnv1a(&[machine.as_slice(), b"\n", state.as_os_str().as_bytes()].concat());
        (!state.starts_with(data)).then(|| data.join(format!("{name:016x}")))
    }
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value: &OsString| !value.is_empty())
        .map(PathBuf::from)
}

/// HOME, or the home in the user database where HOME is unset or empty.
/// The home directory: HOME, or what the user database says.
pub fn home() -> Result<PathBuf, Fault> {
    BaseDirs::new()
        .map(|dirs| dirs.home_dir().to_owned())
        .ok_or_else(no_home)
}

fn project() -> Result<ProjectDirs, Fault> {
    ProjectDirs::from("", "", "sshmcp").ok_or_else(no_home)
}

fn no_home() -> Fault {
    Fault::new(
        Reason::DaemonUnavailable,
        "HOME is not set and the user database names no home directory",
    )
    .hint(format!(
        "set HOME, or name the places by {SOCKET_VARIABLE}, {CONFIG_VARIABLE} and {STATE_VARIABLE}"
    ))
}

/// The path made absolute, because the daemon's current directory is `/`.
pub fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    std::path::absolute(path).map_err(|error| {
        Fault::new(
            Reason::InvalidArgument,
            format!("{path:?} cannot be made an absolute path: {error}"),
        )
    })
}

/// FNV-1a: a name that stays the same over versions and builds; nothing rests on its strength.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The default hangs on HOME alone, and falls back to a short path before the limit of any system.
    #[test]
    fn default_sockets() {
        let table = [
            (
                "/home/a",
                Some("/home/a/.local/state/sshmcp/sshmcpd.sock"),
                Origin::Home,
            ),
            ("/", Some("/.local/state/sshmcp/sshmcpd.sock"), Origin::Home),
            (&*format!("/{}", "x".repeat(69)), None, Origin::Home),
            (&*format!("/{}", "x".repeat(70)), None, Origin::Temporary),
            (&*format!("/{}", "é".repeat(200)), None, Origin::Temporary),
        ];
        for (home, path, origin) in table {
            let socket = Socket::below_home(Path::new(home), 1000).expect(home);
            assert!(socket.path().as_os_str().len() <= SOCKET_PATH_MAX, "{home}");
            assert_eq!(socket.origin, origin, "{home}");
            if let Some(path) = path {
                assert_eq!(socket.path(), Path::new(path));
            }
        }
    }

    /// Two homes of one user, or one path for two users, never meet in /tmp; the name is stable over versions.
    #[test]
    fn short_sockets_are_told_apart() {
        let long = |c: &str| PathBuf::from(format!("/{}", c.repeat(120)));
        let at = |home: &Path, uid| Socket::below_home(home, uid).expect("absolute").path;
        assert_ne!(at(&long("a"), 1), at(&long("b"), 1));
        assert_ne!(at(&long("a"), 1), at(&long("a"), 2));
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    /// A home that is not absolute is told, not guessed.
    #[test]
    fn relative_home_is_refused() {
        for home in ["", "home", "./x"] {
            let fault = Socket::below_home(Path::new(home), 1).expect_err(home);
            assert_eq!(fault.reason, Reason::DaemonUnavailable);
        }
    }

    /// A named socket is taken as it is, made absolute; one that no system could bind is refused.
    #[test]
    fn named_sockets() {
        assert!(
            Socket::named(Path::new("x.sock"))
                .expect("short")
                .path
                .is_absolute()
        );
        let fault = Socket::named(Path::new(&format!("/{}", "x".repeat(103)))).expect_err("too long");
        assert_eq!(fault.reason, Reason::InvalidArgument);
        assert!(Socket::named(Path::new("/")).is_err());
    }

    /// The lock files are beside the socket.
    #[test]
    fn locks_are_beside() {
        let socket = Socket::named(Path::new("/d/s")).expect("short");
        assert_eq!(socket.start_lock(), Path::new("/d/s.start"));
        assert_eq!(socket.life_lock(), Path::new("/d/s.lock"));
    }
}
