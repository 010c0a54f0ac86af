//! A daemon of scripts: what a command's text says is what its stream does. It runs nothing.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use sshmcp_proto::v1::{
    Accepted, Client, Command, CommandStatus, Completion, ExecuteEvent, ExecuteRequest, FollowOutputEvent,
    FollowOutputRequest, GetOutputRequest, GetOutputResponse, GetStatusRequest, GetStatusResponse,
    HelloRequest, HelloResponse, InterruptRequest, InterruptResponse, ListCommandsRequest,
    ListCommandsResponse, Progress, ReloadRequest, ReloadResponse, StopRequest, StopResponse, WaitRequest,
    WaitResponse,
    command_service_server::{CommandService, CommandServiceServer},
    daemon_service_server::{DaemonService, DaemonServiceServer},
    execute_event::Event,
};
use tempfile::TempDir;
use tokio::{net::UnixListener, sync::oneshot};
use tokio_stream::{Stream, wrappers::UnixListenerStream};
use tonic::{Request, Response, Status, transport::Server};

/// A served socket; dropping it ends the service and every connection.
pub(crate) struct Fake {
    pub(crate) seen: Arc<Seen>,
    socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    served: Option<thread::JoinHandle<()>>,
}

/// What the daemon saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// How many commands were asked for.
    pub(crate) executed: AtomicU32,
    /// How often the handshake was made.
    pub(crate) greeted: AtomicU32,
    /// How many waits were asked for.
    pub(crate) waited: AtomicU32,
    /// The protocol that it says it speaks; the client's where none is set.
    pub(crate) protocol: Mutex<Option<u32>>,
}

/// Held while a process is started and while a daemon ends: a child has copies of all descriptors until it is another
/// program, and a connection of which there is a copy has not ended.
pub(crate) static FORKS: Mutex<()> = Mutex::new(());

impl Fake {
    /// Serves on a socket in `home`.
    pub(crate) fn serve(home: &TempDir) -> (Self, mpsc::Receiver<String>) {
        let socket = home.path().join("d.sock");
        let _stale = std::fs::remove_file(&socket);
        let seen = Arc::new(Seen::default());
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        let service = Service {
            seen: Arc::clone(&seen),
            tell,
        };
        let path = socket.clone();
        let served = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = UnixListener::bind(&path).expect("bound");
                ready.send(()).expect("awaited");
                let serving = Server::builder()
                    .add_service(CommandServiceServer::new(service.clone()))
                    .add_service(DaemonServiceServer::new(service))
                    .serve_with_incoming(UnixListenerStream::new(listener));
                tokio::select! {
                    done = serving => done.expect("served"),
                    _ = stopped => {}
                }
            });
            // Connections are tasks of their own.
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
        is_ready.recv().expect("it serves");
        let fake = Self {
            seen,
            socket,
            stop: Some(stop),
            served: Some(served),
        };
        (fake, told)
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _no_copy = FORKS.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.stop.take());
        if let Some(served) = self.served.take() {
            served.join().expect("the daemon's thread did not panic");
        }
        let _gone = std::fs::remove_file(&self.socket);
    }
}

#[derive(Clone)]
struct Service {
    seen: Arc<Seen>,
    tell: mpsc::Sender<String>,
}

/// Tells when the caller has dropped the stream.
struct Waited(mpsc::Sender<String>);

impl Drop for Waited {
    fn drop(&mut self) {
        let _told = self.0.send("dropped".to_owned());
    }
}

fn accepted() -> Event {
    Event::Accepted(Accepted {
        command_id: "c7".to_owned(),
        session: "web".to_owned(),
    })
}

fn result(status: CommandStatus, text: &str) -> Event {
    let over = status == CommandStatus::Completed;
    Event::Result(Command {
        id: "c7".to_owned(),
        session: "web".to_owned(),
        status: status.into(),
        exit_code: over.then_some(3),
        stdout: text.as_bytes().to_vec(),
        stderr: Some(Vec::new()),
        completion: if over { Completion::Exact.into() } else { 0 },
        ..Command::default()
    })
}

type Events = Pin<Box<dyn Stream<Item = Result<ExecuteEvent, Status>> + Send>>;

#[tonic::async_trait]
impl CommandService for Service {
    type ExecuteStream = Events;
    type FollowOutputStream = tokio_stream::Empty<Result<FollowOutputEvent, Status>>;

    async fn execute(&self, request: Request<ExecuteRequest>) -> Result<Response<Events>, Status> {
        self.seen.executed.fetch_add(1, Ordering::SeqCst);
        let who = request
            .metadata()
            .get_bin("sshmcp-client-bin")
            .and_then(|value| value.to_bytes().ok());
        let who = who
            .and_then(|bytes| <Client as prost::Message>::decode(bytes).ok())
            .unwrap_or_default();
        let asked = request.into_inner();
        let progress = |elapsed_ms| {
            Event::Progress(Progress {
                elapsed_ms,
                total_bytes: 48_213,
                last_line: "50 %".to_owned(),
            })
        };
        let mut hold = None;
        let events = match asked.command.as_str() {
            "who" => vec![
                accepted(),
                result(CommandStatus::Completed, &format!("{} {}", who.program, who.name)),
            ],
            "ask" => {
                let text = format!(
                    "{} {} {}",
                    asked.timeout_ms, asked.progress_ms, asked.output_limit
                );
                vec![accepted(), result(CommandStatus::Completed, &text)]
            }
            "slow" => vec![
                accepted(),
                progress(3_000),
                progress(3_000),
                result(CommandStatus::Running, ""),
            ],
            "break" => vec![accepted()],
            _ => {
                hold = Some(Waited(self.tell.clone()));
                self.tell.send("started".to_owned()).expect("heard");
                vec![accepted()]
            }
        };
        let sent = tokio_stream::iter(
            events
                .into_iter()
                .map(|event| Ok(ExecuteEvent { event: Some(event) })),
        );
        Ok(Response::new(match hold {
            None => Box::pin(sent),
            Some(waited) => {
                let forever = tokio_stream::StreamExt::filter(tokio_stream::pending(), move |_| {
                    let _kept = &waited;
                    true
                });
                Box::pin(tokio_stream::StreamExt::chain(sent, forever))
            }
        }))
    }

    async fn list_commands(
        &self,
        _: Request<ListCommandsRequest>,
    ) -> Result<Response<ListCommandsResponse>, Status> {
        Ok(Response::new(ListCommandsResponse::default()))
    }

    async fn get_output(&self, _: Request<GetOutputRequest>) -> Result<Response<GetOutputResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn follow_output(
        &self,
        _: Request<FollowOutputRequest>,
    ) -> Result<Response<Self::FollowOutputStream>, Status> {
        Err(Status::unimplemented(""))
    }

    /// The first call is lost, as with a connection that ends under it.
    async fn wait(&self, _: Request<WaitRequest>) -> Result<Response<WaitResponse>, Status> {
        match self.seen.waited.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Status::unavailable("")),
            _ => Ok(Response::new(WaitResponse::default())),
        }
    }

    async fn interrupt(&self, _: Request<InterruptRequest>) -> Result<Response<InterruptResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tonic::async_trait]
impl DaemonService for Service {
    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        self.seen.greeted.fetch_add(1, Ordering::SeqCst);
        let spoken = *self.seen.protocol.lock().expect("not poisoned");
        Ok(Response::new(HelloResponse {
            protocol: spoken.unwrap_or(request.into_inner().protocol),
            version: "0".to_owned(),
            pid: 1,
        }))
    }

    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<GetStatusResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn stop(&self, _: Request<StopRequest>) -> Result<Response<StopResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}
