//! The keys that may open a target, in the order in which they are offered: the configured ones, from the agent
//! where it holds them, then the agent's others. Offers nothing itself.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use russh::{
    client::Handle,
    keys::{
        Certificate, PrivateKey, PublicKey,
        agent::{AgentIdentity, client::AgentClient},
        ssh_key,
    },
};
use tokio::{net::UnixStream, time::timeout};

use super::{certificate::UserCertificates, handshake::Handler, host_key, signing::SignBy, words::plain};
use crate::host::{AgentSource, Target};

/// An agent that does not list its keys in this time hangs; signing has the time of the whole login.
const AGENT_TIMEOUT: Duration = Duration::from_secs(5);
/// A file larger than this is no key.
const KEY_FILE_MAX: u64 = 1 << 20; // 1 MiB
/// Where desktops and user managers put agents, below /run/user/UID. A daemon started by an MCP client does not
/// inherit SSH_AUTH_SOCK.
const AGENT_PLACES: [&str; 5] = [
    "ssh-agent.socket",
    "openssh_agent",
    "keyring/ssh",
    "gcr/ssh",
    "gnupg/S.gpg-agent.ssh",
];

/// A key that can be offered.
pub(super) struct Identity {
    /// As errors name it.
    pub(super) label: String,
    pub(super) public: PublicKey,
    /// What vouches for the key; it is offered instead of the key.
    pub(super) certificate: Option<Certificate>,
    pub(super) signer: SignBy,
}

/// Everything that was found.
#[derive(Default)]
pub(super) struct Identities {
    pub(super) offers: Vec<Identity>,
    pub(super) agent: Option<AgentClient<UnixStream>>,
    /// Key files with a passphrase, which no agent holds.
    pub(super) encrypted: Vec<PathBuf>,
    /// Key files of ours that others can read.
    pub(super) exposed: Vec<PathBuf>,
    /// What else could not be used, in words.
    pub(super) unusable: Vec<String>,
}

/// Collects the keys for a target. Files with a passphrase are among the offers where `opens` says that somebody can
/// open them.
pub(super) async fn collect(
    handle: &Handle<Handler>,
    target: &Target,
    opens: impl Fn(&Path) -> bool,
) -> Identities {
    let mut found = Identities::default();
    let mut held = Vec::new();
    match timeout(AGENT_TIMEOUT, agent(handle, target)).await {
        Ok(Some((agent, keys))) => {
            found.agent = Some(agent);
            held = keys;
        }
        Ok(None) => {}
        Err(_) => found.unusable.push("the agent did not answer".to_owned()),
    }
    let (paths, named) = (target.identities.clone(), target.certificates.clone());
    let files = tokio::task::spawn_blocking(move || {
        let mut unusable = Vec::new();
        let certificates = UserCertificates::read(&named, &paths, &mut unusable);
        let read = |path: PathBuf| (read_key(&path), path);
        let keys: Vec<_> = paths.into_iter().map(read).collect();
        (keys, certificates, unusable)
    });
    if let Ok((keys, certificates, unusable)) = files.await {
        found.unusable.extend(unusable);
        for (file, path) in keys {
            found.add_file(file, path, &mut held, &certificates, &opens);
        }
    }
    if !target.identities_only {
        for held in held {
            let fingerprint = host_key::fingerprint(&held.public);
            let kind = if held.certificate.is_some() {
                "certificate"
            } else {
                "key"
            };
            found.offers.push(Identity {
                label: format!("agent {kind} {} {fingerprint}", plain(&held.comment)),
                signer: held.signer(),
                public: held.public,
                certificate: held.certificate,
            });
        }
    }
    found
}

/// A key, or a certificate, of the agent.
struct Held {
    public: PublicKey,
    certificate: Option<Certificate>,
    comment: String,
}

impl Held {
    const fn signer(&self) -> SignBy {
        if self.certificate.is_some() {
            SignBy::AgentCertificate
        } else {
            SignBy::Agent
        }
    }
}

