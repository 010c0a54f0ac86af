//! Who is let in, by what, and what the error says where nobody is.

use std::{fs, os::unix::fs::PermissionsExt as _};

use sshmcp_proto::v1::Reason;
use sshmcpd::{
    connection::{Pool, PoolSettings},
    host::AgentSource,
};

use crate::{
    fake::{Asks, password_server},
    sshd::{Agent, Sshd},
    target::{Home, Scene, drain, pty, public, refused, secret, type_line, until},
};

/// Every kind of key that OpenSSH makes by default opens the door, and the connection says whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_kind() {
    let home = Home::new();
    let keys = ["ed25519", "ecdsa", "rsa"].map(|kind| home.key(kind, kind, ""));
    let publics = keys.each_ref().map(|key| public(key));
    let sshd = Sshd::start(&publics.each_ref().map(|path| path.as_path()), "");
    home.know(&sshd);
    for key in keys {
        let pool = Pool::new(PoolSettings::default());
        let mut target = home.target(sshd.port);
        target.identities = vec![key];
        let (connection, mut shell) = pool.open_shell(&target, pty()).await.expect("a shell");
        assert!(connection.fingerprint().starts_with("SHA256:"));
        assert!(connection.server_version().starts_with("SSH-2.0-OpenSSH"));
        type_line(&shell, "echo in-$((40+2)); exit 3").await;
        until(&mut shell, "in-42").await;
        assert_eq!(drain(&mut shell).await.status, Some(3));
    }
}

/// The agent signs for a key file with a passphrase, and the key counts as the configured one.
#[tokio::test(flavor = "multi_thread")]
async fn the_agent_signs() {
    let mut scene = Scene::new("");
    let agent = Agent::start();
    let Some(key) = scene.target.identities.pop() else {
        panic!("the scene has a key");
    };
    agent.add(&key);
    scene.target.identity_agent = AgentSource::Path(agent.socket.clone());
    // Its public half alone names the key.
    fs::remove_file(&key).expect("the private file");
    scene.target.identities.push(key);
    scene.shell().await;
}

/// An agent full of other keys does not use up the server's patience before the configured key is offered.
#[tokio::test(flavor = "multi_thread")]
async fn many_agent_keys_do_no_harm() {
    let mut scene = Scene::new("MaxAuthTries 6");
    let agent = Agent::start();
    for number in 0..7 {
        agent.add(&scene.home.key(&format!("other{number}"), "ed25519", ""));
    }
    scene.target.identity_agent = AgentSource::Path(agent.socket.clone());
    scene.target.identities_only = false;
    scene.shell().await;

    // Without it, all are tried; the error is ours and names them, not "too many authentication failures".
    scene.pool.close_target(&scene.target.key()).await;
    scene.target.identities.clear();
    let fault = scene.refused().await;
    assert_eq!(fault.reason, Reason::AuthFailed);
    assert_eq!(fault.message.matches("agent key").count(), 7, "{fault:?}");
    assert!(fault.message.contains("over 2 connections"), "{fault:?}");
}

/// A server that bears few failures, and the right key far behind: further connections go on where it hung up, as long as
/// nobody takes that for an attack, and the next time that key is the first.
#[tokio::test(flavor = "multi_thread")]
async fn the_seventh_key_of_an_agent() {
    let home = Home::new();
    let agent = Agent::start();
    let keys: Vec<_> = (1..=8)
        .map(|number| home.key(&format!("key{number}"), "ed25519", ""))
        .collect();
    keys.iter().for_each(|key| agent.add(key));
    let right = public(&keys[6]);
    let sshd = Sshd::start(&[&right], "MaxAuthTries 3\nLogLevel VERBOSE");
    home.know(&sshd);
    let mut target = home.target(sshd.port);
    target.identity_agent = AgentSource::Path(agent.socket.clone());
    target.identities_only = false;
    let pool = Pool::new(PoolSettings::default());
    let count = |lines: &[String], words: &str| lines.iter().filter(|line| line.contains(words)).count();

    pool.open_shell(&target, pty()).await.expect("a shell");
    let log = sshd.log_until("Starting session");
    assert_eq!(count(&log, "Connection from"), 3, "{log:?}");
    assert_eq!(count(&log, "maximum authentication attempts"), 1, "{log:?}");
    pool.close_target(&target.key()).await;

    pool.open_shell(&target, pty()).await.expect("a shell again");
    let log = sshd.log_until("Starting session");
    assert_eq!(count(&log, "Connection from"), 1, "{log:?}");
    assert_eq!(count(&log, "Failed publickey"), 0, "{log:?}");

    // Two failures are too few for it: what was tried is told, and what mends it.
    let server = Sshd::start(&[&right], "MaxAuthTries 2");
    home.know(&server);
    target.port = server.port;
    let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
    assert_eq!(fault.reason, Reason::AuthFailed, "{fault:?}");
    for part in ["4 more keys not offered", "over 3 connections"] {
        assert!(fault.message.contains(part), "{part}: {fault:?}");
    }
    assert!(fault.hint.contains("IdentitiesOnly"), "{fault:?}");
    // So is it where something could be typed as well.
    let server = Sshd::start(
        &[&right],
        "MaxAuthTries 2\nMatch User *\nKbdInteractiveAuthentication yes",
    );
    home.know(&server);
    target.port = server.port;
    let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
    assert_eq!(fault.reason, Reason::AuthInputRequired, "{fault:?}");
    for part in ["IdentitiesOnly", "sshctl login box"] {
        assert!(fault.hint.contains(part), "{part}: {fault:?}");
    }
}

