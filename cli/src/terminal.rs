//! The person's own terminal: its size, questions asked on it, secrets typed without being shown. Never a pipe.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Failure;

/// What is assumed where nobody tells: the classic terminal.
const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// Longest answer to a question; more is nobody's password.
const MAX_ANSWER: usize = 64 * 1024;

/// Columns and rows of the terminal on stdout.
pub(crate) fn size() -> (u16, u16) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => DEFAULT_SIZE,
    }
}

/// Columns and rows if stdout is a terminal, for sessions that a call opens.
pub(crate) fn size_if_terminal() -> Option<(u32, u32)> {
    isatty(io::stdout())
        .then(size)
        .map(|(cols, rows)| (u32::from(cols), u32::from(rows)))
}

/// Asks a question on the terminal, whatever stdin and stdout are.
pub(crate) async fn ask(question: &str) -> Result<String, Failure> {
    let mut ends = Ends::new()?;
    let mut tty = open()?;
    tty.write_all(question.as_bytes())?;
    read_line(tty, &mut ends).await
}

/// Asks for a secret on the terminal; what is typed is not shown, and the terminal is as before however this ends.
pub(crate) async fn ask_secret(question: &str) -> Result<String, Failure> {
    // Before anything changes: a signal that comes at once must find us ready to change it back.
    let mut ends = Ends::new()?;
    let mut tty = open()?;
    let echo = EchoOff::new(tty.try_clone()?)?;
    tty.write_all(question.as_bytes())?;
    let answer = read_line(tty, &mut ends).await;
    drop(echo);
    answer
}

fn open() -> Result<File, Failure> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|_| {
            Failure::Fault(
                Fault::new(Reason::InvalidArgument, "there is no terminal to ask a person on")
                    .hint("run this in a terminal"),
            )
        })
}

/// The signals by which a person or the system ends a program while it has their terminal.
pub(crate) struct Ends([Signal; 4]);

impl Ends {
    /// From here on they no longer end the process.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::quit())?,
        ]))
    }

    /// The next of them.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hangup, quit] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

/// Reads a line in a thread, so that a signal can end the wait in good order.
async fn read_line(tty: File, ends: &mut Ends) -> Result<String, Failure> {
    let reading = tokio::task::spawn_blocking(move || line_of(tty));
    tokio::select! {
        line = reading => Ok(line.map_err(io::Error::other)??),
        () = ends.next() => Err(Failure::Cancelled),
    }
}

fn line_of(mut tty: File) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0_u8; 1];
    while line.len() < MAX_ANSWER && tty.read(&mut byte)? == 1 && byte != *b"\n" {
        line.extend_from_slice(&byte);
    }
    String::from_utf8(line).map_err(|_| io::Error::other("what was typed is no UTF-8"))
}

/// A terminal that does not show what is typed, until this is dropped.
struct EchoOff {
    tty: File,
    before: Termios,
}

impl EchoOff {
    fn new(tty: File) -> io::Result<Self> {
        let before = tcgetattr(&tty)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        // What was typed before the question is no answer to it.
        tcsetattr(&tty, OptionalActions::Flush, &silent)?;
        Ok(Self { tty, before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(&self.tty, OptionalActions::Flush, &self.before);
    }
}

/// A terminal that passes every key on as it is typed, until this is dropped.
pub(crate) struct Raw {
    before: Termios,
}

impl Raw {
    /// The terminal on stdin.
    pub(crate) fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // What was typed for the session is no input of the next program; a terminal that is gone needs no restoring.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}
