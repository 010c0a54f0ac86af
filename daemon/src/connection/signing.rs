//! Signs for a login with whatever holds the key: a file, a file with a passphrase, or an agent. Asked only once the
//! server would take the key, so that nobody types a passphrase in vain.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use russh::{
    Signer,
    keys::{
        HashAlg, PrivateKey, PublicKey,
        agent::{AgentIdentity, client::AgentClient},
        ssh_key::{Signature, private::KeypairData},
    },
};
use signature::Signer as _;
use sshmcp_proto::error::Fault;
use tokio::net::UnixStream;

use super::{
    asking::{Asker, Given},
    words::plain,
};
use crate::secret::Secret;

/// As often as OpenSSH asks.
const PASSPHRASES_MAX: usize = 3;

/// Who signs with a key.
#[derive(Clone)]
pub(super) enum SignBy {
    /// The agent has the key.
    Agent,
    /// The agent has the certificate, and signs for it by that alone.
    AgentCertificate,
    Key(Arc<PrivateKey>),
    /// A file with a passphrase.
    Locked(PathBuf),
}

/// Signs for one offer.
pub(super) struct Pen<'a> {
    pub(super) signer: &'a SignBy,
    pub(super) public: &'a PublicKey,
    pub(super) agent: Option<&'a mut AgentClient<UnixStream>>,
    pub(super) person: Option<&'a Asker>,
    pub(super) given: &'a mut Given,
}

/// Why there is no signature.
#[derive(Debug)]
pub(super) enum Unsigned {
    /// The connection is gone.
    Gone,
    /// In words.
    Because(String),
    /// Nobody answers any more.
    Alone(Fault),
}

impl From<russh::SendError> for Unsigned {
    fn from(_: russh::SendError) -> Self {
        Self::Gone
    }
}

impl Signer for Pen<'_> {
    type Error = Unsigned;

    async fn auth_sign(
        &mut self,
        identity: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        match self.signer {
            SignBy::Key(key) => sign(key, hash, to_sign),
            SignBy::Locked(file) => {
                let key = self.unlock(file).await?;
                sign(&key, hash, to_sign)
            }
            SignBy::Agent => {
                // It may not have the certificate that goes with the key.
                let plain = AgentIdentity::from(self.public.clone());
                self.ask_agent(&plain, hash, to_sign).await
            }
            SignBy::AgentCertificate => self.ask_agent(identity, hash, to_sign).await,
        }
    }
}

impl Pen<'_> {
    async fn ask_agent(
        &mut self,
        identity: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        let Some(agent) = &mut self.agent else {
            return Err(Unsigned::Because("there is no agent".to_owned()));
        };
        let signed = agent.sign_request(identity, hash, to_sign).await;
        signed.map_err(|error| {
            Unsigned::Because(format!("the agent did not sign ({})", plain(&error.to_string())))
        })
    }

    async fn unlock(&mut self, file: &Path) -> Result<PrivateKey, Unsigned> {
        let known = self.given.passphrases.get(file).cloned();
        let known = known.or_else(|| self.person.and_then(|person| person.passphrase(file)));
        if let Some(passphrase) = known {
            if let Some(key) = open(file, &passphrase).await {
                return Ok(key);
            }
            self.given.passphrases.remove(file);
            self.given.is_new = true;
        }
        let Some(person) = self.person else {
            return Err(Unsigned::Because("its passphrase is another now".to_owned()));
        };
        let text = format!("Enter passphrase for key '{}': ", file.display());
        for _ in 0..PASSPHRASES_MAX {
            let passphrase = person.ask(text.clone(), false).await.map_err(Unsigned::Alone)?;
            if let Some(key) = open(file, &passphrase).await {
                person.fits(file, &passphrase);
                self.given.passphrases.insert(file.to_owned(), passphrase);
                self.given.is_new = true;
                return Ok(key);
            }
        }
        Err(Unsigned::Because("its passphrase was not given".to_owned()))
    }
}

/// The key, if this is its passphrase. Deriving it takes a good part of a second.
async fn open(file: &Path, passphrase: &Secret) -> Option<PrivateKey> {
    let (file, passphrase) = (file.to_owned(), passphrase.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let text = zeroize::Zeroizing::new(std::fs::read_to_string(file).ok()?);
        russh::keys::decode_secret_key(&text, Some(passphrase.expose().as_str())).ok()
    });
    opened.await.ok().flatten()
}

/// What was to be signed, and the signature behind it, as the protocol has it.
fn sign(key: &PrivateKey, hash: Option<HashAlg>, mut to_sign: Vec<u8>) -> Result<Vec<u8>, Unsigned> {
    let signed: Result<Signature, signature::Error> = match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(&to_sign),
        _ => key.try_sign(&to_sign),
    };
    let signed = signed.map_err(|error| Unsigned::Because(plain(&error.to_string())))?;
    let algorithm = signed.algorithm();
    let mut blob = Vec::new();
    put(&mut blob, algorithm.as_str().as_bytes());
    put(&mut blob, signed.as_bytes());
    put(&mut to_sign, &blob);
    Ok(to_sign)
}

/// A string in wire form.
fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(bytes);
}
