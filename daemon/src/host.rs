//! Stub of the resolved host; replaced by the configuration's.
mod target;
pub use target::{AgentSource, Target, TargetKey};
