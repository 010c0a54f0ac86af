//! The daemon's flags. People rarely type them: clients and service units do.

use std::{ffi::OsString, path::PathBuf};

use sshmcpd::lifecycle::StartedBy;

/// Owns every SSH connection and session; `mcp-ssh` and `sshctl` talk to it and start it when it is not there.
#[derive(Debug, clap::Parser)]
#[command(name = "sshmcpd", version)]
#[expect(clippy::struct_excessive_bools, reason = "flags are what a command line has")]
pub(crate) struct Arguments {
    /// The socket to serve on [default: SSHMCP_SOCKET, else ~/.local/state/sshmcp/sshmcpd.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    /// The configuration file [default: SSHMCP_CONFIG, else config.toml in the user's configuration directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where state, spool and logs are kept [default: SSHMCP_STATE_DIR, else the user's state directory]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Who starts it; one that a client starts ends when it has had no work for a while
    /// [default: client with --detach, else manual]
    #[arg(long, value_enum, hide_possible_values = false)]
    started_by: Option<StartedBy>,

    /// Stay in the foreground and log to stderr too; this is the default
    #[arg(long, conflicts_with = "detach")]
    foreground: bool,

    /// Start in the background: prints `ready` when the socket accepts connections, or a sentence of what failed
    #[arg(long)]
    detach: bool,

    /// Being the process in the background
    #[arg(long, hide = true)]
    background: bool,

    /// Check the configuration, say what is wrong with it, and end
    #[arg(long, conflicts_with = "detach")]
    check_config: bool,

    /// Print the JSON schema of the configuration, and end
    #[arg(long, conflicts_with = "detach")]
    config_schema: bool,

    /// Print the man page, and end
    #[arg(long, hide = true, conflicts_with = "detach")]
    man: bool,

    /// Being what runs in a pane of a local tmux, for the session with this directory
    #[arg(long, hide = true, value_name = "DIRECTORY", requires = "command")]
    pub(crate) pane: Option<PathBuf>,

    /// What is run there
    #[arg(last = true, hide = true, requires = "pane")]
    pub(crate) command: Vec<OsString>,
}

/// What the flags ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Detach,
    CheckConfig,
    ConfigSchema,
    Man,
    Pane,
    Serve { background: bool },
}

impl Arguments {
    pub(crate) const fn action(&self) -> Action {
        if self.pane.is_some() {
            Action::Pane
        } else if self.man {
            Action::Man
        } else if self.check_config {
            Action::CheckConfig
        } else if self.config_schema {
            Action::ConfigSchema
        } else if self.detach {
            Action::Detach
        } else {
            Action::Serve {
                background: self.background && !self.foreground,
            }
        }
    }

    pub(crate) fn started_by(&self) -> StartedBy {
        self.started_by.unwrap_or(if self.background {
            StartedBy::Client
        } else {
            StartedBy::Manual
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    fn parse(line: &[&str]) -> Arguments {
        Arguments::try_parse_from([&["sshmcpd"], line].concat()).expect("flags")
    }

    /// The flags contradict each other nowhere, and mean what clients and units take them for.
    #[test]
    fn flags() {
        Arguments::command().debug_assert();
        let serve = |background| Action::Serve { background };
        for (line, action, started_by) in [
            (vec![], serve(false), StartedBy::Manual),
            (vec!["--foreground"], serve(false), StartedBy::Manual),
            (
                vec!["--background", "--socket", "/s"],
                serve(true),
                StartedBy::Client,
            ),
            (vec!["--started-by", "systemd"], serve(false), StartedBy::Systemd),
            (vec!["--check-config"], Action::CheckConfig, StartedBy::Manual),
            (vec!["--detach"], Action::Detach, StartedBy::Manual),
            (
                vec!["--pane", "/d", "--", "ssh", "-tt"],
                Action::Pane,
                StartedBy::Manual,
            ),
        ] {
            let arguments = parse(&line);
            assert_eq!(
                (arguments.action(), arguments.started_by()),
                (action, started_by),
                "{line:?}"
            );
        }
    }
}
