//! The built `sshctl` against a scripted daemon: what people and scripts see, without any SSH.

mod daemon;
mod doctor;
mod exec;
#[path = "../../../tests/src/patient.rs"]
mod patient;
mod person;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
