//! Which servers are believed.

use std::fs;

use sshmcp_proto::v1::Reason;
use sshmcpd::{config::HostKeyPolicy, connection::Verdict};

use crate::{sshd::Sshd, target::Scene};

fn scene_with(line: &str) -> Scene {
    let scene = Scene::new("");
    fs::write(scene.home.known_hosts(), line).expect("known_hosts");
    scene
}

/// An unknown key fails with its fingerprint; what a person then accepts is written and works.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_then_trusted() {
    let scene = scene_with("# nothing yet");
    for policy in [HostKeyPolicy::Ask, HostKeyPolicy::Strict] {
        let mut target = scene.target.clone();
        target.host_key_policy = policy;
        let fault = crate::target::refused(&scene.pool, &target).await;
        assert_eq!(fault.reason, Reason::HostKeyUnknown);
        assert!(fault.message.contains("ssh-ed25519 SHA256:"), "{}", fault.message);
        assert!(
            fault.hint.contains("a person runs `sshctl trust box`"),
            "{}",
            fault.hint
        );
    }
    let scan = scene.pool.scan(&scene.target).await.expect("a scan");
    assert_eq!(scan.verdict, Verdict::Unknown { other: None });
    assert_eq!(scan.openssh, scene.sshd.host_key("ed25519"));
    assert_eq!(scan.known_hosts_name, format!("[127.0.0.1]:{}", scene.sshd.port));

    let wrong = scene
        .pool
        .trust(&scene.target, "SHA256:other")
        .await
        .expect_err("another");
    assert_eq!(wrong.reason, Reason::HostKeyChanged);
    let trust = || scene.pool.trust(&scene.target, &scan.fingerprint);
    assert!(trust().await.expect("written").added);
    assert!(!trust().await.expect("known").added);
    let (connection, _shell) = scene.shell().await;
    assert_eq!(connection.fingerprint(), scan.fingerprint);
}

/// `accept-new` writes a new key down, and still refuses another one later.
#[tokio::test(flavor = "multi_thread")]
async fn accept_new_accepts_once() {
    let mut scene = scene_with("");
    scene.target.host_key_policy = HostKeyPolicy::AcceptNew;
    scene.shell().await;
    let text = fs::read_to_string(scene.home.known_hosts()).expect("known_hosts");
    assert!(
        text.starts_with("|1|") && text.contains(&scene.sshd.host_key("ed25519")),
        "{text}"
    );

    scene.pool.close_target(&scene.target.key()).await;
    let other = Sshd::start(&[], "");
    let entry = text.replace(&scene.sshd.host_key("ed25519"), &other.host_key("ed25519"));
    fs::write(scene.home.known_hosts(), &entry).expect("known_hosts");
    let fault = scene.refused().await;
    assert_eq!(fault.reason, Reason::HostKeyChanged);
    let known = scene.home.known_hosts();
    assert!(
        fault.message.contains(&format!("{} line 1", known.display())),
        "{}",
        fault.message
    );
    assert_eq!(fs::read_to_string(known).expect("known_hosts"), entry);
    let fault = scene
        .pool
        .trust(&scene.target, "SHA256:x")
        .await
        .expect_err("changed");
    assert_eq!(fault.reason, Reason::HostKeyChanged);
}

/// Where ssh_config has no file for keys, `accept-new` and a person's word hold as long as the daemon lives, and nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_file() {
    for (policy, file) in [
        (HostKeyPolicy::AcceptNew, Some("/dev/null")),
        (HostKeyPolicy::Ask, Some("/dev/null")),
        (HostKeyPolicy::AcceptNew, None),
    ] {
        let mut scene = scene_with("");
        scene.target.host_key_policy = policy;
        scene.target.user_known_hosts = file.into_iter().map(Into::into).collect();
        // Ports are given out anew; a name is this test's own.
        scene.target.host_key_alias = Some(format!("of-memory-{policy:?}-{}", file.is_some()).to_lowercase());
        let trust = async |scene: &Scene| {
            let scan = scene.pool.scan(&scene.target).await.expect("a scan");
            assert_eq!(scan.known_hosts_file, None);
            let trusted = scene.pool.trust(&scene.target, &scan.fingerprint).await;
            trusted.expect("trusted")
        };
        if policy == HostKeyPolicy::Ask {
            assert_eq!(scene.refused().await.reason, Reason::HostKeyUnknown);
            let trusted = trust(&scene).await;
            assert_eq!((trusted.added, trusted.file), (true, None));
        }
        scene.shell().await;
        scene.pool.close_target(&scene.target.key()).await;
        scene.shell().await;

        let other = Sshd::start(&[&crate::target::public(&scene.target.identities[0])], "");
        scene.target.port = other.port;
        let fault = scene.refused().await;
        assert_eq!(fault.reason, Reason::HostKeyChanged, "{fault:?}");
        assert!(fault.message.contains("the daemon's memory line"), "{fault:?}");
        assert!(!fault.hint.contains("ssh-keygen"), "{fault:?}");
        assert!(trust(&scene).await.added);
        scene.shell().await;
        let known = fs::read_to_string(scene.home.known_hosts()).expect("known_hosts");
        assert_eq!(known, "");
    }
}

/// A revoked key is refused in words, even where it is also listed as good.
#[tokio::test(flavor = "multi_thread")]
async fn revoked_is_refused() {
    let scene = Scene::new("");
    scene
        .home
        .know_as(&format!("@revoked * {}", scene.sshd.host_key("ed25519")));
    let fault = scene.refused().await;
    assert_eq!(fault.reason, Reason::HostKeyChanged);
    assert!(fault.message.contains("revoked"), "{}", fault.message);
}

/// What a file that cannot be read says of a key is not known: no key is new then, and the error names the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read() {
    let mut scene = scene_with("# nothing yet\n");
    let unread = scene.home.path("a_directory");
    fs::create_dir(&unread).expect("a directory");
    scene.target.global_known_hosts = vec![unread.clone()];
    for policy in [
        HostKeyPolicy::Ask,
        HostKeyPolicy::AcceptNew,
        HostKeyPolicy::Strict,
    ] {
        scene.target.host_key_policy = policy;
        let fault = scene.refused().await;
        assert_eq!(fault.reason, Reason::HostKeyUnknown, "{policy:?}");
        let words = format!("{} cannot be read: ", unread.display());
        assert!(fault.message.contains(&words), "{policy:?}: {}", fault.message);
    }
    // A key that is known in another file is known.
    scene.home.know(&scene.sshd);
    scene.shell().await;
}

/// A host that is known by its RSA key alone is asked for that one, though it has a newer key too.
#[tokio::test(flavor = "multi_thread")]
async fn known_by_rsa_alone() {
    let scene = Scene::new("");
    let line = format!("[127.0.0.1]:{} {}\n", scene.sshd.port, scene.sshd.host_key("rsa"));
    fs::write(scene.home.known_hosts(), line).expect("known_hosts");
    scene.shell().await;
}

/// The alias is looked up instead of the address.
#[tokio::test(flavor = "multi_thread")]
async fn alias_of_the_host_key() {
    let mut scene = Scene::new("");
    let line = format!("cluster {}\n", scene.sshd.host_key("ed25519"));
    fs::write(scene.home.known_hosts(), line).expect("known_hosts");
    assert_eq!(scene.refused().await.reason, Reason::HostKeyUnknown);
    scene.target.host_key_alias = Some("cluster".to_owned());
    scene.shell().await;
}
