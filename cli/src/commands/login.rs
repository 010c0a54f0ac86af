//! `sshctl login`: a person answers what a host's login asks, and leaves the open session to agents. Where OpenSSH's client
//! is the way there, it asks in its own words.

use std::{io, os::unix::process::CommandExt as _, process::Command};

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{
    ListSessionsRequest, LoginDone, LoginQuestion, LoginRequest, LoginResponse, OpenSessionRequest, Reason,
    SessionState, login_request::What as Say, login_response::What,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::args::{AttachArgs, LoginArgs};
use crate::context::{Context, host_ref};
use crate::error::Failure;
use crate::{terminal, view};

/// With this keeper OpenSSH's client asks whatever there is to ask, in the session's terminal.
const BY_OPENSSH: &str = "local-tmux";
/// Answers on their way; each waits for its question.
const ANSWERS_MAX: usize = 2;

/// Logs in. What is said goes to stderr; with `--json` the session goes to stdout, once it is open.
pub(crate) async fn run(args: LoginArgs, context: &Context) -> Result<u8, Failure> {
    let Some(session) = log_in(&args, context).await? else {
        return Ok(0);
    };
    super::attach::wants_terminal()?;
    let joined = AttachArgs { session, take: false };
    let ended = super::attach::until_ready(joined, context).await;
    let Err(failure) = ended else {
        if context.out.is_json() {
            open(&args, args.keeper.clone(), context).await?;
        }
        return ended;
    };
    if args.keeper.as_deref() == Some(BY_OPENSSH) {
        return Err(failure);
    }
    // Where a password was changed in that terminal, the host wants the new one now.
    match open(&args, args.keeper.clone(), context).await {
        Err(Failure::Fault(fault)) if fault.reason == Reason::AuthInputRequired => {
            context.out.note("the host ended that login, and wants another")?;
            Err(again()?)
        }
        ended => ended.map(|_| 0),
    }
}

/// Begins anew, as a new process: who reads the keyboard for a session's terminal cannot be called back.
fn again() -> io::Result<Failure> {
    let error = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .exec();
    Ok(error.into())
}

/// Logs in and opens the session; if that asks in its terminal, its name.
async fn log_in(args: &LoginArgs, context: &Context) -> Result<Option<String>, Failure> {
    if let Some(session) = asking(args, context).await? {
        return Ok(Some(session));
    }
    let mut keeper = args.keeper.clone();
    if keeper.as_deref() != Some(BY_OPENSSH) {
        match connect(args, context).await? {
            What::Keeper(only) => keeper = Some(only),
            What::Done(LoginDone { target, fingerprint }) => {
                let words = format!("logged in as {target}, host key {fingerprint}");
                context.out.note(&crate::sanitise::line(&words))?;
            }
            What::Question(_) => return Err(unexpected()),
        }
    }
    if keeper.as_deref() == Some(BY_OPENSSH) {
        super::attach::wants_terminal()?;
    }
    open(args, keeper, context).await
}

/// Has the daemon log in, and answers its questions; what the login ended with.
async fn connect(args: &LoginArgs, context: &Context) -> Result<What, Failure> {
    let (answers, receiver) = mpsc::channel(ANSWERS_MAX);
    let host = host_ref(&args.host, &args.login);
    // There is room: it is the first.
    let _ = answers.send(say(Say::Host(host))).await;
    let mut hosts = context.daemon().await?.hosts();
    let mut said: Streaming<LoginResponse> = hosts.login(ReceiverStream::new(receiver)).await?.into_inner();
    loop {
        match said.message().await?.and_then(|response| response.what) {
            Some(What::Question(LoginQuestion { text, echo })) => {
                let text = crate::sanitise::text(&text);
                let answer = if echo {
                    terminal::ask(&text).await?
                } else {
                    terminal::ask_secret(&text).await?
                };
                // A daemon that has gone is told by its stream.
                let _ = answers.send(say(Say::Answer(answer))).await;
            }
            Some(end) => return Ok(end),
            None => return Err(unexpected()),
        }
    }
}

const fn say(what: Say) -> LoginRequest {
    LoginRequest { what: Some(what) }
}

fn unexpected() -> Failure {
    Fault::new(Reason::Internal, "the daemon ended the login without a word").into()
}

async fn open(
    args: &LoginArgs,
    keeper: Option<String>,
    context: &Context,
) -> Result<Option<String>, Failure> {
    let own = terminal::size_if_terminal();
    let request = OpenSessionRequest {
        host: Some(host_ref(&args.host, &args.login)),
        session: args.session.clone(),
        keeper,
        cols: own.map(|(cols, _)| cols.clamp(20, 500)),
        rows: own.map(|(_, rows)| rows.clamp(5, 200)),
        must_be_new: false,
        prefer_local_tmux: false,
    };
    let opened = context.daemon().await?.sessions().open_session(request).await;
    let fault = match opened {
        Ok(answer) => {
            let answer = answer.into_inner();
            let name = answer.session.as_ref().map_or("", |session| &session.name);
            if context.out.is_json() {
                context.out.json(&view::opened_json(&answer))?;
            } else {
                context
                    .out
                    .note(&format!("session {} is open", crate::sanitise::line(name)))?;
            }
            return Ok(None);
        }
        Err(status) => Fault::from(status),
    };
    if fault.reason != Reason::AuthInputRequired {
        return Err(fault.into());
    }
    // Its login may be over already.
    match asking(args, context).await? {
        Some(session) => Ok(Some(session)),
        None => Err(fault.into()),
    }
}

/// The session of that host whose login asks.
async fn asking(args: &LoginArgs, context: &Context) -> Result<Option<String>, Failure> {
    let mut daemon = context.daemon().await?.sessions();
    let listed = daemon
        .list_sessions(ListSessionsRequest::default())
        .await?
        .into_inner();
    let mut asking = listed.sessions.into_iter().filter(|session| {
        let is_named = args.session.as_ref().is_none_or(|name| *name == session.name);
        // What a command asks is another matter.
        let asks = session.state() == SessionState::AwaitingInput && session.running_command.is_empty();
        is_named && session.host == args.host && asks
    });
    Ok(asking.next().map(|session| session.name))
}
