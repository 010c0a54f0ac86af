//! One session as it is remembered. No secret is among it: what a login needs is resolved anew.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A session that may have to be found again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedSession {
    /// Its name.
    pub name: String,
    /// The host as it was named.
    pub host: String,
    /// Login name that was given beside the host.
    pub username: Option<String>,
    /// Port that was given beside the host.
    pub port: Option<u32>,
    /// Private key file that was given beside the host.
    pub key_filename: Option<String>,
    /// What was given to be dialled instead of what is configured.
    pub hostname: Option<String>,
    /// What the host was resolved to: hops, and last the target. A session is never found again on another.
    pub target: Vec<Hop>,
    /// `daemon`, `remote-tmux` or `local-tmux`.
    pub keeper: String,
    /// The shell's kind; empty if not known.
    pub shell: String,
    /// Commands' stdout and stderr are got apart.
    pub apart: bool,
    /// Calls that name only its target use it.
    pub is_default: bool,
    /// Terminal width.
    pub cols: u16,
    /// Terminal height.
    pub rows: u16,
    /// Working directory; empty if not known.
    pub cwd: String,
    /// When it was opened, milliseconds since the Unix epoch.
    pub opened_ms: i64,
    /// When it was last used, milliseconds since the Unix epoch.
    pub last_used_ms: i64,
    /// Who used it last.
    pub client: String,
    /// What a caller should know; empty if nothing.
    pub notice: String,
    /// Position behind the last byte that its terminal showed, or a little further: it never moves back.
    pub cursor: u64,
    /// How far each client has been shown its terminal.
    pub seen: Vec<(String, u64)>,
    /// What the session finds its shell by, in its own words; null: there is nothing to come back to.
    pub kept: Value,
}

/// One hop of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Login name.
    pub user: String,
    /// What is dialled.
    pub hostname: String,
    /// TCP port.
    pub port: u16,
}

impl SavedSession {
    /// It outlives the daemon.
    pub fn is_kept(&self) -> bool {
        !self.kept.is_null()
    }
}
