//! The connections of all targets: who may use which, when another is needed, and when one goes. Speaks no SSH.
//!
//! A connection without a channel is closed after a minute. A dead one leaves at once. Connections to jump hosts
//! are ordinary members, shared by everything that runs through them.

mod alone;
mod channels;
mod lent;
mod members;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

pub use self::channels::Pair;
use self::members::Entry;
use super::{Connection, asking::Given};
use crate::host::TargetKey;

/// Connections to one target; with sshd's default of ten channels each, that is several hundred sessions.
const CONNECTIONS_MAX: usize = 64;

/// What can be set on a pool.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// How long a connection without a channel is kept.
    pub idle: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            // Long enough that a session closed and opened again needs no login.
            idle: Duration::from_secs(60),
        }
    }
}

/// All connections of the daemon.
pub struct Pool {
    settings: PoolSettings,
    pub(super) next_id: AtomicU64,
    next_attempt: AtomicU64,
    targets: Mutex<HashMap<TargetKey, Entry>>,
    /// What persons gave at logins and servers took.
    pub(super) given: Mutex<HashMap<TargetKey, Given>>,
    /// Which keys opened a target last, by their labels.
    pub(super) opened: Mutex<HashMap<TargetKey, Vec<String>>>,
    /// Connections of OpenSSH's client that others may use.
    lent: lent::Lent,
    /// Set by the shutdown, under the lock of `targets`: a connection that is then still being made is dropped.
    ended: AtomicBool,
}

impl Pool {
    /// An empty pool.
    pub fn new(settings: PoolSettings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            next_id: AtomicU64::new(1),
            next_attempt: AtomicU64::new(1),
            targets: Mutex::default(),
            given: Mutex::default(),
            opened: Mutex::default(),
            lent: lent::Lent::default(),
            ended: AtomicBool::new(false),
        })
    }

    /// Connections that live.
    pub fn connections(&self) -> usize {
        let targets = self.targets();
        targets.values().map(|entry| entry.connections.len()).sum()
    }

    /// Closes every connection of a target.
    pub async fn close_target(&self, key: &TargetKey) {
        let closing = self
            .targets()
            .get_mut(key)
            .map(|entry| std::mem::take(&mut entry.connections))
            .unwrap_or_default();
        close_all(closing, "the connection was closed on request").await;
    }

    /// Closes every connection.
    pub async fn shutdown(&self) {
        let entries = {
            let mut targets = self.targets();
            self.ended.store(true, Ordering::Relaxed);
            std::mem::take(&mut *targets)
        };
        let closing = entries
            .into_values()
            .flat_map(|entry| entry.connections)
            .collect();
        close_all(closing, "the daemon is ending").await;
    }
}

async fn close_all(connections: Vec<Arc<Connection>>, cause: &str) {
    let goodbyes = connections.iter().map(|connection| connection.disconnect(cause));
    futures::future::join_all(goodbyes).await;
}
