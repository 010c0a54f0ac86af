//! `LogService`: transcripts as they are written, and recordings shown by an emulator of their own. Nothing is changed.

use std::{io, pin::Pin, sync::Arc};

use futures::Stream;
use sshmcp_proto::{
    error::Fault,
    v1::{
        FindRecordingRequest, FindRecordingResponse, ReadLogRequest, ReadLogResponse, Reason, RenderRequest,
        RenderResponse, log_service_server::LogService, read_log_response::What,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::attach::sides;
use crate::{
    id::{SessionName, shorten},
    recording::{Follower, Tail},
    registry::Registry,
    session::Session,
    terminal::screen::{Painting, Screen},
};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Pieces that wait for a reader: 64 KiB each.
const PIECES_MAX: usize = 8;
/// Bytes of one piece.
const PIECE: usize = 64 << 10; // 64 KiB
/// Recorded output that is taken at once.
const OUTPUT_MAX: usize = 1 << 20; // 1 MiB

/// The service.
pub struct LogRpc(pub Arc<Registry>);

#[tonic::async_trait]
impl LogService for LogRpc {
    type ReadLogStream = Answers<ReadLogResponse>;

    async fn read_log(
        &self,
        request: Request<ReadLogRequest>,
    ) -> Result<Response<Self::ReadLogStream>, Status> {
        let ReadLogRequest {
            session,
            lines,
            follow,
        } = request.into_inner();
        let name = SessionName::parse(&session)?;
        let open = self.0.session(&session).ok();
        if let Some(session) = &open {
            session.recorder.flush().await;
        }
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        let tail = self.0.recordings.tail(&name, lines).await;
        let Tail { text, follower } = tail.map_err(|error| self.unreadable(&name, &error))?;
        let (pieces, receiver) = mpsc::channel(PIECES_MAX);
        tokio::spawn(async move {
            for piece in text.into_bytes().chunks(PIECE) {
                if pieces.send(said(What::Text(piece.to_vec()))).await.is_err() {
                    return;
                }
            }
            if !follow {
                return;
            }
            let ended = match open {
                Some(session) => following(session, follower, &pieces).await,
                None => Ok(format!("session {name} is not open")),
            };
            // Who has gone needs no words.
            let _ = match ended {
                Ok(words) => pieces.send(said(What::Ended(words))).await,
                Err(error) => pieces.send(Err(broken(&name, &error).into())).await,
            };
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn find_recording(
        &self,
        request: Request<FindRecordingRequest>,
    ) -> Result<Response<FindRecordingResponse>, Status> {
        let FindRecordingRequest { session } = request.into_inner();
        let name = SessionName::parse(&session)?;
        if let Ok(session) = self.0.session(&session) {
            session.recorder.flush().await;
        }
        let (log, cast) = self.0.recordings.places(&name);
        let there = |path: std::path::PathBuf| {
            if path.is_file() {
                path.display().to_string()
            } else {
                String::new()
            }
        };
        let (log_path, cast_path) = (there(log), there(cast));
        if log_path.is_empty() && cast_path.is_empty() {
            return Err(nothing(&name).into());
        }
        Ok(Response::new(FindRecordingResponse { log_path, cast_path }))
    }

    type RenderStream = Answers<RenderResponse>;

    async fn render(
        &self,
        request: Request<Streaming<RenderRequest>>,
    ) -> Result<Response<Self::RenderStream>, Status> {
        let mut steps = request.into_inner();
        // The next step is taken when the last was: who sends waits, as for a painting.
        let (answers, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut stage = Stage::default();
            while let Ok(Some(step)) = steps.message().await {
                let answer = stage.step(step);
                if let Some(answer) = answer.transpose()
                    && answers.send(answer.map_err(Status::from)).await.is_err()
                {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

impl LogRpc {
    fn unreadable(&self, name: &SessionName, error: &io::Error) -> Fault {
        if error.kind() != io::ErrorKind::NotFound {
            return broken(name, error);
        }
        if self.0.session(name.as_str()).is_ok() && !self.0.config.current().logs.transcripts {
            return Fault::new(Reason::NotFound, format!("session {name} has no transcript"))
                .hint("`transcripts` in [logs] of config.toml is false");
        }
        nothing(name)
    }
}

fn nothing(name: &SessionName) -> Fault {
    Fault::new(
        Reason::NotFound,
        format!("no session {:?} has left anything", shorten(name.as_str(), 80)),
    )
    .hint("list_sessions shows the open ones; `sshctl status` tells where the state is, with the files in `logs`")
}

fn broken(name: &SessionName, error: &io::Error) -> Fault {
    Fault::new(
        Reason::Internal,
        format!("the transcript of {name} cannot be read: {error}"),
    )
}

fn said(what: What) -> Result<ReadLogResponse, Status> {
    Ok(ReadLogResponse { what: Some(what) })
}

/// Passes on what is written, until the session is closed or nobody reads; says which.
async fn following(
    session: Arc<Session>,
    mut follower: Follower,
    pieces: &mpsc::Sender<Result<ReadLogResponse, Status>>,
) -> io::Result<String> {
    let name = session.name.clone();
    let mut writings = session.recorder.writings();
    let mut changes = session.changes();
    // Held by us it would not end.
    drop(session);
    let mut is_open = true;
    loop {
        let (bytes, back) = tokio::task::spawn_blocking(move || (follower.more(), follower))
            .await
            .map_err(io::Error::other)?;
        follower = back;
        let bytes = bytes?;
        if !bytes.is_empty() {
            if pieces.send(said(What::Text(bytes))).await.is_err() {
                return Ok(String::new());
            }
            continue;
        }
        if !is_open {
            return Ok(format!("session {name} was closed"));
        }
        tokio::select! {
            written = writings.changed() => is_open = written.is_ok(),
            () = async { while changes.changed().await.is_ok() {} } => is_open = false,
            () = pieces.closed() => return Ok(String::new()),
        }
    }
}

/// A recording on its way: the terminal that it was, and what the person's shows of it.
#[derive(Default)]
struct Stage {
    screen: Option<Screen>,
    window: (u16, u16),
    shown: Option<Painting>,
}

impl Stage {
    fn step(&mut self, step: RenderRequest) -> Result<Option<RenderResponse>, Fault> {
        let RenderRequest {
            size,
            window,
            output,
            paint,
            text,
        } = step;
        if output.len() > OUTPUT_MAX {
            return Err(Fault::new(
                Reason::TooLarge,
                "more than 1 MiB of a recording cannot be shown at once",
            ));
        }
        if window.is_some() {
            self.window = sides(window);
            self.shown = None;
        }
        let (cols, rows) = sides(size);
        match &mut self.screen {
            Some(screen) if size.is_some() => screen.resize(cols, rows),
            Some(_) => {}
            None => self.screen = Some(Screen::new(cols, rows, 0)),
        }
        let Some(screen) = &mut self.screen else {
            return Ok(None);
        };
        screen.feed(&output);
        // A recorded question has had its answer.
        screen.answers();
        if !paint && !text {
            return Ok(None);
        }
        let mut answer = RenderResponse::default();
        if paint {
            let painting = screen.paint(self.window.0, self.window.1);
            answer.painting = painting.since(self.shown.as_ref()).into_bytes();
            self.shown = Some(painting);
        }
        if text {
            let rows = screen.shot(0).rows;
            answer.text = rows.join("\n").trim_end().to_owned();
        }
        Ok(Some(answer))
    }
}

#[cfg(test)]
mod tests {
    use sshmcp_proto::v1::TerminalSize;

    use super::*;

    /// A recording is shown as the screen that it makes, and none of its sequences passes.
    #[test]
    fn rendered() {
        let mut stage = Stage::default();
        let size = |cols, rows| Some(TerminalSize { cols, rows });
        let output = b"one\x1b]52;c;ZXZpbA==\x07\x1b[6n\r\n\x1b[31mtwo\x1b[2;1Hx".to_vec();
        let step = RenderRequest {
            size: size(20, 5),
            window: size(30, 8),
            output,
            paint: true,
            text: true,
        };
        let answer = stage.step(step.clone()).unwrap().unwrap();
        assert_eq!(answer.text, "one\nxwo");
        assert!(!answer.painting.windows(2).any(|part| part == b"]5"));
        let again = RenderRequest {
            output: b"\x1b[Hy".to_vec(),
            paint: false,
            text: false,
            ..RenderRequest::default()
        };
        assert_eq!(stage.step(again).unwrap(), None);
        let text = RenderRequest {
            text: true,
            ..RenderRequest::default()
        };
        assert_eq!(stage.step(text).unwrap().unwrap().text, "yne\nxwo");
        let large = RenderRequest {
            output: vec![b'x'; OUTPUT_MAX + 1],
            ..step
        };
        assert_eq!(stage.step(large).unwrap_err().reason, Reason::TooLarge);
    }
}
