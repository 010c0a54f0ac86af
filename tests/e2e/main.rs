//! Stories over the built programs, real sshd and real shells. One binary, so that they share the machine in order.

mod clients;
mod first;
mod inspector;
mod python_client;
mod shells;
