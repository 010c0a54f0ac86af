//! What start-up files ask while a shell is being opened, and what is typed at them: the way between an opening and its
//! session. Nothing is answered here.

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::{mpsc, oneshot, watch};

use crate::id::SessionName;

/// What is typed at start-up files and not yet written: a person's and an agent's answers.
const TYPED_MAX: usize = 16;

/// What start-up files wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The last line on the terminal.
    pub text: String,
    /// The program that they started and that reads; empty where the shell itself does.
    pub program: String,
    /// The end of what the terminal showed so far.
    pub shown: Vec<u8>,
    /// How many bytes that was in all.
    pub total: u64,
    /// It belongs to the login: a person alone may answer.
    pub login: Option<Login>,
}

/// What of a login asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// OpenSSH's client.
    OpenSsh {
        /// The host as it was named.
        host: String,
        /// The tmux server of this machine.
        server: String,
    },
    /// passwd on the host, which must have a new password before it does anything else.
    Expired {
        /// The host as it was named.
        host: String,
        /// Whose password.
        user: String,
    },
}

impl Login {
    fn fault(&self, session: &SessionName, text: &str) -> Fault {
        let (what, hint) = match self {
            Self::OpenSsh { host, server } => (
                "OpenSSH asks for a person's answer, and its".to_owned(),
                format!(
                    "a person runs `sshctl login {host}`, or answers in `sshctl attach {session}` or `tmux -L {server} attach`; then it opens by itself, and the call can be made again"
                ),
            ),
            Self::Expired { host, user } => (
                format!(
                    "the password of {user} on {host} has expired and must be changed before anything is run, and the host's"
                ),
                format!(
                    "a person runs `sshctl login {host}`, or `sshctl attach {session}`, and answers there; a stored password is to be stored again then"
                ),
            ),
        };
        Fault::new(
            Reason::AuthInputRequired,
            format!("session {session} is not open yet: {what} terminal shows: {text}; nothing was run"),
        )
        .hint(hint)
        .retryable()
    }
}

impl Question {
    fn sentence(&self) -> String {
        let program = if self.program.is_empty() {
            String::new()
        } else {
            format!(" in {}", self.program)
        };
        format!(
            "the start-up files of the login shell wait for input{program}, and its terminal shows: {}",
            self.text
        )
    }

    /// What whoever wants a command run is told.
    pub fn fault(&self, session: &SessionName) -> Fault {
        if let Some(login) = &self.login {
            return login.fault(session, &self.text);
        }
        let otherwise = if self.program.is_empty() {
            "make them ask only where a person is"
        } else {
            "make them start a shell with `exec`, and other programs only where a person is"
        };
        Fault::new(
            Reason::SessionBusy,
            format!("session {session} is not open yet: {}; nothing was run", self.sentence()),
        )
        .hint(format!(
            "answer with send_input in that session and call again, or close it; for the next time {otherwise}"
        ))
        .retryable()
    }

    /// What is told where nobody can answer.
    pub fn unanswered(&self) -> Fault {
        Fault::new(Reason::NotSupported, self.sentence())
            .hint("make them ask only where a person is, or answer in a session (send_input)")
    }
}

/// Something typed, and who is told that it was written.
pub struct Typed {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Told when they are written, with the number below.
    pub reply: oneshot::Sender<Result<u64, Fault>>,
    /// How many prompts the session had shown before.
    pub prompts: u64,
}

/// The opening's end.
pub struct Asking {
    /// What is asked now.
    pub asked: watch::Sender<Option<Question>>,
    /// What is to be typed.
    pub typed: mpsc::Receiver<Typed>,
}

/// The session's end.
pub struct Listening {
    /// What is asked now.
    pub asked: watch::Receiver<Option<Question>>,
    typed: mpsc::Sender<Typed>,
}

/// Both ends.
pub fn dialog() -> (Asking, Listening) {
    let (asked_sender, asked) = watch::channel(None);
    let (typed, typed_receiver) = mpsc::channel(TYPED_MAX);
    let asking = Asking {
        asked: asked_sender,
        typed: typed_receiver,
    };
    (asking, Listening { asked, typed })
}

impl Listening {
    /// Types at what is asked; the answer comes once it is written.
    pub fn answer(&self, bytes: Vec<u8>, prompts: u64, reply: oneshot::Sender<Result<u64, Fault>>) {
        let typed = Typed {
            bytes,
            reply,
            prompts,
        };
        if let Err(refused) = self.typed.try_send(typed) {
            let typed = match refused {
                mpsc::error::TrySendError::Full(typed) | mpsc::error::TrySendError::Closed(typed) => typed,
            };
            let fault = Fault::new(
                Reason::SessionBusy,
                "what was typed before is not written yet; nothing was typed",
            );
            let _ = typed
                .reply
                .send(Err(fault.hint("look with get_terminal_output").retryable()));
        }
    }
}
