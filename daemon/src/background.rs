//! Being a daemon that a client started: no child of the client, no terminal, and one line on stdout that says how the
//! start went. Has no part in what happens after that.

use std::{
    env, fs,
    io::{self, Write as _},
    process::{Command, Stdio},
};

use sshmcp_proto::client::{READY, WAITING};

use crate::service;

/// The flag that asks for a start in the background.
pub const DETACH_FLAG: &str = "--detach";
/// The flag of the process that `--detach` starts.
pub const BACKGROUND_FLAG: &str = "--background";

/// Runs this program again with the same arguments and ends, so that the daemon is no child of the client: clients are
/// often killed with all their descendants, and would have to reap it.
pub fn detach() -> io::Result<()> {
    let arguments = env::args_os().skip(1).filter(|argument| argument != DETACH_FLAG);
    Command::new(env::current_exe()?)
        .arg(BACKGROUND_FLAG)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .map(drop)
}

/// Where the start is reported.
#[derive(Debug)]
pub enum Readiness {
    /// Started in the background: on stdout, which is then given up.
    Stdout,
    /// Started in the foreground: to the service manager if there is one.
    Notify,
}

impl Readiness {
    /// Leaves the client's terminal and directory, if we are in the background.
    pub fn enter(background: bool) -> io::Result<Self> {
        if !background {
            return Ok(Self::Notify);
        }
        // Fails only if we lead a group already, and then nothing is lost.
        let _led = rustix::process::setsid();
        env::set_current_dir("/")?;
        Ok(Self::Stdout)
    }

    /// A predecessor is still ending; the client shall be patient.
    pub fn waiting(&self) {
        self.say(WAITING);
    }

    /// The socket accepts connections.
    pub fn ready(&self) {
        match self {
            Self::Stdout => {
                self.say(READY);
                if let Err(error) = close_output() {
                    tracing::warn!(%error, "stdout and stderr stay open");
                }
            }
            Self::Notify => service::ready(),
        }
    }

    /// It did not work; the client shows the sentence.
    pub fn failed(&self, sentence: &str) {
        self.say(&sentence.replace('\n', " "));
    }

    fn say(&self, line: &str) {
        if matches!(self, Self::Stdout) {
            // A client that is gone does not need it.
            let mut stdout = io::stdout();
            let _gone = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        }
    }
}

/// Whoever reads our output sees its end, and nothing that is written later can block or fail.
fn close_output() -> io::Result<()> {
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
