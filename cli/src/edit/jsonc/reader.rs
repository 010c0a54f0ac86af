//! Text that is read into values, each with where it stands.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::edit::Wrong;

/// Objects and lists within one another; settings have a dozen.
const MAX_DEPTH: usize = 100;

/// A value and where it stands.
pub(super) struct Node {
    pub(super) span: Range<usize>,
    kind: Kind,
}

enum Kind {
    Object(Vec<Member>),
    List(Vec<Node>),
    Scalar(Value),
}

pub(super) struct Member {
    pub(super) name: String,
    /// Where its name begins.
    pub(super) at: usize,
    pub(super) node: Node,
    /// The comma behind it.
    pub(super) comma: Option<usize>,
}

impl Node {
    pub(super) fn value(&self) -> Value {
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

    pub(super) fn members(&self) -> Option<&[Member]> {
        match &self.kind {
            Kind::Object(members) => Some(members),
            Kind::List(_) | Kind::Scalar(_) => None,
        }
    }

    /// The one member of that name.
    pub(super) fn member(&self, name: &str) -> Result<Option<(usize, &Member)>, Wrong> {
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

/// Reads from the left; where it stands when it fails is what is wrong.
pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

impl Reader<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn blanks(&mut self) -> Result<(), ()> {
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
    pub(super) fn remark(&mut self) -> Result<bool, ()> {
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

    pub(super) fn node(&mut self, depth: usize) -> Result<Node, ()> {
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
