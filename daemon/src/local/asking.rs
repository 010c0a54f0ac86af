//! Who in a pane of this machine reads its terminal, as the kernel tells: nobody is judged by what it says.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use rustix::{
    fs::OFlags,
    termios::{LocalModes, tcgetattr},
};

/// Processes of a pane that are looked at.
const CHILDREN_MAX: usize = 64;

/// Who reads a pane's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Nobody: nobody is asked.
    Nobody,
    /// The client that runs in the pane.
    Client,
    /// A program that it started: a client for a hop, a ProxyCommand.
    Below,
}

/// Who reads the terminal of the pane with this process; none where this machine does not tell.
pub fn reader(pane: u32) -> Option<Reader> {
    let mut open = vec![(pane, 0_u32)];
    let mut is_known = true;
    // A client has few children: jump hosts and proxies.
    for _ in 0..CHILDREN_MAX {
        let Some((pid, depth)) = open.pop() else { break };
        let place = PathBuf::from(format!("/proc/{pid}"));
        match fs::read_to_string(place.join("wchan")) {
            Ok(waits) if waits.contains("wait_woken") || waits.contains("tty_read") => {
                return Some(if depth == 1 { Reader::Client } else { Reader::Below });
            }
            // Whoever is at work waits for nothing; the pane's own program always does.
            Ok(waits) if waits == "0" && pid == pane => is_known = false,
            Ok(_) => {}
            Err(_) => is_known = false,
        }
        let children = fs::read_to_string(place.join(format!("task/{pid}/children"))).unwrap_or_default();
        let children = children.split_ascii_whitespace();
        open.extend(
            children
                .filter_map(|pid| pid.parse::<u32>().ok())
                .map(|pid| (pid, depth.saturating_add(1))),
        );
    }
    is_known.then_some(Reader::Nobody)
}

/// What is typed at the terminal of the pane with this process is certainly not shown there.
pub fn hides_typing(pane: u32) -> bool {
    let terminal = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed())
        .open(format!("/proc/{pane}/fd/0"));
    let modes = terminal
        .ok()
        .and_then(|terminal| tcgetattr(terminal).ok())
        .map(|modes| modes.local_modes);
    modes.is_some_and(|modes| !modes.intersects(LocalModes::ECHO))
}
