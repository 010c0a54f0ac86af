//! A screen as sequences for a person's terminal. Only what we make ourselves is in it: text, colours and places; nothing
//! that a host sent passes as it came.

use std::fmt::Write as _;

use alacritty_terminal::{
    Term,
    grid::Dimensions,
    index::{Column, Line},
    term::{
        TermMode,
        cell::{Cell, Flags},
    },
    vte::ansi::{Color, NamedColor, Rgb},
};

/// A screen, painted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Painting {
    /// The rows from the top, each with its colours, ending without any; blanks at their ends are left out.
    pub rows: Vec<String>,
    /// Row of the cursor, from 0.
    pub row: u16,
    /// Column of it, from 0.
    pub column: u16,
    /// The cursor is seen.
    pub cursor_visible: bool,
    /// What switches the keyboard and the mouse to what the program there wants.
    pub modes: Vec<(u16, bool)>,
}

/// Modes of the keyboard and the mouse that are followed: cursor keys, bracketed paste, clicks, drags, movements, and
/// how these are told.
const MODES: [(u16, TermMode); 6] = [
    (1, TermMode::APP_CURSOR),
    (2004, TermMode::BRACKETED_PASTE),
    (1000, TermMode::MOUSE_REPORT_CLICK),
    (1002, TermMode::MOUSE_DRAG),
    (1003, TermMode::MOUSE_MOTION),
    (1006, TermMode::SGR_MOUSE),
];

/// Paints the screen, cut to so many columns and rows; the rows that the cursor is in stay.
pub(super) fn paint<T>(term: &Term<T>, cols: u16, rows: u16) -> Painting {
    let grid = term.grid();
    let cursor = grid.cursor.point;
    let height = grid.screen_lines().min(rows.into()).max(1);
    let cursor_line = usize::try_from(cursor.line.0).unwrap_or(0);
    let first = (cursor_line + 1).saturating_sub(height);
    let width = grid.columns().min(cols.into());
    let painted = (first..first + height).map(|line| {
        let line = Line(i32::try_from(line).unwrap_or(0));
        let cells = (0..width).map(|column| &grid[line][Column(column)]);
        row(cells)
    });
    let mode = term.mode();
    Painting {
        rows: painted.collect(),
        row: u16::try_from(cursor_line - first.min(cursor_line)).unwrap_or(0),
        column: u16::try_from(cursor.column.0.min(width.saturating_sub(1))).unwrap_or(0),
        cursor_visible: mode.contains(TermMode::SHOW_CURSOR),
        modes: MODES
            .iter()
            .map(|(number, flag)| (*number, mode.contains(*flag)))
            .collect(),
    }
}

fn row<'c>(cells: impl Iterator<Item = &'c Cell>) -> String {
    let mut text = String::new();
    let mut end = 0;
    let mut style = String::new();
    for cell in cells {
        if cell
            .flags
            .intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER)
        {
            continue;
        }
        let wanted = self::style(cell);
        if wanted != style {
            let _ = write!(text, "\x1b[0{wanted}m");
            style = wanted;
        }
        text.push(if cell.c.is_control() { ' ' } else { cell.c });
        text.extend(cell.zerowidth().into_iter().flatten().filter(|c| !turns(**c)));
        if cell.c != ' ' || !style.is_empty() {
            end = text.len();
        }
    }
    text.truncate(end);
    // The blanks that were cut off may have had the reset.
    if text.contains('\x1b') {
        text.push_str("\x1b[0m");
    }
    text
}

/// Characters that would turn the text around them in a terminal that heeds them.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') || c.is_control()
}

/// The parameters of SGR behind a reset.
fn style(cell: &Cell) -> String {
    let mut style = String::new();
    for (flag, number) in [
        (Flags::BOLD, 1),
        (Flags::DIM, 2),
        (Flags::ITALIC, 3),
        (Flags::ALL_UNDERLINES, 4),
        (Flags::INVERSE, 7),
        (Flags::HIDDEN, 8),
        (Flags::STRIKEOUT, 9),
    ] {
        if cell.flags.intersects(flag) {
            let _ = write!(style, ";{number}");
        }
    }
    colour(&mut style, cell.fg, 30);
    colour(&mut style, cell.bg, 40);
    style
}

fn colour(style: &mut String, colour: Color, base: u16) {
    let _ = match colour {
        Color::Spec(Rgb { r, g, b }) => write!(style, ";{};2;{r};{g};{b}", base + 8),
        Color::Indexed(index) => write!(style, ";{};5;{index}", base + 8),
        Color::Named(name) => match name as u16 {
            number @ 0..=7 => write!(style, ";{}", base + number),
            number @ 8..=15 => write!(style, ";{}", base + 60 + number - 8),
            number if (NamedColor::DimBlack as u16..=NamedColor::DimWhite as u16).contains(&number) => {
                write!(style, ";{}", base + number - NamedColor::DimBlack as u16)
            }
            _ => Ok(()),
        },
    };
}

impl Painting {
    /// What makes a terminal that shows `before` show this; all of it where there is nothing before.
    pub fn since(&self, before: Option<&Self>) -> String {
        let mut bytes = String::from("\x1b[?25l");
        if before.is_none() {
            bytes.push_str("\x1b[0m\x1b[H\x1b[2J");
        }
        for (number, on) in &self.modes {
            let was = before.is_some_and(|before| before.modes.contains(&(*number, *on)));
            if !was {
                let _ = write!(bytes, "\x1b[?{number}{}", if *on { 'h' } else { 'l' });
            }
        }
        for (number, row) in self.rows.iter().enumerate() {
            let was = before.and_then(|before| before.rows.get(number));
            if was != Some(row) {
                let _ = write!(bytes, "\x1b[{};1H{row}\x1b[K", number + 1);
            }
        }
        let _ = write!(bytes, "\x1b[{};{}H", self.row + 1, self.column + 1);
        if self.cursor_visible {
            bytes.push_str("\x1b[?25h");
        }
        bytes
    }
}
