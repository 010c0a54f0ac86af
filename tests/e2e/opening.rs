//! What an agent hears of a session that is being opened, could not be, or is open already.

use std::{fs, net::TcpListener};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, Sshd, SshdOptions, TestBed, wait::eventually_some};

fn words(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn listed(shim: &mut Shim, name: &str) -> Value {
    let all = shim.call("list_sessions", json!({})).expect("a list");
    let all = all["sessions"].as_array().cloned().unwrap_or_default();
    let mut own = all.into_iter().filter(|session| session["session"] == name);
    own.next().unwrap_or_default()
}

/// A caller that wants no wait is not made to wait for a host that says nothing: the command is there, begins once the
/// session is open, and ends as one that was not run if it never is. What came of it stands in the list.
#[test]
fn a_silent_host_holds_nobody_up() {
    let bed = TestBed::new();
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port();
    for (name, shell) in [("mute", Shell::Dash), ("dumb", Shell::Bash)] {
        bed.alias(name, &bed.user(shell).name, port);
        bed.append(".ssh/config", &format!("Host {name}\n ConnectTimeout 4\n"));
    }
    let mut shim = bed.shim();
    let begun = shim.execute(json!({"host": "mute", "command": "echo no", "timeout": 0}));
    let begun = begun.expect("it is taken");
    assert_eq!(begun.status, "running", "{begun:?}");
    assert!(begun.notice.contains("nothing of it was run yet"), "{begun:?}");
    assert!(begun.notice.contains("still being opened"), "{begun:?}");
    let refused = shim.execute(json!({"host": "dumb", "command": "echo no", "timeout": 0.2}));
    assert_eq!(refused.expect_err("no turn came").code, "session_busy");
    let lost = shim.wait_for(&begun.id);
    assert_eq!((&*lost.status, lost.exit_code), ("lost", None), "{lost:?}");
    assert!(lost.notice.contains("nothing was run"), "{lost:?}");
    for name in ["mute", "dumb"] {
        let session = eventually_some("the end of the attempt", || {
            Some(listed(&mut shim, name)).filter(|session| session["state"] == "disconnected")
        });
        let notice = words(&session["notice"]);
        assert!(notice.contains("could not be opened"), "{session}");
    }
    shim.close();
    bed.finish();
}

/// A size is given to an open session as well; another keeper cannot be, and that is said. What must be new is not open.
#[test]
fn an_open_session_says_what_was_not_done() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("dash", "true");
    let open = |shim: &mut Shim, more: Value| {
        let mut arguments = json!({"host": "dash"});
        for (name, value) in more.as_object().into_iter().flatten() {
            arguments[name] = value.clone();
        }
        shim.call("open_session", arguments).expect("it is open")
    };
    let opened = open(&mut shim, json!({"cols": 100}));
    assert_eq!(
        (&opened["opened"], &opened["cols"], &opened["rows"]),
        (&json!(false), &json!(100), &json!(40))
    );
    assert_eq!(opened["notice"], Value::Null, "{opened}");
    assert_eq!(shim.run("dash", "stty size").stdout, "40 100\n");
    let kept = open(&mut shim, json!({"keeper": "remote-tmux"}));
    assert!(
        words(&kept["notice"]).contains("remote-tmux was not applied"),
        "{kept}"
    );
    assert_eq!(
        open(&mut shim, json!({"keeper": "daemon"}))["notice"],
        Value::Null
    );
    let refused = bed.ctl(&["open", "dash", "--new", "--json"]);
    assert_eq!(refused.status.code(), Some(74), "{refused:?}");
    let told = bed.ctl(&["open", "dash", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let same = open(&mut shim, json!({}));
    for (name, value) in same.as_object().expect("an object") {
        let is_time = name.ends_with("_ago") || ["client", "cursor"].contains(&name.as_str());
        assert!(
            told.get(name).is_some_and(|other| is_time || other == value),
            "{name}: {told}"
        );
    }
    shim.close();
    bed.finish();
}

/// A key that nobody compared is accepted where ssh_config says so, never in silence: with a file it is written there, with
/// none nothing is.
#[test]
fn a_key_that_nobody_compared_is_told() {
    let bed = TestBed::new();
    let sshd = Sshd::start(&bed.path("new"), "new", &SshdOptions::default());
    for (name, shell, line) in [
        ("lab", Shell::Dash, "UserKnownHostsFile /dev/null"),
        ("first", Shell::Bash, "HostKeyAlias first"),
    ] {
        let user = bed.user(shell);
        bed.authorize(&sshd, user);
        bed.append(
            ".ssh/config",
            &format!("Host {name}\n StrictHostKeyChecking no\n {line}\n"),
        );
        bed.alias(name, &user.name, sshd.port());
    }
    let known = || fs::read_to_string(bed.home().join(".ssh/known_hosts")).expect("a file");
    let before = known();
    let mut shim = bed.shim();
    let lab = shim.run("lab", "echo in");
    assert_eq!(lab.stdout, "in\n", "{lab:?}");
    assert!(
        lab.notice.contains("SHA256:") && lab.notice.contains("not written down"),
        "{lab:?}"
    );
    assert_eq!(known(), before, "nothing is written");
    let first = shim.run("first", "echo in");
    assert!(
        first.notice.contains("SHA256:") && first.notice.contains("written to"),
        "{first:?}"
    );
    assert_ne!(known(), before);
    assert_eq!(shim.run("first", "true").notice, "", "once is enough");
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.stop_daemon();
    drop(sshd);
    bed.finish();
}
