//! A text in a file replaced by another: where it occurs, what comes of it, and a diff for people and models. No I/O.

use std::ops::Range;

use memchr::memmem;
use sshmcp_proto::{error::Fault, v1::Reason};

/// Characters of a line that a diff shows.
const LINE_MAX: usize = 200;
/// Lines of a diff; what follows is counted.
const LINES_MAX: usize = 60;
/// Most that are replaced at once: each is remembered.
const PLACES_MAX: usize = 100_000;
/// Most that are counted where there should be one.
const SEVERAL_MAX: usize = 100;
/// Lines around a change.
const CONTEXT: usize = 2;

/// What is to be replaced.
pub struct Edit {
    /// What must be there.
    pub old: Vec<u8>,
    /// What stands there afterwards.
    pub new: Vec<u8>,
    /// Everywhere.
    pub all: bool,
}

/// A file after an edit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edited {
    pub(super) content: Vec<u8>,
    pub(super) replacements: u32,
    pub(super) diff: String,
}

/// Replaces; `path` is for words.
pub(super) fn edit(content: &[u8], edit: &Edit, path: &str) -> Result<Edited, Fault> {
    let Edit { old, new, all } = edit;
    if old.is_empty() || old == new {
        return Err(Fault::new(
            Reason::InvalidArgument,
            "`old_text` is empty, or the same as `new_text`; nothing was done",
        )
        .hint("give the text that is there and the one that is to stand in its place; to add to the end use `mode`: append"));
    }
    let places = places(content, old, *all);
    match (places.len(), all) {
        (PLACES_MAX.., true) => {
            return Err(Fault::new(
                Reason::TooLarge,
                format!("`old_text` occurs {PLACES_MAX} times or more in {path}; nothing was done"),
            )
            .hint("change it on the host, with sed by execute_command"));
        }
        (0, _) => return Err(missing(content, old, path)),
        (1, _) | (_, true) => {}
        (times, false) => {
            let lines: Vec<String> = places
                .iter()
                .take(5)
                .map(|at| line_of(content, *at).to_string())
                .collect();
            return Err(Fault::new(
                Reason::Conflict,
                format!(
                    "`old_text` occurs {times} times{} in {path} (lines {}{}); nothing was done",
                    if times >= SEVERAL_MAX { " or more" } else { "" },
                    lines.join(", "),
                    if times > lines.len() { ", …" } else { "" }
                ),
            )
            .hint("give more of what stands around it, so that it occurs once, or `all`: true to replace everywhere"));
        }
    }
    let mut changed = Vec::with_capacity(content.len());
    let mut from = 0;
    for at in &places {
        changed.extend_from_slice(content.get(from..*at).unwrap_or_default());
        changed.extend_from_slice(new);
        from = at.saturating_add(old.len());
    }
    changed.extend_from_slice(content.get(from..).unwrap_or_default());
    Ok(Edited {
        diff: diff(content, &places, old.len(), new),
        content: changed,
        replacements: u32::try_from(places.len()).unwrap_or(u32::MAX),
    })
}

/// Where a text occurs: once after the other for whoever replaces all; also within one another, where only one is meant.
fn places(content: &[u8], old: &[u8], all: bool) -> Vec<usize> {
    if all {
        return memmem::find_iter(content, old).take(PLACES_MAX).collect();
    }
    let mut places: Vec<usize> = Vec::new();
    let finder = memmem::Finder::new(old);
    while places.len() < SEVERAL_MAX {
        let from = places.last().map_or(0, |last| last.saturating_add(1));
        match finder.find(content.get(from..).unwrap_or_default()) {
            Some(at) => places.push(from.saturating_add(at)),
            None => break,
        }
    }
    places
}

fn missing(content: &[u8], old: &[u8], path: &str) -> Fault {
    let windows: Vec<u8> = old
        .iter()
        .flat_map(|byte| {
            if *byte == b'\n' {
                &b"\r\n"[..]
            } else {
                std::slice::from_ref(byte)
            }
        })
        .copied()
        .collect();
    let hint = if windows != old && memmem::find(content, &windows).is_some() {
        "the file's lines end with \\r\\n: write them so in `old_text` and `new_text`"
    } else {
        "read it again with read_file: every blank and line end counts"
    };
    Fault::new(
        Reason::NotFound,
        format!("`old_text` does not occur in {path}; nothing was done"),
    )
    .hint(hint)
}

/// The number of the line that a byte is in, from 1.
fn line_of(content: &[u8], at: usize) -> usize {
    let before = content.get(..at).unwrap_or(content);
    memchr::memchr_iter(b'\n', before).count().saturating_add(1)
}

