//! Whoever changes a file waits until another change of this daemon to the same file is over. Programs beside us are not kept
//! out: for those what a file was is looked at again before it is replaced.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::host::TargetKey;

/// A file of a target.
type Which = (TargetKey, Vec<u8>);

/// The files that are being changed.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashMap<Which, Weak<Semaphore>>>);

impl Turns {
    /// The right to change a file, until it is dropped.
    pub(super) async fn take(
        &self,
        target: TargetKey,
        path: &[u8],
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, Fault> {
        let turn = self.of(target, path);
        match timeout_at(deadline, turn.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Fault::new(
                Reason::Conflict,
                "another call was still changing this file when the time was over; nothing was done",
            )
            .hint("call again")
            .retryable()),
        }
    }

    fn of(&self, target: TargetKey, path: &[u8]) -> Arc<Semaphore> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = turns.entry((target, path.to_vec())).or_default();
        turn.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(1));
            *turn = Arc::downgrade(&new);
            new
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// One at a time for one file, and nothing is kept of files that nobody changes.
    #[tokio::test]
    async fn one_at_a_time() {
        let key = TargetKey::of([("u".to_owned(), "h".to_owned(), 22)]);
        let turns = Turns::default();
        let soon = || Instant::now() + Duration::from_millis(1);
        let late = || Instant::now() + Duration::from_secs(60);
        let first = turns.take(key.clone(), b"/a", late()).await.expect("free");
        let other = turns
            .take(key.clone(), b"/b", late())
            .await
            .expect("another file");
        let fault = turns.take(key.clone(), b"/a", soon()).await.expect_err("taken");
        assert_eq!(fault.reason, Reason::Conflict);
        drop((first, other));
        drop(turns.take(key.clone(), b"/a", late()).await.expect("free again"));
        drop(turns.of(key, b"/c"));
        assert_eq!(turns.0.lock().expect("ours").len(), 1);
    }
}
