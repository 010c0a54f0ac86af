//! Where a durable command is on its host, in the form in which the command remembers it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    command::Command,
    host::{Overrides, TargetKey},
    shell::durable::Started,
};

/// Marks a place as one of these, and its form.
const FORM: u32 = 1;

/// Where a command is, and what of its end is known. How far its output was taken, its output knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    durable: u32,
    /// In its directory's name and in every frame.
    pub nonce: String,
    /// Its directory; empty where that was not heard.
    pub dir: String,
    /// The boot id of its host when it was started; empty where that was not heard.
    pub boot: String,
    /// The machine id of its host; empty where that was not heard.
    pub machine: String,
    /// The exit code, as stdout and stderr each told it.
    pub ended: [Option<i32>; 2],
    /// The last writer of each has gone.
    pub eof: [bool; 2],
    /// We have signalled it.
    pub interrupted: bool,
    /// Its host.
    pub host: Host,
}

/// How the host of a command is found again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Host {
    /// As it was named.
    pub name: String,
    /// Login name that was given beside it.
    pub username: Option<String>,
    /// Port that was given beside it.
    pub port: Option<u32>,
    /// Private key file that was given beside it.
    pub key_filename: Option<String>,
    /// What was given to be dialled instead of what is configured.
    #[serde(default)]
    pub hostname: Option<String>,
    /// User, hostname and port of each hop and, last, of the target: it is never looked for on another.
    pub hops: Vec<(String, String, u16)>,
}

impl Host {
    /// The host of this name and target.
    pub fn new(name: &str, overrides: &Overrides, key: &TargetKey) -> Self {
        let hops = key.hops();
        Self {
            name: name.to_owned(),
            username: overrides.username.clone(),
            port: overrides.port,
            key_filename: overrides.key_filename.clone(),
            hostname: overrides.hostname.clone(),
            hops: hops
                .map(|(user, hostname, port)| (user.to_owned(), hostname.to_owned(), port))
                .collect(),
        }
    }

    /// What is laid over the host's configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            username: self.username.clone(),
            port: self.port,
            key_filename: self.key_filename.clone(),
            password: None,
            hostname: self.hostname.clone(),
        }
    }

    /// The target.
    pub fn key(&self) -> TargetKey {
        TargetKey::of(self.hops.iter().cloned())
    }
}

impl Place {
    /// Nothing was heard of it yet.
    pub fn new(nonce: &str, host: Host) -> Self {
        Self {
            durable: FORM,
            nonce: nonce.to_owned(),
            host,
            ..Self::default()
        }
    }

    /// It was started there.
    pub fn started(&mut self, started: &Started) {
        self.dir.clone_from(&started.dir);
        self.boot.clone_from(&started.boot);
        self.machine.clone_from(&started.machine);
    }

    /// The place of a durable command whose directory was not cleared away yet; none: it is no such command.
    pub fn of(command: &Command) -> Option<Self> {
        let place: Self = serde_json::from_value(command.place()).ok()?;
        (place.durable == FORM).then_some(place)
    }

    /// The command remembers it.
    pub fn save(&self, command: &Command) {
        match serde_json::to_value(self) {
            Ok(place) => command.set_place(place),
            Err(error) => {
                tracing::warn!(command = %command.id, %error, "a durable command's place cannot be remembered");
            }
        }
    }

    /// Nothing is left there.
    pub fn forget(command: &Command) {
        command.set_place(Value::Null);
    }
}
