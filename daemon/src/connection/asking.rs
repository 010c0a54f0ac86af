//! A login's questions to a person, and what is kept of their answers: in memory alone. Knows no SSH.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::{mpsc, oneshot};

use crate::secret::Secret;

/// Questions that wait for a person: a login puts one after the other.
const QUESTIONS_MAX: usize = 1;

/// Words for a password in the languages in which PAM asks for one.
const PASSWORD_WORDS: [&str; 22] = [
    "password",
    "passwd",
    "passwort",
    "kennwort",
    "mot de passe",
    "contraseña",
    "senha",
    "palavra-passe",
    "parola",
    "wachtwoord",
    "hasło",
    "heslo",
    "geslo",
    "jelszó",
    "lösenord",
    "adgangskode",
    "passord",
    "salasana",
    "пароль",
    "密码",
    "密碼",
    "パスワード",
];
/// Words that make it another question: for something that works once, or for a new password.
const OTHER_WORDS: [&str; 12] = [
    "one-time", "one time", "otp", "code", "token", "verif", "new ", "retype", "again", "passcode", "neues",
    "nouveau",
];

/// Those of them that are for a new password.
const NEW_WORDS: [&str; 5] = ["new ", "retype", "again", "neues", "nouveau"];
/// Words that come with the question for the old one.
const CHANGE_WORDS: [&str; 2] = ["change your password", "changing password"];

/// One question.
#[derive(Debug)]
pub struct Question {
    /// What is asked, without control characters; several lines where the server explains.
    pub text: String,
    /// Whether the answer may be seen while it is typed.
    pub echo: bool,
}

/// A question, and where its answer goes.
pub type Asked = (Question, oneshot::Sender<Secret>);

/// Reaches the person who is logging in.
#[derive(Clone)]
pub struct Asker {
    questions: mpsc::Sender<Asked>,
    /// A key file that several hops take is asked for once.
    passphrases: Arc<Mutex<HashMap<PathBuf, Secret>>>,
    /// What the server asks, OpenSSH's client alone can put to the person.
    by_openssh: Arc<AtomicBool>,
}

impl Asker {
    /// One, and where its questions come out.
    pub fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (questions, receiver) = mpsc::channel(QUESTIONS_MAX);
        (
            Self {
                questions,
                passphrases: Arc::default(),
                by_openssh: Arc::default(),
            },
            receiver,
        )
    }

    /// Asks, and waits as long as the person is there.
    pub(super) async fn ask(&self, text: String, echo: bool) -> Result<Secret, Fault> {
        let (sender, answer) = oneshot::channel();
        let question = Question { text, echo };
        let gone = || {
            Fault::new(
                Reason::AuthInputRequired,
                "the person who was logging in has gone",
            )
        };
        self.questions
            .send((question, sender))
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Notes that OpenSSH's client is to ask.
    pub(super) fn is_for_openssh(&self) {
        self.by_openssh.store(true, Ordering::Relaxed);
    }

    /// Whether OpenSSH's client is to ask: the login failed for what it alone can put to a person.
    pub fn by_openssh(&self) -> bool {
        self.by_openssh.load(Ordering::Relaxed)
    }

    pub(super) fn passphrase(&self, file: &Path) -> Option<Secret> {
        let known = self.passphrases.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(file).cloned()
    }

    pub(super) fn fits(&self, file: &Path, passphrase: &Secret) {
        let mut known = self.passphrases.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(file.to_owned(), passphrase.clone());
    }
}

/// What a person gave for one target and the server took: for its further connections, until the daemon ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) password: Option<Secret>,
    /// By key file.
    pub(super) passphrases: HashMap<PathBuf, Secret>,
    /// Something was added, or taken away because it no longer fits.
    pub(super) is_new: bool,
}

/// True if it is a new password that is asked for, or the old one before it: what PAM says when one has expired.
pub(super) fn is_for_new_password(prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| prompt.contains(word));
    has(&CHANGE_WORDS) || has(&PASSWORD_WORDS) && has(&NEW_WORDS)
}

/// True if a stored password is the answer: it is asked for without echo, and by its name.
pub fn is_for_password(prompt: &str, echo: bool) -> bool {
    let prompt = prompt.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| prompt.contains(word));
    !echo && has(&PASSWORD_WORDS) && !has(&OTHER_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stored password is never given for a code, a new password, or where it would be shown.
    #[test]
    fn prompts() {
        for prompt in [
            "Password: ",
            "(u@h) Password:",
            "u@h's password: ",
            "Passwort: ",
            "Пароль: ",
            "Mot de passe : ",
        ] {
            assert!(is_for_password(prompt, false), "{prompt}");
            assert!(!is_for_password(prompt, true), "{prompt}");
        }
        for prompt in [
            "",
            "Verification code: ",
            "One-time password (OATH) for `u': ",
            "Password & verification code: ",
            "New password: ",
            "Retype new password: ",
            "Enter PASSCODE: ",
            "Token: ",
            "OTP: ",
            "Your favourite colour? ",
        ] {
            assert!(!is_for_password(prompt, false), "{prompt}");
        }
        let expired = "You are required to change your password immediately (administrator enforced).\nChanging password for u.\nCurrent password: ";
        for prompt in [
            expired,
            "New password: ",
            "Retype new password: ",
            "Neues Passwort: ",
        ] {
            assert!(is_for_new_password(prompt), "{prompt}");
        }
        for prompt in [
            "Password: ",
            "One-time password: ",
            "Enter code again: ",
            "A new colour? ",
        ] {
            assert!(!is_for_new_password(prompt), "{prompt}");
        }
    }

    /// An answer reaches who asked; a person who goes ends the question, before it was seen and after.
    #[tokio::test]
    async fn who_asks_is_answered() {
        let (asker, mut questions) = Asker::new();
        let asking = tokio::spawn(async move { asker.ask("who?".into(), true).await });
        let (question, answer) = questions.recv().await.expect("a question");
        assert_eq!((&*question.text, question.echo), ("who?", true));
        answer.send(Secret::new("me".into())).expect("somebody waits");
        let got = asking.await.expect("asked").expect("answered");
        assert_eq!(got.expose().as_str(), "me");

        let (asker, questions) = Asker::new();
        drop(questions);
        let gone = asker.ask("who?".into(), true).await.expect_err("nobody is there");
        assert_eq!(gone.reason, Reason::AuthInputRequired);
    }
}
