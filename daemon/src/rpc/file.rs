//! `FileService`: files on hosts.

use std::sync::Arc;

use futures::stream;
use sshmcp_proto::{
    error::Fault,
    v1::{
        FileAccess, ReadFileRequest, ReadFileResponse, Reason, UploadFileRequest, WriteFileRequest,
        WriteFileResponse, file_service_server::FileService, upload_file_request,
    },
};
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use super::{caller, from_proto, person_or_agent, to_proto};
use crate::{
    file::{self, Access, Reading, Refused, Turns},
    registry::Registry,
    session::Caller,
};

/// The service.
pub struct FileRpc {
    registry: Arc<Registry>,
    turns: Arc<Turns>,
    refused: Arc<Refused>,
}

impl FileRpc {
    /// No file is being changed.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            turns: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// The way to a file, and its path.
    async fn access(&self, access: Option<FileAccess>, client: Caller) -> Result<(Access, String), Fault> {
        let deadline = Instant::now() + self.registry.config.current().settings.max_wait;
        let (call, path, sudo) = from_proto::file_access(access.unwrap_or_default())?;
        let target = self.registry.as_found(self.registry.resolve(&call).await?);
        let road = self.registry.road_of_openssh(&call, &target, client).await?;
        let access = Access {
            pool: self.registry.pool.clone(),
            target,
            road,
            sudo,
            refused: self.refused.clone(),
            deadline,
        };
        Ok((access, path))
    }
}

#[tonic::async_trait]
impl FileService for FileRpc {
    async fn read_file(
        &self,
        request: Request<ReadFileRequest>,
    ) -> Result<Response<ReadFileResponse>, Status> {
        let client = person_or_agent(&caller(&request));
        let ReadFileRequest {
            access,
            offset,
            limit,
        } = request.into_inner();
        let (access, path) = self.access(access, client).await?;
        let reading = Reading {
            path,
            offset,
            limit: if limit == 0 { file::READ_MAX } else { limit },
        };
        let read = file::read(&access, &reading).await?;
        Ok(Response::new(to_proto::read_file(read)))
    }

    async fn write_file(
        &self,
        request: Request<WriteFileRequest>,
    ) -> Result<Response<WriteFileResponse>, Status> {
        let client = person_or_agent(&caller(&request));
        let WriteFileRequest {
            access,
            what,
            if_sha256,
            make_dirs,
            permissions,
        } = request.into_inner();
        let what = from_proto::write(what)?;
        let if_digest = if_sha256.as_deref().map(from_proto::sha256).transpose()?;
        let permissions = permissions.map(from_proto::permissions).transpose()?;
        let (access, path) = self.access(access, client).await?;
        let writing = file::Writing {
            path,
            what,
            if_digest,
            make_dirs,
            permissions,
        };
        let turns = self.turns.clone();
        // In a task of its own: a caller that goes away leaves no file half-written.
        let written = tokio::spawn(async move { file::write(access, &turns, writing).await })
            .await
            .map_err(|_| Fault::new(Reason::Internal, "writing the file failed within"))??;
        Ok(Response::new(to_proto::write_file(written)))
    }

    async fn upload_file(
        &self,
        request: Request<Streaming<UploadFileRequest>>,
    ) -> Result<Response<WriteFileResponse>, Status> {
        let client = person_or_agent(&caller(&request));
        let mut parts = request.into_inner();
        let Some(upload_file_request::Part::Begin(begin)) =
            parts.message().await?.and_then(|first| first.part)
        else {
            return Err(Fault::new(Reason::InvalidArgument, "an upload begins with where it goes").into());
        };
        let permissions = begin.permissions.map(from_proto::permissions).transpose()?;
        let (access, path) = self.access(begin.access, client).await?;
        let upload = file::Upload { path, permissions };
        let parts = Box::pin(stream::unfold(parts, |mut parts| async move {
            let part = from_proto::upload_part(parts.message().await).transpose()?;
            Some((part, parts))
        }));
        let turns = self.turns.clone();
        // As with `write_file`: who goes away leaves nothing behind.
        let written = tokio::spawn(async move { file::upload(access, &turns, upload, parts).await })
            .await
            .map_err(|_| Fault::new(Reason::Internal, "writing the file failed within"))??;
        Ok(Response::new(to_proto::write_file(written)))
    }
}
