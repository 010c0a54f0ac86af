//! Connections of other programs, written behind everything else in `config.toml`. What is there already stays as it is; what
//! would not be right there is left out.

pub(crate) mod interactive;
pub(crate) mod session;
mod yaml;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde_json::{Value, json};

use crate::edit::tables;

/// Fields that hold a secret, and what is added to a connection's name to name it in the keyring.
const SECRETS: [(&str, &str); 3] = [
    ("password", ""),
    ("sudo_password", "-sudo"),
    ("enable_password", "-enable"),
];

/// What stands for a secret where it is shown.
const HIDDEN: &str = "(not shown)";

/// A connection as another program has it, in our words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// Its name.
    pub(crate) name: String,
    /// Its fields, in order.
    pub(crate) fields: Vec<(String, Value)>,
    /// Where it was found.
    pub(crate) source: String,
}

/// A connection that is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Its name.
    pub(crate) name: String,
    /// Where it was found.
    pub(crate) source: String,
    /// Why.
    pub(crate) why: String,
}

/// What to do with secrets that are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// They go into the file.
    Written,
    /// They go into the keyring.
    Keyring,
    /// They are left out.
    Dropped,
}

/// A file as it would be.
pub(crate) struct Draft {
    /// Its text.
    pub(crate) text: String,
    /// The same without secrets.
    pub(crate) shown: String,
    /// Which of the connections has which lines, from 1.
    pub(crate) lines: Vec<Range<usize>>,
    /// A secret stands in what is new.
    pub(crate) is_secret: bool,
}

impl Found {
    /// Changes the secrets that are written out; those for the keyring come back with their names there.
    pub(crate) fn treat(&mut self, secrets: Secrets) -> Vec<(String, String)> {
        let mut stored = Vec::new();
        if secrets == Secrets::Written {
            return stored;
        }
        for (key, ending) in SECRETS {
            let place = self
                .fields
                .iter()
                .position(|(name, value)| name == key && value.is_string());
            let Some(place) = place else { continue };
            let (_, value) = self.fields.remove(place);
            if secrets == Secrets::Keyring {
                let name = format!("{}{ending}", self.name);
                self.fields
                    .insert(place, (key.to_owned(), json!({ "keyring": &name })));
                stored.push((name, value.as_str().unwrap_or_default().to_owned()));
            }
        }
        stored
    }

    fn is_secret(&self) -> bool {
        let is_one = |(name, value): &(String, Value)| {
            (value.is_string() && SECRETS.iter().any(|(key, _)| key == name)) || name == "secrets"
        };
        self.fields.iter().any(is_one)
    }

    /// Its fields as they may be shown.
    fn shown(&self) -> Vec<(String, Value)> {
        let hide = |(name, value): &(String, Value)| {
            let secret = SECRETS.iter().any(|(key, _)| key == name) && value.is_string();
            let value = if secret || name == "secrets" {
                HIDDEN.into()
            } else {
                value.clone()
            };
            (name.clone(), value)
        };
        self.fields.iter().map(hide).collect()
    }
}

/// Puts the new ones apart from those that are in the file, or twice among them.
pub(crate) fn sort(found: Vec<Found>, configured: &Value) -> (Vec<Found>, Vec<Left>) {
    let mut names: BTreeMap<String, String> = configured
        .get("connections")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| (name.clone(), "config.toml has it already".to_owned()))
        .collect();
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for one in found {
        let Found { name, source, .. } = &one;
        if let Some(why) = names.get(name) {
            left.push(Left {
                name: name.clone(),
                source: source.clone(),
                why: why.clone(),
            });
        } else {
            names.insert(name.clone(), format!("{source} has it, too"));
            taken.push(one);
        }
    }
    (taken, left)
}

