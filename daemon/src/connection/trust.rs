//! What follows from a host key's verdict: refusal with the words a person needs, or a new line in known_hosts; in memory where
//! ssh_config has no file for it.

use std::{
    fs,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use russh::keys::{PublicKey, PublicKeyOrCertificate};
use sshmcp_proto::{error::Fault, v1::Reason};

use super::{
    certificate,
    host_key::{self, HostName, KnownHosts, KnownKey, Verdict},
    words::{place, plain},
};
use crate::{config::HostKeyPolicy, host::Target};

/// A known_hosts file larger than this is not one.
const KNOWN_HOSTS_MAX: u64 = 16 << 20; // 16 MiB, some 100,000 hosts

/// What stands for a file where keys are remembered: UserKnownHostsFile is `none` or `/dev/null`.
const MEMORY: &str = "the daemon's memory";
/// Bytes of such keys, some 1,000: no user has more hosts that nothing is to be written down of.
const MEMORY_MAX: usize = 256 << 10; // 256 KiB

/// In the form of known_hosts; for as long as the daemon lives.
static REMEMBERED: Mutex<String> = Mutex::new(String::new());

fn remembered() -> MutexGuard<'static, String> {
    REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server's key and what is known of it.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The name in known_hosts form: `name`, or `[name]:port`.
    pub known_hosts_name: String,
    /// The key's type, e.g. `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// The key in OpenSSH's one-line form, without comment.
    pub openssh: String,
    /// What the files say.
    pub verdict: Verdict,
    /// The file that a new key would be written to, if there is one.
    pub known_hosts_file: Option<PathBuf>,
}

/// What `trust` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The file; none: it is remembered until the daemon ends.
    pub file: Option<PathBuf>,
    /// False if the key was trusted already.
    pub added: bool,
}

/// The names of a target in known_hosts.
pub(super) fn name_of(target: &Target) -> HostName {
    HostName::new(&target.hostname, target.port, target.host_key_alias.as_deref())
}

/// What the known_hosts files of a target say.
pub(super) struct Read {
    pub(super) files: Vec<KnownHosts>,
    /// The files that are there and cannot be read, and why: what they say of a key is not known.
    unread: Vec<String>,
}

