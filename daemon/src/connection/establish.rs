//! Making one connection from start to end: through the jump hosts or straight, the handshake, the login, and the
//! patience with a server that drops logins when too many come at once.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use russh::ChannelOpenFailure;
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    Asker, Connection, ConnectionId, Times, Usage, auth, dial,
    handshake::{self, Failure},
    host_key,
    lease::Lease,
    pool::Pool,
    proxy,
    pulse::Pulse,
    tries::Tries,
    trust::{self, Scan, Trusted},
    words::{cause_words, place, plain},
};
use crate::{host::Target, local::Tools};

/// How often a login that the server dropped is tried again.
const RETRIES_MAX: u32 = 3;
/// The first wait before trying again; doubled each time, give or take a half.
const RETRY_WAIT: Duration = Duration::from_millis(200);
/// A login may ask a hardware key for a touch, and PAM delays after a wrong password.
const AUTH_TIMEOUT: Duration = Duration::from_secs(30);
/// A person who looks for a phone; servers hang up sooner (sshd's LoginGraceTime is two minutes).
const AUTH_TIMEOUT_PERSON: Duration = Duration::from_secs(300);
/// A jump host that connects onwards; its own attempt may take as long as one of ours.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(10);

type Making<'a> = Pin<Box<dyn Future<Output = Result<Connection, Fault>> + Send + 'a>>;

/// Makes a connection. Boxed, because a jump host's connection is made within.
pub(super) fn connect<'a>(
    pool: &'a Arc<Pool>,
    target: &'a Target,
    id: ConnectionId,
    person: Option<&'a Asker>,
) -> Making<'a> {
    Box::pin(async move {
        let mut tried = 0;
        let mut tries = Tries::knowing(pool.known_keys(&target.key()));
        let mut connections = 0;
        loop {
            match attempt(pool, target, id, person, &mut tries).await {
                Ok(connection) => {
                    pool.keys_opened(target.key(), tries.taken);
                    return Ok(connection);
                }
                Err(failure) if tries.go_on() => {
                    connections += 1;
                    tracing::debug!(target = %target.key(), fault = %failure.fault, "the next connection goes on with other keys");
                    tokio::time::sleep(backoff(connections)).await;
                }
                Err(failure) if failure.dropped && tried < RETRIES_MAX => {
                    tried = tried.saturating_add(1);
                    tracing::debug!(target = %target.key(), tried, "the server dropped a login; trying again");
                    tokio::time::sleep(backoff(tried)).await;
                }
                Err(failure) => return Err(failure.fault),
            }
        }
    })
}

fn backoff(tried: u32) -> Duration {
    let wait = RETRY_WAIT.saturating_mul(1 << tried.min(8).saturating_sub(1));
    wait.mul_f64(0.5 + rand::random::<f64>())
}

async fn attempt(
    pool: &Arc<Pool>,
    target: &Target,
    id: ConnectionId,
    person: Option<&Asker>,
    tries: &mut Tries,
) -> Result<Connection, Failure> {
    let road = road(pool, target, person).await?;
    let began = Instant::now();
    let deadline = began + target.connect_timeout;
    let mut times = Times::default();
    let (mut acknowledge_at_once, mut take_back) = (None, None);
    let (mut handle, shared, under) = match road {
        Road::Program(command) => {
            let stream = proxy::start(target, command)?;
            let said = stream.said.clone();
            match handshake::greet(target, stream, deadline).await {
                Ok((handle, shared)) => (handle, shared, None),
                Err(failure) => return Err(in_words_of(said, failure).await),
            }
        }
        Road::Straight => {
            let stream = dial::tcp(target, deadline).await?;
            times.tcp = Some(began.elapsed());
            acknowledge_at_once = Some(stream.acknowledge_at_once.clone());
            take_back = Some(stream.take_back.clone());
            let (handle, shared) = handshake::greet(target, stream, deadline).await?;
            (handle, shared, None)
        }
        Road::Through(lease, hop) => {
            let stream = forward(&lease, hop, target, deadline).await?;
            let (handle, shared) = handshake::greet(target, stream, deadline).await?;
            (handle, shared, Some(lease))
        }
    };
    times.handshake = began.elapsed().saturating_sub(times.tcp.unwrap_or_default());
    let greeted = Instant::now();
    let limit = person.map_or(AUTH_TIMEOUT, |_| AUTH_TIMEOUT_PERSON);
    let mut given = pool.given(&target.key());
    let login = auth::authenticate(&mut handle, &shared, target, person, &mut given, tries);
    let outcome = timeout(limit, login).await;
    pool.keep_given(target.key(), given);
    outcome
        .unwrap_or_else(|_| {
            Err(handshake::unreachable_host(
                target,
                "the login was not answered in time",
            ))
        })
        .map_err(|fault| perhaps_by_openssh(target, fault))?;
    times.login = greeted.elapsed();
    tracing::info!(target = %target.key(), connection = %id, "connected");
    Ok(Connection {
        id,
        key: target.key(),
        handle,
        shared,
        usage: watch::Sender::new(Usage::default()),
        times,
        keepalive: handshake::keepalive(target).0,
        pulse: watch::Sender::new(Pulse::Answers),
        acknowledge_at_once,
        take_back,
        options: target.options.clone(),
        under,
    })
}

