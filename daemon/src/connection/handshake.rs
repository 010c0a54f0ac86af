//! SSH's first minute on a byte stream: greeting, key exchange, host key, login. Knows nothing of how the stream came.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use russh::{
    Channel, cipher,
    client::{self, ChannelOpenHandle, DisconnectReason, Handle, Msg, Session},
    keys::{Algorithm, Certificate, PublicKey, PublicKeyOrCertificate},
};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    algorithms,
    dial::{Greeting, Overheard, left},
    forwarded::Forwarded,
    host_key,
    pulse::Ear,
    trust,
    words::{cause_words, place, plain},
};
use crate::host::Target;

/// Greeting and key exchange: a busy small device needs several seconds for the latter. With the wait for TCP it is
/// within the 15 s after which callers expect an error.
const KEX_TIMEOUT: Duration = Duration::from_secs(12);
/// With the count below a dead peer is seen 40 s after its last byte, and an outage of 10 s is forgiven: TCP sends again
/// at 6 and 13 s, and that is answered before the second keepalive.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Unanswered keepalives that are borne: at the fourth interval the connection counts as dead.
const KEEPALIVE_MAX: u32 = 3;
/// Messages of one channel that wait for its reader, at most 32 KiB each. A full buffer stops the whole
/// connection, so it outlasts a reader's hiccup at full speed, yet holds at most 4 MiB.
const CHANNEL_BUFFER: usize = 128;
/// What is read from the network at once: a packet of the size that servers send, or many small ones.
const READ_AHEAD: usize = 32 << 10; // 32 KiB

/// The cause when russh gives up because the server takes no further method of login.
pub(super) const NO_METHOD_LEFT: &str = "the server takes no other kind of login";

/// What handler and connection share.
pub(super) struct Shared {
    /// None while the connection lives, then why it ended.
    end: watch::Sender<Option<Arc<str>>>,
    facts: Mutex<Facts>,
    ear: Ear,
    has_opened: AtomicBool,
    is_broken: AtomicBool,
}

#[derive(Default)]
struct Facts {
    key: Option<PublicKey>,
    certificate: Option<Certificate>,
    server_version: String,
    fault: Option<Fault>,
    /// What is to be said of a key that nobody had compared.
    accepted: Option<String>,
    /// When the server last said something to whoever logs in.
    banner: Option<std::time::Instant>,
}

impl Shared {
    fn new() -> Self {
        Self {
            end: watch::Sender::new(None),
            facts: Mutex::default(),
            ear: Ear::default(),
            has_opened: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
        }
    }

    fn facts(&self) -> std::sync::MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes why the connection ended; the first cause stays.
    pub(super) fn end(&self, cause: &str) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert_with(|| cause.into());
            first
        });
    }

    pub(super) fn ended(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.end.subscribe()
    }

    pub(super) fn cause(&self) -> Option<Arc<str>> {
        self.end.borrow().clone()
    }

    /// What hears whether bytes come.
    pub(super) const fn ear(&self) -> &Ear {
        &self.ear
    }

    /// True once the server has opened a channel.
    pub(super) fn has_opened(&self) -> bool {
        self.has_opened.load(Ordering::Relaxed)
    }

    /// True if it ended because the server sent what the protocol has no place for.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    pub(super) fn key(&self) -> Option<PublicKey> {
        self.facts().key.clone()
    }

    pub(super) fn banner(&self) -> Option<std::time::Instant> {
        self.facts().banner
    }

    pub(super) fn take_accepted(&self) -> Option<String> {
        self.facts().accepted.take()
    }

    pub(super) fn server_version(&self) -> String {
        self.facts().server_version.clone()
    }
}

/// What is done with the server's key.
pub(super) enum Purpose {
    /// Connect, if the key is trusted.
    Connect,
    /// Look at the key and go.
    Look,
}

/// Errors of the handler: russh's, or a refusal of ours.
#[derive(Debug)]
pub(super) enum HandlerError {
    Ssh(russh::Error),
    Refused,
}

impl From<russh::Error> for HandlerError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// russh's callbacks. Refuses every channel that the server would open.
pub(super) struct Handler {
    target: Target,
    purpose: Purpose,
    shared: Arc<Shared>,
    forwarded: Forwarded,
}

impl Drop for Handler {
    fn drop(&mut self) {
        // Dropped before the channels' senders: a reader that sees its channel end finds the cause.
        self.shared.end("the connection was closed");
    }
}

impl client::Handler for Handler {
    type Error = HandlerError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, HandlerError> {
        self.shared.facts().key = Some(key.public_key());
        self.shared.facts().certificate = key.certificate().cloned();
        match self.purpose {
            Purpose::Look => Ok(false),
            Purpose::Connect => match trust::admit(&self.target, key).await {
                Ok(accepted) => {
                    self.shared.facts().accepted = accepted;
                    Ok(true)
                }
                Err(fault) => {
                    self.shared.facts().fault = Some(fault);
                    Err(HandlerError::Refused)
                }
            },
        }
    }

    async fn kex_done(
        &mut self,
        _secret: Option<&[u8]>,
        _names: &russh::Names,
        session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.shared.facts().server_version = plain(&String::from_utf8_lossy(session.remote_sshid()));
        Ok(())
    }

