//! OpenSSH certificates: which of the user's go with which key, and whether one that a host shows is to be believed.
//! Pure but for reading files.

use std::path::{Path, PathBuf};

use russh::keys::{Certificate, HashAlg, PublicKey, ssh_key::certificate::CertType};

use super::host_key::{Authority, HostName, matches_principal};

/// A file larger than this is no certificate.
const FILE_MAX: u64 = 1 << 20; // 1 MiB

/// The user's certificates: those that ssh_config names, and those beside key files.
pub(super) struct UserCertificates(Vec<(PathBuf, Certificate)>);

impl UserCertificates {
    /// Reads them. What cannot be read is told in words.
    pub(super) fn read(named: &[PathBuf], keys: &[PathBuf], unusable: &mut Vec<String>) -> Self {
        let mut all = Vec::new();
        for path in named {
            match read(path) {
                Some(certificate) => all.push((path.clone(), certificate)),
                None => unusable.push(format!("certificate {}: cannot be read", path.display())),
            }
        }
        for key in keys {
            let mut name = key.as_os_str().to_owned();
            name.push("-cert.pub");
            let path = PathBuf::from(name);
            if !named.contains(&path)
                && let Some(certificate) = read(&path)
            {
                all.push((path, certificate));
            }
        }
        Self(all)
    }

    /// Those for this key. One that is for hosts, or not valid now, is told instead.
    pub(super) fn of(&self, key: &PublicKey, unusable: &mut Vec<String>) -> Vec<(PathBuf, Certificate)> {
        let mut found = Vec::new();
        for (path, certificate) in &self.0 {
            if certificate.public_key() != key.key_data() {
                continue;
            }
            let why = match certificate.cert_type() {
                CertType::Host => Some("is a host's"),
                CertType::User => when(certificate),
            };
            match why {
                None => found.push((path.clone(), certificate.clone())),
                Some(why) => unusable.push(format!("certificate {} {why}", path.display())),
            }
        }
        found
    }
}

fn read(path: &Path) -> Option<Certificate> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > FILE_MAX {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    Certificate::from_openssh(text.trim()).ok()
}

/// Why it is not valid now; none if it is.
fn when(certificate: &Certificate) -> Option<&'static str> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    if now < certificate.valid_after() {
        Some("is not valid yet")
    } else if now >= certificate.valid_before() {
        Some("has expired")
    } else {
        None
    }
}

/// Why a host's certificate proves nothing; none if one of these authorities vouches by it for this host, now.
pub(super) fn objection(
    certificate: &Certificate,
    authorities: &[Authority],
    name: &HostName,
) -> Option<String> {
    let signer = PublicKey::new(certificate.signature_key().clone(), "");
    let signer_blob = signer.to_bytes().unwrap_or_default();
    let fingerprint = signer.fingerprint(HashAlg::Sha256);
    if certificate.cert_type() != CertType::Host {
        return Some("its certificate is a user's".to_owned());
    }
    if !authorities.iter().any(|authority| authority.blob == signer_blob) {
        return Some(format!(
            "its certificate is signed by {fingerprint}, which is no authority for it"
        ));
    }
    if let Some(why) = when(certificate) {
        return Some(format!("its certificate {why}"));
    }
    if certificate.validate([&fingerprint]).is_err() {
        return Some("its certificate's signature is wrong".to_owned());
    }
    if certificate.critical_options().iter().next().is_some() {
        return Some("its certificate has conditions that are not known".to_owned());
    }
    let principals = certificate.valid_principals();
    let named = principals
        .iter()
        .any(|principal| matches_principal(principal, name));
    (!named).then(|| {
        format!(
            "its certificate is for {}",
            if principals.is_empty() {
                "no host by name".to_owned()
            } else {
                super::words::plain(&principals.join(", "))
            }
        )
    })
}