/// How the target is reached.
enum Road<'a> {
    Straight,
    Through(Lease, &'a Target),
    /// By a program of ssh_config's.
    Program(&'a str),
}

async fn in_words_of(said: proxy::Said, failure: Failure) -> Failure {
    Failure {
        fault: said.with(failure.fault).await,
        ..failure
    }
}

/// A login that failed may be one that OpenSSH's own client would have done by what ssh_config says.
fn perhaps_by_openssh(target: &Target, mut fault: Fault) -> Fault {
    let only = target.options.only_openssh.as_slice();
    if !only.is_empty() && matches!(fault.reason, Reason::AuthFailed | Reason::AuthInputRequired) {
        fault.message += &format!(
            "; ssh_config says {}, which OpenSSH's own client alone can do",
            only.join(" and ")
        );
        fault = fault.hint("open the session with the keeper `local-tmux`, which uses OpenSSH's own client");
    }
    fault
}

async fn road<'a>(pool: &Arc<Pool>, target: &'a Target, person: Option<&Asker>) -> Result<Road<'a>, Fault> {
    if let Some(why) = target.needs_openssh() {
        return Err(Fault::new(Reason::NotSupported, why).hint(
            "open the session with the keeper `local-tmux`, which uses OpenSSH's own client (`keeper = \"auto\"` does so by itself)",
        ));
    }
    if let Some(command) = &target.options.proxy_command {
        return Ok(Road::Program(command));
    }
    let Some((last, before)) = target.jump.split_last() else {
        return Ok(Road::Straight);
    };
    let mut hop = last.clone();
    hop.jump = before.to_vec();
    let leased = match person {
        Some(person) => pool.lease_by(&hop, person).await,
        None => pool.lease(&hop).await,
    };
    match leased {
        Ok(lease) => Ok(Road::Through(lease, last)),
        Err(mut fault) => {
            let (hop, all) = (plain(&last.alias), plain(&target.typed));
            fault.message = format!("jump host {hop}: {}", fault.message);
            // The whole way is logged in to: by itself the hop may be reached by another one.
            fault.hint = fault
                .hint
                .replace(&format!("`sshctl login {hop}`"), &format!("`sshctl login {all}`"));
            Err(fault)
        }
    }
}

/// A stream to the target through the jump host.
async fn forward(
    lease: &Lease,
    hop: &Target,
    target: &Target,
    deadline: Instant,
) -> Result<russh::ChannelStream<russh::client::Msg>, Fault> {
    let connection = lease.connection();
    connection.carry_another();
    let opening = connection.handle.channel_open_direct_tcpip(
        target.hostname.trim_start_matches('[').trim_end_matches(']'),
        u32::from(target.port),
        "127.0.0.1",
        0,
    );
    let hop = place(hop);
    let to = place(target);
    let refused =
        |what: String| Fault::new(Reason::Unreachable, what).hint(format!("check that {hop} can reach {to}"));
    match timeout(FORWARD_TIMEOUT.min(dial::left(deadline)), opening).await {
        Ok(Ok(channel)) => Ok(channel.into_stream()),
        Ok(Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited))) => {
            Err(refused(format!("jump host {hop} does not forward to {to}"))
                .hint("its AllowTcpForwarding or PermitOpen forbids it; ask its owner"))
        }
        Ok(Err(russh::Error::ChannelOpenFailure(_))) => {
            Err(refused(format!("jump host {hop} could not connect to {to}")).retryable())
        }
        Ok(Err(error)) => Err(refused(format!(
            "the connection to jump host {hop} was lost: {}",
            cause_words(&error)
        ))
        .retryable()),
        Err(_) => Err(refused(format!("jump host {hop} got no answer from {to} in time")).retryable()),
    }
}

