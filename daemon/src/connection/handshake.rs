//! SSH's first minute on a byte stream: greeting, key exchange, host key, login. Knows nothing of how the stream came.

mod failure;
mod handler;
mod shared;

use std::{borrow::Cow, sync::Arc, time::Duration};

use russh::{
    cipher,
    client::{self, Handle},
    keys::{Algorithm, PublicKeyOrCertificate},
};
use sshmcp_proto::error::Fault;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    time::{Instant, timeout},
};

pub(super) use self::{
    failure::{Failure, unreachable_host},
    handler::Handler,
    shared::Shared,
};
use self::{
    failure::{failure, silent},
    handler::{HandlerError, Purpose},
};
use super::{
    algorithms,
    dial::{Greeting, Overheard, left},
    forwarded::Forwarded,
    host_key, trust,
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
        ear: shared.ear().clone(),
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
    let files = trust::read_files(target).await.files;
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
