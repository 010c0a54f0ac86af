//! A daemon that answers from a script, and `sshctl` beside it. Knows no SSH.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use sshmcp_proto::PROTOCOL;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::command_service_server::{CommandService, CommandServiceServer};
use sshmcp_proto::v1::daemon_service_server::{DaemonService, DaemonServiceServer};
use sshmcp_proto::v1::host_service_server::{HostService, HostServiceServer};
use sshmcp_proto::v1::terminal_service_server::{TerminalService, TerminalServiceServer};
use sshmcp_proto::v1::{self, CommandStatus, Stream, execute_event, follow_output_event};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::{Notify, oneshot};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use crate::patient;

/// A daemon whose commands do what their text names.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// Signals that were sent, in order.
    pub(crate) signals: Arc<Mutex<Vec<v1::Signal>>>,
    /// Told when INT arrives.
    interrupted: Arc<Notify>,
    /// Fingerprints that were trusted.
    pub(crate) trusted: Arc<Mutex<Vec<String>>>,
    /// What was typed as a secret.
    pub(crate) typed: Arc<Mutex<Vec<v1::SendInputRequest>>>,
    /// Where it says that its state is.
    pub(crate) state_dir: Arc<Mutex<String>>,
    /// The protocol that it says it speaks, if not ours.
    pub(crate) protocol: Arc<Mutex<Option<u32>>>,
}

fn command(status: CommandStatus, exit_code: Option<i32>) -> v1::Command {
    v1::Command {
        id: "c1".into(),
        session: "web1".into(),
        status: status.into(),
        exit_code,
        prompt: (status == CommandStatus::AwaitingInput).then(|| v1::Prompt {
            text: "Pass\x1b[2Jword: ".into(),
            echo: false,
            source: "terminal".into(),
            keys: false,
        }),
        ..v1::Command::default()
    }
}

fn event(event: execute_event::Event) -> Result<v1::ExecuteEvent, Status> {
    Ok(v1::ExecuteEvent { event: Some(event) })
}

fn accepted() -> Result<v1::ExecuteEvent, Status> {
    event(execute_event::Event::Accepted(v1::Accepted {
        command_id: "c1".into(),
        session: "web1".into(),
    }))
}

fn output(stream: Stream, data: &[u8]) -> Result<v1::ExecuteEvent, Status> {
    event(execute_event::Event::Output(chunk(stream, data)))
}

fn chunk(stream: Stream, data: &[u8]) -> v1::OutputChunk {
    v1::OutputChunk {
        stream: stream.into(),
        data: data.to_vec(),
        offset: 0,
    }
}

fn result(status: CommandStatus, exit_code: Option<i32>) -> Result<v1::ExecuteEvent, Status> {
    event(execute_event::Event::Result(command(status, exit_code)))
}

#[tonic::async_trait]
impl CommandService for Script {
    type ExecuteStream = BoxStream<'static, Result<v1::ExecuteEvent, Status>>;
    type FollowOutputStream = BoxStream<'static, Result<v1::FollowOutputEvent, Status>>;

    async fn execute(
        &self,
        request: Request<v1::ExecuteRequest>,
    ) -> Result<Response<Self::ExecuteStream>, Status> {
        let request = request.into_inner();
        assert!(request.unbounded_wait, "sshctl has no time limit of its own");
        let events: Self::ExecuteStream = match request.command.as_str() {
            "apart" => stream::iter([
                accepted(),
                output(Stream::Stdout, b"out \x1b[2J\xff\n"),
                output(Stream::Stderr, b"err\n"),
                result(CommandStatus::Completed, Some(7)),
            ])
            .boxed(),
            "echo stdin" => stream::iter([
                accepted(),
                output(Stream::Stdout, &request.stdin.unwrap_or_default()),
                result(CommandStatus::Completed, Some(0)),
            ])
            .boxed(),
            "lost" => stream::iter([accepted(), result(CommandStatus::Lost, None)]).boxed(),
            "late" => stream::iter([accepted(), result(CommandStatus::Running, None)]).boxed(),
            "ask" => stream::iter([accepted(), result(CommandStatus::AwaitingInput, None)]).boxed(),
            "flood" => stream::iter([accepted()])
                .chain(stream::repeat_with(|| output(Stream::Stdout, &[b'y'; 4096])))
                .boxed(),
            "polite" => {
                let interrupted = Arc::clone(&self.interrupted);
                stream::iter([accepted(), output(Stream::Stdout, b"started\n")])
                    .chain(stream::once(async move {
                        interrupted.notified().await;
                        result(CommandStatus::Interrupted, Some(130))
                    }))
                    .boxed()
            }
            "stubborn" => stream::iter([accepted(), output(Stream::Stdout, b"started\n")])
                .chain(stream::pending())
                .boxed(),
            "busy" => {
                let fault = Fault::new(v1::Reason::SessionBusy, "c9 holds the session").hint("wait for c9");
                return Err(fault.into());
            }
            other => panic!("no such script: {other}"),
        };
        Ok(Response::new(events))
    }

