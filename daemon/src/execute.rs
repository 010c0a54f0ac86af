//! One execution from the caller's side: hands the command to its session, waits as long as the caller may, and says
//! what is known then. The end of a wait never ends a command.

mod start;

use std::{sync::Arc, time::Duration};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::{
    command::{Command, Status},
    config::Settings,
    id::shorten,
    registry::{Found, Registry, Wanted},
    secret::Secret,
    session::{Caller, Enable, Given, Session, SessionState},
    shell::order::Capture,
};

/// A session that is free takes a command within this time; half-typed lines are told after it.
const TURN_GRACE: Duration = Duration::from_secs(1);
/// How often a queued command whose time is over looks whether it has started.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What to run, and how.
pub struct Execution {
    /// Where.
    pub wanted: Wanted,
    /// The text.
    pub text: String,
    /// How its output is got.
    pub capture: Capture,
    /// Its standard input; the terminal if none.
    pub stdin: Option<Vec<u8>>,
    /// The password with which it runs below sudo.
    pub sudo_password: Option<Secret>,
    /// The privileged mode of a network device.
    pub enable: Option<Enable>,
    /// It survives the connection, the session and the daemon.
    pub durable: bool,
    /// Who runs it.
    pub client: Caller,
}

/// A command that was handed to its session.
pub struct Handed {
    /// The command.
    pub command: Arc<Command>,
    /// Its session.
    pub session: Arc<Session>,
    failure: Option<oneshot::Receiver<Fault>>,
}

/// Checks a text that is to be run.
fn check(text: &str, stdin: Option<&[u8]>, settings: &Settings) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(
            Fault::new(Reason::InvalidArgument, "the command is empty").hint("give the command's text")
        );
    }
    if text.contains('\0') {
        return Err(Fault::new(
            Reason::InvalidArgument,
            "the command has a NUL character, which no shell can take",
        )
        .hint("write it as an escape of printf, or send the data as `stdin`"));
    }
    let parts = [
        (
            "`command`",
            text.len(),
            settings.max_command_kib,
            "max_command_kib",
        ),
        (
            "`stdin`",
            stdin.map_or(0, <[u8]>::len),
            settings.max_stdin_kib,
            "max_stdin_kib",
        ),
    ];
    for (what, size, kib, setting) in parts {
        if size > kib << 10 {
            return Err(Fault::new(
                Reason::TooLarge,
                format!(
                    "{what} has {size} bytes, more than the {kib} KiB that {setting} allows; nothing was run"
                ),
            )
            .hint(format!(
                "put the data into a file on the host, or raise {setting} in [settings] of config.toml"
            )));
        }
    }
    Ok(())
}

/// Hands a command over. It exists from then on.
pub async fn hand_over(registry: &Registry, execution: Execution) -> Result<Handed, Fault> {
    let config = registry.config.current();
    check(&execution.text, execution.stdin.as_deref(), &config.settings)?;
    let Found { session, notice } = registry.find(&execution.wanted).await?;
    session.allow(&execution.client)?;
    refuse_if_held(registry, &session).await?;
    let Execution {
        text,
        capture,
        stdin,
        sudo_password,
        enable,
        durable,
        client,
        ..
    } = execution;
    let command = registry.commands.create(&session.name, text, capture, false);
    if session.is_kept() || durable {
        command.keep();
    }
    if let Some(notice) = notice {
        command.notice(notice);
    }
    let queue_max = config.settings.max_queued_commands;
    let given = Given {
        stdin,
        sudo_password,
        enable,
    };
    let handed = if durable {
        start::start(registry, &session, &command, client, queue_max).await
    } else {
        session.run(command.clone(), given, client, queue_max, None).await
    };
    match handed {
        Ok(failure) => Ok(Handed {
            command,
            session,
            failure: Some(failure),
        }),
        Err(fault) => {
            registry.commands.forget(command.id);
            Err(fault)
        }
    }
}

/// A program that reads the terminal has to be answered; no command can run beside it.
async fn refuse_if_held(registry: &Registry, session: &Session) -> Result<(), Fault> {
    let holder = || {
        let id = session.summary().running?;
        registry.commands.find(&id.to_string()).ok()
    };
    let Some(command) = holder() else { return Ok(()) };
    let unwatched = {
        let state = command.state();
        matches!(state.status, Status::Awaiting(_)) || state.status == Status::Running && state.told_running
    };
    if !unwatched {
        return Ok(());
    }
    // Nobody may have looked since.
    session.look_now().await;
    let asks = matches!(command.state().status, Status::Awaiting(_));
    if asks && holder().is_some_and(|now| now.id == command.id) {
        return Err(busy(session, Some(&command)));
    }
    Ok(())
}

