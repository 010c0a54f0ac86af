//! Opens a session's shell in a tmux on the host: the helper begins it there, and its pane is the terminal.

use std::sync::Arc;

use bytes::Bytes;
use sshmcp_proto::{error::Fault, v1::Reason};

use super::{HELPER_WAIT, Opened, Opening, dialog::Asking, new_nonce};
use crate::{
    connection::{Pool, Road},
    host::Target,
    session::{
        Claims,
        link::{Source, Wiring},
    },
    shell::{
        frame::HelperHello,
        order::{self, Keeping},
    },
    state::SavedSession,
    tmux,
};

/// A session that a tmux of the host is to keep.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Its name for tmux: letters, digits, `_` and `-`.
    pub name: String,
    /// It ends when nobody came back to it for so many seconds.
    pub orphan_after: u64,
}

/// Why there is no shell.
pub enum NotOpened {
    /// As it says.
    Failed(Fault),
    /// The host cannot keep it; why, in words. Nothing was left there, and the dialog comes back, if it was not used.
    NoTmux(String, Option<Asking>),
    /// It is a network device, and has no shell.
    Device,
    /// A person has changed the password that had expired: it can be opened on another connection, and the dialog is for that.
    Changed(Option<Asking>),
    /// The host has the shell of this session, which nobody remembered; no other was left there.
    Left(Box<SavedSession>),
}

impl From<Fault> for NotOpened {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl NotOpened {
    /// For whoever wanted no more than a shell.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Failed(fault) => fault,
            Self::NoTmux(words, _) => Fault::new(Reason::NotSupported, words),
            Self::Device => Fault::new(Reason::NotSupported, "it is a network device, and has no shell")
                .hint("open a session there (open_session, or any command)"),
            Self::Changed(_) => Fault::new(
                Reason::AuthInputRequired,
                "the password had expired and was changed; nothing was opened yet",
            )
            .hint("a person runs `sshctl login` again, with the new one"),
            Self::Left(_) => Fault::new(Reason::Internal, "another shell was found"),
        }
    }
}

/// The same in a session of a tmux on the host, which outlives the connection.
pub async fn open_kept(
    pool: &Arc<Pool>,
    claims: &Claims,
    target: &Target,
    (cols, rows): (u16, u16),
    dialog: Option<Asking>,
    keep: &Keep,
    session: &str,
) -> Result<Opened, NotOpened> {
    let nonce = new_nonce();
    let keeping = Keeping::Begin {
        name: keep.name.clone(),
        cols,
        rows,
        orphan_after: keep.orphan_after,
    };
    let (command, script) = order::helper_command(&nonce, &keeping);
    let (connection, helper) = pool.open_beside(target, &command).await?;
    let mut wiring = Wiring::new();
    let helper = wiring.add(Source::Helper, helper);
    let mut opening = Opening::new(pool, target, dialog, nonce, wiring, Road::Pooled(connection));
    opening.helper = Some(helper);
    opening.command = command;
    opening.kept = Some(keep.name.clone());
    opening.prepare(script).await?;
    if let Err(why) = opening.enter_pane(&keep.name).await {
        opening.give_back().await;
        return Err(match why {
            NotOpened::NoTmux(words, _) => NotOpened::NoTmux(words, opening.dialog.take()),
            why => why,
        });
    }
    // Whatever stops us here leaves nothing there, unless the connection is gone: then its time ends it.
    let ending = opening.helper.clone();
    let opened = opening.run(claims, session).await;
    let is_exact = opened.as_ref().is_ok_and(|opened| opened.link.typed.is_none());
    if !is_exact && let Some(helper) = ending {
        let _ = helper.write(Bytes::from(order::end_keeping())).await;
    }
    let opened = opened?;
    if !is_exact {
        let kind = &opened.link.shell.kind;
        let words =
            format!("its login shell is {kind}, which cannot be asked afterwards what became of a command");
        return Err(NotOpened::NoTmux(words, None));
    }
    Ok(opened)
}

impl Opening {
    /// The pane is the terminal from here on.
    async fn enter_pane(&mut self, name: &str) -> Result<(), NotOpened> {
        let Some(hello) = self.hello.clone() else {
            // csh takes the mark of its line for a word of its history.
            let words = "its login shell does not run the helper that begins one".to_owned();
            return Err(NotOpened::NoTmux(words, None));
        };
        let found = &hello.tmux;
        if found.pane.is_empty() || hello.dir.is_empty() {
            return Err(no_tmux(&hello));
        }
        let attach = tmux::command::attach(&found.path, name);
        let (_, client) = self.pool.open_on(&self.target, &self.road, &attach).await?;
        let terminal = self.wiring.add(Source::Terminal, client.of_pane(&found.pane));
        terminal.capture().await?;
        self.terminal = Some(terminal);
        self.tty.clone_from(&found.tty);
        self.below = Some(found.pid);
        for letter in ['o', 'e'] {
            self.order(order::follow(letter, 0, 1, 0)).await?;
        }
        self.look_for_shell().await?;
        Ok(())
    }

    /// Nothing of a session that did not come to be is left.
    async fn give_back(&mut self) {
        // The helper had begun, or left nothing and only waits for the end of its input.
        let _ = self.order(order::end_keeping()).await;
        if let Some(helper) = &self.helper {
            let _ = helper.eof().await;
        }
        let _ = self
            .wait_until(HELPER_WAIT, |opening| opening.helper.is_none())
            .await;
    }
}

/// What is missing on the host.
fn no_tmux(hello: &HelperHello) -> NotOpened {
    let tmux::command::Version { major, minor } = tmux::command::OLDEST;
    let found = &hello.tmux;
    if found.path.is_empty() {
        return NotOpened::NoTmux("the host has no tmux".into(), None);
    }
    let version = crate::connection::plain(&found.version);
    let is_old = tmux::command::version(&found.version).is_none_or(|version| version < tmux::command::OLDEST);
    if is_old {
        let words = format!("the host has {version}, and tmux {major}.{minor} or later is needed");
        return NotOpened::NoTmux(words, None);
    }
    NotOpened::NoTmux(format!("{version} on the host did not begin a session"), None)
}
