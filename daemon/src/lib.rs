//! The daemon as a library, so that tests own the same object as `main`: connections, sessions, commands, and the
//! gRPC services over them.

pub mod background;
pub mod command;
pub mod config;
pub mod connection;
pub mod core;
pub mod device;
pub mod durable;
pub mod engine;
pub mod examine;
pub mod execute;
pub mod file;
pub mod host;
pub mod id;
pub mod lifecycle;
pub mod listener;
pub mod local;
pub mod log;
pub mod output;
pub mod recording;
pub mod registry;
pub mod rpc;
pub mod secret;
pub mod server;
pub mod service;
pub mod session;
pub mod shell;
pub mod state;
pub mod terminal;
pub mod tmux;
