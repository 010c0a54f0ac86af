//! The edge where the wire ends: assembles the services, and says who is calling. What the calls do is not here.

mod attach;
mod beside;
mod command;
mod crowd;
mod daemon;
mod file;
mod from_proto;
mod gate;
mod host;
mod login;
mod logs;
mod session;
mod terminal;
mod to_proto;

use std::sync::Arc;

use prost::Message as _;
use sshmcp_proto::{
    FILE_DESCRIPTOR_SET,
    client::{CLIENT_KEY, MAX_MESSAGE},
    v1::{Client, daemon_service_server::DaemonServiceServer},
};
use tonic::{
    Request,
    service::{Routes, RoutesBuilder},
};

pub use command::CommandRpc;
pub use daemon::{About, DaemonRpc};
pub use file::FileRpc;
pub use gate::{Gate, Gated};
pub use host::HostRpc;
pub use logs::LogRpc;
pub use session::SessionRpc;
pub use terminal::TerminalRpc;

use crate::{core::Core, id::shorten, session::Caller};

/// Longest text taken from a client about itself, in characters.
const CLIENT_TEXT_MAX: usize = 80;
/// Longest encoded `Client` that is looked at, in bytes: four texts with room for escapes.
const CLIENT_BYTES_MAX: usize = 4096;

/// All services: the core's, the daemon's own, health and reflection.
pub async fn routes(
    core: Arc<dyn Core>,
    daemon: DaemonRpc,
) -> Result<Routes, tonic_reflection::server::Error> {
    let mut routes = RoutesBuilder::default();
    let mut names = core.add_services(&mut routes);
    routes.add_service(DaemonServiceServer::new(daemon).max_decoding_message_size(MAX_MESSAGE));
    names.push("sshmcp.v1.DaemonService");

    let (reporter, health) = tonic_health::server::health_reporter();
    for name in names {
        reporter
            .set_service_status(name, tonic_health::ServingStatus::Serving)
            .await;
    }
    routes.add_service(health);

    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    routes.add_service(reflection().build_v1()?);
    // Older tools ask for this one only.
    routes.add_service(reflection().build_v1alpha()?);
    Ok(routes.routes())
}

/// Who is calling, as far as it says so: its texts cut and without control characters, since they are shown to others.
pub fn caller<T>(request: &Request<T>) -> Client {
    let said = request
        .metadata()
        .get_bin(CLIENT_KEY)
        .filter(|value| value.as_encoded_bytes().len() <= CLIENT_BYTES_MAX)
        .and_then(|value| value.to_bytes().ok())
        .and_then(|bytes| Client::decode(bytes).ok())
        .unwrap_or_default();
    let Client {
        program,
        name,
        id,
        pid,
    } = said;
    Client {
        program: plain(&program, "unknown"),
        name: plain(&name, "unknown"),
        id: plain(&id, ""),
        pid,
    }
}

/// Who calls, as sessions know callers.
fn person_or_agent(client: &Client) -> Caller {
    Caller {
        id: client.id.clone(),
        name: client.name.clone(),
        is_person: client.program == "sshctl",
    }
}

/// The text without what could move a cursor, hide itself or turn round what stands beside it.
fn plain(text: &str, otherwise: &str) -> String {
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let text: String = text.chars().filter(harmless).collect();
    let text = shorten(text.trim(), CLIENT_TEXT_MAX);
    if text.is_empty() {
        otherwise.to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataValue;

    use super::*;

    fn from(bytes: &[u8]) -> Client {
        let mut request = Request::new(());
        request
            .metadata_mut()
            .insert_bin(CLIENT_KEY, MetadataValue::from_bytes(bytes));
        caller(&request)
    }

    /// Whoever says nothing, or nonsense, is unknown; nobody is refused for it.
    #[test]
    fn strangers_are_unknown() {
        let unknown = Client {
            program: "unknown".into(),
            name: "unknown".into(),
            id: String::new(),
            pid: 0,
        };
        assert_eq!(caller(&Request::new(())), unknown);
        assert_eq!(from(b"\xff\xff\xff"), unknown);
        assert_eq!(from(&[0; CLIENT_BYTES_MAX]), unknown);
    }

    /// What a client calls itself cannot move a cursor or fill a screen.
    #[test]
    fn names_are_plain() {
        let client = Client {
            program: "mcp-ssh".into(),
            name: "\u{1b}[31mclaude\u{202e}\n-code".into(),
            id: "x".repeat(500),
            pid: 7,
        };
        let seen = from(&client.encode_to_vec());
        assert_eq!(seen.program, "mcp-ssh");
        assert_eq!(seen.name, "[31mclaude-code");
        assert_eq!(seen.id.chars().count(), CLIENT_TEXT_MAX + 1);
        assert_eq!(seen.pid, 7);
    }
}
