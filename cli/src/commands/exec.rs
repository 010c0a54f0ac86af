//! `sshctl exec`: runs a command, passes its output on as it comes, and exits with its code. Ctrl-C is the command's.

use std::io::{self, IsTerminal as _, Read as _};
use std::time::Duration;

use sshmcp_proto::client::Daemon;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{
    Command, CommandStatus, ExecuteRequest, FollowOutputRequest, InterruptRequest, ListCommandsRequest,
    OutputChunk, Prompt, Reason, Signal, execute_event, follow_output_event, interrupt_request,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::args::ExecArgs;
use crate::commands::wait::FOREVER_MS;
use crate::context::{Context, host_ref, milliseconds};
use crate::error::{EXIT_LOST, EXIT_REPORTED_ERROR, EXIT_STILL_RUNNING, Failure};
use crate::output::{Output, Sink};
use crate::{sanitise, terminal, view};

/// The most that a command may be given as standard input; the protocol's limit.
const MAX_STDIN: usize = 1 << 20; // 1 MiB
/// Presses of Ctrl-C that are farther apart than this are not one insistent person.
const INSISTENCE: Duration = Duration::from_secs(5);
/// How long an interrupt may take before the person is told that it did not help.
const INTERRUPT_MS: u64 = 3000;
/// How often a running command is asked whether it has a new question; a person does not notice less.
const QUESTION_PAUSE: Duration = Duration::from_secs(1);

/// How the run ended for us.
enum End {
    /// The command ended, or the time was over.
    Told(Box<Command>),
    /// The person left it running.
    Left(String),
}

/// Runs.
pub(crate) async fn run(args: ExecArgs, context: &Context) -> Result<u8, Failure> {
    let stdin = if args.stdin { Some(read_stdin()?) } else { None };
    let own = terminal::size_if_terminal();
    let json = context.out.is_json();
    let request = ExecuteRequest {
        command: args.command.join(" "),
        host: args.host.as_deref().map(|host| host_ref(host, &args.login)),
        session: args.session,
        timeout_ms: args.timeout.map_or(FOREVER_MS, milliseconds),
        durable: args.durable,
        terminal: args.terminal,
        stdin,
        // The largest there is, for JSON; streamed output is not limited.
        output_limit: 40_000,
        stream_output: !json,
        unbounded_wait: true,
        cols: own.map_or(0, |(cols, _)| cols),
        rows: own.map_or(0, |(_, rows)| rows),
        ..ExecuteRequest::default()
    };
    let daemon = context.daemon().await?;
    let (accepted, id) = watch::channel(None);
    let run = Run {
        daemon: &daemon,
        out: &context.out,
        give_up: args
            .timeout
            .map(|seconds| Instant::now() + Duration::from_millis(milliseconds(seconds).min(FOREVER_MS))),
    };
    let end = tokio::select! {
        end = run.pump(request, &accepted) => end?,
        end = interrupts(&daemon, &context.out, id) => end?,
    };
    match end {
        End::Told(command) => finish(&command, &context.out),
        End::Left(id) => {
            context.out.note(&format!(
                "{id} goes on without you: `sshctl output {id} -f` follows it, `sshctl interrupt {id}` ends it"
            ))?;
            Ok(EXIT_STILL_RUNNING)
        }
    }
}

/// One run's way to the daemon and to the person.
struct Run<'a> {
    daemon: &'a Daemon,
    out: &'a Output,
    /// When the person has waited long enough.
    give_up: Option<Instant>,
}

