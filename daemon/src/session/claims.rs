//! What sessions must know of each other's shells on one host: which of a connection's belong to one that is open already,
//! so that one which is being opened can be told from them; which were left there by a connection that died on our side;
//! and which are ours although nobody remembers them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::label::Labels;
use crate::{connection::ConnectionId, host::TargetKey};

/// Helpers that are remembered of a host as left behind; one more means that it is reached again and again, and each time
/// the earlier ones are ended.
const GHOSTS_MAX: usize = 64;

/// The shells of all sessions.
#[derive(Default)]
pub struct Claims {
    known: Mutex<Known>,
    labels: Option<Labels>,
}

#[derive(Default)]
struct Known {
    /// Process ids of shells by connection.
    shells: HashMap<ConnectionId, HashSet<u32>>,
    /// Directories of helpers whose connection has died, by target.
    ghosts: HashMap<TargetKey, Vec<String>>,
    /// Directories of kept shells that are gone while what was kept of them is not.
    remains: HashMap<TargetKey, Vec<String>>,
}

impl Claims {
    /// With what hosts have of ours.
    pub fn with(labels: Labels) -> Self {
        Self {
            labels: Some(labels),
            ..Self::default()
        }
    }

    /// What hosts have of ours; none where no session belongs to anybody.
    pub const fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// This shell is that of an open session; true if it is the connection's only one.
    pub fn add(&self, connection: ConnectionId, pid: u32) -> bool {
        let mut known = self.lock();
        let pids = known.shells.entry(connection).or_default();
        pids.insert(pid);
        pids.len() == 1
    }

    /// Its session is gone.
    pub fn remove(&self, connection: ConnectionId, pid: u32) {
        let mut known = self.lock();
        if let Some(pids) = known.shells.get_mut(&connection) {
            pids.remove(&pid);
            if pids.is_empty() {
                known.shells.remove(&connection);
            }
        }
    }

    /// It is that of an open session.
    pub fn has(&self, connection: ConnectionId, pid: u32) -> bool {
        self.lock()
            .shells
            .get(&connection)
            .is_some_and(|pids| pids.contains(&pid))
    }

    /// The helper of this directory may live on: the server need not know that its connection is dead.
    pub fn leave_ghost(&self, target: TargetKey, directory: String) {
        let mut known = self.lock();
        let ghosts = known.ghosts.entry(target).or_default();
        ghosts.truncate(GHOSTS_MAX - 1);
        ghosts.insert(0, directory);
    }

    /// What is kept in this directory is nobody's any more: its shell ended with a connection that is lost.
    pub fn leave_remains(&self, target: TargetKey, directory: String) {
        let mut known = self.lock();
        let remains = known.remains.entry(target).or_default();
        remains.truncate(GHOSTS_MAX - 1);
        remains.insert(0, directory);
    }

    /// Those that are to be removed, now that the target is reached again.
    pub fn take_remains(&self, target: &TargetKey) -> Vec<String> {
        self.lock().remains.remove(target).unwrap_or_default()
    }

    /// Those that are to be ended, now that the target is reached again.
    pub fn take_ghosts(&self, target: &TargetKey) -> Vec<String> {
        self.lock().ghosts.remove(target).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
