//! The emulator as it is fed: with what xterm does and it does not, at once, and without what would let a host's output
//! grow its memory.

use std::time::Duration;

use alacritty_terminal::{
    Term,
    event::EventListener,
    grid::{Cursor, Dimensions as _},
    index::Column,
    term::{
        TermMode,
        cell::{Cell, Flags},
    },
    vte::ansi::{
        Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, Hyperlink, KeyboardModes,
        KeyboardModesApplyBehavior, LineClearMode, Mode, ModifyOtherKeys, NamedPrivateMode, PrivateMode,
        Processor, Rgb, ScpCharPath, ScpUpdateMode, StandardCharset, TabulationClearMode, Timeout,
    },
};
use unicode_width::UnicodeWidthChar as _;

use super::{super::utf8::complete_prefix, guard::Guard};

/// Characters without width that one cell keeps; scripts that need several a letter need fewer than this.
const ZERO_WIDTH_MAX: usize = 8;
/// Titles that programs may put by for later; each is up to 4 KiB.
const TITLES_MAX: usize = 16;
/// Bytes that the parser is given at once: for each byte that is no UTF-8 it looks at all the others.
const AT_ONCE: usize = 2 << 10; // 2 KiB

/// An emulator and its parser.
pub(super) struct Emulator<T> {
    seen: Seen<T>,
    parser: Processor<AtOnce>,
    guard: Guard,
    /// The beginning of a character. The parser loses what comes behind one that it gets in two pieces.
    partial: Vec<u8>,
}

impl<T: EventListener> Emulator<T> {
    pub(super) fn new(term: Term<T>) -> Self {
        Self {
            seen: Seen {
                term,
                titles: 0,
                put_by: None,
                has_saved: false,
            },
            parser: Processor::new(),
            guard: Guard::default(),
            partial: Vec::new(),
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let Self {
            seen,
            parser,
            guard,
            partial,
        } = self;
        guard.pass(bytes, |passed| {
            for some in passed.chunks(AT_ONCE) {
                let joined = (!partial.is_empty()).then(|| [partial, some].concat());
                let some = joined.as_deref().unwrap_or(some);
                let (whole, rest) = some.split_at(complete_prefix(some));
                parser.advance(seen, whole);
                partial.clear();
                partial.extend_from_slice(rest);
            }
        });
    }

    pub(super) const fn term(&self) -> &Term<T> {
        &self.seen.term
    }

    pub(super) const fn term_mut(&mut self) -> &mut Term<T> {
        &mut self.seen.term
    }
}

/// Updates that a program wants to be seen as one are seen as they come: whoever looks waits until it rests, and one
/// that dies within leaves no old screen.
#[derive(Default)]
struct AtOnce;

impl Timeout for AtOnce {
    fn set_timeout(&mut self, _: Duration) {}

    fn clear_timeout(&mut self) {}

    fn pending_timeout(&self) -> bool {
        false
    }
}

struct Seen<T> {
    term: Term<T>,
    titles: usize,
    /// What the first screen had saved (DECSC) before the alternate one.
    put_by: Option<Cursor<Cell>>,
    /// A program has saved the cursor with a switch of screens.
    has_saved: bool,
}

/// The alternate screen without a cursor of its own: modes 47 and 1047.
const fn is_plain_alternate(mode: PrivateMode) -> bool {
    matches!(mode, PrivateMode::Unknown(47 | 1047))
}

const ALTERNATE: PrivateMode = PrivateMode::Named(NamedPrivateMode::SwapScreenAndSetRestoreCursor);

impl<T: EventListener> Seen<T> {
    fn is_alternate(&self) -> bool {
        self.term.mode().contains(TermMode::ALT_SCREEN)
    }

