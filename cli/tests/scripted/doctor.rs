//! `sshctl doctor`: each finding in a line, what to do below it, and the exit code of the worst.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::text;

/// A home in which nothing is wrong.
fn healthy() -> Daemon {
    let daemon = Daemon::start();
    let home = daemon.directory.path();
    fs::create_dir(home.join(".ssh")).expect("a directory");
    fs::set_permissions(home, fs::Permissions::from_mode(0o700)).expect("chmod");
    let state = home.to_str().expect("a plain path").to_owned();
    *daemon.script.state_dir.lock().expect("not poisoned") = state;
    fs::set_permissions(daemon.socket(), fs::Permissions::from_mode(0o600)).expect("chmod");
    daemon
}

fn doctor(daemon: &Daemon, arguments: &[&str]) -> Output {
    let mut sshctl = daemon.sshctl();
    sshctl.env("LANG", "C.UTF-8").arg("doctor").args(arguments);
    sshctl.output().expect("sshctl runs")
}

/// What is found of a host decides the exit code beside what is found here; no host drives the terminal.
#[test]
fn a_host() {
    let daemon = healthy();
    for (host, code, words) in [
        ("good", 1, "ok       reached"),
        ("slow", 1, "warning  opening"),
        ("unknown", 2, "sshctl trust unknown"),
        ("nowhere", 2, "check its spelling"),
    ] {
        let output = doctor(&daemon, &[host]);
        let said = text(&output.stdout);
        // There is no agent, which is a warning.
        assert_eq!(
            output.status.code(),
            Some(code),
            "{host}: {said}{}",
            text(&output.stderr)
        );
        assert!(said.contains(words), "{host}: {said}");
        assert!(
            !said.contains('\x1b') && !said.contains("Nothing is wrong"),
            "{said:?}"
        );
    }
}

/// This machine: a key that others can read is a problem with the command that mends it, here and in JSON.
#[test]
fn here() {
    let daemon = healthy();
    let output = doctor(&daemon, &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in [
        "ok       daemon",
        "ok       socket",
        "warning  agent",
        "ok       OpenSSH",
        "ssh understands it",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let key = daemon.directory.path().join(".ssh/id_open");
    fs::write(&key, "-----BEGIN OPENSSH PRIVATE KEY-----\nnobody's\n").expect("a file");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("chmod");
    let output = doctor(&daemon, &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["worst"], "problem");
    let findings = found["findings"].as_array().expect("a list");
    let problems: Vec<&Value> = findings
        .iter()
        .filter(|found| found["level"] == "problem")
        .collect();
    assert_eq!(problems.len(), 1, "{found}");
    assert_eq!(problems[0]["check"], "keys");
    assert_eq!(problems[0]["host"], Value::Null);
    assert_eq!(problems[0]["todo"], format!("chmod go-rwx {}", key.display()));
    assert!(!found.to_string().contains("nobody's"), "no content is shown");
}

/// Where no daemon answers and none can be started, that is the first finding, and the rest is looked at all the same.
#[test]
fn no_daemon() {
    let daemon = healthy();
    let mut sshctl = daemon.sshctl();
    sshctl
        .env("SSHMCP_SOCKET", daemon.directory.path().join("nobody"))
        .env("SSHMCP_DAEMON", "/nonexistent/sshmcpd")
        .arg("doctor");
    let output = sshctl.output().expect("sshctl runs");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with("problem  daemon") && said.contains("OpenSSH"),
        "{said}"
    );
}
