//! State that is damaged, or from a later version: it is set aside and told, and the daemon serves.

use std::fs;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use sshmcp_tests::TestBed;

use super::{leave, state_dir, state_problems};

/// SHA-256 of `2`, `9.9.9` and the content, each on a line.
const LATER_SUM: &str = "edebc9d24be8d403c946c1bc1d4679151f1d4ffb628335baf1e75508202698c2";

/// A damaged file is set aside with its time, what it means is told, and the daemon works as ever; so with a file of a
/// later version, which is not called damaged.
#[test]
fn a_file_that_cannot_be_used() {
    let later =
        format!("{{\"sshmcp_state\":2,\"by\":\"9.9.9\",\"sha256\":\"{LATER_SUM}\"}}\nwhatever it will be");
    for (content, words) in [
        ("{\"sshmcp_state\":1", "was damaged"),
        (later.as_str(), "wrote it in form 2"),
    ] {
        let bed = TestBed::new();
        let state = state_dir(&bed).join("state");
        fs::create_dir_all(&state).expect("a directory");
        fs::write(state.join("current.json"), content).expect("written");
        bed.give(".local");
        let mut shim = bed.shim();
        assert_eq!(shim.run("bash", "echo fine").stdout, "fine\n");
        let told = state_problems(&bed);
        for word in [words, "current.json", "it was set aside as"] {
            assert!(told.contains(word), "{word}: {told}");
        }
        let kept = fs::read_dir(&state).expect("a directory").flatten().any(|entry| {
            entry.file_name().to_string_lossy().starts_with("current.json.")
                && fs::read_to_string(entry.path()).is_ok_and(|text| text == content)
        });
        assert!(kept, "nothing is written over it");
        shim.call("close_session", json!({"all": true})).expect("closed");
        shim.close();
        bed.finish();
    }
}

/// Each file that an earlier daemon left is cut somewhere, or has a bit flipped: the daemon serves, what it still tells is
/// true, and no id is given out twice.
#[test]
#[expect(clippy::print_stderr, reason = "the seed repeats a run")]
fn any_file() {
    let rounds = if std::env::var_os("SSHMCP_LONG").is_some() {
        100
    } else {
        4
    };
    let seed: u64 = rand::random();
    eprintln!("state: {rounds} rounds with seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..rounds {
        let what = format!("seed {seed}, round {round}");
        let bed = TestBed::new();
        bed.alias("nowhere", "nobody", 9);
        let state = state_dir(&bed);
        let [ended, _, queued] = leave(&bed);
        let files = ["state", "spool", "state/shown", "state/each"].map(|name| state.join(name));
        let files = files.iter().filter_map(|directory| fs::read_dir(directory).ok());
        let files = files.flat_map(|entries| entries.flatten().map(|entry| entry.path()));
        let next = state.join("next_command");
        for path in files.chain([next]).filter(|path| path.is_file()) {
            let mut bytes = fs::read(&path).expect("a file");
            let at = random.random_range(0..bytes.len().max(1));
            match bytes.get_mut(at) {
                Some(byte) if random.random() => *byte ^= 1 << random.random_range(0..8),
                _ => bytes.truncate(at),
            }
            fs::write(&path, bytes).expect("written");
        }
        bed.give(".local");
        let mut shim = bed.shim();
        let list = shim.call("list_sessions", json!({}));
        let list = list.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        for session in list["sessions"].as_array().expect("a list") {
            assert_eq!(session["session"], "kept", "{what}: {list}");
        }
        if let Ok(told) = shim.call(
            "get_command_output",
            json!({"command_id": ended, "output_limit": 40_000}),
        ) {
            let stdout = told["stdout"].as_str().unwrap_or_default();
            let whole: String = (1..=1000).map(|number| format!("{number}\n")).collect();
            let is_part = stdout.is_empty() || whole.contains(stdout) || told["omitted_bytes"] != 0;
            assert!(is_part, "{what}: {told}");
        }
        let ran = shim.run("dash", "echo fine");
        assert_eq!(ran.stdout, "fine\n", "{what}");
        let number = |id: &str| id.trim_start_matches('c').parse::<u64>().expect("a number");
        assert!(
            number(&ran.id) > number(&queued),
            "{what}: {} after {queued}",
            ran.id
        );
        shim.call("close_session", json!({"all": true})).expect("closed");
        shim.close();
        bed.finish();
    }
}
