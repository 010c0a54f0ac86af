//! `sshctl config import`: from either predecessor and from ssh_config, into a file whose other lines stay.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
    process::{Output, Stdio},
};

use serde_json::Value;
use sshmcp_tests::{Shell, Sudoer, TestBed, patient};

use crate::{attach::Pane, predecessors::faults::password_only, stored::Keyring};

const BEFORE: &str =
    "# mine\n[settings]\nmax_wait = 40 # seconds\n\n[connections.kept]\nhost = \"127.0.0.1\"\n";

const YAML: &str = "connections:
  kept: {host: other.example.org}
  web1:
    host: web1.example.org
    user: deploy
    port: 2222
    key_path: ~/.ssh/id_ed25519
    password: hunter2
    info_file: ~/notes.md
  lost: {host: h, key_path: ~/.ssh/none}
  odd: {host: h, colour: red}
";

fn config(bed: &TestBed) -> PathBuf {
    bed.home().join(".config/sshmcp/config.toml")
}

fn put(bed: &TestBed, name: &str, text: &str, mode: u32) {
    let path = bed.home().join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
    bed.give(name.split('/').next().expect("a name"));
}

fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn names(told: &Value, key: &str) -> Vec<String> {
    let list = told[key].as_array().expect("a list");
    list.iter()
        .map(|one| one["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Shown without a secret, written behind what is there, right by the daemon's own check; nothing twice, and what would be
/// wrong is left out with its reason.
#[test]
fn from_either_predecessor() {
    let bed = TestBed::new();
    put(&bed, ".config/sshmcp/config.toml", BEFORE, 0o644);
    put(&bed, "old.yml", YAML, 0o600);
    let client = r#"{"mcpServers": {"old": {"command": "uvx", "env": {"OVRD_sw_HOST": "10.0.0.9", "OVRD_sw_ENABLE_PASS": "hunter3"}}}}"#;
    put(&bed, ".cursor/mcp.json", client, 0o600);
    let asked = ["config", "import", "--from", "session", "--from"];
    let file = bed.home().join("old.yml").display().to_string();
    let asked = [&asked[..], &[&file]].concat();

    let planned = bed.ctl(&[&asked[..], &["--json"]].concat());
    let plan = told(&planned);
    assert_eq!(names(&plan, "taken"), ["sw", "web1"]);
    assert_eq!(names(&plan, "left"), ["kept", "odd", "lost"]);
    let text = plan.to_string();
    assert!(!text.contains("hunter") && text.contains("not shown"), "{text}");
    assert!(
        text.contains("config.toml has it already") && text.contains("unknown key"),
        "{text}"
    );
    let refused = bed.ctl(&asked);
    assert_eq!(
        refused.status.code(),
        Some(64),
        "nobody is there to say yes: {refused:?}"
    );
    assert!(
        !String::from_utf8_lossy(&refused.stdout).contains("hunter"),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(config(&bed)).expect("there"), BEFORE);

    let done = bed.ctl(&[&asked[..], &["--yes"]].concat());
    assert!(done.status.success(), "{done:?}");
    let written = fs::read_to_string(config(&bed)).expect("there");
    assert!(written.starts_with(BEFORE), "{written}");
    assert!(
        written.contains("\npassword = \"hunter2\"\n") && written.contains("\nport = 2222\n"),
        "{written}"
    );
    let mode = fs::metadata(config(&bed)).expect("there").mode() & 0o777;
    assert_eq!(mode, 0o600, "it holds a password now");
    let directory = config(&bed).parent().expect("a directory").to_owned();
    let backup = directory.join("config.toml.sshmcp-backup");
    assert_eq!(fs::read_to_string(backup).expect("a backup"), BEFORE);
    assert_eq!(
        fs::read_dir(&directory).expect("there").count(),
        2,
        "nothing else is left there"
    );
    let checked = bed.ctl(&["config", "check"]);
    assert!(checked.status.success(), "{checked:?}");
    let again = told(&bed.ctl(&[&asked[..], &["--json", "--yes"]].concat()));
    assert_eq!(
        (names(&again, "taken"), &again["acted"]),
        (Vec::new(), &Value::Bool(false))
    );
    assert_eq!(fs::read_to_string(config(&bed)).expect("there"), written);
    bed.finish();
}

/// A person is shown what would be added, without a secret, and only a yes writes it.
#[test]
fn a_person_says_yes_to_what_is_shown() {
    let bed = TestBed::new();
    put(
        &bed,
        "old.yml",
        "connections:\n  web1: {host: web1.example.org, password: hunter2}\n",
        0o600,
    );
    let pane = Pane::open(&bed);
    for (answer, told) in [
        ("no", "Nothing was written."),
        ("y", "Nothing was written."),
        ("yes", "1 connection written"),
    ] {
        assert!(!config(&bed).exists());
        pane.types("clear");
        pane.keys("Enter");
        pane.sshctl("config import --from old.yml");
        let shown = pane.shows("the question", |seen| {
            seen.trim_end().ends_with("Write this (yes/no)?")
        });
        for line in [
            "+ [connections.web1]",
            "+ host = \"web1.example.org\"",
            "+ password = \"(not shown)\"",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        pane.types(answer);
        pane.keys("Enter");
        let shown = pane.shows(told, |seen| seen.contains(told));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let written = fs::read_to_string(config(&bed)).expect("there");
    assert!(written.contains("password = \"hunter2\""), "{written}");
    pane.close();
    bed.finish();
}

/// What is taken over is what the daemon reads in the same file: no password is taken for a number, and no port for a text.
#[test]
fn scalars_of_yaml() {
    let bed = TestBed::new();
    let yaml = "base: &base {user: 0042, password: 0123}\nconnections:\n  old:\n    <<: *base\n    host: 127.0.0.1\n    port: \"2222\"\n    description: yes\n";
    put(&bed, ".ssh_mcp_config.yml", yaml, 0o600);
    let listed = |bed: &TestBed| {
        let hosts = told(&bed.ctl(&["hosts", "old", "--json"]));
        let host = hosts["hosts"][0].clone();
        ["user", "hostname", "port", "description", "problem"].map(|name| host[name].clone())
    };
    let before = listed(&bed);
    assert_eq!(before[0], "0042", "{before:?}");
    let done = told(&bed.ctl(&["config", "import", "--yes", "--json"]));
    assert_eq!(names(&done, "taken"), ["old"], "{done}");
    let written = fs::read_to_string(config(&bed)).expect("there");
    assert!(
        written.contains("\npassword = \"0123\"\n") && written.contains("\nport = 2222\n"),
        "{written}"
    );
    fs::remove_file(bed.home().join(".ssh_mcp_config.yml")).expect("there");
    let reloaded = bed.ctl(&["daemon", "restart"]);
    assert!(reloaded.status.success(), "{reloaded:?}");
    assert_eq!(listed(&bed), before);
    bed.finish();
}

/// An alias goes on to mean what ssh_config says; without anything to take over that is said, and a predecessor that is not
/// there is an error.
#[test]
fn from_ssh_config() {
    let bed = TestBed::new();
    let nothing = bed.ctl(&["config", "import"]);
    assert!(
        nothing.status.success() && String::from_utf8_lossy(&nothing.stdout).contains("nothing"),
        "{nothing:?}"
    );
    let missing = bed.ctl(&["config", "import", "--from", "interactive"]);
    assert_eq!(missing.status.code(), Some(80), "{missing:?}");
    bed.append(".ssh/config", "Host wrong\n HostName a;b\n");
    let done = told(&bed.ctl(&["config", "import", "--from", "ssh_config", "--yes", "--json"]));
    assert!(
        names(&done, "taken").contains(&Shell::Bash.host().to_owned()),
        "{done}"
    );
    assert_eq!(names(&done, "left"), ["wrong"], "{done}");
    assert!(
        done["left"][0]["why"]
            .as_str()
            .is_some_and(|why| why.contains("HostName")),
        "{done}"
    );
    let hosts = told(&bed.ctl(&["hosts", "--json"]));
    let aliases = hosts["hosts"].as_array().expect("a list").iter();
    let aliases: Vec<&Value> = aliases.filter(|host| host["source"] == "ssh_config").collect();
    assert_eq!(
        aliases.len(),
        1,
        "all but the wrong one are configured now: {hosts}"
    );
    let ran = bed.ctl(&["exec", Shell::Bash.host(), "--", "echo here"]);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "here\n", "{ran:?}");
    bed.finish();
}

/// A literal password goes into the system's keyring and its name into the file, and the host is opened with it; what is in
/// the keyring already is not overwritten.
#[test]
fn into_the_keyring() {
    let mut bed = TestBed::new();
    let sudoer = Sudoer::new(Shell::Bash);
    let number = bed.add_sshd(&password_only(), &[]);
    let (user, port) = (&sudoer.user.name, bed.sshds()[number].port());
    let one = |name: &str, password: &str| {
        format!(
            "  {name}:\n    host: 127.0.0.1\n    port: {port}\n    user: {user}\n    password: \"{password}\"\n"
        )
    };
    let yaml = format!(
        "connections:\n{}{}",
        one("box", &sudoer.password),
        one("taken", "hunter2")
    );
    put(&bed, ".mcp-ssh-interactive/config.yml", &yaml, 0o600);
    let keyring = Keyring::start(&bed);
    let ctl = |arguments: &[&str], input: &str| {
        let mut sshctl = bed.program("sshctl");
        sshctl
            .args(arguments)
            .env("DBUS_SESSION_BUS_ADDRESS", &keyring.address);
        let mut running = sshctl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut pipe = running.stdin.take().expect("piped");
        pipe.write_all(input.as_bytes()).expect("it reads");
        drop(pipe);
        patient::output(running)
    };
    let set = ctl(&["secret", "set", "taken"], "somebody's own");
    assert!(set.status.success(), "{set:?}");

    let asked = ["config", "import", "--from", "interactive", "--keyring", "--json"];
    let plan = ctl(&asked, "");
    assert_eq!(names(&told(&plan), "taken"), ["box"], "{plan:?}");
    assert!(
        !ctl(&["secret", "check", "box"], "").status.success(),
        "only shown"
    );
    // Where the file cannot be written, nothing is left in the keyring either.
    let closed = bed.home().join(".config");
    fs::create_dir(&closed).expect("a directory");
    bed.give(".config");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("chmod");
    let failed = ctl(&[&asked[..], &["--yes"]].concat(), "");
    assert!(!failed.status.success(), "{failed:?}");
    assert!(
        !ctl(&["secret", "check", "box"], "").status.success(),
        "it is gone again"
    );
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("chmod");

    let done = ctl(&[&asked[..], &["--yes"]].concat(), "");
    let done = told(&done);
    assert_eq!(names(&done, "left"), ["taken"], "{done}");
    assert!(
        done.to_string()
            .contains("the keyring has an entry taken already"),
        "{done}"
    );
    let written = fs::read_to_string(config(&bed)).expect("there");
    assert!(
        written.contains("{ keyring = \"box\" }")
            && !written.contains(&sudoer.password)
            && !written.contains("hunter2"),
        "{written}"
    );
    // Its old home has it no more, and the host is opened all the same.
    fs::remove_dir_all(bed.home().join(".mcp-ssh-interactive")).expect("there");
    let ran = ctl(&["exec", "box", "--", "id -un"], "");
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        format!("{user}\n"),
        "{ran:?}"
    );
    let closed = ctl(&["close", "--all"], "");
    assert!(closed.status.success(), "{closed:?}");
    keyring.end(&bed);
    bed.finish();
}
