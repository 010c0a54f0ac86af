//! Logins that ask: an agent is told whom to call, a person answers, and the agent works there then; and the way through
//! several hosts.

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
fn having(directory: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
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

/// Three hosts on the way, each with a user and a host key of its own; the one that is dead is named, wherever it is.
#[test]
fn three_hosts_on_the_way() {
    let mut bed = TestBed::new();
    let forwards = SshdOptions {
        lines: vec!["AllowTcpForwarding yes".to_owned()],
        ..SshdOptions::default()
    };
    let shells = [Shell::Dash, Shell::Zsh, Shell::Ksh, Shell::Bash];
    let names = ["first", "second", "third", "goal"];
    let mut numbers = Vec::new();
    for (shell, name) in shells.into_iter().zip(names) {
        let number = bed.add_sshd(&forwards, &[shell]);
        let port = bed.sshds()[number].port();
        bed.alias(name, &bed.user(shell).name.clone(), port);
        numbers.push(number);
    }
    bed.append(".ssh/config", "Host goal\n ProxyJump first,second,third\n");
    let mut shim = bed.shim();
    let ran = shim.run("goal", "whoami; echo $SSH_CONNECTION");
    let port = bed.sshds()[numbers[3]].port().to_string();
    assert!(
        ran.stdout
            .starts_with(&format!("{}\n", bed.user(Shell::Bash).name))
            && ran.stdout.trim_end().ends_with(&port),
        "{ran:?}"
    );
    let listed = shim.call("list_hosts", json!({"host": "goal"})).expect("listed");
    assert_eq!(
        listed["hosts"][0]["jump"],
        json!(["first", "second", "third"]),
        "{listed}"
    );
    shim.call("close_session", json!({"all": true})).expect("closed");
    bed.stop_daemon();
    for (at, name) in [(2, "third"), (1, "second"), (0, "first")] {
        bed.stop_sshd(numbers[at]);
        let call = json!({"host": "goal", "command": "true"});
        let fault = shim.call("execute_command", call).expect_err("a hop is dead");
        assert_eq!(fault.code, "unreachable", "{fault:?}");
        assert!(fault.message.contains(name), "{name}: {fault:?}");
        let blamed = names
            .iter()
            .max_by_key(|name| fault.message.rfind(&format!("{name} (")));
        assert_eq!(blamed, Some(&name), "{fault:?}");
    }
    shim.close();
    bed.finish();
}
