//! YAML with every scalar as it is written: whether `0123` is a number or a password, the field says. Anchors and `<<` merges are
//! written out.

use std::collections::HashMap;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, StrInput};

use crate::edit::Wrong;

/// Values with aliases written out; an ordinary file has hundreds, an alias bomb billions.
const MAX_NODES: usize = 100_000;
/// Tables and lists within one another; a configuration needs five.
const MAX_DEPTH: usize = 32;

/// Reads a text; null where it says nothing.
pub(super) fn read(text: &str) -> Result<Value, Wrong> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut root = None;
    loop {
        let (event, at) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            Event::StreamEnd => return Ok(root.unwrap_or_default()),
            _ if root.is_some() => return Err(at),
            event => root = Some(reader.node(event, &at, 0)?),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// What an alias stands for, and how many values that is.
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    /// The next event, and what is wrong if it may not be there.
    fn next(&mut self) -> Result<(Event<'t>, Wrong), Wrong> {
        loop {
            match self.parser.next_event() {
                None => return Err(Wrong::Unsure),
                Some(Err(error)) => return Err(wrong(error.marker())),
                Some(Ok((Event::Comment(..) | Event::Anchor(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, wrong(&span.start))),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, at: &Wrong, depth: usize) -> Result<Value, Wrong> {
        let before = self.nodes;
        self.count(1, at)?;
        if depth > MAX_DEPTH {
            return Err(at.clone());
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_null = style == ScalarStyle::Plain
                    && tag.is_none()
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null {
                    Value::Null
                } else {
                    text.into_owned().into()
                };
                (anchor, value)
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.table(depth)?),
            Event::Alias(id) => {
                let (value, size) = self.anchors.get(&id).cloned().ok_or_else(|| at.clone())?;
                self.count(size, at)?;
                return Ok(value);
            }
            _ => return Err(at.clone()),
        };
        if anchor != 0 {
            let size = self.nodes.saturating_sub(before);
            self.anchors.insert(anchor, (value.clone(), size));
        }
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Wrong> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items.into()),
                (event, at) => items.push(self.node(event, &at, depth + 1)?),
            }
        }
    }

    fn table(&mut self, depth: usize) -> Result<Value, Wrong> {
        let (mut own, mut merged) = (Map::new(), Map::new());
        loop {
            let (key, at) = match self.next()? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(text, ..), at) => (text.into_owned(), at),
                (_, at) => return Err(at),
            };
            let (event, begins) = self.next()?;
            let value = self.node(event, &begins, depth + 1)?;
            if key == "<<" {
                merge(&mut merged, value, &begins)?;
            } else if own.insert(key, value).is_some() {
                return Err(at);
            }
        }
        merged.extend(own);
        Ok(merged.into())
    }

    /// Counts values that were made, by reading or by an alias.
    fn count(&mut self, nodes: usize, at: &Wrong) -> Result<(), Wrong> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(at.clone());
        }
        Ok(())
    }
}

/// What `<<` brings in: the keys of one table, or of several, of which the first that has one wins.
fn merge(merged: &mut Map<String, Value>, value: Value, at: &Wrong) -> Result<(), Wrong> {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                merged.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(tables) => tables.into_iter().try_for_each(|table| merge(merged, table, at)),
        _ => Err(at.clone()),
    }
}

/// The parser counts columns from 0.
fn wrong(marker: &Marker) -> Wrong {
    Wrong::Syntax {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Nothing is made of a scalar but null of what says nothing.
    #[test]
    fn scalars_are_as_they_are_written() {
        for (text, value) in [
            ("", Value::Null),
            ("# mine\n", Value::Null),
            (
                "a: 0123\nb: yes\nc: 1e5\nd: 0x1F\ne: '~'\nf: ~\ng:\nh: !!str null\n",
                json!({"a": "0123", "b": "yes", "c": "1e5", "d": "0x1F", "e": "~", "f": null, "g": null, "h": "null"}),
            ),
            (
                "x: &x {user: u, port: 1}\ny: {<<: *x, port: 2}\nz: {<<: [*x, {host: h, user: v}]}\nl: [1, two]\n",
                json!({
                    "x": {"user": "u", "port": "1"}, "y": {"user": "u", "port": "2"},
                    "z": {"user": "u", "port": "1", "host": "h"}, "l": ["1", "two"],
                }),
            ),
        ] {
            assert_eq!(read(text), Ok(value), "{text}");
        }
    }

    /// What is no YAML, says a thing twice, or would never end, is refused with its place.
    #[test]
    fn refused() {
        for (text, line) in [
            ("a: [\n", 1),
            ("a: 1\na: 2\n", 2),
            ("a: {<<: 1}\n", 1),
            ("a: 1\n---\nb: 2\n", 3),
            ("[x]: 1\n", 1),
        ] {
            let Err(Wrong::Syntax { line: found, .. }) = read(text) else {
                panic!("taken: {text}");
            };
            assert_eq!(found, line, "{text}");
        }
        let bomb: String = (1..12)
            .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(",")))
            .collect();
        assert!(read(&format!("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{bomb}")).is_err());
        assert!(read(&format!("a: {}", "[".repeat(100_000))).is_err());
    }
}
