//! What a kept session's directory on its host says of whose it is and what it is, for a daemon that remembers nothing of
//! it; and what was found so. A host can only show us what we said there ourselves, of itself.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    connection::ConnectionId,
    host::TargetKey,
    state::{SavedSession, Store},
};

/// The helper says a label in one write, which a pipe takes whole up to 4 KiB. A session with a longer one is not found.
const LABEL_MAX: usize = 3000;
/// Found sessions that nobody has taken on yet, on all hosts; more are found with another connection.
const FOUND_MAX: usize = 500;
/// Connections that are remembered as asked: any is asked again now and then, which costs it little.
const ASKED_MAX: usize = 1000;

/// Why a session that was found on its host is not simply there.
pub const FORGOTTEN: &str = "what was remembered of the session was lost";

/// What is said of a command of such a session as long as that is not found.
pub const NOT_FOUND: &str = "what was remembered of its session was lost; what became of it is known once its host is used again and has it still";

/// The labels of all hosts, as far as they matter here.
pub struct Labels {
    store: Store,
    inner: Mutex<Inner>,
    news: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    asked: HashSet<ConnectionId>,
    /// Directories of sessions that are ours already.
    held: HashSet<String>,
    found: Vec<Found>,
}

/// A session that was found.
struct Found {
    session: SavedSession,
    target: TargetKey,
    /// Somebody was told.
    is_offered: bool,
}

