//! The stored password of a host, for the client in a local pane that asks for it: once, and only where the kernel says that
//! the client itself reads, hidden, and its own words say whose password it wants.

use sshmcp_proto::error::Fault;

use crate::{config::SecretSource, connection::is_for_password, host::Target, local::hides_typing};

/// Bytes of a user's name that OpenSSH's client shows in its question.
const USER_MAX: usize = 30;

/// What is stored for a login.
pub(super) struct Stored {
    password: Option<SecretSource>,
    user: String,
    /// How much the terminal had shown when it was typed.
    typed: Option<u64>,
}

impl Stored {
    /// What there is for this host. A hop's is not given: a client below the client asks for it, of whose words nothing is known.
    pub(super) fn of(target: &Target) -> Self {
        Self {
            password: target.password.clone(),
            user: target.user.chars().take(USER_MAX).collect(),
            typed: None,
        }
    }

    /// What is to be typed at the client that reads, if that is the password; each time it is another question it is not.
    pub(super) async fn answer(&mut self, words: &str, pane: u32) -> Result<Option<Vec<u8>>, Fault> {
        if !self.is_asked(words) || !hides_typing(pane) {
            return Ok(None);
        }
        let Some(source) = self.password.take() else {
            return Ok(None);
        };
        let password = source.resolve().await?;
        let line = password.expose();
        // A terminal takes a line up to its end.
        Ok(Some([line.as_bytes(), b"\r"].concat()))
    }

    /// It is what the client asks for, in the words that it uses of the host itself.
    fn is_asked(&self, words: &str) -> bool {
        let of_host = |begin: &str, end: &str| {
            let host = words.strip_prefix(begin)?.strip_prefix(&self.user)?;
            Some(host.strip_prefix('@')?.split_once(end)?.1)
        };
        let question = of_host("", "'s ").or_else(|| of_host("(", ") "));
        self.password.is_some() && question.is_some_and(|question| is_for_password(question, false))
    }

    /// It is typed now, when the terminal has shown so much.
    pub(super) const fn was_typed(&mut self, shown: u64) {
        self.typed = Some(shown);
    }

    /// Nothing came after it yet.
    pub(super) fn is_on_its_way(&self, shown: u64) -> bool {
        self.typed == Some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{host::TargetKey, secret::Secret};

    /// The client's question for this user's password is answered, and no other.
    #[test]
    fn questions() {
        let key = TargetKey::of([("u".into(), "h".into(), 22)]);
        let mut target = Target::bare("h", &key);
        assert!(!Stored::of(&target).is_asked("u@h's password: "));
        target.password = Some(SecretSource::Literal(Secret::new("pw".into())));
        let stored = Stored::of(&target);
        for words in ["u@h's password: ", "(u@h) Password: ", "(u@codes) Passwort:"] {
            assert!(stored.is_asked(words), "{words}");
        }
        for words in [
            "other@h's password: ",
            "Enter passphrase for key '/home/u/u@h's password': ",
            "Enter u@h's new password: ",
            "(u@h) Verification code: ",
            "(u@h) One-time password: ",
            "Password: ",
            "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
            "",
        ] {
            assert!(!stored.is_asked(words), "{words}");
        }
    }
}
