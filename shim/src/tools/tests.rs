//! The list of tools as an agent sees it, and rules that every tool keeps.

use std::{env, fs, path::Path};

use rmcp::model::JsonObject;
use serde_json::{Value, json};
use sshmcp_proto::v1::Reason;

use super::*;
use crate::{arguments, profile};

/// Names, descriptions and input schemas of these tools together: their share of the 9 KB of all sixteen.
const LISTED_BYTES: usize = 7_850;
/// The longest description.
const DESCRIPTION_BYTES: usize = 600;
/// The longest name.
const NAME_LETTERS: usize = 24;

fn snapshot() -> Value {
    let listed: Vec<_> = catalog(false).listed().iter().map(|tool| json!(tool)).collect();
    json!({ "tools": listed })
}

fn object(value: &Value) -> JsonObject {
    value.as_object().cloned().unwrap_or_default()
}

/// A word that an agent reads is changed on purpose only; `UPDATE_SNAPSHOTS=1` writes the new list.
#[test]
fn the_list_is_the_reviewed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/snapshots/tools.json");
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let text = serde_json::to_string_pretty(&snapshot()).expect("JSON");
        fs::write(&path, text + "\n").expect("the snapshot is written");
    }
    let reviewed = fs::read_to_string(&path).expect("the snapshot is there");
    let reviewed: Value = serde_json::from_str(&reviewed).expect("the snapshot is JSON");
    assert_eq!(
        snapshot(),
        reviewed,
        "run with UPDATE_SNAPSHOTS=1 and review the difference"
    );
}

/// What every conversation pays for stays small.
#[test]
fn the_list_is_small() {
    let mut total = 0;
    for entry in &catalog(false).0 {
        let Tool {
            name, description, ..
        } = entry.tool;
        assert!(name.len() <= NAME_LETTERS, "{name}");
        assert!(
            description.len() < DESCRIPTION_BYTES,
            "{name}: {}",
            description.len()
        );
        total += name.len() + description.len() + json!(*entry.listed.input_schema).to_string().len();
    }
    assert!(total <= LISTED_BYTES, "{total} bytes");
}

/// Clients differ in what they take: nothing but flat objects of plainly typed parameters reaches them.
#[test]
fn schemas_are_flat() {
    let text = snapshot().to_string();
    for forbidden in [
        "$ref",
        "anyOf",
        "oneOf",
        "allOf",
        "\"format\"",
        "x-hidden",
        "x-maximum",
        "\"null\"",
        "$schema",
    ] {
        assert!(!text.contains(forbidden), "{forbidden}");
    }
    for entry in &catalog(false).0 {
        let name = entry.tool.name;
        let input = &entry.listed.input_schema;
        assert_eq!(input.get("type"), Some(&json!("object")), "{name}");
        assert_eq!(input.get("additionalProperties"), Some(&json!(false)), "{name}");
        for (parameter, property) in input
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let kind = property.get("type").and_then(Value::as_str).unwrap_or_default();
            assert!(
                ["string", "number", "integer", "boolean", "array"].contains(&kind),
                "{name}.{parameter}: {property}"
            );
        }
        let output = entry.listed.output_schema.as_ref().expect("every tool has one");
        assert_eq!(output.get("type"), Some(&json!("object")), "{name}");
        assert_eq!(
            output.get("required"),
            None,
            "{name}: an error is held against it too"
        );
        assert!(
            entry.listed.title.is_some() && entry.listed.annotations.is_some(),
            "{name}"
        );
    }
}

/// A model is not invited to handle secrets, yet a client that has them is not refused.
#[test]
fn secrets_are_accepted_and_not_listed() {
    let text = snapshot().to_string();
    for secret in ["\"password\"", "sudo_password", "enable_password"] {
        assert!(
            !text.contains(&format!("{}:", secret.replace('"', ""))) && !text.contains(secret),
            "{secret}"
        );
    }
    let catalog = catalog(false);
    let execute = catalog.find("execute_command").expect("built");
    let given =
        json!({"command": "c", "host": "h", "password": "p", "sudo_password": "s", "enable_password": "e"});
    assert!(arguments::check(&execute.properties, &execute.required, object(&given)).is_ok());
}

