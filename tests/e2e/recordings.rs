//! What sessions leave for people: transcripts and recordings, in order, private, bounded, and read by asciinema.

mod disk;
mod order;
mod reading;

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;
use sshmcp_tests::TestBed;

use crate::clients::installed;

/// Where the sessions of this bed leave something.
fn logs(bed: &TestBed) -> PathBuf {
    bed.home().join(".local/state/sshmcp/logs")
}

/// A session's transcript.
fn log(bed: &TestBed, session: &str) -> String {
    fs::read_to_string(logs(bed).join(format!("{session}.log"))).unwrap_or_default()
}

/// A recording's header and its events: time, code, data.
fn cast(bed: &TestBed, session: &str) -> (Value, Vec<(f64, String, String)>) {
    let text = fs::read_to_string(logs(bed).join(format!("{session}.cast"))).expect("a recording");
    assert!(text.ends_with('\n'), "{text}");
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let header = lines.next().expect("a header");
    let events = lines.map(|event| {
        let text = |at: usize| event[at].as_str().expect("text").to_owned();
        (event[0].as_f64().expect("a time"), text(1), text(2))
    });
    (header, events.collect())
}

/// All output events together.
fn shown(events: &[(f64, String, String)]) -> String {
    let output = events.iter().filter(|(_, code, _)| code == "o");
    output.map(|(_, _, data)| data.as_str()).collect()
}

/// What asciinema reads out of a recording, as bytes for a terminal.
fn asciinema_cat(bed: &TestBed, session: &str) -> String {
    let output = Command::new(installed("venv/bin/asciinema"))
        .arg("cat")
        .arg(logs(bed).join(format!("{session}.cast")))
        .env("HOME", bed.path(""))
        .output()
        .expect("asciinema runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Where these stand in the text; each behind the one before.
fn in_order(text: &str, wanted: &[&str]) {
    let mut from = 0;
    for part in wanted {
        let found = text[from..].find(part);
        let at = found.unwrap_or_else(|| panic!("{part:?} is not behind the others in\n{text}"));
        from += at + part.len();
    }
}
