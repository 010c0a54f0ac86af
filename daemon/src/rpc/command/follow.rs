//! `FollowOutput`: a command's output from an offset as it comes, then its end.

use std::sync::Arc;

use sshmcp_proto::v1::{FollowOutputEvent, follow_output_event::Event};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{EVENTS_MAX, Events, execute::CHUNK, execute::chunk};
use crate::{command::Command, rpc::to_proto};

pub(super) fn follow(command: Arc<Command>, offset: u64) -> Events<FollowOutputEvent> {
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(async move {
        // The caller is gone when nothing can be sent any more.
        let _gone = run(&command, offset, &events).await;
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn run(
    command: &Command,
    mut offset: u64,
    events: &mpsc::Sender<Result<FollowOutputEvent, Status>>,
) -> Result<(), ()> {
    let send = async |event| {
        events
            .send(Ok(FollowOutputEvent { event: Some(event) }))
            .await
            .map_err(|_| ())
    };
    let mut changes = command.changes();
    let following = command.follow(offset);
    loop {
        let (pieces, ended) = {
            let state = command.state();
            (state.output.read(offset, CHUNK), state.status.is_final())
        };
        if pieces.is_empty() {
            if ended {
                let result = to_proto::command(command, &command.state(), None, false);
                return send(Event::Result(result)).await;
            }
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| ())?,
                () = events.closed() => return Err(()),
            }
        }
        for piece in pieces {
            offset = piece.end();
            send(Event::Output(chunk(piece))).await?;
            following.taken(offset);
        }
    }
}
