//! What is known of a connection from its first byte to its end, shared by russh's callbacks and whoever holds it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use russh::keys::{Certificate, PublicKey};
use sshmcp_proto::error::Fault;
use tokio::sync::watch;

use crate::connection::pulse::Ear;

/// What handler and connection share.
pub(in crate::connection) struct Shared {
    /// None while the connection lives, then why it ended.
    end: watch::Sender<Option<Arc<str>>>,
    facts: Mutex<Facts>,
    ear: Ear,
    pub(super) has_opened: AtomicBool,
    pub(super) is_broken: AtomicBool,
}

#[derive(Default)]
pub(super) struct Facts {
    pub(super) key: Option<PublicKey>,
    pub(super) certificate: Option<Certificate>,
    pub(super) server_version: String,
    pub(super) fault: Option<Fault>,
    /// What is to be said of a key that nobody had compared.
    pub(super) accepted: Option<String>,
    /// When the server last said something to whoever logs in.
    pub(super) banner: Option<std::time::Instant>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            end: watch::Sender::new(None),
            facts: Mutex::default(),
            ear: Ear::default(),
            has_opened: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
        }
    }

    pub(super) fn facts(&self) -> std::sync::MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes why the connection ended; the first cause stays.
    pub(in crate::connection) fn end(&self, cause: &str) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert_with(|| cause.into());
            first
        });
    }

    pub(in crate::connection) fn ended(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.end.subscribe()
    }

    pub(in crate::connection) fn cause(&self) -> Option<Arc<str>> {
        self.end.borrow().clone()
    }

    /// What hears whether bytes come.
    pub(in crate::connection) const fn ear(&self) -> &Ear {
        &self.ear
    }

    /// True once the server has opened a channel.
    pub(in crate::connection) fn has_opened(&self) -> bool {
        self.has_opened.load(Ordering::Relaxed)
    }

    /// True if it ended because the server sent what the protocol has no place for.
    pub(in crate::connection) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    pub(in crate::connection) fn key(&self) -> Option<PublicKey> {
        self.facts().key.clone()
    }

    pub(in crate::connection) fn banner(&self) -> Option<std::time::Instant> {
        self.facts().banner
    }

    pub(in crate::connection) fn take_accepted(&self) -> Option<String> {
        self.facts().accepted.take()
    }

    pub(in crate::connection) fn server_version(&self) -> String {
        self.facts().server_version.clone()
    }
}
