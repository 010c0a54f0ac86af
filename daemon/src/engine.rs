//! The daemon's core as its process sees it: everything wired together, its facts, its reload and its end.

use std::{path::Path, sync::Arc, time::Duration};

use sshmcp_proto::{
    client::MAX_MESSAGE,
    endpoint::Paths,
    error::Fault,
    v1::{
        Reason, command_service_server::CommandServiceServer, file_service_server::FileServiceServer,
        host_service_server::HostServiceServer, log_service_server::LogServiceServer,
        session_service_server::SessionServiceServer, terminal_service_server::TerminalServiceServer,
    },
};
use tonic::service::RoutesBuilder;

use crate::{
    command::{CommandLimits, Commands},
    config::{ConfigStore, Sources},
    connection::{Pool, PoolSettings, find_agent},
    core::{Core, Facts, Limits, Reloaded, Stopped},
    id::CommandId,
    output::OutputLimits,
    recording::Recordings,
    registry::Registry,
    rpc::{CommandRpc, FileRpc, HostRpc, LogRpc, SessionRpc, TerminalRpc},
    state::{Claim, Loaded, Store},
};

/// Everything that the daemon owns.
pub struct Engine {
    registry: Arc<Registry>,
    claim: Claim,
}

impl Engine {
    /// Reads the configuration and begins to watch it, and makes again what an earlier daemon left; must be called
    /// within the runtime.
    pub async fn start(sources: Sources, state_dir: &Path) -> Self {
        let config = Arc::new(ConfigStore::open(sources));
        let limits = {
            let config = config.clone();
            move || {
                let settings = &config.current().settings;
                CommandLimits {
                    ended: settings.keep_commands,
                    disk_bytes: settings.spool_total_mib << 20,
                    output: OutputLimits {
                        disk_bytes: settings.spool_limit_mib << 20,
                        ..OutputLimits::default()
                    },
                }
            }
        };
        tokio::spawn(config.clone().watch());
        let logs = config.clone();
        let pool = Pool::new(PoolSettings::default());
        let claim = Claim::new(state_dir);
        // One who came second has nothing that is looked for afterwards.
        let anchor = Paths::anchor(state_dir).filter(|_| claim.problem.is_none());
        let commands = Arc::new(Commands::open_with(&claim.directory, anchor.clone(), limits));
        let recordings = Recordings::new(state_dir, move || logs.current().logs);
        let (store, Loaded { sessions, set_aside }) = Store::open_with(&claim.directory, anchor);
        for words in set_aside {
            tracing::warn!("{words}");
        }
        let registry = Arc::new(Registry::new(config, pool, commands, recordings, store));
        registry.restore(sessions).await;
        let resolving = registry.clone();
        tokio::spawn(async move { resolving.resolve_rest().await });
        registry.clone().follow_again();
        let catching_up = registry.commands.clone();
        tokio::spawn(async move { catching_up.catch_up().await });
        tokio::spawn(registry.clone().adopt());
        let closing = registry.clone();
        tokio::spawn(async move { closing.close_idle().await });
        Self { registry, claim }
    }
}

#[tonic::async_trait]
impl Core for Engine {
    fn facts(&self) -> Facts {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let config = self.registry.config.current();
        Facts {
            connections: count(self.registry.pool.connections()),
            sessions: count(self.registry.list().len()),
            away_sessions: self.registry.away(),
            running_commands: count(self.registry.commands.running()),
            spool_bytes: self.registry.commands.disk_bytes(),
            log_problems: self.registry.recordings.problems(),
            state_problems: self
                .claim
                .problem
                .iter()
                .cloned()
                .chain(self.registry.state_problems())
                .collect(),
            config_problems: config.all_problems().map(ToString::to_string).collect(),
            agent_socket: find_agent().map_or_else(String::new, |path| path.display().to_string()),
        }
    }

    fn limits(&self) -> Limits {
        let settings = &self.registry.config.current().settings;
        Limits {
            clients: settings.max_clients,
            calls: settings.max_calls,
            calls_per_client: settings.max_calls_per_client,
        }
    }

    fn is_idle(&self) -> bool {
        self.registry.list().is_empty() && self.registry.durables.is_empty()
    }

    fn idle_exit(&self) -> Option<Duration> {
        self.registry.config.current().settings.idle_exit
    }

    async fn reload(&self) -> Reloaded {
        let outcome = self.registry.config.reload();
        Reloaded {
            applied: outcome.applied,
            problems: outcome.problems.iter().map(ToString::to_string).collect(),
        }
    }

    async fn stop(&self, force: bool) -> Result<Stopped, Fault> {
        let sessions = self.registry.list();
        let running: Vec<String> = sessions
            .iter()
            .filter(|session| !session.is_kept())
            .filter_map(|session| session.summary().running)
            .map(|id| id.to_string())
            .collect();
        if !force && !running.is_empty() {
            return Err(Fault::new(
                Reason::SessionBusy,
                format!(
                    "commands are still running: {}; nothing was stopped",
                    running.join(", ")
                ),
            )
            .hint("wait for them, or stop with force"));
        }
        let closed = self.registry.end(sessions).await;
        let commands = &self.registry.commands;
        let has_ended = |id: CommandId| {
            let command = commands.find(&id.to_string());
            command.is_ok_and(|command| command.state().status.is_final())
        };
        self.registry.durables.clear(has_ended).await;
        self.registry.pool.shutdown().await;
        self.registry.store.saved().await;
        self.registry.store.let_go();
        Ok(Stopped {
            closed_sessions: closed.iter().map(|(name, _)| name.to_string()).collect(),
            ended_commands: closed
                .iter()
                .filter_map(|(_, id)| id.map(|id| id.to_string()))
                .collect(),
        })
    }

    fn add_services(self: Arc<Self>, routes: &mut RoutesBuilder) -> Vec<&'static str> {
        let registry = &self.registry;
        let hosts = HostServiceServer::new(HostRpc(registry.clone()));
        let sessions = SessionServiceServer::new(SessionRpc(registry.clone()));
        let commands = CommandServiceServer::new(CommandRpc(registry.clone()));
        let terminals = TerminalServiceServer::new(TerminalRpc(registry.clone()));
        let logs = LogServiceServer::new(LogRpc(registry.clone()));
        let files = FileServiceServer::new(FileRpc::new(registry.clone()));
        routes.add_service(files.max_decoding_message_size(MAX_MESSAGE));
        routes.add_service(hosts.max_decoding_message_size(MAX_MESSAGE));
        routes.add_service(sessions.max_decoding_message_size(MAX_MESSAGE));
        routes.add_service(commands.max_decoding_message_size(MAX_MESSAGE));
        routes.add_service(terminals.max_decoding_message_size(MAX_MESSAGE));
        routes.add_service(logs.max_decoding_message_size(MAX_MESSAGE));
        vec![
            "sshmcp.v1.HostService",
            "sshmcp.v1.SessionService",
            "sshmcp.v1.CommandService",
            "sshmcp.v1.TerminalService",
            "sshmcp.v1.LogService",
            "sshmcp.v1.FileService",
        ]
    }
}
