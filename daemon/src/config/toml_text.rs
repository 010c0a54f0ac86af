//! TOML text to the tree. The parser's own rendering of an error, which quotes the line, is never used.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Places, Pos, Problem};
use super::tree::{Entry, Node, Value};

/// Parses a whole file.
pub(super) fn parse(file: &Path, text: &str) -> Result<Vec<Entry>, Problem> {
    let document = DeTable::parse(text).map_err(|error| {
        let message = format!("not valid TOML: {}", error.message());
        match error.span() {
            Some(span) => Problem::at(file, Pos::of(text, span.start), message),
            None => Problem::file(file, message),
        }
    })?;
    Ok(table(&Places::new(text), document.get_ref()))
}

/// Keys in the order in which the file has them.
fn table(places: &Places, from: &DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = from
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            at: places.of(key.span().start),
            node: node(places, value),
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn node(places: &Places, from: &Spanned<DeValue<'_>>) -> Node {
    let value = match from.get_ref() {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number too large"), Value::Integer),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(places, item)).collect()),
        DeValue::Table(inner) => Value::Table(table(places, inner)),
    };
    Node {
        at: places.of(from.span().start),
        value,
    }
}