/// Where the owner of the configuration wants it so, they are listed; nothing else is, and what is accepted is the same.
#[test]
fn secrets_are_listed_where_that_is_wanted() {
    let (plain, exposed) = (catalog(false), catalog(true));
    let mut more = Vec::new();
    for (entry, with) in plain.0.iter().zip(&exposed.0) {
        assert_eq!(entry.properties, with.properties);
        let names = |entry: &Entry| -> Vec<String> {
            let properties = entry
                .listed
                .input_schema
                .get("properties")
                .and_then(Value::as_object)
                .cloned();
            properties
                .unwrap_or_default()
                .into_iter()
                .map(|(name, _)| name)
                .collect()
        };
        let listed = names(entry);
        let new = names(with).into_iter().filter(|name| !listed.contains(name));
        more.extend(new.map(|name| format!("{}.{name}", entry.tool.name)));
        assert!(
            !json!(*with.listed.input_schema).to_string().contains("x-"),
            "no mark is listed"
        );
    }
    let secrets = [
        "open_session.password",
        "execute_command.enable_password",
        "execute_command.password",
        "execute_command.sudo_password",
        "read_file.password",
        "read_file.sudo_password",
        "write_file.password",
        "write_file.sudo_password",
    ];
    assert_eq!(more, secrets);
}

/// Every parameter of every tool takes null as absent, and refuses what cannot be meant by its own name.
#[test]
fn every_parameter_is_checked() {
    for entry in &catalog(false).0 {
        let name = entry.tool.name;
        for parameter in entry.properties.keys() {
            for (value, fits) in [(Value::Null, true), (json!({"a": 1}), false)] {
                let given = JsonObject::from_iter([(parameter.clone(), value)]);
                let checked = arguments::check(&entry.properties, &[], given);
                assert_eq!(checked.is_ok(), fits, "{name}.{parameter}");
                if let Err(fault) = checked {
                    assert_eq!(fault.reason, Reason::InvalidArgument);
                    assert!(fault.message.contains(&format!("`{parameter}`")), "{fault}");
                }
            }
        }
        let unknown = JsonObject::from_iter([("no_such_thing".to_owned(), json!(1))]);
        let fault = arguments::check(&entry.properties, &[], unknown).expect_err("refused");
        assert_eq!(fault.message, "unknown parameter `no_such_thing`", "{name}");
        assert!(!fault.hint.is_empty(), "{name}");
    }
}

/// Calls of the predecessors' clients fit our schemas after renaming.
#[test]
fn calls_by_other_names_fit() {
    let catalog = catalog(false);
    for (name, given) in [
        ("list_available_configs", json!({})),
        ("get_server_info", json!({"connection_config_name": "w"})),
        (
            "open_connection",
            json!({"connection_name": "w", "session_name": "s"}),
        ),
        ("list_connections", json!({})),
        ("close_connection", json!({"session_name": "s"})),
        ("close_all_sessions", json!({})),
        ("close_session", json!({"host": "w", "username": "u", "port": 22})),
        (
            "execute_command_async",
            json!({"host": "w", "command": "c", "timeout": 300, "password": "p", "key_filename": "k"}),
        ),
        ("list_running_commands", json!({})),
        ("list_command_history", json!({"limit": 5})),
        ("get_command_status", json!({"command_id": "c1"})),
        ("interrupt_command_by_id", json!({"command_id": "c1"})),
        (
            "interrupt_command",
            json!({"host": "w", "username": "u", "port": 22}),
        ),
        (
            "read_screen",
            json!({"host": "w", "username": "u", "port": 22, "max_lines": 24}),
        ),
        (
            "get_terminal_output",
            json!({"session_name": "s", "num_lines": 200}),
        ),
        ("send_input", json!({"command_id": "c1", "input_text": "yes\\n"})),
        (
            "send_input_by_session",
            json!({"host": "w", "input_text": "yes\\n", "username": "u", "port": 22}),
        ),
        (
            "send_keys",
            json!({"host": "w", "keys": ":q<enter>", "username": "u", "port": 22}),
        ),
        (
            "read_file",
            json!({"host": "w", "remote_path": "/x", "username": "u", "password": "p", "key_filename": "k", "port": 22,
                "encoding": "utf-8", "errors": "replace", "max_bytes": 100, "sudo_password": "s", "use_sudo": true}),
        ),
        (
            "write_file",
            json!({"host": "w", "remote_path": "/x", "content": "c", "username": "u", "password": "p", "key_filename": "k",
                "port": 22, "encoding": "utf-8", "errors": "strict", "append": true, "make_dirs": true, "permissions": 420,
                "max_bytes": 100, "sudo_password": "s", "use_sudo": false}),
        ),
    ] {
        let plan = profile::plan(name, object(&given));
        let entry = catalog.find(plan.tool).expect("a tool");
        let checked = arguments::check(
            &entry.properties,
            &entry.required,
            plan.arguments.expect("renamed"),
        );
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}
