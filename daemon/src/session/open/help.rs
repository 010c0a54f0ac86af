//! The helper's channel while a shell is being opened. Start-up files run there too, although nobody is: they may be slow
//! there, read what is ours, or put a shell in the place of the one that was to start the helper.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sshmcp_proto::{error::Fault, v1::Reason};

use super::{HELPER_WAIT, Opening, QUIET, STARTUP_MAX, last_words};
use crate::{connection::ChannelEvent, session::link::Source};

/// A helper that has said nothing this long, although the terminal is quiet already, is asked why.
const SILENT: Duration = Duration::from_millis(1500);
/// Between two looks at what came.
const LOOK: Duration = Duration::from_millis(50);
/// Whoever waited for input goes on at once when that ends.
const AT_ONCE: Duration = Duration::from_millis(300);

/// Start-up files that are asked to end do, or are killed.
const ENDING: Duration = Duration::from_secs(1);

/// What was tried so far.
enum Tried {
    /// To run it, as on every host.
    Plain,
    /// Once more: it was only slow.
    Again,
    /// To end its input: whoever reads there goes on, or ends.
    Ended(Instant),
    /// To run it by a line for the shell that reads there.
    Line,
}

impl Opening {
    /// Waits until the helper can be given its script, or there will be none.
    pub(super) async fn wait_for_helper(&mut self) -> Result<(), Fault> {
        let mut tried = Tried::Plain;
        let mut since = Instant::now();
        loop {
            self.wait_until(LOOK, |opening| {
                opening.reading.is_some() || opening.helper.is_none()
            })
            .await?;
            let silent = self.helper.is_some()
                && self.reading.is_none()
                && since.elapsed() > SILENT
                && self.last_shown.is_some_and(|at| at.elapsed() > QUIET);
            tried = match (tried, self.reading, &self.helper) {
                (Tried::Plain | Tried::Again | Tried::Line, Some(_), _)
                | (Tried::Plain | Tried::Again | Tried::Line, None, None) => return Ok(()),
                (Tried::Plain, None, Some(helper)) if silent => {
                    let _ = helper.eof().await;
                    Tried::Ended(Instant::now())
                }
                (Tried::Ended(at), Some(reading), _) => {
                    if reading.saturating_duration_since(at) < AT_ONCE {
                        return Err(self.reads_everywhere());
                    }
                    // Its input is gone.
                    self.again(None).await?;
                    Tried::Again
                }
                (Tried::Ended(_), None, None) => {
                    // A shell read there that has ended with its input.
                    self.again(Some(format!("{}\n", self.command))).await?;
                    since = Instant::now();
                    Tried::Line
                }
                (Tried::Line, None, Some(_)) if silent => {
                    // fish reads all its input before it runs any of it: there is no helper then.
                    if let Some(helper) = self.helper.take() {
                        let _ = helper.signal("TERM").await;
                        let _ = helper.close().await;
                    }
                    self.candidates = Some(Vec::new());
                    return Ok(());
                }
                (tried, ..) => tried,
            };
            if self.began.elapsed() > STARTUP_MAX {
                return Err(self.no_prompt());
            }
        }
    }

    /// Opens the helper's channel anew on the same connection, with this as the first line for what reads there.
    async fn again(&mut self, line: Option<String>) -> Result<(), Fault> {
        self.wait_until(HELPER_WAIT, |opening| opening.helper.is_none())
            .await?;
        self.reading = None;
        self.candidates = None;
        let command = self.command.clone();
        let opened = self.pool.open_on(&self.target, &self.road, &command).await;
        match opened {
            Ok((road, channel)) if road.id() == self.road.id() => {
                let helper = self.wiring.add(Source::Helper, channel);
                if let Some(line) = line {
                    let _ = helper.write(Bytes::from(line)).await;
                }
                self.helper = Some(helper);
            }
            Ok(_) | Err(_) => {
                tracing::info!(target = %self.target.key(), "no second channel for the helper");
            }
        }
        Ok(())
    }

    fn reads_everywhere(&self) -> Fault {
        Fault::new(
            Reason::NotSupported,
            format!(
                "the start-up files of the login shell wait for input, also where there is no terminal; its terminal shows: {}",
                last_words(&self.shown)
            ),
        )
        .hint("make them ask only in interactive shells (`case $- in *i*) …`): scp, rsync and git wait there too")
    }
}

impl Drop for Opening {
    /// A helper that has not come to life leaves start-up files running where no terminal's end would end them. One that
    /// has ends with its input, and takes its directory away.
    fn drop(&mut self) {
        let Some(helper) = self.helper.take().filter(|_| self.reading.is_none()) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let mut wiring = std::mem::take(&mut self.wiring);
        runtime.spawn(async move {
            for signal in ["TERM", "KILL"] {
                if helper.signal(signal).await.is_err() {
                    return;
                }
                let ended = tokio::time::timeout(ENDING, async {
                    while let Some(event) = wiring.events.recv().await {
                        let is_end = matches!(event.event, ChannelEvent::Closed { .. });
                        if is_end && event.source == Source::Helper {
                            return;
                        }
                    }
                });
                if ended.await.is_ok() {
                    return;
                }
            }
        });
    }
}
