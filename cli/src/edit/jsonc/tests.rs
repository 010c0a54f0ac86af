//! Entries put into texts of many shapes, and taken out again.

use super::*;
use crate::edit::Language;

fn entry() -> Entry {
    Entry {
        path: vec!["servers".to_owned()],
        name: "ssh".to_owned(),
        fields: vec![
            ("type".to_owned(), "stdio".into()),
            ("command".to_owned(), "/b/mcp-ssh".into()),
        ],
    }
}

fn with(text: &str) -> String {
    Language::Json.with(text, &entry()).expect(text)
}

fn without(text: &str, made: usize) -> String {
    let Entry { path, name, .. } = entry();
    Language::Json.without(text, &path, &name, made).expect(text)
}

/// Remarks, trailing commas, indentation, line ends and the order of others stay; and taking it out is the same text again.
#[test]
fn put_in_and_taken_out() {
    for (text, made) in [
        (
            "{\n  // mine\n  \"theme\": \"One\", // remark\n  \"servers\": { // all\n    \"a\": {\"command\": \"x\"}, /* b */\n  },\n}\n",
            0,
        ),
        ("{\n\t\"servers\": {\n\t\t\"a\": 1\n\t},\n\t\"z\": [1, 2,]\n}", 0),
        ("{\r\n    \"servers\": {\r\n        \"a\": 1\r\n    }\r\n}\r\n", 0),
        ("{\n  \"servers\": {}\n}\n", 0),
        ("{\n  \"other\": {\n    \"b\": true\n  }\n}\n", 1),
        ("{\"servers\":{\"a\":1},\"n\":null}", 0),
        ("{\"n\":null}", 1),
        ("{ \"servers\": { \"a\": 1 } }", 0),
        ("{\n  // nothing yet\n  \"servers\": {\n    // none\n  }\n}\n", 0),
        ("{}", 1),
        ("{}\n", 1),
        ("// head\n{\n}\n", 1),
        ("\u{feff}{\"servers\": {\"ä\": \"\\\"}{\"}}", 0),
    ] {
        let changed = with(text);
        let value = Language::Json.read(&changed).expect("read").expect("something");
        assert_eq!(value["servers"]["ssh"]["command"], "/b/mcp-ssh", "{changed}");
        let back = without(&changed, made);
        if text.contains("{\n}") {
            assert_eq!(back, "// head\n{}\n", "what is empty may close up");
        } else {
            assert_eq!(back, text, "by way of {changed}");
        }
    }
}

/// As a person would have written it.
#[test]
fn looks_right() {
    assert_eq!(
        with("{\n  \"servers\": { // all\n    \"a\": 1\n  }\n}\n"),
        "{\n  \"servers\": { // all\n    \"ssh\": {\n      \"type\": \"stdio\",\n      \"command\": \"/b/mcp-ssh\"\n    },\n    \"a\": 1\n  }\n}\n"
    );
    assert_eq!(
        with("{\"n\":1}"),
        "{\"servers\":{\"ssh\":{\"type\":\"stdio\",\"command\":\"/b/mcp-ssh\"}},\"n\":1}"
    );
    let fresh = "{\n  \"servers\": {\n    \"ssh\": {\n      \"type\": \"stdio\",\n      \"command\": \"/b/mcp-ssh\"\n    }\n  }\n}\n";
    assert_eq!(with(""), fresh);
    assert_eq!(with("{}\n"), fresh);
    assert_eq!(without(fresh, 1), "{}\n");
    assert_eq!(without(fresh, 0), "{\n  \"servers\": {}\n}\n");
}

/// It is found and taken out wherever another program has put it since.
#[test]
fn taken_out_of_a_file_that_changed() {
    for (text, made, rest) in [
        (
            "{\"servers\": {\"a\": 1, \"ssh\": {}, \"b\": 2}}",
            1,
            "{\"servers\": {\"a\": 1, \"b\": 2}}",
        ),
        (
            "{\"servers\": {\"a\": 1, \"ssh\": {}}}",
            1,
            "{\"servers\": {\"a\": 1}}",
        ),
        (
            "{\"servers\":{\"a\":1,\"ssh\":{\"command\":\"x\"}}}",
            1,
            "{\"servers\":{\"a\":1}}",
        ),
        (
            "{\n  \"servers\": {\n    \"a\": 1, // one\n    \"ssh\": {\n      \"x\": [1]\n    }\n  }\n}\n",
            0,
            "{\n  \"servers\": {\n    \"a\": 1 // one\n  }\n}\n",
        ),
        (
            "{\n  \"servers\": {\n    \"ssh\": {} // ours\n    , \"a\": 1\n  }\n}",
            0,
            "{\n  \"servers\": {\n     // ours\n     \"a\": 1\n  }\n}",
        ),
        ("{\"servers\": {}}", 1, "{\"servers\": {}}"),
        // What was made for it stays where somebody left a remark.
        (
            "{\n  \"servers\": {\n    // mine\n    \"ssh\": {}\n  }\n}",
            1,
            "{\n  \"servers\": {\n    // mine\n  }\n}",
        ),
    ] {
        assert_eq!(without(text, made), rest);
    }
}

/// What is not understood is refused with its place, and without what stands there.
#[test]
fn refused() {
    for (text, line, column) in [
        ("{\"a\": hunter2}", 1, 7),
        ("{\n \"a\": 1\n \"b\": 2}", 3, 2),
        ("[]", 1, 1),
        ("{} x", 1, 4),
        ("{\"a\": \"x", 1, 7),
        ("{ /* x", 1, 3),
        ("{\"a\": {", 1, 8),
    ] {
        assert_eq!(
            Document::parse(text).err(),
            Some(Wrong::Syntax { line, column }),
            "{text}"
        );
    }
    let deep = format!("{{\"a\": {}", "[".repeat(10_000));
    assert!(Document::parse(&deep).is_err());
    for text in [
        "{\"servers\": 1}",
        "{\"servers\": {}, \"servers\": {}}",
        "{\"servers\": {\"ssh\": 1}}",
    ] {
        assert!(
            matches!(Language::Json.with(text, &entry()), Err(Wrong::Shape(_))),
            "{text}"
        );
    }
}
