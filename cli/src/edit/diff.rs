//! What changes in a text, for a person to read: the lines that go and come, with some around them. One place at a time.

/// Lines that are shown around a change.
const AROUND: usize = 2;
/// Characters of a line that are shown; settings of some programs are one line.
const LINE_MAX: usize = 160;

/// The lines, each with `+`, `-` or a blank before it; none if nothing changes. Of lines around it only names are shown:
/// the values there may be secrets.
pub(crate) fn lines(old: &str, new: &str) -> Vec<String> {
    if old == new {
        return Vec::new();
    }
    let (before, after): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let (head, tail) = alike(&before, &after);
    let gone = before.get(head..before.len() - tail).unwrap_or_default();
    let come = after.get(head..after.len() - tail).unwrap_or_default();
    let around = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("  {}", named(line)))
            .collect::<Vec<_>>()
    };
    let mut shown = around(before.get(head.saturating_sub(AROUND)..head).unwrap_or_default());
    match (gone, come) {
        ([gone], [come]) if gone.len().max(come.len()) > LINE_MAX => shown.extend(within(gone, come)),
        _ => {
            shown.extend(gone.iter().map(|line| format!("- {}", cut(line))));
            shown.extend(come.iter().map(|line| format!("+ {}", cut(line))));
        }
    }
    let last = before.len() - tail;
    shown.extend(around(
        before
            .get(last..(last + AROUND).min(before.len()))
            .unwrap_or_default(),
    ));
    shown
}

/// How much of two sequences is the same at their beginnings, and at the ends of what is left.
fn alike<T: PartialEq>(before: &[T], after: &[T]) -> (usize, usize) {
    let pairs = before.iter().zip(after);
    let head = pairs.take_while(|(one, other)| one == other).count();
    let rest = before.len().min(after.len()) - head;
    let pairs = before.iter().rev().zip(after.iter().rev()).take(rest);
    (head, pairs.take_while(|(one, other)| one == other).count())
}

/// What changes within one long line.
fn within(old: &str, new: &str) -> Vec<String> {
    let (before, after): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let (head, tail) = alike(&before, &after);
    let part = |sign: char, line: &[char]| {
        let part: String = line
            .get(head..line.len() - tail)
            .unwrap_or_default()
            .iter()
            .collect();
        (!part.is_empty()).then(|| format!("{sign} …{}…", cut(&part)))
    };
    [part('-', &before), part('+', &after)]
        .into_iter()
        .flatten()
        .collect()
}

/// The beginning of a line that is long.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// A line without what is behind its name.
fn named(line: &str) -> String {
    let Some(at) = line.find([':', '=']) else {
        return cut(line);
    };
    let (name, value) = line.split_at(at + 1);
    match value.trim() {
        "" => cut(name),
        opening @ ("{" | "[" | "{}" | "[]") => cut(&format!("{name} {opening}")),
        _ => cut(&format!("{name} …")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the change, two around it, and of a long line the part that matters.
    #[test]
    fn shown() {
        assert_eq!(lines("a\n", "a\n"), [""; 0]);
        assert_eq!(
            lines("a\nb\nc\nd\n", "a\nb\nc\nx\nd\n"),
            ["  b", "  c", "+ x", "  d"]
        );
        assert_eq!(lines("a\nb\n", "a\n"), ["  a", "- b"]);
        assert_eq!(lines("", "x\n"), ["+ x"]);
        assert_eq!(lines("a\na\n", "a\na\na\n"), ["  a", "  a", "+ a"]);
        assert_eq!(
            lines(
                "{\n  \"key\": \"hunter2\",\n  \"s\": {\n  }\n}\n",
                "{\n  \"key\": \"hunter2\",\n  \"s\": {\n    x\n  }\n}\n"
            ),
            ["    \"key\": …", "    \"s\": {", "+     x", "    }", "  }"]
        );
        let (long, other) = (
            "x".repeat(1000),
            format!("{}!{}", "x".repeat(500), "x".repeat(500)),
        );
        assert_eq!(lines(&long, &other), ["+ …!…"]);
    }
}