/// The file with these connections behind what is there.
pub(crate) fn draft(text: &str, taken: &[Found]) -> Draft {
    let mut draft = Draft {
        text: text.to_owned(),
        shown: text.to_owned(),
        lines: Vec::new(),
        is_secret: taken.iter().any(Found::is_secret),
    };
    let mut source = "";
    for found in taken {
        let name = ["connections", &found.name];
        let remark = if found.source == source {
            String::new()
        } else {
            format!("# from {}\n", remark(&found.source))
        };
        source = &found.source;
        let block = |fields: &[(String, Value)]| format!("{remark}{}", tables::table(&name, fields));
        draft.text = tables::behind(&draft.text, &block(&found.fields));
        draft.shown = tables::behind(&draft.shown, &block(&found.shown()));
        let last = draft.text.lines().count();
        draft
            .lines
            .push(last + 1 - block(&found.fields).lines().count()..last + 1);
    }
    draft
}

/// One line, whatever the name of a file has in it.
fn remark(source: &str) -> String {
    source
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// What a check says of a draft: a problem and its line, where it has one. `file` is what the check calls it.
pub(crate) fn problems(said: &str, file: &Path) -> Vec<(Option<usize>, String)> {
    let name = file.display().to_string();
    said.lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(&name)?.strip_prefix(':')?;
            if let Some(message) = rest.strip_prefix(' ') {
                return Some((None, message.to_owned()));
            }
            let (number, rest) = rest.split_once(':')?;
            let (_, message) = rest.split_once(": ")?;
            Some((number.parse().ok(), message.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, source: &str) -> Found {
        Found {
            name: name.to_owned(),
            fields: vec![
                ("host".to_owned(), "h".into()),
                ("port".to_owned(), 2222.into()),
                ("password".to_owned(), "it's \"a\" secret".into()),
            ],
            source: source.to_owned(),
        }
    }

    /// What is there is neither changed nor named twice, and the rest goes behind it, in order.
    #[test]
    fn behind_what_is_there() {
        let text = "# mine\n[connections.a]\nhost = \"x\" # remark\n";
        let configured = tables::read(text).expect("TOML");
        let all = vec![
            found("a", "one"),
            found("b", "one"),
            found("b", "two"),
            found("c d", "two"),
        ];
        let (taken, left) = sort(all, &configured);
        assert_eq!(
            taken.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(),
            ["b", "c d"]
        );
        let whys: Vec<&str> = left.iter().map(|left| left.why.as_str()).collect();
        assert_eq!(whys, ["config.toml has it already", "one has it, too"]);
        let draft = draft(text, &taken);
        assert!(draft.text.starts_with(text) && draft.is_secret);
        assert!(
            draft.text.ends_with(
                "\n# from two\n[connections.\"c d\"]\nhost = \"h\"\nport = 2222\npassword = \"it's \\\"a\\\" secret\"\n"
            ),
            "{}",
            draft.text
        );
        let value = tables::read(&draft.text).expect("TOML");
        assert_eq!(value["connections"]["c d"]["password"], "it's \"a\" secret");
        assert!(!draft.shown.contains("secret"), "{}", draft.shown);
        assert_eq!(draft.lines, [5..10, 11..16]);
    }

    /// Secrets go where they are wanted.
    #[test]
    fn secrets() {
        let mut one = found("a", "x");
        one.fields.push(("sudo_password".to_owned(), json!({"env": "S"})));
        let mut other = one.clone();
        assert_eq!(
            one.treat(Secrets::Keyring),
            [("a".to_owned(), "it's \"a\" secret".to_owned())]
        );
        assert_eq!(one.fields[2], ("password".to_owned(), json!({"keyring": "a"})));
        assert!(!one.is_secret());
        assert!(other.treat(Secrets::Dropped).is_empty());
        assert_eq!(other.fields.len(), 3);
        assert!(found("a", "x").treat(Secrets::Written).is_empty());
    }

    /// A check's words are found again by their lines.
    #[test]
    fn checked() {
        let said = "/t/x.toml:7:3: no such key (did you mean `a`?)\n/t/x.toml: a whole\n/home/y.yml:1:1: theirs\n1 connections\n";
        assert_eq!(
            problems(said, Path::new("/t/x.toml")),
            [
                (Some(7), "no such key (did you mean `a`?)".to_owned()),
                (None, "a whole".to_owned())
            ]
        );
    }
}
