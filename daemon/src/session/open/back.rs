//! The way back to a shell that a tmux keeps: a helper that finds its directory again, and a control client of its pane.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::timeout;

use super::{
    super::{
        kept::Kept,
        link::{Link, Parts, Source, Wiring},
    },
    catch::{Catch, Caught},
};
use crate::{
    connection::{ChannelEvent, ChannelWriter, CloseReason, Pool, Road},
    host::Target,
    local::{Place, pane::Ended},
    shell::{
        frame::{self, HelperFrame, HelperHello, KeptStream},
        order::{self, Keeping},
        scan::{Piece, Scanner},
    },
    tmux,
};

/// A helper that has not spoken by then does not.
const HELPER_WAIT: Duration = Duration::from_secs(15);

/// What was in a pane that is gone says how it ended at once, or never will.
const LAST_LOOKS: u32 = 10;
const LAST_LOOK: Duration = Duration::from_millis(50);

/// The link to a kept shell, made anew.
pub struct Back {
    /// The way to it.
    pub link: Link,
    /// The pane is gone: the shell has ended, with this code if that is known. What it wrote is still there.
    pub ended: Option<Option<i32>>,
    /// Its streams there.
    pub streams: Vec<KeptStream>,
    /// What its terminal showed meanwhile, where that was asked and can be told exactly.
    pub caught: Option<Caught>,
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

/// Comes back; with what a terminal there showed since it was at this place.
pub async fn come_back(
    pool: &Arc<Pool>,
    target: &Target,
    kept: Kept,
    from: Option<u64>,
) -> Result<Back, NotBack> {
    match kept.local.clone() {
        Some(place) => come_back_here(pool, target, place, kept).await,
        None => come_back_there(pool, target, kept, from).await,
    }
}

/// To a pane of this machine. Where its client has ended, there is nothing to come back to, and nothing is left here.
async fn come_back_here(
    pool: &Arc<Pool>,
    target: &Target,
    place: Place,
    kept: Kept,
) -> Result<Back, NotBack> {
    let directory = kept.dir.clone();
    let back = try_here(pool, target, &place, kept).await;
    if matches!(back, Err(NotBack::Gone(_))) {
        if place.is_up().await {
            clear_there(pool, target, place.clone(), directory).await;
        }
        place.end().await;
    }
    back
}

/// Of what is kept on the host nothing stays, as long as the client's connection lives.
async fn clear_there(pool: &Arc<Pool>, target: &Target, place: Place, directory: String) {
    let (command, script) = order::clear_away(&[directory]);
    let Ok(mut channel) = pool.by_openssh(target, place).open_exec(&command) else {
        return;
    };
    let _ = timeout(HELPER_WAIT, async {
        channel.writer().write(Bytes::from(script)).await?;
        while channel
            .next()
            .await
            .is_some_and(|event| !matches!(event, ChannelEvent::Closed { .. }))
        {}
        Ok::<(), Fault>(())
    })
    .await;
}

async fn try_here(pool: &Arc<Pool>, target: &Target, place: &Place, kept: Kept) -> Result<Back, NotBack> {
    let pane = place.pane().await;
    let is_up = place.is_up().await;
    if pane.is_none() || !is_up {
        // What was in the pane may be about to say how it ended.
        for _ in 0..LAST_LOOKS {
            if place.ended().is_some() {
                break;
            }
            tokio::time::sleep(LAST_LOOK).await;
        }
    }
    let ended = match (place.ended(), &pane) {
        (Some(Ended { code: None, words }), _) => return Err(NotBack::Gone(words)),
        (Some(Ended { code, .. }), _) => Some(code),
        (None, Some(_)) => None,
        (None, None) => {
            return Err(NotBack::Gone(
                "the tmux that held it on this machine was ended".into(),
            ));
        }
    };
    if !is_up {
        return Err(NotBack::Gone("its ssh has ended".into()));
    }
    let keeping = Keeping::BesideAgain {
        dir: kept.dir.clone(),
    };
    let (command, script) = order::helper_command(&kept.nonce, &keeping);
    let master = pool.by_openssh(target, place.clone());
    let mut wiring = Wiring::new();
    let helper = wiring.add(Source::Helper, master.open_exec(&command)?);
    let (hello, streams) = reach(&mut wiring, &kept, &helper, script).await?;
    pool.lend(target, &master);
    let terminal = match pane.filter(|_| ended.is_none()) {
        Some(pane) => {
            place.drop_readers().await;
            let terminal = wiring.add(Source::Terminal, master.attach()?.of_pane(&pane.id));
            terminal.capture().await?;
            Some(terminal)
        }
        None => None,
    };
    let link = finish(wiring, Road::OpenSsh(master), kept, hello, helper, terminal).await?;
    Ok(Back {
        link,
        ended,
        streams,
        caught: None,
    })
}

/// To a pane of the host's.
async fn come_back_there(
    pool: &Arc<Pool>,
    target: &Target,
    kept: Kept,
    from: Option<u64>,
) -> Result<Back, NotBack> {
    let keeping = Keeping::Return {
        name: kept.name.clone(),
        dir: kept.dir.clone(),
    };
    let (command, script) = order::helper_command(&kept.nonce, &keeping);
    let (connection, channel) = pool.open_beside(target, &command).await?;
    let mut wiring = Wiring::new();
    let helper = wiring.add(Source::Helper, channel);
    let (hello, streams) = reach(&mut wiring, &kept, &helper, script).await?;
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
    let caught = match from {
        Some(from) => {
            let ours = order::introduce(kept.shell.pid, &kept.shell.tty);
            helper.write(Bytes::from(ours)).await?;
            let catch = Catch {
                pool,
                target,
                connection: &connection,
                wiring: &mut wiring,
                helper: &helper,
                nonce: &kept.nonce,
                dir: &kept.dir,
                from,
                is_over: terminal.is_none(),
            };
            catch.up().await
        }
        None => None,
    };
    if let (Some(_), None, Some(terminal)) = (from, &caught, &terminal) {
        // What came was not taken.
        terminal.capture().await?;
    }
    let link = finish(wiring, Road::Pooled(connection), kept, hello, helper, terminal).await?;
    Ok(Back {
        link,
        ended,
        streams,
        caught,
    })
}

/// The helper, and what of the session it finds on the host.
async fn reach(
    wiring: &mut Wiring,
    kept: &Kept,
    helper: &ChannelWriter,
    script: Vec<u8>,
) -> Result<(HelperHello, Vec<KeptStream>), NotBack> {
    let (hello, streams) = timeout(HELPER_WAIT, greet(wiring, &kept.nonce, helper, script))
        .await
        .unwrap_or_else(|_| Err(no_helper("it does not answer")))?;
    if hello.dir.is_empty() {
        return Err(NotBack::Gone(if hello.boot_id == kept.boot_id {
            "what was kept of it on the host is gone".into()
        } else {
            "the host was started anew meanwhile".into()
        }));
    }
    Ok((hello, streams))
}

async fn finish(
    wiring: Wiring,
    road: Road,
    kept: Kept,
    hello: HelperHello,
    helper: ChannelWriter,
    terminal: Option<ChannelWriter>,
) -> Result<Link, NotBack> {
    helper
        .write(Bytes::from(order::introduce(kept.shell.pid, &kept.shell.tty)))
        .await?;
    // Without a pane nothing is typed any more.
    let terminal = terminal.unwrap_or_else(|| helper.clone());
    Ok(wiring.finish(Parts {
        road,
        terminal,
        helper: Some(helper),
        shell: kept.shell.clone(),
        hello,
        nonce: kept.nonce.clone(),
        typed: None,
        kept: Some(kept),
    }))
}

async fn greet(
    wiring: &mut Wiring,
    nonce: &str,
    helper: &ChannelWriter,
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
