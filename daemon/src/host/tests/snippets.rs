//! Snippets of ssh_config, each read by `ssh -G` and by our own parser: the targets that come of it must be the same, in
//! everything that we obey.

use std::path::Path;

use super::*;
use crate::host::openssh;
use crate::host::resolve::resolve_by;

/// The host that is asked about, and the text. `%HOME` is the home directory, which has files below `.ssh`.
pub(super) const SNIPPETS: &[(&str, &str)] = &[
    // Names, blocks, patterns.
    ("a", ""),
    ("a", "User early\nHost a\n User late\n Port 2200\n"),
    ("a", "Host a\n HostName 10.0.0.1\n"),
    ("a", "Host a b c\n Port 1\nHost b\n Port 2\n"),
    ("b", "Host a\n Port 1\nHost b\n Port 2\n"),
    ("web1", "Host web*\n HostName %h.example.com\n"),
    ("web1", "Host web?\n Port 1\nHost web??\n Port 2\n"),
    ("web12", "Host web?\n Port 1\nHost web??\n Port 2\n"),
    ("db1", "Host * !db*\n Port 1\nHost *\n Port 2\n"),
    ("x", "Host * !db*\n Port 1\nHost *\n Port 2\n"),
    ("x", "Host !db*\n Port 1\n"),
    ("WEB", "Host web\n Port 1\nHost WEB\n Port 2\n"),
    ("a", "Host a\n HostName EXAMPLE.com\n"),
    ("a", "Host=a\nPort=7\nUser = joe\n"),
    ("a", "HOST a\n\tPORT 7 # comment\n# Port 8\n  # Port 9\n"),
    ("a", "Host \"a\"\n User \"some one\"\n"),
    ("a", "Host a\n HostName fe80::1%%eth0\n"),
    ("a", "Host a\n HostName fe80::1\n"),
    ("u@a", "Host a\n User other\n"),
    ("a:99", "Host a\n Port 1\n"),
    ("a.b.c", "Host *.c\n Port 1\n"),
    // Keys, agents, certificates.
    (
        "a",
        "Host a\n IdentityFile ~/.ssh/one\n IdentityFile ~/.ssh/two\nHost *\n IdentityFile ~/.ssh/three\n",
    ),
    ("a", "IdentityFile ~/.ssh/one\nIdentityFile ~/.ssh/one\n"),
    ("a", "IdentityFile ~/.ssh/%r_%h\nUser me\n"),
    ("a", "IdentityFile \"~/.ssh/with space\"\n"),
    ("a", "IdentityFile none\n"),
    ("a", "IdentityFile %d/.ssh/one\nIdentitiesOnly yes\n"),
    (
        "a",
        "IdentityFile ${HOME}/nowhere\nCertificateFile ~/.ssh/one-cert.pub\n",
    ),
    ("a", "IdentityAgent ~/agent.sock\n"),
    ("a", "IdentityAgent none\n"),
    ("a", "IdentityAgent SSH_AUTH_SOCK\n"),
    ("a", "IdentityAgent $PATH\n"),
    ("a", "IdentityAgent \"/tmp/some agent\"\nForwardAgent yes\n"),
    ("a", "ForwardAgent no\n"),
    ("a", "ForwardAgent /tmp/other.sock\n"),
    // Ways.
    ("a", "Host a\n ProxyJump gate\nHost gate\n User g\n Port 9\n"),
    ("a", "Host a\n ProxyJump one,u@two:22,ssh://three:33\n"),
    ("a", "Host a\n ProxyJump none\nHost *\n ProxyJump gate\n"),
    ("gate", "Host * !gate\n ProxyJump gate\n"),
    ("a", "Host a\n ProxyCommand nc %h %p\n"),
    (
        "a",
        "Host a\n ProxyCommand /bin/x \"two words\" '%r' 100%% # not a comment\n User u\n",
    ),
    (
        "a",
        "Host a\n ProxyCommand none\nHost *\n ProxyCommand nc %h %p\n",
    ),
    ("a", "Host a\n ProxyCommand nc %h %p\n ProxyJump gate\n"),
    ("a", "Host a\n ProxyJump gate\n ProxyCommand nc %h %p\n"),
    ("a", "Host a\n ProxyCommand nc %h %p\n ProxyUseFdpass yes\n"),
    ("a", "AddressFamily inet\nBindAddress 127.0.0.1\n"),
    ("a", "AddressFamily inet6\n"),
    ("a", "BindInterface lo\n"),
    // Trust.
    ("a", "HostKeyAlias other\nStrictHostKeyChecking yes\n"),
    ("a", "StrictHostKeyChecking no\n"),
    ("a", "StrictHostKeyChecking accept-new\n"),
    (
        "a",
        "UserKnownHostsFile ~/.ssh/k1 /etc/k2\nGlobalKnownHostsFile /etc/k3\n",
    ),
    ("a", "UserKnownHostsFile none\nGlobalKnownHostsFile none\n"),
    (
        "a",
        "UserKnownHostsFile \"~/.ssh/with space\" ~/.ssh/k1\nGlobalKnownHostsFile /etc/k3\n",
    ),
    ("a", "UserKnownHostsFile /dev/null\nStrictHostKeyChecking no\n"),
    ("a", "VerifyHostKeyDNS yes\n"),
    (
        "localhost",
        "NoHostAuthenticationForLocalhost yes\nCheckHostIP yes\n",
    ),
    ("a", "RevokedHostKeys /etc/revoked\n"),
    ("a", "RequiredRSASize 3072\n"),
    ("a", "RequiredRSASize 1024\n"),
    ("a", "KnownHostsCommand /bin/true\n"),
    // Connections.
    (
        "a",
        "ConnectTimeout 7\nServerAliveInterval 30\nServerAliveCountMax 4\n",
    ),
    ("a", "ConnectTimeout 1m30s\nServerAliveInterval 2m\n"),
    ("a", "ServerAliveInterval 0\nServerAliveCountMax 9\n"),
    ("a", "Compression yes\n"),
    (
        "a",
        "Ciphers aes128-ctr,aes256-ctr\nMACs hmac-sha2-256\nKexAlgorithms curve25519-sha256\n",
    ),
    (
        "a",
        "Ciphers +aes128-cbc\nHostKeyAlgorithms +ssh-rsa\nKexAlgorithms +diffie-hellman-group1-sha1\n",
    ),
    (
        "a",
        "Ciphers ^aes256-gcm@openssh.com\nHostKeyAlgorithms ssh-ed25519\n",
    ),
    ("a", "PubkeyAcceptedAlgorithms ssh-ed25519,rsa-sha2-512\n"),
    ("a", "PubkeyAcceptedKeyTypes +ssh-rsa\n"),
    ("a", "SendEnv ROUTE_*\nSetEnv A=1 \"B=two words\"\nSetEnv C=3\n"),
    ("a", "SetEnv A=1 TERM=dumb\nSendEnv PATH\n"),
    ("a", "SendEnv PATH\nSendEnv -PA*\n"),
    ("a", "PreferredAuthentications publickey,password\n"),
    ("a", "PubkeyAuthentication no\nPasswordAuthentication no\n"),
    ("a", "KbdInteractiveAuthentication no\n"),
    ("a", "ChallengeResponseAuthentication no\n"),
    ("a", "PKCS11Provider /usr/lib/x.so\nHostbasedAuthentication yes\n"),
    ("a", "EnableSSHKeysign yes\n"),
    ("a", "GSSAPIAuthentication yes\n"),
    ("a", "GSSAPIKeyExchange yes\n"),
    ("a", "SecurityKeyProvider /usr/lib/x.so\n"),
    ("a", "CanonicalizeFallbackLocal no\n"),
    ("a", "CanonicalizeMaxDots 3\n"),
    // With these `ssh -G` looks the name up, whatever else is said.
    ("localhost", "CanonicalizePermittedCNAMEs *.invalid:*.invalid\n"),
    (
        "a",
        "RemoteCommand echo x\nRequestTTY force\nLocalForward 1 h:2\nControlMaster auto\n",
    ),
    (
        "a",
        "IgnoreUnknown UseKeychain,Foo*\nUseKeychain yes\nFooBar 1\nPort 3\n",
    ),
    // Match.
    ("a", "Match host a\n Port 1\nMatch all\n User x\n"),
    ("a", "Match host b,a\n Port 1\n"),
    ("a", "Match host *,!a\n Port 1\n"),
    ("A", "Match host a\n Port 1\n"),
    ("a", "Match !host b\n Port 1\n"),
    (
        "a",
        "Host a\n HostName real\nMatch host real\n Port 1\nMatch originalhost a\n User o\n",
    ),
    ("a", "Match user joe\n Port 1\nMatch user *\n Port 2\n"),
    ("joe@a", "Match user joe\n Port 1\n"),
    ("a", "User joe\nMatch user joe host a\n Port 1\n"),
    (
        "a",
        "Match localuser nobody-of-that-name\n Port 1\nMatch localuser *\n Port 2\n",
    ),
    ("a", "Match exec \"true\"\n Port 1\n"),
    (
        "a",
        "Match exec \"test %h = a && test %n = a && test %p = 22\"\n Port 1\n",
    ),
    (
        "a",
        "Match host b exec \"touch %d/ran\"\n Port 1\nMatch exec \"test -e %d/ran\"\n Port 2\n",
    ),
    ("a", "Match !exec \"false\"\n Port 1\n"),
    ("a", "Match final\n Port 5\nMatch host a\n Port 6\n"),
    ("a", "Match final host a\n User f\nHost a\n Port 6\n"),
    (
        "a",
        "Host a\n HostName real\nHost real\n Port 8\nMatch final\n User f\n",
    ),
    ("a", "Match final all\n Port 5\n"),
    ("a", "Match canonical\n Port 5\n"),
    ("a", "Match canonical\n Port 5\nMatch final\n User f\n"),
    // Include.
    ("a", "Include included\n"),
    ("a", "Include conf.d/*.conf\nPort 9\n"),
    ("a", "Host b\n Include included\nHost a\n User mine\n"),
    ("a", "Host a\n Include blocks\n Port 77\n"),
    ("a", "Include nowhere ~/.ssh/included\n"),
];

