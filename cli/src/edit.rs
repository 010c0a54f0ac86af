//! Other programs' files, changed as text: what is not ours in them stays as it is, byte for byte.

pub(crate) mod diff;
pub(crate) mod file;
pub(crate) mod jsonc;
pub(crate) mod tables;

use std::fmt;

use serde_json::{Map, Value};

/// Why a text is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It cannot be read, from here on; what stands there may be a secret and is not told.
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// A key on the way is there twice, or is something else than a table.
    Shape(String),
    /// What came out is not what was meant.
    Unsure,
}

impl Wrong {
    fn at(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self::Syntax {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column } => write!(f, "it cannot be read: line {line}, column {column}"),
            Self::Shape(key) => write!(f, "`{key}` in it is not one table"),
            Self::Unsure => write!(f, "it is written in a way that is not safe to change"),
        }
    }
}

/// The language of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// JSON; comments and trailing commas are let pass.
    Json,
    /// TOML.
    Toml,
}

/// An entry in a file: tables by name down to its own, and what is in it, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The tables that lead to it, outer ones first.
    pub(crate) path: Vec<String>,
    /// Its name in the last of them.
    pub(crate) name: String,
    /// Its fields.
    pub(crate) fields: Vec<(String, Value)>,
}

impl Entry {
    /// Its fields as a value.
    pub(crate) fn value(&self) -> Value {
        Value::Object(self.fields.iter().cloned().collect())
    }
}

impl Language {
    /// The whole text as a value; `None` where it is empty.
    pub(crate) fn read(self, text: &str) -> Result<Option<Value>, Wrong> {
        match self {
            Self::Json => Ok(jsonc::Document::parse(text)?.value()),
            Self::Toml => tables::read(text).map(Some),
        }
    }

    /// The text with an entry put in; there must be none of its name.
    pub(crate) fn with(self, text: &str, entry: &Entry) -> Result<String, Wrong> {
        let mut expected = self.read(text)?.unwrap_or_else(|| Value::Object(Map::new()));
        put(&mut expected, &entry.path, &entry.name, entry.value())?;
        let changed = match self {
            Self::Json => jsonc::Document::parse(text)?.with(entry)?,
            Self::Toml => tables::with(text, entry),
        };
        if self.read(&changed) == Ok(Some(expected)) {
            Ok(changed)
        } else {
            Err(Wrong::Unsure)
        }
    }

    /// The text without an entry, and without as many of the tables that lead to it, inner ones first, as were made for it
    /// and are empty now.
    pub(crate) fn without(
        self,
        text: &str,
        path: &[String],
        name: &str,
        made: usize,
    ) -> Result<String, Wrong> {
        let mut expected = self.read(text)?.unwrap_or_default();
        if take(&mut expected, path, name).is_none() {
            return Ok(text.to_owned());
        }
        let changed = match self {
            Self::Json => jsonc::Document::parse(text)?.without(path, name, made)?,
            Self::Toml => tables::without(text, path, name),
        };
        let found = self.read(&changed).map_err(|_| Wrong::Unsure)?;
        let mut found = found.unwrap_or_else(|| Value::Object(Map::new()));
        // Tables that are empty now may be there or not.
        for value in [&mut expected, &mut found] {
            prune(value, path);
        }
        if found == expected {
            Ok(changed)
        } else {
            Err(Wrong::Unsure)
        }
    }
}

/// The value at the end of a path.
pub(crate) fn find<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

fn put(value: &mut Value, path: &[String], name: &str, entry: Value) -> Result<(), Wrong> {
    let mut value = value;
    let mut last = "";
    for key in path {
        let table = value
            .as_object_mut()
            .ok_or_else(|| Wrong::Shape(last.to_owned()))?;
        value = table.entry(key).or_insert_with(|| Value::Object(Map::new()));
        last = key;
    }
    let table = value
        .as_object_mut()
        .ok_or_else(|| Wrong::Shape(last.to_owned()))?;
    match table.insert(name.to_owned(), entry) {
        None => Ok(()),
        Some(_) => Err(Wrong::Shape(name.to_owned())),
    }
}

fn take(value: &mut Value, path: &[String], name: &str) -> Option<Value> {
    let table = path.iter().try_fold(value, |value, key| value.get_mut(key))?;
    table.as_object_mut()?.remove(name)
}

/// Takes away the tables of a path that have nothing in them, inner ones first.
fn prune(value: &mut Value, path: &[String]) {
    let [key, rest @ ..] = path else { return };
    let Some(table) = value.as_object_mut() else {
        return;
    };
    if let Some(inner) = table.get_mut(key) {
        prune(inner, rest);
        if inner.as_object().is_some_and(Map::is_empty) {
            table.remove(key);
        }
    }
}
