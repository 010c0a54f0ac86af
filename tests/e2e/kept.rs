//! Sessions whose shell a tmux on the host keeps: they outlive the connection and the daemon, and what ran goes on.

mod found;
mod links;
mod local;
mod restarts;
mod saved;
mod shown;

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rand::{Rng as _, RngCore as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use sshmcp_tests::{
    Outcome, Shell, Shim, SshdOptions, TestBed, eventually, eventually_seen, patient, wait::within,
};
use tempfile::TempDir;

/// A bed whose hosts have a tmux server of its own.
struct Kept {
    bed: TestBed,
    sockets: TempDir,
}

impl Kept {
    fn new() -> Self {
        Self::with(&[])
    }

    /// With these further variables on the hosts.
    fn with(variables: &[&str]) -> Self {
        let sockets = tempfile::Builder::new()
            .prefix("sshmcp-tmux-")
            .permissions(Permissions::from_mode(0o1777))
            .tempdir()
            .expect("a directory");
        fs::set_permissions(sockets.path(), Permissions::from_mode(0o1777)).expect("everybody's");
        let line = format!(
            "Match All\n SetEnv %MARK TMUX_TMPDIR={} {}",
            sockets.path().display(),
            variables.join(" ")
        );
        let bed = TestBed::with(&SshdOptions {
            lines: vec![line],
            ..SshdOptions::default()
        });
        Self { bed, sockets }
    }

    /// Opens the kept session of a shell's host.
    fn open(&self, shim: &mut Shim, shell: Shell) -> Value {
        let arguments = json!({"host": shell.host(), "keeper": "remote-tmux"});
        let opened = shim.call("open_session", arguments).expect("it opens");
        assert_eq!(opened["keeper"], "remote-tmux", "{opened}");
        opened
    }

    /// The sockets of tmux servers of ours on the host.
    fn servers(&self, shell: Shell) -> Vec<String> {
        let place = self
            .sockets
            .path()
            .join(format!("tmux-{}", self.bed.user(shell).uid()));
        let entries = fs::read_dir(place).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    /// What tmux says on the host, to its user, of the one session that is kept there.
    fn tmux(&self, shell: Shell, arguments: &[&str]) -> String {
        let servers = self.servers(shell);
        let server = servers.first().expect("a server");
        let mut command: Command = self.bed.user(shell).command(&sshmcp_tests::program::tool("tmux"));
        command
            .env("TMUX_TMPDIR", self.sockets.path())
            .args(["-L", server])
            .args(arguments);
        let said = command.output().expect("tmux runs");
        String::from_utf8_lossy(&said.stdout).into_owned()
    }

    /// Cuts every connection.
    fn cut(&self) {
        for sshd in self.bed.sshds() {
            sshd.cut_connections();
        }
    }

    /// Ends the story: what is closed leaves nothing on the hosts.
    fn finish(self, mut shim: Shim, shells: &[Shell]) {
        shim.call("close_session", json!({"all": true})).expect("closed");
        for shell in shells {
            eventually("no server is left", || self.servers(*shell).is_empty());
        }
        drop(shim);
        self.bed.finish();
    }
}

/// True in the long suite.
fn is_long() -> bool {
    std::env::var_os("SSHMCP_LONG").is_some()
}

/// Chance, which `SSHMCP_SEED=N` repeats.
#[expect(clippy::print_stderr, reason = "the seed of a run")]
fn dice() -> StdRng {
    let seed = std::env::var("SSHMCP_SEED").ok();
    let seed: u64 = seed
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random);
    eprintln!("kept: SSHMCP_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn state(shim: &mut Shim, session: &str) -> String {
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    let sessions = listed["sessions"].as_array().expect("a list");
    let found = sessions.iter().find(|one| one["session"] == session);
    found.map_or_else(String::new, |one| {
        one["state"].as_str().unwrap_or_default().to_owned()
    })
}

/// What `sshctl send` types into the session of bash is what its program reads.
fn types_exactly(bed: &TestBed, shim: &mut Shim, all: &[Vec<u8>]) {
    let file = bed.scratch(Shell::Bash).join("bytes");
    for bytes in all {
        let command = format!(
            "stty raw -echo; printf ready; head -c {} >{}; stty sane",
            bytes.len(),
            file.display()
        );
        let arguments = json!({"host": "bash", "command": command, "terminal": true, "timeout": 20});
        let reader = shim.execute(arguments).expect("it starts");
        assert_eq!(reader.status, "awaiting_input", "{reader:?}");
        let mut send = bed
            .program("sshctl")
            .args(["--json", "send", "bash", "--stdin", "--timeout", "20"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sshctl runs");
        let mut stdin = send.stdin.take().expect("piped");
        stdin.write_all(bytes).expect("it reads");
        drop(stdin);
        let output = patient::output(send);
        assert!(output.status.success(), "{output:?}");
        // Between two parts of what was typed the program may be seen to read again.
        let ended = shim.wait_for(&reader.id);
        assert_eq!(ended.exit_code, Some(0), "{ended:?}");
        assert!(
            fs::read(&file).expect("the reader's file") == *bytes,
            "{} bytes",
            bytes.len()
        );
    }
}

/// Sessions on dash's host, opened so many at a time; each has its directory and its number.
fn open_many(shim: &mut Shim, keeper: &str, count: usize, at_once: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("many{number}")).collect();
    for some in names.chunks(at_once) {
        let open = |name| json!({"host": "dash", "session": name, "keeper": keeper});
        let calls: Vec<u64> = some
            .iter()
            .map(|name| shim.begin_call("open_session", open(name)))
            .collect();
        for call in calls {
            shim.finish_call(call).expect("it opens");
        }
    }
    for (number, name) in names.iter().enumerate() {
        let run = json!({"session": name, "command": format!("cd /usr; number={number}")});
        shim.execute(run).expect("it runs");
    }
    names
}

/// Every one of them comes back, as it was.
#[expect(clippy::print_stderr, reason = "how long it took")]
fn are_back(shim: &mut Shim, names: &[String]) {
    let since = Instant::now();
    eventually("all are back", || {
        let listed = shim.call("list_sessions", json!({})).expect("a list");
        let sessions = listed["sessions"].as_array().expect("a list");
        sessions.len() == names.len() && sessions.iter().all(|session| session["state"] == "ready")
    });
    eprintln!("{} sessions were back after {:?}", names.len(), since.elapsed());
    for (number, name) in names.iter().enumerate() {
        let run = shim.execute(json!({"session": name, "command": "echo $PWD $number"}));
        assert_eq!(run.expect("it runs").stdout, format!("/usr {number}\n"));
    }
}

/// Everything that holds of a session holds of a kept one, in every shell; and it is known by a name on the host.
#[test]
fn in_every_shell() {
    let kept = Kept::new();
    let shells = [
        Shell::Bash,
        Shell::Zsh,
        Shell::Dash,
        Shell::Fish,
        Shell::Ksh,
        Shell::Mksh,
        Shell::Ash,
    ];
    std::thread::scope(|scope| {
        for shell in shells {
            let kept = &kept;
            scope.spawn(move || {
                let mut shim = kept.bed.shim();
                kept.open(&mut shim, shell);
                let host = shell.host();
                let both = shim.run(host, "echo out; echo err >&2; sh -c 'exit 3'");
                let got = (both.exit_code, &*both.stdout, &*both.stderr);
                assert_eq!(got, (Some(3), "out\n", "err\n"), "{shell:?}: {both:?}");
                // Its own tmux is nobody's business there, and neither is ours.
                let set = if shell == Shell::Fish {
                    "set -g kept yes"
                } else {
                    "kept=yes"
                };
                let clean = shim.run(
                    host,
                    &format!("cd /usr; {set}; echo \"[$TMUX]\"; umask; tty <&1 || echo none"),
                );
                assert!(clean.stdout.starts_with("[]\n"), "{shell:?}: {clean:?}");
                let stays = shim.run(
                    host,
                    "echo $kept; pwd; printf '\\303\\244\\000\\377' | od -An -tx1",
                );
                assert_eq!(stays.stdout, "yes\n/usr\n c3 a4 00 ff\n", "{shell:?}");
                let many = shim.run(host, "seq 1 100000");
                assert_eq!(many.object["total_bytes"], 588_895, "{shell:?}");
                let sleeping = json!({"host": host, "command": "sleep 300", "timeout": 0});
                let sleeping = shim.execute(sleeping).expect("it runs");
                eventually("it runs", || {
                    let asked = json!({"command_id": sleeping.id});
                    let ended = shim.call("interrupt_command", asked).expect("interrupted");
                    ended["ended"] == true
                });
                let next = shim.run(host, "echo next");
                assert_eq!(next.stdout, "next\n", "{shell:?}: {next:?}");
                let left = shim.run(host, "exit 4");
                assert_eq!(left.exit_code, Some(4), "{shell:?}: {left:?}");
                let anew = shim.run(host, "echo \"[$kept]\"; pwd");
                assert_eq!(anew.stdout, "[]\n/usr\n", "{shell:?}: {anew:?}");
                let named = kept.tmux(shell, &["list-sessions", "-F", "#{session_name}"]);
                assert!(
                    named.starts_with(&format!("sshmcp-{host}-")),
                    "{shell:?}: {named}"
                );
            });
        }
    });
    let shim = kept.bed.shim();
    kept.finish(shim, &shells);
}

/// Behind a command whose job still holds its output the next ones have streams of their own, and nothing is run again by
/// what hands those on.
#[test]
fn each_command_runs_once() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    for shell in Shell::ALL {
        kept.open(&mut shim, shell);
        let host = shell.host();
        let ran = shim.run(host, "cd; rm -f ran; echo one >>ran; sleep 1000 &");
        assert_eq!(ran.exit_code, Some(0), "{shell:?}: {ran:?}");
        for number in ["two", "three"] {
            let ran = shim.run(host, &format!("echo {number} >>ran; echo {number}"));
            assert_eq!(ran.stdout, format!("{number}\n"), "{shell:?}: {ran:?}");
        }
        let all = shim.run(host, "cat ran; rm ran; kill %1");
        assert_eq!(all.stdout, "one\ntwo\nthree\n", "{shell:?}: {all:?}");
    }
    kept.finish(shim, &Shell::ALL);
}

/// A session that is closed before it is open leaves nothing, wherever its opening was.
#[test]
fn closed_while_it_opens() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    let mut random = dice();
    for _ in 0..if is_long() { 40 } else { 6 } {
        let asked = json!({"host": "bash", "session": "brief", "keeper": "remote-tmux"});
        let opening = shim.begin_call("open_session", asked);
        // At a moment of chance, not in answer to anything.
        within(Duration::from_millis(random.random_range(0..400)), || None::<()>);
        // It may not be there yet, or be open already.
        drop(shim.call("close_session", json!({"session": "brief"})));
        drop(shim.finish_call(opening));
        drop(shim.call("close_session", json!({"session": "brief"})));
        eventually("no server is left", || kept.servers(Shell::Bash).is_empty());
    }
    kept.finish(shim, &[Shell::Bash]);
}

/// What is typed through tmux is what arrives: every byte value, and bytes of chance in any number. `SSHMCP_SEED=N`
/// repeats a run.
#[test]
fn every_byte_arrives() {
    let mut random = dice();
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    let mut all: Vec<Vec<u8>> = vec![(0..=255).chain((0..=255).rev()).collect()];
    for _ in 0..if is_long() { 200 } else { 4 } {
        let mut bytes = vec![0; random.random_range(1..5000)];
        random.fill_bytes(&mut bytes);
        all.push(bytes);
    }
    types_exactly(&kept.bed, &mut shim, &all);
    kept.finish(shim, &[Shell::Bash]);
}

/// A person who attaches to the pane with tmux itself sees commands and their output, in order, and nothing of ours; of much
/// output its beginning and its end.
#[test]
fn who_attaches_sees_the_commands() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    let shells = [Shell::Bash, Shell::Zsh, Shell::Dash, Shell::Fish];
    for shell in shells {
        kept.open(&mut shim, shell);
        let pane = || kept.tmux(shell, &["capture-pane", "-p", "-S", "-", "-t", "%0"]);
        let host = shell.host();
        shim.run(host, "echo first; cd /usr");
        shim.run(host, "echo second >&2");
        let in_order = |seen: &String, texts: &[&str]| {
            let mut rest = seen.as_str();
            texts.iter().all(|text| {
                let found = rest.split_once(text);
                rest = found.map_or("", |(_, rest)| rest);
                found.is_some()
            })
        };
        let wanted = [
            "echo first; cd /usr\n",
            "first\n",
            "echo second >&2\n",
            "second\n",
        ];
        let seen = eventually_seen("they are shown", pane, |seen| in_order(seen, &wanted));
        assert!(
            !seen.contains("__sshmcp") && !seen.contains("builtin"),
            "{shell:?}: {seen}"
        );
        shim.run(host, "seq 1 5000");
        // And what was there before stays.
        let wanted = [
            "echo second >&2\nsecond\n",
            "seq 1 5000\n1\n2\n",
            "[...]\n",
            "\n5000\n",
        ];
        let seen = eventually_seen("much is cut", pane, |seen| in_order(seen, &wanted));
        assert!(!seen.contains("\n2500\n"), "{shell:?}");
        // What was shown there for people is no output, and no part of our own screen.
        let next = shim.run(host, "echo third");
        assert_eq!(next.stdout, "third\n", "{shell:?}");
        let screen = shim
            .call("get_terminal_output", json!({"session": host}))
            .expect("a screen");
        let text = screen["text"].as_str().expect("text");
        assert_eq!(text.matches("\nthird").count(), 1, "{shell:?}: {text}");
    }
    kept.finish(shim, &shells);
}

