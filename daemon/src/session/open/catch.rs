//! What a kept terminal showed while nobody was there: from where we were to a mark that both its host's record and what
//! comes now show, so that the one goes on behind the other without a gap and without a byte twice.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use super::super::{
    link::{LinkEvent, Source, Wiring},
    spot::Spot,
};
use crate::{
    connection::{Channel, ChannelEvent, ChannelWriter, Connection, Pool},
    host::Target,
    shell::{
        frame::{self, HelperFrame},
        mark, order,
        scan::{Piece, Scanner},
    },
};

/// A mark is found within this time, or the terminal was stopped by somebody.
const MARK_WAIT: Duration = Duration::from_secs(5);
/// A record of this size takes this long over a slow link.
const CATCH_WAIT: Duration = Duration::from_secs(120);
/// What comes meanwhile: tmux stops sending after some seconds.
const LIVE_MAX: usize = 16 << 20; // 16 MiB
/// What a host keeps of a terminal, and something for what it rounds up.
const MISSED_MAX: usize = 32 << 20; // 32 MiB
/// The mark's number: it is the first on its connection.
const NUMBER: u32 = 1;

/// What was caught up with.
pub struct Caught {
    /// What the terminal showed, and after how many bytes of it how many are not kept any more.
    pub missed: Vec<u8>,
    /// As above.
    pub holes: Vec<(usize, u64)>,
    /// What came behind it.
    pub live: Vec<u8>,
    /// Where that begins.
    pub spot: Spot,
}

/// What is needed for it.
pub(super) struct Catch<'c> {
    pub(super) pool: &'c Arc<Pool>,
    pub(super) target: &'c Target,
    pub(super) connection: &'c Arc<Connection>,
    pub(super) wiring: &'c mut Wiring,
    pub(super) helper: &'c ChannelWriter,
    pub(super) nonce: &'c str,
    pub(super) dir: &'c str,
    /// Where we were.
    pub(super) from: u64,
    /// The pane is gone: its record has come to its end.
    pub(super) is_over: bool,
}

/// What comes while we catch up.
struct Coming {
    frames: Scanner,
    mark: Vec<u8>,
    /// What may be the beginning of the mark, or what is behind it.
    live: Vec<u8>,
    has_passed: bool,
    /// What it looks like has come.
    is_attached: bool,
    /// Where the host says that the mark is.
    place: Option<Option<u64>>,
}

impl Catch<'_> {
    /// Catches up; none where that cannot be exact.
    pub(super) async fn up(mut self) -> Option<Caught> {
        let mut coming = Coming::new(self.nonce);
        let mut to = None;
        if !self.is_over {
            let marked = async {
                // Only what comes from here on is shown to us.
                while !coming.is_attached {
                    coming.take(self.wiring.events.recv().await?)?;
                }
                self.helper.write(Bytes::from(order::place(NUMBER))).await.ok()?;
                while !(coming.has_passed && coming.place.is_some()) {
                    coming.take(self.wiring.events.recv().await?)?;
                }
                coming.place?
            };
            to = Some(timeout(MARK_WAIT, marked).await.ok()??);
        }
        let (command, script) = order::catch_command(self.dir, self.nonce, self.from, to);
        let opening = self.pool.open_exec(self.target, self.connection, &command);
        let (_, channel) = opening.await.ok()?;
        channel.writer().write(Bytes::from(script)).await.ok()?;
        let caught = timeout(CATCH_WAIT, self.read(channel, &mut coming))
            .await
            .ok()??;
        let (missed, holes, end) = caught;
        if to.is_some_and(|to| to != end) {
            return None;
        }
        Some(Caught {
            missed,
            holes,
            live: coming.live,
            spot: to.map_or_else(Spot::default, |to| Spot::at_mark(NUMBER, to)),
        })
    }

    /// What the host kept, where of that something is missing, and where it ends.
    async fn read(
        &mut self,
        mut channel: Channel,
        coming: &mut Coming,
    ) -> Option<(Vec<u8>, Vec<(usize, u64)>, u64)> {
        let mut frames = Scanner::new(&frame::helper_introducer(self.nonce), frame::TERMINATOR);
        let (mut missed, mut holes) = (Vec::new(), Vec::new());
        loop {
            let event = tokio::select! {
                biased;
                event = self.wiring.events.recv() => {
                    coming.take(event?)?;
                    continue;
                }
                event = channel.next() => event?,
            };
            let ChannelEvent::Stdout(bytes) = event else {
                match event {
                    ChannelEvent::Closed { .. } => return None,
                    _ => continue,
                }
            };
            for piece in frames.feed(&bytes) {
                match piece {
                    Piece::Data(data) => missed.extend(data),
                    Piece::Frame(body) => match frame::parse_helper(&body) {
                        Some(HelperFrame::Missing(bytes)) => holes.push((missed.len(), bytes)),
                        Some(HelperFrame::Caught(end)) => return Some((missed, holes, end)),
                        // Somebody wrote there what looks like ours.
                        _ => return None,
                    },
                }
            }
            if missed.len() > MISSED_MAX {
                return None;
            }
        }
    }
}

