//! What `sshctl install`, `uninstall`, `config import` and `man` are told.

use std::path::PathBuf;

use clap::Args;

/// Whether to ask, and which clients.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstallArgs {
    /// Do it without a question
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Only this MCP client, found or not: claude-desktop, claude-code, cursor, vscode, windsurf, zed, codex, gemini, opencode
    #[arg(long, value_name = "NAME", conflicts_with = "no_clients")]
    pub(crate) client: Vec<String>,
    /// Leave the MCP clients alone
    #[arg(long)]
    pub(crate) no_clients: bool,
}

/// Whether to ask, and how much goes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct UninstallArgs {
    /// Do it without a question
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Though sessions are open in the daemon that ends with it
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Also the state, the transcripts and the recordings of all sessions
    #[arg(long)]
    pub(crate) purge: bool,
}

/// What to take over.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// interactive (the YAML of mcp-ssh-interactive), session (OVRD_ variables of mcp-ssh-session), ssh_config, or a file;
    /// both predecessors if not given
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: Vec<String>,
    /// Do it without a question
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Put literal passwords into the system's keyring, and only their names into the file
    #[arg(long, conflicts_with = "no_secrets")]
    pub(crate) keyring: bool,
    /// Leave literal passwords out
    #[arg(long)]
    pub(crate) no_secrets: bool,
}

/// Where to.
#[derive(Clone, Debug, Args)]
pub(crate) struct ManArgs {
    /// The directory; it must be there
    pub(crate) directory: PathBuf,
}
