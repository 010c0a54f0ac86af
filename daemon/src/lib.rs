//! The daemon as a library, so that tests own the same object as `main`: connections, sessions, commands, and the
//! gRPC services over them.

pub mod config;
pub mod host;
pub mod id;
pub mod secret;
