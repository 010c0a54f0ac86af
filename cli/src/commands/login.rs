//! `sshctl login`: a person answers what a host's login asks, in OpenSSH's own words, and leaves the open session to agents.

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{ListSessionsRequest, OpenSessionRequest, Reason, SessionState};

use crate::args::{AttachArgs, LoginArgs};
use crate::context::{Context, host_ref};
use crate::error::Failure;
use crate::terminal;

/// OpenSSH's client asks whatever there is to ask; the daemon's own connections do not.
const KEEPER: &str = "local-tmux";

/// Logs in.
pub(crate) async fn run(args: LoginArgs, context: &Context) -> Result<u8, Failure> {
    super::attach::wants_terminal()?;
    let own = terminal::size_if_terminal();
    let request = OpenSessionRequest {
        host: Some(host_ref(&args.host, &args.login)),
        session: args.session.clone(),
        keeper: Some(KEEPER.to_owned()),
        cols: own.map(|(cols, _)| cols.clamp(20, 500)),
        rows: own.map(|(_, rows)| rows.clamp(5, 200)),
        must_be_new: false,
    };
    let opened = context.daemon().await?.sessions().open_session(request).await;
    let fault = match opened {
        Ok(answer) => {
            let name = answer.into_inner().session.unwrap_or_default().name;
            context
                .out
                .note(&format!("session {} is open", crate::sanitise::line(&name)))?;
            return Ok(0);
        }
        Err(status) => Fault::from(status),
    };
    if fault.reason != Reason::AuthInputRequired {
        return Err(fault.into());
    }
    let asking = asking(&args, context).await?;
    let joined = AttachArgs {
        // Its login may be over already.
        session: asking.ok_or(fault)?,
        take: false,
    };
    super::attach::until_ready(joined, context).await
}

/// The session of that host whose login asks.
async fn asking(args: &LoginArgs, context: &Context) -> Result<Option<String>, Failure> {
    let mut daemon = context.daemon().await?.sessions();
    let listed = daemon.list_sessions(ListSessionsRequest {}).await?.into_inner();
    let mut asking = listed.sessions.into_iter().filter(|session| {
        let is_named = args.session.as_ref().is_none_or(|name| *name == session.name);
        is_named && session.host == args.host && session.state() == SessionState::AwaitingInput
    });
    Ok(asking.next().map(|session| session.name))
}
