//! `SessionService`: opening, listing and closing.

use std::sync::Arc;

use sshmcp_proto::{
    error::Fault,
    v1::{
        CloseSessionRequest, CloseSessionResponse, ClosedSession, ListSessionsRequest, ListSessionsResponse,
        OpenSessionRequest, OpenSessionResponse, Reason, close_session_request::Which,
        session_service_server::SessionService,
    },
};
use tonic::{Request, Response, Status};

use super::{caller, from_proto, to_proto};
use crate::{
    id::shorten,
    registry::{Registry, Wanted},
};

/// The service.
pub struct SessionRpc(pub Arc<Registry>);

#[tonic::async_trait]
impl SessionService for SessionRpc {
    async fn open_session(
        &self,
        request: Request<OpenSessionRequest>,
    ) -> Result<Response<OpenSessionResponse>, Status> {
        let client = caller(&request);
        let OpenSessionRequest {
            host,
            session,
            keeper,
            cols,
            rows,
            must_be_new,
        } = request.into_inner();
        let keeper = from_proto::keeper(keeper.as_deref())?;
        let host = from_proto::host(host.unwrap_or_default())?;
        let size = from_proto::size(cols, rows)?;
        if must_be_new
            && let Some(name) = &session
            && self.0.session(name).is_ok()
        {
            let fault = Fault::new(
                Reason::SessionExists,
                format!("a session {:?} is open already", shorten(name, 80)),
            )
            .hint("use it, or choose another name");
            return Err(fault.into());
        }
        let wanted = Wanted {
            host: Some(host),
            session,
            size,
            keeper,
        };
        let client = super::person_or_agent(&client);
        let found = self.0.find(&wanted).await?;
        let opened = match found.session.open(client).await {
            Ok(opened) => opened,
            Err(fault) => {
                self.0.discard(&found.session).await;
                return Err(fault.into());
            }
        };
        Ok(Response::new(OpenSessionResponse {
            session: Some(to_proto::session(&self.0, &found.session)),
            opened,
            greeting: if opened {
                found.session.summary().greeting
            } else {
                String::new()
            },
            has_notes: found.session.target().notes_path.is_some(),
        }))
    }

    async fn list_sessions(
        &self,
        _request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let sessions = self.0.list();
        let sessions = sessions
            .iter()
            .map(|session| to_proto::session(&self.0, session))
            .collect();
        Ok(Response::new(ListSessionsResponse { sessions }))
    }

    async fn close_session(
        &self,
        request: Request<CloseSessionRequest>,
    ) -> Result<Response<CloseSessionResponse>, Status> {
        let nothing = || {
            Fault::new(Reason::InvalidArgument, "nothing is named that should be closed")
                .hint("give `session`, `host` or `all`")
        };
        let sessions = match request.into_inner().which.ok_or_else(nothing)? {
            Which::Session(name) => vec![self.0.session(&name)?],
            Which::Host(host) => {
                let target = self.0.resolve(&from_proto::host(host)?).await?;
                let sessions = self.0.on_target(&target.key());
                if sessions.is_empty() {
                    let fault = Fault::new(
                        Reason::SessionNotFound,
                        format!("no session is open on {}", target.key()),
                    )
                    .hint("list_sessions shows the open ones");
                    return Err(fault.into());
                }
                sessions
            }
            Which::All(true) => self.0.list(),
            Which::All(false) => return Err(nothing().into()),
        };
        let closed = self.0.close(sessions).await;
        let closed = closed
            .into_iter()
            .map(|(name, running)| {
                let command = running.and_then(|id| self.0.commands.find(&id.to_string()).ok());
                ClosedSession {
                    name: name.to_string(),
                    running_command: running.map(|id| id.to_string()).unwrap_or_default(),
                    running_text: command
                        .map(|command| shorten(&command.text, 200))
                        .unwrap_or_default(),
                }
            })
            .collect();
        Ok(Response::new(CloseSessionResponse { closed }))
    }
}