    /// The cell that a character without width belongs to can take one more.
    fn takes_zero_width(&self) -> bool {
        let grid = self.term.grid();
        let cursor = &grid.cursor;
        let mut column = cursor.point.column.0;
        if !cursor.input_needs_wrap {
            column = column.saturating_sub(1);
        }
        let row = &grid[cursor.point.line];
        if row[Column(column)].flags.contains(Flags::WIDE_CHAR_SPACER) {
            column = column.saturating_sub(1);
        }
        let kept = row[Column(column)].zerowidth().map_or(0, <[char]>::len);
        kept < ZERO_WIDTH_MAX
    }

    fn leave_alternate(&mut self) {
        self.term.swap_alt();
        if let Some(mut saved) = self.put_by.take() {
            // The screen may be smaller since.
            let (column, line) = (self.term.last_column(), self.term.bottommost_line());
            saved.point.column = saved.point.column.min(column);
            saved.point.line = saved.point.line.min(line);
            self.term.grid_mut().saved_cursor = saved;
        }
    }
}

macro_rules! as_it_is {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => { $(
        #[inline]
        fn $name(&mut self $(, $argument: $kind)*) {
            Handler::$name(&mut self.term $(, $argument)*);
        }
    )* };
}

impl<T: EventListener> Handler for Seen<T> {
    #[inline]
    fn input(&mut self, c: char) {
        if c.is_ascii() || c.width() != Some(0) || self.takes_zero_width() {
            self.term.input(c);
        }
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        let plain = is_plain_alternate(mode);
        if (plain || mode == ALTERNATE) && !self.is_alternate() {
            if plain {
                self.put_by = Some(self.term.grid().saved_cursor.clone());
            } else {
                self.has_saved = true;
            }
            self.term.swap_alt();
        } else if !plain {
            self.term.set_private_mode(mode);
        }
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        if is_plain_alternate(mode) {
            if self.is_alternate() {
                let cursor = self.term.grid().cursor.clone();
                self.leave_alternate();
                self.term.grid_mut().cursor = cursor;
            }
        } else if mode == ALTERNATE {
            // The cursor goes back where it was saved, from the first screen too (dialog draws there, and ends so).
            if self.is_alternate() {
                self.leave_alternate();
            } else if self.has_saved {
                self.term.restore_cursor_position();
            }
        } else {
            self.term.unset_private_mode(mode);
        }
    }

    fn push_title(&mut self) {
        if self.titles < TITLES_MAX {
            self.titles += 1;
            self.term.push_title();
        }
    }

    fn pop_title(&mut self) {
        self.titles = self.titles.saturating_sub(1);
        self.term.pop_title();
    }

    fn reset_state(&mut self) {
        self.titles = 0;
        self.put_by = None;
        self.has_saved = false;
        self.term.reset_state();
    }

    /// Each cell would keep one, and nobody sees them.
    fn set_hyperlink(&mut self, _: Option<Hyperlink>) {}

