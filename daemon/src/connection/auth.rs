//! The login: keys, then passwords and what else is typed, as OpenSSH would, without tripping the server's limit of
//! attempts. What is not stored is asked of a person where one is there, and becomes `auth_input_required` where not.

use std::{collections::VecDeque, future::Future, time::Duration};

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Dialogue, Prompt},
    keys::HashAlg,
};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::timeout;

use super::{
    asking::{Asker, Given, is_for_password},
    handshake::{Handler, NO_METHOD_LEFT, Shared, unreachable_host},
    identity::{self, Identities, Identity},
    signing::{Pen, SignBy, Unsigned},
    words::{place, plain},
};
use crate::{host::Target, secret::Secret};

/// sshd allows six attempts (MaxAuthTries); one is left for a password.
const KEY_OFFERS_MAX: usize = 5;
/// Rounds of one keyboard-interactive dialogue; a server can ask for ever.
const DIALOGUE_ROUNDS_MAX: usize = 8;
/// Questions of one round: a password, a code, and a few more of an odd server.
const PROMPTS_MAX: usize = 16;
/// Times that a server may say "and now something else": key, password, code, and one more.
const PARTIAL_MAX: usize = 4;
/// Times that a person may try, as OpenSSH's NumberOfPasswordPrompts.
const TRIES_MAX: usize = 3;
/// A server that is silent for longer does not answer: PAM's own delays are some seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);

/// The connection's task notes its end a moment after its last answer.
const CAUSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Logs in, or says what is missing. What a person gave and the server took is added to `given`.
pub(super) async fn authenticate(
    handle: &mut Handle<Handler>,
    shared: &Shared,
    target: &Target,
    person: Option<&Asker>,
    given: &mut Given,
) -> Result<(), Fault> {
    let mut login = Login {
        handle,
        shared,
        target,
        person,
        given,
        offered: MethodSet::empty(),
        tried: Vec::new(),
        stored: Stored::NotTried,
        typed: None,
        partial: 0,
        is_over: false,
    };
    login.run().await
}

struct Login<'a> {
    handle: &'a mut Handle<Handler>,
    shared: &'a Shared,
    target: &'a Target,
    person: Option<&'a Asker>,
    given: &'a mut Given,
    /// Methods with which the server would go on.
    offered: MethodSet,
    tried: Vec<String>,
    stored: Stored,
    /// The password that the person typed last.
    typed: Option<Secret>,
    /// Times that the server took something and wanted more.
    partial: usize,
    /// A question stands that nobody answers: nothing else can be tried on this connection.
    is_over: bool,
}

/// What became of the stored password.
#[derive(PartialEq, Eq)]
enum Stored {
    NotTried,
    Refused,
    /// Refused, but a person gave it, and perhaps gives another.
    Outdated,
    /// The server asked for something else, or for more.
    Unasked,
}

/// Some: logged in. None: not yet.
type Progress = Option<()>;

