//! What a file is read by: links that lead nowhere, places behind its end, limits below a character.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use super::Files;

/// A link that leads nowhere is said to, by its end; one in a circle as well, whatever the call.
#[test]
fn links_that_lead_nowhere() {
    let mut files = Files::new();
    for (name, to) in [
        ("self", "self"),
        ("one", "two"),
        ("two", "one"),
        ("gone", "nothing"),
    ] {
        symlink(to, files.path(name)).expect("a link");
    }
    for name in ["self", "one"] {
        let error = files.read(files.path(name), json!({})).expect_err("a circle");
        assert_eq!(error.code, "invalid_argument", "{error:?}");
        assert!(error.message.contains("leads to no end"), "{error:?}");
    }
    let error = files.read(files.path("gone"), json!({})).expect_err("nothing");
    assert_eq!(error.code, "not_found", "{error:?}");
    let end = files.path("nothing").display().to_string();
    assert!(
        error
            .message
            .contains(&format!("is a link to {end}, which is not there")),
        "{error:?}"
    );
    files.finish(&["gone", "one", "self", "two"]);
}

/// Behind the end is nothing, however far: also where no file system has a place.
#[test]
fn far_behind_the_end() {
    let mut files = Files::new();
    let path = files.put("short", "text\n");
    let empty = files.put("empty", "");
    for path in [path, empty] {
        for offset in [5, 1 << 31, 1 << 53, i64::MAX as u64, 1 << 63, u64::MAX] {
            let read = files.read(&path, json!({"offset": offset})).expect("nothing");
            assert_eq!(
                (&read["content"], &read["eof"], &read["sha256"]),
                (&json!(""), &json!(true), &Value::Null),
                "{read}"
            );
        }
    }
    files.finish(&["empty", "short"]);
}

/// Who reads on comes to the end, whatever the limit: a character that is longer is given as a whole.
#[test]
fn limits_below_a_character() {
    let mut files = Files::new();
    for (encoding, text) in [("utf-8", "a€😀ü\n".repeat(3)), ("utf-16-le", "a€😀\n".to_owned())] {
        files
            .write(files.path("text"), json!({"content": text, "encoding": encoding}))
            .expect("written");
        for limit in 1..5 {
            let (mut whole, mut offset) = (String::new(), 0);
            loop {
                let piece =
                    json!({"offset": offset, "limit": limit, "encoding": encoding, "errors": "strict"});
                let piece = files.read(files.path("text"), piece).expect("read");
                whole.push_str(piece["content"].as_str().expect("text"));
                let next = piece["next_offset"].as_u64().expect("a number");
                if piece["eof"] == true {
                    break;
                }
                assert!(next > offset, "{piece}");
                offset = next;
            }
            assert_eq!(whole, text, "{encoding}, {limit} at a time");
        }
    }
    files.finish(&["text"]);
}

/// A mode that is written as people write modes is no decimal number, and nothing is done.
#[test]
fn permissions_in_octal() {
    let mut files = Files::new();
    let write = json!({"content": "x", "permissions": "0644"});
    let error = files.write(files.path("file"), write).expect_err("which?");
    assert_eq!(error.code, "invalid_argument", "{error:?}");
    for (given, mode) in [(json!("420"), "0644"), (json!(384), "0600")] {
        let write = json!({"content": "x", "permissions": given});
        let written = files.write(files.path("file"), write).expect("written");
        assert_eq!(written["mode"], mode, "{written}");
    }
    let edit = json!({"old_text": "x", "new_text": "x\n"});
    let edited = files.write(files.path("file"), edit).expect("edited");
    assert_eq!(
        edited["diff"], "@@ -1,1 +1,1 @@\n-x\n\\ No newline at end of file\n+x\n",
        "{edited}"
    );
    assert_eq!(fs::read(files.path("file")).expect("there"), b"x\n");
    files.finish(&["file"]);
}