impl Coming {
    fn new(nonce: &str) -> Self {
        let mut mark = mark::introducer(nonce);
        mark.extend(format!("L;{NUMBER}").into_bytes());
        mark.push(mark::TERMINATOR);
        Self {
            frames: Scanner::new(&frame::helper_introducer(nonce), frame::TERMINATOR),
            mark,
            live: Vec::new(),
            has_passed: false,
            is_attached: false,
            place: None,
        }
    }

    /// None: from here on it would not be exact.
    fn take(&mut self, event: LinkEvent) -> Option<()> {
        match (event.source, event.event) {
            (Source::Terminal, ChannelEvent::Stdout(bytes)) => {
                self.live.extend_from_slice(&bytes);
                if !self.has_passed {
                    let found = memchr::memmem::find(&self.live, &self.mark);
                    self.has_passed = found.is_some();
                    let keep = self.mark.len() - 1;
                    let gone = found.map_or(self.live.len().saturating_sub(keep), |at| at + self.mark.len());
                    self.live.drain(..gone);
                }
                (self.live.len() <= LIVE_MAX).then_some(())
            }
            // What it looked like before: it is made anew from what it showed.
            (Source::Terminal, ChannelEvent::Screen(_)) => {
                self.is_attached = true;
                Some(())
            }
            (Source::Terminal, _) | (_, ChannelEvent::Closed { .. }) => None,
            (Source::Helper, ChannelEvent::Stdout(bytes)) => {
                for piece in self.frames.feed(&bytes) {
                    if let Piece::Frame(body) = piece
                        && let Some(HelperFrame::At(NUMBER, place)) = frame::parse_helper(&body)
                    {
                        self.place = Some(place);
                    }
                }
                Some(())
            }
            (Source::Helper | Source::Drain(_), _) => Some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> LinkEvent {
        LinkEvent {
            source: Source::Terminal,
            event: ChannelEvent::Stdout(Bytes::copy_from_slice(bytes)),
        }
    }

    /// Only what is behind the mark stays, however it is cut; a gap ends it.
    #[test]
    fn behind_the_mark() {
        let all = b"before\x1b]6973;1f;L;2\x07 \x1b]6973;1f;L;1\x07behind\x1b]6973;1f;P;/\x07";
        for size in [1, 4, 100] {
            let mut coming = Coming::new("1f");
            for piece in all.chunks(size) {
                assert_eq!(coming.take(shown(piece)), Some(()));
            }
            assert!(coming.has_passed);
            assert_eq!(coming.live, b"behind\x1b]6973;1f;P;/\x07");
            let told = LinkEvent {
                source: Source::Helper,
                event: ChannelEvent::Stdout(Bytes::from_static(b"x\x1e1f!T;1;77\x1f")),
            };
            assert_eq!(coming.take(told), Some(()));
            assert_eq!(coming.place, Some(Some(77)));
            let gap = LinkEvent {
                source: Source::Terminal,
                event: ChannelEvent::Gap,
            };
            assert_eq!(coming.take(gap), None);
        }
    }
}
