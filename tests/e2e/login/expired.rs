//! Passwords that have expired: an agent is told whom to call, a person gives a new one wherever the server asks for it, and
//! the agent works there then.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use serde_json::json;
use sshmcp_tests::{Shell, SshdOptions, Sudoer, TestBed};

use crate::{
    attach::Pane,
    clients::{installed, workspace},
};

/// What PAM says of a login: as most hosts have it.
const PAM: &str = "auth required pam_unix.so\naccount required pam_unix.so\npassword required pam_unix.so\nsession required pam_permit.so\n";

fn options(pam: Option<&str>, lines: &[&str]) -> SshdOptions {
    SshdOptions {
        pam: pam.map(str::to_owned),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        ..SshdOptions::default()
    }
}

/// A person's next answer, without an echo.
fn answer(person: &Pane<'_>, question: &str, count: usize, text: &str) {
    person.shows(question, |seen| {
        seen.matches(question).count() >= count && seen.trim_end().ends_with(question)
    });
    person.types(text);
    person.keys("Enter");
}

/// In a session's terminal, whose last row is ours. What was answered before stands there as well until the next question.
fn answer_in_terminal(person: &Pane<'_>, question: (&str, &str), text: &str) {
    let (begin, end) = question;
    let ours = "ctrl-] detaches";
    person.shows(end, |seen| {
        let mut rows = seen.lines().filter(|row| !row.contains(ours));
        let last = rows.rfind(|row| !row.trim().is_empty()).map(str::trim);
        seen.contains(ours) && last.is_some_and(|row| row.starts_with(begin) && row.ends_with(end))
    });
    person.types(text);
    person.keys("Enter");
}

/// sshd runs passwd in the place of the shell: without PAM after a login by password, which is typed again then, and with
/// PAM after any, as that by a key.
#[test]
fn passwd_in_the_place_of_the_shell() {
    for (pam, by_key) in [(None, false), (Some(PAM), true)] {
        let sudoer = Sudoer::new(Shell::Bash);
        let new = format!("Nw+{}", sudoer.password);
        let own = format!("Match User {}", sudoer.user.name);
        let mut lines = vec!["AuthorizedKeysFile none", &own];
        if by_key {
            lines = vec![&own];
        } else {
            lines.push("PasswordAuthentication yes");
        }
        let mut bed = TestBed::new();
        let number = bed.add_sshd(&options(pam, &lines), &[]);
        if by_key {
            bed.authorize(&bed.sshds()[number], &sudoer.user);
        }
        bed.alias("old", &sudoer.user.name, bed.sshds()[number].port());
        sudoer.expire();
        let mut shim = bed.shim();
        let call = json!({"host": "old", "command": "whoami", "timeout": 50});
        let fault = shim.execute(call.clone()).expect_err("a person is needed");
        assert_eq!(fault.code, "auth_input_required", "{fault:?}");
        assert!(fault.hint.contains("sshctl login old"), "{fault:?}");

        let person = Pane::open(&bed);
        if by_key {
            let expired = format!("the password of {} on old has expired", sudoer.user.name);
            assert!(fault.message.contains(&expired), "{fault:?}");
            let typed = shim.call("send_input", json!({"session": "old", "text": "guess"}));
            let fault = typed.expect_err("it is no matter for agents");
            assert_eq!(fault.code, "auth_input_required", "{fault:?}");
            person.sshctl("login old");
        } else {
            person.sshctl("login old");
            answer(&person, "'s password:", 1, &sudoer.password);
        }
        answer_in_terminal(&person, ("", "Current password:"), &sudoer.password);
        answer_in_terminal(&person, ("", "New password:"), &new);
        answer_in_terminal(&person, ("", "Retype new password:"), &new);
        if !by_key {
            answer(&person, "'s password:", 2, &new);
        }
        person.shows("its end", |seen| seen.contains("session old is open"));
        person.close();
        let outcome = shim.execute(call).expect("it is open");
        assert_eq!(outcome.stdout, format!("{}\n", sudoer.user.name), "{outcome:?}");
        for secret in [&sudoer.password, &new] {
            assert_eq!(
                super::having(bed.home(), secret),
                Vec::<std::path::PathBuf>::new()
            );
        }
        shim.close();
        bed.finish();
    }
}

