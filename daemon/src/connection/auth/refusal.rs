//! What is told of a login that failed: what was tried, what the server offers, and what to do.

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{
    super::{
        handshake::unreachable_host,
        identity::Identities,
        words::{place, plain},
    },
    Login, Stored,
};

/// The way out where keys are too many.
const NAME_THE_KEY: &str =
    "name the right key: IdentityFile and `IdentitiesOnly yes` for this host in ssh_config, or key_path";

impl Login<'_> {
    pub(super) fn hung_up(&self) -> Fault {
        let cause = self
            .shared
            .cause()
            .map_or_else(|| "connection closed".to_owned(), |cause| cause.to_string());
        if self.shared.is_broken() {
            return unreachable_host(
                self.target,
                &format!("the server broke the protocol in the login: {cause}"),
            );
        }
        if self.tries.tried.is_empty() {
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
                self.tries.words()
            ),
        )
        .hint(if self.is_tripped() {
            NAME_THE_KEY
        } else {
            "check the user name, and what the account takes"
        });
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
            format!("{at} refused the password of {user} ({facts})"),
        )
        .hint("correct the password where it comes from: the call, the configuration, or `sshctl secret`")
    }

    /// The most useful reason first.
    pub(super) fn failed(&self, identities: &Identities) -> Fault {
        let (at, user) = (place(self.target), plain(&self.target.user));
        let typed = plain(&self.target.typed);
        let offered: Vec<&str> = self.offered.iter().map(Into::into).collect();
        let offered = if offered.is_empty() {
            "nothing more".to_owned()
        } else {
            offered.join(", ")
        };
        let mut tried = self.tries.words();
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
                "a person runs `sshctl login {typed}`, or adds the key with `ssh-add {file}`"
            ));
        }
        if self.wants_new && self.person.is_none() {
            return Fault::new(
                Reason::AuthInputRequired,
                format!("{at} wants a new password of {user} ({facts})"),
            )
            .hint(format!(
                "a person runs `sshctl login {typed}` and gives it; a stored password is to be stored again then"
            ));
        }
        let wants = self.asks() && self.target.password.is_none() || self.stored == Stored::Unasked;
        if wants && self.person.is_none() {
            return Fault::new(
                Reason::AuthInputRequired,
                format!("{at} wants something typed for {user} that is not stored ({facts})"),
            )
            .hint(if self.tries.were_too_many() {
                format!("{NAME_THE_KEY}; or a person runs `sshctl login {typed}`")
            } else {
                format!("a person runs `sshctl login {typed}`")
            });
        }
        Fault::new(Reason::AuthFailed, format!("{at} let {user} not in ({facts})")).hint(
            if self.tries.were_too_many() {
                NAME_THE_KEY
            } else {
                "check the user name and which keys the account accepts"
            },
        )
    }
}
