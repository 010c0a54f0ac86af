//! People and agents read what sessions left: `sshctl logs`, `sshctl replay`, asciinema, and lines that the emulator has
//! let go of.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use sshmcp_tests::{Shim, TestBed, eventually, patient, program::tool};

use super::{in_order, logs};
use crate::{attach::Pane, clients::installed};

/// The last lines, what comes after them, and the end with the session.
#[test]
fn logs_are_told_and_followed() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "PS1='$ '; seq 5");
    // The prompt comes a moment after the command's end.
    eventually("the last lines", || {
        bed.ctl(&["logs", "bash", "--lines", "3"]).stdout == b"4\n5\n$ "
    });
    let told = bed.ctl(&["logs", "bash", "-n", "2", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let path = logs(&bed).join("bash.log").display().to_string();
    assert_eq!(
        told,
        json!({"session": "bash", "log_path": path, "lines": ["5", "$ "]})
    );

    let followed = bed.path("followed");
    let mut follower = bed
        .program("sshctl")
        .args(["logs", "bash", "-f", "-n", "2"])
        .stdout(fs::File::create(&followed).expect("a file"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("sshctl runs");
    let told = || fs::read_to_string(&followed).expect("text");
    eventually("what was there", || told() == "5\n$ ");
    shim.run("bash", "echo la''ter");
    eventually("what comes", || told().starts_with("5\n$ echo la''ter\nlater\n"));
    assert!(follower.try_wait().expect("ours").is_none());
    shim.call("close_session", json!({"session": "bash"}))
        .expect("closed");
    let ended = patient::output(follower);
    assert!(
        ended.status.success() && String::from_utf8_lossy(&ended.stderr).contains("was closed"),
        "{ended:?}"
    );
    assert!(told().contains("session bash closed"), "{}", told());

    // What is closed is still told; what never was is not found.
    let told = bed.ctl(&["logs", "bash"]);
    in_order(
        &String::from_utf8_lossy(&told.stdout),
        &["\n5\n", "\nlater\n", "session bash closed"],
    );
    for arguments in [["logs", "nobody"], ["replay", "nobody"]] {
        assert_eq!(bed.ctl(&arguments).status.code(), Some(80), "{arguments:?}");
    }
    for arguments in [["logs", "../x"], ["replay", "a b"]] {
        assert_eq!(bed.ctl(&arguments).status.code(), Some(64), "{arguments:?}");
    }
    shim.close();
    bed.finish();
}

/// An agent that asks for more lines than the emulator keeps gets them from the transcript, of this session alone, and no
/// more than an answer has room for; what did not fit is told and can be read by cursor.
#[test]
fn lines_that_scrolled_away() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let write = |shim: &mut Shim, host: &str, word: &str| {
        let command = format!("seq -f '{word} %g' 1 6000");
        let ran =
            shim.execute(json!({"host": host, "session": "work", "command": command, "terminal": true}));
        assert_eq!(ran.expect("it runs").exit_code, Some(0));
    };
    let look = |shim: &mut Shim, arguments: Value| {
        let shown = shim.call("get_terminal_output", arguments).expect("shown");
        let text = shown["text"].as_str().expect("text").to_owned();
        assert!(text.chars().count() <= 40_000);
        (text, shown)
    };
    let lines = |shim: &mut Shim, count: u32| look(shim, json!({"session": "work", "lines": count}));
    write(&mut shim, "bash", "line");
    let (many, shown) = lines(&mut shim, 3500);
    assert_eq!((many.lines().count(), &shown["omitted_lines"]), (3500, &json!(0)));
    in_order(&many, &["line 2502\n", "line 2503\n", "line 6000\n"]);
    assert!(
        many.ends_with(&lines(&mut shim, 1000).0),
        "{}",
        lines(&mut shim, 5).0
    );
    let (most, shown) = lines(&mut shim, 5000);
    assert!(most.ends_with(&many), "{shown}");
    assert_eq!(
        most.lines().count() as u64 + shown["omitted_lines"].as_u64().expect("a number"),
        5000
    );
    // What an earlier session of the name showed, on another host, is not this one's.
    shim.call("close_session", json!({"session": "work"}))
        .expect("closed");
    write(&mut shim, "dash", "other");
    let (all, shown) = lines(&mut shim, 100_000);
    assert!(
        !all.contains("line ") && all.contains("other 6000\n"),
        "{}",
        lines(&mut shim, 5).0
    );
    let above = shown["omitted_lines"].as_u64().expect("a number") + all.lines().count() as u64;
    assert!((6000..6050).contains(&above), "{above}");
    let (mut read, mut cursor) = (String::new(), shown["first_cursor"].clone());
    loop {
        let (text, shown) = look(&mut shim, json!({"session": "work", "cursor": cursor}));
        read.push_str(&text);
        assert_ne!(shown["cursor"], cursor, "it goes on");
        cursor = shown["cursor"].clone();
        if shown["following_bytes"] == 0 {
            break;
        }
    }
    let written: String = (1..=6000).map(|at| format!("other {at}\n")).collect();
    assert!(read.contains(&written), "{} characters", read.len());
    let both = shim.call(
        "get_terminal_output",
        json!({"session": "work", "lines": 5, "cursor": 0}),
    );
    assert_eq!(both.expect_err("two ways").code, "invalid_argument");
    // A cursor of the closed session is none of this one, which may have shown less; the next to come would be missed.
    let end = cursor.as_u64().expect("a number");
    let (nothing, _) = look(&mut shim, json!({"session": "work", "cursor": end}));
    assert_eq!(nothing, "");
    let beyond = json!({"session": "work", "cursor": end + 1});
    let beyond = shim
        .call("get_terminal_output", beyond)
        .expect_err("nobody was given it");
    assert_eq!(beyond.code, "invalid_argument", "{beyond:?}");
    assert!(
        beyond.message.contains(&end.to_string()) && beyond.hint.contains("without `cursor`"),
        "{beyond:?}"
    );
    let looked = bed.ctl(&["screen", "work", "--cursor", &(end + 1).to_string()]);
    assert_eq!(looked.status.code(), Some(64), "{looked:?}");
    shim.close();
    bed.finish();
}

/// A recording is played by asciinema, and by us in its own time, in a terminal and into a pipe.
#[test]
fn recordings_are_played() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("fish", "echo pl''ayed; printf '\\033[41mred\\033[0m\\n'");
    shim.call("close_session", json!({"session": "fish"}))
        .expect("closed");
    let cast = logs(&bed).join("fish.cast");
    let asciinema = installed("venv/bin/asciinema");
    let line = format!("{} play -s 1000 -i 0.01 {}", asciinema.display(), cast.display());
    let played = Command::new(tool("script"))
        .args(["-qec", &line, "/dev/null"])
        .env("HOME", bed.path(""))
        .stdin(Stdio::null())
        .output()
        .expect("script runs");
    assert!(played.status.success(), "{played:?}");
    in_order(
        &String::from_utf8_lossy(&played.stdout),
        &["played", "\x1b[41mred"],
    );

    let piped = bed.ctl(&["replay", "fish", "--speed", "1000", "--idle-limit", "0.01"]);
    assert!(piped.status.success(), "{piped:?}");
    in_order(
        &String::from_utf8_lossy(&piped.stdout),
        &["played\r\n", "\x1b[41mred"],
    );
    let told = bed.ctl(&["replay", &cast.display().to_string(), "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(
        (&told["version"], &told["cols"]),
        (&json!(2), &json!(120)),
        "{told}"
    );
    assert_eq!(told["markers"].as_array().map(Vec::len), Some(2), "{told}");

    let pane = Pane::open(&bed);
    pane.sshctl("replay fish --speed 2 --idle-limit 0.2");
    pane.shows("the end", |seen| {
        seen.contains("\nplayed\nred\n") && !seen.contains("q leaves")
    });
    assert_eq!(pane.state(), "0 1 0");
    pane.close();
    shim.close();
    bed.finish();
}

/// What is in a file of anybody's does nothing to the person's terminal; who leaves gets it back as it was.
#[test]
fn a_hostile_recording() {
    let bed = TestBed::new();
    let file = bed.home().join("evil.cast");
    let header = json!({"version": 2, "width": 60, "height": 10, "title": "t\u{1b}]0;evil\u{7}"});
    let evil = "\u{1b}]0;evil\u{7}\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}P+q544e\u{1b}\\\u{1b}[c\u{1b}[6n\u{1b}[?1003h\u{1b}[?1049hseen\u{9b}31m";
    let events = [
        json!([0.1, "o", evil]),
        json!([0.2, "r", "9999x9999"]),
        json!([9999.0, "o", "never"]),
    ];
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    fs::write(&file, format!("{header}\n{}\n", lines.join("\n"))).expect("a file");
    let pane = Pane::open(&bed);
    pane.tmux(&["set-option", "-g", "set-clipboard", "on"]);
    pane.sshctl(&format!("replay {}", file.display()));
    pane.shows("the recording", |seen| {
        seen.contains("seen") && seen.contains("q leaves")
    });
    pane.keys("q");
    let seen = pane.shows("the way out", |seen| {
        !seen.contains("q leaves") && seen.contains("$ ")
    });
    assert!(!seen.contains("544e") && !seen.contains("[?"), "{seen}");
    assert_eq!(pane.state(), "0 1 0");
    let title = pane.tmux(&[
        "display-message",
        "-p",
        "-t",
        "p",
        "#{pane_title} #{mouse_any_flag}",
    ]);
    assert!(
        !String::from_utf8_lossy(&title.stdout).contains("evil"),
        "{title:?}"
    );
    assert!(
        String::from_utf8_lossy(&title.stdout).trim().ends_with('0'),
        "{title:?}"
    );
    assert!(pane.tmux(&["list-buffers"]).stdout.is_empty());
    let file = file.display().to_string();
    let piped = bed.ctl(&["replay", &file, "--speed", "100000"]);
    let text = String::from_utf8_lossy(&piped.stdout);
    assert_eq!(text, "seen\u{1b}[31mnever\u{1b}[0m", "{piped:?}");
    pane.close();
    bed.finish();
}

/// One word opens a session and joins it.
#[test]
fn opened_and_joined() {
    let bed = TestBed::new();
    let pane = Pane::open(&bed);
    pane.sshctl("open dash --attach");
    pane.shows("the session", |seen| seen.contains("ctrl-] detaches"));
    pane.types("echo jo''ined");
    pane.keys("Enter");
    pane.shows_row("joined");
    pane.keys("C-]");
    pane.shows("the way out", |seen| seen.contains("detached from dash"));
    assert_eq!(
        bed.ctl(&["open", "dash", "--attach"]).status.code(),
        Some(64),
        "there is no terminal"
    );
    pane.close();
    bed.finish();
}
