//! ssh_config's lists of algorithms, taken over those that we offer.

use std::borrow::Cow;

use russh::{AlgorithmKind, Preferred, cipher, compression, kex, keys::Algorithm, mac};
use sshmcp_proto::{error::Fault, v1::Reason};

use crate::host::Target;

/// What OpenSSH offers by itself and russh only where it is asked to; they come last.
const MORE_KEX: [kex::Name; 3] = [
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
];
const MORE_CIPHERS: [cipher::Name; 1] = [cipher::AES_128_GCM];
const MORE_MACS: [mac::Name; 2] = [mac::HMAC_SHA1_ETM, mac::HMAC_SHA1];

fn with_more<Name: Copy>(ours: &[Name], more: &[Name]) -> Vec<Name> {
    ours.iter().chain(more).copied().collect()
}

fn known_kex() -> impl Iterator<Item = kex::Name> {
    let all = kex::ALL_KEX_ALGORITHMS.iter().map(|name| **name);
    all.filter(|name| *name != kex::NONE)
}

fn known_ciphers() -> impl Iterator<Item = cipher::Name> {
    let all = cipher::ALL_CIPHERS.iter().map(|name| **name);
    all.filter(|name| ![cipher::NONE, cipher::CLEAR].contains(name))
}

fn known_macs() -> impl Iterator<Item = mac::Name> {
    let all = mac::ALL_MAC_ALGORITHMS.iter().map(|name| **name);
    all.filter(|name| *name != mac::NONE)
}

/// What a server offers that we have and do not offer by ourselves, with the directive that has it offered.
pub(super) fn on_request(kind: &AlgorithmKind, theirs: &[String]) -> Option<(&'static str, String)> {
    let (directive, known): (_, Vec<String>) = match kind {
        AlgorithmKind::Kex => ("KexAlgorithms", names(known_kex())),
        AlgorithmKind::Cipher => ("Ciphers", names(known_ciphers())),
        AlgorithmKind::Mac => ("MACs", names(known_macs())),
        AlgorithmKind::Key | AlgorithmKind::Compression => return None,
    };
    let found = theirs.iter().find(|name| known.contains(name))?;
    Some((directive, found.clone()))
}

/// It is offered where ssh_config says nothing of such.
pub(super) fn is_offered(kind: &AlgorithmKind, name: &str) -> bool {
    let ours = Preferred::DEFAULT;
    match kind {
        AlgorithmKind::Kex => names(with_more(&ours.kex, &MORE_KEX).iter()),
        AlgorithmKind::Cipher => names(with_more(&ours.cipher, &MORE_CIPHERS).iter()),
        AlgorithmKind::Mac => names(with_more(&ours.mac, &MORE_MACS).iter()),
        AlgorithmKind::Key | AlgorithmKind::Compression => Vec::new(),
    }
    .iter()
    .any(|offered| offered == name)
}

fn names<Name: AsRef<str>>(all: impl Iterator<Item = Name>) -> Vec<String> {
    all.map(|name| name.as_ref().to_owned()).collect()
}

/// What is offered to this target.
pub(super) fn preferred(target: &Target, ours: Preferred) -> Result<Preferred, Fault> {
    let said = &target.options.algorithms;
    // What stands behind the methods of key exchange are no methods, but what we understand.
    let is_method = |name: &&kex::Name| {
        !["ext-info-", "kex-strict-"]
            .iter()
            .any(|word| name.as_ref().starts_with(word))
    };
    let methods: Vec<kex::Name> = ours.kex.iter().filter(is_method).copied().collect();
    let words = ours.kex.iter().filter(|name| !is_method(name)).copied();
    let methods = with_more(&methods, &MORE_KEX);
    let mut exchanges = pick("KexAlgorithms", said.kex.as_deref(), &methods, known_kex())?;
    exchanges.extend(words);
    let ciphers = with_more(&ours.cipher, &MORE_CIPHERS);
    let macs = with_more(&ours.mac, &MORE_MACS);
    let compression = if target.options.compression {
        let mut names = vec![compression::ZLIB_LEGACY, compression::ZLIB];
        names.push(compression::NONE);
        Cow::Owned(names)
    } else {
        ours.compression
    };
    Ok(Preferred {
        kex: Cow::Owned(exchanges),
        key: Cow::Owned(keys(said.host_keys.as_deref(), &ours.key)?),
        host_key_certificates: ours.host_key_certificates,
        cipher: Cow::Owned(pick(
            "Ciphers",
            said.ciphers.as_deref(),
            &ciphers,
            known_ciphers(),
        )?),
        mac: Cow::Owned(pick("MACs", said.macs.as_deref(), &macs, known_macs())?),
        compression,
    })
}

/// Host keys; of certificates only their kinds of key count here.
fn keys(said: Option<&str>, ours: &[Algorithm]) -> Result<Vec<Algorithm>, Fault> {
    let Some(said) = said else {
        return Ok(ours.to_vec());
    };
    let names: Vec<Key> = ours.iter().cloned().map(Key).collect();
    let is_plain = said.split(',').any(|name| !name.contains("-cert-"));
    if !is_plain && !said.starts_with(['+', '-', '^']) {
        // Certificates alone: whatever key is in them.
        return Ok(ours.to_vec());
    }
    let mut picked = pick("HostKeyAlgorithms", Some(said), &names, names.iter().cloned())?;
    if !said.starts_with(['+', '-', '^']) {
        // A host that is known by a key of one kind is asked for that first, as OpenSSH does within its own list only.
        picked.sort_by_key(|name| names.iter().position(|own| own == name));
    }
    Ok(picked.into_iter().map(|Key(algorithm)| algorithm).collect())
}

