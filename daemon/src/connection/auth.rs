//! The login: keys, then a stored password, as OpenSSH would, without tripping the server's limit of attempts.
//! Asks nobody anything: what a person would have to type becomes `auth_input_required`.

use std::time::Duration;

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Dialogue},
    keys::{HashAlg, PrivateKeyWithHashAlg},
};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::timeout;

use super::{
    handshake::{Handler, NO_METHOD_LEFT, Shared, unreachable_host},
    identity::{self, Identities, Identity, SignBy},
    words::{place, plain},
};
use crate::{host::Target, secret::Secret};

/// sshd allows six attempts (MaxAuthTries); one is left for a password.
const KEY_OFFERS_MAX: usize = 5;
/// Rounds of a keyboard-interactive dialogue; a server can ask for ever.
const DIALOGUE_ROUNDS_MAX: usize = 5;

/// The connection's task notes its end a moment after its last answer.
const CAUSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Logs in, or says what is missing.
pub(super) async fn authenticate(
    handle: &mut Handle<Handler>,
    shared: &Shared,
    target: &Target,
) -> Result<(), Fault> {
    let mut login = Login {
        handle,
        shared,
        target,
        offered: MethodSet::empty(),
        tried: Vec::new(),
        password: Password::NotTried,
    };
    login.run().await
}

struct Login<'a> {
    handle: &'a mut Handle<Handler>,
    shared: &'a Shared,
    target: &'a Target,
    /// Methods with which the server would go on.
    offered: MethodSet,
    tried: Vec<String>,
    password: Password,
}

/// What became of the stored password.
#[derive(PartialEq, Eq)]
enum Password {
    NotTried,
    Refused,
    /// The server asked for something else, or for more.
    Unasked,
}

/// Some: logged in. None: not yet.
type Progress = Option<()>;

impl Login<'_> {
    async fn run(&mut self) -> Result<(), Fault> {
        let user = self.target.user.clone();
        let answer = self.handle.authenticate_none(user).await;
        if self.answered(answer).await?.is_some() {
            return Ok(());
        }
        let mut identities = Identities::default();
        if self.offers(MethodKind::PublicKey) {
            identities = identity::collect(self.handle, self.target).await;
            if self.keys(&mut identities).await?.is_some() {
                return Ok(());
            }
        }
        let source = self.target.password.as_ref().filter(|_| self.asks());
        if let Some(source) = source {
            let secret = source.resolve().await?;
            if self.password(&secret).await?.is_some() {
                return Ok(());
            }
        }
        Err(self.failed(&identities))
    }

    fn offers(&self, method: MethodKind) -> bool {
        self.offered.contains(&method) && self.target.options.allows((&method).into())
    }

    /// True if the server would take something that is typed.
    fn asks(&self) -> bool {
        self.offers(MethodKind::Password) || self.offers(MethodKind::KeyboardInteractive)
    }

    /// Takes an answer in; a server that hung up ends the login with its own words.
    async fn answered(&mut self, answer: Result<AuthResult, russh::Error>) -> Result<Progress, Fault> {
        match answer {
            Ok(AuthResult::Success) => Ok(Some(())),
            Ok(AuthResult::Failure {
                remaining_methods, ..
            }) if !remaining_methods.is_empty() => {
                self.offered = remaining_methods;
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
        let offers = std::mem::take(&mut identities.offers);
        let total = offers.len();
        for identity in offers.into_iter().take(KEY_OFFERS_MAX) {
            if !self.offers(MethodKind::PublicKey) {
                return Ok(None);
            }
            self.tried.push(identity.label.clone());
            if self.offer(&identity, identities).await?.is_some() {
                return Ok(Some(()));
            }
        }
        if total > KEY_OFFERS_MAX {
            self.tried
                .push(format!("{} more keys not offered", total - KEY_OFFERS_MAX));
        }
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
        match &identity.signer {
            SignBy::Key(key) => {
                let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
                let answer = self.handle.authenticate_publickey(user, key).await;
                self.answered(answer).await
            }
            SignBy::Agent => {
                let Some(agent) = &mut identities.agent else {
                    return Ok(None);
                };
                let public = identity.public.clone();
                let signed = self.handle.authenticate_publickey_with(user, public, hash, agent);
                match signed.await {
                    Ok(answer) => self.answered(Ok(answer)).await,
                    Err(error) if !self.handle.is_closed() => {
                        identities.unusable.push(format!(
                            "{}: the agent did not sign ({})",
                            identity.label,
                            plain(&error.to_string())
                        ));
                        Ok(None)
                    }
                    Err(_) => Err(self.hung_up()),
                }
            }
        }
    }

    /// Tries the stored password once, by the method that the server prefers: each try counts for its lock-outs.
    async fn password(&mut self, secret: &Secret) -> Result<Progress, Fault> {
        if self.offers(MethodKind::Password) {
            self.tried.push("the stored password".to_owned());
            let user = self.target.user.clone();
            let answer = self
                .handle
                .authenticate_password(user, secret.expose().as_str())
                .await;
            self.password = match &answer {
                Ok(AuthResult::Failure {
                    partial_success: true,
                    ..
                }) => Password::Unasked,
                _ => Password::Refused,
            };
            return self.answered(answer).await;
        }
        if self.offers(MethodKind::KeyboardInteractive) {
            return self.dialogue(secret).await;
        }
        Ok(None)
    }

    /// Answers one question that is asked without echo with the password, and no other question.
    async fn dialogue(&mut self, secret: &Secret) -> Result<Progress, Fault> {
        self.password = Password::Unasked;
        let user = self.target.user.clone();
        let mut answer = self
            .handle
            .authenticate_keyboard_interactive_start(user, None)
            .await;
        for _ in 0..DIALOGUE_ROUNDS_MAX {
            let prompts = match answer {
                Ok(Dialogue::Success) => return Ok(Some(())),
                Ok(Dialogue::InfoRequest { prompts, .. }) => prompts,
                Ok(Dialogue::Failure {
                    remaining_methods,
                    partial_success,
                }) => {
                    let answer = Ok(AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    });
                    return self.answered(answer).await;
                }
                Err(_) => return Err(self.hung_up()),
            };
            let responses = match prompts.as_slice() {
                [] => Vec::new(),
                [prompt] if !prompt.echo && self.password == Password::Unasked => {
                    self.password = Password::Refused;
                    self.tried
                        .push("the stored password (keyboard-interactive)".to_owned());
                    vec![secret.expose().to_string()]
                }
                [prompt, ..] => {
                    self.password = Password::Unasked;
                    self.tried.push(format!("asked for {:?}", plain(&prompt.prompt)));
                    return Ok(None);
                }
            };
            answer = self
                .handle
                .authenticate_keyboard_interactive_respond(responses)
                .await;
        }
        Ok(None)
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
        if self.password == Password::Refused {
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
        if self.password == Password::Refused {
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
            return Fault::new(
                Reason::AuthInputRequired,
                format!("the key file {file} for {at} has a passphrase and no agent holds it ({facts})"),
            )
            .hint(format!(
                "a person runs `sshctl login {alias}`, or adds the key with `ssh-add {file}`"
            ));
        }
        if self.asks() && self.target.password.is_none() || self.password == Password::Unasked {
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
