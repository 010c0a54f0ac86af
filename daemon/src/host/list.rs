//! Every host that can be named: configured connections and ssh_config aliases, each resolved as far as that is cheap.

use futures::StreamExt as _;
use futures::stream;

use super::resolve::{Overrides, resolve};
use super::{aliases, notes};
use crate::config::{Config, Configured, Keeper};

/// Aliases that are resolved for a listing; of more only the names are shown, since each costs a process.
const RESOLVED: usize = 50;

/// `ssh -G` at a time.
const AT_ONCE: usize = 4;

/// One host as a listing shows it; never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostEntry {
    /// The name to use in calls.
    pub name: String,
    /// Login name; empty if not resolved.
    pub user: String,
    /// What is dialled; empty if not resolved.
    pub hostname: String,
    /// TCP port; 0 if not resolved.
    pub port: u16,
    /// What its owner says it is.
    pub description: String,
    /// Labels.
    pub tags: Vec<String>,
    /// `config`, `mcp-ssh-interactive` or `ssh_config`.
    pub source: &'static str,
    /// Jump hosts as named, first hop first.
    pub jump: Vec<String>,
    /// Whether notes are there.
    pub has_notes: bool,
    /// Who read ssh_config for it: `ssh -G`, `built-in`, `none`; empty if not resolved.
    pub resolved_by: &'static str,
    /// What is wrong; empty if nothing is.
    pub problem: String,
}

/// Configured connections by name, then the aliases of `~/.ssh/config` in its order.
pub async fn list(config: &Config) -> Vec<HostEntry> {
    let configured = config
        .connections
        .iter()
        .map(|(name, configured)| match configured {
            Configured::Usable(connection) => (
                HostEntry {
                    name: name.clone(),
                    description: connection.description.clone().unwrap_or_default(),
                    tags: connection.tags.clone().unwrap_or_default(),
                    source: connection.source,
                    ..HostEntry::default()
                },
                true,
            ),
            Configured::Broken { source, problems } => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let entry = HostEntry {
                    name: name.clone(),
                    source,
                    problem: problems.join("; "),
                    ..HostEntry::default()
                };
                (entry, false)
            }
        });
    let aliases = aliases::scan(&config.home);
    let aliases = aliases
        .into_iter()
        .filter(|alias| !config.connections.contains_key(alias))
        .enumerate()
        .map(|(index, alias)| {
            let entry = HostEntry {
                name: alias,
                source: "ssh_config",
                ..HostEntry::default()
            };
            (entry, index < RESOLVED)
        });
    let entries: Vec<(HostEntry, bool)> = configured.chain(aliases).collect();
    stream::iter(entries)
        .map(|(entry, cheap)| async move { if cheap { fill(config, entry).await } else { entry } })
        .buffered(AT_ONCE)
        .collect()
        .await
}

/// Adds what the name resolves to, or why it does not.
async fn fill(config: &Config, mut entry: HostEntry) -> HostEntry {
    match resolve(config, &entry.name, &Overrides::default()).await {
        Ok(target) => {
            let keeper = target.keeper.unwrap_or(config.settings.keeper);
            if let Some(why) = target.needs_openssh()
                && !matches!(keeper, Keeper::LocalTmux | Keeper::Auto)
            {
                entry.problem = format!("{why}; use the keeper `local-tmux`");
            }
            entry.resolved_by = target.resolved_by;
            entry.has_notes = notes::are_there(&target.notes);
            entry.jump = target.jump.into_iter().map(|hop| hop.alias).collect();
            entry.user = target.user;
            entry.hostname = target.hostname;
            entry.port = target.port;
        }
        Err(fault) => entry.problem = fault.message,
    }
    entry
}
