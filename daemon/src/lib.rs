//! The daemon as a library, so that tests own the same object as `main`: connections, sessions, commands, and the
//! gRPC services over them.

pub mod background;
pub mod core;
pub mod connection;
pub mod host;
pub mod id;
pub mod lifecycle;
pub mod listener;
pub mod log;
pub mod rpc;
pub mod secret;
pub mod server;
pub mod shell;
