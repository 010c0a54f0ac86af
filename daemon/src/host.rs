//! A host as a user names it to the target that it stands for. Whether the target exists is found out by connecting.

mod aliases;
mod builtin;
mod directives;
mod elsewhere;
mod lines;
mod list;
pub mod name;
pub mod notes;
mod openssh;
mod options;
mod resolve;
mod target;
mod tokens;
mod treatment;

pub use list::{HostEntry, list};
pub use openssh::client_words;
pub use options::{AddressFamily, Algorithms, Options};
pub use resolve::{Overrides, resolve};
pub use target::{AgentSource, OpenSsh, Target, TargetKey};

#[cfg(test)]
mod tests;
