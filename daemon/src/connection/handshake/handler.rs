//! What russh calls: the server's key is judged, the end is noted, and what the server would open is refused.

use std::sync::{Arc, atomic::Ordering};

use russh::{
    Channel,
    client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session},
    keys::PublicKeyOrCertificate,
};

use super::shared::Shared;
use crate::{
    connection::{
        forwarded::Forwarded,
        trust,
        words::{cause_words, plain},
    },
    host::Target,
};

/// What is done with the server's key.
pub(super) enum Purpose {
    /// Connect, if the key is trusted.
    Connect,
    /// Look at the key and go.
    Look,
}

/// Errors of the handler: russh's, or a refusal of ours.
#[derive(Debug)]
pub(in crate::connection) enum HandlerError {
    Ssh(russh::Error),
    Refused,
}

impl From<russh::Error> for HandlerError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// russh's callbacks. Refuses every channel that the server would open.
pub(in crate::connection) struct Handler {
    pub(super) target: Target,
    pub(super) purpose: Purpose,
    pub(super) shared: Arc<Shared>,
    pub(super) forwarded: Forwarded,
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
