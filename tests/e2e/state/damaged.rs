//! State that is damaged, or from a later version: it is set aside and told, and the daemon serves.

use std::fs;

use serde_json::json;
use sshmcp_tests::TestBed;

use super::{state_dir, state_problems};

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