impl Run<'_> {
    /// Passes everything on until the command has ended or the time is over.
    async fn pump(
        &self,
        request: ExecuteRequest,
        accepted: &watch::Sender<Option<String>>,
    ) -> Result<End, Failure> {
        let streamed = request.stream_output;
        let mut sink = Sink::new();
        let mut offset = 0;
        let mut events = self.daemon.commands().execute(request).await?.into_inner();
        let mut told = None;
        while let Some(event) = events.message().await? {
            match event.event {
                Some(execute_event::Event::Accepted(it)) => drop(accepted.send(Some(it.command_id))),
                Some(execute_event::Event::Output(chunk)) => offset = pass_on(&mut sink, chunk).await?,
                Some(execute_event::Event::Result(command)) => told = Some(command),
                Some(execute_event::Event::Progress(_)) | None => {}
            }
        }
        let mut command = told.ok_or_else(stopped_telling)?;
        // A question ends the daemon's answer, but not our run.
        if streamed && !view::has_ended(command.status()) {
            command = self.go_on(command, offset, &mut sink).await?;
        }
        sink.finish().await?;
        Ok(End::Told(Box::new(command)))
    }

    /// Follows a command that asked something, tells its questions, and ends as it ends or when the time is over.
    async fn go_on(&self, command: Command, offset: u64, sink: &mut Sink) -> Result<Command, Failure> {
        let Some(give_up) = self.give_up else {
            return self.follow(command, offset, sink).await;
        };
        match timeout_at(give_up, self.follow(command.clone(), offset, sink)).await {
            Ok(command) => command,
            Err(_) => Ok(command),
        }
    }

    async fn follow(&self, command: Command, offset: u64, sink: &mut Sink) -> Result<Command, Failure> {
        let mut asked = self.tell_question(&command, None)?;
        let request = FollowOutputRequest {
            command_id: command.id.clone(),
            offset,
        };
        let mut events = self.daemon.commands().follow_output(request).await?.into_inner();
        let mut look = interval(QUESTION_PAUSE);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.message() => match event?.ok_or_else(stopped_telling)?.event {
                    Some(follow_output_event::Event::Output(chunk)) => {
                        pass_on(sink, chunk).await?;
                    }
                    Some(follow_output_event::Event::Result(command)) => return Ok(command),
                    None => {}
                },
                _ = look.tick() => {
                    let request = ListCommandsRequest { finished: 0, session: Some(command.session.clone()) };
                    let running = self.daemon.commands().list_commands(request).await?.into_inner().commands;
                    if let Some(now) = running.iter().find(|it| it.id == command.id) {
                        asked = self.tell_question(now, asked)?;
                    }
                }
            }
        }
    }

    /// Tells a question once; returns the one that stands now.
    fn tell_question(&self, command: &Command, told: Option<Prompt>) -> Result<Option<Prompt>, Failure> {
        if command.status() != CommandStatus::AwaitingInput {
            return Ok(None);
        }
        let prompt = command.prompt.clone().unwrap_or_default();
        if told.as_ref() != Some(&prompt) {
            self.out.note(&how_to_answer(&command.id, &prompt))?;
        }
        Ok(Some(prompt))
    }
}

/// What a person does about a question.
pub(crate) fn how_to_answer(id: &str, prompt: &Prompt) -> String {
    let question = match sanitise::line(&prompt.text) {
        text if text.is_empty() => "waits for input".to_owned(),
        text => format!("asks {text:?}"),
    };
    let flag = match (prompt.keys, prompt.echo) {
        (true, _) => "--no-enter --text KEY",
        (false, true) => "--text ANSWER",
        (false, false) => "--secret",
    };
    format!("{id} {question}: answer it in another terminal with `sshctl send {id} {flag}`")
}

async fn pass_on(sink: &mut Sink, chunk: OutputChunk) -> Result<u64, Failure> {
    let stream = chunk.stream();
    sink.write(stream, &chunk.data).await?;
    Ok(chunk.offset.saturating_add(chunk.data.len() as u64))
}

fn stopped_telling() -> Fault {
    Fault::new(
        Reason::ConnectionLost,
        "the daemon stopped telling about the command",
    )
    .hint("it may still run: look with `sshctl commands`, and do not start it again before")
}

/// Turns Ctrl-C into signals for the command. Returns only when the person gives up on it.
async fn interrupts(
    daemon: &Daemon,
    out: &Output,
    id: watch::Receiver<Option<String>>,
) -> Result<End, Failure> {
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let mut presses = 0;
    let mut last = Instant::now();
    while ctrl_c.recv().await.is_some() {
        let Some(id) = id.borrow().clone() else {
            return Err(Failure::Cancelled);
        };
        presses = if last.elapsed() > INSISTENCE {
            1
        } else {
            presses + 1
        };
        last = Instant::now();
        let (signal, next) = match presses {
            1 => (Signal::Int, "press Ctrl-C again to send SIGTERM"),
            2 => (Signal::Term, "press Ctrl-C again to leave it running"),
            _ => return Ok(End::Left(id)),
        };
        // Apart, so that the next press is heard while this one is still waited for.
        tokio::spawn(interrupt(daemon.clone(), out.clone(), id, signal, next));
    }
    std::future::pending().await
}

async fn interrupt(daemon: Daemon, out: Output, id: String, signal: Signal, next: &'static str) {
    let request = InterruptRequest {
        which: Some(interrupt_request::Which::CommandId(id.clone())),
        signal: signal.into(),
        timeout_ms: INTERRUPT_MS,
    };
    let told = match daemon.commands().interrupt(request).await {
        Ok(answer) if answer.get_ref().ended => return,
        Ok(_) => format!("{id} is still running; {next}"),
        Err(status) => format!("{}; {next}", Fault::from(status).message),
    };
    // Without stderr there is nobody to tell.
    drop(out.note(&told));
}

