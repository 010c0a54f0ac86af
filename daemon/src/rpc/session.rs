//! `SessionService`: opening, listing and closing.

use std::{collections::HashMap, sync::Arc};

use sshmcp_proto::{
    error::Fault,
    v1::{
        CloseSessionRequest, CloseSessionResponse, ClosedSession, ListSessionsRequest, ListSessionsResponse,
        OpenSessionRequest, OpenSessionResponse, Reason, close_session_request::Which,
        session_service_server::SessionService,
    },
};
use tonic::{Request, Response, Status};

use super::{beside, caller, from_proto, to_proto};
use crate::{
    host::notes,
    id::shorten,
    registry::{Found, HostCall, Registry, Wanted},
    session::{Caller, Keeper, Session},
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
            prefer_local_tmux,
        } = request.into_inner();
        let keeper = from_proto::keeper(keeper.as_deref())?;
        let asked_keeper = keeper;
        let host = from_proto::host(host.unwrap_or_default())?;
        let size = from_proto::size(cols, rows)?;
        if must_be_new {
            self.refuse_open(session.as_deref(), &host).await?;
        }
        let mut wanted = Wanted {
            host: Some(host),
            session,
            size,
            keeper,
        };
        let client = super::person_or_agent(&client);
        let is_preferred = prefer_local_tmux && self.0.prefer_local(&mut wanted).await?;
        let (found, opened) = match self.open(&wanted, &client, is_preferred).await {
            // What OpenSSH's client would ask, and what it cannot do there, is the daemon's own to tell, or to do without.
            Err(fault) if is_preferred && is_for_another(fault.reason) => {
                wanted.keeper = Some(Keeper::Auto);
                self.open(&wanted, &client, false).await?
            }
            outcome => outcome?,
        };
        let mut session = to_proto::session(&self.0, &found.session);
        if !opened {
            // A person's program tells the size of its own terminal, which is none of the session's.
            let size = (cols, rows);
            if !client.is_person && (cols.is_some() || rows.is_some()) {
                (session.cols, session.rows) = fit(&found.session, size).await?;
            }
            if let Some(words) = not_kept_so(asked_keeper, found.session.summary().keeper) {
                to_proto::append(&mut session.notice, &words);
            }
        }
        Ok(Response::new(OpenSessionResponse {
            session: Some(session),
            opened,
            greeting: if opened {
                found.session.summary().greeting
            } else {
                String::new()
            },
            has_notes: notes::are_there(&found.session.target().notes),
        }))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let ListSessionsRequest { host } = request.into_inner();
        let sessions = match host {
            None => self.0.list(),
            Some(host) => {
                let target = self.0.resolve(&from_proto::host(host)?).await?;
                self.0.on_target(&target.key())
            }
        };
        let sessions = sessions
            .iter()
            .map(|session| to_proto::session(&self.0, session))
            .collect();
        self.0.config.refresh().await;
        let config = self.0.config.current();
        Ok(Response::new(ListSessionsResponse {
            sessions,
            config_problems: config.problems.iter().map(ToString::to_string).collect(),
            state_dir: self.0.store.directory().display().to_string(),
        }))
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
        let places: HashMap<_, _> = sessions
            .iter()
            .map(|session| {
                let place = (session.host.clone(), session.target().key().to_string());
                let durables = beside::of_session(&self.0, session.name.as_str());
                (session.name.clone(), (place, durables))
            })
            .collect();
        let closed = self.0.close(sessions).await;
        let closed = closed
            .into_iter()
            .map(|(name, running)| {
                let ((host, target), durables) = places.get(&name).cloned().unwrap_or_default();
                let command = match running {
                    Some(id) => self.0.commands.find(&id.to_string()).ok(),
                    None => durables.last().cloned(),
                };
                ClosedSession {
                    name: name.to_string(),
                    running_command: command
                        .as_ref()
                        .map(|command| command.id.to_string())
                        .unwrap_or_default(),
                    running_text: command
                        .map(|command| shorten(&command.text, 200))
                        .unwrap_or_default(),
                    host,
                    target,
                    durable_commands: beside::ids(&durables),
                }
            })
            .collect();
        Ok(Response::new(CloseSessionResponse { closed }))
    }
}

/// Gives an open session's terminal the size that is asked for; what is not asked for stays.
async fn fit(session: &Session, asked: (Option<u32>, Option<u32>)) -> Result<(u32, u32), Fault> {
    let (cols, rows) = session.summary().size;
    let of = |asked: Option<u32>, now: u16| asked.and_then(|asked| asked.try_into().ok()).unwrap_or(now);
    let size = (of(asked.0, cols), of(asked.1, rows));
    session.resize(size.0, size.1).await?;
    Ok((size.0.into(), size.1.into()))
}

/// That an open session is kept by another keeper than the one that is asked for.
fn not_kept_so(asked: Option<Keeper>, keeper: Keeper) -> Option<String> {
    let asked = asked.filter(|asked| !matches!(asked, Keeper::Auto) && *asked != keeper)?;
    Some(format!(
        "it was open already, kept by {}: {} was not applied; close it first, or open one of another name",
        keeper.word(),
        asked.word()
    ))
}

impl SessionRpc {
    /// A session that must be new is not open yet, by its name or as the host's default.
    async fn refuse_open(&self, name: Option<&str>, host: &HostCall) -> Result<(), Fault> {
        let open = match name {
            Some(name) => self.0.session(name).ok(),
            None => self.0.default_of(&self.0.resolve(host).await?.key()),
        };
        match open {
            None => Ok(()),
            Some(session) => Err(Fault::new(
                Reason::SessionExists,
                format!(
                    "a session {:?} is open already",
                    shorten(session.name.as_str(), 80)
                ),
            )
            .hint("use it, or choose another name (`session`)")),
        }
    }

    /// The session that is wanted, at its prompt, and whether it was opened for that. One that was only `tried` is closed
    /// where it does not open, also while somebody could answer what it asks.
    async fn open(&self, wanted: &Wanted, client: &Caller, tried: bool) -> Result<(Found, bool), Fault> {
        let found = self.0.find(wanted).await?;
        match found.session.open(client.clone()).await {
            Ok(opened) => Ok((found, opened)),
            Err(fault) => {
                if tried {
                    self.0.close(vec![found.session]).await;
                } else {
                    self.0.discard(&found.session).await;
                }
                Err(fault)
            }
        }
    }
}

/// Another keeper may do better, or say better what a person has to do.
const fn is_for_another(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NotSupported
            | Reason::AuthInputRequired
            | Reason::AuthFailed
            | Reason::HostKeyUnknown
            | Reason::HostKeyChanged
    )
}
