//! tmux's control mode: what it says, parsed, and what it is told, spelled. Does no I/O.
//!
//! Only ids, numbers and our own literals are ever put into a command: tmux's formats run programs (`#(…)`).

pub mod command;
pub mod control;
