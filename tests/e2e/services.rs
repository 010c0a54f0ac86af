//! The daemon under a service manager: what it tells it, the socket that it is handed, and what `sshctl install` puts in
//! place for that. The manager's side is the tests' own.

mod install;

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::{BufRead as _, BufReader, ErrorKind},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::{UnixDatagram, UnixStream},
    },
    process::{Child, Stdio},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::Signal,
};
use serde_json::json;
use sshmcp_tests::{
    LONG, Outcome, TestBed, eventually,
    patient::{self, Patient},
    process::Process,
    wait::within,
};

/// Where the daemon listens: HOME alone says it.
const SOCKET: &str = ".local/state/sshmcp/sshmcpd.sock";

/// What the daemon tells its manager.
struct Manager {
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Manager {
    fn new(bed: &TestBed) -> Self {
        let path = bed.path("notify");
        let socket = UnixDatagram::bind(&path).expect("bind");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("chmod");
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("timeout");
        Self {
            socket,
            told: Vec::new(),
        }
    }

    /// Waits for the next message with this line; its lines come back by name.
    fn hears(&mut self, line: &str) -> HashMap<String, String> {
        let found = within(LONG, || {
            let mut buffer = [0; 4096];
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    return None;
                }
                Err(error) => panic!("{error}"),
            };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.told.push(text.clone());
            text.lines().any(|one| one == line).then_some(text)
        });
        let text = found.unwrap_or_else(|| panic!("{line:?} was not told, but {:?}", self.told));
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

fn process(child: &Child) -> Process {
    Process::read(child.id().cast_signed()).expect("it runs")
}

/// Ready when it serves, alive while it does, reloading while it reads, stopping before it ends: as `sd_notify` has it.
#[test]
fn the_manager_is_told() {
    let bed = TestBed::new();
    let mut manager = Manager::new(&bed);
    let config = bed.home().join(".config/sshmcp/config.toml");
    let mut child = bed
        .program("sshmcpd")
        .args(["--started-by", "systemd"])
        .env("NOTIFY_SOCKET", bed.path("notify"))
        .env("WATCHDOG_USEC", "300000")
        .stderr(Stdio::null())
        .spawn()
        .expect("sshmcpd runs");
    manager.hears("READY=1");
    UnixStream::connect(bed.home().join(SOCKET)).expect("it accepts when it says so");
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    let mut shim = bed.shim();
    let hosts =
        |shim: &mut sshmcp_tests::Shim| shim.call("list_hosts", json!({})).expect("a list").to_string();
    assert!(!hosts(&mut shim).contains("fresh"));
    fs::create_dir_all(config.parent().expect("a directory")).expect("a directory");
    fs::write(&config, "[connections.fresh]\nhost = \"127.0.0.1\"\n").expect("a file");
    process(&child).signal(Signal::HUP);
    let reloading = manager.hears("RELOADING=1");
    assert!(
        reloading["MONOTONIC_USEC"]
            .parse::<u64>()
            .is_ok_and(|now| now > 0),
        "{reloading:?}"
    );
    manager.hears("READY=1");
    assert!(hosts(&mut shim).contains("fresh"), "read when it says so");
    let status = bed.ctl(&["daemon", "status", "--json"]);
    assert!(
        String::from_utf8_lossy(&status.stdout).contains("\"started_by\": \"systemd\""),
        "{status:?}"
    );
    // Calls under way are answered before it ends.
    let call = shim.begin_call(
        "execute_command",
        json!({"host": "dash", "command": "echo partial; sleep 300", "timeout": 50}),
    );
    let mut other = bed.shim();
    eventually("its output is here", || {
        let running = other.call("get_active_commands", json!({})).expect("a list");
        running["commands"][0]["total_bytes"] == 8
    });
    other.close();
    process(&child).signal(Signal::TERM);
    manager.hears("STOPPING=1");
    assert!(patient::end(&mut child).success());
    let outcome = Outcome::read(shim.finish_call(call).expect("an answer"));
    assert_eq!(
        (&*outcome.status, &*outcome.stdout),
        ("lost", "partial\n"),
        "{outcome:?}"
    );
    shim.close();
    bed.finish();
}

/// A change of the file is read without a word from anybody.
#[test]
fn a_changed_file_is_read() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let mut hosts = || shim.call("list_hosts", json!({})).expect("a list").to_string();
    assert!(!hosts().contains("fresh"));
    bed.append(".ssh/config", "Host fresh\n HostName 127.0.0.1\n");
    eventually("the alias is known", || hosts().contains("fresh"));
    let config = bed.home().join(".config/sshmcp/config.toml");
    fs::create_dir_all(config.parent().expect("a directory")).expect("a directory");
    fs::write(&config, "[connections.newer]\nhost = \"127.0.0.1\"\n").expect("a file");
    eventually("the connection is known", || hosts().contains("newer"));
    shim.close();
    bed.finish();
}

