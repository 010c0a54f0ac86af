//! JSON with comments as text: a member of an object is put in or taken out, and nothing else moves. What the members mean
//! is not known here.

use std::ops::Range;

use serde_json::{Map, Value};

use super::{Entry, Wrong};

/// Objects and lists within one another; settings have a dozen.
const MAX_DEPTH: usize = 100;

/// A value and where it stands.
struct Node {
    span: Range<usize>,
    kind: Kind,
}

enum Kind {
    Object(Vec<Member>),
    List(Vec<Node>),
    Scalar(Value),
}

struct Member {
    name: String,
    /// Where its name begins.
    at: usize,
    node: Node,
    /// The comma behind it.
    comma: Option<usize>,
}

impl Node {
    fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::value).collect(),
            Kind::Object(members) => {
                let pairs = members
                    .iter()
                    .map(|member| (member.name.clone(), member.node.value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    fn members(&self) -> Option<&[Member]> {
        match &self.kind {
            Kind::Object(members) => Some(members),
            Kind::List(_) | Kind::Scalar(_) => None,
        }
    }

    /// The one member of that name.
    fn member(&self, name: &str) -> Result<Option<(usize, &Member)>, Wrong> {
        let members = self.members().ok_or_else(|| Wrong::Shape(name.to_owned()))?;
        let mut found = members
            .iter()
            .enumerate()
            .filter(|(_, member)| member.name == name);
        match (found.next(), found.next()) {
            (found, None) => Ok(found),
            (_, Some(_)) => Err(Wrong::Shape(name.to_owned())),
        }
    }
}

/// A text that was understood.
pub(crate) struct Document<'t> {
    text: &'t str,
    /// `None` where there is nothing but blanks.
    root: Option<Node>,
}

impl<'t> Document<'t> {
    /// Reads an object, or nothing at all.
    pub(crate) fn parse(text: &'t str) -> Result<Self, Wrong> {
        let start = if text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        let mut reader = Reader { text, at: start };
        let read = (|| {
            reader.blanks()?;
            if reader.at == text.len() {
                return Ok(None);
            }
            if reader.peek() != Some(b'{') {
                return Err(());
            }
            let root = reader.node(0)?;
            reader.blanks()?;
            if reader.at == text.len() {
                Ok(Some(root))
            } else {
                Err(())
            }
        })();
        match read {
            Ok(root) => Ok(Self { text, root }),
            Err(()) => Err(Wrong::at(text, reader.at)),
        }
    }

    /// What it says.
    pub(crate) fn value(&self) -> Option<Value> {
        self.root.as_ref().map(Node::value)
    }

    /// The text with an entry as the first member of its object.
    pub(crate) fn with(&self, entry: &Entry) -> Result<String, Wrong> {
        let own = object(&entry.fields);
        let Some(root) = &self.root else {
            let whole = nested(&entry.path, &entry.name, own);
            let printer = Printer {
                unit: "  ".to_owned(),
                newline: "\n",
                spaced: true,
            };
            return Ok(format!("{}\n", printer.lines(&whole, "")));
        };
        let mut node = root;
        for (depth, key) in entry.path.iter().enumerate() {
            match node.member(key)? {
                Some((_, member)) => node = &member.node,
                None => {
                    let rest = entry.path.get(depth + 1..).unwrap_or_default();
                    return self.insert(node, key, &nested(rest, &entry.name, own));
                }
            }
        }
        self.insert(node, &entry.name, &own)
    }

    /// The text without a member, and without its object where that was made for it (`made` of them) and is empty then.
    pub(crate) fn without(&self, path: &[String], name: &str, made: usize) -> Result<String, Wrong> {
        let mut way = Vec::new();
        let mut node = self.root.as_ref().ok_or(Wrong::Unsure)?;
        for key in path.iter().map(String::as_str).chain([name]) {
            let (index, member) = node.member(key)?.ok_or(Wrong::Unsure)?;
            way.push((node, index));
            node = &member.node;
        }
        let (mut object, mut index) = way.pop().ok_or(Wrong::Unsure)?;
        for _ in 0..made {
            if !self.is_alone(object) {
                break;
            }
            let Some(above) = way.pop() else { break };
            (object, index) = above;
        }
        self.remove(object, index)
    }

    /// True if an object has one member and, beside it, blanks alone.
    fn is_alone(&self, object: &Node) -> bool {
        let Some([only]) = object.members() else {
            return false;
        };
        let before = self.text.get(object.span.start + 1..only.at);
        let after = self.text.get(only.node.span.end..object.span.end - 1);
        let blank =
            |text: Option<&str>| text.is_some_and(|text| text.trim().trim_end_matches(',').trim().is_empty());
        blank(before) && blank(after)
    }

    fn insert(&self, object: &Node, name: &str, value: &Printed) -> Result<String, Wrong> {
        let members = object.members().ok_or_else(|| Wrong::Shape(name.to_owned()))?;
        let (open, close) = (object.span.start + 1, object.span.end - 1);
        let (before, inside, after) = (
            self.text.get(..open).ok_or(Wrong::Unsure)?,
            self.text.get(open..close).ok_or(Wrong::Unsure)?,
            self.text.get(close..).ok_or(Wrong::Unsure)?,
        );
        let first = members.first();
        let lead = inside
            .get(..first.map_or(inside.len(), |first| first.at - open))
            .ok_or(Wrong::Unsure)?;
        let whole = self
            .root
            .as_ref()
            .map_or("", |root| self.text.get(root.span.clone()).unwrap_or_default());
        let spread = match first {
            Some(_) => lead.contains('\n'),
            None => whole.contains('\n') || self.root.as_ref().is_some_and(|root| root.span == object.span),
        };
        let comma = if first.is_some() { "," } else { "" };
        let printer = self.printer();
        if !spread {
            let blanks: &str = lead
                .get(..lead.len() - lead.trim_start().len())
                .unwrap_or_default();
            let blanks = if first.is_some() { blanks } else { "" };
            let member = printer.line(name, value);
            let kept = if first.is_none() && inside.trim().is_empty() {
                ""
            } else {
                inside
            };
            return Ok(format!("{before}{blanks}{member}{comma}{kept}{after}"));
        }
        let base = indent_of(before);
        let indent = match first {
            Some(_) => indent_of(
                before
                    .len()
                    .checked_add(lead.len())
                    .and_then(|at| self.text.get(..at))
                    .ok_or(Wrong::Unsure)?,
            ),
            None => format!("{base}{}", printer.unit),
        };
        let newline = printer.newline;
        let member = format!(
            "{newline}{indent}{}: {}",
            quoted(name),
            printer.lines(value, &indent)
        );
        // Behind what stands on the line of the brace: a remark there is about the object.
        let remark = same_line(inside);
        let (head, rest) = inside.split_at_checked(remark).ok_or(Wrong::Unsure)?;
        if rest.trim().is_empty() && first.is_none() {
            return Ok(format!(
                "{before}{}{member}{newline}{base}{after}",
                head.trim_end()
            ));
        }
        Ok(format!("{before}{head}{member}{comma}{rest}{after}"))
    }

    fn remove(&self, object: &Node, index: usize) -> Result<String, Wrong> {
        let members = object.members().ok_or(Wrong::Unsure)?;
        let member = members.get(index).ok_or(Wrong::Unsure)?;
        if self.is_alone(object) {
            let kept = (
                self.text.get(..=object.span.start),
                self.text.get(object.span.end - 1..),
            );
            let (Some(before), Some(after)) = kept else {
                return Err(Wrong::Unsure);
            };
            return Ok(format!("{before}{after}"));
        }
        let (mut start, mut end) = (member.at, member.node.span.end);
        // A comma that stands elsewhere than right behind it goes by itself.
        let mut apart = None;
        match member.comma {
            Some(comma)
                if self
                    .text
                    .get(end..comma)
                    .is_some_and(|between| between.trim().is_empty()) =>
            {
                end = comma + 1;
            }
            Some(comma) => apart = Some(comma),
            None => {
                apart = index
                    .checked_sub(1)
                    .and_then(|before| members.get(before))
                    .and_then(|before| before.comma);
            }
        }
        let before = self.text.get(..start).ok_or(Wrong::Unsure)?;
        let behind = self.text.get(end..).ok_or(Wrong::Unsure)?;
        let blanks = before.len() - before.trim_end_matches([' ', '\t']).len();
        let line_end = behind.len() - behind.trim_start_matches([' ', '\t', '\r']).len();
        let ends_line = behind
            .get(line_end..)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('\n'));
        let head = before.get(..before.len() - blanks).ok_or(Wrong::Unsure)?;
        if head.ends_with('\n') && ends_line {
            start = head
                .trim_end_matches('\n')
                .trim_end_matches('\r')
                .len()
                .max(head.len().saturating_sub(2));
            end += behind
                .get(..line_end)
                .map_or(0, |blanks| blanks.trim_end_matches('\r').len());
        } else if head.ends_with(['{', ',']) {
            start = head.len();
        }
        let mut text = self.text.to_owned();
        let own = std::iter::once(start..end);
        let mut pieces: Vec<_> = own.chain(apart.map(|comma| comma..comma + 1)).collect();
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.start));
        for piece in pieces {
            if text.get(piece.clone()).is_none() {
                return Err(Wrong::Unsure);
            }
            text.replace_range(piece, "");
        }
        Ok(text)
    }

    /// Prints as the text itself is written.
    fn printer(&self) -> Printer {
        let members = self.root.as_ref().and_then(Node::members).unwrap_or_default();
        let first = members.first();
        let unit = first.and_then(|first| {
            let before = self.text.get(..first.at)?;
            let indent = indent_of(before);
            (before.trim_end_matches([' ', '\t']).ends_with('\n') && !indent.is_empty()).then_some(indent)
        });
        let between = first.and_then(|first| self.text.get(first.at..first.node.span.start));
        Printer {
            unit: unit.unwrap_or_else(|| "  ".to_owned()),
            newline: if self.text.contains("\r\n") { "\r\n" } else { "\n" },
            spaced: between.is_none_or(|between| between.ends_with(' ')),
        }
    }
}

