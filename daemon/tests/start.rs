//! The daemon as a process: started by many at once, ended in every way, and what is put in its way. Sessions are not
//! here.

#[path = "start/place.rs"]
mod place;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use sshmcp_proto::{
    client::connect,
    error::Fault,
    v1::{GetStatusRequest, Reason, ReloadRequest, StopRequest},
};
use tokio::task::JoinSet;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::place::{Place, mode, wait_for};

/// However many clients come at once, with or without what a crash left behind, they meet in one daemon.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_clients_start_one_daemon() {
    for round in 0..4 {
        let place = Place::new();
        if round % 2 == 1 {
            place.stale_socket();
        }
        let mut clients = JoinSet::new();
        for _ in 0..20 {
            clients.spawn(connect(place.options(true)));
        }
        let mut pids: Vec<u32> = clients
            .join_all()
            .await
            .into_iter()
            .map(|daemon| daemon.expect("connected").hello().pid)
            .collect();
        pids.dedup();
        assert_eq!(pids.len(), 1, "round {round}");
        assert_eq!(place.processes().len(), 1, "round {round}");
        assert_eq!(mode(&place.socket()), 0o600);
    }
}

/// What the daemon says of itself is true.
#[tokio::test]
async fn status_tells_where_things_are() {
    let place = Place::new();
    let daemon = place.connect(true).await.expect("connected");
    let answer = daemon.daemon().get_status(GetStatusRequest {}).await;
    let status = answer.expect("status").into_inner();
    let home = place.home().display().to_string();
    assert_eq!(status.socket, place.socket().display().to_string());
    assert!(status.state_dir.starts_with(&home), "{status:?}");
    assert!(status.config_path.starts_with(&home), "{status:?}");
    assert_eq!(status.started_by, "client");
    assert_eq!(status.clients, 1);
    assert_eq!(place.processes(), [i32::try_from(status.pid).expect("pid")]);
    assert_eq!(mode(Path::new(&status.state_dir)), 0o700);
    daemon.daemon().reload(ReloadRequest {}).await.expect("reload");
}

/// Tools that know nothing of us can ask whether we live.
#[tokio::test]
async fn health_is_served() {
    let place = Place::new();
    let daemon = place.connect(true).await.expect("connected");
    for service in ["", "sshmcp.v1.DaemonService"] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = HealthClient::new(daemon.wire())
            .check(request)
            .await
            .expect(service);
        assert_eq!(answer.into_inner().status, 1, "{service:?} is SERVING");
    }
}

/// Tools that know nothing of us can list what we serve.
#[tokio::test]
async fn reflection_is_served() {
    let place = Place::new();
    let daemon = place.connect(true).await.expect("connected");
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(
            "sshmcp.v1.DaemonService".into(),
        )),
    };
    let answer = ServerReflectionClient::new(daemon.wire())
        .server_reflection_info(tokio_stream::once(request))
        .await
        .expect("reflection")
        .into_inner()
        .message()
        .await
        .expect("one answer")
        .expect("one answer");
    let Some(MessageResponse::FileDescriptorResponse(files)) = answer.message_response else {
        panic!("{answer:?}");
    };
    assert!(!files.file_descriptor_proto.is_empty());
}

/// Headers without measure cost the caller its call, and nobody else anything.
#[tokio::test]
async fn huge_headers_do_no_harm() {
    let place = Place::new();
    let daemon = place.connect(true).await.expect("connected");
    let mut request = tonic::Request::new(GetStatusRequest {});
    let huge = "x".repeat(8 << 20).parse().expect("ascii");
    request.metadata_mut().insert("x-huge", huge);
    daemon
        .daemon()
        .get_status(request)
        .await
        .expect_err("8 MiB of headers");
    let again = place.connect(false).await.expect("served");
    assert_eq!(again.hello().pid, daemon.hello().pid);
}

/// A client that stays connected and reads nothing (this thread waits meanwhile) does not hold up the end.
#[tokio::test]
async fn a_connected_client_does_not_hold_it() {
    let place = Place::new();
    let daemon = place.connect(true).await.expect("connected");
    let begun = Instant::now();
    place.signal(Signal::INT);
    place.wait_until_gone();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(!daemon.alive().await);
}

/// SIGTERM ends it in good order: no socket, no process; the next client starts the next one.
#[tokio::test]
async fn sigterm_leaves_nothing() {
    let place = Place::new();
    let first = place.connect(true).await.expect("connected");
    place.signal(Signal::TERM);
    place.wait_until_gone();
    assert!(!place.socket().exists());
    let status = first.daemon().get_status(GetStatusRequest {}).await;
    assert_eq!(
        Fault::from(status.expect_err("gone")).reason,
        Reason::DaemonUnavailable
    );
    let fault = place.connect(false).await.expect_err("gone");
    assert_eq!(fault.reason, Reason::DaemonUnavailable);
    assert!(fault.hint.contains("sshctl daemon start"), "{fault:?}");
    let second = place.connect(true).await.expect("started again");
    assert_ne!(first.hello().pid, second.hello().pid);
}

