//! Logins that ask: an agent is told whom to call, a person answers, and the agent works there then; names, and the way through
//! several hosts.

mod chain;
mod expired;
mod names;

use std::fs;

use serde_json::json;
use sshmcp_tests::{Shell, SshdOptions, Sudoer, TestBed, eventually};

use crate::attach::Pane;

/// An sshd that wants a key and then a password.
fn key_and_password() -> SshdOptions {
    let lines = [
        "AllowTcpForwarding yes",
        "Match User *",
        "PasswordAuthentication yes",
        "AuthenticationMethods publickey,password",
    ];
    SshdOptions {
        lines: lines.map(str::to_owned).into(),
        ..SshdOptions::default()
    }
}

/// Every file below a directory that has this text.
pub(crate) fn having(directory: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut open = vec![directory.to_owned()];
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text)) {
                found.push(path);
            }
        }
    }
    found
}

/// A host that wants a key and a password which nobody stored. What a person typed is kept in memory alone, and for
/// further connections; the daemon's end forgets it.
#[test]
fn a_key_and_a_password() {
    let mut bed = TestBed::new();
    let sudoer = Sudoer::new(Shell::Bash);
    let number = bed.add_sshd(&key_and_password(), &[]);
    bed.authorize(&bed.sshds()[number], &sudoer.user);
    bed.alias("both", &sudoer.user.name, bed.sshds()[number].port());
    let mut shim = bed.shim();
    let call = json!({"host": "both", "command": "echo open"});
    let fault = shim
        .call("execute_command", call.clone())
        .expect_err("a person is needed");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");
    assert!(fault.hint.contains("sshctl login both"), "{fault:?}");
    for part in ["id_ed25519 (taken, and more is wanted)", "password"] {
        assert!(fault.message.contains(part), "{part}: {fault:?}");
    }

    let person = Pane::open(&bed);
    person.sshctl("login both");
    person.shows("the question", |seen| seen.contains("'s password:"));
    person.types("not this one");
    person.keys("Enter");
    person.shows("the question again", |seen| {
        seen.matches("'s password:").count() == 2
    });
    person.types(&sudoer.password);
    person.keys("Enter");
    let seen = person.shows("its end", |seen| seen.contains("session both is open"));
    assert!(
        seen.contains("logged in as") && !seen.contains(&sudoer.password),
        "{seen}"
    );
    person.close();
    let whoami = shim.run("both", "echo open; whoami");
    assert_eq!(whoami.stdout, format!("open\n{}\n", sudoer.user.name));

    // The connection is lost, and nobody is asked for a new one.
    bed.sshds()[number].cut_connections();
    eventually("it is there again", || shim.execute(call.clone()).is_ok());
    assert_eq!(
        having(bed.home(), &sudoer.password),
        Vec::<std::path::PathBuf>::new()
    );
    shim.call("close_session", json!({"all": true})).expect("closed");
    bed.stop_daemon();
    let fault = shim.call("execute_command", call).expect_err("it is forgotten");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");
    shim.close();
    bed.finish();
}
