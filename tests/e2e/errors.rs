//! What can go wrong before there is a session: each with its own code, sentence and hint, in bounded time.

mod wanted;

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sshmcp_tests::{
    Shell, Shim, Sshd, SshdOptions, TestBed, ToolError,
    sshd::{free_port, keygen},
};
use wanted::Wanted;

/// The longest that any of them may take: a server that accepts and then says nothing.
const BOUND: Duration = Duration::from_secs(30);

/// A password that must be read nowhere.
const SECRET: &str = "wr0ng-s3cret";

/// An sshd that takes passwords only.
fn password_only() -> SshdOptions {
    let lines = [
        "Match all",
        "PasswordAuthentication yes",
        "PubkeyAuthentication no",
    ];
    SshdOptions {
        lines: lines.map(str::to_owned).into(),
        ..SshdOptions::default()
    }
}

/// Begins all calls at once, and tells what each got and that it came in time.
fn refusals(shim: &mut Shim, calls: Vec<(Wanted, Value)>) -> Vec<(Wanted, ToolError)> {
    let began = Instant::now();
    let begun: Vec<(Wanted, u64)> = calls
        .into_iter()
        .map(|(wanted, mut arguments)| {
            arguments["command"] = "true".into();
            arguments["timeout"] = 50.into();
            (wanted, shim.begin_call("execute_command", arguments))
        })
        .collect();
    begun
        .into_iter()
        .map(|(wanted, call)| {
            let error = shim.finish_call(call).expect_err(wanted.name);
            assert!(
                began.elapsed() < BOUND,
                "{} after {:?}",
                wanted.name,
                began.elapsed()
            );
            (wanted, error)
        })
        .collect()
}

/// A host that cannot be worked on is a matter for a person more often than for an agent. What is wrong and who does
/// what next must be plain from the answer alone, and no two causes may look alike.
#[test]
fn each_cause_has_its_own_words() {
    let mut bed = TestBed::new();
    let user = bed.user(Shell::Dash).name.clone();
    let ready = bed.sshd().port();
    let mut calls = Vec::new();
    let mut add = |bed: &TestBed, port: u16, arguments: Value, wanted: Wanted| {
        bed.alias(wanted.name, &user, port);
        let mut arguments = arguments;
        arguments["host"] = wanted.name.into();
        calls.push((wanted, arguments));
    };

    let number = bed.add_sshd(&password_only(), &[]);
    let port = bed.sshds()[number].port();
    let wrong = Wanted::new("wrong-password", "auth_failed", &["password"], &["password"]);
    add(&bed, port, json!({"password": SECRET}), wrong);
    let number = bed.add_sshd(&password_only(), &[]);
    let port = bed.sshds()[number].port();
    let none = Wanted::new(
        "no-password",
        "auth_input_required",
        &[],
        &["sshctl login no-password"],
    );
    add(&bed, port, json!({}), none);

    let number = bed.add_sshd(&SshdOptions::default(), &[]);
    let stranger = Wanted::new("stranger", "auth_failed", &["publickey"], &["key"]);
    add(&bed, bed.sshds()[number].port(), json!({}), stranger);

    let unknown = Sshd::start(&bed.path("unknown"), "unknown", &SshdOptions::default());
    let words = Wanted::new(
        "unknown",
        "host_key_unknown",
        &["SHA256:"],
        &["sshctl trust unknown"],
    );
    add(&bed, unknown.port(), json!({}), words);

    let changed = Sshd::start(&bed.path("changed"), "changed", &SshdOptions::default());
    let other = bed.sshd().known_host();
    let key = other.split_once(' ').expect("a line").1;
    let line = format!("[127.0.0.1]:{} {key}", changed.port());
    bed.append(".ssh/known_hosts", &line);
    let words = Wanted::new(
        "changed",
        "host_key_changed",
        &["changed", "SHA256:"],
        &["ssh-keygen -R"],
    );
    add(&bed, changed.port(), json!({}), words);

    let revoked = Sshd::start(&bed.path("revoked"), "revoked", &SshdOptions::default());
    bed.append(".ssh/known_hosts", &format!("@revoked {}", revoked.known_host()));
    let words = Wanted::new("revoked", "host_key_changed", &["revoked"], &["do not connect"]);
    add(&bed, revoked.port(), json!({}), words);

    let words = Wanted::new("closed", "unreachable", &["refused"], &["port"]);
    add(&bed, free_port(), json!({}), words);

    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let words = Wanted::new(
        "silent",
        "unreachable",
        &["silent|answer|said|time"],
        &["SSH server"],
    );
    add(
        &bed,
        silent.local_addr().expect("an address").port(),
        json!({}),
        words,
    );

    let words = Wanted::new(
        "no-such-name.invalid",
        "host_not_found",
        &["no-such-name.invalid"],
        &["spelling"],
    );
    calls.push((words, json!({"host": "no-such-name.invalid"})));

    let missing = bed.home().join("no-such-key");
    let words = Wanted::new(
        "missing-key",
        "not_found",
        &["no-such-key"],
        &["key_filename|path|file"],
    );
    let arguments = json!({"host": "dash", "key_filename": missing});
    calls.push((words, arguments));

    let open = bed.home().join("open_key");
    keygen(&open);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("chmod");
    let public = fs::read_to_string(open.with_extension("pub")).expect("a key");
    bed.sshd().authorize(bed.user(Shell::Dash), &public);
    let words = Wanted::new(
        "open-key",
        "auth_failed",
        &["open_key", "others can read"],
        &["chmod 600"],
    );
    calls.push((
        words,
        json!({"host": format!("{}@127.0.0.1:{ready}", bed.user(Shell::Dash).name), "key_filename": open}),
    ));
    // The operator's own.
    bed.append("open_key", "");

    let mut shim = bed.shim();
    let (mut sentences, mut hints) = (BTreeSet::new(), BTreeSet::new());
    let refused = refusals(&mut shim, calls);
    for (wanted, error) in &refused {
        wanted.check(error);
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
        sentences.insert(&error.message);
        hints.insert(&error.hint);
    }
    assert_eq!(sentences.len(), refused.len(), "{refused:#?}");
    assert_eq!(hints.len(), refused.len(), "{refused:#?}");
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    assert_eq!(
        listed["sessions"],
        json!([]),
        "no session is left of a failed login"
    );
    shim.close();
    let log = fs::read_to_string(bed.home().join(".local/state/sshmcp/logs/sshmcpd.log"));
    assert!(
        !log.unwrap_or_default().contains(SECRET),
        "a secret is in the log"
    );
    bed.finish();
}