impl Identities {
    fn add_file(
        &mut self,
        file: KeyFile,
        path: PathBuf,
        held: &mut Vec<Held>,
        certificates: &UserCertificates,
        opens: impl Fn(&Path) -> bool,
    ) {
        let label = format!("key {}", path.display());
        let public = match &file {
            KeyFile::Missing => None,
            KeyFile::Broken(why) => {
                self.unusable.push(format!("{label}: {why}"));
                None
            }
            KeyFile::Public(public) => Some(public.clone()),
            KeyFile::Plain(key) => Some(key.public_key().clone()),
            KeyFile::Encrypted(public) | KeyFile::Exposed(public) => public.clone(),
        };
        let mut in_agent = false;
        if let Some(public) = &public {
            let is_it = |held: &Held| held.public.key_data() == public.key_data();
            in_agent = held.iter().any(|held| held.certificate.is_none() && is_it(held));
            let (own, others) = std::mem::take(held).into_iter().partition(is_it);
            *held = others;
            for held in Vec::into_iter(own).filter(|held: &Held| held.certificate.is_some()) {
                self.offers.push(Identity {
                    label: format!("certificate of {label} (agent)"),
                    public: held.public,
                    certificate: held.certificate,
                    signer: SignBy::AgentCertificate,
                });
            }
        }
        let signer = match file {
            _ if in_agent => SignBy::Agent,
            KeyFile::Plain(key) if is_hardware(key.public_key()) => {
                // What is in the file is only a reference to what the hardware has.
                self.unusable.push(format!(
                    "{label}: a security key works through an agent that holds it"
                ));
                return;
            }
            KeyFile::Plain(key) => SignBy::Key(Arc::new(*key)),
            KeyFile::Encrypted(Some(_)) if opens(&path) => SignBy::Locked(path),
            KeyFile::Encrypted(_) => {
                self.encrypted.push(path);
                return;
            }
            KeyFile::Exposed(_) => {
                self.exposed.push(path);
                return;
            }
            KeyFile::Public(_) => {
                self.unusable.push(format!("{label}: no agent holds it"));
                return;
            }
            KeyFile::Missing => {
                self.unusable.push(format!("{label}: no such file"));
                return;
            }
            KeyFile::Broken(_) => return,
        };
        let Some(public) = public else { return };
        self.add(&label, &public, signer, certificates);
    }

    /// The certificates of a key, then the key.
    fn add(&mut self, label: &str, public: &PublicKey, signer: SignBy, certificates: &UserCertificates) {
        for (file, certificate) in certificates.of(public, &mut self.unusable) {
            self.offers.push(Identity {
                label: format!("certificate {}", file.display()),
                public: public.clone(),
                certificate: Some(certificate),
                signer: signer.clone(),
            });
        }
        let by = if matches!(signer, SignBy::Agent) {
            " (agent)"
        } else {
            ""
        };
        self.offers.push(Identity {
            label: format!("{label}{by}"),
            public: public.clone(),
            certificate: None,
            signer,
        });
    }
}

/// FIDO keys.
fn is_hardware(key: &PublicKey) -> bool {
    use russh::keys::Algorithm;
    matches!(
        key.algorithm(),
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
    )
}

/// What an identity file turned out to be.
enum KeyFile {
    Missing,
    Broken(String),
    /// A public key alone: its private half is in an agent.
    Public(PublicKey),
    Plain(Box<PrivateKey>),
    Encrypted(Option<PublicKey>),
    /// Others can read it, so it is not used.
    Exposed(Option<PublicKey>),
}