/// Lines of a file, each with its end.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// A unified diff of what replacing does, one hunk for changes that are near each other.
fn diff(content: &[u8], places: &[usize], old: usize, new: &[u8]) -> String {
    let all = lines(content);
    let mut starts = Vec::with_capacity(all.len());
    let mut at: usize = 0;
    for line in &all {
        starts.push(at);
        at = at.saturating_add(line.len());
    }
    let line_at = |byte: usize| starts.partition_point(|start| *start <= byte).saturating_sub(1);
    // Lines that change, with the places in them.
    let mut hunks: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
    for place in places {
        let first = line_at(*place);
        let last = line_at(place.saturating_add(old).saturating_sub(1)).saturating_add(1);
        // Whatever takes a line's end away changes the line that follows, too.
        let joins = content
            .get(*place..place.saturating_add(old))
            .is_some_and(|old| old.ends_with(b"\n"))
            && !new.ends_with(b"\n");
        let last = if joins {
            last.saturating_add(1).min(all.len())
        } else {
            last
        };
        match hunks.last_mut() {
            Some((range, there)) if first <= range.end.saturating_add(2 * CONTEXT) => {
                range.end = range.end.max(last);
                there.push(*place);
            }
            _ => hunks.push((first..last, vec![*place])),
        }
    }
    let mut out = Diff::default();
    let mut shift: i64 = 0;
    for (range, places) in hunks {
        let begin = starts.get(range.start).copied().unwrap_or_default();
        let end = starts.get(range.end).copied().unwrap_or(content.len());
        let (mut changed, mut from) = (Vec::new(), begin);
        for place in places {
            changed.extend_from_slice(content.get(from..place).unwrap_or_default());
            changed.extend_from_slice(new);
            from = place.saturating_add(old);
        }
        changed.extend_from_slice(content.get(from..end).unwrap_or_default());
        let before = all.get(range.clone()).unwrap_or_default();
        let after = lines(&changed);
        shift = shift.saturating_add(out.hunk(&all, &range, before, &after, shift));
    }
    out.finish()
}

#[derive(Default)]
struct Diff {
    text: String,
    shown: usize,
    left_out: usize,
}

impl Diff {
    /// Adds a hunk; gives the lines that the file has more by it.
    fn hunk(
        &mut self,
        all: &[&[u8]],
        range: &Range<usize>,
        before: &[&[u8]],
        after: &[&[u8]],
        shift: i64,
    ) -> i64 {
        let lead = range.start.saturating_sub(CONTEXT)..range.start;
        let tail = range.end..range.end.saturating_add(CONTEXT).min(all.len());
        let context = lead.len().saturating_add(tail.len());
        let old_start = lead.start.saturating_add(1);
        let new_start = signed(old_start).saturating_add(shift);
        let head = format!(
            "@@ -{old_start},{} +{new_start},{} @@",
            before.len().saturating_add(context),
            after.len().saturating_add(context)
        );
        self.line("", head.as_bytes());
        for line in all.get(lead).unwrap_or_default() {
            self.line(" ", line);
        }
        for (mark, line) in changes(before, after) {
            self.line(mark, line);
        }
        for line in all.get(tail).unwrap_or_default() {
            self.line(" ", line);
        }
        signed(after.len()).saturating_sub(signed(before.len()))
    }

    fn line(&mut self, mark: &str, line: &[u8]) {
        if self.shown >= LINES_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.shown = self.shown.saturating_add(1);
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\n', '\r']);
        self.text.push_str(mark);
        self.text.push_str(&crate::id::shorten(text, LINE_MAX));
        self.text.push('\n');
        // Else a line that gains or loses its end would be the same twice.
        if !mark.is_empty() && !line.ends_with(b"\n") {
            self.text.push_str("\\ No newline at end of file\n");
        }
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            self.text
                .push_str(&format!("[{} more lines of the diff]\n", self.left_out));
        }
        self.text
    }
}