    async fn follow_output(
        &self,
        _: Request<v1::FollowOutputRequest>,
    ) -> Result<Response<Self::FollowOutputStream>, Status> {
        let event = |event| Ok(v1::FollowOutputEvent { event: Some(event) });
        let events = [
            event(follow_output_event::Event::Output(chunk(
                Stream::Stdout,
                b"thanks\n",
            ))),
            event(follow_output_event::Event::Result(command(
                CommandStatus::Completed,
                Some(0),
            ))),
        ];
        Ok(Response::new(stream::iter(events).boxed()))
    }

    async fn interrupt(
        &self,
        request: Request<v1::InterruptRequest>,
    ) -> Result<Response<v1::InterruptResponse>, Status> {
        let signal = request.into_inner().signal();
        self.signals.lock().expect("not poisoned").push(signal);
        self.interrupted.notify_one();
        Ok(Response::new(v1::InterruptResponse::default()))
    }

    async fn list_commands(
        &self,
        _: Request<v1::ListCommandsRequest>,
    ) -> Result<Response<v1::ListCommandsResponse>, Status> {
        Ok(Response::new(v1::ListCommandsResponse::default()))
    }

    async fn get_output(
        &self,
        _: Request<v1::GetOutputRequest>,
    ) -> Result<Response<v1::GetOutputResponse>, Status> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn wait(&self, _: Request<v1::WaitRequest>) -> Result<Response<v1::WaitResponse>, Status> {
        Err(Status::unimplemented("not in the script"))
    }
}

#[tonic::async_trait]
impl DaemonService for Script {
    async fn hello(&self, _: Request<v1::HelloRequest>) -> Result<Response<v1::HelloResponse>, Status> {
        Ok(Response::new(v1::HelloResponse {
            protocol: self.protocol.lock().expect("not poisoned").unwrap_or(PROTOCOL),
            version: "0".into(),
            pid: std::process::id(),
        }))
    }

    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        Ok(Response::new(v1::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            state_dir: self.state_dir.lock().expect("not poisoned").clone(),
            ..v1::GetStatusResponse::default()
        }))
    }

    async fn reload(&self, _: Request<v1::ReloadRequest>) -> Result<Response<v1::ReloadResponse>, Status> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn stop(&self, _: Request<v1::StopRequest>) -> Result<Response<v1::StopResponse>, Status> {
        Err(Status::unimplemented("not in the script"))
    }
}

/// The fingerprint of the key that every scripted host has.
pub(crate) const FINGERPRINT: &str = "SHA256:2nonw17hnRcrJVswZPwFH7m34WaK3qURopegHSPILrU";

#[tonic::async_trait]
impl HostService for Script {
    type LoginStream = BoxStream<'static, Result<v1::LoginResponse, Status>>;

    async fn login(
        &self,
        _: Request<tonic::Streaming<v1::LoginRequest>>,
    ) -> Result<Response<Self::LoginStream>, Status> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn examine_host(
        &self,
        request: Request<v1::ExamineHostRequest>,
    ) -> Result<Response<v1::ExamineHostResponse>, Status> {
        let host = request.into_inner().host.unwrap_or_default().host;
        let known = v1::ExamineHostResponse {
            target: format!("u@{host}:22"),
            host_key_state: "trusted".into(),
            fingerprint: FINGERPRINT.into(),
            server: "SSH-2.0-\x1b[2JOpenSSH".into(),
            ..v1::ExamineHostResponse::default()
        };
        match host.as_str() {
            "good" => Ok(Response::new(known)),
            "slow" => Ok(Response::new(v1::ExamineHostResponse {
                steps: vec![v1::Step {
                    name: "login".into(),
                    ms: 9000,
                }],
                ..known
            })),
            "unknown" => Ok(Response::new(v1::ExamineHostResponse {
                host_key_state: "unknown".into(),
                server: String::new(),
                ..known
            })),
            _ => Err(Fault::new(v1::Reason::HostNotFound, "there is no such host")
                .hint("check its spelling")
                .into()),
        }
    }

