//! JSON with comments as text: a member of an object is put in or taken out, and nothing else moves. What the members mean
//! is not known here.

mod printer;
mod reader;

use serde_json::Value;

use self::printer::{Printed, Printer, nested, object, quoted};
use self::reader::{Node, Reader};
use super::{Entry, Wrong};

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

#[cfg(test)]
mod tests;
