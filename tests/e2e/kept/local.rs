//! Sessions that OpenSSH's own client carries in a tmux of the operator's machine: they outlive the daemon, reach what only
//! that client reaches, and leave nothing on either side.

mod asked;
mod durable;
mod lost;
mod restarts;
mod stored;

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rand::RngCore as _;
use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, SshdOptions, TestBed, eventually, eventually_seen};

use super::{dice, types_exactly};
use crate::attach::Pane;

/// A bed whose sessions are kept here.
struct Local {
    bed: TestBed,
}

impl Local {
    fn new() -> Self {
        Self { bed: TestBed::new() }
    }

    fn open_as(shim: &mut Shim, host: &str, session: &str) -> Value {
        let arguments = json!({"host": host, "session": session, "keeper": "local-tmux"});
        let opened = shim.call("open_session", arguments).expect("it opens");
        assert_eq!(opened["keeper"], "local-tmux", "{opened}");
        opened
    }

    fn open(shim: &mut Shim, shell: Shell) -> Value {
        Self::open_as(shim, shell.host(), shell.host())
    }

    /// Makes a name of bash's host for which ssh_config wants what the daemon must not judge alone.
    fn only_openssh(&self, alias: &str) {
        let revoked = self.bed.home().join("revoked");
        fs::write(&revoked, "").expect("written");
        self.bed.give("revoked");
        let lines = format!(
            "Host {alias}\n HostName 127.0.0.1\n User {}\n Port {}\n RevokedHostKeys {}\n",
            self.bed.user(Shell::Bash).name,
            self.bed.sshd().port(),
            revoked.display()
        );
        self.bed.append(".ssh/config", &lines);
    }

    /// Where sessions are on the operator's machine: each directory is named like its tmux server.
    fn places(&self) -> Vec<PathBuf> {
        let anchors = fs::read_dir(self.bed.home().join(".local/share/sshmcp"));
        let anchors = anchors.into_iter().flatten().flatten();
        let entries =
            anchors.flat_map(|anchor| fs::read_dir(anchor.path().join("local")).into_iter().flatten());
        entries.flatten().map(|entry| entry.path()).collect()
    }

    /// The tmux server of a session.
    fn server(&self, session: &str) -> String {
        let prefix = format!("sshmcp-{session}-");
        let names = self.places().into_iter().filter_map(|place| {
            let name = place.file_name()?.to_str()?.to_owned();
            name.starts_with(&prefix).then_some(name)
        });
        let names: Vec<String> = names.collect();
        assert_eq!(names.len(), 1, "{names:?}");
        names.into_iter().next().expect("one")
    }

    /// What tmux says of a session, to the operator.
    fn tmux(&self, session: &str, arguments: &[&str]) -> String {
        let mut command = self.bed.tool("tmux");
        command.args(["-L", &self.server(session)]).args(arguments);
        let said = command.output().expect("tmux runs");
        String::from_utf8_lossy(&said.stdout).into_owned()
    }

    /// Ends the story: what is closed leaves nothing here, and nothing there.
    fn finish(self, mut shim: Shim) {
        let names = self
            .places()
            .into_iter()
            .filter_map(|place| Some(place.file_name()?.to_owned()));
        let names: Vec<_> = names.collect();
        shim.call("close_session", json!({"all": true})).expect("closed");
        let operator = fs::metadata(self.bed.home()).expect("a home").uid();
        for name in names {
            let socket = Path::new(&format!("/tmp/tmux-{operator}")).join(name);
            assert!(!socket.exists(), "{}", socket.display());
        }
        let left = self.places();
        assert!(left.is_empty(), "{left:?}");
        let ours = || {
            let all = self.bed.processes();
            all.into_iter()
                .any(|process| process.line.contains("--pane") || process.name.starts_with("tmux"))
        };
        eventually("no tmux is left", || !ours());
        drop(shim);
        self.bed.finish();
    }
}

