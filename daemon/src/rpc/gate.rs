//! The gate before all services: counts the calls under way and turns new ones away, when it is closed (so that a daemon
//! that leaves for want of work never takes a call with it) and when there are too many.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tonic::{
    Status,
    body::Body,
    codegen::{
        Service,
        http::{Request, Response},
    },
    service::Routes,
};

use super::crowd::{Crowd, Inside};
use crate::{core::Core, listener::Peer};

/// Between two looks at whether every call is answered; only at the daemon's end.
const LOOK: Duration = Duration::from_millis(10);

/// Handle on the gate; clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    open: bool,
    /// Calls that are not answered yet.
    under_way: usize,
    /// When the latest call came or was answered.
    latest: Instant,
}

impl Gate {
    /// An open gate.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            open: true,
            under_way: 0,
            latest: Instant::now(),
        })))
    }

    /// Turns new calls away from now on.
    pub fn close(&self) {
        self.state().open = false;
    }

    /// Closes it if no call is under way and none came for this long; says whether it is closed.
    pub fn close_if_quiet(&self, quiet: Duration) -> bool {
        let mut state = self.state();
        if state.under_way == 0 && state.latest.elapsed() >= quiet {
            state.open = false;
        }
        !state.open
    }

    /// Calls that are not answered yet.
    pub fn under_way(&self) -> usize {
        self.state().under_way
    }

    /// Waits until every call is answered.
    pub async fn answered(&self) {
        while self.under_way() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The service behind this gate.
    pub fn before(self, routes: Routes, core: Arc<dyn Core>) -> Gated {
        Gated {
            gate: self,
            crowd: Crowd::default(),
            core,
            routes,
        }
    }

    fn enter(&self) -> Option<Call> {
        let mut state = self.state();
        if !state.open {
            return None;
        }
        state.under_way += 1;
        state.latest = Instant::now();
        Some(Call(self.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// A call under way.
struct Call(Gate);

impl Drop for Call {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way = state.under_way.saturating_sub(1);
        state.latest = Instant::now();
    }
}

/// All services behind a gate.
#[derive(Clone)]
pub struct Gated {
    gate: Gate,
    crowd: Crowd,
    core: Arc<dyn Core>,
    routes: Routes,
}

impl Gated {
    /// Lets a call in, or says why not. What ends calls and sessions, or only looks at them, is always let in.
    fn admit(&self, request: &Request<Body>) -> Result<Option<Inside>, Fault> {
        let path = request.uri().path();
        if ALWAYS.iter().any(|prefix| path.starts_with(prefix)) {
            return Ok(None);
        }
        let limits = self.core.limits();
        let client = match request.extensions().get::<Peer>() {
            Some(peer) => {
                peer.sit_down().map_err(too_many_clients)?;
                peer.client()
            }
            None => 0,
        };
        self.crowd.enter(client, &limits).map(Some)
    }
}

/// Beginnings of the paths that a full daemon serves all the same: by these it can be seen what fills it, and ended.
const ALWAYS: [&str; 6] = [
    "/sshmcp.v1.DaemonService/",
    "/sshmcp.v1.CommandService/Interrupt",
    "/sshmcp.v1.CommandService/ListCommands",
    "/sshmcp.v1.SessionService/CloseSession",
    "/sshmcp.v1.SessionService/ListSessions",
    "/grpc.health.",
];

fn too_many_clients(limit: usize) -> Fault {
    Fault::new(
        Reason::LimitReached,
        format!(
            "{limit} programs are connected to the daemon, as many as max_clients allows; nothing was done"
        ),
    )
    .hint("end MCP clients that are not used any more, or raise max_clients in [settings] of config.toml")
    .retryable()
}

impl Service<Request<Body>> for Gated {
    type Response = Response<Body>;
    type Error = <Routes as Service<Request<Body>>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<Body>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(call) = self.gate.enter() else {
            let fault = Fault::new(
                Reason::DaemonUnavailable,
                "the daemon is ending; nothing was done",
            )
            .hint("call again: a new daemon is started")
            .retryable();
            return Box::pin(async move { Ok(Status::from(fault).into_http()) });
        };
        let inside = match self.admit(&request) {
            Ok(inside) => inside,
            Err(fault) => return Box::pin(async move { Ok(Status::from(fault).into_http()) }),
        };
        let answer = self.routes.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(call);
            Ok(match inside {
                Some(inside) => answer?.map(|body| inside.until_end_of(body)),
                None => answer?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gate closes only when no call is under way, and once closed lets none in.
    #[test]
    fn closes_only_when_quiet() {
        let gate = Gate::new();
        let call = gate.enter().expect("open");
        assert!(!gate.close_if_quiet(Duration::ZERO), "a call is under way");
        drop(call);
        assert!(
            !gate.close_if_quiet(Duration::from_secs(60)),
            "the call was just now"
        );
        assert!(gate.close_if_quiet(Duration::ZERO));
        assert!(gate.enter().is_none());
    }
}
