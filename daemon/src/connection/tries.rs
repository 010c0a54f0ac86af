//! What one login learns over several connections: a server that counts keys as failures hangs up on an agent full of them
//! before the right one, and the next connection goes on behind those that were refused. Speaks no SSH.

use std::collections::HashSet;

/// sshd allows six attempts (MaxAuthTries); one is left for a password.
const KEY_OFFERS_MAX: usize = 5;
/// Connections of one login: whoever counts failed logins (fail2ban) takes five or more for an attack.
const CONNECTIONS_MAX: u32 = 3;

/// What was tried so far.
#[derive(Debug, Default)]
pub(super) struct Tries {
    /// Keys, by their labels, that let somebody in before: they are offered first.
    pub(super) known: Vec<String>,
    /// Keys that the server took now, in its order.
    pub(super) taken: Vec<String>,
    /// In words.
    pub(super) tried: Vec<String>,
    /// Keys, by their labels, that need not be offered again.
    refused: HashSet<String>,
    /// Keys offered on this connection.
    offered: usize,
    /// Keys that are left for another connection.
    left: usize,
    /// At so many failures the server hung up.
    limit: Option<usize>,
    connections: u32,
    goes_on: bool,
}

impl Tries {
    pub(super) fn knowing(known: Vec<String>) -> Self {
        Self {
            known,
            ..Self::default()
        }
    }

    /// A new connection begins.
    pub(super) fn connected(&mut self) {
        self.connections = self.connections.saturating_add(1);
        self.taken.clear();
        (self.offered, self.left, self.goes_on) = (0, 0, false);
    }

    /// Puts keys in the order in which they are offered, without those that were refused.
    pub(super) fn order<T>(&self, keys: &mut Vec<T>, label: impl Fn(&T) -> &str) {
        keys.retain(|key| !self.refused.contains(label(key)));
        // Those of one kind keep their order.
        keys.sort_by_key(|key| !self.known.iter().any(|known| known == label(key)));
    }

    /// Whether this connection takes another key. `left`: those that there are.
    pub(super) fn may_offer(&mut self, left: usize) -> bool {
        // One attempt fewer than it bears: at the last it hangs up, and its owner's tools count that.
        let most = self.limit.map_or(KEY_OFFERS_MAX, |limit| {
            limit.saturating_sub(1).min(KEY_OFFERS_MAX)
        });
        self.left = if self.offered < most { 0 } else { left };
        self.left == 0
    }

    pub(super) fn offers(&mut self, label: &str) {
        self.offered = self.offered.saturating_add(1);
        self.tried.push(label.to_owned());
    }

    /// The key that was offered last, or could not be, opens nothing here.
    pub(super) fn refuses(&mut self, label: &str) {
        self.refused.insert(label.to_owned());
    }

    /// The key that was offered last was taken.
    pub(super) fn takes(&mut self, label: &str) {
        self.taken.push(label.to_owned());
    }

    /// The server hung up because of what was offered. `more`: something is left to try.
    pub(super) fn tripped(&mut self, left: usize, more: bool) {
        self.limit = Some(self.offered);
        self.left = left;
        self.goes_on = left > 0 || more;
    }

    /// Nothing else helped: the keys that are left are for another connection.
    pub(super) const fn keys_are_left(&mut self) {
        self.goes_on = self.left > 0;
    }

    /// Whether another connection may go on; it says itself then whether the one after it may.
    pub(super) const fn go_on(&mut self) -> bool {
        std::mem::replace(&mut self.goes_on, false) && self.connections < CONNECTIONS_MAX
    }

    /// True if keys were not offered, or were too many for the server.
    pub(super) const fn were_too_many(&self) -> bool {
        self.left > 0 || self.limit.is_some()
    }

    /// All of it in words.
    pub(super) fn words(&self) -> String {
        let mut words = if self.tried.is_empty() {
            "nothing".to_owned()
        } else {
            self.tried.join(", ")
        };
        if self.left > 0 {
            words += &format!(", {} more keys not offered", self.left);
        }
        if self.connections > 1 {
            words += &format!(" over {} connections", self.connections);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers keys one after the other to a server that bears so many failures, as a login does; the key that it took.
    fn log_in(keys: &[&str], right: &str, bears: usize, known: &[&str]) -> (Option<String>, u32, Tries) {
        let mut tries = Tries::knowing(known.iter().map(|key| (*key).to_owned()).collect());
        loop {
            tries.connected();
            let mut offers = keys.to_vec();
            tries.order(&mut offers, |key| key);
            let mut failures = 0;
            let mut hung_up = false;
            while !offers.is_empty() && tries.may_offer(offers.len()) {
                let key = offers.remove(0);
                tries.offers(key);
                if key == right {
                    return (Some(key.to_owned()), tries.connections, tries);
                }
                failures += 1;
                tries.refuses(key);
                if failures == bears {
                    tries.tripped(offers.len(), false);
                    hung_up = true;
                    break;
                }
            }
            if !hung_up {
                tries.keys_are_left();
            }
            if !tries.go_on() {
                return (None, tries.connections, tries);
            }
        }
    }

    const KEYS: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "8"];

    /// Three connections find the seventh of eight keys where three failures are borne, and end politely after the first.
    #[test]
    fn the_seventh_key() {
        for (bears, connections) in [(3, 3), (4, 2), (6, 2)] {
            let (found, took, _) = log_in(&KEYS, "7", bears, &[]);
            assert_eq!((found.as_deref(), took), (Some("7"), connections), "{bears}");
        }
        let (found, took, tries) = log_in(&KEYS, "7", 2, &[]);
        assert_eq!((found, took), (None, 3));
        assert!(tries.were_too_many());
        let words = tries.words();
        assert_eq!(words, "1, 2, 3, 4, 4 more keys not offered over 3 connections");
    }

    /// A key that opened before is the first, and nothing is tried twice.
    #[test]
    fn what_is_known_comes_first() {
        let (found, took, tries) = log_in(&KEYS, "7", 2, &["7"]);
        assert_eq!((found.as_deref(), took), (Some("7"), 1));
        assert_eq!(tries.tried, ["7"]);
        let (found, _, tries) = log_in(&KEYS, "none", 6, &["7"]);
        assert_eq!(found, None);
        assert_eq!(tries.tried, ["7", "1", "2", "3", "4", "5", "6", "8"]);
    }

    /// A server that bears one failure is not offered keys again: what is left is the password's.
    #[test]
    fn one_attempt_is_a_passwords() {
        let mut tries = Tries::default();
        tries.connected();
        assert!(tries.may_offer(1));
        tries.offers("1");
        tries.tripped(0, true);
        assert!(tries.go_on());
        tries.connected();
        assert!(!tries.may_offer(3));
    }
}