/// Another process is meant: no sign of life goes to a watchdog that does not wait for us.
#[test]
fn anothers_watchdog_is_left_alone() {
    let bed = TestBed::new();
    let mut manager = Manager::new(&bed);
    let mut child = bed
        .program("sshmcpd")
        .env("NOTIFY_SOCKET", bed.path("notify"))
        .env("WATCHDOG_USEC", "1000")
        .env("WATCHDOG_PID", "1")
        .stderr(Stdio::null())
        .spawn()
        .expect("sshmcpd runs");
    manager.hears("READY=1");
    process(&child).signal(Signal::HUP);
    manager.hears("READY=1");
    process(&child).signal(Signal::TERM);
    manager.hears("STOPPING=1");
    assert!(patient::end(&mut child).success());
    assert!(!manager.told.concat().contains("WATCHDOG"), "{:?}", manager.told);
    bed.finish();
}

/// The manager's socket is used as it is handed over, clients that came before the daemon are served, and it outlives the
/// daemon however that ends: the next client gets the next daemon.
#[test]
fn a_socket_is_handed_over() {
    let bed = TestBed::new();
    let path = bed.home().join(SOCKET);
    let activator = bed.path("activator.py");
    fs::write(&activator, include_str!("services/activator.py")).expect("a file");
    let mut manager = bed
        .tool("env")
        .arg("python3")
        .arg(&activator)
        .arg(&path)
        .arg(bed.program("sshmcpd").get_program())
        .arg("3")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("env runs");
    let mut line = String::new();
    let mut said = BufReader::new(Patient::new(manager.stdout.take().expect("piped")));
    said.read_line(&mut line).expect("it listens");
    let inode = path.metadata().expect("a socket").ino();
    let mut pids = BTreeSet::new();
    for end in [Signal::KILL, Signal::TERM, Signal::INT] {
        // Somebody holds the lock of the last one for a moment yet: that its socket accepts connections means nothing.
        let lock_path = path.with_extension("sock.lock");
        let lock = fs::File::open(&lock_path).ok();
        if let Some(lock) = &lock {
            eventually("it is free", || {
                flock(lock, FlockOperation::NonBlockingLockShared).is_ok()
            });
        }
        let mut listing = bed.program("sshctl");
        listing.args(["sessions", "--json"]).stdout(Stdio::piped());
        let listing = listing.spawn().expect("sshctl runs");
        eventually("it is started", || {
            let files = bed.daemons().first().map(Process::open_files);
            files.is_some_and(|files| files.contains(&lock_path))
        });
        // One that gave up would be gone, and could not be started once more.
        within(Duration::from_millis(200), || None::<()>);
        drop(lock);
        let listed = patient::output(listing);
        assert!(listed.status.success(), "{listed:?}");
        let daemons = bed.daemons();
        let [daemon] = daemons.as_slice() else {
            panic!("{daemons:#?}");
        };
        pids.insert(daemon.pid);
        if end == Signal::INT {
            // It does not start the next one by looking whether this one has ended.
            let stopped = bed.ctl(&["daemon", "stop"]);
            assert!(stopped.status.success(), "{stopped:?}");
        } else {
            daemon.signal(end);
        }
        eventually("it has ended", || !daemon.lives());
        assert_eq!(path.metadata().expect("it is the manager's").ino(), inode);
    }
    assert_eq!(pids.len(), 3, "{pids:?}");
    assert!(patient::end(&mut manager).success());
    bed.finish();
}