#[derive(Clone, PartialEq)]
struct Key(Algorithm);

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self.0.as_str()
    }
}

/// The names of a list that we have, in its order; or ours, changed as it says.
fn pick<Name: Clone + PartialEq + AsRef<str>>(
    directive: &str,
    said: Option<&str>,
    ours: &[Name],
    known: impl Iterator<Item = Name>,
) -> Result<Vec<Name>, Fault> {
    let Some(said) = said else {
        return Ok(ours.to_vec());
    };
    let known: Vec<Name> = known.collect();
    let named = |list: &str| -> Vec<Name> {
        list.split(',')
            .filter_map(|name| known.iter().find(|known| known.as_ref() == name.trim()))
            .cloned()
            .collect()
    };
    let without =
        |names: &[Name]| -> Vec<Name> { ours.iter().filter(|own| !names.contains(own)).cloned().collect() };
    let picked = match said.split_at_checked(1) {
        Some(("+", more)) => {
            let more = named(more);
            let mut all = ours.to_vec();
            all.extend(more.into_iter().filter(|name| !ours.contains(name)));
            all
        }
        Some(("^", first)) => {
            let first = named(first);
            let rest = without(&first);
            first.into_iter().chain(rest).collect()
        }
        Some(("-", less)) => ours
            .iter()
            .filter(|own| {
                !less
                    .split(',')
                    .any(|pattern| matches(pattern.trim(), own.as_ref()))
            })
            .cloned()
            .collect(),
        _ => named(said),
    };
    if picked.is_empty() {
        return Err(Fault::new(
            Reason::NotSupported,
            format!("of ssh_config's {directive} for this host the daemon knows none: {said}"),
        )
        .hint("add one that it knows, or open the session with the keeper `local-tmux`, which uses OpenSSH's own client"));
    }
    Ok(picked)
}

/// Patterns of lists have `*` alone, at most a few.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len()).any(|at| name.get(at..).is_some_and(|name| matches(rest, name)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ciphers(said: &str) -> Result<String, String> {
        let ours = [
            cipher::CHACHA20_POLY1305,
            cipher::AES_256_GCM,
            cipher::AES_256_CTR,
        ];
        let known = cipher::ALL_CIPHERS.iter().map(|name| **name);
        let picked = pick("Ciphers", Some(said), &ours, known).map_err(|fault| fault.message)?;
        let names: Vec<&str> = picked.iter().map(AsRef::as_ref).collect();
        Ok(names.join(","))
    }

    #[test]
    fn lists() {
        let ours = "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes256-ctr";
        for (said, expected) in [
            (
                "aes256-ctr,unheard-of,aes128-cbc",
                "aes256-ctr,aes128-cbc".to_owned(),
            ),
            ("+aes128-cbc,aes256-ctr", format!("{ours},aes128-cbc")),
            (
                "^aes256-ctr",
                "aes256-ctr,chacha20-poly1305@openssh.com,aes256-gcm@openssh.com".to_owned(),
            ),
            (
                "-*-gcm@*,nothing",
                "chacha20-poly1305@openssh.com,aes256-ctr".to_owned(),
            ),
            ("+unheard-of", ours.to_owned()),
        ] {
            assert_eq!(ciphers(said), Ok(expected), "{said}");
        }
        for said in ["unheard-of", "-*"] {
            assert!(ciphers(said).expect_err(said).contains("Ciphers"), "{said}");
        }
    }

    /// All that OpenSSH offers by itself and we have is offered; the rest is told by its directive.
    #[test]
    fn on_request_alone() {
        for (kind, theirs, expected) in [
            (
                AlgorithmKind::Kex,
                "sntrup761x25519-sha512,diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
                Some(("KexAlgorithms", "diffie-hellman-group14-sha1")),
            ),
            (
                AlgorithmKind::Kex,
                "sntrup761x25519-sha512,kex-strict-s-v00@openssh.com",
                None,
            ),
            (
                AlgorithmKind::Cipher,
                "arcfour,aes256-cbc",
                Some(("Ciphers", "aes256-cbc")),
            ),
            (AlgorithmKind::Cipher, "none,clear", None),
            (AlgorithmKind::Mac, "hmac-md5", None),
            (AlgorithmKind::Key, "ssh-dss", None),
        ] {
            let theirs: Vec<String> = theirs.split(',').map(str::to_owned).collect();
            let found = on_request(&kind, &theirs);
            let found = found
                .as_ref()
                .map(|(directive, name)| (*directive, name.as_str()));
            assert_eq!(found, expected, "{theirs:?}");
            assert!(
                expected.is_none_or(|(_, name)| !is_offered(&kind, name)),
                "{theirs:?}"
            );
        }
        for (kind, name) in [
            (AlgorithmKind::Kex, "curve25519-sha256"),
            (AlgorithmKind::Cipher, "aes128-ctr"),
            (AlgorithmKind::Mac, "hmac-sha2-256"),
        ] {
            assert!(is_offered(&kind, name), "{name}");
        }
    }

    #[test]
    fn host_keys() {
        let ours = &Preferred::DEFAULT.key;
        let named = |said: &str| -> Vec<String> {
            let picked = keys(Some(said), ours).expect("some");
            picked.iter().map(|key| key.as_str().to_owned()).collect()
        };
        assert_eq!(named("rsa-sha2-256,ssh-ed25519"), ["ssh-ed25519", "rsa-sha2-256"]);
        assert_eq!(named("ssh-ed25519-cert-v01@openssh.com").len(), ours.len());
        assert_eq!(named("-ssh-rsa").len(), ours.len() - 1);
    }
}