/// Everything that holds of a session holds of this one, in every shell.
#[test]
fn in_every_shell() {
    let local = Local::new();
    let shells = [Shell::Bash, Shell::Zsh, Shell::Dash, Shell::Fish];
    std::thread::scope(|scope| {
        for shell in shells {
            let local = &local;
            scope.spawn(move || {
                let mut shim = local.bed.shim();
                Local::open(&mut shim, shell);
                let host = shell.host();
                let both = shim.run(host, "echo out; echo err >&2; sh -c 'exit 3'");
                let got = (both.exit_code, &*both.stdout, &*both.stderr);
                assert_eq!(got, (Some(3), "out\n", "err\n"), "{shell:?}: {both:?}");
                let set = if shell == Shell::Fish {
                    "set -g kept yes"
                } else {
                    "kept=yes"
                };
                shim.run(host, &format!("cd /usr; {set}"));
                let stays = shim.run(
                    host,
                    "echo $kept; pwd; echo \"[$TMUX]\"; printf '\\303\\244\\000\\377' | od -An -tx1",
                );
                assert_eq!(stays.stdout, "yes\n/usr\n[]\n c3 a4 00 ff\n", "{shell:?}");
                let many = shim.run(host, "seq 1 100000");
                assert_eq!(many.object["total_bytes"], 588_895, "{shell:?}");
                let sleeping = json!({"host": host, "command": "sleep 300", "timeout": 0});
                let sleeping = shim.execute(sleeping).expect("it runs");
                eventually("it ends", || {
                    let asked = json!({"command_id": sleeping.id});
                    let ended = shim.call("interrupt_command", asked).expect("interrupted");
                    ended["ended"] == true
                });
                let left = shim.run(host, "exit 4");
                assert_eq!(left.exit_code, Some(4), "{shell:?}: {left:?}");
                let anew = shim.run(host, "echo \"[$kept]\"; pwd");
                assert_eq!(anew.stdout, "[]\n/usr\n", "{shell:?}: {anew:?}");
            });
        }
    });
    let shim = local.bed.shim();
    local.finish(shim);
}

/// A person who attaches to the pane with tmux itself sees commands and their output; what they type is typed.
#[test]
fn who_attaches_sees_the_commands() {
    let local = Local::new();
    let mut shim = local.bed.shim();
    Local::open(&mut shim, Shell::Bash);
    shim.run("bash", "echo first; cd /usr");
    shim.run("bash", "echo second >&2");
    let pane = || local.tmux("bash", &["capture-pane", "-p", "-S", "-", "-t", "%0"]);
    let seen = eventually_seen("they are shown", pane, |seen| {
        ["echo first; cd /usr\nfirst\n", "echo second >&2\nsecond\n"]
            .iter()
            .all(|text| seen.contains(text))
    });
    assert!(!seen.contains("__sshmcp") && !seen.contains("builtin"), "{seen}");
    let person = Pane::open(&local.bed);
    person.types(&format!("TMUX= tmux -L {} attach", local.server("bash")));
    person.keys("Enter");
    person.shows("what was run", |seen| seen.contains("echo second >&2\nsecond\n"));
    // An agent that comes between a person's line and its end meets it: that is another story.
    person.types("person=typed");
    person.shows("the line", |seen| seen.contains("$ person=typed"));
    person.keys("Enter");
    person.shows("the next prompt", |seen| {
        seen.split_once("$ person=typed\n").is_some_and(|(_, rest)| {
            rest.lines()
                .next()
                .is_some_and(|row| row.trim_end().ends_with('$'))
        })
    });
    let asked = json!({"host": "bash", "command": "echo \"[$person]\""});
    eventually_seen(
        "the session has it",
        || {
            let ran = shim.execute(asked.clone());
            (ran.map_or_else(|error| error.message, |ran| ran.stdout), pane())
        },
        |(said, _)| said == "[typed]\n",
    );
    person.close();
    local.finish(shim);
}

/// What is typed is what arrives: every byte value, and bytes of chance. `SSHMCP_SEED=N` repeats a run.
#[test]
fn every_byte_arrives() {
    let mut random = dice();
    let local = Local::new();
    let mut shim = local.bed.shim();
    Local::open(&mut shim, Shell::Bash);
    let mut chance = vec![0; 3000];
    random.fill_bytes(&mut chance);
    // OpenSSH's own escape is at the beginning of a line, and none of ours.
    let all: Vec<Vec<u8>> = vec![
        (0..=255).chain((0..=255).rev()).collect(),
        b"\r~.\r~?\r~~".to_vec(),
        chance,
    ];
    types_exactly(&local.bed, &mut shim, &all);
    local.finish(shim);
}

