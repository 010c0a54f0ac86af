//! Stored passwords that sudo has refused: none is tried a second time, or an account might be locked for it. Of each a number
//! is kept that tells nothing of it.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
};

use crate::{host::TargetKey, secret::Secret};

/// Those of all targets.
#[derive(Debug, Default)]
pub struct Refused {
    hasher: RandomState,
    numbers: Mutex<HashMap<TargetKey, u64>>,
}

impl Refused {
    /// This one was refused last.
    pub(super) fn has(&self, target: &TargetKey, secret: &Secret) -> bool {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.get(target) == Some(&self.number(secret))
    }

    pub(super) fn add(&self, target: TargetKey, secret: &Secret) {
        let number = self.number(secret);
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.insert(target, number);
    }

    fn number(&self, secret: &Secret) -> u64 {
        self.hasher.hash_one(secret.expose().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same is not tried again there; another is, and elsewhere.
    #[test]
    fn once() {
        let target = |host: &str| TargetKey::of([("u".to_owned(), host.to_owned(), 22)]);
        let secret = |text: &str| Secret::new(text.to_owned());
        let refused = Refused::default();
        refused.add(target("a"), &secret("x"));
        assert!(refused.has(&target("a"), &secret("x")));
        assert!(!refused.has(&target("a"), &secret("y")) && !refused.has(&target("b"), &secret("x")));
    }
}