    async fn auth_banner(&mut self, _banner: &str, _session: &mut Session) -> Result<(), HandlerError> {
        self.shared.facts().banner = Some(std::time::Instant::now());
        Ok(())
    }

    async fn channel_open_confirmation(
        &mut self,
        _id: russh::ChannelId,
        _max_packet_size: u32,
        _window_size: u32,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.shared.has_opened.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<HandlerError>) -> Result<(), HandlerError> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                let words = plain(&info.message);
                self.shared.end(&if words.is_empty() {
                    "the server closed the connection".to_owned()
                } else {
                    format!("the server closed the connection: {words}")
                });
            }
            DisconnectReason::Error(HandlerError::Ssh(error)) => {
                self.shared
                    .is_broken
                    .store(breaks_the_protocol(&error), Ordering::Relaxed);
                self.shared.end(&cause_words(&error));
            }
            DisconnectReason::Error(HandlerError::Refused) => {}
        }
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _connected_address: &str,
        _connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        refuse(reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        match &self.target.options.forwarded_agent {
            Some(agent) => {
                self.forwarded.admit(agent, channel, reply).await;
                Ok(())
            }
            None => refuse(reply).await,
        }
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        refuse(reply).await
    }
}

async fn refuse(reply: ChannelOpenHandle) -> Result<(), HandlerError> {
    reply
        .reject(russh::ChannelOpenFailure::AdministrativelyProhibited)
        .await;
    Ok(())
}

/// A handshake that failed.
pub(super) struct Failure {
    pub(super) fault: Fault,
    /// The server hung up before it named itself: sshd does that when too many are logging in (MaxStartups).
    pub(super) dropped: bool,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            dropped: false,
        }
    }
}

/// Greets, exchanges keys and checks the host key. The login comes after.
pub(super) async fn greet<S>(
    target: &Target,
    stream: S,
    deadline: Instant,
) -> Result<(Handle<Handler>, Arc<Shared>), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (result, shared, greeting) = exchange(target, stream, deadline, Purpose::Connect).await;
    match result {
        Some(Ok(handle)) => Ok((handle, shared)),
        Some(Err(error)) => {
            let refused = shared.facts().fault.take();
            Err(refused.map_or_else(|| failure(target, &error, &greeting), Failure::from))
        }
        None => Err(silent(target, &greeting).into()),
    }
}

/// Exchanges keys only to see the server's.
pub(super) async fn look<S>(
    target: &Target,
    stream: S,
    deadline: Instant,
) -> Result<PublicKeyOrCertificate, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (result, shared, greeting) = exchange(target, stream, deadline, Purpose::Look).await;
    let certificate = shared.facts().certificate.take();
    match (shared.key(), result) {
        (Some(key), _) => Ok(certificate.map_or_else(|| key.into(), Into::into)),
        (None, Some(Err(error))) => {
            let refused = shared.facts().fault.take();
            Err(refused.map_or_else(|| failure(target, &error, &greeting), Failure::from))
        }
        (None, Some(Ok(_)) | None) => Err(silent(target, &greeting).into()),
    }
}

async fn exchange<S>(
    target: &Target,
    stream: S,
    deadline: Instant,
    purpose: Purpose,
) -> (
    Option<Result<Handle<Handler>, HandlerError>>,
    Arc<Shared>,
    Greeting,
)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let greeting = Greeting::default();
    let shared = Arc::new(Shared::new());
    let handler = Handler {
        target: target.clone(),
        purpose,
        shared: shared.clone(),
        forwarded: Forwarded::default(),
    };
    let stream = Overheard {
        stream,
        greeting: greeting.clone(),
        heard: 0,
        ear: shared.ear.clone(),
    };
    // A packet is read in two pieces, of which the first has four bytes.
    let stream = BufReader::with_capacity(READ_AHEAD, stream);
    let config = match config(target).await {
        Ok(config) => Arc::new(config),
        Err(fault) => {
            shared.facts().fault = Some(fault);
            return (Some(Err(HandlerError::Refused)), shared, greeting);
        }
    };
    let connecting = client::connect_stream(config, stream, handler);
    let result = timeout(KEX_TIMEOUT.min(left(deadline)), connecting).await.ok();
    (result, shared, greeting)
}

/// Interval and number of keepalives.
pub(super) fn keepalive(target: &Target) -> (Duration, u32) {
    target.keepalive.unwrap_or((KEEPALIVE_INTERVAL, KEEPALIVE_MAX))
}

