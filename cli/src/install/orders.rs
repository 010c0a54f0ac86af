//! The orders to the user's service manager, and whether there is one to take them. What they are for is not known here.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::units::System;

/// A manager answers in milliseconds; a machine under load takes seconds.
const ORDER_TIME: Duration = Duration::from_secs(30);

/// An order: a program and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order(Vec<String>);

impl Order {
    fn new(words: &[&str]) -> Self {
        Self(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// As a person types it.
    pub(crate) fn line(&self) -> String {
        self.0.join(" ")
    }

    /// Gives it; what went wrong comes back in the manager's own words.
    pub(crate) async fn give(&self) -> Result<(), String> {
        let [program, words @ ..] = self.0.as_slice() else {
            return Ok(());
        };
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::null()).kill_on_drop(true);
        // A poor environment lacks what the way to the manager hangs on.
        let runtime = PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw()));
        if std::env::var_os("XDG_RUNTIME_DIR").is_none() && runtime.is_dir() {
            command.env("XDG_RUNTIME_DIR", runtime);
        }
        let output = match timeout(ORDER_TIME, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(format!("{program} could not be run: {error}")),
            Err(_) => return Err(format!("{program} did not answer in {} s", ORDER_TIME.as_secs())),
        };
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().find(|line| !line.trim().is_empty());
        Err(line.map_or_else(|| format!("{program}: {}", output.status), str::to_owned))
    }
}

impl System {
    /// True if the user's manager runs and answers us.
    pub(crate) async fn runs(self) -> Result<(), String> {
        match self {
            Self::Systemd => {
                Order::new(&["systemctl", "--user", "show-environment"])
                    .give()
                    .await
            }
            Self::Launchd => Order::new(&["launchctl", "print", &domain()]).give().await,
        }
    }

    /// What makes it read its files again and start the daemon when it is needed, in all logins to come.
    pub(crate) fn enable(self) -> Vec<Order> {
        match self {
            Self::Systemd => vec![
                Order::new(&["systemctl", "--user", "daemon-reload"]),
                Order::new(&["systemctl", "--user", "enable", "sshmcpd.socket"]),
            ],
            Self::Launchd => vec![Order::new(&["launchctl", "enable", &service()])],
        }
    }

    /// What makes it begin now.
    pub(crate) fn start(self, directory: &Path) -> Vec<Order> {
        match self {
            Self::Systemd => vec![Order::new(&["systemctl", "--user", "start", "sshmcpd.socket"])],
            Self::Launchd => {
                let list = directory.join("org.sshmcp.sshmcpd.plist");
                let list = list.display().to_string();
                vec![Order::new(&["launchctl", "bootstrap", &domain(), &list])]
            }
        }
    }

    /// What undoes both.
    pub(crate) fn disable(self) -> Vec<Order> {
        match self {
            Self::Systemd => vec![
                Order::new(&["systemctl", "--user", "stop", "sshmcpd.socket", "sshmcpd.service"]),
                Order::new(&["systemctl", "--user", "disable", "sshmcpd.socket"]),
            ],
            Self::Launchd => vec![Order::new(&["launchctl", "bootout", &service()])],
        }
    }

    /// What makes it forget files that are gone.
    pub(crate) fn forget(self) -> Vec<Order> {
        match self {
            Self::Systemd => vec![Order::new(&["systemctl", "--user", "daemon-reload"])],
            Self::Launchd => Vec::new(),
        }
    }

    /// Links that `enable` makes beside the files: they go with these where no manager runs to take them away.
    pub(crate) fn links(self, directory: &Path) -> Vec<PathBuf> {
        match self {
            Self::Systemd => vec![directory.join("sockets.target.wants/sshmcpd.socket")],
            Self::Launchd => Vec::new(),
        }
    }
}

fn domain() -> String {
    format!("gui/{}", rustix::process::getuid().as_raw())
}

fn service() -> String {
    format!("{}/org.sshmcp.sshmcpd", domain())
}
