//! Which shells of a connection belong to sessions that are open already, so that one which is being opened can be
//! told from them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::connection::ConnectionId;

/// Process ids of shells by connection.
#[derive(Default)]
pub struct Claims(Mutex<HashMap<ConnectionId, HashSet<u32>>>);

impl Claims {
    /// This shell is that of an open session; true if it is the connection's only one.
    pub fn add(&self, connection: ConnectionId, pid: u32) -> bool {
        let mut claims = self.lock();
        let pids = claims.entry(connection).or_default();
        pids.insert(pid);
        pids.len() == 1
    }

    /// Its session is gone.
    pub fn remove(&self, connection: ConnectionId, pid: u32) {
        let mut claims = self.lock();
        if let Some(pids) = claims.get_mut(&connection) {
            pids.remove(&pid);
            if pids.is_empty() {
                claims.remove(&connection);
            }
        }
    }

    /// It is that of an open session.
    pub fn has(&self, connection: ConnectionId, pid: u32) -> bool {
        self.lock()
            .get(&connection)
            .is_some_and(|pids| pids.contains(&pid))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, HashSet<u32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
