//! What is typed at a login: the stored password, once, and where a person is there whatever the server asks of them.

use std::time::{Duration, Instant};

use russh::{
    MethodKind,
    client::{AuthResult, KeyboardInteractiveAuthResponse as Dialogue, Prompt},
};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::{sleep, timeout};

use super::{
    super::{
        asking::{is_for_new_password, is_for_password},
        handshake::{Shared, unreachable_host},
        words::{place, plain},
    },
    ANSWER_TIMEOUT, Login, Progress,
};
use crate::secret::Secret;

/// Rounds of one keyboard-interactive dialogue; a server can ask for ever. A password's change takes four, and its mistakes.
const DIALOGUE_ROUNDS_MAX: usize = 8;
/// Questions of one round: a password, a code, and a few more of an odd server.
const PROMPTS_MAX: usize = 16;
/// Times that a person may try, as OpenSSH's NumberOfPasswordPrompts.
const TRIES_MAX: usize = 3;
/// What came and was no answer is believed to be none after this: PAM's own delays are two or three seconds.
const PASSED_OVER: Duration = Duration::from_secs(4);
/// Between two looks for that.
const LOOK: Duration = Duration::from_millis(250);

/// What became of the stored password.
#[derive(PartialEq, Eq)]
pub(super) enum Stored {
    NotTried,
    Refused,
    /// Refused, but a person gave it, and perhaps gives another.
    Outdated,
    /// The server asked for something else, or for more.
    Unasked,
}

