//! The connection layer against real servers: OpenSSH's sshd on loopback, and small servers of our own for what
//! sshd cannot be made to do.

mod fake;
mod sshd;
mod target;

mod connection_channels;
mod connection_host_keys;
mod connection_login;
mod connection_sharing;
mod connection_trouble;
