//! Stories over the built programs, real sshd and real shells. One binary, so that they share the machine in order.

mod asking;
mod bench;
mod clients;
mod doctor;
mod errors;
mod exec;
mod first;
mod floods;
mod generated;
mod hostile;
mod hygiene;
mod inspector;
mod interrupts;
mod late;
mod limits;
mod load;
mod lost;
mod odd;
mod parallel;
mod python_client;
mod queue;
mod secrets;
mod shells;
mod start;
mod sudo;
