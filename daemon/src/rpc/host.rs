//! `HostService`: what is configured, and which host keys a person trusts.

use std::sync::Arc;

use sshmcp_proto::{
    error::Fault,
    v1::{
        ExamineHostRequest, ExamineHostResponse, HostKey, ListHostsRequest, ListHostsResponse, LoginRequest,
        Reason, ScanHostKeyRequest, ScanHostKeyResponse, TrustHostKeyRequest, TrustHostKeyResponse,
        host_service_server::HostService,
    },
};
use tonic::{Request, Response, Status, Streaming};

use super::{caller, from_proto, login, to_proto};
use crate::{
    connection::{Scan, Verdict},
    examine::examine,
    host::{
        self, HostEntry, Target,
        notes::{self, Notes},
    },
    registry::{HostCall, Registry},
};

/// A shorter text is a word that notes may well have.
const SECRET_MIN: usize = 4;

/// The service.
pub struct HostRpc(pub Arc<Registry>);

#[tonic::async_trait]
impl HostService for HostRpc {
    async fn list_hosts(
        &self,
        request: Request<ListHostsRequest>,
    ) -> Result<Response<ListHostsResponse>, Status> {
        let ListHostsRequest { host } = request.into_inner();
        self.0.config.refresh().await;
        let config = self.0.config.current();
        let mut hosts: Vec<_> = Vec::new();
        match host {
            None => hosts.extend(host::list(&config).await.into_iter().map(to_proto::host)),
            Some(name) => {
                let target = self.target(&name).await?;
                let files = target.notes.clone();
                let paths = files.iter().map(|file| file.path.display().to_string()).collect();
                // Off the runtime's threads: a home directory can be on a slow network.
                let notes = tokio::task::spawn_blocking(move || notes::read(&files))
                    .await
                    .map_err(|_| Fault::new(Reason::Internal, "reading the notes failed within"))?;
                let notes = without_secrets(notes, &target);
                let mut host = to_proto::host(entry(name, &target));
                host.has_notes = !notes.text.is_empty();
                host.notes = notes.text;
                host.notes_paths = paths;
                host.problem = notes.problems.join("; ");
                hosts.push(host);
            }
        }
        Ok(Response::new(ListHostsResponse {
            hosts,
            config_problems: config.problems.iter().map(ToString::to_string).collect(),
            config_path: config.path.display().to_string(),
        }))
    }

    async fn scan_host_key(
        &self,
        request: Request<ScanHostKeyRequest>,
    ) -> Result<Response<ScanHostKeyResponse>, Status> {
        let ScanHostKeyRequest { host } = request.into_inner();
        let call = from_proto::host(host.unwrap_or_default())?;
        let target = self.0.resolve(&call).await?;
        let Scan {
            known_hosts_name,
            algorithm,
            fingerprint,
            openssh,
            verdict,
            known_hosts_file,
        } = self.0.pool.scan(&target).await?;
        let (state, known) = match verdict {
            Verdict::Trusted => ("trusted", String::new()),
            Verdict::Unknown { other } => (
                "unknown",
                other.map_or_else(String::new, |known| {
                    format!(
                        "{} line {} has its {} key",
                        known.file.display(),
                        known.line,
                        known.algorithm
                    )
                }),
            ),
            Verdict::Changed(known) => (
                "changed",
                format!(
                    "{} line {} says {}",
                    known.file.display(),
                    known.line,
                    known.fingerprint
                ),
            ),
            Verdict::Revoked(known) => ("revoked", format!("{} line {}", known.file.display(), known.line)),
        };
        Ok(Response::new(ScanHostKeyResponse {
            known_hosts_name,
            key: Some(HostKey {
                algorithm,
                fingerprint,
                openssh,
            }),
            state: state.into(),
            known,
            known_hosts_file: known_hosts_file
                .map(|file| file.display().to_string())
                .unwrap_or_default(),
        }))
    }

    async fn trust_host_key(
        &self,
        request: Request<TrustHostKeyRequest>,
    ) -> Result<Response<TrustHostKeyResponse>, Status> {
        let TrustHostKeyRequest { host, fingerprint } = request.into_inner();
        let call = from_proto::host(host.unwrap_or_default())?;
        let target = self.0.resolve(&call).await?;
        let trusted = self.0.pool.trust(&target, &fingerprint).await?;
        Ok(Response::new(TrustHostKeyResponse {
            known_hosts_file: trusted
                .file
                .map(|file| file.display().to_string())
                .unwrap_or_default(),
            added: trusted.added,
        }))
    }

    type LoginStream = login::Events;

    async fn login(
        &self,
        request: Request<Streaming<LoginRequest>>,
    ) -> Result<Response<Self::LoginStream>, Status> {
        let person = super::person_or_agent(&caller(&request));
        let events = login::login(&self.0, request.into_inner(), &person).await?;
        Ok(Response::new(events))
    }

    async fn examine_host(
        &self,
        request: Request<ExamineHostRequest>,
    ) -> Result<Response<ExamineHostResponse>, Status> {
        let ExamineHostRequest { host } = request.into_inner();
        let call = from_proto::host(host.unwrap_or_default())?;
        let target = self.0.resolve(&call).await?;
        let key = target.key().to_string();
        // In a task of its own: a caller that goes away leaves no half-open connection behind.
        let found = tokio::spawn(examine(target))
            .await
            .map_err(|_| Fault::new(Reason::Internal, "the examination failed within"))?;
        Ok(Response::new(to_proto::examination(key, found)))
    }
}

impl HostRpc {
    async fn target(&self, name: &str) -> Result<Target, Fault> {
        let call = HostCall {
            host: name.to_owned(),
            ..HostCall::default()
        };
        self.0.resolve(&call).await
    }
}

fn entry(name: String, target: &Target) -> HostEntry {
    HostEntry {
        name,
        user: target.user.clone(),
        hostname: target.hostname.clone(),
        port: target.port,
        description: target.description.clone(),
        tags: target.tags.clone(),
        source: target.source,
        jump: target.jump.iter().map(|hop| hop.alias.clone()).collect(),
        has_notes: false,
        resolved_by: target.resolved_by,
        problem: String::new(),
    }
}

/// Notes in which somebody wrote down a password that the configuration has as well do not give it away.
fn without_secrets(mut notes: Notes, target: &Target) -> Notes {
    for secret in target.literal_secrets() {
        let secret = secret.expose();
        if secret.len() >= SECRET_MIN {
            notes.text = notes.text.replace(secret.as_str(), "[a stored secret]");
        }
    }
    notes
}
