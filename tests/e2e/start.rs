//! Who comes first starts the daemon, and everybody meets the same one.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::net::UnixListener,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use sshmcp_tests::{Shim, TestBed, eventually, patient, process::Process};

/// Clients at once: more than a person's editors, agents and scripts start together.
const CLIENTS: usize = 50;
/// Rounds, in the long suite and in the fast one.
const ROUNDS: (usize, usize) = (20, 6);
/// Each of them is served in this time where the machine is theirs.
const SERVED: Duration = Duration::from_secs(5);

/// Where the daemon listens: HOME alone says it.
const SOCKET: &str = ".local/state/sshmcp/sshmcpd.sock";

/// The daemon that a client has met, and what it said of it.
fn met(client: Child) -> Value {
    let output = patient::output(client);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{:?}: {said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Fifty clients, half of them MCP servers, come at once; every second time a dead daemon's socket lies in their way.
/// Each is served, and by the same daemon.
#[test]
fn fifty_clients_start_one_daemon() {
    let bed = TestBed::new();
    let is_long = std::env::var_os("SSHMCP_LONG").is_some();
    let mut slowest = Duration::ZERO;
    for round in 0..if is_long { ROUNDS.0 } else { ROUNDS.1 } {
        let began = Instant::now();
        let met: Vec<(i64, Duration)> = thread::scope(|scope| {
            let shims: Vec<_> = (0..CLIENTS / 2)
                .map(|_| {
                    let (server, mut status) = (bed.program("mcp-ssh"), bed.program("sshctl"));
                    scope.spawn(move || {
                        let mut shim = Shim::start(server);
                        let listed = shim.call("list_sessions", json!({})).expect("a list");
                        assert_eq!(listed["sessions"], json!([]));
                        let served = began.elapsed();
                        // It is met while everybody is there.
                        let status = status.args(["status", "--json"]).output();
                        shim.close();
                        let status = status.expect("sshctl runs");
                        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
                        (status["pid"].as_i64().expect("a process"), served)
                    })
                })
                .collect();
            let started: Vec<Child> = (0..CLIENTS / 2)
                .map(|_| {
                    let mut command = bed.program("sshctl");
                    command.args(["daemon", "start", "--json"]);
                    command.stdout(Stdio::piped()).stderr(Stdio::piped());
                    command.spawn().expect("sshctl runs")
                })
                .collect();
            let of_ctl = started.into_iter().map(|client| {
                let status = met(client);
                (status["pid"].as_i64().expect("a process"), began.elapsed())
            });
            let of_ctl: Vec<(i64, Duration)> = of_ctl.collect();
            let of_shims = shims.into_iter().map(|client| client.join().expect("a client"));
            of_ctl.into_iter().chain(of_shims).collect()
        });
        slowest = met.iter().map(|(_, served)| *served).fold(slowest, Duration::max);
        let pids: BTreeSet<i32> = met
            .iter()
            .map(|(pid, _)| i32::try_from(*pid).expect("a process id"))
            .collect();
        let daemons = bed.daemons();
        assert_eq!(daemons.len(), 1, "round {round}: {daemons:#?}");
        let alone = BTreeSet::from([daemons[0].pid]);
        assert_eq!(pids, alone, "round {round}");
        if round % 2 == 0 {
            // The next round meets a socket that nobody serves.
            daemons[0].signal(Signal::KILL);
            eventually("it is dead", || bed.daemons().is_empty());
            assert!(bed.home().join(SOCKET).exists());
        } else {
            bed.stop_daemon();
        }
    }
    if is_long {
        tell(slowest);
        assert!(slowest < SERVED, "{slowest:?}");
    }
    bed.finish();
}

#[expect(clippy::print_stderr, reason = "a figure for whoever runs the long suite")]
fn tell(slowest: Duration) {
    eprintln!("start: the slowest of {CLIENTS} clients was served after {slowest:?}");
}

/// MCP clients pass on little more than HOME and PATH; a person's terminal has all of the session's variables. What
/// the agent opened must be what the person sees.
#[test]
fn poor_and_rich_environments_meet() {
    let bed = TestBed::new();
    let runtime = bed.home().join("run");
    fs::create_dir(&runtime).expect("a directory");
    let rich = |arguments: &[&str]| {
        let mut command = bed.program("sshctl");
        command
            .args(arguments)
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("XDG_STATE_HOME", bed.home().join("state"))
            .env("XDG_CONFIG_HOME", bed.home().join("config"))
            .env("XDG_DATA_HOME", bed.home().join("data"))
            .env("XDG_CACHE_HOME", bed.home().join("cache"))
            .env("SSH_AUTH_SOCK", runtime.join("agent"))
            .env("DISPLAY", ":0")
            .env("TERM", "xterm-256color")
            .env("TMPDIR", &runtime)
            .env("USER", "operator")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        met(command.spawn().expect("sshctl runs"))
    };
    // The poor one starts it first, then the rich one.
    let mut shim = bed.shim();
    shim.call("list_sessions", json!({})).expect("a list");
    let first = rich(&["daemon", "status", "--json"]);
    assert_eq!(first["pid"], bed.daemons()[0].pid);
    shim.run("dash", "cd /usr");
    let sessions = rich(&["sessions", "--json"]).to_string();
    assert!(sessions.contains("\"/usr\""), "{sessions}");
    bed.stop_daemon();
    let second = rich(&["daemon", "start", "--json"]);
    shim.call("list_sessions", json!({})).expect("a list");
    assert_eq!(bed.daemons().len(), 1, "{:#?}", bed.daemons());
    assert_eq!(second["pid"], bed.daemons()[0].pid);
    shim.close();
    bed.finish();
}

/// A file that is no socket, and a socket that somebody else serves, are not removed: the clients say what is wrong.
#[test]
fn what_is_not_ours_is_left_alone() {
    let bed = TestBed::new();
    let socket = bed.home().join("other.sock");
    let path = socket.to_str().expect("a plain path");
    fs::write(&socket, "precious").expect("a file");
    let refused = bed.ctl(&["--socket", path, "daemon", "start", "--json"]);
    assert_eq!(refused.status.code(), Some(69), "{refused:?}");
    assert_eq!(fs::read_to_string(&socket).expect("still there"), "precious");
    fs::remove_file(&socket).expect("ours");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let refused = bed.ctl(&["--socket", path, "daemon", "start", "--json"]);
    assert_eq!(refused.status.code(), Some(69), "{refused:?}");
    assert!(socket.exists());
    drop(listener);
    assert!(bed.daemons().is_empty(), "{:#?}", bed.daemons());
    bed.finish();
}

/// Killing the daemon takes its sessions away; clients that stay meet the next daemon without being restarted.
#[test]
fn clients_outlive_the_daemon() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "cd /usr");
    let daemons = bed.daemons();
    for daemon in &daemons {
        daemon.signal(Signal::KILL);
    }
    eventually("it is dead", || daemons.iter().all(Process::is_dead));
    assert_eq!(shim.run("bash", "echo there").stdout, "there\n");
    shim.close();
    bed.finish();
}
