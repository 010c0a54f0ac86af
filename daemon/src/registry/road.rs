//! The way to a host for what is no session's: the pool's, or the connection of a session that OpenSSH's own client carries,
//! where only that client reaches the host.

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{HostCall, Registry, Wanted};
use crate::{
    connection::Road,
    host::Target,
    local::Place,
    session::{Caller, Session},
};

impl Registry {
    /// OpenSSH's connection to a target; none where the pool's are to be used. Opens the host's default session where there is
    /// no connection and only that client makes one.
    pub async fn road_of_openssh(
        &self,
        call: &HostCall,
        target: &Target,
        client: Caller,
    ) -> Result<Option<Road>, Fault> {
        let key = target.key();
        let default = self.default_of(&key);
        let is_default = default.as_deref().is_some_and(|session| place(session).is_some());
        if target.only_keeper().is_none() && !is_default {
            return Ok(None);
        }
        let of_place = |place| Some(Road::OpenSsh(self.pool.by_openssh(target, place)));
        for session in default.into_iter().chain(self.on_target(&key)) {
            if let Some(place) = place(&session)
                && place.is_up().await
            {
                return Ok(of_place(place));
            }
        }
        let wanted = Wanted {
            host: Some(call.clone()),
            ..Wanted::default()
        };
        let found = self.find(&wanted).await?;
        let opened = found.session.open(client).await;
        if opened.is_err() {
            self.discard(&found.session).await;
        }
        opened?;
        let place = place(&found.session).ok_or_else(|| {
            Fault::new(
                Reason::NotSupported,
                "only OpenSSH's own client reaches this host, and it carries no session there",
            )
            .hint("open_session with keeper local-tmux, then call again")
        })?;
        Ok(of_place(place))
    }
}

/// Where a session is on this machine, if OpenSSH's client carries it.
fn place(session: &Session) -> Option<Place> {
    let kept = session.kept();
    serde_json::from_value(kept.get("local")?.clone()).ok()
}