/// The fault of a session in which nothing can be run now.
fn busy(session: &Session, holder: Option<&Command>) -> Fault {
    let Some(holder) = holder else {
        return Fault::new(
            Reason::SessionBusy,
            format!("session {} is not at its prompt; nothing was run", session.name),
        )
        .hint("look at it with get_terminal_output, or use another session")
        .retryable();
    };
    let what = format!("{} ({})", holder.id, shorten(&holder.text.replace('\n', " "), 60));
    if matches!(holder.state().status, Status::Awaiting(_)) {
        return Fault::new(
            Reason::SessionBusy,
            format!("in session {} the program of {what} reads the terminal; nothing was run", session.name),
        )
        .hint("answer it with send_input and look with get_terminal_output, interrupt it, or use another session");
    }
    Fault::new(
        Reason::SessionBusy,
        format!(
            "session {} is still running {what}; nothing was run",
            session.name
        ),
    )
    .hint("wait_for that command, interrupt it, or use another session")
    .retryable()
}

impl Handed {
    /// Waits until the command ended, asks for input, or time is over; `on_change` is called at each change.
    pub async fn wait(&mut self, registry: &Registry, limit: Option<Duration>) -> Result<(), Fault> {
        let began = Instant::now();
        let mut deadline = limit.map(|limit| began + limit);
        let command = self.command.clone();
        let _waiting = command.wait_guard();
        self.session.watch();
        let mut changes = command.changes();
        loop {
            // A command that was not run may have ended all the same: that it was not run is the answer.
            match self.failure.as_mut().map(oneshot::Receiver::try_recv) {
                Some(Ok(fault)) => {
                    self.failure = None;
                    registry.commands.forget(command.id);
                    registry.discard(&self.session).await;
                    return Err(fault);
                }
                Some(Err(oneshot::error::TryRecvError::Closed)) => self.failure = None,
                Some(Err(oneshot::error::TryRecvError::Empty)) | None => {}
            }
            if self.is_settled() {
                return Ok(());
            }
            tokio::select! {
                biased;
                changed = changes.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                fault = failed(&mut self.failure) => {
                    self.failure = None;
                    if let Some(fault) = fault {
                        registry.commands.forget(command.id);
                        registry.discard(&self.session).await;
                        return Err(fault);
                    }
                }
                () = until(deadline) => {
                    match self.longer(began, limit) {
                        Some(later) => deadline = Some(later),
                        None => return self.give_up(registry, limit).await,
                    }
                }
            }
        }
    }

    /// The caller need not wait any longer.
    pub fn is_settled(&self) -> bool {
        let state = self.command.state();
        state.status.is_final() || matches!(state.status, Status::Awaiting(_))
    }

    /// A command that only the drawing of a prompt holds back is about to start; so is one whose host answers, for a caller
    /// that wants no wait at all.
    fn longer(&self, began: Instant, asked: Option<Duration>) -> Option<Instant> {
        if self.command.state().status != Status::Queued {
            return None;
        }
        let summary = self.session.summary();
        let limit = match summary.state {
            SessionState::Opening | SessionState::Disconnected | SessionState::Reconnecting
                if asked == Some(Duration::ZERO) =>
            {
                TURN_GRACE
            }
            SessionState::Opening | SessionState::Disconnected | SessionState::Reconnecting => return None,
            SessionState::Ready => TURN_GRACE,
            SessionState::Busy if summary.running.is_none() => TURN_GRACE,
            SessionState::Busy | SessionState::Awaiting => return None,
        };
        let end = began + limit;
        let now = Instant::now();
        (now < end).then(|| end.min(now + LOOK_AGAIN))
    }

    /// Time is over: a command that has not begun is taken back, one that runs goes on. A caller that wants no wait at all
    /// leaves it to a session that is being opened: where that fails, the command ends as one that was not run.
    async fn give_up(&mut self, registry: &Registry, asked: Option<Duration>) -> Result<(), Fault> {
        let is_left = asked == Some(Duration::ZERO) && self.session.summary().state.is_on_its_way();
        let queued = self.command.state().status == Status::Queued && !is_left;
        let id = registry.durables.in_session(self.command.id);
        if queued && self.session.withdraw(id).await {
            registry.commands.forget(self.command.id);
            return Err(self.why_not_run(registry));
        }
        self.command.change(|state| state.told_running = true);
        Ok(())
    }

    fn why_not_run(&self, registry: &Registry) -> Fault {
        let summary = self.session.summary();
        match summary.state {
            SessionState::Opening | SessionState::Disconnected | SessionState::Reconnecting => Fault::new(
                Reason::SessionBusy,
                format!(
                    "session {} is still being opened; nothing was run",
                    self.session.name
                ),
            )
            .hint("try again; it goes on opening meanwhile")
            .retryable(),
            SessionState::Ready => Fault::new(
                Reason::HumanHasControl,
                format!(
                    "a half-typed line stands on the prompt of session {}; nothing was run",
                    self.session.name
                ),
            )
            .hint("finish it or clear it (send_input with keys [\"ctrl-c\"]), or use another session"),
            SessionState::Busy | SessionState::Awaiting => {
                let holder = summary
                    .running
                    .and_then(|id| registry.commands.find(&id.to_string()).ok());
                busy(&self.session, holder.as_deref())
            }
        }
    }
}

async fn failed(failure: &mut Option<oneshot::Receiver<Fault>>) -> Option<Fault> {
    match failure {
        Some(receiver) => receiver.await.ok(),
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
