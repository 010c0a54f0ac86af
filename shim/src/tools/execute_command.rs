//! `execute_command`: one command in a session, waited for.

use schemars::JsonSchema;
use serde::Deserialize;
use sshmcp_proto::{
    error::Fault,
    v1::{ExecuteRequest, Reason, execute_event::Event},
};
use tonic::Streaming;

use super::{Effect, Tool, target::Login};
use crate::{
    arguments::{self, invalid},
    call::{Call, PROGRESS},
    daemon::{self, Connected},
    render::{self, Reply},
    schema,
};

/// Seconds to wait for the end when the caller does not say; half of what clients wait.
const TIMEOUT: f64 = 30.0;

pub(super) const TOOL: Tool = Tool {
    name: "execute_command",
    title: "Run command",
    description: "Runs a shell command on an SSH host in a persistent session and waits for its end. Give `host` (its session is \
                  opened or reused), `session`, or both. cwd, variables and functions stay. Returns stdout, stderr, exit \
                  code, cwd. Status `running`: it goes on, never start it again, use wait_for; `awaiting_input`: use \
                  send_input.",
    effect: Effect::Acts,
    input: schema::input::<Arguments>,
    output: || schema::output(&schema::command_fields()),
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// One line or many
    command: String,
    /// Configured name, ssh_config alias or user@host:port
    host: Option<String>,
    /// With host: opened if missing
    session: Option<String>,
    /// Seconds to wait (30; 0: not at all); the command goes on
    timeout: Option<f64>,
    /// Survives link and daemon; no stdin
    durable: Option<bool>,
    /// On a terminal; stdout has stderr too
    terminal: Option<bool>,
    /// Its standard input
    stdin: Option<String>,
    /// Characters returned (8000, up to 40000)
    output_limit: Option<u32>,
    /// Keep escape sequences
    raw: Option<bool>,
    #[serde(flatten)]
    login: Login,
    #[schemars(extend("x-hidden" = "secret"))]
    sudo_password: Option<String>,
    #[schemars(extend("x-hidden" = "secret"))]
    enable_password: Option<String>,
    enable_command: Option<String>,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let request = request(arguments, call.wants_progress())?;
    let has_secret = request.sudo_password.is_some()
        || request.enable_password.is_some()
        || request.host.as_ref().is_some_and(|host| host.password.is_some());
    let send = |daemon: Connected| {
        let request = request.clone();
        async move { daemon.commands().execute(request).await }
    };
    let mut events = if has_secret {
        call.rpc_apart(send).await?
    } else {
        call.rpc(send).await?
    };
    let mut accepted = None;
    // An error behind `accepted` is never answered by a second try: the command exists.
    loop {
        match next(&mut events, accepted.as_deref()).await? {
            Event::Accepted(event) => accepted = Some(event.command_id),
            Event::Output(_) => {}
            Event::Progress(event) => {
                let message = render::command::progress(&event);
                call.report(event.elapsed_ms, message).await;
            }
            Event::Result(command) => {
                let object = render::command::object(&command, true);
                return Ok(Reply::new(object.into(), render::command::text(&command)));
            }
        }
    }
}

fn request(arguments: Arguments, progress: bool) -> Result<ExecuteRequest, Fault> {
    let Arguments {
        command,
        host,
        session,
        timeout,
        durable,
        terminal,
        stdin,
        output_limit,
        raw,
        login,
        sudo_password,
        enable_password,
        enable_command,
    } = arguments;
    let host = match host {
        Some(host) => Some(login.host(host)),
        None if session.is_none() => {
            return Err(invalid("neither `host` nor `session` is given")
                .hint("call again with one of them; list_hosts and list_sessions show what there is"));
        }
        None => {
            login.without_host()?;
            None
        }
    };
    Ok(ExecuteRequest {
        command,
        host,
        session,
        timeout_ms: arguments::millis("timeout", timeout.unwrap_or(TIMEOUT))?,
        durable: durable.unwrap_or(false),
        terminal: terminal.unwrap_or(false),
        stdin: stdin.map(String::into_bytes),
        output_limit: arguments::output_limit(output_limit)?,
        raw: raw.unwrap_or(false),
        sudo_password,
        enable_password,
        enable_command,
        progress_ms: if progress {
            u32::try_from(PROGRESS.as_millis()).unwrap_or(0)
        } else {
            0
        },
        ..ExecuteRequest::default()
    })
}

/// The next event; a stream that breaks off tells how to find the command again.
async fn next(
    events: &mut Streaming<sshmcp_proto::v1::ExecuteEvent>,
    accepted: Option<&str>,
) -> Result<Event, Fault> {
    let broken = match events.message().await {
        Ok(Some(event)) => match event.event {
            Some(event) => return Ok(event),
            None => Fault::new(
                Reason::Internal,
                "the daemon sent an event that this version does not know",
            ),
        },
        Ok(None) => Fault::new(Reason::Internal, "the daemon ended the call without a result"),
        Err(status) => daemon::fault(status),
    };
    Err(match accepted {
        Some(id) if matches!(broken.reason, Reason::DaemonUnavailable | Reason::Internal) => {
            let id = render::line(id);
            broken.hint(format!(
                "it was started as {id}: get_command_output(command_id=\"{id}\"); do not start it again"
            ))
        }
        _ => broken,
    })
}
