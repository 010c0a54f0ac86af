//! The YAML of mcp-ssh-interactive: its connections in our words. Whether they are right is for the daemon's check.

use std::path::Path;

use serde_json::Value;

use super::{Found, yaml};
use crate::edit::Wrong;

/// Its files below the home, the one with precedence first.
pub(crate) const FILES: [&str; 2] = [".ssh_mcp_config.yml", ".mcp-ssh-interactive/config.yml"];

/// Where its notes are that are named without a directory.
const NOTES: &str = "~/.mcp-ssh-interactive/info";

/// Fields that are whole numbers; all others are what they are written as.
const NUMBERS: [&str; 2] = ["port", "orphan_after"];

/// The order in which a person reads them; others behind.
const ORDER: [&str; 7] = [
    "host",
    "user",
    "port",
    "key_path",
    "password",
    "description",
    "notes_path",
];

/// Reads a file's text.
pub(crate) fn read(text: &str, file: &Path) -> Result<Vec<Found>, Wrong> {
    let whole = yaml::read(text)?;
    let connections = match whole.get("connections") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(connections) => connections
            .as_object()
            .ok_or_else(|| Wrong::Shape("connections".to_owned()))?,
    };
    let connection = |(name, value): (&String, &Value)| {
        let fields = value.as_object().ok_or_else(|| Wrong::Shape(name.clone()))?;
        let there = fields.iter().filter(|(_, value)| !value.is_null());
        let mut fields: Vec<(String, Value)> = there.map(|(key, value)| field(key, value, file)).collect();
        fields.sort_by_key(|(key, _)| ORDER.iter().position(|one| one == key).unwrap_or(ORDER.len()));
        Ok(Found {
            name: name.clone(),
            fields,
            source: file.display().to_string(),
        })
    };
    connections.iter().map(connection).collect()
}

fn field(key: &str, value: &Value, file: &Path) -> (String, Value) {
    let key = if key == "info_file" { "notes_path" } else { key };
    let value = match value {
        // What is no number there, the check refuses.
        Value::String(number) if NUMBERS.contains(&key) => {
            let parsed = number.parse::<i64>().ok();
            parsed.map_or_else(|| value.clone(), Value::from)
        }
        Value::String(path) if path.starts_with(['/', '~']) => path.as_str().into(),
        Value::String(name) if key == "notes_path" => format!("{NOTES}/{name}").into(),
        // It begins at the configuration's directory, which is another now.
        Value::String(path) if key == "key_path" => {
            let directory = file.parent().unwrap_or(Path::new("/"));
            directory.join(path).display().to_string().into()
        }
        value => value.clone(),
    };
    (key.to_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What YAML takes for a number or a truth is the text that it was for the daemon, which reads the same file.
    #[test]
    fn scalars() {
        let text = "base: &base {user: 007, password: 0123}\nconnections:\n  a: {<<: *base, host: 10.0, port: \"2222\"}\n  b: {host: h, password: yes, description: 1e3}\n";
        let found = read(text, Path::new("/x.yml")).expect("YAML");
        let fields = |at: usize| -> Value {
            found[at]
                .fields
                .iter()
                .cloned()
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        assert_eq!(
            fields(0),
            serde_json::json!({"host": "10.0", "user": "007", "port": 2222, "password": "0123"})
        );
        assert_eq!(
            fields(1),
            serde_json::json!({"host": "h", "password": "yes", "description": "1e3"})
        );
    }

    /// Its fields have our names, relative files their whole path.
    #[test]
    fn connections() {
        let text = "# mine\nconnections:\n  web1:\n    host: web1.example.org\n    user: deploy\n    port: 2222\n    key_path: keys/id\n    info_file: notes.md\n    description: \n  db: {host: db, password: 123}\n";
        let found = read(text, Path::new("/home/u/.ssh_mcp_config.yml")).expect("YAML");
        let [db, web1] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(
            db.fields,
            [
                ("host".to_owned(), "db".into()),
                ("password".to_owned(), "123".into())
            ]
        );
        assert_eq!(web1.name, "web1");
        let get = |key: &str| {
            web1.fields
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.clone())
        };
        assert_eq!(get("port"), Some(2222.into()));
        assert_eq!(get("key_path"), Some("/home/u/keys/id".into()));
        assert_eq!(
            get("notes_path"),
            Some("~/.mcp-ssh-interactive/info/notes.md".into())
        );
        assert_eq!(get("description"), None);
        for (text, count) in [("", 0), ("connections:\n", 0), ("other: 1\n", 0)] {
            assert_eq!(read(text, Path::new("/x")).expect(text).len(), count);
        }
        let wrong =
            read("connections:\n  a:\n    password: [hunter2\n", Path::new("/x")).expect_err("no YAML");
        assert!(
            matches!(wrong, Wrong::Syntax { .. }) && !wrong.to_string().contains("hunter2"),
            "{wrong}"
        );
        assert_eq!(
            read("connections: 1\n", Path::new("/x")),
            Err(Wrong::Shape("connections".to_owned()))
        );
    }
}
