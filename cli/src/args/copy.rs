//! What `sshctl cp` is told.

use clap::Args;

use super::Login;

/// What to copy where.
#[derive(Debug, Args)]
pub(crate) struct CpArgs {
    /// A file here, HOST:PATH, or - for what is piped in
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// A file or directory here, HOST:PATH, or - for stdout
    #[arg(value_name = "TO")]
    pub(crate) to: String,
    /// How to log in.
    #[command(flatten)]
    pub(crate) login: Login,
    /// On the host as root, where the login may use sudo
    #[arg(long)]
    pub(crate) sudo: bool,
}
