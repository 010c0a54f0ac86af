//! A parsed file as a tree in which every key and value knows its place, whatever the language. It has no `Debug`:
//! it holds secrets.

use super::problem::Pos;

/// A value and where it begins.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) at: Pos,
    pub(super) value: Value,
}

/// What a file can say.
#[derive(Clone)]
pub(super) enum Value {
    /// Nothing: YAML's `null`, `~`, or an empty value.
    Null,
    /// A string that can be nothing else.
    Text(String),
    /// A YAML scalar: a string, a number or a boolean, as the field wants it.
    Plain(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// What no field takes; its kind in words.
    Other(&'static str),
}

/// One key with its value.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Pos,
    pub(super) node: Node,
}

impl Node {
    /// The value as a string.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Plain(text) => Some(text),
            Value::Null
            | Value::Integer(_)
            | Value::Boolean(_)
            | Value::List(_)
            | Value::Table(_)
            | Value::Other(_) => None,
        }
    }

    /// The value as a whole number.
    pub(super) fn integer(&self) -> Option<i64> {
        match &self.value {
            Value::Integer(number) => Some(*number),
            Value::Plain(text) => text.parse().ok(),
            Value::Null
            | Value::Text(_)
            | Value::Boolean(_)
            | Value::List(_)
            | Value::Table(_)
            | Value::Other(_) => None,
        }
    }

    /// The value as a boolean.
    pub(super) fn boolean(&self) -> Option<bool> {
        match &self.value {
            Value::Boolean(truth) => Some(*truth),
            Value::Plain(text) if text == "true" => Some(true),
            Value::Plain(text) if text == "false" => Some(false),
            Value::Plain(_)
            | Value::Null
            | Value::Integer(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Table(_)
            | Value::Other(_) => None,
        }
    }

    /// The value's keys.
    pub(super) fn table(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// What the value is, for "expected a string, found …"; never the value.
    pub(super) const fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Text(_) | Value::Plain(_) => "a string",
            Value::Integer(_) => "a number",
            Value::Boolean(_) => "a boolean",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(kind) => kind,
        }
    }
}
