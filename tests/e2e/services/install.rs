//! `sshctl install` and `uninstall`: what they put in place is right by the service manager's own tools, and nothing else is
//! touched.

mod archives;
mod asked;
mod clients;
mod copies;
mod mended;
mod pages;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use sshmcp_tests::{Shim, TestBed, eventually, program::tool};

use crate::clients::workspace;

/// Where units go below the home.
const UNITS: &str = ".config/systemd/user";

/// A user manager of the test's own: it answers, and writes down what it is told.
const SYSTEMCTL: &str = "#!/bin/sh\necho \"$*\" >> \"$HOME/orders\"\n[ ! -e \"$HOME/broken\" ] || { echo 'it is broken' >&2; exit 1; }\n";

/// A home in which things are installed.
struct Desk {
    bed: TestBed,
    /// Goes before the system's own programs.
    tools: PathBuf,
}

impl Desk {
    fn new(systemctl: &str) -> Self {
        let bed = TestBed::new();
        let tools = bed.path("tools");
        fs::create_dir(&tools).expect("a directory");
        let program = tools.join("systemctl");
        fs::write(&program, systemctl).expect("a file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("chmod");
        // All three are there.
        bed.program("mcp-ssh");
        Self { bed, tools }
    }

    /// Where our programs are: a directory of PATH, so that they stay there.
    fn programs(&self) -> PathBuf {
        let program = self.bed.program("sshctl");
        let path = Path::new(program.get_program());
        path.parent().expect("a directory").to_owned()
    }

    fn ctl(&self, arguments: &[&str]) -> Output {
        self.ctl_with(arguments, &[&self.programs()])
    }

    /// With a PATH that has these directories, too.
    fn ctl_with(&self, arguments: &[&str], directories: &[&Path]) -> Output {
        let own: String = directories
            .iter()
            .map(|directory| format!("{}:", directory.display()))
            .collect();
        let path = format!("{}:{own}/usr/bin:/bin", self.tools.display());
        let output = self
            .bed
            .program("sshctl")
            .args(arguments)
            .env("PATH", path)
            .output();
        output.expect("sshctl runs")
    }

    /// The outcome of each step.
    fn steps(&self, arguments: &[&str]) -> Vec<(String, String)> {
        Self::told(&self.ctl(arguments))
    }

    fn told(output: &Output) -> Vec<(String, String)> {
        assert!(output.status.success(), "{output:?}");
        let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let steps = value["steps"].as_array().expect("a list");
        let word = |step: &Value, key: &str| step[key].as_str().expect("a word").to_owned();
        steps
            .iter()
            .map(|step| (word(step, "step"), word(step, "outcome")))
            .collect()
    }

    fn orders(&self) -> Vec<String> {
        let text = fs::read_to_string(self.bed.home().join("orders")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Every file of the home but what the daemon and the fake manager write, with its content.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.bed.home().to_owned()];
        while let Some(directory) = open.pop() {
            found.insert(directory.clone(), Vec::new());
            for entry in fs::read_dir(&directory).expect("a directory").flatten() {
                let path = entry.path();
                if path.ends_with("orders") || path.ends_with(".local") {
                    continue;
                }
                if path.is_dir() {
                    open.push(path);
                } else {
                    let text = fs::read(&path).unwrap_or_default();
                    found.insert(path, text);
                }
            }
        }
        found
    }
}

fn outcomes(steps: &[(String, String)]) -> Vec<&str> {
    steps.iter().map(|(_, outcome)| outcome.as_str()).collect()
}

/// What systemd says of these units; nothing where all is well.
fn verify(units: &[PathBuf], home: &Path) -> String {
    let runtime = home.join("runtime");
    fs::create_dir_all(&runtime).expect("a directory");
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).expect("chmod");
    let output = Command::new(tool("systemd-analyze"))
        .args(["--user", "verify"])
        .args(units)
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", &runtime)
        .output()
        .expect("systemd-analyze runs");
    fs::remove_dir_all(&runtime).ok();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // It tells of the system's units, too.
    said.lines().filter(|line| line.contains("sshmcpd")).collect()
}

/// What a daemon holds for life is free a moment before its process is gone.
fn has_ended(desk: &Desk) {
    eventually("the daemon has ended", || desk.bed.daemons().is_empty());
}

