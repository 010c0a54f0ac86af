//! Values out of the tree, each checked against its field's shape. A problem names the key, never the value.

use std::path::{Path, PathBuf};

use super::fields::{Field, INFO_FILE, SECRET_KEYS, Shape};
use super::problem::{Pos, Problem, nearest};
use super::secret_source::{Reference, SecretSource};
use super::tree::{Entry, Node, Value};
use crate::secret::Secret;

/// Characters of a text field; what is longer is a mistake, and would fill an agent's context.
const MAX_TEXT: usize = 4096;

/// Items of a list; what is longer is a mistake.
const MAX_ITEMS: usize = 64;

/// What a value must be, in words.
const STRING: &str = "a string";
const BOOLEAN: &str = "true or false";
const LIST: &str = "a list of strings";
const HOSTS: &str = "a host or a list of hosts";
const NAMED: &str = "a table of named secrets";
const SECRET: &str = "a string, or one of { env = \"…\" }, { command = \"…\" }, { keyring = \"…\" }";

/// Where mcp-ssh-interactive has notes that are named without a directory, below the home.
const ITS_NOTES: &str = ".mcp-ssh-interactive/info";
/// The field that it calls `info_file`.
const NOTES: &str = "notes_path";

/// A file being read: what every check needs to report and to resolve paths.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// The file.
    pub(super) file: &'a Path,
    /// The home directory, for `~/`.
    pub(super) home: &'a Path,
    /// Whether the file is mcp-ssh-interactive's, which has a name of its own for `notes_path`.
    pub(super) predecessor: bool,
}

/// A checked value.
pub(super) enum Checked {
    Text(String),
    Path(PathBuf),
    Number(i64),
    Boolean(bool),
    Word(&'static str),
    Secret(SecretSource),
    Secrets(Vec<(String, SecretSource)>),
    List(Vec<String>),
}

impl Reading<'_> {
    /// The field of a key, or the problem of an unknown one.
    pub(super) fn field(self, entry: &Entry, known: &'static [Field]) -> Result<&'static Field, Problem> {
        let name = if self.predecessor && entry.key == INFO_FILE {
            NOTES
        } else {
            &entry.key
        };
        known
            .iter()
            .find(|field| field.name == name)
            .ok_or_else(|| self.unknown(entry, known.iter().map(|field| field.name)))
    }

    /// The problem of an unknown key. It is not quoted: in a damaged file it may be a secret.
    pub(super) fn unknown<'k>(self, entry: &Entry, known: impl Iterator<Item = &'k str> + Clone) -> Problem {
        let problem = Problem::at(self.file, entry.at, "unknown key");
        match nearest(&entry.key, known.clone()) {
            Some(name) => problem.hint(format!("did you mean `{name}`?")),
            None => problem.hint(format!("known here: {}", known.collect::<Vec<_>>().join(", "))),
        }
    }

    /// The value of a key if it has the field's shape; `None` for YAML's null.
    pub(super) fn value(self, entry: &Entry, field: &Field) -> Result<Option<Checked>, Problem> {
        let name = field.name;
        let node = &entry.node;
        if matches!(node.value, Value::Null) {
            return Ok(None);
        }
        Ok(Some(match field.shape {
            Shape::Text => Checked::Text(self.one_line(node, name)?.to_owned()),
            Shape::Path => Checked::Path(self.path(node, name)?),
            Shape::Number(from, to) => Checked::Number(self.number(node, name, from, to)?),
            Shape::Boolean => {
                Checked::Boolean(node.boolean().ok_or_else(|| self.wrong(node, name, BOOLEAN))?)
            }
            Shape::Word(words) => Checked::Word(self.word(node, name, words)?),
            Shape::Secret => Checked::Secret(self.secret(node, name)?),
            Shape::Secrets => Checked::Secrets(self.secrets(node, name)?),
            Shape::Hosts => Checked::List(self.hosts(node, name)?),
            Shape::Tags => Checked::List(self.tags(node, name)?),
            Shape::Refused => {
                return Err(Problem::at(
                    self.file,
                    entry.at,
                    format!("`{name}` is not built yet, so it would promise what is not kept"),
                )
                .hint(format!(
                    "remove `{name}`; until then agents may do everything on this host"
                )));
            }
        }))
    }

