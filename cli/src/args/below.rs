//! The verbs below a verb, as a person types them.

use clap::Subcommand;

use super::{Force, ImportArgs};

/// What about a secret.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SecretVerb {
    /// Store a secret, asked for unseen or piped in, in the place of one of that name
    Set {
        /// The entry's name
        name: String,
    },
    /// Remove a secret
    Remove {
        /// The entry's name
        name: String,
    },
    /// Tell whether there is one of that name; it is not shown
    Check {
        /// The entry's name
        name: String,
    },
}

/// What about the configuration.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Read the configuration and tell what is wrong with it
    Check,
    /// Print where the configuration is, or would be
    Path,
    /// Print the JSON schema of the configuration
    Schema,
    /// Take over connections from another program's configuration; shown first
    #[command(after_help = "Examples:
  sshctl config import                       from mcp-ssh-interactive and mcp-ssh-session
  sshctl config import --from ssh_config
  sshctl config import --from ./config.yml --keyring

Connections that are in config.toml already are never changed, and a connection that would not be right is left out.
What was there before is kept beside it. The YAML of mcp-ssh-interactive and ssh_config's aliases work as they are, too.")]
    Import(ImportArgs),
}

/// What about the daemon.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum DaemonVerb {
    /// Start it, unless it runs
    Start,
    /// Stop it; refused while commands run
    Stop(Force),
    /// Stop it and start it again
    Restart(Force),
    /// What it is and holds; starts none
    Status,
}