/// What our standard input holds, for a command or a terminal.
pub(crate) fn read_stdin() -> Result<Vec<u8>, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Fault::new(
            Reason::InvalidArgument,
            "--stdin wants a pipe or a file, and stdin is a terminal",
        )
        .hint("leave --stdin out: the command then asks, and `sshctl send` answers")
        .into());
    }
    let mut bytes = Vec::new();
    stdin.lock().take(MAX_STDIN as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_STDIN {
        return Err(Fault::new(
            Reason::TooLarge,
            "stdin holds more than the 1 MiB that can be given at once",
        )
        .hint("copy it to the host as a file first")
        .into());
    }
    Ok(bytes)
}

/// Tells what the person must know and turns the end into an exit code.
fn finish(command: &Command, out: &Output) -> Result<u8, Failure> {
    if out.is_json() {
        out.json(&view::command_json(command))?;
    } else if !command.notice.is_empty() {
        out.note(&command.notice)?;
    }
    match (command.status(), command.exit_code) {
        (CommandStatus::Completed | CommandStatus::Interrupted, Some(code)) => Ok(low_byte(code)),
        (CommandStatus::Completed | CommandStatus::Interrupted, None) if command.reported_error => {
            Ok(EXIT_REPORTED_ERROR)
        }
        (CommandStatus::Completed | CommandStatus::Interrupted, None) => {
            out.note("the far side told no exit code")?;
            Ok(0)
        }
        (CommandStatus::Lost, _) => {
            // The notice tells why one was never started.
            if command.duration_ms > 0 || !command.notice.contains("nothing was run") {
                out.note(&format!(
                    "the connection died under {}; its exit code is not known, and it was not run again",
                    command.id
                ))?;
            }
            Ok(EXIT_LOST)
        }
        (
            CommandStatus::Unspecified
            | CommandStatus::Queued
            | CommandStatus::Running
            | CommandStatus::AwaitingInput,
            _,
        ) => {
            if !out.is_json() {
                let id = &command.id;
                out.note(&format!(
                    "{id} is still running: `sshctl wait {id}`, `sshctl output {id} -f`"
                ))?;
            }
            Ok(EXIT_STILL_RUNNING)
        }
    }
}

/// What a process can exit with.
fn low_byte(code: i32) -> u8 {
    code.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each end of a command has the documented exit code.
    #[test]
    fn ends_and_exit_codes() {
        let out = Output::new(false);
        for (status, code, expected) in [
            (CommandStatus::Completed, Some(0), 0),
            (CommandStatus::Completed, Some(3), 3),
            (CommandStatus::Interrupted, Some(130), 130),
            (CommandStatus::Completed, None, 0),
            (CommandStatus::Completed, Some(-1), 255),
            (CommandStatus::Lost, None, EXIT_LOST),
            (CommandStatus::Running, None, EXIT_STILL_RUNNING),
            (CommandStatus::AwaitingInput, None, EXIT_STILL_RUNNING),
        ] {
            let command = Command {
                id: "c1".into(),
                status: status.into(),
                exit_code: code,
                ..Command::default()
            };
            assert_eq!(finish(&command, &out).unwrap(), expected, "{status:?} {code:?}");
            // A code that the far side gave is never another's.
            let marked = Command {
                reported_error: true,
                ..command
            };
            let expected = match (status, code) {
                (CommandStatus::Completed, None) => EXIT_REPORTED_ERROR,
                _ => expected,
            };
            assert_eq!(finish(&marked, &out).unwrap(), expected, "{status:?} {code:?}");
        }
    }

    /// A question is shown harmlessly, and a secret is never asked for in an argument.
    #[test]
    fn questions() {
        let mut prompt = Prompt {
            text: "\x1b]0;x\x07Password: ".into(),
            echo: false,
            source: "terminal".into(),
            keys: false,
        };
        let told = how_to_answer("c1", &prompt);
        assert!(
            told.contains("Password:") && told.contains("send c1 --secret"),
            "{told}"
        );
        prompt.echo = true;
        assert!(how_to_answer("c1", &prompt).contains("--text"));
        (prompt.echo, prompt.keys) = (false, true);
        assert!(how_to_answer("c1", &prompt).contains("send c1 --no-enter --text KEY"));
    }
}