async fn config(target: &Target) -> Result<client::Config, Fault> {
    let files = trust::read_files(target).await;
    let name = trust::name_of(target);
    let known = host_key::known_types(&files, &name);
    // A certificate is asked for where somebody vouches for the host, and nowhere else: elsewhere it proves nothing.
    let vouched = !host_key::authorities(&files, &name).is_empty();
    let (interval, max) = keepalive(target);
    let preferred = russh::Preferred {
        key: Cow::Owned(known_first(&russh::Preferred::DEFAULT.key, &known)),
        host_key_certificates: if vouched {
            russh::Preferred::DEFAULT.key.clone()
        } else {
            Cow::Borrowed(&[])
        },
        cipher: Cow::Owned(fast_first(&russh::Preferred::DEFAULT.cipher, has_aes())),
        ..russh::Preferred::DEFAULT
    };
    Ok(client::Config {
        client_id: russh::SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-sshmcp_",
            env!("CARGO_PKG_VERSION")
        ))),
        preferred: algorithms::preferred(target, preferred)?,
        channel_buffer_size: CHANNEL_BUFFER,
        keepalive_interval: (!interval.is_zero()).then_some(interval),
        keepalive_max: usize::try_from(max).unwrap_or(usize::MAX),
        nodelay: true,
        ..client::Config::default()
    })
}

/// Host key algorithms with those first that the host is known by: otherwise a host known by its RSA key looks
/// unknown when it also has another.
fn known_first(all: &[Algorithm], known: &[String]) -> Vec<Algorithm> {
    let is_known = |algorithm: &Algorithm| {
        let name = match algorithm {
            Algorithm::Rsa { .. } => "ssh-rsa",
            other => other.as_str(),
        };
        known.iter().any(|known| known == name)
    };
    let mut ordered = all.to_vec();
    ordered.sort_by_key(|algorithm| !is_known(algorithm));
    ordered
}

/// Ciphers in russh's order, but for AES-GCM first where the processor has AES: it is then several times faster than
/// ChaCha20, which russh's default prefers for processors that have none.
fn fast_first(all: &[cipher::Name], has_aes: bool) -> Vec<cipher::Name> {
    let mut ordered = all.to_vec();
    if has_aes {
        ordered.sort_by_key(|name| *name != cipher::AES_256_GCM);
    }
    ordered
}

fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    false
}

fn silent(target: &Target, greeting: &Greeting) -> Fault {
    let what = if greeting.is_ssh() {
        "the key exchange did not end in time".to_owned()
    } else {
        match greeting.first_line() {
            line if line.is_empty() => "something accepts connections there but says nothing".to_owned(),
            line => format!("it answers {line:?}, which is not SSH"),
        }
    };
    unreachable_host(target, &what)
}

fn failure(target: &Target, error: &HandlerError, greeting: &Greeting) -> Failure {
    let words = match error {
        HandlerError::Ssh(error) => cause_words(error),
        HandlerError::Refused => "the host key was refused".to_owned(),
    };
    if greeting.is_ssh() {
        let fault = match error {
            HandlerError::Ssh(russh::Error::NoCommonAlgo { kind, theirs, .. }) => Fault::new(
                Reason::NotSupported,
                format!("{} and we share no algorithm: {words}", place(target)),
            )
            .hint(match algorithms::on_request(kind, theirs) {
                Some((directive, name)) => format!(
                    "it is no longer safe, but `{directive} +{name}` for this host in ssh_config has it offered; better update the server"
                ),
                None => "OpenSSH's own client may have one: open the session with the keeper `local-tmux`, which uses that".to_owned(),
            }),
            _ => unreachable_host(target, &format!("the key exchange failed: {words}")),
        };
        return fault.into();
    }
    let line = greeting.first_line();
    let hung_up = line.is_empty() || line.contains("MaxStartups") || line.starts_with("Not allowed");
    let what = match line.as_str() {
        "" => format!("{words} before the server's greeting"),
        _ => format!("it answers {line:?}, which is not SSH"),
    };
    Failure {
        fault: unreachable_host(target, &what),
        dropped: hung_up,
    }
}

pub(super) fn unreachable_host(target: &Target, what: &str) -> Fault {
    Fault::new(
        Reason::Unreachable,
        format!("no SSH connection to {}: {what}", place(target)),
    )
    .hint("check address and port, and that an SSH server is running there, then try again")
    .retryable()
}

/// What the server sent has no place in the protocol, or not where it came.
const fn breaks_the_protocol(error: &russh::Error) -> bool {
    use russh::Error;
    !matches!(
        error,
        Error::IO(_)
            | Error::KeepaliveTimeout
            | Error::InactivityTimeout
            | Error::ConnectionTimeout
            | Error::NoAuthMethod
            | Error::Disconnect
            | Error::HUP
            | Error::SendError
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order changes, the choice does not.
    #[test]
    fn fast_ciphers_come_first() {
        let all = &russh::Preferred::DEFAULT.cipher;
        let ordered = fast_first(all, true);
        assert_eq!(ordered.first(), Some(&cipher::AES_256_GCM));
        assert_eq!(ordered.len(), all.len());
        assert_eq!(fast_first(all, false), all.to_vec());
    }

    /// A host that is known by RSA alone is asked for RSA, whatever else it has.
    #[test]
    fn known_types_come_first() {
        let all = russh::Preferred::DEFAULT.key.to_vec();
        let ordered = known_first(&all, &["ssh-rsa".to_owned()]);
        assert!(matches!(ordered.first(), Some(Algorithm::Rsa { hash: Some(_) })));
        assert_eq!(ordered.len(), all.len());
        assert_eq!(known_first(&all, &[]), all);
    }
}
