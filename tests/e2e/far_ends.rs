//! Far ends that are no ordinary shell account behind OpenSSH: what can be exact there is, and the rest says what it is.

mod dropbear;

use std::{fs, path::Path};

use serde_json::json;
use sshmcp_tests::{Shell, Shim, SshdOptions, TestBed, ToolError, User, sshd::free_port};

/// A bed with further lines for sshd; the hosts' users are in them by `%USER-SHELL`, which is their name.
fn bed(lines: &[&str]) -> TestBed {
    let users = tempfile::tempdir().expect("a directory");
    let of = |shell: Shell| User::of(shell, users.path()).name;
    let lines = lines.iter().map(|line| {
        Shell::ALL.iter().fold((*line).to_owned(), |line, shell| {
            line.replace(&format!("%USER-{}", shell.host()), &of(*shell))
        })
    });
    TestBed::with(&SshdOptions {
        lines: lines.collect(),
        ..SshdOptions::default()
    })
}

fn refused(shim: &mut Shim, host: &str) -> ToolError {
    let arguments = json!({"host": host, "command": "true", "timeout": 50});
    shim.execute(arguments).expect_err(host)
}

/// Accounts that are for something else say so in their own words, and nothing is run.
#[test]
fn accounts_for_something_else() {
    let bed = bed(&[
        "Match User %USER-bash",
        "ForceCommand internal-sftp",
        "Match User %USER-dash",
        "ForceCommand echo This account is for backups only.; exit 1",
        "Match User %USER-zsh",
        "PermitTTY no",
        "Match User %USER-ksh",
        "ForceCommand echo Only for what is sent here.; exec cat >/dev/null",
    ]);
    let mut shim = bed.shim();
    for (host, words) in [
        // Not its echo of what was typed.
        ("ksh", "its terminal shows: Only for what is sent here."),
        ("bash", "This service allows sftp connections only."),
        ("dash", "This account is for backups only."),
        ("zsh", "refused to give a terminal"),
    ] {
        let error = refused(&mut shim, host);
        assert_eq!(error.code, "not_supported", "{host}: {error:?}");
        assert!(error.message.contains(words), "{host}: {error:?}");
        assert!(!error.hint.is_empty(), "{host}: {error:?}");
    }
    shim.close();
    bed.finish();
}

/// A server that runs the login shell whatever was asked for: the helper is begun by a line for that.
#[test]
fn no_exec_channels() {
    let bed = bed(&["Match User %USER-bash", "ForceCommand exec bash -l"]);
    let mut shim = bed.shim();
    let outcome = shim.run("bash", "cd /usr; echo out; echo err >&2; (exit 3)");
    assert_eq!(outcome.exit_code, Some(3), "{outcome:?}");
    assert_eq!(outcome.object["completion"], "exact", "{outcome:?}");
    assert_eq!(
        (&*outcome.stdout, &*outcome.stderr),
        ("out\n", "err\n"),
        "{outcome:?}"
    );
    assert_eq!(shim.run("bash", "pwd").stdout, "/usr\n");
    shim.close();
    bed.finish();
}

/// Windows hosts are recognised by the server's version, and refused.
#[test]
fn windows() {
    let bed = TestBed::with(&SshdOptions {
        lines: [
            "VersionAddendum OpenSSH_for_Windows_9.5",
            "ForceCommand printf 'Microsoft Windows [Version 10.0.20348.1]\\r\\n\\r\\nC:\\\\Users\\\\x>'; cat >/dev/null",
        ]
        .map(str::to_owned)
        .into(),
        ..SshdOptions::default()
    });
    let mut shim = bed.shim();
    let error = refused(&mut shim, "bash");
    assert_eq!(error.code, "not_supported", "{error:?}");
    assert!(error.message.contains("Windows"), "{error:?}");
    shim.close();
    bed.finish();
}

