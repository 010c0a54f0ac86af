//! `TerminalService`: what a session's terminal shows, and typing into it.

mod shown;
mod stored;

use std::{sync::Arc, time::Duration};

use regex::bytes::Regex;
use sshmcp_proto::{
    error::Fault,
    v1::{
        AttachRequest, GetTerminalRequest, GetTerminalResponse, Reason, SendInputRequest, SendInputResponse,
        send_input_request::Which, terminal_service_server::TerminalService,
    },
};
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Response, Status, Streaming};

use shown::show;

use super::{attach, caller, from_proto, to_proto};
use crate::{
    command::{self, Command},
    durable::Place,
    id::shorten,
    output::forward,
    registry::Registry,
    session::{Look, Session},
    terminal::{fullscreen::InputMode, keys},
};

/// Largest input of one call.
const INPUT_MAX: usize = 1 << 20; // 1 MiB
/// How long typing waits for the far side to settle, unless told otherwise.
const SETTLE: Duration = Duration::from_secs(5);
/// A shell draws its prompt in this time, unless it does much for it.
const PROMPT: Duration = Duration::from_millis(300);
/// Output of the answered command in the answer.
const OUTPUT: usize = 8000;

/// The service.
pub struct TerminalRpc(pub Arc<Registry>);

#[tonic::async_trait]
impl TerminalService for TerminalRpc {
    async fn get_terminal(
        &self,
        request: Request<GetTerminalRequest>,
    ) -> Result<Response<GetTerminalResponse>, Status> {
        let client = caller(&request).id;
        let GetTerminalRequest {
            session,
            lines,
            cursor,
            aside,
        } = request.into_inner();
        let session = self.0.session(&session)?;
        let look = match (cursor, lines) {
            (Some(cursor), 0) => Look::Next(cursor, shown::TEXT_MAX),
            (None, 0) => Look::Screen,
            (None, lines) => Look::Tail(usize::try_from(lines).unwrap_or(usize::MAX)),
            (Some(_), _) => {
                return Err(Fault::new(
                    Reason::InvalidArgument,
                    "`lines` and `cursor` are two ways to look: back from now, or on from an earlier answer",
                )
                .hint("call again with one of them")
                .into());
            }
        };
        settle(&session).await;
        let shown = show(&self.0, &session, look).await?;
        if let Some(beyond) = cursor.filter(|cursor| *cursor > shown.cursor) {
            return Err(no_such_place(beyond, shown.cursor).into());
        }
        if !aside {
            session.show_to(&client, shown.cursor);
        }
        Ok(Response::new(shown))
    }

    type AttachStream = attach::Events;

    async fn attach(
        &self,
        request: Request<Streaming<AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let by = super::person_or_agent(&caller(&request));
        Ok(Response::new(
            attach::attach(&self.0, request.into_inner(), by).await?,
        ))
    }