    fn wrong(self, node: &Node, name: &str, wanted: &str) -> Problem {
        Problem::at(
            self.file,
            node.at,
            format!("`{name}` must be {wanted}, found {}", node.kind()),
        )
        .hint(suggestion(&node.value, wanted))
    }

    /// The problem of what must be a table of keys, written under this heading.
    pub(super) fn no_table(self, node: &Node, what: &str, heading: &str) -> Problem {
        self.at(node.at, format!("{what} must be a table, found {}", node.kind()))
            .hint(if self.predecessor {
                "write its keys below it, each on a line of its own".to_owned()
            } else {
                format!("write [{heading}], and its keys below")
            })
    }

    pub(super) fn at(self, at: Pos, message: impl Into<String>) -> Problem {
        Problem::at(self.file, at, message)
    }

    fn one_line<'n>(self, node: &'n Node, name: &str) -> Result<&'n str, Problem> {
        let text = node.text().ok_or_else(|| self.wrong(node, name, STRING))?;
        if text.trim().is_empty() {
            return Err(self.at(node.at, format!("`{name}` is empty")));
        }
        if text.chars().count() > MAX_TEXT {
            return Err(self.at(node.at, format!("`{name}` is longer than {MAX_TEXT} characters")));
        }
        // A description may be a paragraph; nothing else may, and no control character ever.
        let paragraph = name == "description";
        if text
            .chars()
            .any(|c| c.is_control() && !(paragraph && (c == '\n' || c == '\t')))
        {
            return Err(self.at(node.at, format!("`{name}` has control characters")));
        }
        Ok(text)
    }

    fn path(self, node: &Node, name: &str) -> Result<PathBuf, Problem> {
        let text = self.one_line(node, name)?;
        if text == "~" {
            return Ok(self.home.to_owned());
        }
        if let Some(rest) = text.strip_prefix("~/") {
            return Ok(self.home.join(rest));
        }
        if text.starts_with('~') {
            return Err(self
                .at(
                    node.at,
                    format!("`{name}`: another user's home (`~name`) is not understood"),
                )
                .hint("write the whole path"));
        }
        if self.predecessor && name == NOTES {
            return Ok(self.home.join(ITS_NOTES).join(text));
        }
        Ok(match self.file.parent() {
            Some(directory) => directory.join(text),
            None => PathBuf::from(text),
        })
    }

    fn number(self, node: &Node, name: &str, from: i64, to: i64) -> Result<i64, Problem> {
        let wanted = format!("a whole number from {from} to {to}");
        let number = node.integer().ok_or_else(|| self.wrong(node, name, &wanted))?;
        if (from..=to).contains(&number) {
            Ok(number)
        } else {
            Err(self.at(node.at, format!("`{name}` must be {wanted}")))
        }
    }

    fn word(self, node: &Node, name: &str, words: &'static [&'static str]) -> Result<&'static str, Problem> {
        let wanted = format!("one of {}", words.join(", "));
        let text = node.text().ok_or_else(|| self.wrong(node, name, &wanted))?;
        if let Some(word) = words.iter().find(|word| **word == text) {
            return Ok(word);
        }
        let problem = self.at(node.at, format!("`{name}` must be {wanted}"));
        Err(match nearest(text, words.iter().copied()) {
            Some(word) => problem.hint(format!("did you mean `{word}`?")),
            None => problem,
        })
    }

    fn secret(self, node: &Node, name: &str) -> Result<SecretSource, Problem> {
        if let Some(text) = node.text() {
            if text.is_empty() || text.contains(['\0', '\n', '\r']) {
                return Err(self.at(node.at, format!("`{name}` is empty or has more than one line")));
            }
            return Ok(SecretSource::Literal(Secret::new(text.to_owned())));
        }
        let entries = node.table().ok_or_else(|| self.wrong(node, name, SECRET))?;
        let [entry] = entries else {
            return Err(self.at(
                node.at,
                format!("`{name}` must be {SECRET}, with exactly one key"),
            ));
        };
        if !SECRET_KEYS.contains(&entry.key.as_str()) {
            return Err(self.unknown(entry, SECRET_KEYS.iter().copied()));
        }
        let text = entry
            .node
            .text()
            .ok_or_else(|| self.wrong(&entry.node, &entry.key, STRING))?;
        if text.trim().is_empty() || text.contains('\0') {
            return Err(self.at(entry.node.at, format!("`{}` is empty", entry.key)));
        }
        let reference = Reference::new(Secret::new(text.to_owned()), self.file.to_owned(), entry.node.at);
        Ok(match entry.key.as_str() {
            "env" => SecretSource::Env(reference),
            "command" => SecretSource::Command(reference),
            _ => SecretSource::Keyring(reference),
        })
    }

    fn secrets(self, node: &Node, name: &str) -> Result<Vec<(String, SecretSource)>, Problem> {
        let entries = node.table().ok_or_else(|| self.wrong(node, name, NAMED))?;
        entries
            .iter()
            .map(|entry| {
                let fits = (1..=MAX_ITEMS).contains(&entry.key.chars().count())
                    && entry
                        .key
                        .chars()
                        .all(|c| c.is_alphanumeric() || "._-".contains(c));
                if !fits {
                    return Err(self.at(
                        entry.at,
                        "a secret's name has other characters than letters, digits, `.`, `_` and `-`",
                    ));
                }
                Ok((entry.key.clone(), self.secret(&entry.node, name)?))
            })
            .collect()
    }

    fn hosts(self, node: &Node, name: &str) -> Result<Vec<String>, Problem> {
        if let Some(text) = node.text() {
            if text == "none" {
                return Ok(Vec::new());
            }
            return text.split(',').map(|hop| self.hop(node, name, hop)).collect();
        }
        self.items(node, name, HOSTS)?
            .iter()
            .map(|item| {
                let hop = item.text().ok_or_else(|| self.wrong(item, name, HOSTS))?;
                self.hop(item, name, hop)
            })
            .collect()
    }

    fn hop(self, node: &Node, name: &str, hop: &str) -> Result<String, Problem> {
        let hop = hop.trim();
        if hop.is_empty() || hop.len() > MAX_TEXT || hop.chars().any(char::is_control) {
            return Err(self.at(node.at, format!("`{name}` has a hop that is no host")));
        }
        Ok(hop.to_owned())
    }

    fn tags(self, node: &Node, name: &str) -> Result<Vec<String>, Problem> {
        self.items(node, name, LIST)?
            .iter()
            .map(|item| {
                let tag = item.text().ok_or_else(|| self.wrong(item, name, LIST))?;
                if is_tag(tag) {
                    Ok(tag.to_owned())
                } else {
                    Err(self.at(
                        item.at,
                        format!("`{name}`: a tag is 1 to {MAX_ITEMS} letters, digits or ._-:/"),
                    ))
                }
            })
            .collect()
    }

    fn items<'n>(self, node: &'n Node, name: &str, wanted: &str) -> Result<&'n [Node], Problem> {
        let Value::List(items) = &node.value else {
            return Err(self.wrong(node, name, wanted));
        };
        if items.len() > MAX_ITEMS {
            return Err(self.at(node.at, format!("`{name}` has more than {MAX_ITEMS} items")));
        }
        Ok(items)
    }
}

/// It can be a tag.
pub(super) fn is_tag(text: &str) -> bool {
    (1..=MAX_ITEMS).contains(&text.chars().count())
        && text.chars().all(|c| c.is_alphanumeric() || "._-:/".contains(c))
}

/// What to write in the place of a value of a wrong kind.
fn suggestion(found: &Value, wanted: &str) -> &'static str {
    let is_one = !matches!(found, Value::List(_) | Value::Table(_));
    match wanted {
        STRING if is_one => "put it in quotes",
        STRING => "write one text in quotes",
        BOOLEAN => "write true or false, without quotes",
        LIST => "write it as [\"one\", \"other\"]",
        HOSTS => "write \"HOST\", or [\"FIRST\", \"SECOND\"]",
        NAMED => "write it as { NAME = … }",
        SECRET => "put it in quotes, or name where it is",
        _ if wanted.starts_with("one of") => "write one of these words in quotes",
        _ if is_one => "write a number as it is, without quotes or fraction",
        _ => "write one number",
    }
}