/// A daemon that is killed leaves its socket; the next client does not stumble over it.
#[tokio::test]
async fn sigkill_is_survived() {
    let place = Place::new();
    let first = place.connect(true).await.expect("connected");
    place.signal(Signal::KILL);
    place.wait_until_gone();
    assert!(place.socket().exists());
    let second = place.connect(true).await.expect("started again");
    assert_ne!(first.hello().pid, second.hello().pid);
}

/// When `Stop` is answered, the daemon accepts nothing any more, and a new one can be started at once.
#[tokio::test]
async fn stop_answers_when_it_has_stopped_accepting() {
    let place = Place::new();
    for _ in 0..5 {
        let daemon = place.connect(true).await.expect("connected");
        let stopped = daemon.daemon().stop(StopRequest { force: false }).await;
        stopped.expect("stopped");
        place.connect(false).await.expect_err("stopped");
    }
    let daemon = place.connect(true).await.expect("started again");
    wait_for("the old ones to end", || place.processes().len() == 1);
    assert_eq!(
        place.processes(),
        [i32::try_from(daemon.hello().pid).expect("pid")]
    );
}

/// A second daemon on one socket goes away with words, and harms nothing.
#[tokio::test]
async fn a_second_daemon_is_refused() {
    let place = Place::new();
    let daemon = place.connect(true).await.expect("connected");
    let second = Command::new(place.daemon())
        .arg("--socket")
        .arg(place.socket())
        .stdin(Stdio::null())
        .output()
        .expect("run");
    assert_eq!(second.status.code(), Some(75));
    let words = String::from_utf8_lossy(&second.stderr);
    assert!(
        words.contains(&format!("process {}", daemon.hello().pid)),
        "{words}"
    );
    let again = place.connect(false).await.expect("still there");
    assert_eq!(again.hello().pid, daemon.hello().pid);
}

/// A file in the socket's place is somebody's file: it stays, and the client reads why nothing starts.
#[tokio::test]
async fn a_regular_file_is_not_removed() {
    let place = Place::new();
    fs::create_dir(place.run()).expect("run");
    fs::write(place.socket(), "precious").expect("write");
    let fault = place.connect(true).await.expect_err("refused");
    assert_eq!(fault.reason, Reason::DaemonUnavailable);
    assert!(fault.message.contains("is not a socket"), "{fault:?}");
    assert_eq!(fs::read_to_string(place.socket()).expect("read"), "precious");
}

/// Where others may write, no socket is put.
#[tokio::test]
async fn an_open_directory_is_refused() {
    let place = Place::new();
    fs::create_dir(place.run()).expect("run");
    fs::set_permissions(place.run(), fs::Permissions::from_mode(0o777)).expect("chmod");
    let fault = place.connect(true).await.expect_err("refused");
    assert!(fault.message.contains("written by others"), "{fault:?}");
}

/// A daemon that cannot be run is told with how to mend it.
#[tokio::test]
async fn a_missing_daemon_is_told() {
    let place = Place::new();
    let mut options = place.options(true);
    options.daemon = Some("/nowhere/sshmcpd".into());
    let fault = connect(options).await.expect_err("nothing to run");
    assert_eq!(fault.reason, Reason::DaemonUnavailable);
    assert!(fault.hint.contains("SSHMCP_DAEMON"), "{fault:?}");
}

/// What is no daemon of ours is not waited for without end.
#[tokio::test]
async fn a_deaf_server_is_told() {
    let place = Place::new();
    fs::create_dir(place.run()).expect("run");
    let _deaf = UnixListener::bind(place.socket()).expect("bind");
    let begun = Instant::now();
    let fault = place.connect(true).await.expect_err("deaf");
    assert_eq!(fault.reason, Reason::DaemonUnavailable);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// Other protocols and silence on the socket are closed or cost nothing; the next client is served.
#[tokio::test]
async fn garbage_and_silence_do_no_harm() {
    let place = Place::new();
    let daemon = place.connect(true).await.expect("connected");
    let silent: Vec<UnixStream> = (0..400)
        .filter_map(|_| UnixStream::connect(place.socket()).ok())
        .collect();
    let tls = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[0; 64]].concat();
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"[..],
        &tls,
        &[0xff; 100_000],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\xff\xff\x01\x25\x00\x00\x00\x01garbage",
    ] {
        let mut stream = UnixStream::connect(place.socket()).expect("connect");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("timeout");
        // It may be closed before all is written.
        let _closed = stream.write_all(garbage);
        let _closed = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => assert!(answer.len() < 1000),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    }
    let again = place.connect(false).await.expect("served");
    assert_eq!(again.hello().pid, daemon.hello().pid);
    drop(silent);
}