/// Where no tmux serves, the session is kept by the daemon, and says why.
#[test]
fn hosts_without_tmux() {
    let old = tempfile::tempdir().expect("a directory");
    fs::set_permissions(old.path(), Permissions::from_mode(0o755)).expect("everybody's");
    let program = old.path().join("tmux");
    fs::write(&program, "#!/bin/sh\necho tmux 2.9\n").expect("written");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("executable");
    let kept = Kept::with(&[&format!("PATH={}:/usr/bin:/bin", old.path().display())]);
    let mut shim = kept.bed.shim();
    let asked = json!({"host": "bash", "keeper": "remote-tmux"});
    let opened = shim.call("open_session", asked).expect("it opens");
    assert_eq!(opened["keeper"], "daemon");
    let notice = opened["notice"].as_str().expect("a notice");
    assert!(notice.contains("tmux 2.9") && notice.contains("3.2"), "{notice}");
    assert_eq!(shim.run("bash", "echo works").stdout, "works\n");
    // Who leaves it to us is not bothered.
    let asked = json!({"host": "dash", "keeper": "auto"});
    let opened = shim.call("open_session", asked).expect("it opens");
    assert_eq!(
        (&opened["keeper"], &opened["notice"]),
        (&json!("daemon"), &Value::Null)
    );
    kept.finish(shim, &[]);
}