impl Login<'_> {
    async fn run(&mut self) -> Result<(), Fault> {
        let user = self.target.user.clone();
        let answer = self.in_time(|login| login.handle.authenticate_none(user)).await?;
        if self.answered(answer).await?.is_some() {
            return Ok(());
        }
        let mut identities: Option<Identities> = None;
        loop {
            let before = self.partial;
            if self.offers(MethodKind::PublicKey) {
                let found = match &mut identities {
                    Some(found) => found,
                    none => none.insert(self.collect().await),
                };
                if self.keys(found).await?.is_some() {
                    return Ok(());
                }
            }
            if self.partial == before && self.secrets().await?.is_some() {
                if let Some(password) = self.typed.take() {
                    self.given.password = Some(password);
                    self.given.is_new = true;
                }
                return Ok(());
            }
            // Only a server that took something is asked on.
            if self.is_over || self.partial == before || self.partial > PARTIAL_MAX {
                return Err(self.failed(&identities.unwrap_or_default()));
            }
        }
    }

    async fn collect(&self) -> Identities {
        let (person, given) = (self.person.is_some(), &*self.given);
        identity::collect(self.handle, self.target, |file| {
            person || given.passphrases.contains_key(file)
        })
        .await
    }

    /// The stored password, then the person.
    async fn secrets(&mut self) -> Result<Progress, Fault> {
        let before = self.partial;
        if self.asks() && self.stored == Stored::NotTried {
            let own = match &self.target.password {
                Some(source) => Some(source.resolve().await?),
                None => None,
            };
            let is_given = own.is_none();
            if let Some(secret) = own.or_else(|| self.given.password.clone()) {
                if self.stored(&secret).await?.is_some() {
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
        while self.partial == before && tries < TRIES_MAX && !self.is_over && self.asks() {
            tries += 1;
            // Its questions are the server's own words; where it is refused, the plain way may be open.
            let by_dialogue = self.offers(MethodKind::KeyboardInteractive)
                && (tries == 1 || !self.offers(MethodKind::Password));
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
                self.tried.push("a password that was typed".to_owned());
                self.password(&secret).await?
            };
            if done.is_some() {
                return Ok(done);
            }
        }
        Ok(None)
    }

    fn offers(&self, method: MethodKind) -> bool {
        self.offered.contains(&method) && self.target.options.allows((&method).into())
    }

    /// True if the server would take something that is typed.
    fn asks(&self) -> bool {
        self.offers(MethodKind::Password) || self.offers(MethodKind::KeyboardInteractive)
    }

    /// Waits for one answer of the server.
    async fn in_time<'s, T, F>(&'s mut self, ask: impl FnOnce(&'s mut Self) -> F) -> Result<T, Fault>
    where
        F: Future<Output = T> + 's,
    {
        let target = self.target;
        timeout(ANSWER_TIMEOUT, ask(self)).await.map_err(|_| {
            unreachable_host(
                target,
                &format!("the login was not answered for {} s", ANSWER_TIMEOUT.as_secs()),
            )
        })
    }

    /// Takes an answer in; a server that hung up ends the login with its own words.
    async fn answered(&mut self, answer: Result<AuthResult, russh::Error>) -> Result<Progress, Fault> {
        match answer {
            Ok(AuthResult::Success) => Ok(Some(())),
            Ok(AuthResult::Failure {
                remaining_methods,
                partial_success,
            }) if !remaining_methods.is_empty() => {
                self.offered = remaining_methods;
                if partial_success {
                    self.partial = self.partial.saturating_add(1);
                    if let Some(last) = self.tried.last_mut() {
                        last.push_str(" (taken, and more is wanted)");
                    }
                }
                Ok(None)
            }
            // No method left: either the server said so, or the connection is gone. The cause tells which.
            Ok(AuthResult::Failure { .. }) | Err(_) => {
                let mut ended = self.shared.ended();
                let cause = timeout(CAUSE_TIMEOUT, ended.wait_for(Option::is_some)).await;
                match cause {
                    Ok(Ok(cause)) if cause.as_deref() == Some(NO_METHOD_LEFT) => {
                        self.offered = MethodSet::empty();
                        Ok(None)
                    }
                    _ => Err(self.hung_up()),
                }
            }
        }
    }

    async fn keys(&mut self, identities: &mut Identities) -> Result<Progress, Fault> {
        let mut offers: VecDeque<Identity> = std::mem::take(&mut identities.offers).into();
        let before = self.partial;
        while self.offers(MethodKind::PublicKey) && self.partial == before {
            let Some(identity) = offers.pop_front() else {
                return Ok(None);
            };
            if identities.offered == KEY_OFFERS_MAX {
                self.tried.push(format!(
                    "{} more keys not offered",
                    offers.len().saturating_add(1)
                ));
                return Ok(None);
            }
            identities.offered = identities.offered.saturating_add(1);
            self.tried.push(identity.label.clone());
            if self.offer(&identity, identities).await?.is_some() {
                return Ok(Some(()));
            }
        }
        // A server that took a key may want a second one.
        identities.offers = offers.into();
        Ok(None)
    }

    async fn offer(&mut self, identity: &Identity, identities: &mut Identities) -> Result<Progress, Fault> {
        let user = self.target.user.clone();
        let hash = if identity.public.algorithm().is_rsa() {
            match self.handle.best_supported_rsa_hash().await {
                Ok(Some(best)) => best,
                // A server that does not say: SHA-2 is the better guess since OpenSSH 7.2.
                Ok(None) => Some(HashAlg::Sha512),
                Err(_) => return Err(self.hung_up()),
            }
        } else {
            None
        };
        let mut pen = Pen {
            signer: &identity.signer,
            public: &identity.public,
            agent: identities.agent.as_mut(),
            person: self.person,
            given: &mut *self.given,
        };
        let handle = &mut *self.handle;
        let signed = async {
            match identity.certificate.clone() {
                Some(certificate) => {
                    handle
                        .authenticate_certificate_with(user, certificate, hash, &mut pen)
                        .await
                }
                None => {
                    let public = identity.public.clone();
                    handle
                        .authenticate_publickey_with(user, public, hash, &mut pen)
                        .await
                }
            }
        };
        let answer = match &identity.signer {
            SignBy::Key(_) => timeout(ANSWER_TIMEOUT, signed).await,
            // An agent may ask for a touch, and a person types: the whole login has a limit.
            SignBy::Agent | SignBy::AgentCertificate | SignBy::Locked(_) => Ok(signed.await),
        };
        match answer {
            Ok(Ok(answer)) => self.answered(Ok(answer)).await,
            Ok(Err(Unsigned::Because(why))) if !self.handle.is_closed() => {
                identities.unusable.push(format!("{}: {why}", identity.label));
                Ok(None)
            }
            Ok(Err(Unsigned::Alone(fault))) => Err(fault),
            Ok(Err(Unsigned::Because(_) | Unsigned::Gone)) => Err(self.hung_up()),
            Err(_) => Err(unreachable_host(self.target, "an offered key was not answered")),
        }
    }

    /// Tries the stored password once, by the method that the server prefers: each try counts for its lock-outs.
    async fn stored(&mut self, secret: &Secret) -> Result<Progress, Fault> {
        if self.offers(MethodKind::Password) {
            self.tried.push("the stored password".to_owned());
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
        let user = self.target.user.clone();
        let secret = secret.expose();
        let trying = self.handle.authenticate_password(user, secret.as_str());
        let Ok(answer) = timeout(ANSWER_TIMEOUT, trying).await else {
            // The library passes over a request for a new password.
            return Err(Fault::new(
                Reason::AuthInputRequired,
                format!(
                    "{} did not answer the password of {} for {} s; it may want a new one",
                    place(self.target),
                    plain(&self.target.user),
                    ANSWER_TIMEOUT.as_secs()
                ),
            )
            .hint(format!(
                "a person runs `sshctl login --keeper local-tmux {}`: OpenSSH's client asks for the new one",
                plain(&self.target.alias)
            )));
        };
        self.answered(answer).await
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
        self.tried
            .push(format!("{DIALOGUE_ROUNDS_MAX} rounds of questions"));
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
            self.tried
                .push(format!("the server put {} questions at once", prompts.len()));
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
                self.tried.push(format!("asked for {:?}", plain(&prompt.prompt)));
            }
            self.stored = Stored::Unasked;
            return Ok(None);
        }
        let mut responses = Vec::new();
        for prompt in prompts {
            let is_theirs = is_theirs(prompt);
            if let Some(secret) = secret.take_if(|_| is_theirs) {
                self.stored = Stored::Refused;
                self.tried
                    .push("the stored password (keyboard-interactive)".to_owned());
                responses.push(secret.expose().to_string());
                continue;
            }
            let Some(person) = self.person else {
                return Ok(None);
            };
            let text = format!("{}{} ", std::mem::take(&mut about), plain(&prompt.prompt));
            let answer = person.ask(text, prompt.echo).await?;
            self.tried
                .push(format!("what was typed for {:?}", plain(&prompt.prompt)));
            responses.push(answer.expose().to_string());
            if is_theirs {
                self.typed = Some(answer);
            }
        }
        Ok(Some(responses))
    }

    fn tried(&self) -> String {
        if self.tried.is_empty() {
            "nothing".to_owned()
        } else {
            self.tried.join(", ")
        }
    }

    fn hung_up(&self) -> Fault {
        let cause = self
            .shared
            .cause()
            .map_or_else(|| "connection closed".to_owned(), |cause| cause.to_string());
        if self.tried.is_empty() {
            return unreachable_host(self.target, &format!("{cause} before the login"));
        }
        if self.stored == Stored::Refused {
            return self.wrong_password(&cause);
        }
        let fault = Fault::new(
            Reason::AuthFailed,
            format!(
                "{} ended the login of {}: {cause} (tried: {})",
                place(self.target),
                plain(&self.target.user),
                self.tried()
            ),
        )
        .hint("check the user name; too many keys in the agent are avoided by IdentitiesOnly and one IdentityFile");
        // A server that refuses says so before it goes; one that goes without a word may have been cut off.
        if matches!(&*cause, "connection closed" | "connection reset") {
            fault.retryable()
        } else {
            fault
        }
    }

    fn wrong_password(&self, facts: &str) -> Fault {
        let (at, user) = (place(self.target), plain(&self.target.user));
        Fault::new(
            Reason::AuthFailed,
            format!("{at} refused the stored password of {user} ({facts})"),
        )
        .hint("correct the stored password")
    }

    /// The most useful reason first.
    fn failed(&self, identities: &Identities) -> Fault {
        let (at, user) = (place(self.target), plain(&self.target.user));
        let alias = plain(&self.target.alias);
        let offered: Vec<&str> = self.offered.iter().map(Into::into).collect();
        let offered = if offered.is_empty() {
            "nothing more".to_owned()
        } else {
            offered.join(", ")
        };
        let mut tried = self.tried();
        for unusable in &identities.unusable {
            tried = format!("{tried}; {unusable}");
        }
        let facts = format!("tried: {tried}; the server offers: {offered}");
        if self.stored == Stored::Refused && self.person.is_none() {
            return self.wrong_password(&facts);
        }
        if let Some(file) = identities.exposed.first() {
            let file = file.display();
            return Fault::new(
                Reason::AuthFailed,
                format!("{at} let {user} not in, and the key file {file} was not used because others can read it ({facts})"),
            )
            .hint(format!("run `chmod 600 {file}`, then try again"));
        }
        if let Some(file) = identities.encrypted.first() {
            let file = file.display();
            if self.person.is_some() {
                return Fault::new(
                    Reason::AuthFailed,
                    format!("the key file {file} for {at} does not say which key it has ({facts})"),
                )
                .hint(format!(
                    "add it with `ssh-add {file}`, or make `{file}.pub` by `ssh-keygen -y`"
                ));
            }
            return Fault::new(
                Reason::AuthInputRequired,
                format!("the key file {file} for {at} has a passphrase and no agent holds it ({facts})"),
            )
            .hint(format!(
                "a person runs `sshctl login {alias}`, or adds the key with `ssh-add {file}`"
            ));
        }
        let wants = self.asks() && self.target.password.is_none() || self.stored == Stored::Unasked;
        if wants && self.person.is_none() {
            return Fault::new(
                Reason::AuthInputRequired,
                format!("{at} wants something typed for {user} that is not stored ({facts})"),
            )
            .hint(format!("a person runs `sshctl login {alias}`"));
        }
        Fault::new(Reason::AuthFailed, format!("{at} let {user} not in ({facts})"))
            .hint("check the user name and which keys the account accepts")
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
