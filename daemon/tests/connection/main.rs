//! The connection layer against real servers: OpenSSH's sshd on loopback, and small servers of our own for what
//! sshd cannot be made to do.

mod fake;
mod person;
mod sshd;
mod target;

mod connection_algorithms;
mod connection_certificates;
mod connection_channels;
mod connection_host_keys;
mod connection_hostile;
mod connection_login;
mod connection_person;
mod connection_security_keys;
mod connection_sharing;
mod connection_trouble;