impl Labels {
    /// Nothing is known yet; the store's owner says what is ours.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            inner: Mutex::default(),
            news: watch::Sender::new(()),
        }
    }

    /// By which word the helper knows ours.
    pub fn mark(&self) -> &str {
        self.store.owner().mark()
    }

    /// What the directory of this session is to say.
    pub fn write(&self, session: &SavedSession) -> Option<String> {
        // Only what it is found again by: the rest is nobody's business there.
        let session = SavedSession {
            client: String::new(),
            notice: String::new(),
            cwd: String::new(),
            seen: Vec::new(),
            ..session.clone()
        };
        let body = BASE64_STANDARD.encode(serde_json::to_vec(&session).ok()?);
        self.store.is_to_be_found();
        let owner = self.store.owner();
        let label = format!("{} {} {body}", owner.mark(), owner.sign(&body));
        (label.len() <= LABEL_MAX).then_some(label)
    }

    /// The session of a label, if we wrote it and for this target.
    fn read(&self, label: &str, target: &TargetKey) -> Option<SavedSession> {
        let mut words = label.split(' ');
        let (_mark, signature, body) = (words.next()?, words.next()?, words.next()?);
        if !self.store.owner().has_signed(body, signature) {
            return None;
        }
        let session: SavedSession = serde_json::from_slice(&BASE64_STANDARD.decode(body).ok()?).ok()?;
        (key(&session) == *target && directory(&session.kept).is_some()).then_some(session)
    }

    /// This connection's host was not asked yet.
    pub fn is_to_ask(&self, connection: ConnectionId) -> bool {
        !self.lock().asked.contains(&connection)
    }

    /// A host has answered with all its labels of ours.
    pub fn answered(&self, connection: ConnectionId, target: &TargetKey, labels: &[String]) {
        let sessions: Vec<SavedSession> = labels
            .iter()
            .filter_map(|label| self.read(label, target))
            .collect();
        let mut inner = self.lock();
        if inner.asked.len() >= ASKED_MAX {
            inner.asked.clear();
        }
        inner.asked.insert(connection);
        for session in sessions {
            let Some(place) = directory(&session.kept) else {
                continue;
            };
            let is_known = inner.held.contains(place)
                || inner
                    .found
                    .iter()
                    .any(|found| directory(&found.session.kept) == Some(place));
            if !is_known && inner.found.len() < FOUND_MAX {
                tracing::info!(session = session.name, host = session.host, "found on its host");
                inner.found.push(Found {
                    session,
                    target: target.clone(),
                    is_offered: false,
                });
            }
        }
        let is_news = inner.found.iter().any(|found| !found.is_offered);
        drop(inner);
        if is_news {
            self.news.send_replace(());
        }
    }

    /// Sees when there is something to offer.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// Those that were found since this was asked last.
    pub fn offer(&self) -> Vec<SavedSession> {
        let mut inner = self.lock();
        let new = inner.found.iter_mut().filter(|found| !found.is_offered);
        new.map(|found| {
            found.is_offered = true;
            found.session.clone()
        })
        .collect()
    }

    /// Takes a found session on: nobody else does then. The one of this name on the target.
    pub fn take_named(&self, target: &TargetKey, name: &str) -> Option<SavedSession> {
        self.take_if(|found| found.target == *target && found.session.name == name)
    }

    /// As above: this one, unless somebody has taken it on.
    pub fn take(&self, session: &SavedSession) -> Option<SavedSession> {
        let place = directory(&session.kept);
        self.take_if(|found| directory(&found.session.kept) == place)
    }

    fn take_if(&self, is_wanted: impl Fn(&Found) -> bool) -> Option<SavedSession> {
        let mut inner = self.lock();
        let at = inner.found.iter().position(is_wanted)?;
        let session = inner.found.swap_remove(at).session;
        inner.held.extend(directory(&session.kept).map(str::to_owned));
        Some(session)
    }

    /// What this finds its shell by is a session's of ours.
    pub fn hold(&self, kept: &Value) {
        self.lock().held.extend(directory(kept).map(str::to_owned));
    }

    /// It is not any more: there is nothing left of it.
    pub fn release(&self, kept: &Value) {
        if let Some(place) = directory(kept) {
            self.lock().held.remove(place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a session that is remembered is bound to.
pub fn key(saved: &SavedSession) -> TargetKey {
    let hops = saved.target.iter();
    TargetKey::of(hops.map(|hop| (hop.user.clone(), hop.hostname.clone(), hop.port)))
}

/// Its directory on the host, which no other session has.
fn directory(kept: &Value) -> Option<&str> {
    kept.get("dir")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::state::Hop;

    fn session(name: &str, place: &str) -> SavedSession {
        SavedSession {
            name: name.into(),
            host: "web".into(),
            target: vec![Hop {
                user: "u".into(),
                hostname: "web.example".into(),
                port: 22,
            }],
            cwd: "/srv".into(),
            client: "somebody".into(),
            kept: json!({ "dir": place }),
            ..SavedSession::default()
        }
    }

    /// What we wrote for this host is found, once, and nothing that anybody made of it.
    #[test]
    fn found_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let (store, _) = Store::open(directory.path());
        let labels = Labels::new(store);
        let (one, two) = (session("one", "/d1"), session("two", "/d2"));
        let target = key(&one);
        let written: Vec<String> = [&one, &two, &session("held", "/d3")]
            .into_iter()
            .filter_map(|session| labels.write(session))
            .collect();
        let forged = written[0].replace(' ', " 0");
        let elsewhere = TargetKey::of([("u".to_owned(), "other.example".to_owned(), 22)]);
        let connection = ConnectionId::for_test(1);
        labels.hold(&json!({"dir": "/d3"}));
        assert!(labels.is_to_ask(connection));
        labels.answered(connection, &elsewhere, &written);
        labels.answered(connection, &target, &[forged, "x".into(), String::new()]);
        assert!(labels.offer().is_empty() && !labels.is_to_ask(connection));
        for _ in 0..2 {
            labels.answered(connection, &target, &written);
        }
        let offered = labels.offer();
        let names: Vec<&str> = offered.iter().map(|session| session.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
        assert!(offered.iter().all(|session| session.client.is_empty()));
        assert_eq!(labels.take_named(&elsewhere, "one"), None);
        let taken = labels.take_named(&target, "one").expect("it is there");
        assert_eq!(taken.kept, one.kept);
        assert_eq!(labels.take(&taken), None);
        labels.answered(connection, &target, &written);
        assert!(labels.offer().is_empty());
        labels.release(&one.kept);
        labels.answered(connection, &target, &written);
        assert_eq!(labels.offer().len(), 1);
    }

    /// One that would be torn on its way is not written.
    #[test]
    fn too_long() {
        let directory = tempfile::tempdir().expect("a directory");
        let labels = Labels::new(Store::open(directory.path()).0);
        let long = SavedSession {
            host: "x".repeat(LABEL_MAX),
            ..SavedSession::default()
        };
        assert_eq!(labels.write(&long), None);
    }
}
