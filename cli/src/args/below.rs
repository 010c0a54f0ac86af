//! The verbs below a verb, as a person types them.

use clap::Subcommand;

use super::Force;

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
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Read the configuration and tell what is wrong with it
    Check,
    /// Print where the configuration is, or would be
    Path,
    /// Print the JSON schema of the configuration
    Schema,
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