/// The blanks with which the last line of a text begins.
fn indent_of(before: &str) -> String {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.chars().take_while(|c| [' ', '\t'].contains(c)).collect()
}

/// How far what follows a brace stands on its line: blanks and remarks, up to the line's end; 0 where something else does.
fn same_line(inside: &str) -> usize {
    let mut reader = Reader { text: inside, at: 0 };
    loop {
        let rest = inside.get(reader.at..).unwrap_or_default();
        if rest.starts_with('\n') || rest.starts_with("\r\n") || rest.is_empty() {
            return reader.at;
        }
        if rest.starts_with([' ', '\t']) {
            reader.at += 1;
        } else if !reader.remark().is_ok_and(|is_one| is_one) {
            return 0;
        }
    }
}

/// A value to be printed, its fields in order.
enum Printed {
    Object(Vec<(String, Self)>),
    Value(Value),
}

fn object(fields: &[(String, Value)]) -> Printed {
    let fields = fields
        .iter()
        .map(|(name, value)| (name.clone(), Printed::Value(value.clone())));
    Printed::Object(fields.collect())
}

fn nested(path: &[String], name: &str, value: Printed) -> Printed {
    let inner = Printed::Object(vec![(name.to_owned(), value)]);
    path.iter()
        .rev()
        .fold(inner, |inner, key| Printed::Object(vec![(key.clone(), inner)]))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// How values are printed.
struct Printer {
    unit: String,
    newline: &'static str,
    spaced: bool,
}

impl Printer {
    /// Over several lines, the later ones indented.
    fn lines(&self, value: &Printed, indent: &str) -> String {
        let fields = match value {
            Printed::Value(value) => return value.to_string(),
            Printed::Object(fields) if fields.is_empty() => return "{}".to_owned(),
            Printed::Object(fields) => fields,
        };
        let (newline, inner) = (self.newline, format!("{indent}{}", self.unit));
        let lines: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{newline}{inner}{}: {}", quoted(name), self.lines(value, &inner)))
            .collect();
        format!("{{{}{newline}{indent}}}", lines.join(","))
    }

    /// A member in one line.
    fn line(&self, name: &str, value: &Printed) -> String {
        let blank = if self.spaced { " " } else { "" };
        let value = match value {
            Printed::Value(value) => value.to_string(),
            Printed::Object(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| self.line(name, value))
                    .collect();
                format!("{{{}}}", fields.join(&format!(",{blank}")))
            }
        };
        format!("{}:{blank}{value}", quoted(name))
    }
}

