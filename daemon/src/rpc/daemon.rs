//! `DaemonService`: version, status, reload, stop. All that it tells of sessions comes from the core.

use std::{fs, path::PathBuf, sync::Arc, time::Instant};

use sshmcp_proto::{
    PROTOCOL,
    v1::{
        GetStatusRequest, GetStatusResponse, HelloRequest, HelloResponse, ReloadRequest, ReloadResponse,
        StopRequest, StopResponse, daemon_service_server::DaemonService,
    },
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{
    core::{Core, Facts, Reloaded, Stopped},
    lifecycle::StartedBy,
    listener::Admission,
    rpc::{Gate, caller},
};

/// What does not change while the daemon lives.
#[derive(Clone, Debug)]
pub struct About {
    /// The socket it serves on.
    pub socket: PathBuf,
    /// Where the configuration is, or would be.
    pub config: PathBuf,
    /// Where the state is.
    pub state: PathBuf,
    /// Who started it.
    pub started_by: StartedBy,
    /// When it started.
    pub started: Instant,
    /// Why there is no log.
    pub log_problem: Option<String>,
}

/// The service.
pub struct DaemonRpc {
    /// What does not change.
    pub about: About,
    /// What is asked and ordered.
    pub core: Arc<dyn Core>,
    /// Counts the calls.
    pub gate: Gate,
    /// Counts the clients.
    pub admission: Admission,
    /// Cancelled by us: end.
    pub stop: CancellationToken,
    /// Cancelled by the server: nothing is accepted any more.
    pub closed: CancellationToken,
}

#[tonic::async_trait]
impl DaemonService for DaemonRpc {
    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        let client = caller(&request);
        let HelloRequest { protocol, version } = request.into_inner();
        tracing::debug!(program = ?client.program, name = ?client.name, pid = client.pid, protocol, ?version, "hello");
        // A client of another protocol decides for itself: it must be able to stop us.
        Ok(Response::new(HelloResponse {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
        }))
    }

    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let GetStatusRequest {} = request.into_inner();
        let Facts {
            connections,
            sessions,
            away_sessions,
            running_commands,
            spool_bytes,
            config_problems,
            log_problems,
            mut state_problems,
            agent_socket,
        } = self.core.facts();
        let About {
            socket,
            config,
            state,
            started_by,
            started,
            log_problem,
        } = &self.about;
        state_problems.extend(log_problem.clone());
        Ok(Response::new(GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: started.elapsed().as_secs(),
            socket: socket.display().to_string(),
            config_path: config.display().to_string(),
            state_dir: state.display().to_string(),
            connections,
            sessions,
            running_commands,
            clients: self.admission.clients(),
            config_problems,
            started_by: started_by.to_string(),
            spool_bytes,
            memory_bytes: memory_bytes().unwrap_or_default(),
            agent_socket,
            log_problems,
            state_problems,
            away_sessions,
            // Ours is under way as well.
            calls: u32::try_from(self.gate.under_way().saturating_sub(1)).unwrap_or(u32::MAX),
        }))
    }

    async fn reload(&self, request: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        let ReloadRequest {} = request.into_inner();
        let Reloaded { applied, problems } = self.core.reload().await;
        Ok(Response::new(ReloadResponse { applied, problems }))
    }

    async fn stop(&self, request: Request<StopRequest>) -> Result<Response<StopResponse>, Status> {
        let client = caller(&request);
        let StopRequest { force } = request.into_inner();
        let Stopped {
            closed_sessions,
            ended_commands,
        } = self.core.stop(force).await?;
        tracing::info!(program = ?client.program, name = ?client.name, pid = client.pid, force, "told to stop");
        self.stop.cancel();
        self.closed.cancelled().await;
        Ok(Response::new(StopResponse {
            closed_sessions,
            ended_commands,
        }))
    }
}

/// Resident memory, where the kernel tells it.
fn memory_bytes() -> Option<u64> {
    resident(&fs::read_to_string("/proc/self/status").ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's line is read; anything else is no number.
    #[test]
    fn resident_memory() {
        assert_eq!(resident("VmPeak:\t 9 kB\nVmRSS:\t  12 kB\nX: 1"), Some(12 << 10));
        assert_eq!(resident("VmRSS: 12 MB"), None);
        assert_eq!(resident(""), None);
    }
}
