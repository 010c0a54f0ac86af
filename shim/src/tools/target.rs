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
    /// Login name
    username: Option<String>,
    port: Option<u32>,
    /// Private key
    key_filename: Option<String>,
    /// Accepted for clients that have it; secrets come from the configuration or a person.
    #[schemars(extend("x-hidden" = true))]
    password: Option<String>,
}

impl Login {
    pub(super) fn host(self, host: String) -> HostRef {
        HostRef {
            host,
            username: self.username,
            port: self.port,
            key_filename: self.key_filename,
            password: self.password,
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

/// A host that is open already, named as it was.
pub(super) fn named(host: String, username: Option<String>, port: Option<u32>) -> HostRef {
    HostRef {
        host,
        username,
        port,
        ..HostRef::default()
    }
}

/// The name of the session that calls with this host use; opens none.
pub(super) async fn default_session(call: &Call<'_>, host: &HostRef) -> Result<String, Fault> {
    let listed = call
        .rpc(|daemon| async move { daemon.sessions().list_sessions(ListSessionsRequest {}).await })
        .await?;
    let mut fitting: Vec<_> = listed
        .sessions
        .into_iter()
        .filter(|session| fits(session, host))
        .collect();
    fitting.sort_by_key(|session| !session.is_default);
    fitting
        .into_iter()
        .next()
        .map(|session| session.name)
        .ok_or_else(|| {
            let shown = crate::render::line(&host.host);
            Fault::new(
                Reason::SessionNotFound,
                format!("no session of host `{shown}` is open"),
            )
            .hint("list_sessions shows the open ones; execute_command with this host opens one")
        })
}

fn fits(session: &Session, host: &HostRef) -> bool {
    let named = session.host == host.host || session.name == host.host || session.target == host.host;
    let user = host
        .username
        .as_ref()
        .is_none_or(|user| session.target.starts_with(&format!("{user}@")));
    let port = host
        .port
        .is_none_or(|port| session.target.ends_with(&format!(":{port}")));
    named && user && port
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host means its own sessions only, of that user and port where they are given.
    #[test]
    fn sessions_are_found_by_host() {
        let session = Session {
            name: "web1-2".to_owned(),
            host: "web1".to_owned(),
            target: "deploy@10.0.0.5:22".to_owned(),
            ..Session::default()
        };
        for (host, user, port, found) in [
            ("web1", None, None, true),
            ("web1", Some("deploy"), Some(22), true),
            ("web1", Some("root"), None, false),
            ("web1", None, Some(2), false),
            ("deploy@10.0.0.5:22", None, None, true),
            ("web2", None, None, false),
        ] {
            let host = named(host.to_owned(), user.map(str::to_owned), port);
            assert_eq!(fits(&session, &host), found, "{host:?}");
        }
    }
}
