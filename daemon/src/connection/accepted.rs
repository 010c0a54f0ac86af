//! ssh_config's PubkeyAcceptedAlgorithms: which keys are offered for a login, and how an RSA key signs. What it does not say
//! is OpenSSH's own choice, which is not ours.

use russh::keys::{Algorithm, HashAlg};

use super::{algorithms::matches, identity::Identity};
use crate::host::Target;

/// How RSA keys sign, the better first; none: SHA-1.
const HASHES: [Option<HashAlg>; 3] = [Some(HashAlg::Sha512), Some(HashAlg::Sha256), None];

/// The list of a target.
pub(super) struct Accepted<'a>(Option<&'a str>);

impl<'a> Accepted<'a> {
    pub(super) fn of(target: &'a Target) -> Self {
        Self(target.options.algorithms.user_keys.as_deref())
    }

    /// Whether the key may be offered in any way.
    pub(super) fn takes(&self, identity: &Identity) -> bool {
        match identity.public.algorithm() {
            Algorithm::Rsa { .. } => HASHES.into_iter().any(|hash| self.takes_rsa(identity, hash)),
            other => self.takes_by(identity, &other),
        }
    }

    /// How this RSA key signs for a server that would have it so, or says nothing of it.
    pub(super) fn hash(&self, identity: &Identity, best: Option<HashAlg>) -> Option<HashAlg> {
        let mut all = [best].into_iter().chain(HASHES);
        all.find(|hash| self.takes_rsa(identity, *hash)).unwrap_or(best)
    }

    fn takes_rsa(&self, identity: &Identity, hash: Option<HashAlg>) -> bool {
        self.takes_by(identity, &Algorithm::Rsa { hash })
    }

    fn takes_by(&self, identity: &Identity, algorithm: &Algorithm) -> bool {
        let name = match identity.certificate {
            Some(_) => algorithm.to_certificate_type(),
            None => algorithm.as_str().to_owned(),
        };
        self.has(&name)
    }

    fn has(&self, name: &str) -> bool {
        let is_in = |list: &str| list.split(',').any(|pattern| matches(pattern.trim(), name));
        match self.0.map(|list| (list, list.split_at_checked(1))) {
            // These add to what is offered anyhow, or change its order.
            None | Some((_, Some(("+" | "^", _)))) => true,
            Some((_, Some(("-", less)))) => !is_in(less),
            Some((list, _)) => is_in(list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (list, name, is_taken) in [
            (None, "ssh-rsa", true),
            (Some("ssh-ed25519"), "ssh-ed25519", true),
            (Some("ssh-ed25519"), "ssh-ed25519-cert-v01@openssh.com", false),
            (
                Some("ssh-ed25519*, rsa-sha2-*"),
                "ssh-ed25519-cert-v01@openssh.com",
                true,
            ),
            (Some("ssh-ed25519*, rsa-sha2-*"), "rsa-sha2-256", true),
            (Some("ssh-ed25519*, rsa-sha2-*"), "ecdsa-sha2-nistp256", false),
            (Some("-ecdsa*,sk-*"), "ecdsa-sha2-nistp384", false),
            (Some("-ecdsa*,sk-*"), "sk-ssh-ed25519@openssh.com", false),
            (Some("-ecdsa*,sk-*"), "ssh-ed25519", true),
            (Some("+ssh-rsa"), "ssh-ed25519", true),
            (Some("^rsa-sha2-256"), "ssh-ed25519", true),
        ] {
            assert_eq!(Accepted(list).has(name), is_taken, "{list:?} {name}");
        }
    }
}
