//! Every way in which a secret comes in, and a search for each of them afterwards: in files, logs, process lists,
//! environments, results, and in the memory of daemon and shim. None is found but where a person put it.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use regex::bytes::Regex;
use serde_json::{Value, json};
use sshmcp_tests::{
    LONG, Shell, Shim, SshdOptions, Sudoer, TestBed, memory_of,
    patient::{self, Patient},
    process::Process,
    wait::within,
};

/// A secret of no user: random, so that only we can have brought it anywhere.
fn random(name: &str) -> String {
    format!("Zz{name}-{:016x}", rand::random::<u64>())
}

/// Everything that tools gave back.
#[derive(Default)]
struct Told(String);

impl Told {
    fn call(&mut self, shim: &mut Shim, arguments: Value) -> String {
        let said = match shim.execute(arguments) {
            Ok(outcome) => outcome.object.to_string(),
            Err(error) => format!("{error:?}"),
        };
        self.0.push_str(&said);
        said
    }
}

/// A file that only its owner reads, where a person puts a secret.
fn put(bed: &TestBed, name: &str, text: &str) -> PathBuf {
    let path = bed.home().join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).expect("a directory");
    }
    bed.append(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    path
}

/// `sshctl send --secret` on a terminal of its own.
fn send_secret(bed: &TestBed, session: &str, secret: &str) -> String {
    let (is_typed, said) = try_secret(bed, session, secret);
    assert!(is_typed, "{said}");
    said
}

/// Whether it was typed, and what was said.
fn try_secret(bed: &TestBed, session: &str, secret: &str) -> (bool, String) {
    let sshctl = bed.program("sshctl").get_program().to_string_lossy().into_owned();
    let mut child = bed
        .tool("script")
        .args(["-qec", &format!("{sshctl} send --secret {session}"), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script runs");
    let mut output = Patient::new(child.stdout.take().expect("piped"));
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(format!("secret for {session}: ").as_bytes()) {
        assert_eq!(
            output.read(&mut byte).expect("open"),
            1,
            "{}",
            said.escape_ascii()
        );
        said.push(byte[0]);
    }
    let mut input = child.stdin.take().expect("piped");
    writeln!(input, "{secret}").expect("it reads");
    output.read_to_end(&mut said).expect("its end");
    let is_typed = patient::end(&mut child).success();
    (is_typed, String::from_utf8_lossy(&said).into_owned())
}

/// A person who was too early, or at the wrong program, would leave it in the transcript.
#[test]
fn a_secret_is_not_typed_where_it_shows() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    let refused = |session: &str| {
        let (is_typed, said) = try_secret(&bed, session, "Shown-4711");
        assert!(!is_typed && said.contains("the secret was not typed"), "{said}");
    };
    refused("bash");
    let asks = shim.execute(json!({"host": "bash", "command": "read line; echo \"<$line>\""}));
    let asks = asks.expect("it asks");
    assert_eq!(asks.status, "awaiting_input", "{asks:?}");
    refused("bash");
    shim.call("send_input", json!({"session": "bash", "text": "nothing"}))
        .expect("it goes on");
    assert_eq!(shim.wait_for(&asks.id).stdout, "<nothing>\n");
    // A pager, or whatever wants a key, would take each character for one.
    let key = shim.execute(json!({"host": "bash", "command": "read -rsn1 x; echo \"<$x>\""}));
    let key = key.expect("it asks");
    assert_eq!(key.status, "awaiting_input", "{key:?}");
    refused("bash");
    let press = json!({"session": "bash", "text": "k", "enter": false});
    shim.call("send_input", press).expect("it goes on");
    assert_eq!(shim.wait_for(&key.id).stdout, "<k>\n");
    let screen = shim.call("get_terminal_output", json!({"session": "bash", "lines": 100}));
    assert!(!screen.expect("a screen").to_string().contains("4711"));
    shim.close();
    bed.finish();
}

/// What hides it while it is typed may show it afterwards, as a relay's far side may at once: it is left out of all that
/// we show and keep.
#[test]
fn a_secret_that_comes_back_is_left_out() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for has_terminal in [false, true] {
        let text = "stty -echo; IFS= read -r line; stty echo; echo \"<$line>\"; echo err: $line >&2";
        let asks = shim.execute(json!({"host": "bash", "command": text, "terminal": has_terminal}));
        let asks = asks.expect("it asks");
        assert_eq!(asks.status, "awaiting_input", "{asks:?}");
        send_secret(&bed, "bash", "Come-back-4711");
        let ended = shim.wait_for(&asks.id);
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            all.contains("<[hidden]>") && all.contains("err: [hidden]"),
            "{ended:?}"
        );
        assert!(ended.notice.contains("left out"), "{ended:?}");
    }
    // The next command's output is its own.
    assert_eq!(shim.run("bash", "echo Come-back-4711").stdout, "Come-back-4711\n");
    shim.run("bash", "clear");
    shim.call("close_session", json!({"all": true})).expect("closed");
    let logs = bed.home().join(".local/state/sshmcp/logs");
    for name in ["bash.log", "bash.cast"] {
        let text = fs::read_to_string(logs.join(name)).expect("it is there");
        let before = text.split("echo Come-back").next().unwrap_or_default();
        assert!(
            before.contains("<[hidden]>") && !before.contains("4711"),
            "{text}"
        );
    }
    shim.close();
    bed.finish();
}

