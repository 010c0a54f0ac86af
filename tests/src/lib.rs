//! What the stories are told with: users, an sshd, the built binaries and an MCP client. No story is in here.
//!
//! A test makes a [`TestBed`], which has a home of its own, an sshd of its own and host users with the common login
//! shells. Everything runs as ordinary users: as root the tests make these, otherwise everybody is ourselves.

pub mod bed;
pub mod memory;
pub mod memory_of;
pub mod net;
pub mod outcome;
pub mod patient;
pub mod process;
pub mod program;
pub mod shim;
pub mod sshd;
pub mod sudoer;
pub mod trace;
pub mod user;
pub mod wait;

pub use bed::TestBed;
pub use memory::Memory;
pub use net::Net;
pub use outcome::{Outcome, ToolError};
pub use shim::Shim;
pub use sshd::{Sshd, SshdOptions};
pub use sudoer::Sudoer;
pub use user::{Shell, User};
pub use wait::{IN_TIME, LONG, eventually, eventually_seen, eventually_some};
