//! `OVRD_ALIAS_…` in the environment of `mcp-ssh --profile session`: an agent works by the alias alone, and is never shown
//! what that stands for.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, Sudoer, TestBed, sshd::free_port};

use super::{faults::password_only, told};

/// The alias gives host, port, user and passwords; all that is answered names the alias.
#[test]
fn credentials_are_hidden_behind_an_alias() {
    let mut bed = TestBed::new();
    let sudoer = Sudoer::new(Shell::Bash);
    sudoer.allow("@ ALL=(ALL:ALL) ALL");
    let number = bed.add_sshd(&password_only(), &[]);
    let port = bed.sshds()[number].port();
    let key = bed.home().join(".ssh/id_ed25519").display().to_string();
    let (user, password) = (sudoer.user.name.clone(), sudoer.password.clone());
    let (bash, gone) = (bed.user(Shell::Bash).name.clone(), free_port());
    let mut command = bed.program("mcp-ssh");
    command
        .args(["--profile", "session"])
        .env("OVRD_shop_HOST", "127.0.0.1")
        .env("OVRD_shop_PORT", port.to_string())
        .env("OVRD_shop_USER", &user)
        .env("OVRD_shop_PASS", &password)
        .env("OVRD_shop_SUDO_PASS", &password)
        // By a key, at the other sshd, below a name that no shell could export.
        .env("OVRD_by_key_HOST", "127.0.0.1")
        .env("OVRD_by_key_PORT", bed.sshd().port().to_string())
        .env("OVRD_by_key_USER", &bash)
        .env("OVRD_by_key_KEY", &key)
        .env("OVRD_gone_HOST", "127.0.0.1")
        .env("OVRD_gone_PORT", gone.to_string())
        .env("OVRD_gone_USER", &user)
        .env("OVRD_locked_HOST", "127.0.0.1")
        .env("OVRD_locked_PORT", port.to_string())
        .env("OVRD_locked_USER", &bash)
        .env("OVRD_locked_PASS", "wr0ng-s3cret")
        // Its key is not known by this name.
        .env("OVRD_new_HOST", "localhost")
        .env("OVRD_new_PORT", bed.sshd().port().to_string())
        .env("OVRD_new_USER", &bash)
        .env("OVRD_typo_PORT", "22o2");
    let mut shim = Shim::start(command);
    let mut seen = Vec::new();
    let mut ask = |shim: &mut Shim, tool: &str, arguments: Value| {
        let id = shim.begin_call(tool, arguments);
        let answer = shim.answer(id)["result"].clone();
        seen.push(answer.to_string());
        let text = answer["content"][0]["text"].as_str().expect("text").to_owned();
        (answer["isError"] == json!(true), text)
    };

    let run = |command: &str| json!({"host": "shop", "command": command});
    let (_, text) = ask(&mut shim, "execute_command", run("cd /; echo open"));
    assert_eq!(text, "Exit Status: 0\n\nSTDOUT:\nopen\n");
    // Whom the call names is not who the alias is.
    let mut other = run("test \"$(id -un)\" != root && pwd");
    other["username"] = json!("root");
    let (_, text) = ask(&mut shim, "execute_command", other);
    assert_eq!(text, "Exit Status: 0\n\nSTDOUT:\n/\n", "the same shell");
    let (_, text) = ask(&mut shim, "execute_command", run("sudo id -u"));
    assert_eq!(text, "Exit Status: 0\n\nSTDOUT:\n0\n");
    let (_, text) = ask(
        &mut shim,
        "execute_command",
        json!({"host": "by-key", "command": "cd /; echo key"}),
    );
    assert_eq!(text, "Exit Status: 0\n\nSTDOUT:\nkey\n");
    let (_, text) = ask(&mut shim, "list_sessions", json!({}));
    assert!(
        text.contains("\n- shop (shop, ready") && text.contains("\n- by-key (by-key, ready"),
        "{text}"
    );
    // Tools that are not listed hide it as well, and so do resources.
    ask(
        &mut shim,
        "open_session",
        json!({"host": "shop", "session": "shop"}),
    );
    // Files are reached in the same way, as root with the password for sudo.
    let root_only = bed.path("root-only");
    fs::write(&root_only, "of root\n").expect("written");
    fs::set_permissions(&root_only, Permissions::from_mode(0o600)).expect("chmod");
    for (use_sudo, answer) in [(false, "[permission_denied]"), (true, "of root\n")] {
        let read = json!({"host": "shop", "remote_path": root_only, "use_sudo": use_sudo});
        let (_, text) = ask(&mut shim, "read_file", read);
        assert!(text.contains(answer), "{use_sudo}: {text}");
    }
    // What the host itself shows stays as it is, its prompt too.
    let (_, text) = told(&mut shim, "read_screen", &json!({"host": "shop"}));
    assert!(text.contains("\"cursor_y\": "), "{text}");
    let (_, text) = ask(&mut shim, "close_session", json!({"host": "by-key"}));
    assert_eq!(text, "Closed session: by-key (by-key)");

    let (is_error, text) = ask(
        &mut shim,
        "execute_command",
        json!({"host": "gone", "command": "true"}),
    );
    assert!(is_error && text.contains("[unreachable]"), "{text}");
    let (is_error, text) = ask(
        &mut shim,
        "execute_command",
        json!({"host": "locked", "command": "true"}),
    );
    assert!(is_error && text.contains("[auth_failed]"), "{text}");
    let (is_error, text) = ask(
        &mut shim,
        "execute_command",
        json!({"host": "typo", "command": "true"}),
    );
    assert!(is_error && text.contains("OVRD_typo_PORT"), "{text}");
    let (is_error, text) = ask(
        &mut shim,
        "execute_command",
        json!({"host": "new", "command": "true"}),
    );
    assert!(
        is_error && text.contains("`sshctl trust new`; there `new` is what OVRD_new_HOST, "),
        "{text}"
    );
    let sessions = shim.ask("resources/read", json!({"uri": "ssh://sessions"}));
    seen.push(sessions["result"].to_string());

    for hidden in [
        user.as_str(),
        &password,
        &bash,
        &key,
        "127.0.0.1",
        "localhost",
        &bed.sshd().port().to_string(),
        "wr0ng-s3cret",
        "22o2",
        &port.to_string(),
        &gone.to_string(),
    ] {
        for answer in &seen {
            assert!(!answer.contains(hidden), "{hidden} is shown: {answer}");
        }
    }
    // It is that profile's, and nobody else's.
    let mut plain = bed.program("mcp-ssh");
    plain.env("OVRD_bash_USER", "nobody-of-that-name");
    let mut plain = Shim::start(plain);
    let (is_error, text) = told(
        &mut plain,
        "execute_command",
        &json!({"host": "bash", "command": "true"}),
    );
    assert!(!is_error, "{text}");
    plain.call("close_session", json!({"all": true})).expect("closed");
    plain.close();
    shim.close();
    bed.finish();
}
