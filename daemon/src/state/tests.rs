//! What was put is there again; what is damaged is set aside, and what was before it is used.

use std::fs;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use super::*;

fn session(name: &str, cwd: &str) -> SavedSession {
    SavedSession {
        name: name.into(),
        host: "user@example.org:2222".into(),
        target: vec![Hop {
            user: "user".into(),
            hostname: "example.org".into(),
            port: 2222,
        }],
        keeper: "remote-tmux".into(),
        cols: 120,
        rows: 40,
        cwd: cwd.into(),
        opened_ms: 1_764_000_000_000,
        kept: json!({"pane": "%3", "nonce": "0123456789abcdef"}),
        ..SavedSession::default()
    }
}

fn wait(store: &Store) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(store.saved())
}

/// Two generations in this directory: `first` alone, then `first` and `second`.
fn two_generations(directory: &Path) -> [Vec<SavedSession>; 2] {
    let (store, _) = Store::open(directory);
    let (first, second) = (session("first", "/a"), session("second", "/b\u{1b}ü"));
    store.put_session(first.clone());
    assert!(wait(&store));
    store.put_session(second.clone());
    assert!(wait(&store));
    [vec![first.clone()], vec![first, second]]
}

/// What was put last counts, what was removed is gone, and nobody else may read it.
#[test]
fn what_was_put_is_there_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("a directory");
    let (store, loaded) = Store::open(directory.path());
    assert!(loaded.sessions.is_empty() && loaded.set_aside.is_empty());
    assert!(wait(&store), "nothing to save is saved");
    for number in 0..50 {
        store.put_session(session(&format!("s{number:02}"), "/old"));
    }
    store.put_session(session("s00", "/new"));
    store.remove_session("s01");
    assert!(wait(&store));
    assert_eq!((store.problem(), store.problems().len()), (None, 0));
    let (again, loaded) = Store::open(directory.path());
    let names: Vec<&str> = loaded.sessions.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[1]), (49, "s00", "s02"));
    assert_eq!(loaded.sessions[0], session("s00", "/new"));
    assert_eq!(again.session("s00").as_deref(), Some(&session("s00", "/new")));
    for (path, mode) in [("state", 0o700), ("state/current.json", 0o600)] {
        let found = directory.path().join(path).metadata().expect(path);
        assert_eq!(found.permissions().mode() & 0o777, mode, "{path}");
    }
}

/// A daemon that is killed between the two renames, or while it writes, has lost nothing.
#[test]
fn killed_while_writing() {
    let directory = tempfile::tempdir().expect("a directory");
    let [before, now] = two_generations(directory.path());
    let state = directory.path().join("state");
    fs::write(state.join("current.json.new"), "{\"sshmcp_st").expect("written");
    assert_eq!(Store::open(directory.path()).1.sessions, now);
    // The first rename is done.
    let current = fs::read(state.join("current.json")).expect("current");
    fs::rename(state.join("current.json"), state.join("previous.json")).expect("renamed");
    let loaded = Store::open(directory.path()).1;
    assert_eq!((loaded.sessions, loaded.set_aside.len()), (now.clone(), 0));
    let newer = [session("third", "/c")];
    let other = tempfile::tempdir().expect("a directory");
    let (store, _) = Store::open(other.path());
    store.put_session(newer[0].clone());
    assert!(wait(&store));
    fs::copy(
        other.path().join("state/current.json"),
        state.join("current.json.new"),
    )
    .expect("copied");
    assert_eq!(Store::open(directory.path()).1.sessions, newer);
    // One that was left long ago is not newer than the generation there is.
    fs::write(state.join("previous.json"), &current).expect("written");
    fs::remove_file(state.join("current.json.new")).expect("removed");
    assert_eq!(Store::open(directory.path()).1.sessions, now);
    drop(before);
}

