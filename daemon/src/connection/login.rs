//! A login that a person helps with: their answers open a connection, which waits then for whoever uses it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{Asker, Connection, ConnectionId, asking::Given, establish, lease::Lease, pool::Pool};
use crate::host::{Target, TargetKey};

/// A connection that cost a person's answer is kept this long without use: a code cannot be given twice.
const IDLE: Duration = Duration::from_secs(3600);

type Leasing<'a> = Pin<Box<dyn Future<Output = Result<Lease, Fault>> + Send + 'a>>;

impl Pool {
    /// A connection of the target: the one that there is, or a new one, for which this person is asked what is not stored.
    pub async fn login(self: &Arc<Self>, target: &Target, person: Asker) -> Result<Arc<Connection>, Fault> {
        let (pool, target) = (self.clone(), target.clone());
        // A task of its own: a person who goes away leaves nothing half done.
        let login = async move { pool.lease_by(&target, &person).await };
        let lease = tokio::spawn(login)
            .await
            .unwrap_or_else(|_| Err(Fault::new(Reason::Internal, "the login failed within")))?;
        Ok(lease.connection().clone())
    }

    /// As `lease`, with a person. Boxed, because a jump host is logged in to within.
    pub(super) fn lease_by<'a>(self: &'a Arc<Self>, target: &'a Target, person: &'a Asker) -> Leasing<'a> {
        Box::pin(async move {
            if let Some(lease) = self.free(target) {
                return Ok(lease);
            }
            let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
            let made = establish::connect(self, target, id, Some(person)).await?;
            let connection = Arc::new(made);
            let lease = Lease::new(connection.clone());
            self.has_been_made(target, connection, IDLE);
            Ok(lease)
        })
    }

    /// What a person gave for this target before.
    pub(super) fn given(&self, key: &TargetKey) -> Given {
        let all = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).cloned().unwrap_or_default()
    }

    /// The password of a target is another now: what a person gave before is forgotten, and so are the connections that nobody
    /// uses, which a server keeps waiting for the change.
    pub async fn password_was_changed(&self, target: &Target) {
        let mut given = self.given(&target.key());
        given.password = None;
        given.is_new = true;
        self.keep_given(target.key(), given);
        self.close_unused(&target.key(), "the password was changed").await;
    }

    /// The keys, by their labels, that opened this target last.
    pub(super) fn known_keys(&self, key: &TargetKey) -> Vec<String> {
        let all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).cloned().unwrap_or_default()
    }

    /// These keys opened the target: they are the first next time.
    pub(super) fn keys_opened(&self, key: TargetKey, labels: Vec<String>) {
        if !labels.is_empty() {
            let mut all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(key, labels);
        }
    }

    /// Keeps what the server took, and forgets what it no longer takes.
    pub(super) fn keep_given(&self, key: TargetKey, mut given: Given) {
        if !std::mem::take(&mut given.is_new) {
            return;
        }
        let mut all = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.password.is_none() && given.passphrases.is_empty() {
            all.remove(&key);
        } else {
            all.insert(key, given);
        }
    }
}