    async fn scan_host_key(
        &self,
        request: Request<v1::ScanHostKeyRequest>,
    ) -> Result<Response<v1::ScanHostKeyResponse>, Status> {
        // The name of a scripted host is the state of its key.
        let state = request.into_inner().host.unwrap_or_default().host;
        Ok(Response::new(v1::ScanHostKeyResponse {
            known_hosts_name: format!("[{state}.example]:2222"),
            key: Some(v1::HostKey {
                algorithm: "ssh-ed25519".into(),
                fingerprint: FINGERPRINT.into(),
                openssh: "ssh-ed25519 AAAA".into(),
            }),
            state,
            known: "SHA256:other in known_hosts:3".into(),
            known_hosts_file: "known_hosts".into(),
        }))
    }

    async fn trust_host_key(
        &self,
        request: Request<v1::TrustHostKeyRequest>,
    ) -> Result<Response<v1::TrustHostKeyResponse>, Status> {
        let fingerprint = request.into_inner().fingerprint;
        self.trusted.lock().expect("not poisoned").push(fingerprint);
        Ok(Response::new(v1::TrustHostKeyResponse {
            known_hosts_file: "known_hosts".into(),
            added: true,
        }))
    }

    async fn list_hosts(
        &self,
        _: Request<v1::ListHostsRequest>,
    ) -> Result<Response<v1::ListHostsResponse>, Status> {
        Err(Status::unimplemented("not in the script"))
    }
}

#[tonic::async_trait]
impl TerminalService for Script {
    type AttachStream = BoxStream<'static, Result<v1::AttachResponse, Status>>;

    async fn attach(
        &self,
        _: Request<tonic::Streaming<v1::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn send_input(
        &self,
        request: Request<v1::SendInputRequest>,
    ) -> Result<Response<v1::SendInputResponse>, Status> {
        self.typed
            .lock()
            .expect("not poisoned")
            .push(request.into_inner());
        Ok(Response::new(v1::SendInputResponse {
            terminal: Some(v1::GetTerminalResponse {
                text: "welcome\x1b]0;title\x07 in\n".into(),
                ..v1::GetTerminalResponse::default()
            }),
            settled: true,
            why: "prompt".into(),
            command: None,
        }))
    }

    async fn get_terminal(
        &self,
        _: Request<v1::GetTerminalRequest>,
    ) -> Result<Response<v1::GetTerminalResponse>, Status> {
        Err(Status::unimplemented("not in the script"))
    }
}

/// The scripted daemon, running until dropped.
pub(crate) struct Daemon {
    pub(crate) script: Script,
    pub(crate) directory: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let script = Script::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let (listening, is_listening) = std::sync::mpsc::channel();
        let (service, path) = (script.clone(), directory.path().join("s"));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = UnixListener::bind(path).expect("bound");
                listening.send(()).expect("awaited");
                let serving = Server::builder()
                    .add_service(CommandServiceServer::new(service.clone()))
                    .add_service(HostServiceServer::new(service.clone()))
                    .add_service(TerminalServiceServer::new(service.clone()))
                    .add_service(DaemonServiceServer::new(service))
                    .serve_with_incoming(UnixListenerStream::new(listener));
                tokio::select! {
                    served = serving => served.expect("served"),
                    _ = stopped => {}
                }
            });
        });
        is_listening.recv().expect("listening");
        Self {
            script,
            directory,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// `sshctl` in a sealed environment, talking to this daemon.
    pub(crate) fn sshctl(&self) -> Command {
        let mut sshctl = Command::new(env!("CARGO_BIN_EXE_sshctl"));
        sshctl
            .env_clear()
            .env("HOME", self.directory.path())
            .env("SSHMCP_SOCKET", self.socket());
        sshctl
    }

    /// Starts `sshctl exec … -- TEXT`.
    pub(crate) fn exec(&self, options: &[&str], text: &str) -> Child {
        self.sshctl()
            .args(["exec", "web1"])
            .args(options)
            .args(["--", text])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sshctl runs")
    }

    pub(crate) fn run(&self, options: &[&str], text: &str) -> Output {
        patient::output(self.exec(options, text))
    }

    pub(crate) fn signals(&self) -> Vec<v1::Signal> {
        self.script.signals.lock().expect("not poisoned").clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || thread::panicking(),
                "the scripted daemon panicked"
            );
        }
    }
}
