//! Terminal text as pure functions: bytes to the lines a person would read, key names to bytes, UTF-8 at chunk edges.
//! No emulator of a screen lives here; full-screen programs are only made legible.

pub mod clean;
pub mod fullscreen;
pub mod keys;
pub(crate) mod parse;
mod row;
pub mod utf8;
