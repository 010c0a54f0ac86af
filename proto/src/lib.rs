//! What any process must know to talk to `sshmcpd`: the messages, where the socket is, how to start it, and errors.

pub mod advice;
pub mod client;
pub mod endpoint;
pub mod error;
pub mod local;
mod redacted;

/// The generated messages and services of package `sshmcp.v1`.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("sshmcp.v1");
}

/// The encoded descriptor set of every .proto file, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sshmcp.bin"));

/// The wire protocol's number; raised only when older and newer peers would misunderstand each other.
pub const PROTOCOL: u32 = 1;
