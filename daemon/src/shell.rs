//! How a shell is made to tell when a command ends and what it waits for: the scripts, what they print, and what is
//! typed. Pure text; knows nothing of channels, sessions or time.

pub mod candidate;
pub mod durable;
pub mod examine;
pub mod fish;
pub mod frame;
pub mod front;
pub mod mark;
pub mod order;
pub mod probe;
pub mod question;
pub mod scan;
pub mod sudo;
pub mod typed;
