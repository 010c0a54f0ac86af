//! Stored secrets that an agent has typed by name: at prompts that hide them, from every place they may be stored in,
//! the system's keyring among them; the agent never sees one.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use sshmcp_tests::{
    Outcome, Shell, Shim, TestBed, eventually, eventually_seen,
    patient::{self, Patient},
    process::Process,
};

/// A bus that starts nothing by itself: who asks for a keyring before ours has its name there would be given another one.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=DIRECTORY</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A bus of the test's own with an unlocked keyring on it.
pub(crate) struct Keyring {
    bus: Child,
    pub(crate) address: String,
}

impl Keyring {
    pub(crate) fn start(bed: &TestBed) -> Self {
        let config = bed.path("bus.conf");
        let text = BUS.replace("DIRECTORY", &bed.home().display().to_string());
        std::fs::write(&config, text).expect("a file");
        let mut bus = bed
            .tool("dbus-daemon")
            .arg("--config-file")
            .arg(&config)
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("dbus-daemon runs");
        let mut address = String::new();
        let output = bus.stdout.take().expect("piped");
        BufReader::new(Patient::new(output))
            .read_line(&mut address)
            .expect("an address");
        let keyring = Self {
            bus,
            address: address.trim().to_owned(),
        };
        let unlocked = keyring.feed(
            bed.tool("gnome-keyring-daemon")
                .args(["--unlock", "--components=secrets"]),
            "the keyring's own",
        );
        assert!(unlocked, "gnome-keyring-daemon begins");
        let said = || {
            let mut lookup = bed.tool("secret-tool");
            lookup.env("DBUS_SESSION_BUS_ADDRESS", &keyring.address);
            let lookup = lookup
                .args(["lookup", "service", "sshmcp", "name", "none"])
                .output();
            String::from_utf8_lossy(&lookup.expect("secret-tool runs").stderr).into_owned()
        };
        // It leaves us before it has its name on the bus.
        eventually_seen("the keyring answers", said, String::is_empty);
        keyring
    }

    fn feed(&self, command: &mut Command, text: &str) -> bool {
        let mut child = command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let mut input = child.stdin.take().expect("piped");
        if let Err(error) = input.write_all(text.as_bytes()) {
            // What refuses its arguments ends without a look at its input.
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
        }
        drop(input);
        patient::end(&mut child).success()
    }

    /// Runs `sshctl secret` on this keyring, with a secret piped in.
    fn secret(&self, bed: &TestBed, arguments: &[&str], text: &str) -> bool {
        let mut sshctl = bed.program("sshctl");
        sshctl.arg("secret").args(arguments);
        self.feed(&mut sshctl, text)
    }

    fn store(&self, bed: &TestBed, name: &str, secret: &str) {
        assert!(!self.secret(bed, &["check", name], ""), "{name} is not there yet");
        for text in ["an older one", secret] {
            assert!(self.secret(bed, &["set", name], text), "sshctl stores");
        }
        assert!(self.secret(bed, &["check", name], ""), "{name} is there");
        assert!(
            self.secret(bed, &["set", "other"], "not this one"),
            "sshctl stores"
        );
        assert!(self.secret(bed, &["remove", "other"], ""), "sshctl removes");
        assert!(!self.secret(bed, &["check", "other"], ""), "it is gone");
        assert!(
            !self.secret(bed, &["set", "--", "-x"], "text"),
            "no option is a name"
        );
        assert!(!self.secret(bed, &["set", "empty"], ""), "nothing is stored");
    }

    pub(crate) fn end(mut self, bed: &TestBed) {
        self.bus.kill().expect("ours");
        self.bus.wait().expect("ours");
        // A keyring goes with its bus.
        let of_ours = |process: &Process| process.line.contains("gnome-keyring-daemon");
        eventually("the keyring is gone", || !bed.processes().iter().any(of_ours));
    }
}

fn configure(bed: &TestBed, secrets: &str) {
    let text = format!(
        "[connections.box]\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\nsecrets = {{ {secrets} }}\n",
        bed.sshd().port(),
        bed.user(Shell::Bash).name
    );
    let config = ".config/sshmcp/config.toml";
    let path = bed.home().join(config);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    bed.append(config, "");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    bed.append(config, &text);
}

/// Begins a command that asks.
fn ask(shim: &mut Shim, command: &str) -> Outcome {
    let arguments = json!({"host": "box", "command": command, "timeout": 30});
    let outcome = shim.execute(arguments).expect("it begins");
    assert_eq!(outcome.status, "awaiting_input", "{command}: {outcome:?}");
    outcome
}

/// The SHA-256 of what is read without echo.
const HIDDEN: &str = "read -rsp 'token: ' x; printf %s \"$x\" | sha256sum";

