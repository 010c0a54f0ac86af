//! Logins that a person helps with: what they are asked, what is kept of their answers, and what never is.

use std::sync::Arc;

use sshmcp_proto::v1::Reason;
use sshmcpd::{
    connection::{Pool, PoolSettings},
    host::Target,
};

use crate::{
    fake::{Asks, Fake, password_server},
    person::person,
    sshd::Sshd,
    target::{Home, Scene, pty, public, refused, secret},
};

struct Asking {
    server: Fake,
    home: Home,
    target: Target,
    pool: Arc<Pool>,
}

impl Asking {
    async fn new(asks: Asks) -> Self {
        let server = password_server(asks).await;
        let home = Home::new();
        home.know_as(&format!("[127.0.0.1]:{} {}", server.port, server.host_key));
        let target = home.target(server.port);
        Self {
            server,
            home,
            target,
            pool: Pool::new(PoolSettings::default()),
        }
    }
}

/// A password that was typed opens the host for all that come later, also on a new connection; a wrong one is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_kept() {
    for asks in [Asks::Password, Asks::Dialogue] {
        let scene = Asking::new(asks).await;
        let wrong = ("assword: ", false, "wrong");
        let (asker, asked) = person(&[wrong, ("assword: ", false, "sesame")]);
        scene.pool.login(&scene.target, asker).await.expect("logged in");
        assert_eq!(asked.await.expect("asked").len(), 2);
        for _ in 0..2 {
            let opened = scene.pool.open_shell(&scene.target, pty()).await;
            opened.expect("a shell, and nobody is asked");
            scene.pool.close_target(&scene.target.key()).await;
        }
        // Another daemon knows nothing of it.
        let fault = refused(&Pool::new(PoolSettings::default()), &scene.target).await;
        assert_eq!(fault.reason, Reason::AuthInputRequired, "{fault:?}");
        drop(scene.server);
    }
}

/// A code after the password, or beside it: each is asked for in the server's own words. The connection is there
/// afterwards; a new one needs a new code.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_not_kept() {
    let code = ("Verification code: ", false, "123456");
    let shown = ("Token shows: ", true, "123456");
    let password = ("Password: ", false, "sesame");
    for (asks, answers) in [
        (Asks::DialogueTwice, [password, code]),
        (Asks::TwoAtOnce, [password, shown]),
    ] {
        let scene = Asking::new(asks).await;
        let (asker, asked) = person(&answers);
        scene.pool.login(&scene.target, asker).await.expect("logged in");
        let asked = asked.await.expect("asked");
        if asks == Asks::TwoAtOnce {
            let all = asked.concat();
            assert!(all.starts_with("Two things\nHave your"), "{all:?}");
            assert!(!all.contains('\u{1b}'), "{all:?}");
        }
        let shell = scene.pool.open_shell(&scene.target, pty()).await;
        shell.expect("a shell on the connection that there is");
        scene.pool.close_target(&scene.target.key()).await;
        let fault = refused(&scene.pool, &scene.target).await;
        assert_eq!(fault.reason, Reason::AuthInputRequired, "{fault:?}");
        assert!(fault.hint.contains("sshctl login box"), "{fault:?}");
        assert!(!format!("{fault:?}").contains("sesame"), "{fault:?}");
    }
}

/// The configured password answers what asks for it, and the person the rest.
#[tokio::test(flavor = "multi_thread")]
async fn the_stored_password_and_a_code() {
    let mut scene = Asking::new(Asks::TwoAtOnce).await;
    scene.target.password = secret("sesame");
    let (asker, asked) = person(&[("Token shows: ", true, "123456")]);
    scene.pool.login(&scene.target, asker).await.expect("logged in");
    assert_eq!(asked.await.expect("asked").len(), 1);
}

/// A key is taken and a password wanted as well: by a person, by what is stored, and in words where there is neither.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_a_password() {
    let mut scene = Asking::new(Asks::KeyThenPassword).await;
    scene.target.identities = vec![scene.home.key("id", "ed25519", "")];
    let fault = refused(&scene.pool, &scene.target).await;
    assert_eq!(fault.reason, Reason::AuthInputRequired, "{fault:?}");
    for part in ["id (taken, and more is wanted)", "the server offers: password"] {
        assert!(fault.message.contains(part), "{part}: {fault:?}");
    }
    let (asker, asked) = person(&[("assword: ", false, "sesame")]);
    scene.pool.login(&scene.target, asker).await.expect("logged in");
    assert_eq!(asked.await.expect("asked").len(), 1);

    scene.target.password = secret("sesame");
    let other = Pool::new(PoolSettings::default());
    other.open_shell(&scene.target, pty()).await.expect("a shell");
}

