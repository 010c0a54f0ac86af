//! Which host keys are known: OpenSSH's known_hosts format and its rules, as a pure function of the files' texts.
//! Reads and writes no file; what follows from a verdict is `trust`'s matter.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use russh::keys::{HashAlg, PublicKey};

/// A known_hosts file as it was read.
pub(super) struct KnownHosts {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// A key that is on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// The key's type, e.g. `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`.
    pub fingerprint: String,
}

/// What the files say about a key that a host offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This very key is on file.
    Trusted,
    /// No key of this type is on file; `other` is one of another type, if there is any.
    Unknown {
        /// A key of another type under this name.
        other: Option<KnownKey>,
    },
    /// Another key of the same type is on file.
    Changed(KnownKey),
    /// The key is marked `@revoked`.
    Revoked(KnownKey),
}

/// The names under which one server is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostName {
    /// As known_hosts writes it: `name`, or `[name]:port`.
    pub(super) full: String,
    /// The name without its port, asked second, as OpenSSH does.
    pub(super) bare: Option<String>,
}

impl HostName {
    /// An alias stands alone; OpenSSH adds no port to it.
    pub(super) fn new(hostname: &str, port: u16, alias: Option<&str>) -> Self {
        if let Some(alias) = alias {
            return Self {
                full: alias.to_lowercase(),
                bare: None,
            };
        }
        let hostname = hostname
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_lowercase();
        if port == 22 {
            Self {
                full: hostname,
                bare: None,
            }
        } else {
            Self {
                full: format!("[{hostname}]:{port}"),
                bare: Some(hostname),
            }
        }
    }
}

/// Compares a key with everything on file.
pub(super) fn judge(files: &[KnownHosts], name: &HostName, key: &PublicKey) -> Verdict {
    let verdict = judge_name(files, &name.full, key);
    let (Verdict::Unknown { .. }, Some(bare)) = (&verdict, &name.bare) else {
        return verdict;
    };
    match judge_name(files, bare, key) {
        // Another key under the bare name says nothing about another port.
        Verdict::Unknown { .. } | Verdict::Changed(_) => verdict,
        found @ (Verdict::Trusted | Verdict::Revoked(_)) => found,
    }
}

/// The types of the keys on file for this host, so that the server is asked for one of those first.
pub(super) fn known_types(files: &[KnownHosts], name: &HostName) -> Vec<String> {
    let mut types = Vec::new();
    for wanted in std::iter::once(&name.full).chain(&name.bare) {
        for (_, _, line) in matching_lines(files, wanted) {
            if line.marker == Marker::None && !types.contains(&line.key_type) {
                types.push(line.key_type);
            }
        }
    }
    types
}

/// A key that may vouch for this host's.
pub(super) struct Authority {
    /// In wire form.
    pub(super) blob: Vec<u8>,
}

/// The authorities (`@cert-authority`) for this host, without those that are revoked.
pub(super) fn authorities(files: &[KnownHosts], name: &HostName) -> Vec<Authority> {
    let (mut trusted, mut revoked) = (Vec::new(), Vec::new());
    for wanted in std::iter::once(&name.full).chain(&name.bare) {
        for (_, _, line) in matching_lines(files, wanted) {
            match line.marker {
                Marker::CertAuthority => trusted.push(Authority { blob: line.blob }),
                Marker::Revoked => revoked.push(line.blob),
                Marker::None => {}
            }
        }
    }
    trusted.retain(|authority| !revoked.contains(&authority.blob));
    trusted
}

/// True if a certificate's principal, which may be a pattern, means this host; a certificate knows no ports.
pub(super) fn matches_principal(principal: &str, name: &HostName) -> bool {
    matches_pattern(principal, name.bare.as_ref().unwrap_or(&name.full))
}

