//! What the process around it asks of the daemon's core: facts, reload, stop, and the services it serves. Knows neither
//! sockets nor signals.

use std::{sync::Arc, time::Duration};

use sshmcp_proto::error::Fault;
use tonic::service::RoutesBuilder;

/// What the daemon holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Open connections.
    pub connections: u32,
    /// Open sessions.
    pub sessions: u32,
    /// Those whose host is not reached now, each with its state.
    pub away_sessions: Vec<String>,
    /// Commands that are running.
    pub running_commands: u32,
    /// Bytes of command output held on disk.
    pub spool_bytes: u64,
    /// What is wrong with the configuration, one entry a problem.
    pub config_problems: Vec<String>,
    /// What is wrong with sessions' transcripts and recordings, one entry a session.
    pub log_problems: Vec<String>,
    /// What is wrong with what must survive the daemon, one entry a problem.
    pub state_problems: Vec<String>,
    /// The ssh-agent where ssh_config names none; empty if there is none.
    pub agent_socket: String,
}

/// What the process lets in; as configured now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Programs connected at a time.
    pub clients: usize,
    /// Calls under way at a time.
    pub calls: usize,
    /// Calls under way at a time of one program.
    pub calls_per_client: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: usize::MAX,
            calls: usize::MAX,
            calls_per_client: usize::MAX,
        }
    }
}

/// The outcome of reading the configuration again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// True if the new configuration is in force as a whole.
    pub applied: bool,
    /// What is wrong with it, one entry a problem.
    pub problems: Vec<String>,
}

/// What stopping ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Names of the sessions that were closed.
    pub closed_sessions: Vec<String>,
    /// Ids of the commands that were still running.
    pub ended_commands: Vec<String>,
}

/// The daemon's core as the process sees it.
#[tonic::async_trait]
pub trait Core: Send + Sync + 'static {
    /// What it holds now; must not wait for anything remote.
    fn facts(&self) -> Facts;

    /// What may be let in; asked at each connection and call.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// True if nothing would be lost by ending now: no session, no running command, nothing on its way to one.
    fn is_idle(&self) -> bool;

    /// How long a daemon that a client started stays without work; none: for ever.
    fn idle_exit(&self) -> Option<Duration>;

    /// Reads the configuration again.
    async fn reload(&self) -> Reloaded;

    /// Ends all sessions. Without `force` it refuses while commands are running, and has then changed nothing. May be
    /// called again, and then has nothing left to end.
    async fn stop(&self, force: bool) -> Result<Stopped, Fault>;

    /// Adds its services to the server, and returns their full names, for the health service.
    fn add_services(self: Arc<Self>, routes: &mut RoutesBuilder) -> Vec<&'static str>;
}
