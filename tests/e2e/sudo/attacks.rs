//! Programs of the user's that would like to have the password: each prints the prompt that it finds in its
//! environment, and none of them gets anything.

use serde_json::json;
use sshmcp_tests::Shell;

use super::{ALL, Stage};

/// What the program does, with what sudoers lets it do.
const ATTACKS: [(&str, &str); 5] = [
    (
        ALL,
        "stty -echo; printf %s \"$SUDO_PROMPT\" >/dev/tty; read -r got; stty echo; echo \"[$got]\"",
    ),
    (
        ALL,
        "printf %s \"$SUDO_PROMPT\" >/dev/tty; read -r got; echo \"[$got]\"",
    ),
    (
        ALL,
        "bash -c 'stty -echo; printf %s \"$SUDO_PROMPT\" >/dev/tty; exec -a sudo cat'",
    ),
    (
        ALL,
        "cp /bin/cat ./sudo; stty -echo; printf %s \"$SUDO_PROMPT\" >/dev/tty; ./sudo; rm -f sudo",
    ),
    // sudo in front, as root, that hands on what is typed to a program which shows it.
    (
        "@ ALL=(ALL) ALL, NOPASSWD: /usr/bin/cat",
        "stty -echo; printf %s \"$SUDO_PROMPT\" >/dev/tty; sudo /usr/bin/cat",
    ),
];

#[test]
fn programs_that_imitate_sudo_get_nothing() {
    let mut stage = Stage::new(Shell::Bash);
    for (rules, attack) in ATTACKS {
        stage.sudoer.allow(rules);
        let password = stage.sudoer.password.clone();
        // `sudo` at the beginning: the text is run as it is, with our prompt in its environment.
        let command = format!("sudo -V >/dev/null; {attack}");
        let outcome = stage
            .execute(&command, json!({"sudo_password": password, "timeout": 3}))
            .expect("it begins");
        assert!(
            matches!(&*outcome.status, "awaiting_input" | "running"),
            "{attack}: {outcome:?}"
        );
        // Where what is typed is shown, nobody takes it for a prompt of sudo's.
        assert_eq!(
            outcome.notice.contains("was not answered"),
            attack.contains("stty -echo"),
            "{attack}: {outcome:?}"
        );
        let typed = json!({"command_id": outcome.id, "text": "nothing", "keys": ["enter", "ctrl-d"]});
        stage.shim.call("send_input", typed).expect("typed");
        let ended = stage.shim.wait_for(&outcome.id);
        assert!(ended.stdout.contains("nothing"), "{attack}: {ended:?}");
        assert!(
            !ended.object.to_string().contains(&password),
            "{attack}: {ended:?}"
        );
        stage.plain("stty echo");
    }
    stage.finish();
}
