//! What one session showed and is not written yet, in order, with its times. Bounded: what does not fit is counted where it
//! would have been. It knows no file.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::Opened;

/// Bytes of one session that wait: a disk that stalls for a moment loses nothing of what a terminal shows.
const BYTES_MAX: usize = 4 << 20; // 4 MiB
/// Bytes of all sessions together: five hundred on a disk that hangs must not fill the memory.
pub(super) const ALL_MAX: usize = 64 << 20; // 64 MiB
/// Entries that wait: single letters are as much as whole pages here.
const ITEMS_MAX: usize = 16 << 10;
/// What comes so soon after the same kind is one entry.
const TOGETHER: Duration = Duration::from_millis(1);
/// Room that an empty queue keeps.
const SPARE_MAX: usize = 64 << 10; // 64 KiB

/// One entry.
#[derive(Debug)]
pub(super) enum Said {
    /// A shell is there.
    Opened(Box<Opened>),
    /// So many of the bytes, shown by the terminal.
    Terminal(usize),
    /// So many of the bytes, written by a captured command.
    Captured(usize),
    /// So many bytes are not here, because the queue was full.
    Lost(u64),
    /// Columns and rows.
    Size(u16, u16),
    /// Somebody waits until everything before is written.
    Flush(oneshot::Sender<()>),
    /// The session ended.
    Closed,
    /// It is left to what keeps it.
    Left,
}

/// An entry and its time.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) at: Instant,
    pub(super) said: Said,
}

/// What was taken out.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) bytes: Vec<u8>,
    pub(super) items: Vec<Item>,
}

#[derive(Debug)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    items: Vec<Item>,
    /// When bytes last came.
    last: Instant,
    is_begun: bool,
}

impl Queue {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            bytes: Vec::new(),
            items: Vec::new(),
            last: now,
            is_begun: false,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) const fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Adds an entry that takes no room; before a shell opened there is nothing to say but that somebody waits.
    pub(super) fn say(&mut self, said: Said) {
        match said {
            Said::Opened(_) => self.is_begun = true,
            Said::Flush(_) => {}
            _ if !self.is_begun => return,
            Said::Size(..) if self.items.len() >= 2 * ITEMS_MAX => return,
            _ => {}
        }
        self.items.push(Item {
            at: Instant::now(),
            said,
        });
    }

    /// Adds bytes, as many as there is room for.
    pub(super) fn bytes(&mut self, bytes: &[u8], captured: bool, waiting: &AtomicUsize) {
        if bytes.is_empty() || !self.is_begun {
            return;
        }
        let now = Instant::now();
        let count = bytes.len();
        let soon = now.duration_since(self.last) <= TOGETHER || self.items.len() >= ITEMS_MAX;
        self.last = now;
        let fits = self.bytes.len() + count <= BYTES_MAX
            && waiting.load(Ordering::Relaxed) + count <= ALL_MAX
            // Twice, because other entries stand between.
            && self.items.len() < 2 * ITEMS_MAX;
        let last = self.items.last_mut().map(|item| &mut item.said);
        if !fits {
            match last {
                Some(Said::Lost(lost)) => *lost += count as u64,
                _ => self.items.push(Item {
                    at: now,
                    said: Said::Lost(count as u64),
                }),
            }
            return;
        }
        waiting.fetch_add(count, Ordering::Relaxed);
        self.bytes.extend_from_slice(bytes);
        match last {
            Some(Said::Terminal(length)) if !captured && soon => *length += count,
            Some(Said::Captured(length)) if captured && soon => *length += count,
            _ => self.items.push(Item {
                at: now,
                said: if captured {
                    Said::Captured(count)
                } else {
                    Said::Terminal(count)
                },
            }),
        }
    }

    /// Takes all of it out.
    pub(super) fn take(&mut self, waiting: &AtomicUsize) -> Taken {
        waiting.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        let bytes = if self.bytes.capacity() > SPARE_MAX {
            std::mem::take(&mut self.bytes)
        } else {
            let taken = self.bytes.clone();
            self.bytes.clear();
            taken
        };
        Taken {
            bytes,
            items: std::mem::take(&mut self.items),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(taken: &Taken) -> Vec<String> {
        taken
            .items
            .iter()
            .map(|item| format!("{:?}", item.said))
            .collect()
    }

    fn opened(queue: &mut Queue) {
        queue.say(Said::Opened(Box::new(Opened {
            target: String::new(),
            shell: String::new(),
            size: (80, 24),
        })));
        queue.take(&AtomicUsize::new(0));
    }

    /// A full queue counts what is lost where it was lost, and goes on when there is room again.
    #[test]
    fn what_does_not_fit_is_counted() {
        let waiting = AtomicUsize::new(0);
        let mut queue = Queue::new(Instant::now());
        queue.bytes(b"too early", false, &waiting);
        assert!(queue.is_empty());
        opened(&mut queue);
        queue.bytes(&vec![b'x'; BYTES_MAX - 1], true, &waiting);
        queue.bytes(b"ab", true, &waiting);
        queue.bytes(b"abc", false, &waiting);
        queue.bytes(b"c", true, &waiting);
        assert_eq!(waiting.load(Ordering::Relaxed), BYTES_MAX);
        let taken = queue.take(&waiting);
        assert_eq!(taken.bytes.len(), BYTES_MAX);
        let expected = [
            format!("Captured({})", BYTES_MAX - 1),
            "Lost(5)".into(),
            "Captured(1)".into(),
        ];
        assert_eq!(kinds(&taken), expected);
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
        queue.bytes(b"again", false, &waiting);
        assert_eq!(kinds(&queue.take(&waiting)), ["Terminal(5)"]);
    }

    /// All queues together have a bound, too; and many entries become few.
    #[test]
    fn all_together_are_bounded() {
        let waiting = AtomicUsize::new(ALL_MAX - 1);
        let mut queue = Queue::new(Instant::now());
        opened(&mut queue);
        queue.bytes(b"ab", false, &waiting);
        assert_eq!(kinds(&queue.take(&waiting)), ["Lost(2)"]);
        waiting.store(0, Ordering::Relaxed);
        for _ in 0..10 * ITEMS_MAX {
            queue.bytes(b"a", false, &waiting);
            queue.bytes(b"b", true, &waiting);
            queue.say(Said::Size(1, 1));
        }
        let taken = queue.take(&waiting);
        assert!(taken.items.len() <= 2 * ITEMS_MAX + 1, "{}", taken.items.len());
    }
}
