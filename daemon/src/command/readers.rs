//! How far each client has been shown something that only grows; the one that read longest ago is forgotten first.

use std::collections::VecDeque;

/// Clients whose position is remembered: more than agents and people that look at one thing.
const READERS_MAX: usize = 16;

/// Positions by client.
#[derive(Debug, Default)]
pub struct Readers(VecDeque<(String, u64)>);

impl Readers {
    /// No position.
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// These positions, the one that read longest ago first.
    pub fn of(positions: Vec<(String, u64)>) -> Self {
        let surplus = positions.len().saturating_sub(READERS_MAX);
        Self(positions.into_iter().skip(surplus).collect())
    }

    /// All positions, in the same order.
    pub fn all(&self) -> Vec<(String, u64)> {
        self.0.iter().cloned().collect()
    }

    /// How far a client has been shown it; 0 if it was not, or is forgotten.
    pub fn shown_to(&self, client: &str) -> u64 {
        let found = self.0.iter().find(|(id, _)| id == client);
        found.map_or(0, |(_, position)| *position)
    }

    /// Remembers how far a client has been shown it; that never moves back.
    pub fn show_to(&mut self, client: &str, position: u64) {
        let before = self.shown_to(client);
        self.0.retain(|(id, _)| id != client);
        if self.0.len() >= READERS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((client.to_owned(), position.max(before)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positions are each client's own and only grow; with too many clients the oldest begins anew.
    #[test]
    fn positions_are_remembered() {
        let mut readers = Readers::default();
        readers.show_to("a", 7);
        readers.show_to("a", 3);
        assert_eq!((readers.shown_to("a"), readers.shown_to("b")), (7, 0));
        for number in 0..READERS_MAX {
            readers.show_to(&number.to_string(), 1);
        }
        assert_eq!(readers.shown_to("a"), 0);
        assert_eq!(readers.shown_to("0"), 1);
    }
}
