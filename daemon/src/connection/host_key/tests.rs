//! The matcher against a table of lines that real files hold; the hashed ones were made by `ssh-keygen -H`.

use super::*;

const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOsnrXARGQEQR954wxa1KUSJbUoA9KKbwdLeB9n/OfQf";
const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHrmR7YMsyppR8WD6mQkoEVJ1uCjOxXBs5dRugVG/waV";
const C: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPLD/XodUYDqj66PcVhwihgT4p/RszX328EU9P4mDwnj7yumWJ0krBAmSicnm7NAKKoraBJ9P3VlhCcipfE9sw8=";
const HASHED: &str = "|1|eXVfygOtIj781bnEIevpJJo53uM=|xDBzpQ4UgrmMfOtSL+5a7BT9d1A=";
const HASHED_2222: &str = "|1|jOXGsNWyTE2kTy5aYe1xXJRGn7M=|eFfKE4M2brzYTCAePPK55mHYpl4=";

#[derive(Debug, PartialEq, Eq)]
enum Want {
    Trusted,
    New,
    /// Unknown, but another type of key is on file.
    OtherType,
    Changed(usize),
    Revoked,
}
use Want::{Changed, New, OtherType, Revoked, Trusted};

fn file(text: &str) -> KnownHosts {
    KnownHosts {
        path: "known_hosts".into(),
        text: text.to_owned(),
    }
}

fn key(openssh: &str) -> PublicKey {
    PublicKey::from_openssh(openssh).expect("a test key")
}

fn kind(verdict: &Verdict) -> Want {
    match verdict {
        Verdict::Trusted => Trusted,
        Verdict::Unknown { other: None } => New,
        Verdict::Unknown { other: Some(_) } => OtherType,
        Verdict::Changed(known) => Changed(known.line),
        Verdict::Revoked(_) => Revoked,
    }
}

/// Each row: the file, the host and port, and what key A is there. OpenSSH gives the same answers.
#[test]
fn lines_of_real_files() {
    let rows: &[(String, &str, u16, Want)] = &[
        (String::new(), "web1", 22, New),
        (format!("web1 {A}\n"), "web1", 22, Trusted),
        (format!("web1 {A}"), "web1", 22, Trusted),
        (format!("web1 {A}\r\nweb2 {B}\r\n"), "web1", 22, Trusted),
        (format!("web1\t{}\n", A.replace(' ', "\t")), "web1", 22, Trusted),
        (format!("  web1  {A}  comment of it\n"), "web1", 22, Trusted),
        (format!("WEB1 {A}\n"), "web1", 22, Trusted),
        (format!("web1 {A}\n"), "Web1", 22, Trusted),
        (format!("web2,web1,10.0.0.1 {A}\n"), "10.0.0.1", 22, Trusted),
        (format!("web2 {A}\n"), "web1", 22, New),
        (format!("web {A}\n"), "web1", 22, New),
        (format!("# web1 {A}\n"), "web1", 22, New),
        (format!("# a comment\n\nweb1 {B}\n"), "web1", 22, Changed(3)),
        (format!("web1 {C}\n"), "web1", 22, OtherType),
        (format!("web1 {C}\nweb1 {B}\nweb1 {A}\n"), "web1", 22, Trusted),
        (format!("*.example.org {A}\n"), "a.b.example.org", 22, Trusted),
        (format!("*.example.org {A}\n"), "example.org", 22, New),
        (format!("web? {A}\n"), "web1", 22, Trusted),
        (format!("web? {A}\n"), "web12", 22, New),
        (format!("*,!web1 {A}\n"), "web1", 22, New),
        (format!("*,!web2 {A}\n"), "web1", 22, Trusted),
        (format!("!web1 {A}\n"), "web2", 22, New),
        (format!("[web1]:2222 {A}\n"), "web1", 2222, Trusted),
        (format!("[web1]:2222 {A}\n"), "web1", 22, New),
        (format!("[web1]:2222 {B}\n"), "web1", 2222, Changed(1)),
        (format!("[*]:2222 {A}\n"), "web1", 2222, Trusted),
        (format!("web1 {A}\n"), "web1", 2222, Trusted),
        (format!("web1 {B}\n"), "web1", 2222, New),
        (format!("[web1]:2222 {B}\nweb1 {A}\n"), "web1", 2222, Changed(1)),
        (format!("fe80::1 {A}\n"), "[fe80::1]", 22, Trusted),
        (format!("[fe80::1]:2222 {A}\n"), "fe80::1", 2222, Trusted),
        (format!("{HASHED} {A}\n"), "web1", 22, Trusted),
        (format!("{HASHED} {B}\n"), "web1", 22, Changed(1)),
        (format!("{HASHED} {A}\n"), "web2", 22, New),
        (format!("{HASHED_2222} {A}\n"), "WEB1", 2222, Trusted),
        (format!("{HASHED_2222} {A}\n"), "web1", 22, New),
        (format!("|1|no base64|x= {A}\nweb1 {A}\n"), "web1", 22, Trusted),
        (format!("@revoked web1 {A}\n"), "web1", 22, Revoked),
        (format!("web1 {A}\n@revoked * {A}\n"), "web1", 22, Revoked),
        (format!("@revoked {HASHED} {A}\nweb1 {A}\n"), "web1", 22, Revoked),
        (format!("@revoked web1 {B}\nweb1 {A}\n"), "web1", 22, Trusted),
        (format!("@revoked web1 {B}\n"), "web1", 22, New),
        (format!("@revoked web1 {A}\n"), "web1", 2222, Revoked),
        (format!("@cert-authority * {A}\n"), "web1", 22, New),
        (format!("@cert-authority * {B}\nweb1 {A}\n"), "web1", 22, Trusted),
        (format!("@unheard-of web1 {A}\n"), "web1", 22, New),
        ("web1 ssh-ed25519 !!!!\nweb1\n\0\n".to_owned(), "web1", 22, New),
        (format!("web1 ssh-rsa {}\n", &A[12..]), "web1", 22, New),
        ("web1 2048 35 1234567890\n".to_owned(), "web1", 22, New),
    ];
    for (text, host, port, want) in rows {
        let name = HostName::new(host, *port, None);
        let verdict = judge(&[file(text)], &name, &key(A));
        assert_eq!(&kind(&verdict), want, "{host}:{port} in {text:?}");
    }
}

