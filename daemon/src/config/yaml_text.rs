//! YAML text to the tree: one document, string keys, anchors and `<<` merges. The parser's own messages can quote
//! the text, so only its positions are used.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::problem::{Pos, Problem};
use super::tree::{Entry, Node, Value};

/// Nodes in a file with its aliases written out; an ordinary file has hundreds, an alias bomb billions.
const MAX_NODES: usize = 100_000;

/// Tables and lists within one another; a configuration needs five.
const MAX_DEPTH: usize = 32;

/// Parses a whole file; an empty one has no keys.
pub(super) fn parse(file: &Path, text: &str) -> Result<Vec<Entry>, Problem> {
    let mut reader = Reader {
        file,
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut root = None;
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            _ if root.is_some() => return Err(reader.problem(span, "a second YAML document begins here")),
            event => root = Some(reader.node(event, span, 0)?),
        }
    }
    match root {
        None => Ok(Vec::new()),
        Some(Node {
            value: Value::Null, ..
        }) => Ok(Vec::new()),
        Some(Node {
            value: Value::Table(entries),
            ..
        }) => Ok(entries),
        Some(node) => Err(Problem::at(
            file,
            node.at,
            format!(
                "expected a table with the key `connections`, found {}",
                node.kind()
            ),
        )),
    }
}

struct Reader<'text> {
    file: &'text Path,
    parser: Parser<'text, serde_saphyr::granit_parser::StrInput<'text>>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'text> Reader<'text> {
    /// The next event that is not a comment or an anchor's name.
    fn next(&mut self) -> Result<Option<(Event<'text>, Span)>, Problem> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Err(error)) => {
                    return Err(Problem::at(self.file, pos(error.marker()), "not valid YAML")
                        .hint("check indentation, colons and quotes here and on the line before"));
                }
                Some(Ok((Event::Comment(..) | Event::Anchor(..), _))) => {}
                Some(Ok(found)) => return Ok(Some(found)),
            }
        }
    }

    /// The node that begins with an event.
    fn node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node, Problem> {
        let before = self.nodes;
        self.count(span, 1)?;
        if depth > MAX_DEPTH {
            return Err(self.problem(span, "tables are nested too deeply"));
        }
        let at = pos(&span.start);
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let value = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
                    // The predecessor took `port: "22"` and `password: 0123`: the field says what a scalar is.
                    _ => Value::Plain(text.into_owned()),
                };
                (anchor, value)
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.list(span, depth)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.table(span, depth)?),
            Event::Alias(id) => {
                let Some((mut node, size)) = self.anchors.get(&id).cloned() else {
                    return Err(self.problem(span, "an alias refers to an anchor that is not complete yet"));
                };
                self.count(span, size)?;
                node.at = at;
                return Ok(node);
            }
            _ => return Err(self.problem(span, "not valid YAML")),
        };
        let node = Node { at, value };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (node.clone(), self.nodes.saturating_sub(before)));
        }
        Ok(node)
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Some((Event::SequenceEnd, _)) => return Ok(Value::List(items)),
                Some((event, span)) => items.push(self.node(event, span, depth + 1)?),
                None => return Err(self.problem(start, "this list does not end")),
            }
        }
    }

    fn table(&mut self, start: Span, depth: usize) -> Result<Value, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        let mut keys = HashSet::new();
        loop {
            let (key, key_span) = match self.next()? {
                Some((Event::MappingEnd, _)) => break,
                Some((Event::Scalar(text, ..), span)) => (text.into_owned(), span),
                Some((_, span)) => return Err(self.problem(span, "a key must be a plain word")),
                None => return Err(self.problem(start, "this table does not end")),
            };
            let Some((event, span)) = self.next()? else {
                return Err(self.problem(start, "this table does not end"));
            };
            let node = self.node(event, span, depth + 1)?;
            if key == "<<" {
                merged.extend(self.merge(node, span)?);
                continue;
            }
            if !keys.insert(key.clone()) {
                return Err(self.problem(key_span, "this key was already given in the same table"));
            }
            let at = pos(&key_span.start);
            entries.push(Entry { key, at, node });
        }
        for entry in merged {
            if keys.insert(entry.key.clone()) {
                entries.push(entry);
            }
        }
        Ok(Value::Table(entries))
    }

    /// What `<<` brings in: the keys of one table, or of several.
    fn merge(&self, node: Node, span: Span) -> Result<Vec<Entry>, Problem> {
        match node.value {
            Value::Table(entries) => Ok(entries),
            Value::List(items) => {
                let mut all = Vec::new();
                for item in items {
                    all.extend(self.merge(item, span)?);
                }
                Ok(all)
            }
            _ => Err(self.problem(span, "`<<` takes an alias of a table")),
        }
    }

    /// Notes that nodes were made, by reading or by an alias.
    fn count(&mut self, span: Span, nodes: usize) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(self.problem(span, "the file is too large with its aliases written out"));
        }
        Ok(())
    }

    fn problem(&self, span: Span, message: &str) -> Problem {
        Problem::at(self.file, pos(&span.start), message)
    }
}

/// The parser counts columns from 0.
fn pos(marker: &Marker) -> Pos {
    Pos {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}
