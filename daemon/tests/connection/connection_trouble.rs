//! Ports that do not answer as a server should: each its own code, sentence and hint, in bounded time.

use std::time::{Duration, Instant};

use sshmcp_proto::{error::Fault, v1::Reason};
use sshmcpd::{
    connection::{Pool, PoolSettings},
    host::Target,
};

use crate::{
    fake::{hangs_up, says},
    sshd::free_port,
    target::{Home, Scene, pty, refused},
};

/// The fault, and that it came in time.
async fn fault_of(target: &Target, within: Duration) -> Fault {
    let start = Instant::now();
    let fault = refused(&Pool::new(PoolSettings::default()), target).await;
    assert!(
        start.elapsed() < within,
        "{:?}: {}",
        start.elapsed(),
        fault.message
    );
    assert!(!fault.hint.is_empty());
    fault
}

/// Nobody listens.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port() {
    let target = Home::new().target(free_port());
    let fault = fault_of(&target, Duration::from_secs(5)).await;
    assert_eq!(fault.reason, Reason::Unreachable);
    assert!(fault.retryable);
    let want = format!("127.0.0.1:{}: connection refused", target.port);
    assert!(fault.message.contains(&want), "{}", fault.message);
}

/// Somebody listens and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_port() {
    let server = says("").await;
    let mut target = Home::new().target(server.port);
    target.connect_timeout = Duration::from_millis(300);
    let fault = fault_of(&target, Duration::from_secs(5)).await;
    assert_eq!(fault.reason, Reason::Unreachable);
    assert!(fault.message.contains("says nothing"), "{}", fault.message);
}

/// Somebody speaks another protocol; its words are harmless.
#[tokio::test(flavor = "multi_thread")]
async fn another_protocol() {
    let server = says("\u{1b}[2JHTTP/1.1 400 Bad Request\r\n\r\n").await;
    let mut target = Home::new().target(server.port);
    target.connect_timeout = Duration::from_millis(300);
    let fault = fault_of(&target, Duration::from_secs(5)).await;
    assert_eq!(fault.reason, Reason::Unreachable);
    assert!(
        fault.message.contains("HTTP/1.1 400 Bad Request"),
        "{}",
        fault.message
    );
    assert!(!fault.message.contains('\u{1b}'));
}

/// A greeting, and then silence or nonsense.
#[tokio::test(flavor = "multi_thread")]
async fn a_greeting_and_no_more() {
    let after: [&'static str; 3] = [
        "SSH-2.0-x\r\n",
        "SSH-2.0-x\r\nnonsense nonsense nonsense",
        "SSH-2.0-x\r\n\0\0\0\u{1}",
    ];
    for text in after {
        let server = says(text).await;
        let mut target = Home::new().target(server.port);
        target.connect_timeout = Duration::from_millis(500);
        let fault = fault_of(&target, Duration::from_secs(5)).await;
        assert_eq!(fault.reason, Reason::Unreachable, "{}", fault.message);
        assert!(fault.message.contains("key exchange"), "{}", fault.message);
    }
}

/// A name that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name() {
    let mut target = Home::new().target(22);
    target.hostname = "no-such-host.invalid".to_owned();
    let fault = fault_of(&target, Duration::from_secs(15)).await;
    assert_eq!(fault.reason, Reason::HostNotFound);
    assert!(
        fault.message.contains("no-such-host.invalid"),
        "{}",
        fault.message
    );
}

/// A server that drops logins because too many come at once is tried again, but not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_logins_are_tried_again() {
    let scene = Scene::new("");
    let busy = hangs_up(2, scene.sshd.port).await;
    let mut target = scene.target.clone();
    target.port = busy.port;
    scene.home.know_as(&format!(
        "[127.0.0.1]:{} {}",
        busy.port,
        scene.sshd.host_key("ed25519")
    ));
    scene
        .pool
        .open_shell(&target, pty())
        .await
        .expect("a shell in the end");

    let gone = hangs_up(usize::MAX, scene.sshd.port).await;
    target.port = gone.port;
    let fault = fault_of(&target, Duration::from_secs(10)).await;
    assert_eq!(fault.reason, Reason::Unreachable);
    assert!(
        fault.message.contains("before the server's greeting"),
        "{}",
        fault.message
    );
}