/// They are also recognised by their prompts, and what asks is not taken for a shell: nothing is typed at either.
#[test]
fn prompts_of_no_shell() {
    let bed = bed(&[
        "Match User %USER-bash",
        "ForceCommand printf '(c) Microsoft Corporation.\\r\\n\\r\\nuser@PC C:\\\\Users\\\\x>'; cat",
        "Match User %USER-dash",
        "ForceCommand printf 'Windows PowerShell\\r\\n\\r\\nPS C:\\\\Users\\\\x> '; cat",
        "Match User %USER-zsh",
        "ForceCommand printf '1) backup\\n2) restore\\nYour choice: '; read choice; [ \"$choice\" = 2 ] && exec bash -l",
    ]);
    let mut shim = bed.shim();
    for (host, words) in [("bash", "user@PC C:\\Users\\x>"), ("dash", "PS C:\\Users\\x>")] {
        let error = refused(&mut shim, host);
        assert_eq!(error.code, "not_supported", "{host}: {error:?}");
        for part in ["Windows", words] {
            assert!(error.message.contains(part), "{host}: {error:?}");
        }
    }
    let error = refused(&mut shim, "zsh");
    assert_eq!(error.code, "session_busy", "{error:?}");
    assert!(error.message.contains("Your choice:"), "{error:?}");
    let shown = shim.call("get_terminal_output", json!({"session": "zsh"}));
    let shown = shown.expect("its screen");
    let text = shown["text"].as_str().unwrap_or_default();
    assert!(text.trim_end().ends_with("Your choice:"), "{shown}");
    let typed = shim.call("send_input", json!({"session": "zsh", "text": "2"}));
    typed.expect("it is typed");
    // It took the answer alone, and what it begins is a shell.
    let outcome = shim.run("zsh", "echo in; (exit 3)");
    assert_eq!(
        (&*outcome.stdout, outcome.exit_code),
        ("in\n", Some(3)),
        "{outcome:?}"
    );
    shim.close();
    bed.finish();
}

/// A long banner, and an address of the new kind.
#[test]
fn banners_and_addresses() {
    let banner = tempfile::NamedTempFile::new().expect("a file");
    fs::write(
        banner.path(),
        "Authorised use only. \u{1b}[31m$ # login:\n".repeat(500),
    )
    .expect("written");
    let port = free_port();
    let bed = TestBed::with(&SshdOptions {
        lines: vec![
            format!("Banner {}", banner.path().display()),
            format!("ListenAddress [::1]:{port}"),
        ],
        ..SshdOptions::default()
    });
    let user = bed.user(Shell::Dash).name.clone();
    let known = bed.sshd().port();
    bed.append(
        ".ssh/config",
        &format!("Host six\n HostName ::1\n Port {port}\n User {user}\n HostKeyAlias [127.0.0.1]:{known}\n"),
    );
    let mut shim = bed.shim();
    let outcome = shim.run("bash", "echo out; echo err >&2");
    assert_eq!(
        (&*outcome.stdout, &*outcome.stderr),
        ("out\n", "err\n"),
        "{outcome:?}"
    );
    let six = shim.run("six", "echo $SSH_CONNECTION");
    assert!(six.stdout.starts_with("::1 "), "{six:?}");
    shim.close();
    bed.finish();
}

