//! TOML as text: a table is put behind everything else, or taken out by its lines. Whether the result says what it should is
//! judged by who calls.

use serde_json::Value;

use super::{Entry, Wrong};

/// What a text says.
pub(crate) fn read(text: &str) -> Result<Value, Wrong> {
    let table: toml::Table = toml::from_str(text)
        .map_err(|error| Wrong::at(text, error.span().map_or(text.len(), |span| span.start)))?;
    serde_json::to_value(table).map_err(|_| Wrong::Unsure)
}

/// The text with a table behind it.
pub(crate) fn with(text: &str, entry: &Entry) -> String {
    let mut name: Vec<&str> = entry.path.iter().map(String::as_str).collect();
    name.push(&entry.name);
    behind(text, &table(&name, &entry.fields))
}

/// A text with a block behind it, a blank line between.
pub(crate) fn behind(text: &str, block: &str) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut whole = text.to_owned();
    if !whole.is_empty() {
        if !whole.ends_with('\n') {
            whole.push_str(newline);
        }
        whole.push_str(newline);
    }
    whole.push_str(&block.replace('\n', newline));
    whole
}

/// A table of its own, line by line.
pub(crate) fn table(name: &[&str], fields: &[(String, Value)]) -> String {
    let name: Vec<String> = name.iter().map(|part| key(part)).collect();
    let mut block = format!("[{}]\n", name.join("."));
    for (name, field) in fields {
        block.push_str(&format!("{} = {}\n", key(name), value(field)));
    }
    block
}

fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if bare { name.to_owned() } else { text(name) }
}

/// In one line, whatever is in it: JSON's escapes are TOML's, but for the last control character.
fn text(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => self::text(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(self::value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, field)| format!("{} = {}", key(name), self::value(field)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}

/// The text without the lines of a table and of those below it. Blank lines and remarks over the next table are that one's.
pub(crate) fn without(text: &str, path: &[String], name: &str) -> String {
    let own: Vec<&str> = path.iter().map(String::as_str).chain([name]).collect();
    let mut kept: Vec<&str> = Vec::new();
    // Of a table that goes, what may belong to the next one.
    let mut pending: Vec<&str> = Vec::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        if let Some(header) = header(line) {
            let ours = header
                .iter()
                .map(String::as_str)
                .take(own.len())
                .eq(own.iter().copied());
            if ours && !inside && kept.last().is_some_and(|last| last.trim().is_empty()) {
                kept.pop();
            }
            if inside && !ours {
                kept.append(&mut pending);
            }
            pending.clear();
            inside = ours;
        }
        if !inside {
            kept.push(line);
        } else if line.trim().is_empty() || line.trim_start().starts_with('#') {
            pending.push(line);
        } else {
            pending.clear();
        }
    }
    // Remarks behind everything are somebody's; blank lines are not.
    if pending.iter().any(|line| !line.trim().is_empty()) {
        kept.append(&mut pending);
    }
    kept.concat()
}

/// The name in a table's head.
fn header(line: &str) -> Option<Vec<String>> {
    if !line.trim_start().starts_with('[') {
        return None;
    }
    let table: toml::Table = toml::from_str(line.trim()).ok()?;
    let mut name = Vec::new();
    let mut value = toml::Value::Table(table);
    loop {
        value = match value {
            toml::Value::Array(items) => items.into_iter().next()?,
            other => other,
        };
        let toml::Value::Table(table) = value else {
            return Some(name);
        };
        match table.into_iter().next() {
            Some((key, inner)) => {
                name.push(key);
                value = inner;
            }
            None => return Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Language;
    use super::*;

    fn entry() -> Entry {
        Entry {
            path: vec!["mcp_servers".to_owned()],
            name: "ssh".to_owned(),
            fields: vec![("command".to_owned(), "/b/mcp \"ssh\"".into())],
        }
    }

    fn without(text: &str) -> Result<String, Wrong> {
        let Entry { path, name, .. } = entry();
        Language::Toml.without(text, &path, &name, 1)
    }

    /// The rest stays, and taking it out is the same text again.
    #[test]
    fn put_in_and_taken_out() {
        for text in [
            "",
            "# mine\nmodel = \"o\" # remark\n\n[mcp_servers.a]\ncommand = \"x\"\n",
            "[mcp_servers]\na = { command = \"x\" }\n",
            "a = 1\r\n",
        ] {
            let changed = Language::Toml.with(text, &entry()).expect(text);
            assert!(changed.starts_with(text), "{changed}");
            assert_eq!(without(&changed).as_deref(), Ok(text), "{changed}");
        }
        assert_eq!(
            Language::Toml.with("a = 1", &entry()).as_deref(),
            Ok("a = 1\n\n[mcp_servers.ssh]\ncommand = \"/b/mcp \\\"ssh\\\"\"\n")
        );
    }

    /// What others added to it goes with it, what they wrote behind it stays.
    #[test]
    fn taken_out_of_a_file_that_changed() {
        let text = "a = 1\n\n[mcp_servers.ssh]\ncommand = \"x\"\n[mcp_servers.ssh.tools.t]\nmode = \"m\"\n\n# of the next\n[mcp_servers.b]\nt = \"\"\"\n[mcp_servers.ssh]\n\"\"\"\n";
        // A head within a text of several lines is not taken for one: the result would say something else.
        assert_eq!(without(text), Err(Wrong::Unsure));
        let text = text.replace("[mcp_servers.ssh]\n\"\"\"", "\"\"\"");
        assert_eq!(
            without(&text).as_deref(),
            Ok("a = 1\n\n# of the next\n[mcp_servers.b]\nt = \"\"\"\n\"\"\"\n")
        );
        assert_eq!(
            without("mcp_servers = { ssh = { command = \"x\" } }\n"),
            Err(Wrong::Unsure)
        );
        assert_eq!(
            without("[mcp_servers.ssh]\ncommand = 1\n# mine\n").as_deref(),
            Ok("# mine\n")
        );
    }

    /// What is not understood is refused with its place.
    #[test]
    fn refused() {
        assert_eq!(read("a = 1\nb = \n"), Err(Wrong::Syntax { line: 2, column: 5 }));
        let inline = "mcp_servers = { a = 1 }\n";
        assert!(Language::Toml.with(inline, &entry()).is_err());
        let taken = "[mcp_servers.ssh]\nurl = \"x\"\n";
        assert_eq!(
            Language::Toml.with(taken, &entry()),
            Err(Wrong::Shape("ssh".to_owned()))
        );
    }
}
