//! A disk that takes nothing: sessions go on, path and cause are told, and when there is room again all is saved, without a
//! restart.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use sshmcp_tests::{Shim, TestBed, eventually};

use super::{state_dir, state_problems};
use crate::limits::{
    disk::daemon,
    output::{lines, read_all},
};

/// What is told while the state cannot be saved, and that commands run all the same.
fn goes_on(bed: &TestBed, shim: &mut Shim, cause: &str) {
    let opened = json!({"host": "bash", "session": "opened-then"});
    shim.call("open_session", opened).expect("it opens");
    let ran = shim.execute(json!({"session": "opened-then", "command": "cd /usr; echo fine"}));
    assert_eq!(ran.expect("it runs").stdout, "fine\n");
    eventually("it is told", || {
        let told = state_problems(bed);
        told.contains("the state is not saved") && told.contains("/state") && told.contains(cause)
    });
    let list = shim.call("list_sessions", json!({})).expect("a list").to_string();
    assert!(
        list.contains("the state is not saved") && list.contains(cause),
        "{list}"
    );
    assert_eq!(shim.run("bash", "echo fine").stdout, "fine\n");
}

/// All is well again, and what was opened meanwhile is remembered.
fn is_well_again(bed: &TestBed, shim: &mut Shim, state: &Path) {
    eventually("it is saved", || state_problems(bed) == "[]");
    let saved = fs::read_to_string(state.join("state/current.json")).expect("it is there");
    assert!(saved.contains("\"opened-then\""), "{saved}");
    let list = shim.call("list_sessions", json!({})).expect("a list").to_string();
    assert!(!list.contains("not saved"), "{list}");
    shim.call("close_session", json!({"all": true})).expect("closed");
}

#[test]
fn full() {
    let bed = TestBed::new();
    let mut daemon = daemon(&bed);
    eventually("it serves", || bed.ctl(&["status"]).status.success());
    let state = PathBuf::from(format!(
        "/proc/{}/root{}",
        daemon.id(),
        bed.path("state").display()
    ));
    let mut shim = bed.shim();
    shim.run("bash", "true");
    let mut ballast = fs::File::create(state.join("ballast")).expect("a file");
    while ballast.write_all(&[0; 4096]).is_ok() {}
    drop(ballast);
    goes_on(&bed, &mut shim, "No space left on device");
    fs::remove_file(state.join("ballast")).expect("it was there");
    is_well_again(&bed, &mut shim, &state);
    shim.close();
    bed.finish();
    daemon.wait().expect("ours");
}

/// The daemon is no root, to whom no directory is read-only.
#[test]
fn read_only() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    let state = state_dir(&bed);
    let directory = state.join("state");
    eventually("it is saved", || directory.join("current.json").exists());
    let allow = |mode: u32| {
        fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).expect("chmod");
    };
    allow(0o500);
    goes_on(&bed, &mut shim, "Permission denied");
    allow(0o700);
    is_well_again(&bed, &mut shim, &state);
    shim.close();
    bed.finish();
}

/// A daemon that cannot write anything from its beginning serves all the same, and saves when it can.
#[test]
fn read_only_from_the_start() {
    let bed = TestBed::new();
    let state = bed.home().join("sealed");
    fs::create_dir(&state).expect("a directory");
    bed.give("sealed");
    let allow = |mode: u32| {
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).expect("chmod");
    };
    allow(0o500);
    let mut program = bed.program("sshmcpd");
    let mut daemon = program
        .env("SSHMCP_STATE_DIR", &state)
        .spawn()
        .expect("it starts");
    eventually("it serves", || bed.ctl(&["status"]).status.success());
    let mut shim = bed.shim();
    shim.run("bash", "true");
    goes_on(&bed, &mut shim, "Permission denied");
    let told = state_problems(&bed);
    for word in ["log is not written", "command ids cannot be reserved"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    allow(0o700);
    eventually("it is saved", || state.join("state/current.json").exists());
    shim.run("bash", "true");
    assert!(state.join("next_command").exists(), "ids are reserved now");
    assert!(!state_problems(&bed).contains("command ids"));
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
    daemon.wait().expect("ours");
}

/// Output that outlives the daemon and finds no room: the command goes on to its end, and says what is missing, with path
/// and cause; when there is room again nothing is wrong any more.
#[test]
fn full_of_output() {
    let bed = TestBed::new();
    let mut daemon = daemon(&bed);
    eventually("it serves", || bed.ctl(&["status"]).status.success());
    let state = PathBuf::from(format!(
        "/proc/{}/root{}",
        daemon.id(),
        bed.path("state").display()
    ));
    fs::write(state.join("ballast"), vec![0; 512 << 10]).expect("there is room");
    let mut shim = bed.shim();
    let arguments = json!({
        "host": "bash", "durable": true, "timeout": 50,
        "command": format!("{}; exit 7", lines(50_000)),
    });
    let ran = shim.execute(arguments).expect("it runs");
    assert_eq!((&*ran.status, ran.exit_code), ("completed", Some(7)), "{ran:?}");
    let (kept, gone) = read_all(&mut shim, &ran.id);
    assert_eq!(kept + gone, 50_000 * 64);
    assert!(gone > 1 << 20, "{kept} and {gone}");
    for word in [&*gone.to_string(), "spool/c", "No space left on device"] {
        assert!(ran.notice.contains(word), "{word}: {ran:?}");
    }
    eventually("it is told", || {
        state_problems(&bed).contains("No space left on device")
    });
    assert_eq!(shim.run("bash", "echo fine").stdout, "fine\n");
    fs::remove_file(state.join("ballast")).expect("it was there");
    eventually("nothing is wrong", || state_problems(&bed) == "[]");
    assert_eq!(
        read_all(&mut shim, &ran.id),
        (kept, gone),
        "and nothing more is lost"
    );
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
    daemon.wait().expect("ours");
}