/// Shown first, then done, then nothing left to do; enabled and started; and undone to the last directory.
#[test]
fn installed_and_undone() {
    let desk = Desk::new(SYSTEMCTL);
    let before = desk.files();
    let planned = desk.steps(&["install", "--json"]);
    assert_eq!(outcomes(&planned), ["planned"; 5], "{planned:?}");
    assert_eq!(desk.files(), before, "only shown");
    assert_eq!(desk.orders(), ["--user show-environment"]);
    let refused = desk.ctl(&["install"]);
    assert!(
        !refused.status.success(),
        "there is no person to say yes: {refused:?}"
    );
    assert_eq!(desk.files(), before);

    fs::remove_file(desk.bed.home().join("orders")).expect("a file");
    let done = desk.steps(&["install", "--yes", "--json"]);
    assert_eq!(outcomes(&done), ["done"; 5], "{done:?}");
    let enabled = [
        "--user show-environment",
        "--user daemon-reload",
        "--user enable sshmcpd.socket",
        "--user start sshmcpd.socket",
    ];
    assert_eq!(desk.orders(), enabled);
    let units = ["sshmcpd.service", "sshmcpd.socket"].map(|name| desk.bed.home().join(UNITS).join(name));
    assert_eq!(verify(&units, desk.bed.home()), "");
    let [service, socket] = units.map(|unit| fs::read_to_string(unit).expect("a unit"));
    let daemon = desk.bed.program("sshmcpd");
    let line = format!(
        "ExecStart={} --started-by systemd\n",
        daemon.get_program().display()
    );
    assert!(service.contains(&line), "{service}");
    let home = desk.bed.home().display();
    let line = format!("ListenStream={home}/.local/state/sshmcp/sshmcpd.sock\n");
    assert!(socket.contains(&line), "{socket}");

    let again = desk.steps(&["install", "--yes", "--json"]);
    assert_eq!(outcomes(&again)[..2], ["already"; 2], "{again:?}");
    let undone = desk.steps(&["uninstall", "--yes", "--json"]);
    assert!(
        outcomes(&undone).iter().all(|outcome| *outcome == "done"),
        "{undone:?}"
    );
    assert_eq!(desk.files(), before);
    let orders = desk.orders();
    assert!(
        orders.contains(&"--user disable sshmcpd.socket".to_owned()),
        "{orders:?}"
    );
    let nothing = desk.ctl(&["uninstall", "--yes"]);
    assert_eq!(nothing.status.code(), Some(80), "{nothing:?}");
    desk.bed.finish();
}

/// Where no user manager answers, the files are there all the same, and what is left to do is said; and taken away again.
#[test]
fn without_a_user_manager() {
    let desk = Desk::new("#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n");
    let before = desk.files();
    let done = desk.steps(&["install", "--yes", "--json"]);
    assert_eq!(
        outcomes(&done),
        ["done", "done", "left", "left", "left"],
        "{done:?}"
    );
    let told = desk.ctl(&["install", "--yes"]);
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(stderr.contains("No medium found"), "{stderr}");
    let undone = desk.steps(&["uninstall", "--yes", "--json"]);
    assert_eq!(outcomes(&undone), ["done", "done"], "{undone:?}");
    assert_eq!(desk.files(), before);
    desk.bed.finish();
}

/// A unit that somebody wrote is not overwritten, and one that was changed since is not removed.
#[test]
fn what_is_not_ours_stays() {
    let desk = Desk::new(SYSTEMCTL);
    let units = desk.bed.home().join(UNITS);
    let made = desk.steps(&["install", "--yes", "--json"]);
    assert_eq!(outcomes(&made), ["done"; 5], "{made:?}");
    let service = units.join("sshmcpd.service");
    let edited = fs::read_to_string(&service).expect("a unit") + "# mine\n";
    fs::write(&service, &edited).expect("a file");
    let refused = desk.ctl(&["install", "--yes"]);
    assert_eq!(refused.status.code(), Some(82), "{refused:?}");
    let undone = desk.steps(&["uninstall", "--yes", "--json"]);
    assert!(
        undone
            .iter()
            .any(|(step, outcome)| step.contains("sshmcpd.service") && outcome == "left"),
        "{undone:?}"
    );
    assert_eq!(fs::read_to_string(&service).expect("still there"), edited);
    assert!(!units.join("sshmcpd.socket").exists());
    desk.bed.finish();
}

