//! The laptop's lid: everything stops, and goes on as if no time had passed. `SSHMCP_LONG=1` keeps it shut for a minute.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use sshmcp_tests::{Outcome, eventually};

use super::{Far, HOST, begin, is_long, numbered, pass, say};

/// Sessions are usable in this time.
const USABLE: Duration = Duration::from_secs(5);

/// Daemon, shim, sshd and shells are stopped for longer than a dead peer is given, and continued: nobody is dead, the
/// command goes on, and the session is usable at once.
#[test]
fn everything_stops_and_goes_on() {
    let (lines, stopped) = if is_long() {
        ("", Duration::from_secs(60))
    } else {
        // Dead after 3 s of silence, if it were the far side's.
        (
            " ServerAliveInterval 1\n ServerAliveCountMax 2\n",
            Duration::from_secs(4),
        )
    };
    let sockets = tempfile::tempdir().expect("a directory");
    let far = Far::keeping(lines, sockets.path());
    let mut shim = far.bed.shim();
    shim.run(HOST, "cd /usr; kept=variable");
    let opened = json!({"host": HOST, "session": "kept", "keeper": "remote-tmux"});
    shim.call("open_session", opened).expect("another session");
    let second = json!({"session": "kept", "command": "true"});
    let call = begin(&mut shim, 20);
    let mut all = far.bed.processes();
    all.extend(far.bed.sshds().iter().flat_map(|sshd| sshd.serving()));
    for process in &all {
        process.signal(Signal::STOP);
    }
    pass(stopped);
    for process in all.iter().rev() {
        process.signal(Signal::CONT);
    }
    let opened = Instant::now();
    let mut other = far.bed.shim();
    let listed = other.call("list_sessions", json!({})).expect("a list");
    assert_eq!(listed["sessions"][0]["state"], "busy", "{listed}");
    let used = other.execute(second).expect("it is usable");
    assert_eq!((used.exit_code, &*used.notice), (Some(0), ""), "{used:?}");
    let usable = opened.elapsed();
    say(&format!("usable {usable:?} after {stopped:?}"));
    assert!(usable < USABLE, "{usable:?}");
    let mut outcome = Outcome::read(shim.finish_call(call).expect("a result"));
    if outcome.status == "running" {
        // The call's own time is over, which went on meanwhile.
        outcome = shim.wait_for(&outcome.id);
    }
    assert_eq!(
        (&*outcome.status, outcome.exit_code, &*outcome.stdout),
        ("completed", Some(7), &*numbered(20)),
        "{outcome:?}"
    );
    let after = shim.run(HOST, "echo $PWD $kept");
    assert_eq!((&*after.stdout, &*after.notice), ("/usr variable\n", ""));
    eventually("it is at rest", || super::state(&mut shim) == "ready");
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    other.close();
    far.finish();
}