fn judge_name(files: &[KnownHosts], name: &str, key: &PublicKey) -> Verdict {
    let Ok(offered) = key.to_bytes() else {
        return Verdict::Unknown { other: None };
    };
    let offered_type = key_type(&offered).unwrap_or_default();
    let (mut trusted, mut changed, mut other) = (false, None, None);
    for (path, number, line) in matching_lines(files, name) {
        let found = || KnownKey {
            file: path.clone(),
            line: number,
            algorithm: line.key_type.clone(),
            fingerprint: fingerprint_of(&line.blob),
        };
        match line.marker {
            Marker::Revoked if line.blob == offered => return Verdict::Revoked(found()),
            // A plain key is never matched by an authority.
            Marker::Revoked | Marker::CertAuthority => {}
            Marker::None if line.blob == offered => trusted = true,
            Marker::None if line.key_type == offered_type => {
                changed.get_or_insert_with(found);
            }
            Marker::None => {
                other.get_or_insert_with(found);
            }
        }
    }
    match (trusted, changed) {
        (true, _) => Verdict::Trusted,
        (false, Some(known)) => Verdict::Changed(known),
        (false, None) => Verdict::Unknown { other },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    None,
    CertAuthority,
    Revoked,
}

struct Line<'a> {
    marker: Marker,
    hosts: &'a str,
    key_type: String,
    blob: Vec<u8>,
}

/// Every well-formed line for this name; what cannot be read is passed over, as OpenSSH does.
fn matching_lines<'a>(
    files: &'a [KnownHosts],
    name: &'a str,
) -> impl Iterator<Item = (&'a PathBuf, usize, Line<'a>)> {
    files.iter().flat_map(move |file| {
        let numbered = file.text.lines().enumerate();
        numbered.filter_map(move |(index, text)| {
            let line = parse_line(text)?;
            matches_host(line.hosts, name).then_some((&file.path, index.saturating_add(1), line))
        })
    })
}

fn parse_line(text: &str) -> Option<Line<'_>> {
    let mut fields = text
        .split([' ', '\t', '\r'])
        .filter(|field| !field.is_empty())
        .peekable();
    let first = fields.next()?;
    if first.starts_with('#') {
        return None;
    }
    let (marker, hosts) = match first {
        "@cert-authority" => (Marker::CertAuthority, fields.next()?),
        "@revoked" => (Marker::Revoked, fields.next()?),
        _ if first.starts_with('@') => return None,
        _ => (Marker::None, first),
    };
    let named_type = fields.next()?;
    let blob = STANDARD.decode(fields.next()?).ok()?;
    let key_type = key_type(&blob)?;
    (key_type == named_type).then_some(Line {
        marker,
        hosts,
        key_type,
        blob,
    })
}

/// The first string of a key in wire form is its type.
fn key_type(blob: &[u8]) -> Option<String> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let name = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    std::str::from_utf8(name).ok().map(str::to_owned)
}

fn fingerprint_of(blob: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(blob);
    let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(digest);
    format!("SHA256:{text}")
}

/// The SHA-256 fingerprint of a key as ssh-keygen prints it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// One hashed name, or a list of patterns of which one must match and no negated one may.
fn matches_host(hosts: &str, name: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        return matches_hash(hashed, name).unwrap_or(false);
    }
    let mut found = false;
    for pattern in hosts.split(',').filter(|pattern| !pattern.is_empty()) {
        match pattern.strip_prefix('!') {
            Some(negated) if matches_pattern(negated, name) => return false,
            Some(_) => {}
            None => found = found || matches_pattern(pattern, name),
        }
    }
    found
}

fn matches_hash(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let salt = STANDARD.decode(salt).ok()?;
    let hash = STANDARD.decode(hash).ok()?;
    Some(name_hash(&salt, name).as_ref() == hash)
}

/// The hash that known_hosts uses: HMAC-SHA1 hides names from a glance, it protects nothing more.
fn name_hash(salt: &[u8], name: &str) -> ring::hmac::Tag {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
    ring::hmac::sign(&key, name.as_bytes())
}

/// A known_hosts line for this key with the name hashed.
pub(super) fn hashed_line(name: &str, key: &PublicKey, salt: [u8; 20]) -> Option<String> {
    let hash = name_hash(&salt, name);
    let openssh = openssh_line(key)?;
    Some(format!(
        "|1|{}|{} {openssh}\n",
        STANDARD.encode(salt),
        STANDARD.encode(hash.as_ref())
    ))
}

/// `type base64`, without a comment.
pub(super) fn openssh_line(key: &PublicKey) -> Option<String> {
    let blob = key.to_bytes().ok()?;
    Some(format!("{} {}", key_type(&blob)?, STANDARD.encode(&blob)))
}

/// `*` and `?`, without regard to case. Linear in time but for the last star: a file cannot make it explode.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(from) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(p) if *p == '?' || p == c => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star_at, star_from)) = star else {
                    return false;
                };
                star = Some((star_at, star_from + 1));
                at = star_at + 1;
                from = star_from + 1;
            }
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests;