/// An alias stands for host and port.
#[test]
fn alias_replaces_host_and_port() {
    let name = HostName::new("10.0.0.1", 2222, Some("Cluster"));
    assert_eq!(name.full, "cluster");
    let verdict = judge(&[file(&format!("cluster {A}\n"))], &name, &key(A));
    assert_eq!(verdict, Verdict::Trusted);
    let verdict = judge(&[file(&format!("10.0.0.1 {A}\n"))], &name, &key(A));
    assert_eq!(kind(&verdict), New);
}

/// All files count: a key trusted in one and revoked in another is revoked, and the error names the right file.
#[test]
fn files_are_read_together() {
    let name = HostName::new("web1", 22, None);
    let mut global = file(&format!("# the company's list\n@revoked * {A}\n"));
    global.path = "/etc/ssh/ssh_known_hosts".into();
    let verdict = judge(&[file(&format!("web1 {A}\n")), global], &name, &key(A));
    let Verdict::Revoked(known) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(known.file, PathBuf::from("/etc/ssh/ssh_known_hosts"));
    assert_eq!(known.line, 2);
}

/// What we write is found again, and shows the name to nobody.
#[test]
fn our_own_lines_are_found() {
    let name = HostName::new("web1", 2222, None);
    let line = hashed_line(&name.full, &key(A), [7; 20]).expect("a line");
    assert!(!line.contains("web1"));
    assert_eq!(judge(&[file(&line)], &name, &key(A)), Verdict::Trusted);
}

/// The fingerprint of a line is the one that ssh-keygen prints.
#[test]
fn fingerprints_agree() {
    let name = HostName::new("web1", 22, None);
    let verdict = judge(&[file(&format!("web1 {B}\n"))], &name, &key(A));
    let Verdict::Changed(known) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(known.fingerprint, fingerprint(&key(B)));
    assert_eq!(known.algorithm, "ssh-ed25519");
}

/// The server is asked for the types that are on file, but not for those of authorities and revoked keys.
#[test]
fn types_on_file() {
    let text = format!("@cert-authority * {A}\n@revoked * {B}\nweb1 {C}\n");
    let name = HostName::new("web1", 2222, None);
    assert_eq!(known_types(&[file(&text)], &name), ["ecdsa-sha2-nistp256"]);
}

/// Many stars do not take for ever.
#[test]
fn patterns_are_quick() {
    assert!(!matches_pattern(&"*a".repeat(200), &"a".repeat(199)));
    assert!(matches_pattern(&"*a".repeat(200), &"a".repeat(200)));
    assert!(matches_pattern("**", ""));
    assert!(!matches_pattern("?", ""));
}
