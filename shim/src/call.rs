//! What a tool has at hand while it runs: the daemon, and the client's wish for progress. It knows no tool.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rmcp::{
    Peer, RoleServer,
    model::{ProgressNotificationParam, ProgressToken},
    service::RequestContext,
};
use sshmcp_proto::error::Fault;
use tokio::time::{Instant, MissedTickBehavior};
use tonic::{Response, Status};

use crate::daemon::{Connected, Daemon};

/// How often a client that gave a token hears from a call that waits.
pub(crate) const PROGRESS: Duration = Duration::from_secs(3);

/// The longest part of a client's name that is handed on; names are for people's eyes.
const CLIENT_NAME_CHARS: usize = 64;

/// One call of a tool.
pub(crate) struct Call<'a> {
    daemon: &'a Daemon,
    client: String,
    only_looks: bool,
    progress: Option<Progress>,
}

/// Where progress goes.
struct Progress {
    token: ProgressToken,
    peer: Peer<RoleServer>,
    /// The last reported milliseconds: progress must grow.
    last: AtomicU64,
}

impl<'a> Call<'a> {
    /// The call that `context` belongs to; `only_looks` if it changes nothing.
    pub(crate) fn new(daemon: &'a Daemon, context: &RequestContext<RoleServer>, only_looks: bool) -> Self {
        let client = context.client_info().map_or_else(String::new, |info| info.name);
        let progress = context.meta.get_progress_token().map(|token| Progress {
            token,
            peer: context.peer.clone(),
            last: AtomicU64::new(0),
        });
        Self {
            daemon,
            client: client
                .chars()
                .filter(|c| !c.is_control())
                .take(CLIENT_NAME_CHARS)
                .collect(),
            only_looks,
            progress,
        }
    }

    /// One RPC, whose daemon is started if need be.
    pub(crate) async fn rpc<T, F, Fut>(&self, send: F) -> Result<T, Fault>
    where
        F: Fn(Connected) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.daemon.call(&self.client, self.only_looks, send).await
    }

    /// One RPC to a daemon that runs; nothing is started for it.
    pub(crate) async fn rpc_running<T, F, Fut>(&self, send: F) -> Result<T, Fault>
    where
        F: Fn(Connected) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.daemon.call_running(&self.client, send).await
    }

    /// One RPC that carries a secret.
    pub(crate) async fn rpc_apart<T, F, Fut>(&self, send: F) -> Result<T, Fault>
    where
        F: Fn(Connected) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.daemon.call_apart(&self.client, send).await
    }

    /// True if the client wants to hear of progress.
    pub(crate) const fn wants_progress(&self) -> bool {
        self.progress.is_some()
    }

    /// Tells the client how far a call is, if it asked to know.
    pub(crate) async fn report(&self, elapsed_ms: u64, message: String) {
        let Some(progress) = &self.progress else { return };
        let last = progress.last.load(Ordering::Relaxed);
        let now = elapsed_ms.max(last.saturating_add(1));
        progress.last.store(now, Ordering::Relaxed);
        let seconds = Duration::from_millis(now).as_secs_f64();
        let note = ProgressNotificationParam::new(progress.token.clone(), seconds).with_message(message);
        // Progress is a courtesy; a client that is gone ends the call by other ways.
        let _sent = progress.peer.notify_progress(note).await;
    }

    /// Waits for `work`, with progress every few seconds.
    pub(crate) async fn patiently<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        if !self.wants_progress() {
            return work.await;
        }
        let began = Instant::now();
        let mut ticks = tokio::time::interval_at(began + PROGRESS, PROGRESS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = ticks.tick() => {
                    let elapsed = began.elapsed();
                    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
                    self.report(millis, format!("{} s, {what}", elapsed.as_secs())).await;
                }
            }
        }
    }
}
