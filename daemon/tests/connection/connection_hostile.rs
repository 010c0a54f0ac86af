//! Servers that mean harm: each ends in a clear error, in time, and takes no memory worth speaking of.

use std::time::{Duration, Instant};

use sshmcp_proto::v1::Reason;
use sshmcpd::connection::{Pool, PoolSettings};

use crate::{
    fake::{Asks, Fake, floods, hangs_up, password_server},
    target::{Home, refused, secret},
};

/// After which callers expect an error.
const BOUND: Duration = Duration::from_secs(15);
/// What all of them together may take; the servers and the tests beside this one are in the same process.
const MEMORY: u64 = 96 << 20; // 96 MiB

static LINES: [u8; 1 << 16] = lines();
static LETTERS: [u8; 1 << 16] = [b'x'; 1 << 16];
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

const fn lines() -> [u8; 1 << 16] {
    let mut text = [b'x'; 1 << 16];
    let mut at = 79;
    while at < text.len() {
        text[at] = b'\n';
        at += 80;
    }
    text
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: u64 = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("pages");
    pages * 4096
}

/// What each of them is told as: where the transport fails, and where the login does.
#[tokio::test(flavor = "multi_thread")]
async fn all_end_in_time() {
    const GREETING: &[u8] = b"SSH-2.0-x\r\n";
    let mut all: Vec<(&str, Fake)> = vec![
        ("a greeting without end", floods(b"SSH-2.0-", &LETTERS).await),
        ("a banner without end", floods(b"", &LETTERS).await),
        ("banner lines without end", floods(b"", &LINES).await),
        ("zeros without end", floods(b"", &ZEROS).await),
        ("garbage behind the greeting", floods(GREETING, &LETTERS).await),
        ("zeros behind the greeting", floods(GREETING, &ZEROS).await),
        (
            "an enormous packet",
            floods(b"SSH-2.0-x\r\n\xff\xff\xff\xf0\x04\x14", &LETTERS).await,
        ),
        ("silence", floods(b"", b"").await),
        ("silence behind the greeting", floods(GREETING, b"").await),
        ("an instant end", hangs_up(usize::MAX, 9).await),
    ];
    let logins = [
        ("questions without end", Asks::ForEver),
        ("twenty thousand questions", Asks::TooMany),
        ("every password taken and one more wanted", Asks::EveryPassword),
        ("a login that is not answered", Asks::Silent),
    ];
    for (name, asks) in logins {
        all.push((name, password_server(asks).await));
    }
    let before = resident();
    let asked = all.iter().map(async |(name, server)| {
        let home = Home::new();
        let is_login = !server.host_key.is_empty();
        if is_login {
            home.know_as(&format!("[127.0.0.1]:{} {}", server.port, server.host_key));
        }
        let mut target = home.target(server.port);
        target.password = secret("sesame");
        let began = Instant::now();
        let fault = refused(&Pool::new(PoolSettings::default()), &target).await;
        let took = began.elapsed();
        assert!(took < BOUND, "{name} after {took:?}: {fault:?}");
        let reasons: &[Reason] = if is_login {
            &[Reason::AuthFailed, Reason::AuthInputRequired, Reason::Unreachable]
        } else {
            &[Reason::Unreachable]
        };
        assert!(reasons.contains(&fault.reason), "{name}: {fault:?}");
        assert!(fault.message.chars().count() < 600, "{name}: {fault:?}");
        assert!(!fault.hint.is_empty(), "{name}: {fault:?}");
        assert!(!format!("{fault:?}").contains("sesame"), "{name}: {fault:?}");
    });
    futures::future::join_all(asked).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < MEMORY, "{} KiB", grown >> 10);
}
