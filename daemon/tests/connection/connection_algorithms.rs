//! What is agreed on with servers that take little: all that OpenSSH offers by itself and we have, more where ssh_config says so.

use sshmcp_proto::v1::Reason;
use sshmcpd::{
    connection::{Pool, PoolSettings},
    host::Algorithms,
};

use crate::{
    sshd::Sshd,
    target::{Home, pty, public, refused},
};

/// What ssh_config says of key exchange and ciphers.
fn says(kex: &str, ciphers: &str) -> Algorithms {
    let said = |list: &str| (!list.is_empty()).then(|| list.to_owned());
    Algorithms {
        kex: said(kex),
        ciphers: said(ciphers),
        ..Algorithms::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_take_little() {
    let home = Home::new();
    let key = home.key("id", "ed25519", "");
    for (lines, said, hint) in [
        (
            "KexAlgorithms ecdh-sha2-nistp256\nCiphers aes128-gcm@openssh.com",
            says("", ""),
            None,
        ),
        ("Ciphers aes128-ctr\nMACs hmac-sha1", says("", ""), None),
        (
            "KexAlgorithms diffie-hellman-group14-sha1",
            says("", ""),
            Some("`KexAlgorithms +diffie-hellman-group14-sha1`"),
        ),
        (
            "KexAlgorithms diffie-hellman-group14-sha1\nCiphers aes128-cbc\nMACs hmac-sha1",
            says("+diffie-hellman-group14-sha1", "+aes128-cbc"),
            None,
        ),
        (
            "KexAlgorithms sntrup761x25519-sha512@openssh.com",
            says("", ""),
            Some("local-tmux"),
        ),
    ] {
        let sshd = Sshd::start(&[&public(&key)], lines);
        home.know(&sshd);
        let mut target = home.target(sshd.port);
        target.identities = vec![key.clone()];
        target.options.algorithms = said;
        let pool = Pool::new(PoolSettings::default());
        match hint {
            None => {
                let opened = pool.open_shell(&target, pty()).await;
                opened.unwrap_or_else(|fault| panic!("{lines}: {fault:?}"));
            }
            Some(hint) => {
                let fault = refused(&pool, &target).await;
                assert_eq!(fault.reason, Reason::NotSupported, "{lines}: {fault:?}");
                assert!(fault.hint.contains(hint), "{lines}: {fault:?}");
            }
        }
    }
}
