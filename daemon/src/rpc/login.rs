//! `HostService.Login`: a person and the questions of a host's login, one after the other. Keeps no answer itself.

use std::{pin::Pin, sync::Arc};

use sshmcp_proto::{
    error::Fault,
    v1::{
        LoginDone, LoginQuestion, LoginRequest, LoginResponse, Reason, login_request::What as Said,
        login_response::What,
    },
};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use super::from_proto;
use crate::{
    connection::{Asked, Asker, Question},
    host::Target,
    registry::Registry,
    secret::Secret,
    session::Caller,
};

pub(super) type Events = Pin<Box<dyn Stream<Item = Result<LoginResponse, Status>> + Send>>;

/// A question waits for its answer before the next is put.
const EVENTS_MAX: usize = 2;
/// Longest answer; longer ones are nobody's password.
const ANSWER_MAX: usize = 64 << 10; // 64 KiB

/// Logs a person in.
pub(super) async fn login(
    registry: &Arc<Registry>,
    mut requests: Streaming<LoginRequest>,
    person: &Caller,
) -> Result<Events, Fault> {
    let first = requests.message().await.ok().flatten();
    let Some(Said::Host(host)) = first.and_then(|request| request.what) else {
        return Err(Fault::new(
            Reason::InvalidArgument,
            "a login begins with the host",
        ));
    };
    if !person.is_person {
        return Err(Fault::new(
            Reason::PermissionDenied,
            "only a person's own program answers what a login asks",
        )
        .hint("a person runs `sshctl login`"));
    }
    let target = registry.resolve(&from_proto::host(host)?).await?;
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    let keeper = target.only_keeper();
    let registry = registry.clone();
    tokio::spawn(async move {
        let ended = if let Some(keeper) = keeper {
            Ok(What::Keeper(keeper.to_owned()))
        } else {
            let (asker, questions) = Asker::new();
            let asked = asker.clone();
            tokio::select! {
                made = registry.pool.login(&target, asker) => match made {
                    Ok(connection) => Ok(What::Done(LoginDone {
                        target: target.key().to_string(),
                        fingerprint: connection.fingerprint(),
                    })),
                    Err(_) if asked.by_openssh() => Ok(What::Keeper(Target::openssh_keeper().to_owned())),
                    Err(fault) => Err(fault),
                },
                // The login goes on without a person, and ends at its next question.
                () = answer(questions, requests, &events) => return,
            }
        };
        // Who has gone needs no words.
        let _ = events.send(ended.map(response).map_err(Status::from)).await;
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

fn response(what: What) -> LoginResponse {
    LoginResponse { what: Some(what) }
}

/// Passes questions on, and answers back, until the person goes.
async fn answer(
    mut questions: mpsc::Receiver<Asked>,
    mut requests: Streaming<LoginRequest>,
    events: &mpsc::Sender<Result<LoginResponse, Status>>,
) {
    loop {
        let (Question { text, echo }, asks) = tokio::select! {
            asked = questions.recv() => match asked {
                Some(asked) => asked,
                None => std::future::pending().await,
            },
            () = events.closed() => return,
        };
        let question = What::Question(LoginQuestion { text, echo });
        if events.send(Ok(response(question))).await.is_err() {
            return;
        }
        match requests.message().await.ok().flatten().and_then(|said| said.what) {
            Some(Said::Answer(text)) if text.len() <= ANSWER_MAX => {
                // Nobody waits for it if the server has hung up meanwhile; the login says so.
                let _ = asks.send(Secret::new(text));
            }
            Some(Said::Answer(_) | Said::Host(_)) | None => return,
        }
    }
}
