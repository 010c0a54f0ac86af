//! A person's hold on a session's keyboard: while it lasts, agents neither type nor run nor interrupt there.

use std::sync::{Arc, Mutex, PoisonError};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{Caller, Session};

/// Who has the keyboard, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The person.
    pub person: Caller,
    /// Milliseconds since the Unix epoch.
    pub since_ms: i64,
}

/// The keyboard of one session.
#[derive(Debug, Default)]
pub(super) struct Control(Mutex<Option<Holder>>);

impl Control {
    fn holder(&self) -> Option<Holder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The keyboard, taken; let go when this is dropped.
pub struct Held {
    session: Arc<Session>,
    holder: Holder,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self
            .session
            .control
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if held.as_ref() == Some(&self.holder) {
            *held = None;
        }
    }
}

impl Session {
    /// What is typed now would be shown, and recorded with the rest of the terminal.
    pub(crate) fn shows_secrets(&self) -> Fault {
        Fault::new(
            Reason::Conflict,
            format!(
                "the terminal of session {} shows what is typed now; the secret was not typed",
                self.name
            ),
        )
        .hint("type it once the program asks for it without showing it")
    }

    /// What reads now takes single keys, as a pager does, and a secret would be so many of them.
    pub(crate) fn takes_keys(&self) -> Fault {
        Fault::new(
            Reason::Conflict,
            format!(
                "what reads in session {} takes single keys, and asks for no secret; the secret was not typed",
                self.name
            ),
        )
        .hint("press the key it waits for, and type the secret once the program asks for it")
    }

    /// The fault of a line for which a half-typed one is in the way.
    pub(super) fn half_typed(&self) -> Fault {
        Fault::new(
            Reason::HumanHasControl,
            format!(
                "a half-typed line stands on the prompt of session {}; nothing was typed",
                self.name
            ),
        )
        .hint("whoever typed it finishes or clears it; or use another session")
    }

    /// Who has taken the keyboard.
    pub fn holder(&self) -> Option<Holder> {
        self.control.holder()
    }

    /// Gives the keyboard to a person, and takes it from another who had it.
    pub fn take(self: &Arc<Self>, person: Caller) -> Held {
        let holder = Holder {
            person,
            since_ms: crate::command::now_ms(),
        };
        *self.control.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(holder.clone());
        Held {
            session: self.clone(),
            holder,
        }
    }

    /// That a person has the keyboard, in words for whoever works there.
    pub fn held(&self) -> Option<String> {
        let Holder { person, since_ms } = self.holder()?;
        Some(format!(
            "{} has had the keyboard of session {} since {}: agents neither run nor type there until it is given back",
            person.name,
            self.name,
            since(since_ms)
        ))
    }

    /// An agent may not work where a person has the keyboard; another person may.
    pub fn allow(&self, caller: &Caller) -> Result<(), Fault> {
        let Some(Holder { person, since_ms }) = self.holder().filter(|_| !caller.is_person) else {
            return Ok(());
        };
        Err(Fault::new(
            Reason::HumanHasControl,
            format!(
                "{} has had the keyboard of session {} since {}; nothing was done",
                person.name,
                self.name,
                since(since_ms)
            ),
        )
        .hint("wait until it is given back, look on with get_terminal_output, or use another session")
        .retryable())
    }
}

/// A time as people read it.
fn since(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|time| format!("{time:.0}"))
        .unwrap_or_default()
}
