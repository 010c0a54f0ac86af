//! OpenSSH certificates: users' that open, and hosts' that prove.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sshmcp_proto::v1::Reason;
use sshmcpd::{
    config::HostKeyPolicy,
    connection::{Pool, PoolSettings, Verdict},
    host::AgentSource,
};

use crate::{
    sshd::{Agent, Sshd, tool, user},
    target::{Home, pty, public, refused},
};

/// Signs a public key by an authority; gives the certificate.
fn sign(authority: &Path, key: &Path, arguments: &[&str]) -> PathBuf {
    let status = Command::new(tool("ssh-keygen"))
        .args(["-q", "-I", "test", "-s"])
        .arg(authority)
        .args(arguments)
        .arg(public(key))
        .stdin(Stdio::null())
        .status();
    assert!(status.expect("ssh-keygen").success(), "{arguments:?}");
    PathBuf::from(format!("{}-cert.pub", key.display()))
}

/// A certificate opens: beside its key, by its name, with the key in an agent, and in an agent itself; of every kind of key.
/// One that has expired is told, and so is one for somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn of_users() {
    let home = Home::new();
    let authority = home.key("authority", "ed25519", "");
    let trusted = format!("TrustedUserCAKeys {}", public(&authority).display());
    let sshd = Sshd::start(&[], &trusted);
    home.know(&sshd);
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = home.key(&format!("id_{kind}"), kind, "");
        let certificate = sign(&authority, &key, &["-n", user()]);
        let mut target = home.target(sshd.port);
        target.identities = vec![key.clone()];
        let open = async |target: &_, what: &str| {
            let pool = Pool::new(PoolSettings::default());
            let opened = pool.open_shell(target, pty()).await;
            opened.unwrap_or_else(|fault| panic!("{kind} {what}: {fault:?}"));
        };
        open(&target, "beside its key").await;

        // Under another name.
        let elsewhere = home.path(&format!("named_{kind}"));
        std::fs::rename(&certificate, &elsewhere).expect("rename");
        target.certificates = vec![elsewhere.clone()];
        open(&target, "by its name").await;

        let agent = Agent::start();
        agent.add(&key);
        target.identity_agent = AgentSource::Path(agent.socket.clone());
        let private = std::fs::read(&key).expect("a key");
        std::fs::remove_file(&key).expect("the private file");
        open(&target, "with the key in an agent").await;

        // ssh-add takes a certificate along that is beside the key.
        std::fs::write(&key, private).expect("a key");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&key, mode).expect("chmod");
        std::fs::rename(&elsewhere, &certificate).expect("rename");
        let agent = Agent::start();
        agent.add(&key);
        let mut target = home.target(sshd.port);
        target.identities_only = false;
        target.identity_agent = AgentSource::Path(agent.socket.clone());
        open(&target, "in an agent").await;
    }

    let key = home.key("late", "ed25519", "");
    sign(&authority, &key, &["-n", user(), "-V", "20200101:20200102"]);
    let mut target = home.target(sshd.port);
    target.identities = vec![key];
    let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
    assert_eq!(fault.reason, Reason::AuthFailed, "{fault:?}");
    assert!(
        fault.message.contains("late-cert.pub has expired"),
        "{}",
        fault.message
    );
    let key = home.key("theirs", "ed25519", "");
    sign(&authority, &key, &["-n", "somebody-else"]);
    target.identities = vec![key];
    let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
    assert_eq!(fault.reason, Reason::AuthFailed, "{fault:?}");
    assert!(fault.message.contains("theirs-cert.pub"), "{}", fault.message);
}

/// An authority vouches for a host: by the right name, in time, unless it is revoked; otherwise nothing is trusted, whatever
/// the policy, and the reason is told.
#[tokio::test(flavor = "multi_thread")]
async fn of_hosts() {
    let home = Home::new();
    let key = home.key("id", "ed25519", "");
    let authority = home.key("authority", "ed25519", "");
    let other = home.key("other", "ed25519", "");
    let line = |marker: &str, key: &Path| {
        let text = std::fs::read_to_string(public(key)).expect("a public key");
        format!("{marker} 127.0.0.*,[127.0.0.*]:* {text}")
    };
    let vouched = line("@cert-authority", &authority);
    let (good, now) = (["-h", "-n", "127.0.0.1"], ["-V", "always:forever"]);
    for (signer, arguments, known, words) in [
        (&authority, [&good[..], &now].concat(), vec![&vouched], None),
        (
            &authority,
            [&["-h", "-n", "elsewhere,*.example"][..], &now].concat(),
            vec![&vouched],
            Some("is for elsewhere"),
        ),
        (
            &authority,
            [&good[..], &["-V", "20200101:20200102"]].concat(),
            vec![&vouched],
            Some("has expired"),
        ),
        (
            &other,
            [&good[..], &now].concat(),
            vec![&vouched],
            Some("no authority"),
        ),
        (
            &authority,
            ["-n", "127.0.0.1"].to_vec(),
            vec![&vouched],
            Some("the host key"),
        ),
        (
            &authority,
            [&good[..], &now].concat(),
            vec![&vouched, &line("@revoked", &authority)],
            Some("the host key"),
        ),
    ] {
        let host = home.key("host", "ecdsa", "");
        let certificate = sign(signer, &host, &arguments);
        let lines = format!(
            "HostKey {}\nHostCertificate {}",
            host.display(),
            certificate.display()
        );
        let sshd = Sshd::start(&[&public(&key)], &lines);
        std::fs::write(home.known_hosts(), "").expect("known_hosts");
        for line in &known {
            home.know_as(line);
        }
        let mut target = home.target(sshd.port);
        target.identities = vec![key.clone()];
        let pool = Pool::new(PoolSettings::default());
        match words {
            None => {
                let scan = pool.scan(&target).await.expect("a look");
                assert_eq!(scan.verdict, Verdict::Trusted, "{arguments:?}");
                pool.open_shell(&target, pty()).await.expect("a shell");
            }
            Some(words) => {
                for policy in [HostKeyPolicy::Ask, HostKeyPolicy::Strict] {
                    target.host_key_policy = policy;
                    let fault = refused(&pool, &target).await;
                    assert_eq!(fault.reason, Reason::HostKeyUnknown, "{arguments:?}: {fault:?}");
                    assert!(fault.message.contains(words), "{arguments:?}: {fault:?}");
                }
            }
        }
        for file in [&host, &public(&host), &certificate] {
            std::fs::remove_file(file).ok();
        }
    }
}
