//! What of a session is remembered beyond the daemon: how it is found again, and what a caller would miss.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde_json::Value;

use super::{Opening, Session};
use crate::{
    config::Keeper,
    host::Overrides,
    local::{Place, files},
    state::{EarlierShown, Hop, SavedSession, ShownLog, Store},
};

/// A cursor is remembered so far ahead, so that most of what a terminal shows changes nothing on disk.
const CURSOR_AHEAD: u64 = 1 << 20; // 1 MiB

/// How a session is remembered.
pub(super) struct Saving {
    store: Store,
    overrides: Overrides,
    /// What the session finds its shell by.
    kept: Mutex<Value>,
    is_default: AtomicBool,
    /// An earlier daemon had it.
    is_restored: bool,
    /// Up to here no cursor has to be remembered again.
    cursor: AtomicU64,
}

impl Saving {
    pub(super) fn new(opening: &Opening, store: Store) -> Self {
        let earlier = opening.kept.as_ref();
        Self {
            store,
            overrides: opening.overrides.clone(),
            kept: Mutex::new(earlier.map_or(Value::Null, |earlier| earlier.kept.clone())),
            is_restored: earlier.is_some(),
            is_default: AtomicBool::new(earlier.is_some_and(|earlier| earlier.is_default)),
            cursor: AtomicU64::new(earlier.map_or(0, |earlier| earlier.cursor)),
        }
    }
}

impl Session {
    /// Its shell outlives the daemon, and so do its commands.
    pub fn is_kept(&self) -> bool {
        self.summary.borrow().keeper != Keeper::Daemon
    }

    /// What was given beside its host when it was opened.
    pub const fn overrides(&self) -> &Overrides {
        &self.saving.overrides
    }

    /// What it finds its shell by; null as long as there is none.
    pub fn kept(&self) -> Value {
        let kept = self.saving.kept.lock();
        kept.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where its terminal is written, and what an earlier daemon wrote there, if it outlives the daemon.
    pub(super) fn shown_log(&self) -> Option<(ShownLog, Option<EarlierShown>)> {
        let Saving {
            store, is_restored, ..
        } = &self.saving;
        self.is_kept().then(|| {
            if !is_restored {
                // Another session had the name, and nobody closed it.
                store.forget_shown(self.name.as_str());
            }
            store.shown(self.name.as_str())
        })
    }

    /// Remembers what its shell is found by, from now on; null where there is nothing to come back to.
    pub fn keep(&self, kept: Value) {
        *self.saving.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        self.save();
    }

    /// Calls that name only its target use it, or do so no more.
    pub fn set_default(&self, is_default: bool) {
        if self.saving.is_default.swap(is_default, Ordering::Relaxed) != is_default {
            self.save();
        }
    }

    /// Where state is kept.
    pub(super) fn store(&self) -> Store {
        self.saving.store.clone()
    }

    /// Puts what is remembered of it beside its tmux here, for a daemon that has lost everything else.
    pub(super) fn leave_note(&self, place: &Place) {
        let Ok(note) = serde_json::to_vec(&self.as_saved()) else {
            return;
        };
        if let Err(error) = place.put(files::SESSION, &note) {
            tracing::warn!(session = %self.name, %error, "it would not be found without the state");
        }
    }

    /// Remembers it as it is now. Of one that is closed nothing is remembered.
    pub fn save(&self) {
        if !self.is_closing() {
            self.saving.store.put_session(self.as_saved());
        }
    }

    /// What is to be remembered of it.
    pub(super) fn as_saved(&self) -> SavedSession {
        let summary = self.summary();
        let kept = self.kept();
        if self.is_cursor_due() {
            let ahead = summary.cursor.saturating_add(CURSOR_AHEAD);
            self.saving.cursor.store(ahead, Ordering::Relaxed);
        }
        let Overrides {
            username,
            port,
            key_filename,
            password: _,
            hostname,
        } = self.saving.overrides.clone();
        let key = self.target().key();
        let hops = key.hops();
        SavedSession {
            name: self.name.to_string(),
            host: self.host.clone(),
            username,
            port,
            key_filename,
            hostname,
            target: hops
                .map(|(user, hostname, port)| Hop {
                    user: user.to_owned(),
                    hostname: hostname.to_owned(),
                    port,
                })
                .collect(),
            keeper: summary.keeper.word().to_owned(),
            is_default: self.saving.is_default.load(Ordering::Relaxed),
            cols: summary.size.0,
            rows: summary.size.1,
            shell: summary.shell,
            apart: summary.apart,
            cwd: summary.cwd,
            opened_ms: self.opened_ms,
            last_used_ms: summary.last_used_ms,
            client: summary.client,
            notice: summary.notice,
            cursor: self.saving.cursor.load(Ordering::Relaxed),
            seen: self.seen.lock().unwrap_or_else(PoisonError::into_inner).all(),
            kept,
        }
    }

    /// Its cursor has come to where the one that is remembered ends.
    pub(super) fn is_cursor_due(&self) -> bool {
        self.is_kept() && self.summary.borrow().cursor >= self.saving.cursor.load(Ordering::Relaxed)
    }

    /// Waits until what is remembered of it is on disk; false if the disk does not take it, or takes too long.
    pub async fn saved(&self) -> bool {
        self.saving.store.saved().await
    }

    /// Why nothing can be remembered now.
    pub fn save_problem(&self) -> Option<String> {
        self.saving.store.problem()
    }
}