fn digest(text: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", "printf %s \"$1\" | sha256sum", "sh", text])
        .output()
        .expect("sh runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// From each place a secret arrives whole at a prompt that hides it, and nothing that comes back has it.
#[test]
fn it_arrives_and_is_not_seen() {
    let bed = TestBed::new();
    let keyring = Keyring::start(&bed);
    let secrets: Vec<String> = (0..3)
        .map(|_| format!("Zz stored ü$'\"\\ {:016x}", rand::random::<u64>()))
        .collect();
    keyring.store(&bed, "ring", &secrets[0]);
    let file = bed.home().join("secret");
    std::fs::write(&file, &secrets[1]).expect("a file");
    configure(
        &bed,
        &format!(
            "ring = {{ keyring = \"ring\" }}, file = {{ command = \"cat {}\" }}, flag = {{ keyring = \"--help\" }}, own = '''{}''', none = {{ keyring = \"none\" }}",
            file.display(),
            secrets[2]
        ),
    );
    let mut program = bed.program("mcp-ssh");
    program.env("DBUS_SESSION_BUS_ADDRESS", &keyring.address);
    let mut shim = Shim::start(program);
    let mut said = String::new();
    for (name, secret) in ["ring", "file", "own"].into_iter().zip(&secrets) {
        let asking = ask(&mut shim, HIDDEN);
        assert_eq!(asking.object["prompt"]["echo"], false, "{asking:?}");
        let typed = shim.call(
            "send_input",
            json!({"command_id": asking.id, "secret": name, "timeout": 20}),
        );
        let typed = typed.expect("it is typed");
        assert_eq!(typed["why"], "ended", "{typed}");
        said.push_str(&typed.to_string());
        assert_eq!(shim.wait_for(&asking.id).stdout, digest(secret), "{name}");
    }
    let screen = shim.call("get_terminal_output", json!({"session": "box", "lines": 500}));
    said.push_str(&screen.expect("a screen").to_string());
    said.push_str(
        &shim
            .call("list_hosts", json!({"host": "box"}))
            .expect("a host")
            .to_string(),
    );
    for secret in &secrets {
        let random = secret.rsplit(' ').next().expect("a word");
        assert!(!said.contains(random), "{said}");
    }
    let asking = ask(&mut shim, HIDDEN);
    let option = refused(&mut shim, json!({"command_id": asking.id, "secret": "flag"}));
    assert_eq!(option.0, "config_invalid", "{option:?}");
    let missing = refused(&mut shim, json!({"command_id": asking.id, "secret": "none"}));
    assert_eq!(missing.0, "config_invalid", "{missing:?}");
    assert!(missing.1.contains("sshctl secret set"), "{missing:?}");
    shim.call("interrupt_command", json!({"command_id": asking.id}))
        .expect("it ends");
    shim.close();
    keyring.end(&bed);
    bed.finish();
}

fn refused(shim: &mut Shim, arguments: Value) -> (String, String) {
    let error = shim.call("send_input", arguments).expect_err("it is refused");
    (error.code, format!("{} {}", error.message, error.hint))
}

/// Where it would be shown, or nothing certainly hides it, it is not typed.
#[test]
fn it_is_not_typed_where_it_may_be_seen() {
    let bed = TestBed::new();
    configure(&bed, "own = \"Zz-never-typed\"");
    let mut shim = bed.shim();
    shim.run("box", "true");
    for (arguments, code) in [
        (json!({"session": "box", "secret": "own"}), "conflict"),
        (json!({"session": "box", "secret": "other"}), "not_found"),
        (
            json!({"session": "box", "secret": "own", "text": "x"}),
            "invalid_argument",
        ),
        (
            json!({"session": "box", "secret": "own", "keys": ["tab"]}),
            "invalid_argument",
        ),
    ] {
        assert_eq!(refused(&mut shim, arguments.clone()).0, code, "{arguments}");
    }
    let shown = ask(&mut shim, "read -rp 'name: ' x; echo \"[$x]\"");
    let told = refused(&mut shim, json!({"command_id": shown.id, "secret": "own"}));
    assert_eq!(told.0, "conflict", "{told:?}");
    assert!(told.1.contains("shows what is typed"), "{told:?}");
    shim.call("send_input", json!({"command_id": shown.id, "text": "Ada"}))
        .expect("it is typed");
    assert_eq!(shim.wait_for(&shown.id).stdout, "[Ada]\n");
    // What takes single keys asks for no secret: each character would be one of them.
    let key = ask(&mut shim, "read -rsn1 -p 'press a key ' x; echo \"[$x]\"");
    let told = refused(&mut shim, json!({"command_id": key.id, "secret": "own"}));
    assert_eq!(told.0, "conflict", "{told:?}");
    assert!(told.1.contains("takes single keys"), "{told:?}");
    let press = json!({"command_id": key.id, "text": "k", "enter": false});
    shim.call("send_input", press).expect("it is typed");
    assert_eq!(shim.wait_for(&key.id).stdout, "[k]\n");
    let begun = shim.execute(json!({"host": "box", "command": "sleep 300", "timeout": 0}));
    let begun = begun.expect("it begins");
    let told = refused(&mut shim, json!({"command_id": begun.id, "secret": "own"}));
    assert_eq!(told.0, "conflict", "{told:?}");
    shim.call("interrupt_command", json!({"command_id": begun.id}))
        .expect("it ends");
    // Another host's secrets are not known to this one.
    shim.run("dash", "true");
    assert_eq!(
        refused(&mut shim, json!({"session": "dash", "secret": "own"})).0,
        "not_found"
    );
    shim.close();
    bed.finish();
}
