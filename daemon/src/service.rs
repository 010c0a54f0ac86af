//! What a service manager is told (`sd_notify`): that we are ready, read our configuration, end, and live. Decides nothing;
//! where there is none, nobody is told.

use std::convert::Infallible;

use sd_notify::NotifyState;
use tokio::time::sleep;

/// So many signs of life come in the time that the watchdog waits for one: a machine under load may delay two.
const SIGNS: u32 = 3;

/// The socket accepts connections, or the configuration was read again.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The configuration is being read again; `ready` must follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "there is no monotonic clock"),
    }
}

/// We are ending.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Gives the watchdog its signs of life, each after `look` came back: where that hangs, or our tasks have no turn any
/// more, the service manager starts us again. Never ends.
pub async fn live(look: impl Fn() + Send) -> Infallible {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return std::future::pending().await;
    };
    loop {
        look();
        notify(&[NotifyState::Watchdog]);
        sleep(limit / SIGNS).await;
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