/// A shell that may not redirect into files is worked by marks on the terminal; one that is none is refused.
#[test]
fn restricted_and_missing_shells() {
    assert!(
        User::many(),
        "another login shell needs another user: run this as root"
    );
    let mut bed = TestBed::new();
    let restricted = User::named("sshmcp-t-rbash", Path::new("/bin/rbash"));
    let nobody = User::named("sshmcp-t-nologin", Path::new("/usr/sbin/nologin"));
    let missing = User::named("sshmcp-t-missing", Path::new("/nowhere/sh"));
    bed.add_guest("restricted", &restricted);
    bed.add_guest("nologin", &nobody);
    bed.add_guest("missing", &missing);
    let mut shim = bed.shim();
    let outcome = shim.run("restricted", "echo out; (exit 3)");
    assert_eq!(
        (&*outcome.stdout, outcome.exit_code),
        ("out\n", Some(3)),
        "{outcome:?}"
    );
    assert_eq!(outcome.object["completion"], "exact", "{outcome:?}");
    let words = shim.run("restricted", "v='a!b \\ \"c\"'; echo \"$v\"");
    assert_eq!(words.stdout, "a!b \\ \"c\"\n", "{words:?}");
    let no = shim.run("restricted", "cd /");
    assert_ne!(no.exit_code, Some(0), "{no:?}");
    assert!(
        format!("{}{}", no.stdout, no.stderr).contains("restricted"),
        "{no:?}"
    );
    let history = shim.run("restricted", "history");
    assert!(!history.stdout.contains("6973"), "{history:?}");
    let error = refused(&mut shim, "nologin");
    assert_eq!(error.code, "not_supported", "{error:?}");
    assert!(error.message.contains("not available"), "{error:?}");
    // sshd takes the account for none, and says no more.
    let error = refused(&mut shim, "missing");
    assert_eq!(error.code, "auth_failed", "{error:?}");
    shim.close();
    bed.finish();
}

/// A line for sshd by which each channel has a namespace of its own, made by these words.
fn contained(flags: &str, inside: &str) -> String {
    format!(
        "ForceCommand if [ -n \"$SSH_ORIGINAL_COMMAND\" ]; then set -- bash -c \"$SSH_ORIGINAL_COMMAND\"; else set -- bash -l; fi; \
         exec unshare --user --map-root-user --mount {flags} sh -c '{inside} exec \"$@\"' sh \"$@\""
    )
}

/// Marks on the terminal alone: ends and codes are exact, and there is one stream.
fn works_by_marks(bed: TestBed, is_elsewhere: bool) {
    let mut shim = bed.shim();
    let outcome = shim.run("bash", "cd /usr; echo out; echo err >&2; (exit 3)");
    assert_eq!(outcome.exit_code, Some(3), "{outcome:?}");
    assert_eq!(outcome.stdout, "out\nerr\n", "{outcome:?}");
    let object = &outcome.object;
    assert_eq!(
        (&object["completion"], &object["stderr"]),
        (&json!("exact"), &json!(null)),
        "{outcome:?}"
    );
    assert_eq!(shim.run("bash", "pwd").stdout, "/usr\n");
    // The shell said so; nobody waited in vain for something else.
    let logs = fs::read_dir(bed.home().join(".local/state/sshmcp/daemon")).expect("a directory");
    let logs = logs
        .flatten()
        .filter_map(|log| fs::read_to_string(log.path()).ok());
    let log: String = logs.collect();
    let said = log.contains("the helper is elsewhere than the shell");
    assert_eq!(said, is_elsewhere, "{log}");
    shim.close();
    bed.finish();
}

/// What makes a container of a channel: it sees its own processes and files alone.
const APART: (&str, &str) = (
    "--pid --fork --mount-proc",
    "mount -t tmpfs none /dev/shm; mount -t tmpfs none /tmp; cd;",
);

/// Where each channel lands in a container of its own, the helper is on another machine than the shell: it is not believed.
#[test]
fn a_container_for_each_channel() {
    let lines = contained(APART.0, APART.1);
    works_by_marks(bed(&["Match User %USER-bash", &lines]), true);
}

/// The same where only a second connection lands elsewhere, as behind a load balancer.
#[test]
fn a_machine_for_each_connection() {
    let bed = TestBed::with(&SshdOptions {
        max_sessions: Some(1),
        lines: vec![contained(APART.0, APART.1)],
        ..SshdOptions::default()
    });
    works_by_marks(bed, true);
}

/// A host on which nothing may be written.
#[test]
fn no_writable_directory() {
    let inside =
        "for d in /dev/shm /tmp /var/tmp /run \"$HOME\"; do mount -t tmpfs -o ro none $d; done; cd /;";
    works_by_marks(bed(&["Match User %USER-bash", &contained("", inside)]), false);
}
