//! Terminal text as pure functions: bytes to the lines a person would read and to the screen that they would see,
//! key names to bytes, UTF-8 at chunk edges.

pub mod clean;
pub mod fullscreen;
pub mod keys;
pub(crate) mod parse;
mod row;
pub mod screen;
pub mod utf8;
