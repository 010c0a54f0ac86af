//! The way to the daemon: connected by the first call that needs it, and again after a loss. It never sends a request
//! twice unless the first one certainly did not leave this process, or only looks.

use std::{
    error::Error as _,
    future::Future,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    path::PathBuf,
    process,
    sync::{Arc, Mutex, PoisonError},
};

use sshmcp_proto::{
    client::{self, ConnectOptions},
    error::Fault,
    v1::{Client, Reason},
};
use tokio::sync::OnceCell;
use tonic::{Code, Response, Status};

/// An open way to the daemon.
pub(crate) type Connected = client::Daemon;

/// The daemon, whether it runs or not.
pub(crate) struct Daemon {
    socket: Option<PathBuf>,
    config: Option<PathBuf>,
    /// Tells this process apart from others whose MCP client has the same name.
    id: String,
    /// Replaced as a whole when the connection is lost; calls in flight keep the old one.
    connection: Mutex<Arc<OnceCell<Connected>>>,
}

impl Daemon {
    /// Nothing is connected before the first call.
    pub(crate) fn new(socket: Option<PathBuf>, config: Option<PathBuf>) -> Self {
        // The hasher's keys are the standard library's only source of random numbers; this id is no secret.
        let random = RandomState::new().build_hasher().finish();
        Self {
            socket,
            config,
            id: format!("{random:016x}"),
            connection: Mutex::default(),
        }
    }

    /// One RPC on behalf of the MCP client of this name. `only_looks`: it changes nothing, so that it may be made again.
    pub(crate) async fn call<T, F, Fut>(&self, client: &str, only_looks: bool, send: F) -> Result<T, Fault>
    where
        F: Fn(Connected) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        // A connection that has ended is asked for it before a call is given to it: afterwards nobody could say whether the call
        // was carried out.
        let last = self.cell();
        if last.get().is_some_and(Connected::ended) {
            self.forget(&last);
        }
        let cell = self.cell();
        let refused = match send(self.connected(&cell, client).await?).await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) if never_left(&status) || (only_looks && is_lost(&status)) => status,
            Err(status) => return Err(fault(status)),
        };
        tracing::info!(%refused, "the daemon is gone, starting it again");
        self.forget(&cell);
        let cell = self.cell();
        send(self.connected(&cell, client).await?)
            .await
            .map(Response::into_inner)
            .map_err(fault)
    }

    /// One RPC to a daemon that runs; nothing is started for it.
    pub(crate) async fn call_running<T, F, Fut>(&self, client: &str, send: F) -> Result<T, Fault>
    where
        F: Fn(Connected) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let options = ConnectOptions {
            start: false,
            ..self.options(client)
        };
        let daemon = match self.cell().get() {
            Some(connected) => connected.clone(),
            None => client::connect(options).await?,
        };
        send(daemon).await.map(Response::into_inner).map_err(fault)
    }

    /// One RPC that carries a secret, over a connection of its own: what the buffers of both ends hold of it goes with
    /// the connection.
    pub(crate) async fn call_apart<T, F, Fut>(&self, client: &str, send: F) -> Result<T, Fault>
    where
        F: Fn(Connected) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let daemon = client::connect(self.options(client)).await?;
        send(daemon).await.map(Response::into_inner).map_err(fault)
    }

    fn options(&self, client: &str) -> ConnectOptions {
        ConnectOptions {
            socket: self.socket.clone(),
            config: self.config.clone(),
            start: true,
            client: Client {
                program: "mcp-ssh".to_owned(),
                name: client.to_owned(),
                id: self.id.clone(),
                pid: process::id(),
            },
            ..ConnectOptions::default()
        }
    }

    /// Calls that come together connect once.
    async fn connected(&self, cell: &OnceCell<Connected>, client: &str) -> Result<Connected, Fault> {
        let options = self.options(client);
        cell.get_or_try_init(|| client::connect(options)).await.cloned()
    }

    fn cell(&self) -> Arc<OnceCell<Connected>> {
        let guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&guard)
    }

    /// Drops a lost connection, unless another call has done so already.
    fn forget(&self, lost: &Arc<OnceCell<Connected>>) {
        let mut guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&guard, lost) {
            *guard = Arc::default();
        }
    }
}

/// True if the request cannot have reached the daemon: there was nobody to connect to.
fn never_left(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// True if the connection ended under the call.
fn is_lost(status: &Status) -> bool {
    status.details().is_empty()
        && (status.source().is_some() || matches!(status.code(), Code::Unavailable | Code::Cancelled))
}

/// What an RPC's failure means to the caller.
pub(crate) fn fault(status: Status) -> Fault {
    if is_lost(&status) {
        tracing::warn!(%status, "lost the daemon in the middle of a call");
        return Fault::new(
            Reason::DaemonUnavailable,
            "the connection to the daemon ended while the call was under way",
        )
        .hint(
            "whether it was carried out is not known: look with get_active_commands (finished: 5) and list_sessions \
             before repeating anything",
        );
    }
    status.into()
}