/// What only a person may decide is decided in the terminal: with the fingerprint given, the same call works then.
/// Nothing is trusted that is not the key that was seen.
#[test]
fn trust_mends_an_unknown_key() {
    let bed = TestBed::new();
    let sshd = Sshd::start(&bed.path("new"), "new", &SshdOptions::default());
    let user = bed.user(Shell::Dash);
    bed.authorize(&sshd, user);
    bed.alias("new", &user.name, sshd.port());
    let mut shim = bed.shim();
    let refused = shim.execute(json!({"host": "new", "command": "true"}));
    let refused = refused.expect_err("not known");
    assert_eq!(refused.code, "host_key_unknown");
    let after = refused.message.split_once("SHA256:").expect("a fingerprint").1;
    let digest: String = after
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'))
        .collect();
    let known = || fs::read_to_string(bed.home().join(".ssh/known_hosts")).expect("a file");
    let before = known();

    let another = format!("SHA256:{}", "A".repeat(43));
    let wrong = bed.ctl(&["trust", "new", "--fingerprint", &another]);
    assert_eq!(wrong.status.code(), Some(72), "{wrong:?}");
    let unasked = bed.ctl(&["trust", "new"]);
    assert!(!unasked.status.success(), "no terminal, no yes: {unasked:?}");
    assert_eq!(known(), before, "nothing was trusted");

    let trusted = bed.ctl(&["trust", "new", "--fingerprint", &format!("SHA256:{digest}")]);
    assert!(trusted.status.success(), "{trusted:?}");
    assert_ne!(known(), before);
    let answer = shim.run("new", "echo in");
    assert_eq!(answer.stdout, "in\n");
    // What we have written OpenSSH reads, too.
    let listed = bed
        .tool("ssh-keygen")
        .args(["-F", &format!("[127.0.0.1]:{}", sshd.port()), "-f"])
        .arg(bed.home().join(".ssh/known_hosts"))
        .output();
    assert!(listed.expect("ssh-keygen runs").status.success());
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.stop_daemon();
    drop(sshd);
    bed.finish();
}

/// A host that allows one channel a connection is no reason to fail: further connections do the same.
#[test]
fn one_channel_a_connection() {
    let bed = TestBed::with(&SshdOptions {
        max_sessions: Some(1),
        ..SshdOptions::default()
    });
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Dash] {
        for session in ["one", "two", "three"] {
            let session = format!("{}-{session}", shell.host());
            let arguments = json!({"host": shell.host(), "session": session, "command": "echo out; echo err >&2; (exit 4)"});
            let outcome = shim.execute(arguments).expect("it works");
            assert_eq!(
                (&*outcome.stdout, &*outcome.stderr, outcome.exit_code),
                ("out\n", "err\n", Some(4)),
                "{outcome:?}"
            );
        }
    }
    shim.close();
    bed.finish();
}

/// A mistake in the configuration names its place, takes out its own connection alone, and shows no secret nearby.
#[test]
fn a_missing_configured_key_names_its_line() {
    let bed = TestBed::new();
    let text = format!(
        "[connections.broken]\nhost = \"127.0.0.1\"\nkey_path = \"~/none\"\npassword = {{ command = \"echo {SECRET}\" }}\n"
    );
    let config = bed.path("config.toml");
    fs::write(&config, text).expect("a file");
    let mut server = bed.program("mcp-ssh");
    server.arg("--config").arg(&config);
    let mut shim = Shim::start(server);
    let refused = shim.execute(json!({"host": "broken", "command": "true"}));
    let refused = refused.expect_err("it has no key");
    assert_eq!(refused.code, "config_invalid", "{refused:?}");
    assert!(
        refused.message.contains("config.toml") && refused.message.contains("none"),
        "{refused:?}"
    );
    assert!(!format!("{refused:?}").contains(SECRET), "{refused:?}");
    assert_eq!(shim.run("dash", "echo fine").stdout, "fine\n");
    shim.close();
    bed.finish();
}
