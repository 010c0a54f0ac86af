//! The login: keys, then passwords and what else is typed, as OpenSSH would, without tripping the server's limit of
//! attempts. What is not stored is asked of a person where one is there, and becomes `auth_input_required` where not.

mod refusal;
mod typed;

use std::{collections::VecDeque, future::Future, time::Duration};

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle},
    keys::HashAlg,
};
use sshmcp_proto::error::Fault;
use tokio::time::timeout;

use self::typed::Stored;
use super::{
    accepted::Accepted,
    asking::{Asker, Given},
    handshake::{Handler, NO_METHOD_LEFT, Shared, unreachable_host},
    identity::{self, Identities, Identity},
    signing::{Pen, SignBy, Unsigned},
    tries::Tries,
};
use crate::{host::Target, secret::Secret};

/// Times that a server may say "and now something else": key, password, code, and one more.
const PARTIAL_MAX: usize = 4;
/// As servers say that they have counted enough failures, or attempts.
const TOO_MANY: &str = "too many authentication";
/// A server that is silent for longer does not answer: PAM's own delays are some seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);

/// The connection's task notes its end a moment after its last answer.
const CAUSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Logs in, or says what is missing; `tries` then says whether another connection could go on. What a person gave and the
/// server took is added to `given`.
pub(super) async fn authenticate(
    handle: &mut Handle<Handler>,
    shared: &Shared,
    target: &Target,
    person: Option<&Asker>,
    given: &mut Given,
    tries: &mut Tries,
) -> Result<(), Fault> {
    tries.connected();
    let mut login = Login {
        handle,
        shared,
        target,
        person,
        given,
        tries,
        offered: MethodSet::empty(),
        stored: Stored::NotTried,
        typed: None,
        has_typed: false,
        wants_new: false,
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
    tries: &'a mut Tries,
    /// Methods with which the server would go on.
    offered: MethodSet,
    stored: Stored,
    /// The password that the person typed last.
    typed: Option<Secret>,
    /// The server was given something that is typed.
    has_typed: bool,
    /// The server asked for a new password.
    wants_new: bool,
    /// Times that the server took something and wanted more.
    partial: usize,
    /// A question stands that nobody answers: nothing else can be tried on this connection.
    is_over: bool,
}

/// Some: logged in. None: not yet.
type Progress = Option<()>;

/// What is typed: a password as such, and in answer to the server's own questions.
const TYPED: [MethodKind; 2] = [MethodKind::Password, MethodKind::KeyboardInteractive];

/// A kind of login.
enum Step {
    Keys,
    /// By one of these ways.
    Typed(&'static [MethodKind]),
}

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
            for step in self.steps() {
                let done = match step {
                    Step::Keys => {
                        let found = match &mut identities {
                            Some(found) => found,
                            none => none.insert(self.collect().await),
                        };
                        self.keys(found).await?
                    }
                    Step::Typed(ways) => self.secrets(ways).await?,
                };
                if done.is_some() {
                    self.keep_typed();
                    return Ok(());
                }
                if self.is_over || self.partial != before {
                    break;
                }
            }
            // Only a server that took something is asked on.
            if self.is_over || self.partial == before || self.partial > PARTIAL_MAX {
                if !self.is_over && !self.has_typed {
                    self.tries.keys_are_left();
                }
                return Err(self.failed(&identities.unwrap_or_default()));
            }
        }
    }

    /// What is tried, in this order, of what the server offers now.
    fn steps(&self) -> Vec<Step> {
        let all = match &self.target.options.methods {
            Some(methods) if self.target.options.in_order => methods
                .iter()
                .filter_map(|method| match method.as_str() {
                    "publickey" => Some(Step::Keys),
                    "password" => Some(Step::Typed(&[MethodKind::Password])),
                    "keyboard-interactive" => Some(Step::Typed(&[MethodKind::KeyboardInteractive])),
                    _ => None,
                })
                .collect(),
            _ => vec![Step::Keys, Step::Typed(&TYPED)],
        };
        let is_open = |step: &Step| match step {
            Step::Keys => self.offers(MethodKind::PublicKey),
            Step::Typed(ways) => ways.iter().any(|way| self.offers(*way)),
        };
        all.into_iter().filter(is_open).collect()
    }

    /// The password that let a person in is kept.
    fn keep_typed(&mut self) {
        if let Some(password) = self.typed.take() {
            self.given.password = Some(password);
            self.given.is_new = true;
        }
    }

    async fn collect(&self) -> Identities {
        let (person, given) = (self.person.is_some(), &*self.given);
        let mut found = identity::collect(self.handle, self.target, |file| {
            person || given.passphrases.contains_key(file)
        })
        .await;
        let accepted = Accepted::of(self.target);
        for left_out in found.offers.extract_if(.., |identity| !accepted.takes(identity)) {
            let words = "ssh_config's PubkeyAcceptedAlgorithms leaves it out";
            found.unusable.push(format!("{}: {words}", left_out.label));
        }
        self.tries.order(&mut found.offers, |identity| &identity.label);
        found
    }

    fn offers(&self, method: MethodKind) -> bool {
        self.offered.contains(&method) && self.target.options.allows((&method).into())
    }

    /// True if the server would take something that is typed.
    fn asks(&self) -> bool {
        TYPED.iter().any(|way| self.offers(*way))
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
                    if let Some(last) = self.tries.tried.last_mut() {
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
            if offers.is_empty() || !self.tries.may_offer(offers.len()) {
                return Ok(None);
            }
            let Some(identity) = offers.pop_front() else {
                return Ok(None);
            };
            self.tries.offers(&identity.label);
            let offered = self.offer(&identity, identities).await;
            match &offered {
                Ok(Some(())) => self.tries.takes(&identity.label),
                Ok(None) if self.partial != before => self.tries.takes(&identity.label),
                Ok(None) => self.tries.refuses(&identity.label),
                Err(_) if self.is_tripped() => {
                    self.tries.refuses(&identity.label);
                    let more = self.asks()
                        && (self.person.is_some()
                            || self.target.password.is_some()
                            || self.given.password.is_some());
                    self.tries.tripped(offers.len(), more);
                }
                Err(_) => {}
            }
            if offered?.is_some() {
                return Ok(Some(()));
            }
        }
        // A server that took a key may want a second one.
        identities.offers = offers.into();
        Ok(None)
    }

    /// The server hung up because it counted too many failures.
    fn is_tripped(&self) -> bool {
        let cause = self.shared.cause();
        cause.is_some_and(|cause| cause.to_lowercase().contains(TOO_MANY))
    }

    async fn offer(&mut self, identity: &Identity, identities: &mut Identities) -> Result<Progress, Fault> {
        let user = self.target.user.clone();
        let hash = if identity.public.algorithm().is_rsa() {
            let best = match self.handle.best_supported_rsa_hash().await {
                Ok(Some(best)) => best,
                // A server that does not say: SHA-2 is the better guess since OpenSSH 7.2.
                Ok(None) => Some(HashAlg::Sha512),
                Err(_) => return Err(self.hung_up()),
            };
            Accepted::of(self.target).hash(identity, best)
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
}
