//! A shell that is opened as a session's and belongs to none: how it would be worked, for whoever only wants to know.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{
    Claims,
    link::Link,
    open::{self, NotOpened},
};
use crate::{
    config::Kind,
    connection::{Connection, Pool, Road},
    host::Target,
};

/// A shell that was opened as a session's, for whoever only wants to know how it would be worked.
pub struct Tried {
    link: Link,
    connection: Arc<Connection>,
    /// From the login to its first prompt, our own set-up included.
    pub took: Duration,
}

/// Opens a shell as a session would; it belongs to no session.
pub async fn try_shell(pool: &Arc<Pool>, target: &Target) -> Result<Tried, Fault> {
    let began = Instant::now();
    if target.kind == Kind::Network {
        return Err(NotOpened::Device.into_fault());
    }
    let opened = open::open(pool, &Claims::default(), target, (120, 40), None, "")
        .await
        .map_err(NotOpened::into_fault)?;
    let Road::Pooled(connection) = opened.link.road.clone() else {
        return Err(Fault::new(
            Reason::Internal,
            "the shell has no connection of ours",
        ));
    };
    let times = connection.times();
    let connecting = times.tcp.unwrap_or_default() + times.handshake + times.login;
    Ok(Tried {
        took: began.elapsed().saturating_sub(connecting),
        link: opened.link,
        connection,
    })
}

impl Tried {
    /// The connection it is on.
    pub const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// `bash 5.2.15(1)-release`.
    pub fn shell(&self) -> String {
        let shell = &self.link.shell;
        format!("{} {}", shell.kind, shell.version).trim().to_owned()
    }

    /// Commands' stdout and stderr would be got apart.
    pub const fn is_apart(&self) -> bool {
        self.link.typed.is_none()
    }

    /// The private directory on the host; empty where none could be made.
    pub fn directory(&self) -> &str {
        &self.link.hello.dir
    }

    /// Ends it.
    pub async fn close(self) {
        self.link.close().await;
    }
}
