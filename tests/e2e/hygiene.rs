//! Nothing of ours stays on a host: no directory, no helper, however a session ends.

mod traces;

use std::{collections::BTreeSet, path::PathBuf};

use rustix::process::Signal;
use serde_json::json;
use sshmcp_tests::{Shell, Shim, TestBed, eventually, process::Process, trace};

/// The processes of this bed on its hosts: all but the daemon and its clients.
fn on_hosts(bed: &TestBed) -> Vec<Process> {
    let mut all = bed.processes();
    all.retain(|process| !matches!(&*process.name, "sshmcpd" | "mcp-ssh" | "sshctl"));
    all
}

/// Our directories that this bed's sessions have something of open; other stories use the same host users.
fn directories(bed: &TestBed) -> BTreeSet<PathBuf> {
    let users = Shell::ALL.map(|shell| bed.user(shell).clone());
    let open: Vec<PathBuf> = on_hosts(bed).iter().flat_map(Process::open_files).collect();
    let mut all = trace::directories(&users);
    all.retain(|directory| open.iter().any(|file| file.starts_with(directory)));
    all
}

/// Sessions in every shell, each with a command behind it and one of them in the middle of a command.
fn work(bed: &TestBed, shim: &mut Shim) -> BTreeSet<PathBuf> {
    for shell in Shell::ALL {
        let outcome = shim.run(shell.host(), "cd /usr; echo out; echo err >&2");
        assert_eq!(outcome.exit_code, Some(0), "{outcome:?}");
    }
    let running = json!({"host": "bash", "session": "running", "command": "true"});
    shim.execute(running).expect("it opens");
    let running = json!({"session": "running", "command": "sleep 300 | cat", "timeout": 0.2});
    assert_eq!(shim.execute(running).expect("it begins").status, "running");
    let made = directories(bed);
    assert!(!made.is_empty(), "sessions have a directory each while they live");
    made
}

fn all_gone(bed: &TestBed, made: &BTreeSet<PathBuf>) {
    eventually("no directory of ours is left", || {
        !made.iter().any(|path| path.exists())
    });
    eventually(&format!("no process is left: {:#?}", on_hosts(bed)), || {
        on_hosts(bed).is_empty()
    });
}

/// Closing is the common way.
#[test]
fn closed_sessions_leave_nothing() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let made = work(&bed, &mut shim);
    shim.call("close_session", json!({"all": true})).expect("closed");
    eventually("no directory of ours is left", || {
        !made.iter().any(|path| path.exists())
    });
    // The connection may stay for the next session, but nothing runs there.
    eventually("no process is left", || {
        on_hosts(&bed).iter().all(Process::is_sshd)
    });
    shim.close();
    bed.finish();
}

/// A daemon that is killed cannot clean up: the hosts do it when the connection ends.
#[test]
fn a_killed_daemon_leaves_nothing() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let made = work(&bed, &mut shim);
    for daemon in bed.daemons() {
        daemon.signal(Signal::KILL);
    }
    all_gone(&bed, &made);
    shim.close();
    bed.finish();
}

/// The same when the connection dies from the host's side, in mid-command.
#[test]
fn a_cut_connection_leaves_nothing() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let made = work(&bed, &mut shim);
    for sshd in bed.sshds() {
        sshd.cut_connections();
    }
    eventually("no directory of ours is left", || {
        !made.iter().any(|path| path.exists())
    });
    eventually(&format!("no process is left: {:#?}", on_hosts(&bed)), || {
        on_hosts(&bed).is_empty()
    });
    shim.close();
    bed.finish();
}

/// Shells that end by themselves: `exit`, `exec`, and a shell that is killed.
#[test]
fn a_shell_that_ends_leaves_nothing() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        for (command, code) in [("exit 3", 3), ("exec true", 0), ("kill -9 $$", 137)] {
            shim.run(shell.host(), "true");
            let made = directories(&bed);
            let ended = shim.run(shell.host(), command);
            assert_eq!(ended.exit_code, Some(code), "{shell:?} {command}: {ended:?}");
            eventually("no directory of ours is left", || {
                !made.iter().any(|path| path.exists())
            });
        }
        eventually("no process is left", || {
            on_hosts(&bed).iter().all(Process::is_sshd)
        });
    }
    shim.close();
    bed.finish();
}

/// The helpers of this bed's sessions: the shells that sshd started for us. What they forked looks alike.
fn helpers(bed: &TestBed) -> Vec<Process> {
    let mut found = on_hosts(bed);
    found.retain(|process| {
        let parent = Process::read(process.parent);
        process.line.contains("!R\\037") && parent.is_some_and(|parent| parent.is_sshd())
    });
    found
}

/// A helper that is killed cannot remove its directory. The daemon does it over the same connection, says what became of
/// the command that ran, and opens the session anew.
#[test]
fn a_killed_helper_leaves_nothing() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let made = work(&bed, &mut shim);
    let killed = helpers(&bed);
    assert_eq!(killed.len(), made.len(), "{killed:#?}");
    for helper in killed {
        helper.signal(Signal::KILL);
    }
    eventually("no directory of ours is left", || {
        !made.iter().any(|path| path.exists())
    });
    eventually(&format!("no process is left: {:#?}", on_hosts(&bed)), || {
        on_hosts(&bed).iter().all(Process::is_sshd)
    });
    let again = shim.run("bash", "pwd");
    assert_eq!(again.stdout, "/usr\n", "{again:?}");
    assert!(
        again
            .notice
            .contains("because the session's helper on the host was ended"),
        "{again:?}"
    );
    shim.close();
    bed.finish();
}

/// Where helper, connection and daemon are killed together nobody can clear away. The next session of the user on that
/// host does; a living session's directory is left alone.
#[test]
fn what_was_left_is_swept_by_the_next_session() {
    let living = TestBed::new();
    let mut other = living.shim();
    let kept = work(&living, &mut other);
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let made = work(&bed, &mut shim);
    for daemon in bed.daemons() {
        daemon.signal(Signal::STOP);
    }
    let killed = helpers(&bed);
    assert_eq!(killed.len(), made.len(), "{killed:#?}");
    for helper in killed {
        helper.signal(Signal::KILL);
    }
    assert!(made.iter().all(|path| path.exists()), "nobody could remove them");
    for sshd in bed.sshds() {
        sshd.cut_connections();
    }
    for daemon in bed.daemons() {
        daemon.signal(Signal::KILL);
    }
    eventually("the daemon is gone", || bed.daemons().is_empty());
    for shell in Shell::ALL {
        assert_eq!(shim.run(shell.host(), "echo new").stdout, "new\n");
    }
    eventually("no directory of ours is left", || {
        !made.iter().any(|path| path.exists())
    });
    assert!(
        kept.iter().all(|path| path.exists()),
        "a living session lost its own"
    );
    for shell in Shell::ALL {
        assert_eq!(other.run(shell.host(), "pwd").stdout, "/usr\n", "{shell:?}");
    }
    shim.close();
    other.close();
    bed.finish();
    living.finish();
}