/// Lines that go and come; those that are the same at both ends stay.
fn changes<'l>(before: &[&'l [u8]], after: &[&'l [u8]]) -> Vec<(&'static str, &'l [u8])> {
    let head = before
        .iter()
        .zip(after)
        .take_while(|(one, other)| one == other)
        .count();
    let rest = before.len().min(after.len()).saturating_sub(head);
    let tail = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take(rest)
        .take_while(|(one, other)| one == other)
        .count();
    let middle = |lines: &[&'l [u8]]| {
        lines
            .get(head..lines.len().saturating_sub(tail))
            .unwrap_or_default()
            .to_vec()
    };
    let same = before
        .get(..head)
        .unwrap_or_default()
        .iter()
        .map(|line| (" ", *line));
    let end = before
        .get(before.len().saturating_sub(tail)..)
        .unwrap_or_default();
    same.chain(middle(before).into_iter().map(|line| ("-", line)))
        .chain(middle(after).into_iter().map(|line| ("+", line)))
        .chain(end.iter().map(|line| (" ", *line)))
        .collect()
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replace(content: &str, old: &str, new: &str, all: bool) -> Result<Edited, Fault> {
        let wanted = Edit {
            old: old.into(),
            new: new.into(),
            all,
        };
        edit(content.as_bytes(), &wanted, "/f")
    }

    /// Once, or everywhere where that is wanted; else nothing, with what is to be done.
    #[test]
    fn occurrences() {
        let once = replace("a b c", "b", "x", false).expect("once");
        assert_eq!((&*once.content, once.replacements), (&b"a x c"[..], 1));
        let all = replace("aXbXc", "X", "", true).expect("all");
        assert_eq!((&*all.content, all.replacements), (&b"abc"[..], 2));
        let twice = replace("x\nx\n", "x", "y", false).expect_err("twice");
        assert_eq!(twice.reason, Reason::Conflict);
        assert!(
            twice.message.contains("2 times") && twice.message.contains("lines 1, 2"),
            "{twice}"
        );
        let overlapping = replace("aaa", "aa", "b", false).expect_err("which one?");
        assert_eq!(overlapping.reason, Reason::Conflict);
        assert_eq!(replace("aaa", "aa", "b", true).expect("all").content, b"ba");
        let many = replace(&"x".repeat(500), "x", "y", false).expect_err("many");
        assert!(many.message.contains("100 times or more"), "{many}");
        let many = replace(&"x".repeat(PLACES_MAX), "x", "y", true).expect_err("too many");
        assert_eq!(many.reason, Reason::TooLarge);
        let none = replace("a\r\nb\r\n", "a\nb", "y", false).expect_err("none");
        assert_eq!(none.reason, Reason::NotFound);
        assert!(none.hint.contains("\\r\\n"), "{}", none.hint);
        for (old, new) in [("", "x"), ("x", "x")] {
            assert_eq!(
                replace("x", old, new, true).expect_err("no edit").reason,
                Reason::InvalidArgument
            );
        }
    }

    /// The diff shows what changed with what is around it, and no more.
    #[test]
    fn diffs() {
        let content = "one\ntwo\nthree\nfour\nfive\nsix\n";
        let edited = replace(content, "three\nfour", "3\nfour", false).expect("once");
        assert_eq!(
            edited.diff,
            "@@ -1,6 +1,6 @@\n one\n two\n-three\n+3\n four\n five\n six\n"
        );
        let edited = replace(content, "four\n", "", false).expect("once");
        assert_eq!(edited.diff, "@@ -2,5 +2,4 @@\n two\n three\n-four\n five\n six\n");
        let edited = replace("a\nb", "b", "b\n", false).expect("once");
        assert_eq!(
            edited.diff,
            "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"
        );
        let far = format!("x\n{}x\n", "l\n".repeat(20));
        let edited = replace(&far, "x\n", "y\nz\n", true).expect("all");
        assert_eq!(
            edited.diff,
            "@@ -1,3 +1,4 @@\n-x\n+y\n+z\n l\n l\n@@ -20,3 +21,4 @@\n l\n l\n-x\n+y\n+z\n"
        );
    }

    /// A long diff is cut, and says so.
    #[test]
    fn long_diffs() {
        let edited = replace(&"x\n".repeat(500), "x", "y", true).expect("all");
        assert!(edited.diff.lines().count() == LINES_MAX + 1, "{}", edited.diff);
        assert!(edited.diff.contains("more lines of the diff"));
        let edited = replace(&format!("{}\n", "x".repeat(5000)), "x", "y", true).expect("all");
        assert!(edited.diff.len() < 1000, "{}", edited.diff.len());
    }

    proptest! {
        /// A hunk's lines are those of the file, and its changes those that were made.
        #[test]
        fn a_diff_is_true(content in "[ab\n]{0,60}", old in "[ab\n]{1,3}", new in "[abc\n]{0,4}") {
            prop_assume!(old != new);
            let Ok(edited) = replace(&content, &old, &new, true) else { return Ok(()) };
            prop_assert!(edited.content == content.replace(&old, &new).into_bytes());
            if edited.diff.contains("more lines") {
                return Ok(());
            }
            let (before, after) = (content.lines().collect::<Vec<_>>(), String::from_utf8(edited.content).expect("UTF-8"));
            let after: Vec<&str> = after.lines().collect();
            let (mut at, mut to) = (0, 0);
            for line in edited.diff.lines() {
                if let Some(head) = line.strip_prefix("@@ -") {
                    let number = |text: &str| text.split([',', ' ']).next().and_then(|n| n.parse::<usize>().ok());
                    at = number(head).expect("a line");
                    to = number(head.split_once('+').expect("two").1).expect("a line");
                    continue;
                }
                let (mark, text) = line.split_at(1);
                if mark == "\\" {
                    continue;
                }
                if mark != "+" {
                    prop_assert_eq!(before[at - 1], text);
                    at += 1;
                }
                if mark != "-" {
                    prop_assert_eq!(after[to - 1], text);
                    to += 1;
                }
            }
        }
    }
}
