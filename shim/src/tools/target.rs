//! The parameters that name a host, and finding a host's session where the daemon's call wants a session.

use schemars::JsonSchema;
use serde::Deserialize;
use sshmcp_proto::{
    error::Fault,
    v1::{HostRef, ListSessionsRequest, Reason, Session},
};

use crate::{arguments::invalid, call::Call};

/// What may be laid over a host's configuration for one login.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Login {
    username: Option<String>,
    port: Option<u32>,
    /// Private key
    key_filename: Option<String>,
    /// Accepted for clients that have it; secrets come from the configuration or a person.
    #[schemars(extend("x-hidden" = "secret"))]
    password: Option<String>,
    /// Dialled instead; from the user's environment, and not to be given by a model.
    #[schemars(skip)]
    hostname: Option<String>,
}

impl Login {
    pub(super) fn host(self, host: String) -> HostRef {
        HostRef {
            host,
            username: self.username,
            port: self.port,
            key_filename: self.key_filename,
            password: self.password,
            hostname: self.hostname,
        }
    }

    /// Without a host these would be ignored in silence.
    pub(super) fn without_host(&self) -> Result<(), Fault> {
        let given = self.username.is_some()
            || self.port.is_some()
            || self.key_filename.is_some()
            || self.password.is_some();
        if given {
            return Err(
                invalid("`username`, `port`, `key_filename` and `password` belong to a `host`")
                    .hint("call again with `host`, or without them"),
            );
        }
        Ok(())
    }
}

/// The same for tools that list none of it, and what may be laid over sudo's configuration.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Hidden {
    #[schemars(extend("x-hidden" = true))]
    username: Option<String>,
    #[schemars(extend("x-hidden" = true))]
    port: Option<u32>,
    #[schemars(extend("x-hidden" = true))]
    key_filename: Option<String>,
    #[schemars(extend("x-hidden" = "secret"))]
    password: Option<String>,
    #[schemars(skip)]
    hostname: Option<String>,
    #[schemars(extend("x-hidden" = "secret"))]
    sudo_password: Option<String>,
}

impl Hidden {
    /// A password is among it.
    pub(super) const fn has_secret(&self) -> bool {
        self.password.is_some() || self.sudo_password.is_some()
    }

    /// The login, and sudo's password.
    pub(super) fn split(self) -> (Login, Option<String>) {
        let login = Login {
            username: self.username,
            port: self.port,
            key_filename: self.key_filename,
            password: self.password,
            hostname: self.hostname,
        };
        (login, self.sudo_password)
    }
}

/// What tells apart hosts that are open already, beside their name.
#[derive(Default, Deserialize, JsonSchema)]
pub(super) struct Apart {
    #[schemars(extend("x-hidden" = true))]
    pub(super) username: Option<String>,
    #[schemars(extend("x-hidden" = true))]
    pub(super) port: Option<u32>,
    #[schemars(skip)]
    pub(super) hostname: Option<String>,
}

impl Apart {
    /// A host that is open already, named as it was.
    pub(super) fn host(self, host: String) -> HostRef {
        HostRef {
            host,
            username: self.username,
            port: self.port,
            hostname: self.hostname,
            ..HostRef::default()
        }
    }
}

/// The name of the session that calls with this host use; opens none. A session's own name does as well.
pub(super) async fn default_session(call: &Call<'_>, host: &HostRef) -> Result<String, Fault> {
    let list = async |request: ListSessionsRequest| {
        call.rpc(|daemon| {
            let request = request.clone();
            async move { daemon.sessions().list_sessions(request).await }
        })
        .await
    };
    let on_target = list(ListSessionsRequest {
        host: Some(host.clone()),
    })
    .await;
    if let Ok(listed) = &on_target
        && let Some(name) = chosen(&listed.sessions)
    {
        return Ok(name);
    }
    let all = list(ListSessionsRequest::default()).await?.sessions;
    if all.iter().any(|session| session.name == host.host) {
        return Ok(host.host.clone());
    }
    on_target?;
    let shown = crate::render::line(&host.host);
    Err(Fault::new(
        Reason::SessionNotFound,
        format!("no session of host `{shown}` is open"),
    )
    .hint("list_sessions shows the open ones; execute_command with this host opens one"))
}

/// The default of a target's sessions, or the only one, or the first.
fn chosen(sessions: &[Session]) -> Option<String> {
    let default = sessions.iter().find(|session| session.is_default);
    default.or(sessions.first()).map(|session| session.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host means its default session; where it has none, one that is there.
    #[test]
    fn a_host_means_its_default_session() {
        let session = |name: &str, is_default: bool| Session {
            name: name.to_owned(),
            is_default,
            ..Session::default()
        };
        assert_eq!(chosen(&[]), None);
        assert_eq!(
            chosen(&[session("a", false), session("b", true)]).as_deref(),
            Some("b")
        );
        assert_eq!(chosen(&[session("a", false)]).as_deref(), Some("a"));
    }
}
