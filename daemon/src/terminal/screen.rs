//! What a person would see in a session's terminal: a terminal emulator fed with its bytes. Bounded whatever comes;
//! knows nothing of sessions, and answers nothing but what programs must know of their terminal.

mod emulator;
mod guard;
mod paint;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use alacritty_terminal::{
    Term,
    event::{Event, EventListener},
    grid::Dimensions,
    index::{Column, Line, Point},
    term::{Config, Osc52, TermMode, cell::Flags},
};

use emulator::Emulator;
pub use paint::Painting;

/// Lines above the screen that are kept, unless told otherwise.
pub const SCROLLBACK: usize = 2000;
/// Smallest and largest size of a side; a program can ask for 0 or 65,535. A wide character needs two columns.
const SIDE: std::ops::RangeInclusive<u16> = 2..=1000;
/// Answers that wait to be typed: a flood of questions is answered only so far.
const ANSWERS_MAX: usize = 1 << 10; // 1 KiB
/// Longest title that is kept.
const TITLE_MAX: usize = 200;

/// A terminal as it is seen.
pub struct Screen {
    emulator: Emulator<Heard>,
    heard: Heard,
    size: (u16, u16),
    scrollback: usize,
}

/// The screen at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shot {
    /// The rows, from the top, without trailing blanks; scrollback first where it was asked for.
    pub rows: Vec<String>,
    /// Row of the cursor on the screen, from 0.
    pub row: u16,
    /// Column of the cursor, from 0.
    pub column: u16,
    /// Title that the programs there set, plain text.
    pub title: String,
    /// A full-screen program has the alternate screen.
    pub alternate: bool,
}

/// What the emulator says to us while it is fed.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    answers: Vec<u8>,
    title: String,
}

impl EventListener for Heard {
    fn send_event(&self, event: Event) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::PtyWrite(text) if said.answers.len() + text.len() <= ANSWERS_MAX => {
                said.answers.extend_from_slice(text.as_bytes());
            }
            Event::Title(title) => {
                said.title = title
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(TITLE_MAX)
                    .collect();
            }
            Event::ResetTitle => said.title.clear(),
            // The clipboard and the colours of a person's terminal are nobody's business on the host.
            Event::PtyWrite(_)
            | Event::ClipboardStore(..)
            | Event::ClipboardLoad(..)
            | Event::ColorRequest(..)
            | Event::TextAreaSizeRequest(_)
            | Event::MouseCursorDirty
            | Event::CursorBlinkingChange
            | Event::Wakeup
            | Event::Bell
            | Event::Exit
            | Event::ChildExit(_) => {}
        }
    }
}

struct Size {
    cols: usize,
    rows: usize,
}

impl Size {
    fn new(cols: u16, rows: u16) -> Self {
        let within = |side: u16| usize::from(side.clamp(*SIDE.start(), *SIDE.end()));
        Self {
            cols: within(cols),
            rows: within(rows),
        }
    }
}

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.rows
    }

    fn screen_lines(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        self.cols
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Screen").finish_non_exhaustive()
    }
}

impl Screen {
    /// An empty screen.
    pub fn new(cols: u16, rows: u16, scrollback: usize) -> Self {
        let config = Config {
            scrolling_history: scrollback,
            osc52: Osc52::Disabled,
            ..Config::default()
        };
        let heard = Heard::default();
        Self {
            emulator: Emulator::new(Term::new(config, &Size::new(cols, rows), heard.clone())),
            heard,
            size: (cols, rows),
            scrollback,
        }
    }

