//! Serving and ending in good order, each step of the end bounded. Takes its listener from its caller, so that a test
//! owns it.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::{
    background::Readiness,
    core::Core,
    lifecycle::{Cause, Signals, cause},
    listener::{Admission, Instance, Listener},
    rpc::{About, DaemonRpc, Gate, routes},
    service,
};

/// Longest time that closing the sessions may take: hosts that do not answer are left to find out themselves.
const CLOSE_TIME: Duration = Duration::from_secs(5);
/// Longest time that calls under way have to end after that.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Longest time that answers given then have to be read: a client that is stopped must not hold us up.
const FLUSH_TIME: Duration = Duration::from_millis(500);

/// Calls at once on one connection: above what `max_calls_per_client` can be, so that a call too many is told why instead
/// of waiting in the client.
const STREAMS_MAX: u32 = 4_096 + 64;
/// Headers of one call, in bytes: ours take a few hundred.
const HEADERS_MAX: u32 = 64 << 10; // 64 KiB
/// As on the client's side: one stalled stream must not hold up another call.
const STREAM_WINDOW: u32 = 256 << 10; // 256 KiB
/// Room for 256 stalled streams.
const CONNECTION_WINDOW: u32 = 64 << 20; // 64 MiB

/// Serves until there is cause to end, then ends in good order. A second signal ends it at once.
pub async fn serve(
    core: Arc<dyn Core>,
    instance: &Instance,
    listener: Listener,
    about: About,
    readiness: &Readiness,
) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("the signals could not be taken over")?;
    let (stop, closed, drained) = (
        CancellationToken::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    let admission = Admission::new({
        let core = Arc::clone(&core);
        move || core.limits().clients
    });
    let gate = Gate::new();
    let started_by = about.started_by;
    let daemon = DaemonRpc {
        about,
        core: Arc::clone(&core),
        gate: gate.clone(),
        admission: admission.clone(),
        stop: stop.clone(),
        closed: closed.clone(),
    };
    let services = routes(Arc::clone(&core), daemon)
        .await
        .context("the services could not be assembled")?;

    let (listener, trace) = listener.split();
    let (connections, mut accepting) = admission.run(listener);
    let mut server = tokio::spawn(
        Server::builder()
            .max_concurrent_streams(STREAMS_MAX)
            .http2_max_header_list_size(HEADERS_MAX)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .serve_with_incoming_shutdown(
                gate.clone().before(services, Arc::clone(&core)),
                ReceiverStream::new(connections),
                drained.clone().cancelled_owned(),
            ),
    );
    readiness.ready();
    // A look at the sessions takes the locks that everything needs. It goes on while we end.
    let _living = tokio_util::task::AbortOnDropHandle::new(tokio::spawn({
        let core = Arc::clone(&core);
        service::live(move || {
            core.is_idle();
        })
    }));
    tracing::info!(socket = %instance.socket().path().display(), pid = std::process::id(), %started_by, "serving");

    let cause = tokio::select! {
        cause = cause(&core, &mut signals, &stop, &gate, started_by, instance.socket()) => cause,
        ended = &mut server => {
            trace.remove();
            anyhow::bail!("the server ended by itself: {ended:?}");
        }
        ended = &mut accepting => {
            trace.remove();
            anyhow::bail!("the listener ended by itself: {ended:?}");
        }
    };
    tracing::info!(%cause, "ending");
    service::stopping();
    gate.close();
    trace.remove();
    accepting.abort();
    // Ended by our abort: the listener is closed now.
    let _aborted = accepting.await;
    closed.cancel();
    if let Cause::Idle { start_lock } = cause {
        // The next client may start a daemon: it will wait for our life lock.
        drop(start_lock);
    }

    let good_order = async {
        if timeout(CLOSE_TIME, core.stop(true)).await.is_err() {
            tracing::warn!(
                "not every session could be closed in {} seconds",
                CLOSE_TIME.as_secs()
            );
        }
        drained.cancel();
        let calls_end = async {
            tokio::select! {
                _ = server => {}
                () = async { gate.answered().await; sleep(FLUSH_TIME).await } => {}
            }
        };
        if timeout(DRAIN_TIME, calls_end).await.is_err() {
            tracing::warn!(
                "calls are cut off that did not end in {} seconds",
                DRAIN_TIME.as_secs()
            );
        }
    };
    tokio::select! {
        () = good_order => tracing::info!("ended"),
        cause = signals.end() => tracing::warn!(%cause, "ended at once, by a second signal"),
    }
    Ok(())
}
