//! The main job through the official Python client of MCP, in both eras of the protocol. The story is in
//! `tests/clients/story.py`; here is what it needs.

use std::process::{Command, Stdio};

use sshmcp_tests::{Shell, TestBed};

use crate::clients::{installed, server, workspace};

/// A client that shakes hands with `initialize`.
#[test]
fn the_handshake_era() {
    tell("legacy");
}

/// A client that asks `server/discover` first.
#[test]
fn the_era_without_a_handshake() {
    tell("auto");
}

fn tell(mode: &str) {
    let bed = TestBed::new();
    let scratch = bed.scratch(Shell::Bash);
    let output = Command::new(installed("venv/bin/python"))
        // The checkout is not written to.
        .arg("-B")
        .arg(workspace().join("tests/clients/story.py"))
        .args([mode, Shell::Bash.host()])
        .arg(scratch)
        .args(server(&bed))
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let (told, wrong) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{told}{wrong}");
    let version = if mode == "auto" {
        "2026-07-28"
    } else {
        "2025-11-25"
    };
    assert!(told.contains(&format!("tools listed over {version}")), "{told}");
    assert!(told.contains(": closed"), "the story has no end: {told}");
    bed.finish();
}
