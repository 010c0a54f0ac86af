//! Security keys (FIDO) through an agent. There is no such hardware here: the agent is the test's own, and signs as a security
//! key does; sshd cannot tell.

use std::{fs, path::Path, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use russh::keys::{PrivateKey, load_secret_key, ssh_key::Signature};
use sha2::{Digest as _, Sha256};
use signature::Signer as _;
use sshmcp_proto::v1::Reason;
use sshmcpd::{
    connection::{Pool, PoolSettings},
    host::{AgentSource, Target},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

use crate::{
    sshd::Sshd,
    target::{Home, pty, refused},
};

const APPLICATION: &[u8] = b"ssh:";
// Of the agent's protocol.
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a short one");
    [&length.to_be_bytes(), bytes].concat()
}

/// The first string of some bytes, and the rest.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk::<4>().expect("a length");
    rest.split_at(usize::try_from(u32::from_be_bytes(*length)).expect("it fits"))
}

/// A key in software that looks like one in hardware.
struct SecurityKey {
    private: PrivateKey,
    kind: &'static str,
    is_touched: bool,
}

impl SecurityKey {
    fn new(home: &Home, kind: &'static str, is_touched: bool) -> Self {
        let of = match kind {
            "sk-ssh-ed25519@openssh.com" => "ed25519",
            _ => "ecdsa",
        };
        let file = home.key(&format!("software-{of}-{is_touched}"), of, "");
        let private = load_secret_key(file, None).expect("a key");
        Self {
            private,
            kind,
            is_touched,
        }
    }

    /// In wire form: that of the ordinary key under another name, and the application.
    fn blob(&self) -> Vec<u8> {
        let plain = self.private.public_key().to_bytes().expect("a public key");
        let (_, rest) = split(&plain);
        [&string(self.kind.as_bytes()), rest, &string(APPLICATION)].concat()
    }

    fn line(&self) -> String {
        format!("{} {}\n", self.kind, STANDARD.encode(self.blob()))
    }

    /// A signature over what the hardware would sign: application, that it was touched, a counter, and the message.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let counter = 7_u32.to_be_bytes();
        let flags = [u8::from(self.is_touched)];
        let application = Sha256::digest(APPLICATION);
        let digest = Sha256::digest(message);
        let signed = [&application[..], &flags, &counter, &digest[..]].concat();
        let signature: Signature = self.private.try_sign(&signed).expect("a signature");
        let parts = [string(self.kind.as_bytes()), string(signature.as_bytes())].concat();
        [&parts[..], &flags, &counter].concat()
    }
}

/// An agent that holds one, or refuses to sign with it: nobody touched it.
struct Agent(JoinHandle<()>);

impl Agent {
    fn start(socket: &Path, key: SecurityKey) -> Self {
        let listener = UnixListener::bind(socket).expect("a socket");
        Self(tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                while serve(&mut stream, &key).await.is_ok() {}
            }
        }))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(stream: &mut UnixStream, key: &SecurityKey) -> std::io::Result<()> {
    let length = usize::try_from(stream.read_u32().await?).expect("it fits");
    let mut request = vec![0; length];
    stream.read_exact(&mut request).await?;
    let answer = match request.split_first() {
        Some((&REQUEST_IDENTITIES, _)) => {
            let count = 1_u32.to_be_bytes();
            [
                &[IDENTITIES][..],
                &count,
                &string(&key.blob()),
                &string(b"of the test"),
            ]
            .concat()
        }
        Some((&SIGN_REQUEST, rest)) if key.is_touched => {
            let (asked, rest) = split(rest);
            assert_eq!(asked, key.blob(), "another key was asked for");
            [&[SIGN_RESPONSE][..], &string(&key.sign(split(rest).0))].concat()
        }
        _ => vec![FAILURE],
    };
    stream.write_all(&string(&answer)).await
}

/// A server that lets the key in, and a target that has it in its agent.
struct Scene {
    sshd: Sshd,
    target: Target,
    _agent: Agent,
    home: Home,
    public: PathBuf,
}

impl Scene {
    fn new(kind: &'static str, is_touched: bool) -> Self {
        let home = Home::new();
        let key = SecurityKey::new(&home, kind, is_touched);
        let public = home.path("id_sk.pub");
        fs::write(&public, key.line()).expect("a public key");
        let sshd = Sshd::start(&[&public], "LogLevel VERBOSE");
        home.know(&sshd);
        let mut target = home.target(sshd.port);
        let socket = home.path("agent");
        target.identity_agent = AgentSource::Path(socket.clone());
        Self {
            _agent: Agent::start(&socket, key),
            sshd,
            target,
            home,
            public,
        }
    }
}

/// A security key opens: as the agent's own, and where its public half or the file beside that names it.
#[tokio::test(flavor = "multi_thread")]
async fn through_an_agent() {
    for kind in ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"] {
        let mut scene = Scene::new(kind, true);
        for (identities, only) in [
            (vec![], false),
            (vec![scene.public.clone()], true),
            (vec![scene.home.path("id_sk")], true),
        ] {
            scene.target.identities = identities;
            scene.target.identities_only = only;
            let pool = Pool::new(PoolSettings::default());
            let opened = pool.open_shell(&scene.target, pty()).await;
            opened.unwrap_or_else(|fault| panic!("{kind} {only}: {fault:?}"));
            let log = scene.sshd.log_until("Accepted publickey").join("\n");
            assert!(log.contains("-SK SHA256:"), "{log}");
        }
    }
}

/// One that nobody touches does not, and the error names it.
#[tokio::test(flavor = "multi_thread")]
async fn untouched() {
    let mut scene = Scene::new("sk-ssh-ed25519@openssh.com", false);
    scene.target.identities_only = false;
    let fault = refused(&Pool::new(PoolSettings::default()), &scene.target).await;
    assert_eq!(fault.reason, Reason::AuthFailed, "{fault:?}");
    assert!(fault.message.contains("agent key of the test"), "{fault:?}");
    assert!(!fault.hint.is_empty(), "{fault:?}");
}
