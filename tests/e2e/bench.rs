//! The benchmark still measures everything that it says it does. What it measures in a moment, unoptimised and beside
//! other tests, means nothing, and is not looked at.

use std::{fs, process::Command};

use sshmcp_tests::program::built;

/// A short run fills every table with numbers, and judges every goal.
#[test]
fn the_benchmark_works() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("tables.md");
    let output = Command::new(built("bench"))
        .args(["--quick", "--write"])
        .arg(&file)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = fs::read_to_string(file).expect("the tables");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.ends_with(&text),
        "what is printed is what is written: {printed}"
    );
    assert!(!text.contains("NaN"), "{text}");
    for shell in ["bash", "zsh", "dash"] {
        for row in [
            format!("| {shell} | `true` through MCP |"),
            format!("| warm `true`, {shell}, × raw marker |"),
            format!("| warm `true` over the slow link, {shell}, round trips |"),
            format!("| first command, {shell}, × `ssh host true` |"),
        ] {
            assert!(text.contains(&row), "{row}: {text}");
        }
    }
    for row in [
        "shim to `tools/list`",
        "100 MB, × ControlMaster",
        "sessions at once",
    ] {
        assert!(text.contains(row), "{row}: {text}");
    }
    let goals = text.rsplit_once("### Goals").map_or("", |(_, goals)| goals);
    let judged = goals
        .lines()
        .filter(|line| line.ends_with("| met |") || line.ends_with("| **missed** |"));
    assert_eq!(
        judged.count(),
        goals.lines().filter(|line| line.starts_with("| ")).count() - 1,
        "{goals}"
    );
}
