//! A stored secret typed for an agent that never sees it: only at a prompt that certainly hides it.

use sshmcp_proto::{error::Fault, v1::Reason};

use crate::{
    command::{Command, Question, Status},
    id::shorten,
    session::Session,
};

/// What has to be typed, if what reads there now hides it.
pub(super) async fn bytes(
    session: &Session,
    command: Option<&Command>,
    name: &str,
) -> Result<Vec<u8>, Fault> {
    let target = session.target();
    let Some(source) = target.secret(name) else {
        return Err(Fault::new(
            Reason::NotFound,
            format!(
                "{} has no secret {:?}; nothing was typed",
                target.alias,
                shorten(name, 64)
            ),
        )
        .hint(
            "a person configures it in [connections.NAME] (`secrets`), or types it with `sshctl send --secret SESSION`",
        ));
    };
    hidden(session, command).await?;
    let secret = source.resolve().await?;
    // A keyring or a program may have taken its time.
    hidden(session, command).await?;
    let mut bytes = secret.expose().as_bytes().to_vec();
    bytes.push(b'\r');
    Ok(bytes)
}

/// A person's secret is typed wherever they say, but not where it certainly is shown, for it would stand in the transcript, nor
/// where each of its characters would be taken for a key.
pub(super) async fn not_shown(session: &Session, command: Option<&Command>) -> Result<(), Fault> {
    session.look_now().await;
    let status = command.map(|command| command.state().status.clone());
    match status {
        Some(Status::Awaiting(Some(Question {
            echo: true,
            exact: true,
            ..
        }))) => Err(session.shows_secrets()),
        Some(Status::Awaiting(Some(Question {
            keys: true,
            exact: true,
            ..
        }))) => Err(session.takes_keys()),
        _ => Ok(()),
    }
}

/// A command reads without echo, and is seen to.
async fn hidden(session: &Session, command: Option<&Command>) -> Result<(), Fault> {
    session.look_now().await;
    let status = command.map(|command| command.state().status.clone());
    let why = match status {
        Some(Status::Awaiting(Some(Question {
            echo: false,
            exact: true,
            keys: false,
            ..
        }))) => return Ok(()),
        Some(Status::Awaiting(Some(Question {
            keys: true,
            exact: true,
            ..
        }))) => return Err(session.takes_keys()),
        Some(Status::Awaiting(Some(Question { exact: true, .. }))) => "what reads there shows what is typed",
        Some(Status::Awaiting(_)) => {
            "it cannot be seen from outside whether what reads there (a network device, or a program of another user or machine) hides what is typed"
        }
        Some(_) => "its command does not read from the terminal now",
        None => "no command runs in the session",
    };
    Err(
        Fault::new(Reason::Conflict, format!("{why}; the secret was not typed")).hint(format!(
            "a person types it with `sshctl send --secret {}`",
            session.name
        )),
    )
}
