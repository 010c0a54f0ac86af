//! A stored password, for the client that asks for it: typed once, where nobody sees it, and nowhere else.

use std::fs;

use serde_json::json;
use sshmcp_tests::{Shell, Shim, SshdOptions, Sudoer};

use super::{super::state, Local};
use crate::{attach::Pane, login::having};

/// Hosts that take passwords alone, with the right one stored and with another.
fn with_passwords(local: &mut Local, sudoer: &Sudoer) -> Shim {
    let lines = [
        "Match User *",
        "PasswordAuthentication yes",
        "AuthenticationMethods password",
    ];
    let options = SshdOptions {
        lines: lines.map(str::to_owned).into(),
        ..SshdOptions::default()
    };
    let number = local.bed.add_sshd(&options, &[]);
    let port = local.bed.sshds()[number].port();
    let mut text = String::new();
    for (name, password) in [("right", &*sudoer.password), ("wrong", "not this one")] {
        local.bed.alias(name, &sudoer.user.name, port);
        text += &format!(
            "[connections.{name}]\nhost = \"{name}\"\npassword = \"{password}\"\nkeeper = \"local-tmux\"\n"
        );
    }
    let config = local.bed.home().join("config.toml");
    fs::write(&config, text).expect("written");
    fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("private");
    local.bed.give("config.toml");
    let mut server = local.bed.program("mcp-ssh");
    server.arg("--config").arg(&config);
    Shim::start(server)
}

/// The right one opens the session, and stands in no file; a wrong one is tried once, and then a person is asked.
#[test]
fn a_stored_password() {
    let mut local = Local::new();
    let sudoer = Sudoer::new(Shell::Bash);
    let mut shim = with_passwords(&mut local, &sudoer);
    let whoami = shim.run("right", "whoami");
    assert_eq!(whoami.stdout, format!("{}\n", sudoer.user.name));
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    assert_eq!(listed["sessions"][0]["keeper"], "local-tmux", "{listed}");
    assert_eq!(
        having(&local.bed.home().join(".local"), &sudoer.password),
        Vec::<std::path::PathBuf>::new()
    );

    shim.call("close_session", json!({"all": true})).expect("closed");
    let call = json!({"host": "wrong", "command": "whoami"});
    let fault = shim.execute(call).expect_err("a person is asked");
    assert_eq!(fault.code, "auth_input_required", "{fault:?}");
    assert!(fault.message.contains("'s password:"), "{fault:?}");
    let person = Pane::open(&local.bed);
    person.sshctl("attach wrong");
    person.shows("that one was refused, and one more question", |seen| {
        seen.contains("please try again") && seen.matches("'s password:").count() == 2
    });
    person.types(&sudoer.password);
    person.keys("Enter");
    person.shows("its shell", |seen| seen.contains("wrong · ready"));
    person.close();
    assert_eq!(state(&mut shim, "wrong"), "ready");
    local.finish(shim);
}