/// Configuration says it too: for a connection, for those with a tag, and for all.
#[test]
fn configured() {
    let kept = Kept::new();
    let user = &kept.bed.user(Shell::Dash).name;
    let port = kept.bed.sshd().port();
    let config = kept.bed.path("config.toml");
    let text = format!(
        "[settings]\nkeeper = \"auto\"\norphan_after = 7777\n[tags.here]\nkeeper = \"daemon\"\n[connections.plain]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\ntags = [\"here\"]\n"
    );
    fs::write(&config, text).expect("written");
    let mut server = kept.bed.program("mcp-ssh");
    server.arg("--config").arg(&config);
    let mut shim = Shim::start(server);
    for (host, keeper) in [("bash", "remote-tmux"), ("plain", "daemon")] {
        let run: Outcome = shim.run(host, "echo $PPID");
        assert_eq!(run.exit_code, Some(0));
        let listed = shim.call("list_sessions", json!({})).expect("a list");
        let sessions = listed["sessions"].as_array().expect("a list");
        let found = sessions
            .iter()
            .find(|one| one["session"] == host)
            .expect("it is there");
        assert_eq!(found["keeper"], keeper, "{found}");
    }
    // How long a host keeps what nobody comes for holds for a durable command as well.
    let limits = "cat /var/tmp/.sshmcp-*/l 2>/dev/null; true";
    let durable = shim.execute(json!({"host": "plain", "command": limits, "durable": true}));
    let durable = durable.expect("it runs");
    assert!(durable.stdout.lines().any(|line| line == "7777"), "{durable:?}");
    kept.finish(shim, &[Shell::Bash]);
}