/// Files that snippets name.
const FILES: [(&str, &str); 8] = [
    ("one", ""),
    ("two", ""),
    ("three", ""),
    ("with space", ""),
    ("one-cert.pub", ""),
    ("included", "Port 41\nUser included\n"),
    ("blocks", "Host b\n Port 42\nHost a\n User block\n"),
    ("me_a", ""),
];

/// What is compared: all but who said it.
pub(super) fn shown(outcome: Result<Target, Fault>) -> String {
    match outcome {
        Ok(target) => format!("{target:#?}")
            .lines()
            .filter(|line| !line.trim_start().starts_with("resolved_by"))
            .collect::<Vec<_>>()
            .join("\n"),
        Err(fault) => format!("refused: {:?}", fault.reason),
    }
}

pub(super) fn first_difference(one: &str, other: &str) -> String {
    let lines = one.lines().zip(other.lines());
    let differing = lines.filter(|(one, other)| one != other);
    let differing: Vec<String> = differing
        .take(3)
        .map(|(one, other)| format!("{one} / {other}"))
        .collect();
    if differing.is_empty() {
        "one has more lines".to_owned()
    } else {
        differing.join("; ")
    }
}

#[tokio::test]
async fn both_resolvers_agree() {
    let ssh = openssh::program().expect("ssh is installed");
    let mut wrong = Vec::new();
    for (host, text) in SNIPPETS {
        let home = Home::new(text, "", &[]);
        for (name, text) in FILES {
            std::fs::write(home.path(".ssh").join(name), text).unwrap();
        }
        std::fs::create_dir(home.path(".ssh/conf.d")).unwrap();
        std::fs::write(home.path(".ssh/conf.d/1.conf"), "Host a\n User first\n").unwrap();
        std::fs::write(home.path(".ssh/conf.d/2.conf"), "User second\n").unwrap();
        let by = async |ssh: Option<&Path>| resolve_by(ssh, &home.config, host, &Overrides::default()).await;
        let (theirs, ours) = (by(Some(&ssh)).await, by(None).await);
        assert!(
            ours.as_ref().is_err() || ours.as_ref().is_ok_and(|target| target.resolved_by != "ssh -G"),
            "our own parser was not asked"
        );
        let refused = theirs.is_err();
        let (theirs, ours) = (shown(theirs), shown(ours));
        if theirs != ours || refused {
            wrong.push(format!("{host}: {text:?}: {}", first_difference(&theirs, &ours)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        SNIPPETS.len(),
        wrong.join("\n")
    );
    assert!(SNIPPETS.len() >= 60);
}

/// What is refused: whether by `ssh -G` too, if the installed one can be asked, and what our own parser names.
pub(super) const REFUSED: &[(&str, Option<bool>, &str)] = &[
    ("Port many\n", Some(true), "line 1"),
    ("\nNoSuchThing yes\n", Some(true), "line 2"),
    ("Match host\n", Some(true), "Match host"),
    ("Match\n", Some(true), "no criteria"),
    ("ConnectTimeout soon\n", Some(true), "connecttimeout"),
    (
        "CanonicalizeHostname yes\nCanonicalDomains example.com\n",
        Some(false),
        "canonicalizehostname",
    ),
    // Later versions of it know these.
    ("Match tagged x\n Port 5\n", None, "Match tagged"),
    (
        "Match localnetwork 10.0.0.0/8\n Port 5\n",
        None,
        "Match localnetwork",
    ),
    ("Tag x\n", None, "tag"),
    ("RefuseConnection \"it moved\"\n", None, "it moved"),
];

/// What OpenSSH refuses, ours refuses; and what ours alone does not understand, it refuses by name.
#[tokio::test]
async fn refused_rather_than_half_understood() {
    let ssh = openssh::program().expect("ssh is installed");
    for (text, by_openssh, words) in REFUSED {
        let home = Home::new(text, "", &[]);
        if let Some(by_openssh) = by_openssh {
            let theirs = resolve_by(Some(&ssh), &home.config, "a", &Overrides::default()).await;
            assert_eq!(theirs.is_err(), *by_openssh, "{text}: {theirs:?}");
        }
        let fault = resolve_by(None, &home.config, "a", &Overrides::default()).await;
        let fault = fault.expect_err(text);
        assert!(fault.message.contains(words), "{text}: {fault}");
        assert!(!fault.hint.is_empty(), "{text}");
    }
}

/// Canonical names are OpenSSH's to find.
pub(super) const CANONICAL: &str = "CanonicalizeHostname yes\nCanonicalizeFallbackLocal yes\nCanonicalizeMaxDots 0\n\
    CanonicalDomains invalid\nMatch canonical host a.b\nPort 5\n";

#[tokio::test]
async fn canonical_names() {
    let home = Home::new(CANONICAL, "", &[]);
    assert_eq!(home.target("a.b").await.port, 5);
}