/// Two keys, one after the other, as sshd has it.
#[tokio::test(flavor = "multi_thread")]
async fn two_keys() {
    let home = Home::new();
    let keys = ["one", "other"].map(|name| home.key(name, "ed25519", ""));
    let publics = keys.each_ref().map(|key| public(key));
    let publics = publics.each_ref().map(|path| path.as_path());
    let sshd = Sshd::start(&publics, "AuthenticationMethods publickey,publickey");
    home.know(&sshd);
    let mut target = home.target(sshd.port);
    target.identities = keys.into();
    let pool = Pool::new(PoolSettings::default());
    pool.open_shell(&target, pty()).await.expect("a shell");
    target.identities.pop();
    let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
    assert_eq!(fault.reason, Reason::AuthFailed, "{fault:?}");
    assert!(fault.message.contains("more is wanted"), "{fault:?}");
}

/// A passphrase is asked for once the server would take the key, and kept; three wrong ones end it.
#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase() {
    let scene = Scene::new("");
    let locked = scene.home.key("locked", "ed25519", "open sesame");
    let stranger = scene.home.key("stranger", "ed25519", "nobody's");
    let sshd = Sshd::start(&[&public(&locked)], "");
    scene.home.know(&sshd);
    let mut target = scene.home.target(sshd.port);
    target.identities = vec![stranger, locked];
    let wrong = ("passphrase for key", false, "wrong");
    let (asker, asked) = person(&[wrong, ("locked", false, "open sesame")]);
    scene.pool.login(&target, asker).await.expect("logged in");
    assert_eq!(asked.await.expect("asked").len(), 2);
    scene.pool.close_target(&target.key()).await;
    scene.pool.open_shell(&target, pty()).await.expect("a shell");

    let (asker, _asked) = person(&[wrong; 3]);
    let other = Pool::new(PoolSettings::default());
    let fault = other.login(&target, asker).await.expect_err("three wrong ones");
    assert_eq!(fault.reason, Reason::AuthFailed, "{fault:?}");
    assert!(
        fault.message.contains("its passphrase was not given"),
        "{fault:?}"
    );
}

/// A person who goes away ends the login, and nothing is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_goes() {
    let scene = Asking::new(Asks::Password).await;
    let (asker, _asked) = person(&[]);
    let fault = scene.pool.login(&scene.target, asker).await.expect_err("alone");
    assert_eq!(fault.reason, Reason::AuthInputRequired, "{fault:?}");
    assert_eq!(scene.pool.connections(), 0);
}

/// A hop that asks is logged in to on the way; without a person the error names the hop, and the login of the whole way.
#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_asks() {
    let home = Home::new();
    let keys = ["outer", "inner", "goal"].map(|name| home.key(name, "ed25519", "open sesame"));
    let servers = keys
        .each_ref()
        .map(|key| Sshd::start(&[&public(key)], "AllowTcpForwarding yes"));
    let mut hops: Vec<Target> = Vec::new();
    for ((server, key), alias) in servers.iter().zip(&keys).zip(["outer", "inner", "goal"]) {
        home.know(server);
        let mut target = home.target(server.port);
        target.alias = alias.to_owned();
        target.typed = alias.to_owned();
        target.identities = vec![key.clone()];
        target.jump = hops.clone();
        hops.push(target);
    }
    let goal = hops.pop().expect("three targets");
    let pool = Pool::new(PoolSettings::default());
    let fault = refused(&pool, &goal).await;
    assert_eq!(fault.reason, Reason::AuthInputRequired, "{fault:?}");
    assert!(
        fault.message.starts_with("jump host inner: jump host outer: "),
        "{fault:?}"
    );
    assert!(fault.hint.contains("`sshctl login goal`"), "{fault:?}");

    let passphrase = |key| (key, false, "open sesame");
    let (asker, asked) = person(&["outer", "inner", "goal"].map(passphrase));
    pool.login(&goal, asker).await.expect("logged in");
    assert_eq!(asked.await.expect("asked").len(), 3);
    pool.open_shell(&goal, pty()).await.expect("a shell");
    assert_eq!(pool.connections(), 3);

    // A hop whose key has changed ends the way there, by its name.
    let [_, inner, _] = &servers;
    let path = home.known_hosts();
    let text = std::fs::read_to_string(&path).expect("known hosts");
    let other = servers[0].host_key("ed25519");
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((name, _)) if name.ends_with(&format!(":{}", inner.port)) => format!("{name} {other}\n"),
        _ => format!("{line}\n"),
    });
    std::fs::write(&path, lines.collect::<String>()).expect("known hosts");
    pool.shutdown().await;
    let pool = Pool::new(PoolSettings::default());
    let (asker, _asked) = person(&[passphrase("outer")]);
    let fault = pool.login(&goal, asker).await.expect_err("another key");
    assert_eq!(fault.reason, Reason::HostKeyChanged, "{fault:?}");
    assert!(fault.message.starts_with("jump host inner: "), "{fault:?}");
}
