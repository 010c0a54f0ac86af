//! `Interrupt`: signals what runs, waits a bounded time for its end, and says what was reached and what became of it.

mod durable;
mod words;

use std::{sync::Arc, time::Duration};

use sshmcp_proto::{
    error::Fault,
    v1::{InterruptRequest, InterruptResponse, Reason, Signal, interrupt_request::Which},
};
use tokio::time::{Instant, timeout_at};

use super::{super::beside, from_proto, report};
use crate::{
    command::{Command, Status},
    durable::Place as OnHost,
    host::TargetKey,
    id::shorten,
    registry::Registry,
    session::{self, Caller, Session, SessionState, Signalled},
    shell::front::{Foreground, Place, Sent},
};

/// How long an interrupted program has to end before the answer says that it has not.
const WAIT: Duration = Duration::from_secs(3);
/// No caller waits longer.
const WAIT_MAX: Duration = Duration::from_secs(50);
/// A program that a signal ends is gone by then; what goes on is the shell with what comes next.
const STEP: Duration = Duration::from_millis(600);
/// How often Ctrl-C is typed again where the shell goes on: one that comes between two programs meets neither them nor
/// the shell, which happens to few, and not to all of so many.
const AGAIN_MAX: u32 = 3;
/// The helper answers in milliseconds; one that does not is not waited for.
const LOOK_WAIT: Duration = Duration::from_secs(3);
/// Output in the answer.
const OUTPUT: usize = 4000;

pub(super) async fn interrupt(
    registry: &Registry,
    request: InterruptRequest,
    by: &Caller,
) -> Result<InterruptResponse, Fault> {
    let signal = request.signal();
    let InterruptRequest {
        which,
        signal: _,
        timeout_ms,
    } = request;
    let nothing = || {
        Fault::new(
            Reason::InvalidArgument,
            "nothing is named that should be interrupted",
        )
        .hint("give `command_id`, `session` or `host`")
    };
    let wait = bounded(timeout_ms);
    let meant = match which.ok_or_else(nothing)? {
        Which::CommandId(id) => {
            let command = registry.commands.find(&id)?;
            if command.state().status.is_final() {
                return Ok(ended_already(&command));
            }
            if OnHost::of(&command).is_some() && command.state().status != Status::Queued {
                Meant::Durable(command)
            } else {
                Meant::InShell(registry.session(command.session.as_str())?, Some(command))
            }
        }
        Which::Session(name) => {
            let durables = beside::of_session(registry, &name);
            of_both(registry, registry.session(&name), &durables, &name)?
        }
        Which::Host(host) => {
            let key = registry.resolve(&from_proto::host(host)?).await?.key();
            let durables = beside::on_target(registry, &key);
            of_both(registry, of_host(registry, &key), &durables, &key.to_string())?
        }
    };
    let (session, command) = match meant {
        Meant::Durable(command) => return durable::interrupt(registry, &command, signal, wait).await,
        Meant::InShell(session, command) => (session, command),
    };
    session.allow(by)?;
    if let Some(command) = &command
        && command.state().status == Status::Queued
        && let Some(taken_back) = withdraw(registry, &session, command).await
    {
        return Ok(taken_back);
    }
    let interruption = Interruption {
        session,
        command,
        signal,
        step: STEP.min(wait / 5),
        deadline: Instant::now() + wait,
        done: Vec::new(),
    };
    interruption.run().await
}

/// How long the end is waited for.
fn bounded(timeout_ms: u64) -> Duration {
    if timeout_ms == 0 {
        WAIT
    } else {
        Duration::from_millis(timeout_ms).min(WAIT_MAX)
    }
}

/// The session that a host means here: its default one; where that is at its prompt, the only other one of the host that is not:
/// what was told to be running made way for further calls.
fn of_host(registry: &Registry, key: &TargetKey) -> Result<Arc<Session>, Fault> {
    let is_busy = |session: &Arc<Session>| {
        matches!(
            session.summary().state,
            SessionState::Busy | SessionState::Awaiting
        )
    };
    let default = registry.default_of(key);
    if let Some(session) = default.as_ref().filter(|session| is_busy(session)) {
        return Ok(session.clone());
    }
    let busy: Vec<_> = registry.on_target(key).into_iter().filter(is_busy).collect();
    match (busy.as_slice(), default) {
        ([one], _) => Ok(one.clone()),
        ([], Some(default)) => Ok(default),
        ([], None) => Err(Fault::new(
            Reason::SessionNotFound,
            format!("no session of {key} runs anything"),
        )
        .hint("list_sessions shows the open ones")),
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|session| session.name.as_str()).collect();
            Err(Fault::new(
                Reason::Conflict,
                format!(
                    "several sessions of {key} run something: {}; nothing was interrupted",
                    names.join(", ")
                ),
            )
            .hint("name one of them, or the command; get_active_commands shows what runs"))
        }
    }
}