    as_it_is! {
        set_title(title: Option<String>);
        set_cursor_style(style: Option<CursorStyle>);
        set_cursor_shape(shape: CursorShape);
        goto(line: i32, column: usize);
        goto_line(line: i32);
        goto_col(column: usize);
        insert_blank(count: usize);
        move_up(count: usize);
        move_down(count: usize);
        identify_terminal(intermediate: Option<char>);
        device_status(which: usize);
        move_forward(count: usize);
        move_backward(count: usize);
        move_down_and_cr(count: usize);
        move_up_and_cr(count: usize);
        put_tab(count: u16);
        backspace();
        carriage_return();
        linefeed();
        bell();
        substitute();
        newline();
        set_horizontal_tabstop();
        scroll_up(count: usize);
        scroll_down(count: usize);
        insert_blank_lines(count: usize);
        delete_lines(count: usize);
        erase_chars(count: usize);
        delete_chars(count: usize);
        move_backward_tabs(count: u16);
        move_forward_tabs(count: u16);
        save_cursor_position();
        restore_cursor_position();
        clear_line(mode: LineClearMode);
        clear_screen(mode: ClearMode);
        clear_tabs(mode: TabulationClearMode);
        set_tabs(interval: u16);
        reverse_index();
        terminal_attribute(attribute: Attr);
        set_mode(mode: Mode);
        unset_mode(mode: Mode);
        report_mode(mode: Mode);
        report_private_mode(mode: PrivateMode);
        set_scrolling_region(top: usize, bottom: Option<usize>);
        set_keypad_application_mode();
        unset_keypad_application_mode();
        set_active_charset(index: CharsetIndex);
        configure_charset(index: CharsetIndex, charset: StandardCharset);
        set_color(index: usize, colour: Rgb);
        dynamic_color_sequence(prefix: String, index: usize, terminator: &str);
        reset_color(index: usize);
        clipboard_store(clipboard: u8, base64: &[u8]);
        clipboard_load(clipboard: u8, terminator: &str);
        decaln();
        text_area_size_pixels();
        text_area_size_chars();
        report_keyboard_mode();
        push_keyboard_mode(mode: KeyboardModes);
        pop_keyboard_modes(count: u16);
        set_keyboard_mode(mode: KeyboardModes, behaviour: KeyboardModesApplyBehavior);
        set_modify_other_keys(mode: ModifyOtherKeys);
        report_modify_other_keys();
        set_scp(path: ScpCharPath, update: ScpUpdateMode);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Screen;

    fn rows(bytes: &str) -> Vec<String> {
        let mut screen = Screen::new(20, 3, 10);
        screen.feed(bytes.as_bytes());
        screen.shot(0).rows
    }

    /// The older ways to the alternate screen and back: the cursor stays where it is, what was saved stays saved.
    #[test]
    fn alternate_screens() {
        assert_eq!(
            rows("one\x1b7\x1b[?47h\x1b[2;2Hfull\x1b[?47l."),
            ["one", "     .", ""]
        );
        assert_eq!(
            rows("one\x1b7\x1b[?1047h\x1b[3;2Hfull\x1b7\x1b[?1047l\x1b8."),
            ["one.", "", ""]
        );
        assert_eq!(
            rows("one\x1b[?1049h\x1b[?47h\x1b[3;2Hfull\x1b[?1049l."),
            ["one.", "", ""]
        );
        let draws_on_the_first = "one\x1b[?1049h\x1b[?1049l\x1b[3;1Hbox\x1b[?1049l.";
        assert_eq!(rows(draws_on_the_first), ["one.", "", "box"]);
        assert_eq!(rows("one\x1b[?1049l."), ["one.", "", ""]);
    }

    /// What was saved before the screen became smaller is within it.
    #[test]
    fn a_saved_cursor_in_a_smaller_screen() {
        let mut screen = Screen::new(20, 5, 10);
        screen.feed(b"\x1b[5;20H\x1b[?1049h\x1b[?1049l\x1b7\x1b[?47h");
        screen.resize(4, 2);
        screen.feed(b"\x1b[?47l\x1b[?1049lab");
        assert_eq!(screen.shot(0).rows.len(), 2);
        assert!(screen.shot(0).rows.concat().contains('a'));
    }

    /// An update that a program never ends is seen.
    #[test]
    fn an_update_without_end() {
        assert_eq!(rows("a\x1b[?2026hb"), ["ab", "", ""]);
    }

    /// What a cell keeps is bounded, however its accents come.
    #[test]
    fn heaps_of_accents() {
        for heap in ["\u{301}", "\u{301}\x1b[m", "\u{301}\x1b[C\x1b[D"] {
            let shown = rows(&format!("e{}f", heap.repeat(1000)));
            assert!(shown[0].chars().count() <= 2 + super::ZERO_WIDTH_MAX, "{heap:?}");
            assert!(shown[0].ends_with('f'));
        }
    }

    /// Bytes that are no text take no longer than others.
    #[test]
    fn binary_output_is_fed_in_linear_time() {
        let mut screen = Screen::new(80, 24, 100);
        let start = std::time::Instant::now();
        screen.feed(&vec![0xff; 1 << 20]);
        let once = start.elapsed();
        assert!(once.as_secs() < 5, "{once:?}");
    }
}
