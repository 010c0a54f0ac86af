//! Configuration: text to values, with file, line and column for whatever is wrong, and never a value in an error.
//! What a host's name resolves to with it is `host`'s matter.

mod check;
mod connection;
mod fields;
mod file;
mod keyring;
mod logs;
mod problem;
mod reading;
mod schema;
mod secret_source;
mod settings;
mod store;
mod tags;
mod toml_text;
mod tree;
mod yaml_text;

use std::collections::BTreeMap;
use std::path::PathBuf;

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

use crate::recording::Limits;

pub use check::{Report, check};
pub use connection::{Connection, HostKeyPolicy, Keeper, Kind, NotesFile};
pub use problem::{Pos, Problem};
pub use schema::schema;
pub use secret_source::{Reference, SecretSource};
pub use settings::Settings;
pub use store::{ConfigStore, ReloadOutcome};

/// Where the configuration is.
#[derive(Clone, Debug)]
pub struct Sources {
    /// `config.toml`, there or not.
    pub toml: PathBuf,
    /// Whether somebody named that file: then it must be there.
    pub toml_named: bool,
    /// The YAML files of mcp-ssh-interactive, the one with precedence first.
    pub yaml: Vec<PathBuf>,
    /// The home directory, for `~/` and `~/.ssh`.
    pub home: PathBuf,
}

impl Sources {
    /// The usual places; `named` is a `--config` flag or `SSHMCP_CONFIG`.
    pub fn find(named: Option<PathBuf>) -> Result<Self, Fault> {
        let homeless = || {
            Fault::new(Reason::ConfigInvalid, "the home directory is not known")
                .hint("set HOME for the daemon")
        };
        let base = directories::BaseDirs::new().ok_or_else(homeless)?;
        let project = directories::ProjectDirs::from("", "", "sshmcp").ok_or_else(homeless)?;
        let home = base.home_dir().to_owned();
        Ok(Self {
            toml_named: named.is_some(),
            toml: named.unwrap_or_else(|| project.config_dir().join("config.toml")),
            yaml: vec![
                home.join(".ssh_mcp_config.yml"),
                home.join(".mcp-ssh-interactive").join("config.yml"),
            ],
            home,
        })
    }
}

/// One consistent state of the configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Settings of the daemon as a whole.
    pub settings: Settings,
    /// How much of transcripts and recordings is kept.
    pub logs: Limits,
    /// Configured connections by name, right or wrong.
    pub connections: BTreeMap<String, Configured>,
    /// What is wrong outside the connections: files that could not be read, unknown tables, settings.
    pub problems: Vec<Problem>,
    /// `config.toml`, there or not.
    pub path: PathBuf,
    /// The home directory.
    pub home: PathBuf,
    /// Key files that connections name.
    key_files: Vec<PathBuf>,
}

/// One configured connection.
#[derive(Clone, Debug)]
pub enum Configured {
    /// It can be used.
    Usable(Box<Connection>),
    /// Something in it is wrong; using it fails with `config_invalid`.
    Broken {
        /// The file that has it, as in `Connection`.
        source: &'static str,
        /// What is wrong; at least one.
        problems: Vec<Problem>,
    },
}

impl Config {
    /// A daemon's configuration without any file, for a given home directory.
    pub fn empty(home: PathBuf) -> Self {
        Self {
            settings: Settings::default(),
            logs: Limits::default(),
            connections: BTreeMap::new(),
            problems: Vec::new(),
            path: home.join(".config/sshmcp/config.toml"),
            home,
            key_files: Vec::new(),
        }
    }

    /// The connection of exactly this name; `None` if there is none, a fault if it is wrong.
    pub fn connection(&self, name: &str) -> Result<Option<&Connection>, Fault> {
        match self.connections.get(name) {
            None => Ok(None),
            Some(Configured::Usable(connection)) => Ok(Some(connection)),
            Some(Configured::Broken { problems, .. }) => Err(problems.first().map_or_else(
                || Fault::new(Reason::ConfigInvalid, "this connection's configuration is wrong"),
                Problem::fault,
            )),
        }
    }

    /// Everything that is wrong, connections included.
    pub fn all_problems(&self) -> impl Iterator<Item = &Problem> {
        let of_connections = self
            .connections
            .values()
            .filter_map(|configured| match configured {
                Configured::Usable(_) => None,
                Configured::Broken { problems, .. } => Some(problems),
            })
            .flatten();
        self.problems.iter().chain(of_connections)
    }
}

#[cfg(test)]
mod tests;
