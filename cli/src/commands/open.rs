//! `sshctl open`: opens a session, or finds the open one of that name.

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{OpenSessionRequest, OpenSessionResponse, Reason};

use crate::args::{AttachArgs, OpenArgs};
use crate::context::{Context, host_ref};
use crate::error::Failure;
use crate::output::{Entry, Tone};
use crate::{terminal, view};

/// Opens a session.
pub(crate) async fn run(args: OpenArgs, context: &Context) -> Result<u8, Failure> {
    let attaches = args.attach;
    if attaches {
        super::attach::wants_terminal()?;
    }
    let own = terminal::size_if_terminal();
    let request = OpenSessionRequest {
        host: Some(host_ref(&args.host, &args.login)),
        session: args.session,
        keeper: args.keeper,
        cols: args.cols.or(own.map(|(cols, _)| cols.clamp(20, 500))),
        rows: args.rows.or(own.map(|(_, rows)| rows.clamp(5, 200))),
        must_be_new: args.new,
        prefer_local_tmux: false,
    };
    let answer = context.daemon().await?.sessions().open_session(request).await?;
    let answer = answer.into_inner();
    let shown = view::opened_json(&answer);
    let OpenSessionResponse {
        session,
        opened,
        greeting,
        has_notes,
    } = answer;
    let session = session.ok_or_else(|| {
        Fault::new(
            Reason::Internal,
            "the daemon opened a session and did not say which",
        )
    })?;
    let out = &context.out;
    if attaches {
        let joined = AttachArgs {
            session: session.name,
            take: false,
        };
        return super::attach::run(joined, false, context).await;
    }
    if out.is_json() {
        out.json(&shown)?;
        return Ok(0);
    }
    if !greeting.trim().is_empty() {
        out.text(&greeting)?;
        out.line("")?;
    }
    out.pairs(vec![
        ("session", Entry(session.name.clone(), Tone::Strong)),
        ("target", session.target.clone().into()),
        ("state", view::state_entry(&session)),
        ("shell", session.shell.clone().into()),
        ("cwd", session.cwd.clone().into()),
        ("kept by", session.keeper.clone().into()),
    ])?;
    if !opened {
        out.note("it was open before")?;
        let size = [args.cols, args.rows]
            .into_iter()
            .zip([session.cols, session.rows]);
        if size
            .into_iter()
            .any(|(asked, has)| asked.is_some_and(|asked| asked != has))
        {
            out.note(&format!(
                "its terminal stays as it is, {} columns and {} rows: who attaches gives it their own size",
                session.cols, session.rows
            ))?;
        }
    }
    if has_notes {
        out.note(&format!(
            "there are notes about this host: `sshctl hosts {}`",
            args.host
        ))?;
    }
    if !session.notice.is_empty() {
        out.note(&session.notice)?;
    }
    Ok(0)
}
