//! The demo: a one-time SSH host on loopback, and the main job played on it as an agent would. Touches nothing of the
//! user's: every program involved lives in one temporary directory.

mod agent;
mod channel;
mod server;
mod shell;
mod stage;
mod story;
mod terminal;

use std::fmt;
use std::io;

pub(crate) use shell::{BECOME_SHELL, become_shell};
pub(crate) use stage::Stage;
pub(crate) use story::{Line, Step, Stumble, play};

/// What was not as it should be, for people.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}
