//! The built `sshctl` without any daemon: words and exit codes that scripts rely on.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Runs `sshctl` in a sealed environment where no daemon runs and none can be started.
fn sshctl(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sshctl"))
        .args(args)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/nonexistent")
        .env("SSHMCP_DAEMON", "/nonexistent/sshmcpd")
        .stdin(Stdio::null())
        .output()
        .expect("sshctl runs")
}

fn home() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The help lists the built verbs with examples, and the exit codes.
#[test]
fn help_is_complete() {
    let home = home();
    let help = sshctl(home.path(), &["--help"]);
    assert!(help.status.success());
    let help = text(&help.stdout);
    for word in [
        "status",
        "hosts",
        "sessions",
        "open",
        "login",
        "secret",
        "exec",
        "commands",
        "output",
        "wait",
        "interrupt",
        "send",
        "screen",
        "attach",
        "watch",
        "logs",
        "replay",
        "cp",
        "close",
        "trust",
        "config",
        "daemon",
        "install",
        "uninstall",
        "completions",
        "Exit codes",
        "71  host_key_unknown",
    ] {
        assert!(help.contains(word), "the help lacks {word}:\n{help}");
    }
    for verb in ["tunnel", "approve"] {
        assert!(!help.contains(verb), "{verb} is not built, but listed");
    }
}

/// Every verb has a help of its own.
#[test]
fn every_verb_has_help() {
    let home = home();
    for verb in [
        "status",
        "hosts",
        "ls",
        "open",
        "login",
        "secret",
        "exec",
        "commands",
        "output",
        "wait",
        "interrupt",
        "send",
        "screen",
        "attach",
        "watch",
        "cp",
        "close",
        "trust",
        "config",
        "daemon",
        "install",
        "uninstall",
        "completions",
    ] {
        let help = sshctl(home.path(), &[verb, "--help"]);
        assert!(help.status.success(), "{verb}: {}", text(&help.stderr));
        assert!(text(&help.stdout).contains("Usage: sshctl"), "{verb}");
    }
}

/// Wrong usage is 64, in words, on stderr.
#[test]
fn wrong_usage() {
    let home = home();
    for args in [
        &["frobnicate"][..],
        &["exec", "web1"],
        &["exec", "--", "ls"],
        &["close"],
        &["close", "a", "--all"],
        &["output", "c1", "--tail", "3", "--grep", "x"],
        &["send", "web1", "--secret", "--text", "x"],
        &["hosts", "--no-such-flag"],
    ] {
        let output = sshctl(home.path(), args);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{args:?}: {}",
            text(&output.stderr)
        );
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{args:?}");
    }
}

/// A daemon that cannot be started is 69 with a sentence and a hint; nothing hangs.
#[test]
fn daemon_cannot_be_started() {
    let home = home();
    for args in [
        &["hosts"][..],
        &["ls"],
        &["exec", "web1", "--", "true"],
        &["daemon", "start"],
        &["wait", "c1"],
    ] {
        let output = sshctl(home.path(), args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{args:?}: {stderr}");
        assert!(stderr.starts_with("sshctl: no daemon: "), "{stderr}");
        assert!(stderr.contains("SSHMCP_DAEMON"), "{stderr}");
        assert!(!stderr.contains('\x1b'), "no colours in a pipe");
    }
}

/// `status` starts nothing and says how to; programs read the same as JSON.
#[test]
fn status_without_a_daemon() {
    let home = home();
    for args in [&["status"][..], &["daemon", "status"]] {
        let output = sshctl(home.path(), args);
        assert_eq!(output.status.code(), Some(69));
        assert!(text(&output.stderr).contains("sshctl daemon start"));
    }
    let output = sshctl(home.path(), &["status", "--json"]);
    assert_eq!(output.status.code(), Some(69));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(value["error"]["code"], "daemon_unavailable");
    assert_eq!(value["error"]["exit_code"], 69);
    let left: Vec<_> = std::fs::read_dir(home.path()).expect("readable").collect();
    assert!(left.is_empty(), "looking made {left:?}");
}

/// Stopping what does not run is no error.
#[test]
fn stop_without_a_daemon() {
    let home = home();
    let output = sshctl(home.path(), &["daemon", "stop"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "no daemon was running\n");
}

/// The configuration's place is told without a daemon.
#[test]
fn config_path() {
    let home = home();
    let output = sshctl(home.path(), &["config", "path", "--config", "/etc/x.toml"]);
    assert_eq!(text(&output.stdout), "/etc/x.toml\n");
    let output = sshctl(home.path(), &["config", "check"]);
    assert_eq!(output.status.code(), Some(69), "the daemon's program is missing");
}

/// Completions come for each shell.
#[test]
fn completions() {
    let home = home();
    for shell in ["bash", "zsh", "fish"] {
        let output = sshctl(home.path(), &["completions", shell]);
        assert!(
            output.status.success() && text(&output.stdout).contains("interrupt"),
            "{shell}"
        );
    }
}

/// A reader that goes away ends the program quietly.
#[test]
fn broken_pipe_is_quiet() {
    let home = home();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sshctl"))
        .args(["completions", "bash"])
        .env_clear()
        .env("HOME", home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sshctl runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}
