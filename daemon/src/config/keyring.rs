//! The system's keyring, asked through the program that the system has for it: the Secret Service's `secret-tool`
//! (libsecret 0.20), or macOS's `security`. An entry belongs to the service `sshmcp`; nothing is written there.

use std::path::PathBuf;
use std::time::Duration;

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;
use tokio::process::Command;

use super::secret_source::{Unread, first_line};
use crate::secret::Secret;

/// How long a keyring may take: a locked one asks a person, who is perhaps not there.
const LIMIT: Duration = Duration::from_secs(10);

/// Where a daemon that knows no session bus finds the user's.
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// The secret of this name. `place` says where it is configured.
pub(super) async fn lookup(name: &str, place: &str) -> Result<Secret, Fault> {
    let failed = |what: String, hint: &str| {
        Fault::new(Reason::ConfigInvalid, format!("{place}: {what}")).hint(hint.to_owned())
    };
    if name.starts_with('-') {
        // The program would take it for an option.
        return Err(failed(
            "a keyring entry's name must not begin with `-`".to_owned(),
            "store it under another name",
        ));
    }
    let (program, mut command) = program(name);
    match first_line(&mut command, LIMIT).await {
        Ok(secret) => Ok(secret),
        Err(Unread::NotStarted(kind)) => Err(failed(
            format!("the keyring cannot be asked: {program}: {kind}"),
            "install secret-tool (Debian: libsecret-tools), or use { command = \"…\" }",
        )),
        Err(Unread::Late) => Err(failed(
            format!(
                "the keyring did not answer within {} s; it may be locked",
                LIMIT.as_secs()
            ),
            "unlock it in your desktop session",
        )
        .retryable()),
        Err(Unread::Failed(what)) => Err(failed(
            format!("the keyring gave no secret for the entry named here: {program} {what}"),
            store_hint(),
        )),
    }
}

#[cfg(not(target_os = "macos"))]
fn program(name: &str) -> (&'static str, Command) {
    let mut command = Command::new("secret-tool");
    command.args(["lookup", "service", "sshmcp", "name", name]);
    if std::env::var_os(BUS).is_none()
        && let Some(socket) = bus()
    {
        command.env(BUS, format!("unix:path={}", socket.display()));
    }
    ("secret-tool", command)
}

#[cfg(not(target_os = "macos"))]
const fn store_hint() -> &'static str {
    "store it with: sshctl secret set NAME"
}

/// The user's bus as systemd places it.
#[cfg(not(target_os = "macos"))]
fn bus() -> Option<PathBuf> {
    let socket = PathBuf::from(format!("/run/user/{}/bus", rustix::process::getuid().as_raw()));
    socket.exists().then_some(socket)
}

#[cfg(target_os = "macos")]
fn program(name: &str) -> (&'static str, Command) {
    let mut command = Command::new("/usr/bin/security");
    command.args(["find-generic-password", "-s", "sshmcp", "-a", name, "-w"]);
    ("security", command)
}

#[cfg(target_os = "macos")]
const fn store_hint() -> &'static str {
    "store it with: sshctl secret set NAME"
}
