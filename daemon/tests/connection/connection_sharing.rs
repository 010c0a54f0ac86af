//! Who shares a connection with whom, and through whom.

use std::time::Duration;

use sshmcp_proto::v1::Reason;
use sshmcpd::connection::{Pool, PoolSettings};

use crate::{
    sshd::Sshd,
    target::{Home, Scene, drain, pty, public, refused},
};

/// Eight shells at once on a target without a connection make one login.
#[tokio::test(flavor = "multi_thread")]
async fn openings_at_once_share_a_login() {
    let scene = Scene::new("");
    let openings = (0..8).map(|_| scene.pool.open_shell(&scene.target, pty()));
    let opened = futures::future::try_join_all(openings)
        .await
        .expect("eight shells");
    assert_eq!(scene.pool.connections(), 1);
    assert_eq!(opened.len(), 8);
}

/// Where the server gives one channel a connection, a second connection is made for the second channel, and a
/// place that has become free is used again.
#[tokio::test(flavor = "multi_thread")]
async fn max_sessions_one() {
    let scene = Scene::new("MaxSessions 1");
    let (first, _shell) = scene.shell().await;
    let exec = || scene.pool.open_exec(&scene.target, &first, "echo here");
    let (second, mut channel) = exec().await.expect("a channel elsewhere");
    assert_ne!(first.id(), second.id());
    assert_eq!(drain(&mut channel).await.stdout, "here\n");
    drop(channel);
    // sshd frees the place a moment after it closed the channel; until then further connections serve.
    loop {
        let (on, mut channel) = exec().await.expect("a channel again");
        assert_eq!(drain(&mut channel).await.stdout, "here\n");
        if on.id() == second.id() {
            break;
        }
    }
    assert!(scene.pool.connections() <= 4, "{}", scene.pool.connections());
}

/// Twelve shells with two to a connection, all at once.
#[tokio::test(flavor = "multi_thread")]
async fn max_sessions_two_in_a_crowd() {
    let scene = Scene::new("MaxSessions 2");
    let openings = (0..12).map(|_| scene.pool.open_shell(&scene.target, pty()));
    let opened = futures::future::try_join_all(openings)
        .await
        .expect("twelve shells");
    assert_eq!(opened.len(), 12);
    // Six would do; a refusal that crosses another opening's answer may cost one more, but nobody takes two.
    assert!(
        (6..=12).contains(&scene.pool.connections()),
        "{}",
        scene.pool.connections()
    );
}

/// A server that opens no channel at all is not besieged.
#[tokio::test(flavor = "multi_thread")]
async fn no_sessions_at_all() {
    let scene = Scene::new("MaxSessions 0");
    let fault = scene.refused().await;
    assert_eq!(fault.reason, Reason::LimitReached);
    assert_eq!(scene.pool.connections(), 1);
}

/// A connection that nobody uses is closed after a while; one that is used is not.
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_go() {
    let mut scene = Scene::new("");
    scene.pool = Pool::new(PoolSettings {
        idle: Duration::from_millis(50),
    });
    let (connection, shell) = scene.shell().await;
    tokio::select! {
        cause = connection.closed() => panic!("closed in use: {cause}"),
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
    }
    drop(shell);
    assert!(connection.closed().await.contains("nobody used"));
    assert_eq!(scene.pool.connections(), 0);
}

/// Closing a target and shutting down leave no connection.
#[tokio::test(flavor = "multi_thread")]
async fn closing_is_complete() {
    let scene = Scene::new("");
    let (connection, mut shell) = scene.shell().await;
    scene.pool.close_target(&scene.target.key()).await;
    drain(&mut shell).await;
    assert!(connection.closed().await.contains("on request"));
    let (connection, mut shell) = scene.shell().await;
    scene.pool.shutdown().await;
    drain(&mut shell).await;
    assert!(connection.closed().await.contains("ending"));
    assert_eq!(scene.pool.connections(), 0);
}

/// A target behind two jump hosts is reached; the hops' connections are shared with those who go there directly.
#[tokio::test(flavor = "multi_thread")]
async fn through_jump_hosts() {
    let home = Home::new();
    let key = home.key("id", "ed25519", "");
    let servers = [(); 3].map(|()| Sshd::start(&[&public(&key)], "AllowTcpForwarding yes"));
    let mut hops = Vec::new();
    for (server, alias) in servers.iter().zip(["outer", "inner", "goal"]) {
        home.know(server);
        let mut target = home.target(server.port);
        target.alias = alias.to_owned();
        target.identities = vec![key.clone()];
        target.jump = hops.clone();
        hops.push(target);
    }
    let goal = hops.pop().expect("three targets");
    let pool = Pool::new(PoolSettings::default());
    let (connection, _shell) = pool.open_shell(&goal, pty()).await.expect("a shell");
    assert_eq!(pool.connections(), 3);
    let open = pool.open_exec(&goal, &connection, "echo $SSH_CONNECTION").await;
    let (_, mut channel) = open.expect("a channel");
    let said = drain(&mut channel).await;
    assert!(
        String::from_utf8_lossy(&said.stdout).contains(&goal.port.to_string()),
        "{said:?}"
    );
    let (_, _direct) = pool
        .open_shell(&hops[0], pty())
        .await
        .expect("a shell on the hop");
    assert_eq!(pool.connections(), 3);
    let scan = pool.scan(&goal).await.expect("a scan through the hops");
    assert_eq!(scan.fingerprint, connection.fingerprint());
}

/// What is wrong with a hop is said with the hop's name.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_hop_is_named() {
    let scene = Scene::new("AllowTcpForwarding no");
    let mut hop = scene.target.clone();
    hop.alias = "bastion".to_owned();
    let mut target = scene.target.clone();
    target.port = 9;
    target.jump = vec![hop.clone()];
    let fault = refused(&scene.pool, &target).await;
    assert_eq!(fault.reason, Reason::Unreachable);
    assert!(fault.message.contains("bastion"), "{}", fault.message);
    assert!(fault.hint.contains("AllowTcpForwarding"), "{}", fault.hint);

    hop.identities.clear();
    hop.user = "nobody-here".to_owned();
    target.jump = vec![hop];
    let fault = refused(&scene.pool, &target).await;
    assert_eq!(fault.reason, Reason::AuthFailed);
    assert!(
        fault.message.starts_with("jump host bastion: "),
        "{}",
        fault.message
    );
}
