//! Sessions of which nothing is remembered: the next use of their host finds them there, those of the same state directory
//! and no others.

use std::fs;

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, eventually};

use super::{Kept, restarts::kill_daemon, saved::state_dir, state};

/// The daemon dies, and with it goes what is below these names in its state directory.
fn forget(kept: &Kept, names: &[&str]) {
    kill_daemon(&kept.bed);
    for name in names {
        fs::remove_dir_all(state_dir(&kept.bed).join(name)).expect("it was there");
    }
}

fn names(shim: &mut Shim) -> Vec<String> {
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    let sessions = listed["sessions"].as_array().expect("a list").iter();
    let name = |one: &Value| one["session"].as_str().expect("a name").to_owned();
    sessions.map(name).collect()
}

/// All sessions of a host are there again under their names, the one that is wanted at once, with what runs in them.
#[test]
fn on_the_next_use_of_the_host() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    kept.open(&mut shim, Shell::Dash);
    let other = json!({"host": "bash", "session": "other", "keeper": "remote-tmux"});
    shim.call("open_session", other).expect("it opens");
    shim.run("bash", "variable=kept; cd /usr");
    shim.run("dash", "variable=dashing");
    let count = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.2; done; sh -c 'exit 5'";
    let begun = json!({"session": "other", "command": count, "timeout": 0.5});
    let begun = shim.execute(begun).expect("it runs");
    forget(&kept, &["state"]);
    drop(shim);

    let mut shim = kept.bed.shim();
    assert_eq!(names(&mut shim), Vec::<String>::new());
    let next = shim.run("bash", "echo $variable; pwd");
    assert_eq!(next.stdout, "kept\n/usr\n", "{next:?}");
    for word in ["was lost", "was found on the host"] {
        assert!(next.notice.contains(word), "{word}: {next:?}");
    }
    eventually("the other is there", || names(&mut shim) == ["bash", "other"]);
    let ended = shim.wait_for(&begun.id);
    assert_eq!(
        (ended.exit_code, &*ended.stdout),
        (Some(5), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"),
        "{ended:?}"
    );
    let next = shim.execute(json!({"session": "other", "command": "echo next"}));
    assert_eq!(next.expect("it runs").stdout, "next\n");
    assert_eq!(shim.run("dash", "echo $variable").stdout, "dashing\n");
    // They are remembered again.
    kill_daemon(&kept.bed);
    drop(shim);
    let mut shim = kept.bed.shim();
    assert_eq!(names(&mut shim), ["bash", "dash", "other"]);
    assert_eq!(shim.run("bash", "echo $variable").stdout, "kept\n");
    kept.finish(shim, &[Shell::Bash, Shell::Dash]);
}

/// The state directory as a whole is gone: what is on hosts is found as ours all the same.
#[test]
fn without_the_state_directory() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    shim.run("bash", "variable=kept; cd /usr");
    kill_daemon(&kept.bed);
    drop(shim);
    fs::remove_dir_all(state_dir(&kept.bed)).expect("it was there");
    let mut shim = kept.bed.shim();
    let next = shim.run("bash", "echo $variable; pwd");
    assert_eq!(next.stdout, "kept\n/usr\n", "{next:?}");
    kept.finish(shim, &[Shell::Bash]);
}

/// Another daemon's are left alone; a name that is taken by now stays with who has it; and what runs there unknown to
/// anybody is in nobody's way but its own session's.
#[test]
fn whose_and_what_is_not_known() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    let work = json!({"host": "bash", "session": "work", "keeper": "remote-tmux"});
    shim.call("open_session", work).expect("it opens");
    let file = kept.bed.scratch(Shell::Bash).join("go");
    let command = format!(
        "variable=kept; until [ -e {} ]; do sleep 0.1; done",
        file.display()
    );
    let begun = json!({"session": "work", "command": command, "timeout": 0.5});
    assert_eq!(shim.execute(begun).expect("it runs").status, "running");
    forget(&kept, &["state", "spool"]);
    drop(shim);

    let mut stranger = kept.bed.program("mcp-ssh");
    stranger
        .env("SSHMCP_STATE_DIR", kept.bed.home().join("elsewhere"))
        .env("SSHMCP_SOCKET", kept.bed.home().join("socket"));
    let mut stranger = Shim::start(stranger);
    assert_eq!(stranger.run("bash", "echo hers").stdout, "hers\n");
    assert_eq!(names(&mut stranger), ["bash"]);
    drop(stranger);
    kill_daemon(&kept.bed);

    let mut shim = kept.bed.shim();
    let taken = json!({"host": "dash", "session": "work"});
    shim.call("open_session", taken).expect("it opens");
    assert_eq!(shim.run("bash", "echo mine").stdout, "mine\n");
    eventually("what runs there is seen", || state(&mut shim, "work-2") == "busy");
    let refused = json!({"session": "work-2", "command": "echo too soon", "timeout": 0.3});
    let refused = shim.execute(refused).expect_err("it is busy");
    assert_eq!(refused.code, "session_busy", "{refused:?}");
    fs::write(&file, "").expect("written");
    eventually("it has ended", || state(&mut shim, "work-2") == "ready");
    let next = json!({"session": "work-2", "command": "echo $variable"});
    assert_eq!(shim.execute(next).expect("it runs").stdout, "kept\n");
    kept.finish(shim, &[Shell::Bash]);
}
