//! The inspector's command line lists the tools in both eras of MCP and finds nothing wrong with their schemas. The
//! daemon is not needed for that, and not started.

use std::process::{Command, Stdio};

use serde_json::Value;
use sshmcp_tests::TestBed;

use crate::clients::{installed, server, workspace};

/// A client that shakes hands with `initialize`.
#[test]
fn lists_the_tools_in_the_handshake_era() {
    list("legacy");
}

/// A client that asks `server/discover`.
#[test]
fn lists_the_tools_in_the_era_without_a_handshake() {
    list("modern");
}

fn list(era: &str) {
    let bed = TestBed::new();
    let home = bed.path("inspector");
    std::fs::create_dir(&home).expect("a home for it");
    let output = Command::new(installed("venv/bin/node"))
        .arg(installed("inspector/node_modules/.bin/mcp-inspector"))
        .arg("--cli")
        .args(server(&bed))
        .args(["--method", "tools/list", "--format", "json", "--strict"])
        .args(["--protocol-era", era])
        .env("HOME", &home)
        .stdin(Stdio::null())
        .output()
        .expect("node runs");
    let (told, wrong) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{told}{wrong}");
    let list: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    let list = list.pointer("/result/tools").unwrap_or(&list["tools"]);
    let names: Vec<&str> = list
        .as_array()
        .unwrap_or_else(|| panic!("no tools: {told}"))
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    let wanted = std::fs::read_to_string(workspace().join("shim/src/snapshots/tools.json"));
    let wanted: Value = serde_json::from_str(&wanted.expect("the list")).expect("JSON");
    let wanted = wanted.get("tools").unwrap_or(&wanted);
    let wanted: Vec<&str> = wanted
        .as_array()
        .expect("tools")
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names, wanted);
    assert!(bed.daemons().is_empty(), "listing needs no daemon");
    bed.finish();
}