/// What is to be interrupted.
enum Meant {
    /// What a session's shell runs: a command, or what was typed there.
    InShell(Arc<Session>, Option<Arc<Command>>),
    /// A durable command, which no shell runs.
    Durable(Arc<Command>),
}

/// What the shell of the session runs that was found; where that is free, or there is none, the durable command beside it.
/// `whose` these are, in words.
fn of_both(
    registry: &Registry,
    found: Result<Arc<Session>, Fault>,
    durables: &[Arc<Command>],
    whose: &str,
) -> Result<Meant, Fault> {
    if let Ok(session) = &found {
        let summary = session.summary();
        let command = summary
            .running
            .and_then(|id| beside::in_shell(registry, session.name.as_str(), id));
        if let Some(command) = command.as_ref().filter(|command| OnHost::of(command).is_some()) {
            return Ok(Meant::Durable(command.clone()));
        }
        if summary.running.is_some() || matches!(summary.state, SessionState::Busy | SessionState::Awaiting) {
            return Ok(Meant::InShell(session.clone(), command));
        }
    }
    match (durables, found) {
        ([], found) => Ok(Meant::InShell(found?, None)),
        (_, Err(fault)) if fault.reason != Reason::SessionNotFound => Err(fault),
        ([one], _) => Ok(Meant::Durable(one.clone())),
        (several, _) => Err(Fault::new(
            Reason::Conflict,
            format!(
                "several durable commands of {} run: {}; nothing was interrupted",
                shorten(whose, 80),
                beside::ids(several).join(", ")
            ),
        )
        .hint("name one of them by `command_id`; get_active_commands shows them")),
    }
}

fn ended_already(command: &Arc<Command>) -> InterruptResponse {
    InterruptResponse {
        command: Some(report(command, "", OUTPUT, false)),
        ended: true,
        message: words::ended_already(&command.state()),
        session: command.session.to_string(),
    }
}

/// A command that waits for its turn is taken back instead; none if it began just now.
async fn withdraw(
    registry: &Registry,
    session: &Session,
    command: &Arc<Command>,
) -> Option<InterruptResponse> {
    let id = registry.durables.in_session(command.id);
    if !session.withdraw(id).await {
        return None;
    }
    command.notice("it was taken back before it began; nothing was run");
    command.end(Status::Interrupted, None, None);
    Some(InterruptResponse {
        command: Some(report(command, "", OUTPUT, false)),
        ended: true,
        message: "the command had not begun and was taken back; nothing was run".into(),
        session: session.name.to_string(),
    })
}

/// One interrupt from its first signal to its answer.
struct Interruption {
    session: Arc<Session>,
    command: Option<Arc<Command>>,
    signal: Signal,
    step: Duration,
    deadline: Instant,
    /// What was done so far, in words.
    done: Vec<String>,
}

impl Interruption {
    async fn run(mut self) -> Result<InterruptResponse, Fault> {
        self.session.watch();
        let name = words::name(self.signal);
        match self.send(own(self.signal)).await? {
            Signalled::Nothing => return Ok(self.nothing()),
            Signalled::Typed(key) => {
                self.done.push(format!("{key} was typed"));
                if let Some(before) = self.look_meanwhile().await {
                    self.follow(&before).await?;
                }
            }
            Signalled::Sent(front) => {
                match front.sent {
                    Sent::Sent | Sent::Looked => self.done.push(words::sent(name, &front)),
                    Sent::Refused => return Err(words::refused(name, &front)),
                    Sent::Unknown => return Err(words::unseen()),
                    Sent::ShellAlone => {
                        self.type_key(words::shell_alone(name)).await?;
                    }
                }
                self.follow(&front).await?;
                self.end_all(&front).await?;
            }
        }
        let ended = self.ends_by(self.deadline).await;
        let now = if ended { None } else { Some(self.look().await) };
        Ok(self.answer(now.as_ref()))
    }

    /// Who was in front when a key was typed; none if that has ended it.
    async fn look_meanwhile(&self) -> Option<Foreground> {
        tokio::select! {
            ended = self.ends_in_step() => if ended { None } else { Some(self.look().await) },
            front = self.look() => Some(front),
        }
    }

    /// What a signal ends is one program, and the shell may go on with the next of its list or loop: then what was meant
    /// is the whole. The key that ends that reaches nobody between two programs, and is typed again.
    async fn follow(&mut self, first: &Foreground) -> Result<(), Fault> {
        let mut before = first.clone();
        for again in 0..AGAIN_MAX {
            if self.ends_in_step().await {
                return Ok(());
            }
            let mut now = self.look().await;
            if now.is_shell_alone() && !before.is_shell_alone() {
                // It may be telling the end of who was there, and the key would take that away. One that goes on does so
                // still in a step.
                if self.ends_in_step().await {
                    return Ok(());
                }
                now = self.look().await;
            }
            let deaf = now.at(Place::Shell).any(|shell| shell.ignores(2));
            if deaf || !now.goes_on(&before) || self.awaits_input() {
                return Ok(());
            }
            let why = match (again, first.sent) {
                (0, Sent::Sent) => "the shell went on with what comes next, so Ctrl-C was typed too",
                (0, _) => "the shell went on, so Ctrl-C was typed again",
                _ => "",
            };
            self.type_key(why.into()).await?;
            before = now;
        }
        self.ends_in_step().await;
        Ok(())
    }

