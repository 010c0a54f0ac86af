//! What OpenSSH asks before there is a shell is a person's to answer: callers are told so, and the session opens by itself
//! afterwards.

use std::path::PathBuf;

use serde_json::json;
use sshmcp_tests::{Shell, TestBed, eventually};

use super::{
    super::{restarts::kill_daemon, state},
    Local,
};
use crate::attach::Pane;

/// A host key that is not known: an agent may not answer, a person does.
#[test]
fn a_host_key() {
    let local = Local::new();
    let port = local.bed.sshd().port();
    let user = &local.bed.user(Shell::Bash).name;
    let lines =
        format!("Host stranger\n HostName 127.0.0.1\n Port {port}\n User {user}\n HostKeyAlias stranger\n");
    local.bed.append(".ssh/config", &lines);
    let mut shim = local.bed.shim();
    let asked = json!({"host": "stranger", "keeper": "local-tmux"});
    let fault = shim.call("open_session", asked).expect_err("somebody is asked");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");
    assert!(fault.message.contains("continue connecting"), "{fault:?}");
    assert!(fault.hint.contains("sshctl attach stranger"), "{fault:?}");
    assert!(
        fault
            .hint
            .contains(&format!("tmux -L {} attach", local.server("stranger"))),
        "{fault:?}"
    );
    assert_eq!(state(&mut shim, "stranger"), "awaiting_input");
    let typed = json!({"session": "stranger", "text": "yes"});
    let fault = shim.call("send_input", typed).expect_err("no agent answers that");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");
    let run = json!({"host": "stranger", "command": "true"});
    let fault = shim.call("execute_command", run).expect_err("it is not open");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");

    let person = Pane::open(&local.bed);
    person.sshctl("attach stranger");
    person.shows("the question", |seen| seen.contains("continue connecting"));
    person.types("yes");
    person.keys("Enter");
    person.shows("its shell", |seen| seen.contains("stranger · ready"));
    person.close();
    eventually("it is open", || state(&mut shim, "stranger") == "ready");
    assert_eq!(shim.run("stranger", "echo open").stdout, "open\n");
    local.finish(shim);
}

/// A key that bash's host takes and whose passphrase is `open sesame`.
fn locked_key(bed: &TestBed) -> PathBuf {
    let key = bed.home().join(".ssh/locked");
    let made = bed
        .tool("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "open sesame", "-f"])
        .arg(&key)
        .status();
    assert!(made.expect("ssh-keygen runs").success());
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("a public key");
    bed.sshd().authorize(bed.user(Shell::Bash), &public);
    key
}

/// A passphrase, given in the pane itself; and a session that is closed while its client asks leaves nothing.
#[test]
fn a_passphrase() {
    let local = Local::new();
    let key = locked_key(&local.bed);
    let mut shim = local.bed.shim();
    let asked = json!({"host": "bash", "keeper": "local-tmux", "key_filename": key});
    for is_answered in [false, true] {
        let fault = shim
            .call("open_session", asked.clone())
            .expect_err("somebody is asked");
        assert_eq!(fault.code, "auth_input_required", "{fault:?}");
        assert!(fault.message.contains("passphrase"), "{fault:?}");
        if is_answered {
            local.tmux("bash", &["send-keys", "-t", "%0", "-l", "open sesame"]);
            local.tmux("bash", &["send-keys", "-t", "%0", "Enter"]);
            eventually("it is open", || state(&mut shim, "bash") == "ready");
            assert_eq!(shim.run("bash", "echo open").stdout, "open\n");
        }
        shim.call("close_session", json!({"session": "bash"}))
            .expect("closed");
        assert!(local.places().is_empty());
    }
    let screen = std::fs::read_to_string(local.bed.home().join(".local/state/sshmcp/logs/bash.log"));
    assert!(!screen.unwrap_or_default().contains("sesame"));
    local.finish(shim);
}

/// The daemon is killed while somebody is asked: the client is nobody's then, and the next daemon ends it.
#[test]
fn asked_in_vain() {
    let local = Local::new();
    let port = local.bed.sshd().port();
    let lines = format!("Host stranger\n HostName 127.0.0.1\n Port {port}\n HostKeyAlias stranger\n");
    local.bed.append(".ssh/config", &lines);
    let mut shim = local.bed.shim();
    let asked = json!({"host": "stranger", "keeper": "local-tmux"});
    shim.call("open_session", asked).expect_err("somebody is asked");
    kill_daemon(&local.bed);
    shim.kill();
    assert_eq!(local.places().len(), 1);
    let mut shim = local.bed.shim();
    eventually("nothing is left of it", || {
        state(&mut shim, "stranger").is_empty() && local.places().is_empty()
    });
    local.finish(shim);
}

/// A login that is refused says so in OpenSSH's own words.
#[test]
fn a_refused_login() {
    let local = Local::new();
    let port = local.bed.sshd().port();
    let lines = format!("Host nobody\n HostName 127.0.0.1\n Port {port}\n User sshmcp-t-none\n");
    local.bed.append(".ssh/config", &lines);
    let mut shim = local.bed.shim();
    let asked = json!({"host": "nobody", "keeper": "local-tmux"});
    let fault = shim.call("open_session", asked).expect_err("it is refused");
    assert_eq!(fault.code, "auth_failed", "{fault:?}");
    assert!(fault.message.contains("Permission denied"), "{fault:?}");
    eventually("nothing is left of it", || local.places().is_empty());
    local.finish(shim);
}

/// A login that needs a person, on a host that is like any other: the agent is sent to one, who answers, and works there then.
#[test]
fn a_person_logs_in() {
    let local = Local::new();
    let key = locked_key(&local.bed);
    let lines = format!(
        "Host locked\n HostName 127.0.0.1\n Port {}\n User {}\n IdentityFile {}\n IdentitiesOnly yes\n",
        local.bed.sshd().port(),
        local.bed.user(Shell::Bash).name,
        key.display()
    );
    local.bed.append(".ssh/config", &lines);
    let mut shim = local.bed.shim();
    let call = json!({"host": "locked", "command": "echo open"});
    let fault = shim
        .call("execute_command", call)
        .expect_err("a person is needed");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");
    assert!(fault.hint.contains("sshctl login locked"), "{fault:?}");
    let person = Pane::open(&local.bed);
    person.sshctl("login --keeper local-tmux locked");
    person.shows("the question", |seen| seen.contains("passphrase"));
    person.types("open sesame");
    person.keys("Enter");
    person.shows("its end", |seen| seen.contains("session locked is open"));
    person.close();
    assert_eq!(shim.run("locked", "echo open").stdout, "open\n");
    local.finish(shim);
}
