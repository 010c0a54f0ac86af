//! What the daemon remembers of kept sessions: also from damaged state, and from a disk that took nothing for a while, the
//! next one has them with their commands and cursors.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, TestBed, eventually};
use sshmcpd::state::Store;

use super::{Kept, restarts::kill_daemon};

pub(super) fn state_dir(bed: &TestBed) -> PathBuf {
    bed.home().join(".local/state/sshmcp")
}

fn state_problems(bed: &TestBed) -> String {
    let told = bed.ctl(&["status", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    told["state_problems"].to_string()
}

/// What the terminal showed since a cursor, and where that ends.
fn since(shim: &mut Shim, cursor: u64) -> (String, u64) {
    let arguments = json!({"session": "bash", "cursor": cursor});
    let shown = shim.call("get_terminal_output", arguments).expect("a terminal");
    let text = shown["text"].as_str().expect("text").to_owned();
    (text, shown["cursor"].as_u64().expect("a cursor"))
}

/// The state's file is damaged: the generation before it has the session as well, and that is told.
#[test]
fn the_generation_before() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    for directory in ["/usr", "/var"] {
        shim.run("bash", &format!("variable=kept; cd {directory}"));
        eventually("it is saved", || {
            let (_, loaded) = Store::open(&state_dir(&kept.bed));
            loaded
                .sessions
                .iter()
                .any(|one| one.cwd == directory && one.is_kept())
        });
    }
    kill_daemon(&kept.bed);
    drop(shim);
    let current = state_dir(&kept.bed).join("state/current.json");
    if !current.exists() {
        // Killed between the two renames of a save: this one was about to come.
        fs::rename(state_dir(&kept.bed).join("state/current.json.new"), &current).expect("it is whole");
    }
    let whole = fs::read(&current).expect("it is there");
    fs::write(&current, whole.split_at(whole.len() / 2).0).expect("written");

    let mut shim = kept.bed.shim();
    let next = shim.run("bash", "echo $variable; pwd");
    assert_eq!(next.stdout, "kept\n/var\n", "{next:?}");
    let told = state_problems(&kept.bed);
    for word in ["was damaged", "current.json.damaged-", "the state as it was at"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    kept.finish(shim, &[Shell::Bash]);
}

/// Both generations are damaged: the session is still found, and one that was closed does not come back.
#[test]
fn no_generation() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    kept.open(&mut shim, Shell::Dash);
    shim.run("bash", "variable=kept; cd /usr");
    shim.call("close_session", json!({"session": "dash"}))
        .expect("closed");
    eventually("it is saved", || {
        let (_, loaded) = Store::open(&state_dir(&kept.bed));
        matches!(loaded.sessions.as_slice(), [one] if one.name == "bash" && one.cwd == "/usr" && one.is_kept())
    });
    kill_daemon(&kept.bed);
    drop(shim);
    for name in ["current.json", "previous.json"] {
        fs::write(state_dir(&kept.bed).join("state").join(name), "nothing").expect("written");
    }
    let mut shim = kept.bed.shim();
    let list = shim.call("list_sessions", json!({})).expect("a list");
    let sessions = list["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), 1, "{list}");
    let next = shim.run("bash", "echo $variable; pwd");
    assert_eq!(next.stdout, "kept\n/usr\n", "{next:?}");
    assert!(state_problems(&kept.bed).contains("from files of their own"));
    kept.finish(shim, &[Shell::Bash, Shell::Dash]);
}

/// A cursor means the same afterwards: what was shown before it is not told again, what came behind it is.
#[test]
fn cursors() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    shim.run("bash", "echo ear''lier");
    let (_, before) = since(&mut shim, 0);
    shim.run("bash", "echo be''tween");
    let (shown, between) = since(&mut shim, before);
    assert!(shown.contains("between") && !shown.contains("earlier"), "{shown}");
    kill_daemon(&kept.bed);
    drop(shim);

    let mut shim = kept.bed.shim();
    let (again, _) = since(&mut shim, before);
    assert!(again.contains("between") && !again.contains("earlier"), "{again}");
    shim.run("bash", "echo la''ter");
    let (shown, last) = since(&mut shim, between);
    assert!(shown.contains("later") && !shown.contains("earlier"), "{shown}");
    assert!(last > between, "{last} after {between}");
    kept.finish(shim, &[Shell::Bash]);
}

/// While nothing can be written commands run all the same, and are told as not kept; once it can, they are written, and the
/// next daemon has them.
#[test]
fn a_disk_that_takes_nothing() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    shim.run("bash", "true");
    let places = ["state", "spool"].map(|name| state_dir(&kept.bed).join(name));
    eventually("it is saved", || places.iter().all(|place| place.exists()));
    let allow = |mode: u32| {
        for place in &places {
            fs::set_permissions(place, fs::Permissions::from_mode(mode)).expect("chmod");
        }
    };
    allow(0o500);
    let ran = shim.run("bash", "cd /usr; echo out; echo err >&2; (exit 4)");
    assert_eq!(
        (ran.exit_code, &*ran.stdout, &*ran.stderr),
        (Some(4), "out\n", "err\n")
    );
    for word in ["not kept beyond the daemon", "spool/c", "Permission denied"] {
        assert!(ran.notice.contains(word), "{word}: {ran:?}");
    }
    eventually("it is told", || {
        let told = state_problems(&kept.bed);
        told.contains("spool/c") && told.contains("state/current.json")
    });
    allow(0o700);
    eventually("nothing is wrong", || state_problems(&kept.bed) == "[]");
    kill_daemon(&kept.bed);
    drop(shim);

    let mut shim = kept.bed.shim();
    let again = shim.wait_for(&ran.id);
    assert_eq!(
        (&*again.status, again.exit_code, &*again.stdout, &*again.stderr),
        ("completed", Some(4), "out\n", "err\n"),
        "{again:?}"
    );
    assert_eq!(shim.run("bash", "pwd").stdout, "/usr\n");
    kept.finish(shim, &[Shell::Bash]);
}
