//! The start of a durable command: a command of ours in its session's shell, in its turn, whose words say where it is.
//! From then on it is followed there, and the session is free.

use std::sync::Arc;

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::oneshot;

use crate::{
    command::{Command, Commands, Status},
    durable::{Durables, Host, Place},
    output::StreamKind,
    registry::Registry,
    session::{Caller, Durable, Given, Session},
    shell::{durable::parse_started, order::Capture},
};

/// What the starting script says is a line; what others say before it is passed over.
const SAID_MAX: usize = 64 << 10; // 64 KiB

/// A command on its way.
struct Start {
    durables: Arc<Durables>,
    commands: Arc<Commands>,
    session: Arc<Session>,
    command: Arc<Command>,
    /// What starts it.
    by: Arc<Command>,
    place: Place,
}

/// Hands over what starts a command; what comes back fires if that could not be run.
pub(super) async fn start(
    registry: &Registry,
    session: &Arc<Session>,
    command: &Arc<Command>,
    client: Caller,
    queue_max: usize,
) -> Result<oneshot::Receiver<Fault>, Fault> {
    let own = session.target().orphan_after;
    let keep_for = own.unwrap_or(registry.config.current().settings.orphan_after);
    let launch = Durables::launch(&command.text, keep_for);
    let host = Host::new(&session.host, session.overrides(), &session.target().key());
    let place = Place::new(&launch.nonce, host);
    // Before anything can run: whoever finds the command again knows where to look for it.
    place.save(command);
    let by = registry
        .commands
        .create(&session.name, String::new(), Capture::Apart, true);
    registry.durables.begin(command.id, by.id);
    let durable = Durable {
        launch,
        command: command.clone(),
    };
    let handed = session
        .run(by.clone(), Given::default(), client, queue_max, Some(durable))
        .await;
    let start = Start {
        durables: registry.durables.clone(),
        commands: registry.commands.clone(),
        session: session.clone(),
        command: command.clone(),
        by,
        place,
    };
    match handed {
        Ok(failure) => {
            let (failed, receiver) = oneshot::channel();
            tokio::spawn(start.watch(failure, failed));
            Ok(receiver)
        }
        Err(fault) => {
            registry.durables.refused(command.id);
            registry.commands.forget(start.by.id);
            Err(fault)
        }
    }
}

impl Start {
    /// Until it is started, or was not.
    async fn watch(mut self, mut failure: oneshot::Receiver<Fault>, failed: oneshot::Sender<Fault>) {
        let mut changes = self.by.changes();
        let mut fails = true;
        while !self.by.state().status.is_final() {
            tokio::select! {
                biased;
                fault = &mut failure, if fails => match fault {
                    Ok(fault) => {
                        self.not_run();
                        self.refuse(failed, fault);
                        return;
                    }
                    // Taken back: whoever did that tells it.
                    Err(_) if self.by.state().status == Status::Queued => {
                        self.not_run();
                        return;
                    }
                    Err(_) => fails = false,
                },
                changed = changes.changed() => if changed.is_err() { break },
            }
        }
        self.commands.forget(self.by.id);
        match parse_started(&self.place.nonce, &said(&self.by)) {
            Some(Ok(started)) => {
                self.place.started(&started);
                self.place.save(&self.command);
                self.command.change(|state| state.cwd.clone_from(&started.cwd));
            }
            Some(Err(why)) => {
                self.not_run();
                self.refuse(failed, not_started(&why));
                return;
            }
            // It may have been started all the same: its host knows.
            None => {
                tracing::info!(command = %self.command.id, "whether a durable command was started was not heard");
            }
        }
        self.durables
            .follow(self.command, self.session.target(), self.place);
    }

    fn not_run(&self) {
        Place::forget(&self.command);
        self.durables.refused(self.command.id);
        self.commands.forget(self.by.id);
    }

    /// It was not run. Whoever still waits is told so; for everybody else it stands in the command.
    fn refuse(&self, failed: oneshot::Sender<Fault>, fault: Fault) {
        if let Err(fault) = failed.send(fault) {
            self.command.notice(format!("nothing was run: {}", fault.message));
            self.command.end(Status::Lost, None, None);
        }
    }
}

/// What a command wrote to its standard output, as far as it matters here.
fn said(command: &Command) -> String {
    let state = command.state();
    let reach = u64::try_from(SAID_MAX).unwrap_or(u64::MAX);
    let from = state.output.total().saturating_sub(reach);
    let mut said = Vec::new();
    for piece in state.output.read(from, SAID_MAX) {
        if piece.stream == StreamKind::Stdout {
            said.extend_from_slice(&piece.data);
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn not_started(why: &str) -> Fault {
    let what = match why {
        "directory" => {
            "`durable` needs a directory on the host that can be written and holds FIFOs (/var/tmp, /tmp or the home)"
        }
        "setsid" => "`durable` needs setsid or perl on the host",
        "shell" => "the session's shell was not found on the host",
        _ => "the command could not be started apart from the session",
    };
    Fault::new(Reason::NotSupported, format!("{what}; nothing was run")).hint("run it without `durable`")
}
