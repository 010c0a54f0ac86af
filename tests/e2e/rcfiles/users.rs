//! A shell of another login in mid-session: `sudo -i`, `su -` and a nested `ssh`, started in each login shell, answered
//! and left; their end is the command's, and the session goes on as it was.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, thread};

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, Sudoer, TestBed, sshd::keygen};

use super::changed::LOGINS;

/// Types into the command, and gives what it settled to.
fn answer(shim: &mut Shim, id: &str, text: &str) -> Value {
    let arguments = json!({"command_id": id, "text": text, "timeout": 30});
    let shown = shim.call("send_input", arguments).expect("it is typed");
    assert_eq!(shown["settled"], true, "{text:?}: {shown}");
    shown
}

/// Whoever asks for a password says so; the shell behind it holds the session; its exit code is the command's.
fn visit(shim: &mut Shim, host: &str, command: &str, password: Option<&str>, who: &str) {
    let arguments = json!({"host": host, "command": command, "timeout": 40});
    let begun = shim.execute(arguments).expect("it begins");
    assert_eq!(begun.status, "awaiting_input", "{host} {command}: {begun:?}");
    if let Some(password) = password {
        assert_eq!(
            begun.object["prompt"]["echo"], false,
            "{host} {command}: {begun:?}"
        );
        let shown = answer(shim, &begun.id, password);
        assert_eq!(shown["why"], "awaiting_input", "{host} {command}: {shown}");
    }
    let busy = shim.execute(json!({"host": host, "command": "true"}));
    let busy = busy.expect_err("the session is held");
    assert_eq!(busy.code, "session_busy", "{host} {command}: {busy:?}");
    assert!(busy.hint.contains("send_input"), "{host} {command}: {busy:?}");
    answer(shim, &begun.id, "echo \"i am $(id -un)\"");
    let shown = answer(shim, &begun.id, "exit 5");
    assert_eq!(shown["why"], "ended", "{host} {command}: {shown}");
    let ended = Outcome::read(
        shim.call("get_command_output", json!({"command_id": begun.id}))
            .expect("its output"),
    );
    assert_eq!(
        (&*ended.status, ended.exit_code),
        ("completed", Some(5)),
        "{host} {command}: {ended:?}"
    );
    let screen = shim.call("get_terminal_output", json!({"session": host, "lines": 200}));
    let said = format!("{}{}", ended.stdout, screen.expect("a screen"));
    assert!(said.contains(&format!("i am {who}")), "{host} {command}: {said}");
    if let Some(password) = password {
        assert!(!said.contains(password), "{host} {command}");
    }
    let next = shim.run(host, "echo $x $PWD");
    assert_eq!(
        (&*next.stdout, &*next.notice),
        ("outer /usr\n", ""),
        "{host} {command}: {next:?}"
    );
}

/// In each login shell, for a user who has a password and may use sudo.
#[test]
fn shells_of_other_logins() {
    let mut bed = TestBed::new();
    let sudoers: Vec<(Shell, Sudoer)> = LOGINS.map(|shell| (shell, Sudoer::new(shell))).into();
    for (shell, sudoer) in &sudoers {
        sudoer.allow("@ ALL=(ALL:ALL) ALL");
        bed.add_guest(&format!("own-{}", shell.host()), &sudoer.user);
        let key = sudoer.user.home.join("key");
        keygen(&key);
        let public = fs::read_to_string(key.with_extension("pub")).expect("a key");
        bed.sshd().authorize(&sudoer.user, &public);
        sudoer.user.own(&key);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("chmod");
    }
    thread::scope(|scope| {
        for (shell, sudoer) in &sudoers {
            let bed = &bed;
            scope.spawn(move || {
                let (host, name) = (format!("own-{}", shell.host()), &sudoer.user.name);
                let mut shim = bed.shim();
                let assign = if *shell == Shell::Fish {
                    "set x outer"
                } else {
                    "x=outer"
                };
                shim.run(&host, &format!("cd /usr; {assign}"));
                let password = Some(sudoer.password.as_str());
                visit(&mut shim, &host, "sudo -i", password, "root");
                visit(&mut shim, &host, &format!("su - {name}"), password, name);
                let key = sudoer.user.home.join("key");
                let ssh = ssh(&key, bed.sshd().port(), name);
                visit(&mut shim, &host, &ssh, None, name);
                shim.close();
            });
        }
    });
    bed.finish();
}

fn ssh(key: &Path, port: u16, name: &str) -> String {
    format!(
        "ssh -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o StrictHostKeyChecking=no -i {} -p {port} {name}@127.0.0.1",
        key.display()
    )
}
