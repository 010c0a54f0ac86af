//! The daemon's pure modules that meet remote output, compiled from its sources alone, so that a fuzz target builds in a
//! minute. What they use of the protocol's errors stands here in little.

extern crate self as sshmcp_proto;

#[path = "../../../daemon/src"]
mod daemon {
    pub mod id;
    pub mod terminal;
    pub mod tmux;
    pub mod shell {
        pub mod mark;
        pub mod scan;
    }
}

pub use daemon::{id, shell, terminal, tmux};

/// As in the protocol.
pub mod v1 {
    /// As in the protocol.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Reason {
        /// As in the protocol.
        InvalidArgument,
    }
}

/// As in the protocol.
pub mod error {
    /// As in the protocol.
    #[derive(Clone, Debug)]
    pub struct Fault {
        /// As in the protocol.
        pub reason: crate::v1::Reason,
        /// As in the protocol.
        pub message: String,
    }

    impl Fault {
        /// As in the protocol.
        pub fn new(reason: crate::v1::Reason, message: impl Into<String>) -> Self {
            let message = message.into();
            Self { reason, message }
        }

        /// As in the protocol.
        pub fn hint(self, _: impl Into<String>) -> Self {
            self
        }
    }
}
