//! A password from the configuration: it answers sudo's own prompt wherever that comes, and changes nothing else.

use serde_json::json;
use sshmcp_tests::Shell;

use super::{ALL, Stage};

/// A connection `stored` with this source of the password.
fn configure(stage: &Stage, source: &str) {
    let config = stage.bed.home().join(".config/sshmcp/config.toml");
    let text = format!(
        "[connections.stored]\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\nsudo_password = {source}\n",
        stage.bed.sshd().port(),
        stage.sudoer.user.name
    );
    std::fs::create_dir_all(config.parent().expect("a directory")).expect("a directory");
    stage.bed.append(".config/sshmcp/config.toml", "");
    let partial = config.with_extension("new");
    stage.bed.append(".config/sshmcp/config.new", &text);
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&partial, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    std::fs::rename(&partial, &config).expect("rename");
}

/// Literal and command sources; prompts deep in a script; nothing prefixed; nothing left in the session.
#[test]
fn answers_wherever_sudo_asks() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let mut stage = Stage::new(shell);
        let literal = format!("{:?}", stage.sudoer.password);
        let command = format!("{{ command = \"echo {}\" }}", stage.sudoer.password);
        for source in [literal, command] {
            configure(&stage, &source);
            stage.sudoer.forget();
            let outcome = stage
                .shim
                .run("stored", "id -un; sh -c 'echo deep; sudo id -un'; echo after");
            let name = stage.sudoer.user.name.clone();
            assert_eq!(
                outcome.stdout,
                format!("{name}\ndeep\nroot\nafter\n"),
                "{shell:?}: {outcome:?}"
            );
            assert_eq!((&*outcome.stderr, &*outcome.notice), ("", ""), "{outcome:?}");
            let outcome = stage.shim.run("stored", "cd /usr; kept=1");
            assert_eq!(outcome.cwd, "/usr");
            let outcome = stage.shim.run("stored", "echo $kept ${SUDO_PROMPT-unset}; cd");
            assert!(outcome.stdout.starts_with("1 "), "{outcome:?}");
        }
        stage.plain("true");
        stage.finish();
    }
}

/// A wrong one is tried once, then left to a person until it is changed.
#[test]
fn a_wrong_one_is_tried_once() {
    let mut stage = Stage::new(Shell::Bash);
    let log = stage.bed.path("sudo.log");
    stage
        .sudoer
        .allow(&format!("Defaults:@ logfile={}\n{ALL}", log.display()));
    configure(&stage, "\"wrong\"");
    let outcome = stage.shim.run("stored", "sudo -k id -un; echo status $?");
    assert_eq!(outcome.stdout, "status 1\n", "{outcome:?}");
    assert!(outcome.notice.contains("refused the password"), "{outcome:?}");
    let again = json!({"host": "stored", "command": "sudo -k id -un", "timeout": 20});
    let outcome = stage.shim.execute(again).expect("it asks");
    assert_eq!(outcome.status, "awaiting_input", "{outcome:?}");
    assert_eq!(outcome.object["prompt"]["echo"], json!(false), "{outcome:?}");
    assert!(outcome.notice.contains("refused before"), "{outcome:?}");
    // A person knows better.
    let typed = json!({"command_id": outcome.id, "text": stage.sudoer.password});
    stage.shim.call("send_input", typed).expect("typed");
    let outcome = stage.shim.wait_for(&outcome.id);
    assert_eq!(outcome.stdout, "root\n", "{outcome:?}");
    let text = std::fs::read_to_string(&log)
        .unwrap_or_default()
        .replace("\n    ", " ");
    assert_eq!(text.matches("incorrect password attempt").count(), 1, "{text}");
    stage.plain("true");
    stage.finish();
}

/// A secret that cannot be got is said, and the prompt is a person's.
#[test]
fn one_that_cannot_be_got() {
    let mut stage = Stage::new(Shell::Bash);
    configure(&stage, "{ command = \"exit 3\" }");
    let call = json!({"host": "stored", "command": "sudo id -un", "timeout": 20});
    let outcome = stage.shim.execute(call).expect("it asks");
    assert_eq!(outcome.status, "awaiting_input", "{outcome:?}");
    assert!(outcome.notice.contains("could not be got"), "{outcome:?}");
    stage
        .shim
        .call("interrupt_command", json!({"command_id": outcome.id}))
        .expect("sent");
    stage.plain("true");
    stage.finish();
}