/// Regular files below a directory.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            Ok(_) | Err(_) => {}
        }
    }
}

fn wanted(secrets: &[&str]) -> Regex {
    let escaped: Vec<String> = secrets.iter().map(|secret| regex::escape(secret)).collect();
    Regex::new(&escaped.join("|")).expect("a pattern")
}

/// What is found in the memory of the bed's daemon and shim; `at_home` may stand on the daemon's stack, where the
/// kernel puts the environment.
fn in_memory(bed: &TestBed, shim: &Shim, secrets: &Regex, at_home: &Regex) -> Vec<String> {
    let daemon = bed.daemons().first().expect("a daemon").pid;
    let mut found = Vec::new();
    for (name, pid) in [("daemon", daemon), ("shim", shim.pid().cast_signed())] {
        let (hits, read) = memory_of::search(pid, secrets);
        assert!(read > 1 << 20, "{name}: only {read} bytes could be read");
        found.extend(hits.into_iter().map(|hit| format!("{name}: {hit:?}")));
        let (hits, _) = memory_of::search(pid, at_home);
        let elsewhere = hits.into_iter().filter(|hit| hit.region != "[stack]");
        found.extend(elsewhere.map(|hit| format!("{name}: {hit:?}")));
    }
    found
}

#[test]
fn no_secret_is_found_anywhere() {
    let options = SshdOptions {
        lines: vec!["Match all".into(), "PasswordAuthentication yes".into()],
        ..SshdOptions::default()
    };
    let bed = TestBed::with(&options);
    let port = bed.sshd().port();
    let [given, login, env, literal] = [(); 4].map(|()| Sudoer::new(Shell::Bash));
    for sudoer in [&given, &login, &env, &literal] {
        sudoer.allow("@ ALL=(ALL:ALL) ALL");
    }
    for (name, sudoer) in [("given", &given), ("env", &env), ("literal", &literal)] {
        bed.authorize(bed.sshd(), &sudoer.user);
        bed.alias(name, &sudoer.user.name, port);
    }
    bed.alias("login", &login.user.name, port);
    let [typed, wrong_sudo, wrong_login, enable] = ["typed", "sudo", "login", "enable"].map(random);
    let secret_file = put(&bed, "secret", &format!("{}\n", literal.password));
    let connection = |name: &str, user: &Sudoer, more: &str| {
        format!(
            "[connections.{name}]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{}\"\n{more}\n",
            user.user.name
        )
    };
    let config = connection("c-env", &env, "sudo_password = { env = \"SUDO_OF_THE_HOST\" }")
        + &connection(
            "c-literal",
            &literal,
            &format!("sudo_password = \"{}\"", literal.password),
        )
        + &connection(
            "c-command",
            &literal,
            "sudo_password = { command = \"cat ~/secret\" }",
        );
    let config = put(&bed, ".config/sshmcp/config.toml", &config);
    let yaml = format!(
        "connections:\n  c-yaml:\n    host: 127.0.0.1\n    port: {port}\n    user: {}\n    password: {}\n",
        login.user.name, login.password
    );
    let yaml = put(&bed, ".ssh_mcp_config.yml", &yaml);
    let started = bed
        .program("sshctl")
        .args(["daemon", "start"])
        .env("SSHMCP_LOG", "trace")
        .env("SUDO_OF_THE_HOST", &env.password)
        .output()
        .expect("sshctl runs");
    assert!(started.status.success(), "{started:?}");

    let mut shim = bed.shim();
    let mut told = Told::default();
    let ran = "\"exit_code\":0";
    for (arguments, part) in [
        (
            json!({"host": "given", "command": "id -un", "sudo_password": given.password}),
            ran,
        ),
        (
            json!({"host": "given", "command": "sudo -k id", "sudo_password": given.password}),
            ran,
        ),
        (json!({"host": "given", "command": "sudo -K; true"}), ran),
        (
            json!({"host": "given", "command": "id -un", "sudo_password": wrong_sudo}),
            "auth_failed",
        ),
        (
            json!({"host": "given", "command": "id", "enable_password": enable}),
            "not_supported",
        ),
        (
            json!({"host": "login", "command": "id -un", "password": wrong_login}),
            "auth_failed",
        ),
        (
            json!({"host": "login", "command": "id -un", "password": login.password}),
            ran,
        ),
        (
            json!({"host": "c-yaml", "session": "of-yaml", "command": "id -un"}),
            ran,
        ),
        (
            json!({"host": "c-env", "session": "of-env", "command": "sudo -k id"}),
            ran,
        ),
        (
            json!({"host": "c-literal", "session": "of-literal", "command": "sudo -k id"}),
            ran,
        ),
        (
            json!({"host": "c-command", "session": "of-command", "command": "sudo -k id"}),
            ran,
        ),
    ] {
        let said = told.call(&mut shim, arguments);
        assert!(said.contains(part), "{part}: {said}");
    }
    let asks =
        json!({"host": "given", "session": "typed", "command": "read -rs x; echo ${#x}", "timeout": 20});
    let said = told.call(&mut shim, asks);
    assert!(said.contains("awaiting_input"), "{said}");
    told.0.push_str(&send_secret(&bed, "typed", &typed));
    for session in [
        "given",
        "login",
        "of-yaml",
        "of-env",
        "of-literal",
        "of-command",
        "typed",
    ] {
        let shown = shim.call("get_terminal_output", json!({"session": session, "lines": 5000}));
        told.0.push_str(&shown.expect("a session").to_string());
    }
    // Nothing comes behind it that could hide by chance what it left.
    let last = json!({"host": "given", "command": "sudo -k id", "sudo_password": given.password});
    let said = told.call(&mut shim, last);
    assert!(said.contains(ran), "{said}");
    let put_by_people = [&*env.password];
    let all = [
        &*given.password,
        &*login.password,
        &*literal.password,
        &*typed,
        &*wrong_sudo,
        &*wrong_login,
        &*enable,
    ];
    let (all, at_home) = (wanted(&all), wanted(&put_by_people));
    let finds = |bytes: &[u8]| all.is_match(bytes) || at_home.is_match(bytes);
    assert!(!finds(told.0.as_bytes()), "in a result: {}", told.0);

    let mut looked_at = Vec::new();
    files(&bed.path(""), &mut looked_at);
    for sudoer in [&given, &login, &env, &literal] {
        files(&sudoer.user.home, &mut looked_at);
    }
    for place in ["/dev/shm", "/tmp", "/var/tmp"] {
        for entry in fs::read_dir(place).expect("a directory").flatten() {
            if entry.file_name().to_string_lossy().starts_with(".sshmcp-") {
                files(&entry.path(), &mut looked_at);
            }
        }
    }
    assert!(
        looked_at
            .iter()
            .any(|file| file.to_string_lossy().contains("daemon/sshmcpd")),
        "the log was looked at: {looked_at:?}"
    );
    let places = [&secret_file, &config, &yaml];
    for file in looked_at.iter().filter(|file| !places.contains(file)) {
        let bytes = fs::read(file).unwrap_or_default();
        assert!(!finds(&bytes), "in {}", file.display());
    }
    let daemon = bed.daemons().first().expect("a daemon").pid;
    for process in Process::all() {
        assert!(!finds(process.line.as_bytes()), "{process:?}");
        let environ = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        assert!(!all.is_match(&environ), "{process:?}");
        assert!(
            process.pid == daemon || !at_home.is_match(&environ),
            "{process:?}"
        );
    }

    // The search finds what is there: the name of a session, the mark in the environment.
    let control = wanted(&["of-literal"]);
    assert!(
        !memory_of::search(daemon, &control).0.is_empty(),
        "the daemon's memory"
    );
    let control = wanted(&["SSHMCP_TEST_BED"]);
    let shim_pid = shim.pid().cast_signed();
    assert!(
        !memory_of::search(shim_pid, &control).0.is_empty(),
        "the shim's memory"
    );
    assert!(
        !memory_of::search(daemon, &at_home).0.is_empty(),
        "the environment"
    );
    // Connections end a moment after the calls that they were for.
    let found = || in_memory(&bed, &shim, &all, &at_home);
    let clean = within(LONG / 6, || found().is_empty().then_some(()));
    assert!(clean.is_some(), "in memory: {:#?}", found());
    shim.close();
    bed.finish();
}
