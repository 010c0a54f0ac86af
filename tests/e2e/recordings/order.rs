//! Prompts, commands and output, captured or on the terminal, stand in a transcript and a recording as they came, and
//! nothing of ours among them.

use std::{fs, os::unix::fs::MetadataExt as _};

use serde_json::json;
use sshmcp_tests::{Shell, TestBed, eventually};

use super::{asciinema_cat, cast, in_order, log, logs, shown};

/// What a person would have seen, in each kind of shell.
#[test]
fn as_it_came() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let hosts = [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Dash].map(Shell::host);
    for host in hosts {
        let ran = shim.run(host, "echo on''e; printf 'thr''ee\\n\\033[31mred\\033[0m\\n'");
        assert_eq!(ran.exit_code, Some(0), "{ran:?}");
        // Of two streams of one command nobody knows which was written first.
        assert_eq!(shim.run(host, "echo tw''o >&2").stderr, "two\n");
        let ran = shim.execute(json!({"host": host, "command": "echo on the ter''minal", "terminal": true}));
        assert_eq!(ran.expect("it runs").exit_code, Some(0));
        let typed = json!({"session": host, "text": "echo ty''ped"});
        let typed = shim.call("send_input", typed).expect("it is typed");
        assert_eq!(typed["settled"], true, "{typed}");
        // Its output ends within a sequence, and within a character: neither may swallow what follows.
        let ran = shim.run(host, "printf 'cut\\033]0;ti\\303'");
        assert_eq!(ran.exit_code, Some(0), "{ran:?}");
        assert_eq!(shim.run(host, "echo a''fter").stdout, "after\n");
        let list = shim.call("list_sessions", json!({})).expect("a list");
        let sessions = list["sessions"].as_array().expect("sessions");
        let session = sessions
            .iter()
            .find(|session| session["session"] == host)
            .expect("ours");
        let path = logs(&bed).join(format!("{host}.log"));
        assert_eq!(session["log_path"], path.display().to_string());
    }
    // While the session is open: what was shown is in the files a moment later.
    eventually("it is written", || log(&bed, "dash").contains("\nafter\n"));
    shim.call("close_session", json!({"all": true})).expect("closed");
    for host in hosts {
        let text = log(&bed, host);
        let wanted = [
            &*format!("--- sshmcp: session {host} opened on "),
            "echo on''e;",
            "one\n",
            "three\nred\n",
            "two\n",
            "echo on the ter''minal\n",
            "on the terminal\n",
            "echo ty''ped\n",
            "typed\n",
            "cut",
            "echo a''fter\nafter\n",
            &*format!("--- sshmcp: session {host} closed; "),
        ];
        in_order(&text, &wanted);
        for word in ["one\n", "two\n", "on the terminal\n", "\ntyped\n", "\nafter\n"] {
            assert_eq!(text.matches(word).count(), 1, "{host}: {word:?}\n{text}");
        }
        let (header, events) = cast(&bed, host);
        assert_eq!((&header["version"], &header["width"]), (&json!(2), &json!(120)));
        assert!(events.is_sorted_by_key(|(time, ..)| *time), "{events:?}");
        assert!(
            events.iter().all(|(_, code, _)| "orm".contains(code.as_str())),
            "{events:?}"
        );
        let bytes = shown(&events);
        in_order(
            &bytes,
            &[
                "one\r\n",
                "three\r\n\x1b[31mred",
                "on the terminal\r\n",
                "typed\r\n",
                "after\r\n",
            ],
        );
        assert_eq!(asciinema_cat(&bed, host), bytes);
        for text in [&text, &bytes] {
            assert!(
                !text.contains("__sshmcp") && !text.contains("SSHMCP"),
                "{host}: {text}"
            );
        }
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'),
            "{text:?}"
        );
    }
    let mode = |path| fs::metadata(path).expect("it is there").mode() & 0o777;
    assert_eq!(mode(logs(&bed)), 0o700);
    for entry in fs::read_dir(logs(&bed)).expect("a directory").flatten() {
        assert_eq!(mode(entry.path()), 0o600, "{entry:?}");
    }
    shim.close();
    bed.finish();
}

/// A session that is opened again goes on in the same files, behind a boundary; so does one that lost its shell.
#[test]
fn opened_again() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "echo fir''st");
    shim.call("close_session", json!({"session": "bash"}))
        .expect("closed");
    let before = cast(&bed, "bash").1;
    bed.stop_daemon();
    shim.run("bash", "echo sec''ond; exit 3");
    shim.run("bash", "echo thi''rd");
    shim.call("close_session", json!({"session": "bash"}))
        .expect("closed");
    in_order(
        &log(&bed, "bash"),
        &[
            "session bash opened",
            "\nfirst\n",
            "session bash closed",
            "session bash opened",
            "\nsecond\n",
            "a new shell was opened",
            "\nthird\n",
            "session bash closed",
        ],
    );
    let (_, events) = cast(&bed, "bash");
    assert_eq!(events[..before.len()], before);
    assert!(events.is_sorted_by_key(|(time, ..)| *time), "{events:?}");
    in_order(
        &asciinema_cat(&bed, "bash"),
        &["first\r\n", "second\r\n", "third\r\n"],
    );
    let markers = events.iter().filter(|(_, code, _)| code == "m").count();
    assert_eq!(markers, 5, "{events:?}");
    shim.close();
    bed.finish();
}

/// What is typed to a captured command stands before what that says to it, though each comes on a channel of its own.
#[test]
fn answers_before_what_comes_of_them() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let rounds = 12;
    let asks =
        format!("for i in $(seq {rounds}); do printf \"name $i? \"; read name; echo \"hello $name\"; done");
    let ran = shim.execute(json!({"host": "bash", "command": asks, "timeout": 60}));
    let id = ran.expect("it asks").id;
    for round in 1..=rounds {
        let typed = json!({"command_id": &id, "text": format!("n{round}")});
        let typed = shim.call("send_input", typed).expect("it is typed");
        assert_eq!(typed["settled"], true, "{typed}");
    }
    shim.call("close_session", json!({"all": true})).expect("closed");
    let text = log(&bed, "bash");
    let (_, events) = cast(&bed, "bash");
    for round in 1..=rounds {
        let said = format!("name {round}? n{round}\nhello n{round}\n");
        assert!(text.contains(&said), "{said:?} in\n{text}");
        assert!(shown(&events).contains(&said.replace('\n', "\r\n")), "{said:?}");
    }
    shim.close();
    bed.finish();
}
