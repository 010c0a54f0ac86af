//! The daemon as a library, so that tests own the same object as `main`: connections, sessions, commands, and the
//! gRPC services over them.

pub mod id;
pub mod output;
pub mod secret;
pub mod terminal;
