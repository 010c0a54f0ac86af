//! `sshctl exec` against a scripted daemon: streams, exit codes, Ctrl-C and questions, without any SSH.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use rustix::process::{Pid, Signal, kill_process};
use sshmcp_proto::PROTOCOL;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::command_service_server::{CommandService, CommandServiceServer};
use sshmcp_proto::v1::daemon_service_server::{DaemonService, DaemonServiceServer};
use sshmcp_proto::v1::{self, CommandStatus, Stream, execute_event, follow_output_event};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::{Notify, oneshot};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// A daemon whose commands do what their text names.
#[derive(Clone, Default)]
struct Script {
    /// Signals that were sent, in order.
    signals: Arc<Mutex<Vec<v1::Signal>>>,
    /// Told when INT arrives.
    interrupted: Arc<Notify>,
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
            protocol: PROTOCOL,
            version: "0".into(),
            pid: std::process::id(),
        }))
    }

    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn reload(&self, _: Request<v1::ReloadRequest>) -> Result<Response<v1::ReloadResponse>, Status> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn stop(&self, _: Request<v1::StopRequest>) -> Result<Response<v1::StopResponse>, Status> {
        Err(Status::unimplemented("not in the script"))
    }
}

/// The scripted daemon, running until dropped.
struct Daemon {
    script: Script,
    directory: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Daemon {
    fn start() -> Self {
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

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// Starts `sshctl exec … -- TEXT`.
    fn exec(&self, options: &[&str], text: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_sshctl"))
            .args(["exec", "web1"])
            .args(options)
            .args(["--", text])
            .env_clear()
            .env("HOME", self.directory.path())
            .env("SSHMCP_SOCKET", self.socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sshctl runs")
    }

    fn run(&self, options: &[&str], text: &str) -> Output {
        self.exec(options, text).wait_with_output().expect("sshctl ends")
    }

    fn signals(&self) -> Vec<v1::Signal> {
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn press_ctrl_c(child: &Child) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
}

/// In a pipe every byte comes as it is, each stream where it belongs, and the exit code is the command's.
#[test]
fn streams_and_exit_code() {
    let output = Daemon::start().run(&[], "apart");
    assert_eq!(output.stdout, b"out \x1b[2J\xff\n");
    assert_eq!(text(&output.stderr), "err\n");
    assert_eq!(output.status.code(), Some(7));
}

/// What is piped in reaches the command whole, but only when asked for, and only so much.
#[test]
fn standard_input() {
    let daemon = Daemon::start();
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    for (options, input, expected, code) in [
        (&["-i"][..], bytes.clone(), bytes, 0),
        (&[][..], b"x".to_vec(), Vec::new(), 0),
        (&["-i"][..], vec![b'x'; (1 << 20) + 1], Vec::new(), 81),
    ] {
        let mut child = daemon.exec(options, "echo stdin");
        let mut stdin = child.stdin.take().expect("piped");
        // A program that takes no input may have closed it already.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("sshctl ends");
        writer.join().expect("no panic");
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert!(
            output.stdout == expected,
            "{} bytes came back",
            output.stdout.len()
        );
    }
}

/// Ends without an exit code have documented ones.
#[test]
fn other_ends() {
    let daemon = Daemon::start();
    for (options, script, code, words) in [
        (&[][..], "lost", 89, "not run again"),
        (&["--timeout", "0.1"][..], "ask", 0, "sshctl send c1 --secret"),
        (&["--json"][..], "late", 90, ""),
        (&[][..], "busy", 75, "wait for c9"),
    ] {
        let output = daemon.run(options, script);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{script}: {stderr}");
        assert!(stderr.contains(words), "{script}: {stderr}");
    }
}

/// A question is told, harmlessly, and the run goes on to the command's end.
#[test]
fn question() {
    let output = Daemon::start().run(&[], "ask");
    let stderr = text(&output.stderr);
    assert_eq!(
        (text(&output.stdout).as_str(), output.status.code()),
        ("thanks\n", Some(0))
    );
    assert!(
        stderr.contains("asks \"Password:\"") && stderr.contains("sshctl send c1 --secret"),
        "{stderr}"
    );
    assert!(!stderr.contains('\x1b'), "{stderr:?}");
}

/// Ctrl-C is the command's; its own end is what sshctl exits with.
#[test]
fn ctrl_c_goes_to_the_command() {
    let daemon = Daemon::start();
    let mut child = daemon.exec(&[], "polite");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut line).expect("text");
    press_ctrl_c(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(daemon.signals(), [v1::Signal::Int]);
}

/// A command that will not end: the second press sends TERM, the third leaves it and says where it is.
#[test]
fn third_ctrl_c_leaves() {
    let daemon = Daemon::start();
    let mut child = daemon.exec(&[], "stubborn");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut line).expect("text");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    for words in ["SIGTERM", "leave it running"] {
        press_ctrl_c(&child);
        line.clear();
        stderr.read_line(&mut line).expect("text");
        assert!(
            line.contains("c1 is still running") && line.contains(words),
            "{line}"
        );
    }
    press_ctrl_c(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(90));
    assert!(rest.contains("c1 goes on without you"), "{rest}");
    assert_eq!(daemon.signals(), [v1::Signal::Int, v1::Signal::Term]);
}

/// `sshctl exec … | head` ends when nobody reads any more, without a word.
#[test]
fn broken_pipe() {
    let daemon = Daemon::start();
    let mut child = daemon.exec(&[], "flood");
    let mut some = [0; 64];
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut some).expect("output");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(141), "")
    );
}
