//! Who is inside: calls under way by client, until their answers have been taken whole. Not who may come in at all.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http_body::{Body as HttpBody, Frame, SizeHint};
use sshmcp_proto::{error::Fault, v1::Reason};
use tonic::{Status, body::Body};

use crate::core::Limits;

/// Counts calls; clones count together.
#[derive(Clone, Default)]
pub(super) struct Crowd(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    all: usize,
    of: HashMap<u64, usize>,
}

impl Crowd {
    /// One more call of this client, if that may be.
    pub(super) fn enter(&self, client: u64, limits: &Limits) -> Result<Inside, Fault> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.of.get(&client).copied().unwrap_or(0);
        if own >= limits.calls_per_client {
            let limit = limits.calls_per_client;
            return Err(full(
                &format!("{limit} calls of this program"),
                "max_calls_per_client",
            ));
        }
        if counts.all >= limits.calls {
            return Err(full(&format!("{} calls", limits.calls), "max_calls"));
        }
        counts.all += 1;
        counts.of.insert(client, own + 1);
        Ok(Inside {
            crowd: self.clone(),
            client,
        })
    }
}

fn full(what: &str, setting: &str) -> Fault {
    Fault::new(
        Reason::LimitReached,
        format!("{what} are under way, as many as {setting} allows; nothing was done"),
    )
    .hint(format!(
        "wait until some of them have ended, or raise {setting} in [settings] of config.toml"
    ))
    .retryable()
}

/// A call that counts until it is dropped.
pub(super) struct Inside {
    crowd: Crowd,
    client: u64,
}

impl Inside {
    /// The answer's body, with which the call ends.
    pub(super) fn until_end_of(self, body: Body) -> Body {
        Body::new(Counted { body, _inside: self })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(own) = counts.of.get_mut(&self.client) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                counts.of.remove(&self.client);
            }
        }
    }
}

struct Counted {
    body: Body,
    _inside: Inside,
}

impl HttpBody for Counted {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each limit is told by its own name; who left makes room.
    #[test]
    fn each_limit_has_its_name() {
        let limits = Limits {
            clients: 9,
            calls: 3,
            calls_per_client: 2,
        };
        let crowd = Crowd::default();
        let refused = |client| crowd.enter(client, &limits).err().map(|fault| fault.message);
        let mut inside: Vec<Inside> = [1, 1, 2]
            .into_iter()
            .filter_map(|client| crowd.enter(client, &limits).ok())
            .collect();
        assert_eq!(inside.len(), 3);
        assert_eq!(
            refused(1).as_deref(),
            Some(
                "2 calls of this program are under way, as many as max_calls_per_client allows; nothing was done"
            )
        );
        assert_eq!(
            refused(3).as_deref(),
            Some("3 calls are under way, as many as max_calls allows; nothing was done")
        );
        inside.remove(0);
        assert_eq!(refused(1), None);
        drop(inside);
        assert!(crowd.0.lock().expect("whole").of.is_empty());
    }
}