/// PreferredAuthentications says what comes first; without it keys do.
#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_ssh_config() {
    let server = password_server(Asks::Anything).await;
    let home = Home::new();
    home.know_as(&format!("[127.0.0.1]:{} {}", server.port, server.host_key));
    let mut target = home.target(server.port);
    target.identities = vec![home.key("own", "ed25519", "")];
    target.password = secret("wrong");
    for (order, tried) in [
        ("", ["own", "the password at hand"]),
        ("password,publickey", ["the password at hand", "own"]),
        (
            "keyboard-interactive,publickey,password",
            ["(keyboard-interactive)", "own"],
        ),
        ("publickey,password", ["own", "the password at hand"]),
    ] {
        target.options.in_order = !order.is_empty();
        let methods = order.split(',').map(str::to_owned).collect();
        target.options.methods = target.options.in_order.then_some(methods);
        let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
        let words = fault.message.split_once("tried: ").map_or("", |(_, words)| words);
        let places = tried.map(|part| words.find(part).unwrap_or_else(|| panic!("{part}: {fault:?}")));
        assert!(places[0] < places[1], "{order}: {fault:?}");
        assert_eq!(
            words.matches("the password at hand").count(),
            1,
            "{order}: {fault:?}"
        );
    }
}

/// A passphrase is a person's matter.
#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_is_asked_of_a_person() {
    let mut scene = Scene::new("");
    scene.target.identities = vec![scene.home.key("locked", "ed25519", "secret")];
    let fault = scene.refused().await;
    assert_eq!(fault.reason, Reason::AuthInputRequired);
    assert!(fault.message.contains("locked"), "{}", fault.message);
    assert!(fault.hint.contains("sshctl login box"), "{}", fault.hint);
}

/// A key file that others can read is not used, and the error has the command that mends it.
#[tokio::test(flavor = "multi_thread")]
async fn an_exposed_key_file_is_refused() {
    let scene = Scene::new("");
    let Some(key) = scene.target.identities.first() else {
        panic!("the scene has a key");
    };
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).expect("chmod");
    let fault = scene.refused().await;
    assert_eq!(fault.reason, Reason::AuthFailed);
    assert!(
        fault.hint.contains(&format!("chmod 600 {}", key.display())),
        "{}",
        fault.hint
    );
}

/// A key that the account does not know, and one that is not there: the error lists both.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_named() {
    let mut scene = Scene::new("");
    scene.target.identities = vec![
        scene.home.key("stranger", "ed25519", ""),
        scene.home.path("missing"),
    ];
    let fault = scene.refused().await;
    assert_eq!(fault.reason, Reason::AuthFailed);
    for part in [
        "stranger",
        "missing: no such file",
        "the server offers: publickey",
    ] {
        assert!(fault.message.contains(part), "{part}: {}", fault.message);
    }
}

/// A stored password opens; a wrong one is said to be wrong; none is asked of a person. Both ways of asking.
#[tokio::test(flavor = "multi_thread")]
async fn passwords() {
    for asks in [Asks::Password, Asks::Dialogue] {
        let server = password_server(asks).await;
        let home = Home::new();
        home.know_as(&format!("[127.0.0.1]:{} {}", server.port, server.host_key));
        let mut target = home.target(server.port);

        target.password = secret("sesame");
        let pool = Pool::new(PoolSettings::default());
        let (_, mut shell) = pool.open_shell(&target, pty()).await.expect("a shell");
        until(&mut shell, "welcome").await;

        target.password = secret("wrong-password");
        let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
        assert_eq!(fault.reason, Reason::AuthFailed);
        assert!(
            fault.message.contains("refused the password"),
            "{}",
            fault.message
        );
        assert!(!format!("{fault:?}").contains("wrong-password"));

        target.password = None;
        let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
        assert_eq!(fault.reason, Reason::AuthInputRequired);
        assert!(fault.hint.contains("sshctl login box"), "{}", fault.hint);
    }
}

/// A second question after the password is never answered with the password.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_question_is_a_persons() {
    let server = password_server(Asks::DialogueTwice).await;
    let home = Home::new();
    home.know_as(&format!("[127.0.0.1]:{} {}", server.port, server.host_key));
    let mut target = home.target(server.port);
    target.password = secret("sesame");
    let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
    assert_eq!(fault.reason, Reason::AuthInputRequired);
    assert!(fault.message.contains("Verification code"), "{}", fault.message);
}
