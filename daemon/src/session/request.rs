//! What can be asked of a session, by whom, and what comes back of a signal.

use std::time::Duration;

use sshmcp_proto::error::Fault;
use tokio::sync::oneshot;

use super::{Run, Shown};
use crate::{id::CommandId, shell::front::Foreground, terminal::screen::Painting};

/// What can be asked of a session.
pub(crate) enum Request {
    /// Makes sure that there is a shell.
    Open(Caller, oneshot::Sender<Result<bool, Fault>>),
    /// Runs a command in its turn; the reply says whether it was taken on.
    Run(Run),
    /// Takes a command that has not started out of the queue; false if it has started.
    Withdraw(CommandId, oneshot::Sender<bool>),
    /// Somebody began to wait for a command.
    Watch,
    /// Somebody wants to know now whether the running command waits for input; the reply comes when that is known.
    LookNow(oneshot::Sender<()>),
    /// Types.
    Type {
        bytes: Vec<u8>,
        secret: bool,
        /// A command's line, which must not meet a half-typed one.
        is_line: bool,
        client: Caller,
        reply: oneshot::Sender<Result<u64, Fault>>,
    },
    /// Sends a signal to what runs.
    Signal(Signalling),
    /// Who is in front of the shell.
    Foreground(oneshot::Sender<Foreground>),
    /// What the terminal showed.
    Look(Look, oneshot::Sender<Shown>),
    /// The screen for a person's terminal of so many columns and rows.
    Paint(u16, u16, oneshot::Sender<Painting>),
    /// The terminal gets so many columns and rows.
    Resize(u16, u16),
    /// Ends the session; the reply names the command that was running.
    Close(oneshot::Sender<Option<CommandId>>),
    /// The same, but a kept shell lives on.
    Leave(oneshot::Sender<Option<CommandId>>),
    /// Ends the session if nothing has happened in it for so long; the reply says whether.
    CloseIfIdle(Duration, oneshot::Sender<bool>),
}

/// Who asks: an id that tells two clients of one name apart, and the name that people know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Unique.
    pub id: String,
    /// For lists and words.
    pub name: String,
    /// It is a person's own program, and no agent's.
    pub is_person: bool,
}

/// A signal on its way.
pub(crate) struct Signalling {
    pub(crate) signal: Signal,
    /// Only if this command runs.
    pub(crate) only: Option<CommandId>,
    pub(crate) reply: oneshot::Sender<Result<Signalled, Fault>>,
}

/// What became of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// Nothing ran, or no longer the command that was meant: nothing was sent or typed.
    Nothing,
    /// This key was typed.
    Typed(&'static str),
    /// The helper did what this says.
    Sent(Foreground),
}

/// Which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Int,
    /// Ctrl-\.
    Quit,
    /// SIGTERM to the foreground process group.
    Term,
    /// SIGKILL to the foreground process group.
    Kill,
    /// SIGKILL to the session's shell.
    Shell,
}

/// What of the terminal to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The screen.
    Screen,
    /// The last lines, scrollback and screen together.
    Tail(usize),
    /// What is new since a cursor.
    Since(u64),
    /// The same, in at most so many characters: the first of it.
    Next(u64, usize),
    /// What is new since a cursor and no command's text or output; the screen is left out.
    Own(u64),
}