/// Reads from the left; where it stands when it fails is what is wrong.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) -> Result<(), ()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'/') => {
                    if !self.remark()? {
                        return Err(());
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    /// Passes over a remark, without the end of its line; false if there is none.
    fn remark(&mut self) -> Result<bool, ()> {
        let rest = self.rest();
        if rest.starts_with("//") {
            let line = rest.split('\n').next().unwrap_or_default();
            self.at += line.strip_suffix('\r').unwrap_or(line).len();
            return Ok(true);
        }
        let Some(inner) = rest.strip_prefix("/*") else {
            return Ok(false);
        };
        self.at += inner.find("*/").ok_or(())? + 4;
        Ok(true)
    }

    fn node(&mut self, depth: usize) -> Result<Node, ()> {
        if depth > MAX_DEPTH {
            return Err(());
        }
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => Kind::Object(self.object(depth)?),
            Some(b'[') => Kind::List(self.list(depth)?),
            Some(b'"') => Kind::Scalar(Value::String(self.string()?)),
            _ => {
                let rest = self.rest();
                let word = rest.len()
                    - rest
                        .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "+-.".contains(c))
                        .len();
                let value = rest
                    .get(..word)
                    .and_then(|word| serde_json::from_str(word).ok())
                    .ok_or(())?;
                self.at += word;
                Kind::Scalar(value)
            }
        };
        Ok(Node {
            span: start..self.at,
            kind,
        })
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Member>, ()> {
        self.at += 1;
        let mut members: Vec<Member> = Vec::new();
        loop {
            self.blanks()?;
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(members);
            }
            if members.last().is_some_and(|last| last.comma.is_none()) {
                return Err(());
            }
            let at = self.at;
            let name = self.string()?;
            self.blanks()?;
            self.expect(b':')?;
            self.blanks()?;
            let node = self.node(depth + 1)?;
            self.blanks()?;
            let comma = (self.peek() == Some(b',')).then_some(self.at);
            self.at += usize::from(comma.is_some());
            members.push(Member {
                name,
                at,
                node,
                comma,
            });
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, ()> {
        self.at += 1;
        let mut items = Vec::new();
        let mut open = true;
        loop {
            self.blanks()?;
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(items);
            }
            if !open {
                return Err(());
            }
            items.push(self.node(depth + 1)?);
            self.blanks()?;
            open = self.peek() == Some(b',');
            self.at += usize::from(open);
        }
    }

    fn string(&mut self) -> Result<String, ()> {
        let rest = self.rest();
        let inner = rest.strip_prefix('"').ok_or(())?;
        let mut escaped = false;
        let end = inner.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let end = end.ok_or(())? + 2;
        let string = rest
            .get(..end)
            .and_then(|string| serde_json::from_str(string).ok())
            .ok_or(())?;
        self.at += end;
        Ok(string)
    }

    fn expect(&mut self, byte: u8) -> Result<(), ()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(())
        }
    }
}

#[cfg(test)]
mod tests;
