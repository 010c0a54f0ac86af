//! The way back to a shell that a tmux keeps: a helper that finds its directory again, and a control client of its pane.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::timeout;

use super::super::{
    kept::Kept,
    link::{Link, Parts, Source, Wiring},
};
use crate::{
    connection::{ChannelEvent, CloseReason, Pool},
    host::Target,
    shell::{
        frame::{self, HelperFrame, HelperHello, KeptStream},
        order::{self, Keeping},
        scan::{Piece, Scanner},
    },
    tmux,
};

/// A helper that has not spoken by then does not.
const HELPER_WAIT: Duration = Duration::from_secs(15);

/// The link to a kept shell, made anew.
pub struct Back {
    /// The way to it.
    pub link: Link,
    /// The pane is gone: the shell has ended, with this code if that is known. What it wrote is still there.
    pub ended: Option<Option<i32>>,
    /// Its streams there.
    pub streams: Vec<KeptStream>,
}

/// Why there is none.
#[derive(Debug)]
pub enum NotBack {
    /// Not now.
    Failed(Fault),
    /// What was kept is not there any more, in words.
    Gone(String),
}

impl From<Fault> for NotBack {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// Comes back.
pub async fn come_back(pool: &Arc<Pool>, target: &Target, kept: Kept) -> Result<Back, NotBack> {
    let keeping = Keeping::Return {
        name: kept.name.clone(),
        dir: kept.dir.clone(),
    };
    let (command, script) = order::helper_command(&kept.nonce, &keeping);
    let (connection, channel) = pool.open_beside(target, &command).await?;
    let mut wiring = Wiring::new();
    let helper = wiring.add(Source::Helper, channel);
    let (hello, streams) = timeout(HELPER_WAIT, greet(&mut wiring, &kept.nonce, &helper, script))
        .await
        .unwrap_or_else(|_| Err(no_helper("it does not answer")))?;
    if hello.dir.is_empty() {
        return Err(NotBack::Gone(if hello.boot_id == kept.boot_id {
            "what was kept of it on the host is gone".into()
        } else {
            "the host was started anew meanwhile".into()
        }));
    }
    let found = &hello.tmux;
    let (terminal, ended) = if found.pane.is_empty() {
        (None, Some(found.exit))
    } else {
        let attach = tmux::command::attach(&found.path, &kept.name);
        let (_, client) = pool.open_exec(target, &connection, &attach).await?;
        let terminal = wiring.add(Source::Terminal, client.of_pane(&found.pane));
        terminal.capture().await?;
        (Some(terminal), None)
    };
    helper
        .write(Bytes::from(order::introduce(kept.shell.pid, &kept.shell.tty)))
        .await?;
    // Without a pane nothing is typed any more.
    let terminal = terminal.unwrap_or_else(|| helper.clone());
    let link = wiring.finish(Parts {
        connection,
        terminal,
        helper: Some(helper),
        shell: kept.shell.clone(),
        hello,
        nonce: kept.nonce.clone(),
        typed: None,
        kept: Some(kept),
    });
    Ok(Back { link, ended, streams })
}

async fn greet(
    wiring: &mut Wiring,
    nonce: &str,
    helper: &crate::connection::ChannelWriter,
    script: Vec<u8>,
) -> Result<(HelperHello, Vec<KeptStream>), NotBack> {
    let mut frames = Scanner::new(&frame::helper_introducer(nonce), frame::TERMINATOR);
    let mut script = Some(script);
    let mut hello = HelperHello::default();
    while let Some(event) = wiring.events.recv().await {
        match event.event {
            ChannelEvent::Stdout(bytes) => {
                for piece in frames.feed(&bytes) {
                    let Piece::Frame(body) = piece else { continue };
                    match frame::parse_helper(&body) {
                        Some(HelperFrame::Reading) => {
                            if let Some(script) = script.take() {
                                helper.write(Bytes::from(script)).await?;
                            }
                        }
                        // Without a directory it says no more.
                        Some(HelperFrame::Hello(found)) if found.dir.is_empty() => {
                            return Ok((found, Vec::new()));
                        }
                        Some(HelperFrame::Hello(found)) => hello = found,
                        Some(HelperFrame::Kept(streams)) => return Ok((hello, streams)),
                        Some(_) | None => {}
                    }
                }
            }
            ChannelEvent::Closed {
                reason: CloseReason::ConnectionLost(cause),
            } => {
                return Err(NotBack::Failed(
                    Fault::new(
                        Reason::ConnectionLost,
                        format!("the connection was lost again: {cause}"),
                    )
                    .retryable(),
                ));
            }
            ChannelEvent::Closed { .. } => return Err(no_helper("it ended at once")),
            _ => {}
        }
    }
    Err(no_helper("it ended at once"))
}

fn no_helper(why: &str) -> NotBack {
    NotBack::Failed(
        Fault::new(
            Reason::ConnectionLost,
            format!("the session's helper could not be started on the host: {why}"),
        )
        .hint("`sshctl doctor HOST` looks at what the host lets us run")
        .retryable(),
    )
}
