//! Bounded on disk: full files are set aside, few of them stay, and a disk that takes nothing costs a marked gap alone.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use sshmcp_tests::{Shim, TestBed, eventually, eventually_some};

use super::{asciinema_cat, in_order, logs};
use crate::limits::disk::daemon;

/// The current file and the latest one set aside stay; each is whole, and lines go on from one to the other.
#[test]
fn set_aside() {
    let bed = TestBed::new();
    let config = bed.path("config.toml");
    fs::write(&config, "[logs]\nmax_mib = 1\nkeep_files = 2\n").expect("a configuration");
    let mut program = bed.program("mcp-ssh");
    program.arg("--config").arg(config);
    let mut shim = Shim::start(program);
    for _ in 0..2 {
        let ran = shim.run("bash", "seq -f 'number %g' 1 100000");
        assert_eq!(ran.exit_code, Some(0), "{ran:?}");
    }
    shim.call("close_session", json!({"all": true})).expect("closed");
    let wanted = ["bash.cast", "bash.cast.1", "bash.log", "bash.log.1"];
    let names = eventually_some("what was written last is in the files", || {
        let mut names: Vec<String> = fs::read_dir(logs(&bed))
            .expect("a directory")
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        (names == wanted).then_some(names)
    });
    for name in &names {
        let size = logs(&bed).join(name).metadata().expect("it is there").len();
        assert!(size < (3 << 20) / 2, "{name}: {size}");
    }
    let told = bed.ctl(&["logs", "bash", "-n", "60000"]);
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8_lossy(&told.stdout);
    let numbers: Vec<u32> = text
        .lines()
        .filter_map(|line| line.strip_prefix("number ")?.parse().ok())
        .collect();
    assert!(numbers.len() > 59_000, "{}", numbers.len());
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(numbers.last(), Some(&100_000));
    assert!(text.contains("--- sshmcp: what came before is in the file set aside; "));
    fs::rename(logs(&bed).join("bash.cast.1"), logs(&bed).join("first.cast")).expect("renamed");
    let played = eventually_some("the recording is whole", || {
        let played = asciinema_cat(&bed, "first") + &asciinema_cat(&bed, "bash");
        played.contains("number 100000\r\n").then_some(played)
    });
    assert!(played.len() > 1 << 20);
    shim.close();
    bed.finish();
}

/// The session goes on, it is told that it is not recorded, and when there is room again it is, without a restart.
#[test]
fn full() {
    let bed = TestBed::new();
    let mut daemon = daemon(&bed);
    eventually("it serves", || bed.ctl(&["status"]).status.success());
    // Its state is on a disk that it alone has mounted.
    let state = PathBuf::from(format!(
        "/proc/{}/root{}",
        daemon.id(),
        bed.path("state").display()
    ));
    let log = || fs::read_to_string(state.join("logs/bash.log")).unwrap_or_default();
    let mut shim = bed.shim();
    shim.run("bash", "echo be''fore");
    eventually("it is written", || log().contains("\nbefore\n"));
    fill(&state.join("ballast"));
    let lost = shim.run("bash", "seq 100001 110000");
    assert_eq!(
        (lost.exit_code, lost.stdout.contains("100100")),
        (Some(0), true),
        "{lost:?}"
    );
    let problems = || {
        let told = bed.ctl(&["status", "--json"]);
        let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        told["log_problems"].to_string()
    };
    eventually("it is told", || {
        // State that is written anew gives a block back now and then, and what little was waiting has room again.
        fill(&state.join("ballast"));
        shim.run("bash", "seq 200001 201000");
        let list = shim.call("list_sessions", json!({})).expect("a list").to_string();
        list.contains("session bash is not recorded since") && problems().contains("No space left on device")
    });
    fs::remove_file(state.join("ballast")).expect("it was there");
    eventually("there is room", || problems() == "[]");
    shim.run("bash", "echo a''gain");
    eventually("it is written", || log().contains("\nagain\n"));
    let text = log();
    in_order(
        &text,
        &[
            "\nbefore\n",
            "--- sshmcp: ",
            " bytes are missing here, from ",
            "No space left on device",
            "\nagain\n",
        ],
    );
    let parts: Vec<&str> = text.split(" bytes are missing").collect();
    let counts = parts.split_last().expect("at least one").1.iter();
    let missing: u64 = counts
        .map(|before| {
            let count = before.rsplit(' ').next().expect("a word");
            count.parse::<u64>().expect("a count")
        })
        .sum();
    assert!(missing > 1000, "{text}");
    let cast = fs::read_to_string(state.join("logs/bash.cast")).expect("a recording");
    for line in cast.lines() {
        serde_json::from_str::<Value>(line).expect(line);
    }
    in_order(&cast, &["before\\r\\n", "bytes are missing here", "again\\r\\n"]);
    shim.close();
    bed.finish();
    daemon.wait().expect("ours");
}

/// Writes until the disk takes nothing more.
fn fill(path: &Path) {
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.expect("a file");
    while file.write_all(&[0; 4096]).is_ok() {}
}