    async fn send_input(
        &self,
        request: Request<SendInputRequest>,
    ) -> Result<Response<SendInputResponse>, Status> {
        let client = caller(&request);
        let SendInputRequest {
            which,
            text,
            enter,
            keys,
            data,
            pattern,
            timeout_ms,
            secret,
            stored_secret,
            is_line,
            later_keys,
        } = request.into_inner();
        let (session, command) = self.whom(which)?;
        let by = super::person_or_agent(&client);
        session.allow(&by)?;
        for name in &later_keys {
            key(name, session.summary().input)?;
        }
        let bytes = match &stored_secret {
            None => bytes(text.as_deref(), &keys, enter, data, session.summary().input)?,
            Some(name) => {
                if text.is_some_and(|text| !text.is_empty()) || !keys.is_empty() || !data.is_empty() {
                    return Err(Fault::new(
                        Reason::InvalidArgument,
                        "a secret is typed alone, without `text` or `keys`; nothing was typed",
                    )
                    .hint("call once with `secret`, and once more for what is to be typed besides")
                    .into());
                }
                stored::bytes(&session, command.as_deref(), name).await?
            }
        };
        let pattern = pattern
            .map(|text| from_proto::pattern("pattern", &text))
            .transpose()?;
        let max_wait = self.0.config.current().settings.max_wait;
        let wait = if timeout_ms == 0 {
            SETTLE
        } else {
            Duration::from_millis(timeout_ms)
        }
        .min(max_wait);
        let before = session.summary();
        let from = command
            .as_ref()
            .map_or(0, |command| command.state().output.settled());
        session.allow(&by)?;
        if secret {
            stored::not_shown(&session, command.as_deref()).await?;
        }
        let is_secret = secret || stored_secret.is_some();
        let prompts = if is_secret {
            session.type_secret(bytes, by).await?
        } else if is_line {
            session.type_line(bytes, by).await?
        } else {
            session.type_bytes(bytes, by).await?
        };
        let settling = Settling {
            session: &session,
            command: command.as_deref(),
            from,
            prompts,
            cursor: before.cursor,
        };
        let why = settling.wait(pattern.as_ref(), wait).await?;
        settle(&session).await;
        let terminal = show(&self.0, &session, Look::Screen).await?;
        session.show_to(&client.id, terminal.cursor);
        let command = command.map(|command| {
            let mut state = command.state();
            let shown = state.shown_to(&client.id);
            // A little that was written before is told with it. Of much, what came of the input is, and the rest is kept
            // for whoever waits.
            let from = if shown + OUTPUT as u64 / 2 >= from {
                shown
            } else {
                from
            };
            let view = forward(&state.output, from, OUTPUT, false);
            if from <= shown {
                state.show_to(&client.id, view.offset);
            }
            let told = to_proto::command(&command, &state, Some(view), false);
            to_proto::told(told, Some(session.as_ref()))
        });
        Ok(Response::new(SendInputResponse {
            terminal: Some(terminal),
            settled: why != "timeout",
            why: why.into(),
            command,
        }))
    }
}

impl TerminalRpc {
    fn whom(&self, which: Option<Which>) -> Result<(Arc<Session>, Option<Arc<Command>>), Fault> {
        match which {
            None => Err(
                Fault::new(Reason::InvalidArgument, "nothing is named to type into")
                    .hint("give `session` or `command_id`"),
            ),
            Some(Which::Session(name)) => {
                let session = self.0.session(&name)?;
                let running = session.summary().running;
                let command = running.and_then(|id| self.0.commands.find(&id.to_string()).ok());
                Ok((session, command))
            }
            Some(Which::CommandId(id)) => {
                let command = self.0.commands.find(&id)?;
                if Place::of(&command).is_some() {
                    return Err(Fault::new(
                        Reason::InvalidArgument,
                        format!("{id} is durable: it has no terminal and no input, so nothing was typed"),
                    )
                    .hint("run it without `durable` if it asks for something"));
                }
                let status = command.state().status.clone();
                if status.is_final() || status == command::Status::Queued {
                    return Err(Fault::new(
                        Reason::Conflict,
                        format!("{} is not running; nothing was typed", command.id),
                    )
                    .hint("get_command_output shows how it ended"));
                }
                Ok((self.0.session(command.session.as_str())?, Some(command)))
            }
        }
    }
}

/// What has to be typed, as the program in front wants it.
fn bytes(
    text: Option<&str>,
    names: &[String],
    enter: bool,
    data: Vec<u8>,
    mode: InputMode,
) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let text = text.unwrap_or_default();
    // Several lines are one input where the program can tell a paste from Enter; an escape sequence could end it.
    let pasted = mode.bracketed_paste && text.trim_end_matches('\n').contains('\n') && !text.contains('\x1b');
    if pasted {
        bytes.extend_from_slice(b"\x1b[200~");
    }
    for character in text.chars() {
        // A terminal's Enter is a carriage return, whatever a text calls its line ends.
        let mut buffer = [0; 4];
        bytes.extend_from_slice(match character {
            '\n' => b"\r",
            other => other.encode_utf8(&mut buffer).as_bytes(),
        });
    }
    if pasted {
        bytes.extend_from_slice(b"\x1b[201~");
    }
    for name in names {
        bytes.extend_from_slice(&key(name, mode)?);
    }
    if enter {
        bytes.push(b'\r');
    }
    bytes.extend_from_slice(&data);
    if bytes.is_empty() {
        return Err(Fault::new(Reason::InvalidArgument, "there is nothing to type")
            .hint("give `text`, `keys` or `enter`"));
    }
    if bytes.len() > INPUT_MAX {
        return Err(
            Fault::new(Reason::TooLarge, "more than 1 MiB cannot be typed at once")
                .hint("type it in pieces, or put it into a file with write_file"),
        );
    }
    Ok(bytes)
}