/// A host behind a ProxyCommand is reached, by the daemon as well, whatever else a person's ssh_config wants of their own
/// logins there; a command outlives it there as anywhere.
#[test]
fn a_proxy_command_is_followed() {
    let local = Local::new();
    let port = local.bed.sshd().port();
    let user = &local.bed.user(Shell::Bash).name;
    let lines = format!(
        "Host proxied\n HostName nowhere.invalid\n HostKeyAlias [127.0.0.1]:{port}\n User {user}\n ProxyCommand busybox nc 127.0.0.1 {port}\n \
         ControlMaster auto\n ControlPath /nowhere/%C\n RemoteCommand exit 9\n RequestTTY no\n LocalForward 1 127.0.0.1:1\n \
         ExitOnForwardFailure yes\n LogLevel DEBUG3\n EscapeChar ~\n"
    );
    local.bed.append(".ssh/config", &lines);
    let mut shim = local.bed.shim();
    assert_eq!(shim.run("proxied", "echo by itself").stdout, "by itself\n");
    shim.call("close_session", json!({"session": "proxied"}))
        .expect("closed");
    Local::open_as(&mut shim, "proxied", "proxied");
    assert_eq!(shim.run("proxied", "echo through").stdout, "through\n");
    let durable = json!({"host": "proxied", "command": "echo durable; exit 4", "durable": true});
    let durable = shim.execute(durable).expect("it runs");
    let got = (durable.exit_code, &*durable.stdout);
    assert_eq!(got, (Some(4), "durable\n"), "{durable:?}");
    local.finish(shim);
}

/// What the daemon must not do alone is left to OpenSSH where the keeper is free.
#[test]
fn chosen_by_itself() {
    let mut local = Local::new();
    local.only_openssh("strict");
    // The daemon has no such exchange of keys.
    let options = SshdOptions {
        lines: vec!["KexAlgorithms sntrup761x25519-sha512@openssh.com".to_owned()],
        ..SshdOptions::default()
    };
    let number = local.bed.add_sshd(&options, &[]);
    let user = local.bed.user(Shell::Dash).clone();
    local.bed.authorize(&local.bed.sshds()[number], &user);
    local
        .bed
        .alias("modern", &user.name, local.bed.sshds()[number].port());
    let mut shim = local.bed.shim();
    for host in ["strict", "modern"] {
        let opened = shim.call("open_session", json!({"host": host, "keeper": "auto"}));
        let opened = opened.expect("it opens");
        assert_eq!(opened["keeper"], "local-tmux", "{opened}");
        assert_eq!(shim.run(host, "echo there").stdout, "there\n");
    }
    local.finish(shim);
}

/// What is missing on this machine is said by name, and nothing is opened.
#[test]
fn without_tmux() {
    let old = tempfile::tempdir().expect("a directory");
    fs::set_permissions(old.path(), Permissions::from_mode(0o755)).expect("everybody's");
    let program = old.path().join("tmux");
    fs::write(&program, "#!/bin/sh\necho tmux 2.9\n").expect("written");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("executable");
    let local = Local::new();
    let mut server = local.bed.program("mcp-ssh");
    server.env("PATH", format!("{}:/usr/bin:/bin", old.path().display()));
    let mut shim = Shim::start(server);
    let asked = json!({"host": "bash", "keeper": "local-tmux"});
    let fault = shim.call("open_session", asked).expect_err("it is refused");
    assert_eq!(fault.code, "not_supported", "{fault:?}");
    assert!(
        fault.message.contains("tmux 2.9") && fault.message.contains("3.2"),
        "{fault:?}"
    );
    local.finish(shim);
}

/// Configuration says it, for a connection with a user and port of its own.
#[test]
fn configured() {
    let local = Local::new();
    let user = &local.bed.user(Shell::Dash).name;
    let port = local.bed.sshd().port();
    let config = local.bed.path("config.toml");
    let text = format!(
        "[connections.mine]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\nkeeper = \"local-tmux\"\n"
    );
    fs::write(&config, text).expect("written");
    let mut server = local.bed.program("mcp-ssh");
    server.arg("--config").arg(&config);
    let mut shim = Shim::start(server);
    assert_eq!(shim.run("mine", "whoami").stdout, format!("{user}\n"));
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    assert_eq!(listed["sessions"][0]["keeper"], "local-tmux", "{listed}");
    local.finish(shim);
}
