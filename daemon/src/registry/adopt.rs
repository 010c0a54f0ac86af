//! Kept sessions that are found on their hosts although nothing is remembered of them: each is made again, under its own name
//! if that is free.

use std::{sync::Arc, time::Duration};

use super::{Inner, Registry, restore::call};
use crate::{
    config::Keeper,
    host::Target,
    id::SessionName,
    session::{FORGOTTEN, Opening, SessionState, key},
    state::SavedSession,
};

/// A session of the same name that is being opened finds its shell itself, within this time.
const ITS_OWN: Duration = Duration::from_secs(10);

impl Registry {
    /// Takes on what is found, for ever.
    pub async fn adopt(self: Arc<Self>) {
        let Some(labels) = self.claims.labels() else {
            return;
        };
        let mut news = labels.news();
        while news.changed().await.is_ok() {
            for found in labels.offer() {
                let registry = self.clone();
                tokio::spawn(async move { registry.adopt_one(found).await });
            }
        }
    }

    async fn adopt_one(&self, found: SavedSession) {
        let (Ok(wanted), Some(labels)) = (SessionName::parse(&found.name), self.claims.labels()) else {
            return;
        };
        if let Ok(session) = self.session(&found.name) {
            let mut changes = session.changes();
            let is_open = changes
                .wait_for(|summary| !summary.shell.is_empty() || summary.state == SessionState::Reconnecting);
            drop(tokio::time::timeout(ITS_OWN, is_open).await);
        }
        let key = key(&found);
        let call = call(&found);
        let target = self
            .resolve(&call)
            .await
            .ok()
            .filter(|target| target.key() == key);
        let is_resolved = target.is_some();
        let own = target.as_ref().and_then(|target| target.orphan_after);
        let orphan_after = own.unwrap_or(self.config.current().settings.orphan_after);
        let mut inner = self.lock();
        let Some(found) = labels.take(&found) else { return };
        let (name, ended) = name_for(&inner, wanted);
        tracing::info!(session = %name, found.name, is_resolved, "taken on");
        let session = self.start(Opening {
            name: name.clone(),
            host: found.host.clone(),
            target: target.unwrap_or_else(|| Target::bare(&found.host, &key)),
            cols: found.cols,
            rows: found.rows,
            cwd: None,
            overrides: call.overrides.clone(),
            keeper: Keeper::from_word(&found.keeper).unwrap_or_default(),
            orphan_after,
            ended: Some(ended),
            kept: Some(found),
            is_found: true,
        });
        if !is_resolved {
            inner.unresolved.insert(name.clone(), call);
        }
        inner.sessions.insert(name, session);
    }
}

/// The name under which it is made again, and what is said of that.
fn name_for(inner: &Inner, wanted: SessionName) -> (SessionName, String) {
    let there = inner.sessions.get(&wanted);
    if there.is_none_or(|there| there.is_closing()) {
        return (wanted, FORGOTTEN.to_owned());
    }
    let name = Registry::free_name(inner, &wanted);
    let words = format!("{FORGOTTEN}, and another session is called {wanted} by now, so that it is {name}");
    (name, words)
}
