//! One shape for programs: what a tool answers in its structured content, `sshctl` prints with `--json`, by the same names.

use serde_json::{Value, json};
use sshmcp_tests::{Shim, TestBed};

/// What differs between two looks, or is who asked.
const MOVES: [&str; 8] = [
    "client",
    "cursor",
    "offset",
    "duration_ms",
    "idle_seconds",
    "text",
    "lines",
    "row",
];

/// Whatever the tool tells, the person's program tells as well.
fn agree(what: &str, tool: &Value, person: &Value) {
    match (tool, person) {
        (Value::Object(tool), Value::Object(person)) => {
            for (name, value) in tool {
                let moves = MOVES.contains(&name.as_str()) || name.ends_with("_ago");
                let other = person
                    .get(name)
                    .unwrap_or_else(|| panic!("{what}: no {name} in {person:?}"));
                // A list carries no output, and a person's program gives what it has.
                if !moves && !value.is_null() {
                    agree(&format!("{what}.{name}"), value, other);
                }
            }
        }
        (Value::Array(tool), Value::Array(person)) => {
            assert_eq!(tool.len(), person.len(), "{what}: {tool:?} {person:?}");
            for (tool, person) in tool.iter().zip(person) {
                agree(what, tool, person);
            }
        }
        _ => assert_eq!(tool, person, "{what}"),
    }
}

fn person(bed: &TestBed, arguments: &[&str]) -> Value {
    let output = bed.ctl(&[arguments, &["--json"]].concat());
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
}

/// Verb by verb.
#[test]
fn tools_and_verbs_answer_alike() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let ran = shim.run("dash", "echo out; echo err >&2; (exit 3)");
    let id = ran.id.as_str();
    let mut compare = |tool: &str, arguments: Value, verb: &[&str]| {
        let answer = shim.call(tool, arguments).expect(tool);
        agree(tool, &answer, &person(&bed, verb));
    };
    let session = json!({"session": "dash"});
    compare("list_sessions", json!({}), &["sessions"]);
    compare("list_hosts", json!({}), &["hosts"]);
    compare(
        "get_active_commands",
        json!({"finished": 5}),
        &["commands", "--finished", "5"],
    );
    compare("get_command_output", json!({"command_id": id}), &["output", id]);
    compare("get_terminal_output", session.clone(), &["screen", "dash"]);
    compare("interrupt_command", session, &["interrupt", "dash"]);
    compare("wait_for", json!({"sessions": ["dash"]}), &["wait", "dash"]);
    compare("wait_for", json!({"commands": [id]}), &["wait", id]);
    compare("open_session", json!({"host": "dash"}), &["open", "dash"]);
    compare("open_session", json!({"host": "dash"}), &["login", "dash"]);
    compare(
        "send_input",
        json!({"session": "dash", "text": ":"}),
        &["send", "dash", "--text", ":"],
    );
    let refused = shim
        .call("interrupt_command", json!({"session": "none"}))
        .expect_err("none");
    let told = person(&bed, &["interrupt", "none"])["error"].clone();
    assert_eq!(
        (&told["code"], &told["message"]),
        (&json!(refused.code), &json!(refused.message))
    );
    assert!(refused.hint.contains("list_sessions"), "{refused:?}");
    let hint = told["hint"].as_str().unwrap_or_default();
    assert!(
        hint.contains("sshctl sessions") && !hint.contains("list_sessions"),
        "{told}"
    );
    followed(&bed, id);
    agree_of_closing(&bed, &mut shim);
    shim.close();
    bed.finish();
}

/// What is followed comes in lines, the last of which is the command.
fn followed(bed: &TestBed, id: &str) {
    let output = bed.ctl(&["output", id, "--follow", "--json"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let (last, pieces) = lines.split_last().expect("a line");
    let of = |name: &str| -> String { pieces.iter().filter_map(|piece| piece[name].as_str()).collect() };
    assert_eq!(
        (of("stdout"), of("stderr")),
        ("out\n".to_owned(), "err\n".to_owned()),
        "{text}"
    );
    assert_eq!(
        (&last["command_id"], &last["exit_code"]),
        (&json!(id), &json!(3)),
        "{text}"
    );
}

fn agree_of_closing(bed: &TestBed, shim: &mut Shim) {
    let close = json!({"session": "dash"});
    let tool = shim.call("close_session", close).expect("closed");
    shim.run("dash", "true");
    agree("close_session", &tool, &person(bed, &["close", "dash"]));
}