    /// Works on the emulator. A fault in it costs what it shows, and nothing else.
    fn guarded<T: Default>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| {
            tracing::error!("the terminal emulator failed; its screen is empty now");
            let (cols, rows) = self.size;
            *self = Self::new(cols, rows, self.scrollback);
            T::default()
        })
    }

    /// Shows bytes that the terminal received.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.guarded(|screen| screen.emulator.feed(bytes));
    }

    /// What programs asked of their terminal since the last time, as it has to be typed.
    pub fn answers(&mut self) -> Vec<u8> {
        std::mem::take(
            &mut self
                .heard
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .answers,
        )
    }

    /// Changes the size; text is wrapped anew.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.size = (cols, rows);
        self.guarded(|screen| screen.emulator.term_mut().resize(Size::new(cols, rows)));
    }

    /// The screen, below so many lines of what was scrolled out of it.
    pub fn shot(&mut self, scrollback: usize) -> Shot {
        self.guarded(|screen| screen.taken(scrollback))
    }

    /// The row with the cursor, and where in it that is.
    pub fn line(&mut self) -> Shot {
        self.guarded(|screen| {
            let Point { line, column } = screen.emulator.term().grid().cursor.point;
            Shot {
                rows: vec![screen.row(line)],
                column: u16::try_from(column.0).unwrap_or(0),
                ..Shot::default()
            }
        })
    }

    /// The screen for a person's terminal of so many columns and rows.
    pub fn paint(&mut self, cols: u16, rows: u16) -> Painting {
        self.guarded(|screen| paint::paint(screen.emulator.term(), cols, rows))
    }

    fn taken(&self, scrollback: usize) -> Shot {
        let grid = self.emulator.term().grid();
        let above = scrollback.min(grid.history_size());
        let first = -i32::try_from(above).unwrap_or(0);
        let last = i32::try_from(grid.screen_lines()).unwrap_or(0);
        let rows = (first..last).map(|line| self.row(Line(line))).collect();
        let Point { line, column } = grid.cursor.point;
        Shot {
            rows,
            row: u16::try_from(line.0).unwrap_or(0),
            column: u16::try_from(column.0).unwrap_or(0),
            title: self
                .heard
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .title
                .clone(),
            alternate: self.emulator.term().mode().contains(TermMode::ALT_SCREEN),
        }
    }

    /// One row without trailing blanks.
    fn row(&self, line: Line) -> String {
        let grid = self.emulator.term().grid();
        let mut text = String::new();
        for column in 0..grid.columns() {
            let cell = &grid[line][Column(column)];
            if cell
                .flags
                .intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER)
            {
                continue;
            }
            // A tab is kept as such in its first cell.
            text.push(if cell.c == '\t' { ' ' } else { cell.c });
            text.extend(cell.zerowidth().into_iter().flatten());
        }
        text.truncate(text.trim_end_matches(' ').len());
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(bytes: &[u8]) -> Shot {
        let mut screen = Screen::new(20, 5, 100);
        screen.feed(bytes);
        screen.shot(0)
    }

    /// Where text and cursor are after movements, erasures, wide characters and tabs.
    #[test]
    fn table() {
        let shot = shown(b"one\r\ntwo\x1b[1;3HX\x1b[2;1H");
        assert_eq!(shot.rows, ["onX", "two", "", "", ""]);
        assert_eq!((shot.row, shot.column), (1, 0));
        let shot = shown("\u{4f60}\u{597d}!\ta".as_bytes());
        assert_eq!(
            shot.rows.first().map(String::as_str),
            Some("\u{4f60}\u{597d}!   a")
        );
        let shot = shown(b"\x1b]0;ti\x1btle\x07\x1b[?1049hfull");
        assert!(shot.alternate);
        let shot = shown(b"\x1b]2;a title\x07text");
        assert_eq!(shot.title, "a title");
    }

    /// Scrollback comes before the screen, and no more of it than there is.
    #[test]
    fn scrollback() {
        let mut screen = Screen::new(20, 3, 4);
        for number in 0..10 {
            screen.feed(format!("line {number}\r\n").as_bytes());
        }
        assert_eq!(screen.shot(0).rows, ["line 8", "line 9", ""]);
        assert_eq!(screen.shot(2).rows, ["line 6", "line 7", "line 8", "line 9", ""]);
        assert_eq!(screen.shot(1000).rows.len(), 7);
    }

    /// A terminal that is given what was painted shows the same, from the first painting on and after each change; what
    /// a host wants to do to a person's terminal is not in it.
    #[test]
    fn paintings() {
        let steps = [
            "plain\r\n\x1b[1;31mred\x1b[0m \x1b[48;5;200mback\x1b[0m \x1b[38;2;1;2;3mrgb\x1b[7m inverse",
            "\x1b[2;3Hover \u{4f60}\u{597d} e\u{301}\x1b[?1h\x1b[?25l",
            "\x1b]0;title\x07\x1b]52;c;aGk=\x07\x1bPtmux;\x1b\x1b[c\x1b\\\x1b[6n\u{202e}abc\x1b[?25h",
            "\x1b[2J\x1b[?1049hfull\x1b[5;1Hlast",
        ];
        let mut theirs = Screen::new(30, 6, 0);
        let mut seen = Screen::new(30, 6, 0);
        let mut before = None;
        for step in steps {
            theirs.feed(step.as_bytes());
            let painting = theirs.paint(30, 6);
            let bytes = painting.since(before.as_ref());
            assert!(!bytes.contains("\x1b]") && !bytes.contains("\x1bP") && !bytes.contains('\u{202e}'));
            seen.feed(bytes.as_bytes());
            let (was, now) = (theirs.shot(0), seen.shot(0));
            let turned = |rows: Vec<String>| rows.join("\n").replace('\u{202e}', "");
            assert_eq!(turned(now.rows), turned(was.rows), "{step:?}");
            assert_eq!((now.row, now.column), (was.row, was.column));
            assert_eq!(seen.paint(30, 6).modes, painting.modes);
            assert_eq!(seen.paint(30, 6).rows, painting.rows);
            before = Some(painting);
        }
    }

    /// A smaller terminal is shown the part with the cursor.
    #[test]
    fn a_painting_is_cut() {
        let mut screen = Screen::new(20, 6, 0);
        screen.feed(b"1 a long line\r\n2\r\n3\r\n4");
        let painting = screen.paint(3, 2);
        assert_eq!(painting.rows, ["3", "4"]);
        assert_eq!((painting.row, painting.column), (1, 1));
    }

    /// A program learns where its cursor is; a clipboard it neither reads nor writes, and a flood of questions is
    /// answered only so far.
    #[test]
    fn answers() {
        let mut screen = Screen::new(20, 5, 0);
        screen.feed(b"ab\x1b[6n");
        assert_eq!(screen.answers(), b"\x1b[1;3R");
        screen.feed(b"\x1b]52;c;aGVsbG8=\x07\x1b]52;c;?\x07");
        assert_eq!(screen.answers(), b"");
        screen.feed(&b"\x1b[c".repeat(10_000));
        assert!(screen.answers().len() <= ANSWERS_MAX);
    }

    /// No size is too small or too large.
    #[test]
    fn sizes() {
        let mut screen = Screen::new(0, 0, 10);
        for (cols, rows) in [(0, 0), (65_535, 65_535), (80, 24), (1, 1)] {
            screen.resize(cols, rows);
            screen.feed("wide \u{4f60} and long text that wraps\r\n".as_bytes());
            assert!(!screen.shot(5).rows.is_empty());
        }
    }

    /// What terminals are sent, and what hosts could send.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            "[ -~\r\n\t\u{4f60}\u{301}\u{1f600}]{0,40}".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..20),
            (
                proptest::collection::vec(prop_oneof![0..30_u32, any::<u32>()], 0..4),
                proptest::sample::select(b"ABCDEFGHIJKLMPSTXZ`abcdefghlmnpqrstu@".to_vec()),
                proptest::sample::select(vec!["", "?", ">", "!", " "]),
            )
                .prop_map(|(params, last, private)| {
                    let params: Vec<String> = params.iter().map(ToString::to_string).collect();
                    format!("\x1b[{private}{}{}", params.join(";"), last as char).into_bytes()
                }),
            proptest::sample::select(vec![
                "\x1b[?1049h",
                "\x1b[?1049l",
                "\x1b[?7l",
                "\x1b[?6h",
                "\x1bc",
                "\x1bM",
                "\x1bD",
                "\x1bH",
                "\x1b#8",
                "\x1b(0",
                "\x0e",
                "\x1b7",
                "\x1b8",
                "\x1b]52;c;?\x07",
                "\x1bP+q\x1b\\",
                "\x1b[?2026h",
            ])
            .prop_map(|text| text.as_bytes().to_vec()),
        ]
    }

    proptest! {
        /// `PROPTEST_CASES=10000` plays more of them. Whatever is sent, in whatever sizes: nothing fails, what comes out is bounded, and how the bytes were cut
        /// does not matter.
        #[test]
        fn hostile_output(
            steps in proptest::collection::vec((piece(), proptest::option::weighted(0.1, (0..300_u16, 0..200_u16))), 0..40),
            cut in 1..9_usize)
        {
            let mut whole = Screen::new(20, 5, 30);
            let mut cut_up = Screen::new(20, 5, 30);
            for (bytes, size) in &steps {
                whole.emulator.feed(bytes);
                bytes.chunks(cut).for_each(|part| cut_up.feed(part));
                if let Some((cols, rows)) = size {
                    whole.emulator.term_mut().resize(Size::new(*cols, *rows));
                    cut_up.resize(*cols, *rows);
                }
            }
            let shot = whole.taken(1000);
            prop_assert!(shot.rows.len() <= 30 + 1000);
            prop_assert_eq!(shot, cut_up.shot(1000));
            prop_assert!(whole.answers().len() <= ANSWERS_MAX);
        }
    }
}