fn read_key(path: &Path) -> KeyFile {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // The public half next to it is enough where an agent has the private one.
            return public_beside(path).map_or(KeyFile::Missing, KeyFile::Public);
        }
        Err(error) => return KeyFile::Broken(error.to_string()),
    };
    if !metadata.is_file() {
        return KeyFile::Broken("not a file".to_owned());
    }
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(KEY_FILE_MAX).read_to_string(&mut text));
    let text = zeroize::Zeroizing::new(text);
    if let Err(error) = read {
        return KeyFile::Broken(error.to_string());
    }
    if let Ok(public) = PublicKey::from_openssh(text.trim()) {
        return KeyFile::Public(public);
    }
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if ours && metadata.mode() & 0o077 != 0 {
        return KeyFile::Exposed(public_of(&text).or_else(|| public_beside(path)));
    }
    match russh::keys::decode_secret_key(&text, None) {
        Ok(key) => KeyFile::Plain(Box::new(key)),
        Err(russh::keys::Error::KeyIsEncrypted | russh::keys::Error::SshKey(ssh_key::Error::Encrypted)) => {
            KeyFile::Encrypted(public_of(&text).or_else(|| public_beside(path)))
        }
        Err(_) if text.contains("ENCRYPTED") => KeyFile::Encrypted(public_beside(path)),
        Err(error) => KeyFile::Broken(plain(&error.to_string())),
    }
}

/// OpenSSH's private key files carry the public key in the clear.
fn public_of(text: &str) -> Option<PublicKey> {
    PrivateKey::from_openssh(text)
        .ok()
        .map(|key| key.public_key().clone())
}

fn public_beside(path: &Path) -> Option<PublicKey> {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    let text = fs::read_to_string(PathBuf::from(name)).ok()?;
    PublicKey::from_openssh(text.trim()).ok()
}

async fn agent(handle: &Handle<Handler>, target: &Target) -> Option<(AgentClient<UnixStream>, Vec<Held>)> {
    let mut agent = connect_agent(&target.identity_agent).await?;
    if let Some(binding) = handle.agent_session_binding() {
        // Agents older than OpenSSH 8.9 refuse this; their keys are then not bound to destinations.
        if let Err(error) = agent.bind_session(binding, false).await {
            tracing::debug!(%error, "the agent does not bind sessions");
        }
    }
    let identities = match agent.request_identities().await {
        Ok(identities) => identities,
        Err(error) => {
            tracing::debug!(%error, "the agent does not list its keys");
            return None;
        }
    };
    let keys = identities.into_iter().map(|identity| {
        let public = identity.public_key().into_owned();
        match identity {
            AgentIdentity::PublicKey { comment, .. } => Held {
                public,
                certificate: None,
                comment,
            },
            AgentIdentity::Certificate { certificate, comment } => Held {
                public,
                certificate: Some(certificate),
                comment,
            },
        }
    });
    Some((agent, keys.collect()))
}

/// Where agents may be for a daemon that was told of none.
fn usual_places() -> Vec<PathBuf> {
    match std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()) {
        Some(path) => vec![path.into()],
        None => {
            let run = PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw()));
            AGENT_PLACES.iter().map(|place| run.join(place)).collect()
        }
    }
}

fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// The socket of the agent that is asked where ssh_config names none; whether it answers is not tried.
pub fn find_agent() -> Option<PathBuf> {
    usual_places().into_iter().find(|path| is_socket(path))
}

/// A stream to the agent, for whoever speaks its protocol.
pub(super) async fn connect_socket(source: &AgentSource) -> Option<UnixStream> {
    for path in places(source).into_iter().filter(|path| is_socket(path)) {
        if let Ok(stream) = UnixStream::connect(&path).await {
            return Some(stream);
        }
    }
    None
}

fn places(source: &AgentSource) -> Vec<PathBuf> {
    match source {
        AgentSource::None => Vec::new(),
        AgentSource::Path(path) => vec![path.clone()],
        AgentSource::Default => usual_places(),
    }
}

async fn connect_agent(source: &AgentSource) -> Option<AgentClient<UnixStream>> {
    for path in places(source) {
        if !is_socket(&path) {
            continue;
        }
        match AgentClient::connect_uds(&path).await {
            Ok(agent) => return Some(agent),
            Err(error) => tracing::debug!(path = %path.display(), %error, "no agent there"),
        }
    }
    None
}