/// Reads all known_hosts files of a target.
pub(super) async fn read_files(target: &Target) -> Read {
    let paths: Vec<PathBuf> = target
        .user_known_hosts
        .iter()
        .chain(&target.global_known_hosts)
        .cloned()
        .collect();
    let read = move || {
        let (mut files, mut unread) = (Vec::new(), Vec::new());
        for path in paths {
            match read_file(&path) {
                Ok(text) => files.push(KnownHosts { path, text }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => unread.push(format!("{} cannot be read: {error}", path.display())),
            }
        }
        Read { files, unread }
    };
    let mut read = tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| Read {
            files: Vec::new(),
            unread: vec![format!("known_hosts was not read: {error}")],
        });
    if file_for_new(target).is_none() {
        read.files.push(KnownHosts {
            path: PathBuf::from(MEMORY),
            text: remembered().clone(),
        });
    }
    read
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(KNOWN_HOSTS_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > KNOWN_HOSTS_MAX {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the files say about what a server showed; and why its certificate, if it is one, does not count.
pub(super) fn judge(
    files: &[KnownHosts],
    name: &HostName,
    shown: &PublicKeyOrCertificate,
) -> (Verdict, Option<String>) {
    let verdict = host_key::judge(files, name, &shown.public_key());
    let Some(certificate) = shown.certificate() else {
        return (verdict, None);
    };
    let objection = certificate::objection(certificate, &host_key::authorities(files, name), name);
    match verdict {
        Verdict::Revoked(_) => (verdict, None),
        _ if objection.is_none() => (Verdict::Trusted, None),
        // As OpenSSH: the key within may be known by itself.
        verdict => (verdict, objection),
    }
}

/// Lets a server's key or certificate pass, with what is to be said of one that nobody had compared; or says why not.
pub(super) async fn admit(target: &Target, shown: &PublicKeyOrCertificate) -> Result<Option<String>, Fault> {
    let Read { files, unread } = read_files(target).await;
    let name = name_of(target);
    let key = &shown.public_key();
    let (verdict, objection) = judge(&files, &name, shown);
    match (&verdict, target.host_key_policy) {
        (Verdict::Trusted, _) => Ok(None),
        // A host that is known by another type of key, by an authority, or perhaps in a file that cannot be read, is not
        // new: an attacker would offer just that.
        (Verdict::Unknown { other: None }, HostKeyPolicy::AcceptNew)
            if unread.is_empty() && host_key::authorities(&files, &name).is_empty() =>
        {
            let place = place(target);
            let fingerprint = host_key::fingerprint(key);
            let words = match add(target, &name, key).await?.file {
                Some(file) => format!(
                    "the host key of {place} was new and nobody compared it: {fingerprint} was accepted and written to {}, as its policy (accept-new) says",
                    file.display()
                ),
                None => format!(
                    "the host key of {place} was new and nobody compared it: {fingerprint} was accepted as its policy (accept-new) says, and not written down, for it has no UserKnownHostsFile: it is remembered until the daemon ends, and not longer"
                ),
            };
            tracing::info!(host = %name.full, fingerprint, "{words}");
            Ok(Some(words))
        }
        (Verdict::Unknown { .. } | Verdict::Changed(_) | Verdict::Revoked(_), _) => {
            let mut fault = refusal(target, &name, key, &verdict);
            for words in objection.into_iter().chain(unread) {
                fault.message = format!("{}; {words}", fault.message);
            }
            Err(fault)
        }
    }
}

/// The words for a key that is not trusted.
pub(super) fn refusal(target: &Target, name: &HostName, key: &PublicKey, verdict: &Verdict) -> Fault {
    let offered = format!("{} {}", key_name(key), host_key::fingerprint(key));
    let at = place(target);
    let typed = plain(&target.typed);
    match verdict {
        Verdict::Trusted => Fault::new(Reason::Internal, "a trusted key was refused"),
        Verdict::Unknown { other } => {
            let known = other
                .as_ref()
                .map(|known| {
                    format!(
                        "; it was known by its {} key ({} line {})",
                        known.algorithm,
                        known.file.display(),
                        known.line
                    )
                })
                .unwrap_or_default();
            Fault::new(
                Reason::HostKeyUnknown,
                format!("the host key of {at} is not known: {offered}{known}"),
            )
            .hint(format!(
                "compare it with the host's owner, then a person runs `sshctl trust {typed}`"
            ))
        }
        Verdict::Changed(known) => Fault::new(
            Reason::HostKeyChanged,
            format!(
                "the host key of {at} has changed: it offers {offered}, but {} line {} says {}",
                known.file.display(),
                known.line,
                known.fingerprint
            ),
        )
        .hint(if is_remembered(known) {
            format!("another machine may be answering; ask the host's owner, and only then `sshctl trust {typed}`")
        } else {
            format!(
                "another machine may be answering; ask the host's owner, and only then `ssh-keygen -R '{}'` and `sshctl trust {typed}`",
                name.full
            )
        }),
        Verdict::Revoked(known) => Fault::new(
            Reason::HostKeyChanged,
            format!(
                "the host key of {at} is revoked: {offered} ({} line {})",
                known.file.display(),
                known.line
            ),
        )
        .hint("do not connect; ask the host's owner why the key was revoked"),
    }
}

/// The type of a key as OpenSSH names it.
pub(super) fn key_name(key: &PublicKey) -> String {
    host_key::openssh_line(key)
        .and_then(|line| line.split(' ').next().map(str::to_owned))
        .unwrap_or_default()
}

/// The file that new keys of this target are written to; none where ssh_config says that nothing is kept.
pub(super) fn file_for_new(target: &Target) -> Option<PathBuf> {
    target
        .user_known_hosts
        .first()
        .filter(|path| ![Path::new("/dev/null"), Path::new("none")].contains(&path.as_path()))
        .cloned()
}

/// Adds a key under the target's name.
pub(super) async fn add(target: &Target, name: &HostName, key: &PublicKey) -> Result<Trusted, Fault> {
    let Some(file) = file_for_new(target) else {
        let added = remember(name, key);
        return added.map(|added| Trusted { file: None, added });
    };
    let (path, name, key) = (file.clone(), name.clone(), key.clone());
    let written = tokio::task::spawn_blocking(move || append(&path, &name, &key))
        .await
        .map_err(io::Error::other)
        .and_then(|result| result);
    match written {
        Ok(added) => Ok(Trusted {
            file: Some(file),
            added,
        }),
        Err(error) => Err(Fault::new(
            Reason::PermissionDenied,
            format!("the host key could not be written to {}: {error}", file.display()),
        )
        .hint("make the file and its directory writable for you")),
    }
}

/// The key is one that is remembered, and no file's.
pub(super) fn is_remembered(known: &KnownKey) -> bool {
    known.file == Path::new(MEMORY)
}

fn remember(name: &HostName, key: &PublicKey) -> Result<bool, Fault> {
    let line = host_key::hashed_line(&name.full, key, rand::random())
        .ok_or_else(|| Fault::new(Reason::Internal, "the host key cannot be encoded"))?;
    let mut text = remembered();
    let current = KnownHosts {
        path: PathBuf::from(MEMORY),
        text: text.clone(),
    };
    if host_key::judge(&[current], name, key) == Verdict::Trusted {
        return Ok(false);
    }
    if text.len() + line.len() > MEMORY_MAX {
        return Err(Fault::new(
            Reason::LimitReached,
            format!(
                "host keys that no file takes fill {} KiB of memory",
                MEMORY_MAX >> 10
            ),
        )
        .hint("set UserKnownHostsFile for these hosts, or restart the daemon"));
    }
    text.push_str(&line);
    Ok(true)
}

/// Forgets what is remembered under a name.
pub(super) fn forget(name: &HostName) {
    let mut text = remembered();
    let others = |line: &&str| {
        let line = KnownHosts {
            path: PathBuf::from(MEMORY),
            text: (*line).to_owned(),
        };
        host_key::known_types(&[line], name).is_empty()
    };
    *text = text
        .lines()
        .filter(others)
        .flat_map(|line| [line, "\n"])
        .collect();
}

/// Appends one line under a lock, unless it came there meanwhile.
fn append(path: &Path, name: &HostName, key: &PublicKey) -> io::Result<bool> {
    if let Some(directory) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    let mut file = fs::OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    file.lock()?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    io::Read::by_ref(&mut file)
        .take(KNOWN_HOSTS_MAX)
        .read_to_end(&mut bytes)?;
    let current = KnownHosts {
        path: path.to_owned(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    };
    match host_key::judge(&[current], name, key) {
        Verdict::Trusted => return Ok(false),
        Verdict::Unknown { .. } => {}
        Verdict::Changed(_) | Verdict::Revoked(_) => {
            return Err(io::Error::other("the file was changed meanwhile"));
        }
    }
    let line = host_key::hashed_line(&name.full, key, rand::random())
        .ok_or_else(|| io::Error::other("the key cannot be encoded"))?;
    // A last line without its newline must not be joined with ours; one write, so that no reader sees half.
    let separator = if bytes.last().is_some_and(|last| *last != b'\n') {
        "\n"
    } else {
        ""
    };
    file.write_all(format!("{separator}{line}").as_bytes())?;
    file.sync_all()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";

    /// What no file takes is remembered, once, and forgotten under its name alone.
    #[test]
    fn remembered_alone() {
        let key = PublicKey::from_openssh(KEY).expect("key");
        let names = ["memory-1", "memory-2"].map(|name| HostName::new(name, 22, None));
        for name in &names {
            assert!(remember(name, &key).expect("first"));
            assert!(!remember(name, &key).expect("second"));
        }
        let [one, other] = &names;
        forget(one);
        let known = |name| {
            let text = remembered().clone();
            let file = KnownHosts {
                path: PathBuf::from(MEMORY),
                text,
            };
            host_key::judge(&[file], name, &key)
        };
        assert_eq!(known(one), Verdict::Unknown { other: None });
        assert_eq!(known(other), Verdict::Trusted);
    }

    /// A new key goes on a line of its own, once, into a file that only its owner reads.
    #[test]
    fn append_is_exact() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("ssh/known_hosts");
        let key = PublicKey::from_openssh(KEY).expect("key");
        let name = HostName::new("Web1", 2222, None);
        assert!(append(&path, &name, &key).expect("first"));
        assert!(!append(&path, &name, &key).expect("second"));
        let text = fs::read_to_string(&path).expect("file");
        assert_eq!(text.lines().count(), 1);
        assert!(text.starts_with("|1|") && text.ends_with('\n') && !text.contains("web1"));
        let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("parent")), 0o700);

        fs::write(&path, "# no newline").expect("write");
        assert!(append(&path, &name, &key).expect("third"));
        let text = fs::read_to_string(&path).expect("file");
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with("# no newline\n|1|"));
    }
}