fn key(name: &str, mode: InputMode) -> Result<Vec<u8>, Fault> {
    keys::encode(name, mode.application_cursor).ok_or_else(|| {
        Fault::new(
            Reason::InvalidArgument,
            format!("{:?} is no key; nothing was typed", shorten(name, 40)),
        )
        .hint("keys are named like ctrl-c, up, f5, escape, tab; plain text goes into `text`")
    })
}

/// A cursor that this session gave to nobody: whoever reads on from there would miss what comes until then.
fn no_such_place(cursor: u64, end: u64) -> Fault {
    Fault::new(
        Reason::InvalidArgument,
        format!("`cursor` {cursor} is beyond the end of what this session has shown, {end}"),
    )
    .hint(format!(
        "it is of another session, or of one that was closed since: look without `cursor`, or go on from {end}"
    ))
}

/// Lets the prompt behind a command's end be drawn, if it comes soon.
async fn settle(session: &Session) {
    let mut changes = session.changes();
    let settled = changes.wait_for(|summary| !summary.settling);
    // It is late, or the session is closed: what there is is shown.
    let _ = tokio::time::timeout(PROMPT, settled).await;
}

/// The wait behind what was typed.
struct Settling<'s> {
    session: &'s Arc<Session>,
    command: Option<&'s Command>,
    from: u64,
    prompts: u64,
    cursor: u64,
}

impl Settling<'_> {
    /// Waits until the far side reads again, the command ended, or the pattern came; says which.
    async fn wait(&self, pattern: Option<&Regex>, limit: Duration) -> Result<&'static str, Fault> {
        let deadline = Instant::now() + limit;
        let _waiting = self.command.map(Command::wait_guard);
        let _settling = self.command.is_none().then(|| self.session.settle_guard());
        self.session.watch();
        let mut summaries = self.session.changes();
        let mut changes = self.command.map(Command::changes);
        loop {
            if let Some(why) = self.settled(pattern).await? {
                return Ok(why);
            }
            tokio::select! {
                changed = summaries.changed() => {
                    if changed.is_err() {
                        return Ok("ended");
                    }
                }
                _ = async {
                    match &mut changes {
                        Some(changes) => changes.changed().await,
                        None => std::future::pending().await,
                    }
                } => {}
                () = sleep_until(deadline) => return Ok("timeout"),
            }
        }
    }

    async fn settled(&self, pattern: Option<&Regex>) -> Result<Option<&'static str>, Fault> {
        if let Some(pattern) = pattern {
            let shown = self.session.look(Look::Since(self.cursor)).await?;
            let written = self
                .command
                .map(|command| forward(&command.state().output, self.from, INPUT_MAX, false));
            let in_output =
                written.is_some_and(|view| pattern.is_match(&view.stdout) || pattern.is_match(&view.stderr));
            if in_output || pattern.is_match(shown.text.as_bytes()) {
                return Ok(Some("pattern"));
            }
        }
        if let Some(command) = self.command {
            let status = command.state().status.clone();
            if status.is_final() {
                return Ok(Some("ended"));
            }
            if pattern.is_none() && matches!(status, command::Status::Awaiting(_)) {
                return Ok(Some("awaiting_input"));
            }
        } else if pattern.is_none() {
            let summary = self.session.summary();
            if summary.prompts > self.prompts {
                return Ok(Some("prompt"));
            }
            if summary.reads {
                return Ok(Some("awaiting_input"));
            }
        }
        Ok(None)
    }
}
