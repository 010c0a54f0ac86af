//! The login of OpenSSH's client in a pane: over once it takes others along on its connection. What it asks before that is
//! told, and answered by a person alone.

use std::time::{Duration, Instant};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{
    Opening,
    dialog::{Login, Question},
    last_words,
    stored::Stored,
};
use crate::{
    connection::plain,
    host::Target,
    local::{Place, Reader, reader},
    terminal::clean::clean,
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(40);
/// Silence after which words that look like a question are one.
const SILENCE: Duration = Duration::from_millis(1500);
/// A login that asks nobody takes no longer, beyond the time for connecting.
const LOGIN_MAX: Duration = Duration::from_secs(30);

impl Opening {
    /// Waits until the client has logged in.
    pub(super) async fn log_in(&mut self, place: &Place, pane: u32) -> Result<(), Fault> {
        let limit = self.target.connect_timeout + LOGIN_MAX;
        let mut asked_before = false;
        let mut since = Instant::now();
        let mut stored = Stored::of(&self.target);
        while !place.has_master() {
            if self.pass(tokio::time::Instant::now() + LOOK).await? {
                since = Instant::now();
            }
            let words = last_words(&self.shown);
            let silent = self.last_shown.map(|at| at.elapsed());
            let reads = reader(pane);
            let asks = match reads {
                // What it reads may be our answer, to which nothing was said yet.
                Some(_) if stored.is_on_its_way(self.shown_total) => false,
                Some(Reader::Client | Reader::Below) => silent.is_some(),
                Some(Reader::Nobody) => {
                    silent.is_some_and(|silent| silent > SILENCE) && waits_for_touch(&words)
                }
                None => silent.is_some_and(|silent| silent > SILENCE) && looks_like_question(&words),
            };
            if asks
                && asked_before
                && reads == Some(Reader::Client)
                && let Some(answer) = stored.answer(&words, pane).await?
            {
                stored.was_typed(self.shown_total);
                self.write(answer).await?;
                since = Instant::now();
                asked_before = false;
                continue;
            }
            if asks && asked_before {
                self.asks(Some(Question {
                    text: words,
                    program: "ssh".into(),
                    shown: self.shown.clone(),
                    total: self.shown_total,
                    login: Some(Login::OpenSsh {
                        host: plain(&self.target.typed),
                        server: place.name(),
                    }),
                }));
                // Whoever answers has time; the host has its own limit.
                since = Instant::now();
            }
            asked_before = asks;
            if since.elapsed() > limit {
                return Err(Fault::new(
                    Reason::Unreachable,
                    format!(
                        "OpenSSH did not log in within {} s; its terminal shows: {}",
                        limit.as_secs(),
                        last_words(&self.shown)
                    ),
                )
                .hint("try `ssh` by hand")
                .retryable());
            }
        }
        self.asks(None);
        self.began = Instant::now();
        Ok(())
    }
}

/// A security key blinks.
fn waits_for_touch(words: &str) -> bool {
    words.contains("Confirm user presence")
}

fn looks_like_question(words: &str) -> bool {
    waits_for_touch(words) || words.trim_end().ends_with([':', '?'])
}

/// The client ended before its shell was there: its own last words, and what they mean.
pub(super) fn refused(target: &Target, shown: &[u8]) -> Fault {
    let text = clean(shown);
    let said: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    // The very last may say no more than that it is over.
    let words = said
        .iter()
        .rev()
        .take(3)
        .rev()
        .copied()
        .collect::<Vec<_>>()
        .join(" / ");
    let has = |word: &str| text.contains(word);
    let (reason, hint) = if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        (
            Reason::HostKeyChanged,
            "a person finds out why, and mends known_hosts",
        )
    } else if has("Host key verification failed") || has("host key is known") {
        (
            Reason::HostKeyUnknown,
            "a person accepts the key: `ssh` by hand asks for it, and so does `sshctl trust`",
        )
    } else if has("Permission denied") || has("Too many authentication failures") {
        (
            Reason::AuthFailed,
            "check user and keys; `ssh` by hand shows what the host takes",
        )
    } else if has("Could not resolve hostname") {
        (Reason::HostNotFound, "check the name, or ssh_config's HostName")
    } else {
        (
            Reason::Unreachable,
            "try `ssh` by hand: what it says holds here too",
        )
    };
    let words = crate::connection::plain(&words);
    let fault = Fault::new(
        reason,
        format!(
            "OpenSSH's client did not open a shell on {}: {words}",
            target.key()
        ),
    )
    .hint(hint);
    if reason == Reason::Unreachable {
        fault.retryable()
    } else {
        fault
    }
}

#[cfg(test)]
mod tests {
    use sshmcp_proto::v1::Reason;

    use super::*;
    use crate::host::TargetKey;

    /// What OpenSSH says at its end, and what callers are told.
    #[test]
    fn last_words_have_a_meaning() {
        let key = TargetKey::of([("u".into(), "h".into(), 22)]);
        let target = Target::bare("h", &key);
        for (shown, reason) in [
            ("u@h: Permission denied (publickey).\r\n", Reason::AuthFailed),
            (
                "ssh: connect to host h port 22: Connection refused\r\n",
                Reason::Unreachable,
            ),
            (
                "ssh: Could not resolve hostname h: Name or service not known\r\n",
                Reason::HostNotFound,
            ),
            (
                "No ED25519 host key is known for h and you have requested strict checking.\r\nHost key verification failed.\r\n",
                Reason::HostKeyUnknown,
            ),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nHost key verification failed.\r\n",
                Reason::HostKeyChanged,
            ),
            ("", Reason::Unreachable),
        ] {
            let fault = refused(&target, shown.as_bytes());
            assert_eq!(fault.reason, reason, "{fault}");
            let last = shown.trim_end().rsplit("\r\n").next().unwrap_or_default();
            assert!(fault.message.contains(last), "{fault}");
        }
    }

    /// What is no question does not stop anybody.
    #[test]
    fn questions() {
        for words in [
            "u@h's password:",
            "Are you sure (yes/no)?",
            "Confirm user presence for key ED25519-SK SHA256:x",
        ] {
            assert!(looks_like_question(words), "{words}");
        }
        assert!(!looks_like_question("Welcome to h") && !waits_for_touch("u@h's password:"));
    }
}
