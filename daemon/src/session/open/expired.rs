//! An account whose password has expired: OpenSSH's sshd runs passwd on the terminal then, and nothing else there or
//! elsewhere, until there is a new one. A person answers it; what is asked is not understood here.

use std::time::Duration;

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{
    NotOpened, Opening,
    dialog::{Login, Question},
    last_words,
};
use crate::connection::{Road, plain};

/// sshd's words where it would have to ask and has no terminal, as in `do_pwchange` of its session.c: in no language but this.
const NO_TERMINAL: &str = "Password change required but no TTY available.";
/// Of what the helper's channel says before the helper does.
const SAID_MAX: usize = 4 << 10; // 4 KiB
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// What is said beside a shell before the helper is there, and how the terminal's program ended.
#[derive(Default)]
pub(super) struct Said {
    beside: Vec<u8>,
    /// passwd has the terminal.
    changes: bool,
    code: Option<i32>,
    is_over: bool,
}

impl Said {
    /// Something came beside the shell.
    pub(super) fn hears(&mut self, bytes: &[u8]) {
        let room = SAID_MAX.saturating_sub(self.beside.len());
        self.beside.extend(bytes.iter().take(room));
    }

    /// The terminal's program ended with this code.
    pub(super) const fn ended_with(&mut self, code: Option<i32>) {
        self.code = code;
    }

    /// Nothing more comes from the terminal; true if that is the end that was waited for.
    pub(super) const fn ends(&mut self) -> bool {
        self.is_over = true;
        self.changes
    }

    fn has_expired(&self) -> bool {
        String::from_utf8_lossy(&self.beside)
            .lines()
            .any(|line| line.trim() == NO_TERMINAL)
    }
}

impl Opening {
    /// Whether sshd runs nothing but passwd: it said so instead of running the helper.
    pub(super) fn has_expired(&self) -> bool {
        self.helper.is_none() && self.reading.is_none() && self.terminal.is_some() && self.said.has_expired()
    }

    /// Has a person answer passwd, until it has ended. Never succeeds: the connection is of no further use.
    pub(super) async fn change_password(&mut self) -> Result<(), NotOpened> {
        let (user, host) = (plain(&self.target.user), plain(&self.target.alias));
        let typed = plain(&self.target.typed);
        let fault = |what: String| {
            Fault::new(
                Reason::AuthInputRequired,
                format!("the password of {user} on {host} has expired{what}"),
            )
            .hint(format!(
                "a person runs `sshctl login {typed}`, and changes it there"
            ))
        };
        if self.dialog.is_none() {
            return Err(fault(String::new()).into());
        }
        self.said.changes = true;
        while !self.said.is_over {
            if self.is_quiet() && !self.shown.is_empty() {
                self.asks(Some(Question {
                    text: last_words(&self.shown),
                    program: "passwd".into(),
                    shown: self.shown.clone(),
                    total: self.shown_total,
                    login: Some(Login::Expired {
                        host: host.clone(),
                        user: user.clone(),
                    }),
                }));
            }
            self.pass(tokio::time::Instant::now() + LOOK).await?;
        }
        self.asks(None);
        // It is good for nothing else, whatever came of it.
        if let Road::Pooled(connection) = &self.road {
            self.pool.end_alone(connection).await;
        }
        if self.said.code == Some(0) {
            return Err(NotOpened::Changed(self.dialog.take()));
        }
        let words = last_words(&self.shown);
        Err(fault(format!(" and was not changed; its terminal shows: {words}")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line as sshd prints it, and none that only has it within.
    #[test]
    fn the_line_of_sshd() {
        let expired = |text: &str| {
            let mut said = Said::default();
            said.hears(text.as_bytes());
            said.has_expired()
        };
        assert!(expired(
            "WARNING: Your password has expired.\nPassword change required but no TTY available.\n"
        ));
        assert!(expired("Password change required but no TTY available.\r\n"));
        assert!(!expired("WARNING: Your password has expired.\n"));
        assert!(!expired(
            "motd: \"Password change required but no TTY available.\"\n"
        ));
        let mut said = Said::default();
        said.hears(&vec![b'x'; 2 * SAID_MAX]);
        assert_eq!(said.beside.len(), SAID_MAX);
    }
}
