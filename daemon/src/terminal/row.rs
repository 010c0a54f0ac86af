//! One line of a terminal while it can still change: plain text until something is overwritten, then columns.
//! It has no width: a line never wraps.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthChar;

/// Columns between tab stops.
const TAB: usize = 8;

/// Columns up to which a line can be shifted or blanked from its beginning: where lines are edited on a terminal. Longer
/// lines would make a few bytes of input cost much time.
pub(super) const EDITABLE: usize = 1024;

/// Fills the columns of a wide character or a tab behind the first.
const FILL: char = '\0';

/// A line. `cells` means nothing unless `edited`, `text` nothing if it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    text: String,
    edited: bool,
    cells: Vec<char>,
    /// Zero-width characters by the column behind the one they belong to; 0: before the first column.
    marks: BTreeMap<usize, String>,
}

impl Row {
    /// A line of text that nothing has overwritten yet.
    pub(super) fn plain(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        if self.edited {
            self.cells.is_empty() && self.marks.is_empty()
        } else {
            self.text.is_empty()
        }
    }

    pub(super) const fn is_edited(&self) -> bool {
        self.edited
    }

    /// The text, to append to; only while not edited.
    pub(super) const fn text_mut(&mut self) -> &mut String {
        &mut self.text
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Columns in use; the line is edited from here on.
    pub(super) fn columns(&mut self) -> usize {
        if !self.edited {
            self.edited = true;
            for c in std::mem::take(&mut self.text).chars() {
                let end = self.cells.len();
                if c == '\t' {
                    self.tab(end);
                } else {
                    self.put(end, c);
                }
            }
        }
        self.cells.len()
    }

    pub(super) fn clear(&mut self) {
        self.edited = false;
        self.text.clear();
        self.cells.clear();
        self.marks.clear();
    }

    /// Writes a character at a column that is not behind the end; says where the next one goes.
    pub(super) fn put(&mut self, column: usize, c: char) -> usize {
        let width = c.width().unwrap_or(0);
        if width == 0 {
            let mut owner = column.min(self.cells.len());
            while owner > 0 && self.cells.get(owner - 1) == Some(&FILL) {
                owner -= 1;
            }
            self.marks.entry(owner).or_default().push(c);
            return column;
        }
        let end = column + width;
        self.free(column, end);
        for at in column..end {
            let cell = if at == column { c } else { FILL };
            match self.cells.get_mut(at) {
                Some(old) => *old = cell,
                None => self.cells.push(cell),
            }
        }
        end
    }

    /// A tab at `column`: written if that is the end, moved over if not. Says where the next character goes.
    pub(super) fn tab(&mut self, column: usize) -> usize {
        let stop = (column / TAB + 1) * TAB;
        if column == self.cells.len() {
            self.cells.push('\t');
            self.cells.resize(stop, FILL);
        }
        stop
    }

    /// Blanks behind the end up to `column`.
    pub(super) fn pad(&mut self, column: usize) {
        if self.cells.len() < column {
            self.cells.resize(column, ' ');
        }
    }

    /// Drops `from` and everything behind it.
    pub(super) fn truncate(&mut self, from: usize) {
        self.free(from, from);
        self.cells.truncate(from);
        self.unmark(from + 1, usize::MAX);
    }

    /// Blanks over `from..to`, as far as there is anything.
    pub(super) fn blank(&mut self, from: usize, to: usize) {
        let to = to.min(self.cells.len());
        if from < to {
            self.free(from, to);
            self.cells.get_mut(from..to).unwrap_or_default().fill(' ');
        }
    }

    /// Takes out `from..to`; what is behind moves up. Not in a line longer than [`EDITABLE`].
    pub(super) fn delete(&mut self, from: usize, to: usize) {
        let to = to.min(self.cells.len());
        if from < to && self.cells.len() <= EDITABLE {
            self.free(from, to);
            self.cells.drain(from..to);
            for (at, mark) in self.marks.split_off(&(to + 1)) {
                self.marks.insert(at - (to - from), mark);
            }
        }
    }

    /// Puts `count` blanks in before `column`. Not in a line longer than [`EDITABLE`].
    pub(super) fn insert(&mut self, column: usize, count: usize) {
        if column < self.cells.len() && self.cells.len() <= EDITABLE {
            self.free(column, column);
            let blanks = std::iter::repeat_n(' ', count);
            self.cells.splice(column..column, blanks);
            for (at, mark) in self.marks.split_off(&(column + 1)) {
                self.marks.insert(at + count, mark);
            }
        }
    }

    /// Makes `from..to` writable: tabs and wide characters that reach over its edges fall apart into blanks, and the
    /// marks inside go.
    fn free(&mut self, from: usize, to: usize) {
        for edge in [from, to] {
            if self.cells.get(edge) != Some(&FILL) {
                continue;
            }
            let mut head = edge;
            while head > 0 && self.cells.get(head) == Some(&FILL) {
                head -= 1;
            }
            self.marks.remove(&(head + 1));
            let mut at = head;
            while at == head || self.cells.get(at) == Some(&FILL) {
                if let Some(cell) = self.cells.get_mut(at) {
                    *cell = ' ';
                }
                at += 1;
            }
        }
        self.unmark(from + 1, to);
    }

    /// Drops the marks of `first..=last`; one by one, as splitting the map would walk all of it.
    fn unmark(&mut self, first: usize, last: usize) {
        while first <= last
            && let Some((&at, _)) = self.marks.range(first..=last).next()
        {
            self.marks.remove(&at);
        }
    }

    /// Appends the line as text: as it came, or, once edited, without the blanks at its end.
    pub(super) fn render(&self, text: &mut String) {
        if !self.edited {
            text.push_str(&self.text);
            return;
        }
        let end = self.cells.iter().rposition(|&c| c != ' ').map_or(0, |at| at + 1);
        let end = end.max(self.marks.last_key_value().map_or(0, |(&at, _)| at));
        for at in 0..=end {
            if let Some(mark) = self.marks.get(&at) {
                text.push_str(mark);
            }
            if let Some(&c) = self.cells.get(at)
                && at < end
                && c != FILL
            {
                text.push(c);
            }
        }
    }
}