/// The same behind OpenSSH's client: it is changed in its pane, and the next use opens the session.
#[test]
fn passwd_behind_openssh() {
    let sudoer = Sudoer::new(Shell::Bash);
    let new = format!("Nw+{}", sudoer.password);
    let mut bed = TestBed::new();
    let number = bed.add_sshd(&options(Some(PAM), &[]), &[]);
    bed.authorize(&bed.sshds()[number], &sudoer.user);
    bed.alias("old", &sudoer.user.name, bed.sshds()[number].port());
    std::fs::create_dir_all(bed.home().join(".config/sshmcp")).expect("a directory");
    bed.append(
        ".config/sshmcp/config.toml",
        "[connections.old]\nkeeper = \"local-tmux\"\n",
    );
    bed.give(".config");
    sudoer.expire();
    let mut shim = bed.shim();
    let call = json!({"host": "old", "command": "whoami", "timeout": 50});
    let fault = shim.execute(call.clone()).expect_err("a person is needed");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");
    assert!(fault.hint.contains("sshctl login old"), "{fault:?}");
    let person = Pane::open(&bed);
    person.sshctl("login old");
    answer_in_terminal(&person, ("", "Current password:"), &sudoer.password);
    answer_in_terminal(&person, ("", "New password:"), &new);
    answer_in_terminal(&person, ("", "Retype new password:"), &new);
    person.shows("its end", |seen| seen.contains("session old is open"));
    person.close();
    let outcome = shim.execute(call).expect("it is open");
    assert_eq!(outcome.stdout, format!("{}\n", sudoer.user.name), "{outcome:?}");
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
}

/// PAM asks within the login, in four rounds of questions: for the old password, once more for it, and for the new one.
#[test]
fn questions_of_pam() {
    let sudoer = Sudoer::new(Shell::Bash);
    let new = format!("Nw+{}", sudoer.password);
    let questions = [
        "AuthorizedKeysFile none",
        "Match User *",
        "KbdInteractiveAuthentication yes",
    ];
    let mut bed = TestBed::new();
    let changing = bed.add_sshd(&options(Some(PAM), &questions), &[]);
    bed.alias("changing", &sudoer.user.name, bed.sshds()[changing].port());
    let mut shim = bed.shim();
    let call = json!({"host": "changing", "command": "whoami", "password": sudoer.password, "timeout": 50});
    sudoer.expire();
    let fault = shim.execute(call).expect_err("a person is needed");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");
    assert!(fault.message.contains("wants a new password"), "{fault:?}");
    let person = Pane::open(&bed);
    person.sshctl("login changing");
    answer(&person, "Password:", 1, &sudoer.password);
    answer(&person, "Current password:", 1, &sudoer.password);
    answer(&person, "New password:", 1, &new);
    answer(&person, "Retype new password:", 1, &new);
    person.shows("its end", |seen| seen.contains("session changing is open"));
    person.close();
    assert_eq!(shim.run("changing", "echo in").stdout, "in\n");
    // The new one is what is kept, for further connections.
    bed.sshds()[changing].cut_connections();
    sshmcp_tests::eventually("it is there again", || {
        let call = json!({"host": "changing", "command": "true"});
        shim.execute(call).is_ok()
    });
    shim.close();
    bed.finish();
}

/// A server of paramiko's that asks for the change in the protocol.
struct Changing {
    child: Child,
    said: Receiver<String>,
}

impl Changing {
    fn start(bed: &TestBed, password: &str) -> Self {
        let mut child = std::process::Command::new(installed("venv/bin/python"))
            .arg(workspace().join("tests/devices/changing.py"))
            .arg(password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let stdout = child.stdout.take().expect("piped");
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        let server = Self { child, said };
        let line = server.says();
        let (port, key) = line.split_once(' ').expect("a port and a key");
        bed.append(".ssh/known_hosts", &format!("[127.0.0.1]:{port} {key}\n"));
        bed.alias("asks", "somebody", port.parse().expect("a port"));
        server
    }

    fn says(&self) -> String {
        let line = self.said.recv_timeout(Duration::from_secs(60));
        line.expect("the server says something")
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The protocol's own request for a new password: told as that, and answered by a person in the words of OpenSSH's client.
#[test]
fn the_protocols_own_request() {
    let bed = TestBed::new();
    let old = format!("Pw-{:016x}", rand::random::<u64>());
    let new = format!("Nw-{:016x}", rand::random::<u64>());
    let server = Changing::start(&bed, &old);
    let mut shim = bed.shim();
    let call = json!({"host": "asks", "command": "true", "password": old, "timeout": 50});
    let fault = shim.execute(call).expect_err("a person is needed");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");
    assert!(fault.message.contains("wants a new one"), "{fault:?}");
    assert!(fault.hint.contains("sshctl login asks"), "{fault:?}");
    assert_eq!(server.says(), "asked for a new one");

    let person = Pane::open(&bed);
    person.sshctl("login asks");
    answer(&person, "'s password:", 1, &old);
    assert_eq!(server.says(), "asked for a new one");
    answer_in_terminal(&person, ("", "'s password:"), &old);
    assert_eq!(server.says(), "asked for a new one");
    answer_in_terminal(&person, ("Enter ", "'s old password:"), &old);
    answer_in_terminal(&person, ("Enter ", "'s new password:"), &new);
    answer_in_terminal(&person, ("Retype ", "'s new password:"), &new);
    assert_eq!(server.says(), format!("changed to {new}"));
    // It has no shell for anybody.
    person.shows("its end", |seen| !seen.contains("ctrl-] detaches"));
    person.close();
    shim.close();
    bed.finish();
}