impl Pool {
    /// Whether OpenSSH's own client is to be used for a target, where that is free: the daemon must not connect there, or has
    /// tried and lacks what that has. The fault is that of any other attempt.
    pub async fn leaves_to_openssh(self: &Arc<Self>, target: &Target) -> Result<bool, Fault> {
        if target.needs_openssh().is_some() {
            return Ok(true);
        }
        let Err(fault) = self.lease(target).await else {
            return Ok(false);
        };
        let may_help = match fault.reason {
            Reason::AuthFailed | Reason::AuthInputRequired => !target.options.only_openssh.is_empty(),
            Reason::NotSupported => true,
            _ => false,
        };
        if may_help && Tools::find().await.is_ok() {
            Ok(true)
        } else {
            Err(fault)
        }
    }

    /// Connects far enough to see the target's host key, and says what is known of it. Changes nothing.
    pub async fn scan(self: &Arc<Self>, target: &Target) -> Result<Scan, Fault> {
        self.look(target).await.map(|(scan, _)| scan)
    }

    /// Looks at the host key again and, if it still has the fingerprint that a person accepted, writes it down.
    pub async fn trust(self: &Arc<Self>, target: &Target, fingerprint: &str) -> Result<Trusted, Fault> {
        let (scan, key) = self.look(target).await?;
        if scan.fingerprint != fingerprint {
            return Err(Fault::new(
                Reason::HostKeyChanged,
                format!(
                    "{} now offers the key {}, not {}",
                    place(target),
                    scan.fingerprint,
                    plain(fingerprint)
                ),
            )
            .hint("look at the key again and compare it with the host's owner"));
        }
        let name = trust::name_of(target);
        match &scan.verdict {
            host_key::Verdict::Trusted => Ok(Trusted {
                file: trust::file_for_new(target),
                added: false,
            }),
            host_key::Verdict::Unknown { .. } => trust::add(target, &name, &key).await,
            host_key::Verdict::Changed(known) if trust::is_remembered(known) => {
                trust::forget(&name);
                trust::add(target, &name, &key).await
            }
            refused @ (host_key::Verdict::Changed(_) | host_key::Verdict::Revoked(_)) => {
                Err(trust::refusal(target, &name, &key, refused))
            }
        }
    }

    async fn look(self: &Arc<Self>, target: &Target) -> Result<(Scan, russh::keys::PublicKey), Fault> {
        let road = road(self, target, None).await?;
        let deadline = Instant::now() + target.connect_timeout;
        let looked = match &road {
            Road::Program(command) => {
                let stream = proxy::start(target, command)?;
                let said = stream.said.clone();
                match handshake::look(target, stream, deadline).await {
                    Ok(key) => Ok(key),
                    Err(failure) => Err(in_words_of(said, failure).await),
                }
            }
            Road::Straight => handshake::look(target, dial::tcp(target, deadline).await?, deadline).await,
            Road::Through(lease, hop) => {
                let stream = forward(lease, hop, target, deadline).await?;
                handshake::look(target, stream, deadline).await
            }
        };
        let shown = looked.map_err(|failure| failure.fault)?;
        let key = shown.public_key();
        let files = trust::read_files(target).await.files;
        let name = trust::name_of(target);
        let scan = Scan {
            algorithm: trust::key_name(&key),
            fingerprint: host_key::fingerprint(&key),
            openssh: host_key::openssh_line(&key).unwrap_or_default(),
            verdict: trust::judge(&files, &name, &shown).0,
            known_hosts_file: trust::file_for_new(target),
            known_hosts_name: name.full,
        };
        Ok((scan, key))
    }
}