/// What both files are damaged by is one of these; either gives exactly what it had, or nothing.
fn check(directory: &Path, damaged: [bool; 2], generations: &[Vec<SavedSession>; 2], what: &str) {
    let (_, loaded) = Store::open(directory);
    let Loaded { sessions, set_aside } = loaded;
    let words = set_aside.join("\n");
    match damaged {
        [false, _] => assert_eq!((sessions, words.as_str()), (generations[1].clone(), ""), "{what}"),
        [true, false] => {
            assert_eq!(sessions, generations[0], "{what}: {words}");
            assert!(words.contains("current.json was damaged"), "{what}: {words}");
            assert!(words.contains("current.json.damaged-2"), "{what}: {words}");
        }
        [true, true] => {
            assert!(sessions.is_empty(), "{what}: {words}");
            assert!(words.contains("is not known"), "{what}: {words}");
        }
    }
}

/// Truncated at every 64th byte, and with a bit flipped anywhere, in the current file or in both.
#[test]
fn damaged_files() {
    let source = tempfile::tempdir().expect("a directory");
    let generations = two_generations(source.path());
    let read = |name: &str| fs::read(source.path().join("state").join(name)).expect(name);
    let whole = [read("current.json"), read("previous.json")];
    let place = tempfile::tempdir().expect("a directory");
    let state = place.path().join("state");
    let put = |files: &[Vec<u8>; 2]| {
        fs::remove_dir_all(&state).ok();
        fs::create_dir(&state).expect("a directory");
        for (name, bytes) in ["current.json", "previous.json"].iter().zip(files) {
            fs::write(state.join(name), bytes).expect(name);
        }
    };
    for length in (0..whole[0].len()).step_by(64) {
        let cut = whole[0][..length].to_vec();
        put(&[cut.clone(), whole[1].clone()]);
        check(
            place.path(),
            [true, false],
            &generations,
            &format!("cut at {length}"),
        );
        put(&[cut, whole[1][..length.min(whole[1].len() - 1)].to_vec()]);
        check(
            place.path(),
            [true, true],
            &generations,
            &format!("both cut at {length}"),
        );
    }
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..1000 {
        let mut files = whole.clone();
        let both = round % 4 == 0;
        for file in files.iter_mut().take(if both { 2 } else { 1 }) {
            let bit = random.random_range(0..file.len() * 8);
            file[bit / 8] ^= 1 << (bit % 8);
        }
        put(&files);
        check(
            place.path(),
            [true, both],
            &generations,
            &format!("seed {seed}, round {round}"),
        );
    }
}

/// Of what is set aside the newest stay, and a damaged file is never written over.
#[test]
fn set_aside_files_are_few() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = directory.path().join("state");
    fs::create_dir(&state).expect("a directory");
    for number in 0..20 {
        fs::write(state.join("current.json"), format!("damaged {number}")).expect("written");
        let (store, loaded) = Store::open(directory.path());
        assert_eq!(loaded.set_aside.len(), 2, "{loaded:?}");
        assert_eq!(store.problems(), loaded.set_aside);
    }
    let left: Vec<String> = fs::read_dir(&state)
        .expect("a directory")
        .flatten()
        .map(|entry| fs::read_to_string(entry.path()).expect("text"))
        .collect();
    assert_eq!(left.len(), 8, "{left:?}");
    assert!(left.iter().any(|text| text == "damaged 19"), "{left:?}");
}

/// A directory that takes nothing is told with path and cause, is tried again, and is well again by itself.
#[test]
fn a_disk_that_takes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let obstacle = directory.path().join("state");
    fs::write(&obstacle, "").expect("written");
    let (store, loaded) = Store::open(directory.path());
    // A file in the place of the directory is no state, and not a thing to set aside.
    assert!(loaded.sessions.is_empty());
    store.put_session(session("first", "/a"));
    assert!(!wait(&store));
    let problem = store.problem().expect("a problem");
    assert!(problem.contains(&obstacle.display().to_string()), "{problem}");
    fs::remove_file(&obstacle).expect("removed");
    assert!(wait(&store), "it is tried again");
    assert_eq!(store.problem(), None);
    assert_eq!(Store::open(directory.path()).1.sessions, [session("first", "/a")]);
}

/// A seed, told where a failure can be repeated by it.
#[expect(clippy::print_stdout, reason = "the test runner shows it with the failure")]
fn seed() -> u64 {
    let seed = rand::random();
    println!("seed {seed}");
    seed
}