/// A daemon with sessions is in nobody's way and nobody's victim: the units are there, and it goes on. Without sessions it
/// makes room.
#[test]
fn sessions_are_not_ended_by_it() {
    let desk = Desk::new(SYSTEMCTL);
    let mut shim: Shim = desk.bed.shim();
    shim.run("bash", "cd /usr");
    let daemons = desk.bed.daemons();
    let done = desk.steps(&["install", "--yes", "--json"]);
    assert_eq!(
        outcomes(&done),
        ["done", "done", "done", "done", "left"],
        "{done:?}"
    );
    assert_eq!(desk.bed.daemons(), daemons);
    assert_eq!(shim.run("bash", "pwd").stdout, "/usr\n");
    shim.call("close_session", serde_json::json!({"all": true}))
        .expect("closed");
    let done = desk.steps(&["install", "--yes", "--json"]);
    assert!(
        done.iter()
            .any(|(step, outcome)| step.starts_with("stop the daemon") && outcome == "done"),
        "{done:?}"
    );
    has_ended(&desk);
    // A daemon with sessions goes on when its units are gone; one without them ends.
    shim.run("bash", "cd /usr");
    let daemons = desk.bed.daemons();
    desk.steps(&["uninstall", "--yes", "--json"]);
    assert_eq!(desk.bed.daemons(), daemons);
    assert_eq!(shim.run("bash", "pwd").stdout, "/usr\n");
    desk.steps(&["install", "--yes", "--json"]);
    shim.call("close_session", serde_json::json!({"all": true}))
        .expect("closed");
    let log = desk.bed.home().join(".local/state/sshmcp/logs/bash.log");
    let shown = fs::read(&log).expect("a transcript");
    let undone = desk.ctl(&["uninstall", "--yes", "--json"]);
    let told = Desk::told(&undone);
    assert!(
        told.iter()
            .any(|(step, outcome)| step.starts_with("stop the daemon") && outcome == "done"),
        "{told:?}"
    );
    has_ended(&desk);
    // What its sessions showed is a person's, and how it goes is said.
    assert_eq!(fs::read(&log).expect("it stays"), shown);
    let why = String::from_utf8_lossy(&undone.stdout).into_owned();
    assert!(why.contains("sshctl uninstall --purge"), "{why}");
    desk.steps(&["uninstall", "--yes", "--json", "--purge"]);
    assert!(!desk.bed.home().join(".local/state").exists());
    shim.close();
    desk.bed.finish();
}

/// An order that fails is told in the manager's words, by a code, and what hangs on it is left.
#[test]
fn a_failed_order_is_told() {
    let broken = SYSTEMCTL.replace("[ ! -e \"$HOME/broken\" ]", "[ \"$2\" != enable ]");
    let desk = Desk::new(&broken);
    let output = desk.ctl(&["install", "--yes"]);
    assert_eq!(output.status.code(), Some(70), "{output:?}");
    let (said, noted) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        said.contains("failed") && noted.contains("it is broken"),
        "{said}{noted}"
    );
    desk.bed.finish();
}

/// The repository's own units, and its property list with keys and types as launchd.plist(5) has them.
#[test]
fn the_templates_are_right() {
    let root = workspace();
    let list = root.join("launchd/org.sshmcp.sshmcpd.plist");
    let script = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let output = Command::new(tool("python3"))
        .args(["-c", script])
        .arg(&list)
        .output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{output:?}");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let keys = value.as_object().expect("a dictionary");
    for (key, value) in keys {
        let right = match key.as_str() {
            "Label" | "ProcessType" => value.is_string(),
            "ProgramArguments" => value
                .as_array()
                .is_some_and(|words| words.iter().all(Value::is_string)),
            "RunAtLoad" | "AbandonProcessGroup" => value.is_boolean(),
            "KeepAlive" => value.is_boolean() || value["SuccessfulExit"].is_boolean(),
            "Sockets" => value.as_object().is_some_and(|sockets| {
                sockets
                    .values()
                    .all(|socket| socket["SockPathName"].is_string() && socket["SockPathMode"].is_u64())
            }),
            "ThrottleInterval" | "ExitTimeOut" | "Umask" => value.is_u64(),
            "SoftResourceLimits" => value
                .as_object()
                .is_some_and(|limits| limits.values().all(Value::is_u64)),
            _ => false,
        };
        assert!(right, "{key}: {value}");
    }
    assert_eq!(value["Label"], "org.sshmcp.sshmcpd");
    assert_eq!(
        list.file_stem().and_then(|name| name.to_str()),
        value["Label"].as_str()
    );
    assert_eq!(value["AbandonProcessGroup"], true, "tmux outlives the daemon");
    assert_eq!(value["Umask"], 0o077);
    let socket = &value["Sockets"]["Listener"];
    assert_eq!(
        socket["SockPathName"],
        "/Users/YOU/.local/state/sshmcp/sshmcpd.sock"
    );
    assert_eq!(socket["SockPathMode"], 0o600);
    let service = fs::read_to_string(root.join("systemd/sshmcpd.service")).expect("a unit");
    for line in [
        "Type=notify",
        "KillMode=process",
        "WatchdogSec=180",
        "ExecReload=/bin/kill -HUP $MAINPID",
    ] {
        assert!(service.lines().any(|one| one == line), "{line}");
    }
    assert!(
        !service
            .lines()
            .any(|line| line.starts_with("NoNewPrivileges") || line.starts_with("Private"))
    );
}
