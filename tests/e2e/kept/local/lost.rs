//! The client in the pane ends, or its link does: the session is as one of the daemon's then, and says why.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use sshmcp_tests::{Shell, eventually, process::Process, wait::within};

use super::{
    super::{is_long, state},
    Local,
};

/// Its client is killed, its connection is cut, its tmux is ended: what ran is lost, never run again, and the next use opens
/// a new shell in the same directory.
#[test]
fn its_client_ends() {
    let local = Local::new();
    let mut shim = local.bed.shim();
    Local::open(&mut shim, Shell::Bash);
    let ends: [(&str, &str, &dyn Fn()); 3] = [
        ("killed", "ssh was ended by signal 9", &|| {
            let pane = local.tmux("bash", &["list-panes", "-F", "#{pane_pid}"]);
            let below = Process::below(pane.trim().parse().expect("a process"));
            let ssh = below.iter().find(|process| process.name == "ssh").expect("ssh");
            ssh.signal(Signal::KILL);
        }),
        ("cut", "ssh ended with code 255", &|| {
            for sshd in local.bed.sshds() {
                sshd.cut_connections();
            }
        }),
        ("ended", "was ended", &|| {
            local.tmux("bash", &["kill-server"]);
        }),
    ];
    for (what, words, end) in ends {
        shim.run("bash", "cd /usr; variable=kept");
        let call = json!({"host": "bash", "command": "echo begun; sleep 300", "timeout": 1});
        let begun = shim.execute(call).expect("it runs");
        assert_eq!(begun.status, "running", "{what}: {begun:?}");
        end();
        let lost = shim.wait_for(&begun.id);
        assert_eq!(
            (&*lost.status, lost.exit_code),
            ("lost", None),
            "{what}: {lost:?}"
        );
        eventually("it is without a shell", || {
            state(&mut shim, "bash") == "disconnected"
        });
        let next = shim.run("bash", "pwd; echo \"[$variable]\"");
        assert_eq!(next.stdout, "/usr\n[]\n", "{what}: {next:?}");
        let notice = next.object["notice"].as_str().unwrap_or_default();
        assert!(notice.contains("opened again"), "{what}: {notice}");
        assert!(notice.contains(words), "{what}: {notice}");
    }
    local.finish(shim);
}

/// A host that is silent is seen to be dead before 45 s are over.
#[test]
fn a_silent_host() {
    if !is_long() {
        return;
    }
    let local = Local::new();
    let mut shim = local.bed.shim();
    Local::open(&mut shim, Shell::Bash);
    shim.run("bash", "cd /usr");
    let serving = local.bed.sshd().serving();
    let since = Instant::now();
    for process in &serving {
        process.signal(Signal::STOP);
    }
    let seen = within(Duration::from_secs(45), || {
        (state(&mut shim, "bash") == "disconnected").then_some(())
    });
    for process in &serving {
        process.signal(Signal::CONT);
    }
    assert!(seen.is_some(), "not after {:?}", since.elapsed());
    assert_eq!(shim.run("bash", "pwd").stdout, "/usr\n");
    local.finish(shim);
}
