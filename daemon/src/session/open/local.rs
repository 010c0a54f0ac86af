//! Opens a session's shell by OpenSSH's own client, in the pane of a local tmux: the pane is the terminal, and the helper
//! goes over the client's connection.

use std::{
    ffi::OsString,
    sync::{Arc, Mutex, PoisonError},
};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{Keep, NotOpened, Opened, Opening, dialog::Asking, new_nonce};
use crate::{
    connection::{Pool, Road, find_agent},
    host::{AgentSource, Target, client_words},
    local::{Place, Tools, files},
    session::{
        Claims,
        link::{Source, Wiring},
    },
    shell::order::{self, Keeping},
    state::Store,
};

/// Where it is opened on this machine.
#[derive(Clone)]
pub struct Here {
    store: Store,
    /// What is to be ended unless a session comes of it.
    begun: Arc<Mutex<Option<Place>>>,
}

impl Here {
    /// Below what this store's sessions are found by.
    pub fn of(store: Store) -> Self {
        Self {
            store,
            begun: Arc::default(),
        }
    }

    /// What was begun, for who ends it.
    pub fn take(&self) -> Option<Place> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn make(&self, name: &str, tools: Tools) -> Result<(Guarded, Place), Fault> {
        let anchor = self.store.anchor();
        let place = Place::make(&anchor, name, tools)
            .map_err(|error| not_begun(&format!("{}: {error}", anchor.display())))?;
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(place.clone());
        let guarded = Guarded {
            here: self.clone(),
            is_open: false,
        };
        Ok((guarded, place))
    }
}

/// A place that is ended unless its shell is open; then it is there for whoever takes that.
struct Guarded {
    here: Here,
    is_open: bool,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.is_open {
            return;
        }
        if let (Some(place), Ok(runtime)) = (self.here.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { place.end().await });
        }
    }
}

/// Opens it.
pub async fn open_local(
    pool: &Arc<Pool>,
    claims: &Claims,
    target: &Target,
    size: (u16, u16),
    dialog: Option<Asking>,
    keep: &Keep,
    here: &Here,
) -> Result<Opened, Fault> {
    let tools = Tools::find().await?;
    let nonce = new_nonce();
    let (mut guarded, place) = here.make(&keep.name, tools)?;
    place
        .put(files::NONCE, nonce.as_bytes())
        .map_err(|error| not_begun(&format!("{}: {error}", place.directory.display())))?;
    let words = words(target, &place, keep.orphan_after)
        .await
        .map_err(|error| not_begun(&format!("{}: {error}", place.directory.display())))?;
    let agent = match target.identity_agent {
        AgentSource::Default => find_agent(),
        // ssh_config says it to the client itself.
        AgentSource::Path(_) | AgentSource::None => None,
    };
    let pane = place
        .begin(size, &words, &target.openssh.name, agent.as_deref())
        .await
        .map_err(|words| not_begun(&words))?;
    let master = pool.by_openssh(target, place.clone());
    let mut wiring = Wiring::new();
    let terminal = wiring.add(Source::Terminal, master.attach()?.of_pane(&pane.id));
    let mut opening = Opening::new(pool, target, dialog, nonce, wiring, Road::OpenSsh(master.clone()));
    opening.terminal = Some(terminal.clone());
    opening.kept = Some(keep.name.clone());
    terminal.capture().await?;
    opening.log_in(&place, pane.pid).await?;
    pool.lend(target, &master);
    let keeping = Keeping::Beside {
        orphan_after: keep.orphan_after,
    };
    let (command, script) = order::helper_command(&opening.nonce, &keeping);
    opening.helper = Some(opening.wiring.add(Source::Helper, master.open_exec(&command)?));
    opening.command = command;
    opening.prepare(script).await.map_err(NotOpened::into_fault)?;
    let has_directory = opening.hello.as_ref().is_some_and(|hello| !hello.dir.is_empty());
    if !has_directory {
        return Err(not_kept(
            "the host does not run the helper, or has no directory that the account may write to",
        ));
    }
    for letter in ['o', 'e'] {
        opening.order(order::follow(letter, 0, 1, 0)).await?;
    }
    opening.look_for_shell().await?;
    // Whatever stops us here leaves nothing there.
    let ending = opening.helper.clone();
    let opened = opening.run(claims, "").await.map_err(NotOpened::into_fault);
    let is_exact = opened.as_ref().is_ok_and(|opened| opened.link.typed.is_none());
    if !is_exact && let Some(helper) = ending {
        let _ = helper.write(order::end_keeping().into()).await;
    }
    let opened = opened?;
    if !is_exact {
        let kind = &opened.link.shell.kind;
        return Err(not_kept(&format!(
            "its login shell is {kind}, which cannot be asked afterwards what became of a command"
        )));
    }
    guarded.is_open = true;
    Ok(opened)
}

/// What the client is told before the host's name.
async fn words(target: &Target, place: &Place, orphan_after: u64) -> std::io::Result<Vec<OsString>> {
    let mut words: Vec<OsString> = Vec::new();
    let mut option = |text: String| words.extend(["-o".into(), OsString::from(text)]);
    // Its connection outlives the shell, whose last words somebody may come back for; not for ever.
    option(format!("ControlPersist={orphan_after}"));
    let seconds = target.connect_timeout.as_secs().max(1);
    option(format!("ConnectTimeout={seconds}"));
    if target.keepalive.is_none() {
        // A dead peer is seen after 40 s, and an outage of 10 s forgiven.
        option("ServerAliveInterval=10".into());
        option("ServerAliveCountMax=3".into());
    }
    words.extend(client_words(target, &place.ssh, &place.directory).await?);
    Ok(words)
}

fn not_begun(why: &str) -> Fault {
    Fault::new(
        Reason::NotSupported,
        format!(
            "the local tmux could not be begun: {}; nothing was opened",
            crate::connection::plain(why)
        ),
    )
    .hint("look at `tmux -V` and at the state directory, or open the session with the keeper `daemon`")
}

fn not_kept(why: &str) -> Fault {
    Fault::new(
        Reason::NotSupported,
        format!("the host cannot be worked with by local-tmux: {why}; nothing was opened"),
    )
    .hint("open the session with the keeper `daemon`")
}