impl Login<'_> {
    /// The stored password, then the person.
    pub(super) async fn secrets(&mut self, ways: &[MethodKind]) -> Result<Progress, Fault> {
        let before = self.partial;
        if self.stored == Stored::NotTried {
            let own = match &self.target.password {
                Some(source) => Some(source.resolve().await?),
                None => None,
            };
            let is_given = own.is_none();
            if let Some(secret) = own.or_else(|| self.given.password.clone()) {
                if self.stored(&secret, ways).await?.is_some() {
                    return Ok(Some(()));
                }
                if is_given && self.stored == Stored::Refused {
                    self.given.password = None;
                    self.given.is_new = true;
                    self.stored = Stored::Outdated;
                }
            }
        }
        let Some(person) = self.person else {
            return Ok(None);
        };
        let mut tries = 0;
        while self.partial == before && tries < TRIES_MAX && !self.is_over {
            let [by_password, by_dialogue] = [MethodKind::Password, MethodKind::KeyboardInteractive]
                .map(|way| ways.contains(&way) && self.offers(way));
            if !by_password && !by_dialogue {
                break;
            }
            tries += 1;
            // Its questions are the server's own words; where it is refused, the plain way may be open.
            let by_dialogue = by_dialogue && (tries == 1 || !by_password);
            let done = if by_dialogue {
                self.dialogue(None).await?
            } else {
                let question = format!(
                    "{}@{}'s password: ",
                    plain(&self.target.user),
                    plain(&self.target.hostname)
                );
                let secret = person.ask(question, false).await?;
                self.typed = Some(secret.clone());
                self.tries.tried.push("a password that was typed".to_owned());
                self.password(&secret).await?
            };
            if done.is_some() {
                return Ok(done);
            }
        }
        Ok(None)
    }

    /// Tries the stored password once: each try counts for the server's lock-outs.
    async fn stored(&mut self, secret: &Secret, ways: &[MethodKind]) -> Result<Progress, Fault> {
        if ways.contains(&MethodKind::Password) && self.offers(MethodKind::Password) {
            self.tries.tried.push("the password at hand".to_owned());
            let before = self.partial;
            self.stored = Stored::Refused;
            let progress = self.password(secret).await?;
            if self.partial > before {
                self.stored = Stored::Unasked;
            }
            return Ok(progress);
        }
        self.dialogue(Some(secret)).await
    }

    async fn password(&mut self, secret: &Secret) -> Result<Progress, Fault> {
        self.has_typed = true;
        let user = self.target.user.clone();
        let secret = secret.expose();
        let shared = self.shared;
        let sent = Instant::now();
        let trying = timeout(
            ANSWER_TIMEOUT,
            self.handle.authenticate_password(user, secret.as_str()),
        );
        let answer = tokio::select! {
            answer = trying => answer,
            () = passed_over(shared, sent) => return Err(self.wants_new_password()),
        };
        match answer {
            Ok(answer) => self.answered(answer).await,
            Err(_) => Err(unreachable_host(
                self.target,
                &format!("the password was not answered for {} s", ANSWER_TIMEOUT.as_secs()),
            )),
        }
    }

    /// What came was no answer: the library passes over a request for a new password (RFC 4252, section 8).
    fn wants_new_password(&self) -> Fault {
        if let Some(person) = self.person {
            person.is_for_openssh();
        }
        Fault::new(
            Reason::AuthInputRequired,
            format!(
                "{} took the password of {} neither as right nor as wrong: it wants a new one",
                place(self.target),
                plain(&self.target.user),
            ),
        )
        .hint(format!(
            "a person runs `sshctl login {}`: OpenSSH's client asks there for the old and the new one; a stored password is to be stored again then",
            plain(&self.target.typed)
        ))
    }

    /// Answers what the server asks: for the password once with the stored one, the rest by the person. Without one, the
    /// login ends at the first question that is not for the password.
    async fn dialogue(&mut self, secret: Option<&Secret>) -> Result<Progress, Fault> {
        self.typed = None;
        let mut secret = secret;
        let user = self.target.user.clone();
        let mut answer = self
            .in_time(|login| login.handle.authenticate_keyboard_interactive_start(user, None))
            .await?;
        for _ in 0..DIALOGUE_ROUNDS_MAX {
            let (about, prompts) = match answer {
                Ok(Dialogue::Success) => return Ok(Some(())),
                Ok(Dialogue::InfoRequest {
                    name,
                    instructions,
                    prompts,
                }) => (explanation(&name, &instructions), prompts),
                Ok(Dialogue::Failure {
                    remaining_methods,
                    partial_success,
                }) => {
                    if partial_success && self.stored == Stored::Refused {
                        self.stored = Stored::Unasked;
                    }
                    let answer = Ok(AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    });
                    return self.answered(answer).await;
                }
                Err(_) => return Err(self.hung_up()),
            };
            let Some(responses) = self.responses(about, &prompts, &mut secret).await? else {
                self.is_over = true;
                return Ok(None);
            };
            answer = self
                .in_time(|login| login.handle.authenticate_keyboard_interactive_respond(responses))
                .await?;
        }
        self.is_over = true;
        let words = format!("{DIALOGUE_ROUNDS_MAX} rounds of questions");
        self.tries.tried.push(words);
        Ok(None)
    }

    /// None: nobody is there to answer.
    async fn responses(
        &mut self,
        mut about: String,
        prompts: &[Prompt],
        secret: &mut Option<&Secret>,
    ) -> Result<Option<Vec<String>>, Fault> {
        if prompts.len() > PROMPTS_MAX {
            let words = format!("the server put {} questions at once", prompts.len());
            self.tries.tried.push(words);
            return Ok(None);
        }
        // All of them, or none: a password must not go out for nothing.
        let is_theirs = |prompt: &Prompt| is_for_password(&prompt.prompt, prompt.echo);
        let others = prompts.iter().filter(|prompt| !is_theirs(prompt)).count();
        let passwords = prompts.len().saturating_sub(others);
        let answers_all = others == 0 && passwords <= usize::from(secret.is_some());
        if self.person.is_none() && !answers_all {
            if let Some(prompt) = prompts
                .iter()
                .find(|prompt| secret.is_none() || !is_theirs(prompt))
            {
                self.wants_new |= is_for_new_password(&prompt.prompt);
                let words = format!("asked for {:?}", plain(&prompt.prompt));
                self.tries.tried.push(words);
            }
            self.stored = Stored::Unasked;
            return Ok(None);
        }
        let mut responses = Vec::new();
        self.has_typed |= !prompts.is_empty();
        for prompt in prompts {
            let is_theirs = is_theirs(prompt);
            if let Some(secret) = secret.take_if(|_| is_theirs) {
                self.stored = Stored::Refused;
                let words = "the password at hand (keyboard-interactive)".to_owned();
                self.tries.tried.push(words);
                responses.push(secret.expose().to_string());
                continue;
            }
            let Some(person) = self.person else {
                return Ok(None);
            };
            let text = format!("{}{} ", std::mem::take(&mut about), plain(&prompt.prompt));
            let answer = person.ask(text, prompt.echo).await?;
            let words = format!("what was typed for {:?}", plain(&prompt.prompt));
            self.tries.tried.push(words);
            responses.push(answer.expose().to_string());
            // A new password is theirs from then on.
            if is_theirs || is_for_new_password(&prompt.prompt) && !prompt.echo {
                self.typed = Some(answer);
            }
        }
        Ok(Some(responses))
    }
}

/// What a server says before it asks, for a person.
fn explanation(name: &str, instructions: &str) -> String {
    let lines = name.lines().chain(instructions.lines()).take(PROMPTS_MAX);
    let mut text = String::new();
    for line in lines.map(plain).filter(|line| !line.is_empty()) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Ends when something came that the library took for no answer, and no banner was.
async fn passed_over(shared: &Shared, sent: Instant) {
    loop {
        sleep(LOOK).await;
        let last = shared.banner().map_or(sent, |banner| banner.max(sent));
        let silent = shared.ear().silent_since();
        if silent.is_some_and(|since| since > last && since.elapsed() > PASSED_OVER) {
            return;
        }
    }
}