    /// What is left when KILL and Ctrl-C did not end it: whoever is in front now, and at last the shell.
    async fn end_all(&mut self, first: &Foreground) -> Result<(), Fault> {
        if self.signal != Signal::Kill || self.has_ended() {
            return Ok(());
        }
        if !self.look().await.goes_on(first) {
            return Ok(());
        }
        if let Signalled::Sent(front) = self.send(session::Signal::Kill).await?
            && front.sent == Sent::Sent
        {
            self.done.push(words::sent("KILL", &front));
            if self.ends_in_step().await || !self.look().await.goes_on(&front) {
                return Ok(());
            }
        }
        if matches!(self.send(session::Signal::Shell).await?, Signalled::Sent(front) if front.sent == Sent::Sent)
        {
            self.done.push(
                "that did not end it, so the session's shell was killed: the next use of the session opens a new one"
                    .into(),
            );
        }
        Ok(())
    }

    async fn send(&self, signal: session::Signal) -> Result<Signalled, Fault> {
        let only = self.command.as_ref().map(|command| command.id);
        let deadline = Instant::now() + LOOK_WAIT;
        timeout_at(deadline, self.session.signal(signal, only))
            .await
            .unwrap_or_else(|_| Err(words::unanswered()))
    }

    async fn type_key(&mut self, why: String) -> Result<(), Fault> {
        if self.send(session::Signal::Int).await? != Signalled::Nothing && !why.is_empty() {
            self.done.push(why);
        }
        Ok(())
    }

    async fn look(&self) -> Foreground {
        let deadline = Instant::now() + LOOK_WAIT;
        timeout_at(deadline, self.session.foreground())
            .await
            .unwrap_or(Foreground::unknown())
    }

    async fn ends_in_step(&self) -> bool {
        let step = Instant::now() + self.step;
        self.ends_by(step.min(self.deadline)).await
    }

    /// True once what was meant has ended.
    async fn ends_by(&self, deadline: Instant) -> bool {
        if let Some(command) = &self.command {
            let _waiting = command.wait_guard();
            let mut changes = command.changes();
            while !self.has_ended() {
                if !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
                    return self.has_ended();
                }
            }
        } else {
            let mut changes = self.session.changes();
            while !self.has_ended() {
                if !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
                    return self.has_ended();
                }
            }
        }
        true
    }

    /// What runs asks for something: who went on with that is at its own prompt.
    fn awaits_input(&self) -> bool {
        match &self.command {
            Some(command) => matches!(command.state().status, Status::Awaiting(_)),
            None => self.session.summary().state == SessionState::Awaiting,
        }
    }

    fn has_ended(&self) -> bool {
        match &self.command {
            Some(command) => command.state().status.is_final(),
            None => matches!(
                self.session.summary().state,
                SessionState::Ready | SessionState::Disconnected | SessionState::Reconnecting
            ),
        }
    }

    fn nothing(&self) -> InterruptResponse {
        match &self.command {
            Some(command) if command.state().status.is_final() => ended_already(command),
            Some(command) => InterruptResponse {
                command: Some(report(command, "", OUTPUT, false)),
                ended: false,
                message: "the command does not run now; nothing was sent".into(),
                session: self.session.name.to_string(),
            },
            None => InterruptResponse {
                command: None,
                ended: false,
                message: format!(
                    "no command was running in session {}; nothing was sent",
                    self.session.name
                ),
                session: self.session.name.to_string(),
            },
        }
    }

    /// `front` is who is there where it has not ended.
    fn answer(self, front: Option<&Foreground>) -> InterruptResponse {
        let done = if self.done.is_empty() {
            "no signal was sent any more".to_owned()
        } else {
            self.done.join("; ")
        };
        let what = if self.command.is_some() {
            "the command"
        } else {
            "what was typed there"
        };
        let message = match front {
            None => format!("{done}, and {what} ended"),
            Some(front) => {
                let is_device = self.session.summary().is_device;
                let (why, next) = words::not_ended(self.signal, front, is_device);
                format!("{done}, but {what} has not ended: {why}; {next}")
            }
        };
        InterruptResponse {
            ended: front.is_none(),
            command: self.command.map(|command| report(&command, "", OUTPUT, false)),
            message,
            session: self.session.name.to_string(),
        }
    }
}

const fn own(signal: Signal) -> session::Signal {
    match signal {
        Signal::Unspecified | Signal::Int => session::Signal::Int,
        Signal::Quit => session::Signal::Quit,
        Signal::Term => session::Signal::Term,
        Signal::Kill => session::Signal::Kill,
    }
}
