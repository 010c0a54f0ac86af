//! Files on hosts, by SFTP over a channel of the target's connection: one is read, written or edited in a call of its own.
//! No shell is used but to start the server's program where it is no subsystem, or under sudo; nothing is kept between calls.

mod edit;
mod open;
mod packet;
mod path;
mod read;
mod refused;
mod replace;
mod sftp;
mod turn;
mod upload;
mod words;
mod write;

pub use edit::Edit;
pub use open::{Access, Sudo};
pub use read::{READ_MAX, Read, Reading, read};
pub use refused::Refused;
pub use turn::Turns;
pub use upload::{Part, Upload, upload};
pub use write::{Mode, WRITE_MAX, What, Writing, Written, write};
