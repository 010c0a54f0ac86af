//! The view by its bytes: order, bounds, cursors, and when the emulator is fed.

use std::path::Path;

use super::*;
use crate::{
    id::SessionName,
    recording::{Limits, Recordings},
    session::Look,
    terminal::{clean::clean, screen::SCROLLBACK},
};

fn sized(cols: u16, rows: u16) -> View {
    let recordings = Recordings::new(Path::new("/nowhere"), Limits::default);
    View::new(cols, rows, recordings.recorder(&SessionName::for_host("h")))
}

fn view() -> View {
    sized(80, 24)
}

/// The cursor counts every byte; what is gone is told.
#[test]
fn cursor_never_moves_back() {
    let mut view = view();
    view.show(b"one\r\n");
    let cursor = view.cursor();
    view.show(b"two\r\n$ ");
    assert_eq!(view.since(cursor).text, "two\n$ ");
    assert_eq!(view.tail(1).text, "$");
    assert_eq!(view.unfinished_line(), "$ ");
    view.show(&vec![b'x'; KEPT + 5]);
    let shown = view.since(cursor);
    assert_eq!(shown.dropped, view.cursor() - KEPT as u64 - cursor);
}

/// What is new comes in answers of bounded size, one behind the other, cut where a reader would cut; a character that has
/// only begun waits.
#[test]
fn what_is_new_in_parts() {
    let mut view = view();
    let lines: String = (0..200)
        .map(|at| format!("\x1b[3{}mzeile {at} \u{e4}\u{20ac}\x1b[0m\r\n", at % 8))
        .collect();
    let mut read = String::new();
    let mut cursor = 0;
    for chunk in lines.as_bytes().chunks(7) {
        view.show(chunk);
        loop {
            let shown = view.look(Look::Next(cursor, 10));
            assert!(
                shown.text.chars().count() <= 10 && !shown.text.contains('\u{fffd}'),
                "{shown:?}"
            );
            assert_eq!(shown.dropped, 0);
            read += &shown.text;
            cursor = shown.cursor;
            if shown.follows == 0 {
                break;
            }
        }
        assert_eq!(view.look(Look::Screen).cursor, cursor);
    }
    assert_eq!(cursor, view.cursor());
    assert_eq!(read, clean(lines.as_bytes()));
    let line = view.look(Look::Next(0, 50)).text;
    assert!(line.ends_with('\n') && line.lines().count() == 4, "{line}");
}

/// What commands wrote is not the terminal's own.
#[test]
fn own_is_what_no_command_wrote() {
    let mut view = view();
    view.show(b"$ ");
    view.announce("make", None);
    view.start();
    view.mirror(b"made\n", Instant::now());
    view.show(b"$ \r\nlistening\r\n");
    let cursor = view.cursor();
    view.begin("top");
    view.show_output(b"load 1\r\n");
    view.show_output(b"load 2\r\n");
    view.show(b"$ ");
    assert_eq!(view.own_since(0).text, "$ \n$ \nlistening\n\n$ ");
    assert_eq!(view.own_since(cursor).text, "\n$ ");
    assert_eq!(view.own_since(cursor).cursor, view.cursor());
    assert_eq!(view.own_since(view.cursor()).text, "");
    view.show(&vec![b'x'; KEPT + 5]);
    assert_eq!(view.own_since(0).text.len(), KEPT);
    view.begin("x");
    assert_eq!(view.woven.len(), 1);
}

/// A flood of captured output does not push everything else out.
#[test]
fn mirror_is_bounded() {
    let mut view = view();
    view.begin("yes");
    for _ in 0..100 {
        view.mirror(&[b'y'; 4096], Instant::now());
    }
    assert!(view.cursor() < (MIRRORED + 200) as u64);
    assert!(view.tail(1).text.contains("the rest is in"));
}

/// In whatever order text, output and the next prompt come: text, output, prompt is what is seen.
#[test]
fn captured_commands_are_in_order() {
    for start_first in [true, false] {
        let mut view = view();
        view.show(b"$ ");
        view.announce("echo hi", None);
        if start_first {
            view.start();
        }
        view.mirror(b"h", Instant::now());
        view.start();
        view.hold();
        view.show(b"$ ");
        view.mirror(b"i\n", Instant::now());
        view.release();
        assert_eq!(view.tail(10).text, "$ echo hi\nhi\n$");
        assert_eq!((view.tail(10).row, view.tail(10).column), (2, 2));
    }
}

/// What a captured command left open does not swallow what the shell shows next.
#[test]
fn torn_output() {
    for torn in ["\x1b]0;ti", "\x1bP+q", "\x1b[3", "\x1b"] {
        let mut view = view();
        view.show(b"$ ");
        view.announce("x", None);
        view.mirror(torn.as_bytes(), Instant::now());
        view.hold();
        view.show(b"$ ");
        view.release();
        view.show(b"l");
        assert_eq!(view.tail(10).text, "$ x\n$ l", "{torn:?}");
        assert_eq!(view.since(0).text, "$ x\n$ l", "{torn:?}");
    }
}

/// A prompt that comes when our line is typed already is seen, and the line is not, however both are cut.
#[test]
fn the_prompt_before_our_line() {
    for (sign, bytes, shown) in [
        (
            Sign::Line,
            "\x1b[?2004h_a_$  __sshmcp_0 7;__sshmcp_\r\n\x1b[?2004l\r",
            "_a_$ ls",
        ),
        (
            Sign::PasteMode,
            "\rvm% \x1b[K\x1b[?2004h_\x08__sshmcp_0 7\r\r\n",
            "vm% ls",
        ),
    ] {
        for size in 1..bytes.len() {
            let mut view = view();
            view.announce("ls", Some(sign));
            for piece in bytes.as_bytes().chunks(size) {
                view.pass_by(piece);
            }
            view.start();
            assert_eq!(view.tail(5).text, shown, "{size}");
            assert!(!view.since(0).text.contains("sshmcp"));
        }
    }
}

/// There is an emulator when somebody looks, when a program asks its terminal, or when much was shown.
#[test]
fn the_emulator_is_late() {
    let mut view = view();
    view.show(b"text \x1b[31mred\x1b[0m\x1b[?2004h");
    assert!(view.screen.is_none());
    view.show(b"\x1b[6n");
    assert_eq!(view.answers(), b"\x1b[1;9R");
    view.show(b"\x1b[6n");
    view.start();
    let answers = view.answers();
    assert_eq!(
        answers, b"",
        "what was asked before is not answered to what starts"
    );
    let mut view = self::view();
    view.show(&vec![b'a'; UNSEEN_MAX + 1]);
    assert!(view.screen.is_none());
    view.show(b"\x1b[31m");
    assert!(view.screen.is_some());
}

/// A line is empty again when it looks as before, and not while its echo is on the way.
#[test]
fn a_line_typed_and_taken_away() {
    let mut view = view();
    view.show(b"\r\n$ ");
    assert!(!view.is_line_empty());
    view.begin_line();
    view.show(b"\x1b]0;t\x07");
    assert!(!view.is_line_empty());
    view.show(b"ls");
    assert!(!view.is_line_empty());
    view.show(b"\x1b[3D\x1b[C");
    assert!(!view.is_line_empty());
    view.show(b"\r$ \x1b[K");
    assert!(view.is_line_empty());
}

/// Of a flood of plain text that nobody looks at, the end alone is worked on, and the screen is the same.
#[test]
fn a_flood_is_fed_at_its_end() {
    let mut view = view();
    let mut all = Screen::new(80, 24, SCROLLBACK);
    view.show(b"\x1b[1;31mred ");
    all.feed(b"\x1b[1;31mred ");
    for number in 0..40_000 {
        let lines = format!("a line of a flood, of which there are many, number {number}\r\n").repeat(3);
        view.show(lines.as_bytes());
        all.feed(lines.as_bytes());
        assert!(view.unseen.len() <= 2 * view.unseen_most() + lines.len());
    }
    assert_eq!(view.screen_now(100).text, all.shot(100).rows.join("\n"));
}

/// The screen is what a person would see; lines above it come before it.
#[test]
fn screen_and_scrollback() {
    let mut view = sized(20, 3);
    view.show(b"1\r\n2\r\n3\r\n4\r\n5\x1b[1;1Hx\x1b]0;t\x07");
    let shown = view.screen_now(0);
    assert_eq!((shown.text.as_str(), shown.row, shown.column), ("x\n4\n5", 0, 1));
    assert_eq!(shown.title, "t");
    assert_eq!(view.screen_now(1).text, "2\nx\n4\n5");
    view.resize(10, 2);
    assert_eq!(view.screen_now(0).size, (10, 2));
}

/// What was typed to a captured command shows before what it says to that, whichever comes first; its end waits for nothing.
#[test]
fn an_answer_shows_before_what_comes_of_it() {
    let mut view = view();
    let now = Instant::now();
    view.begin("read x");
    view.mirror(b"name? ", now);
    view.expect_echo(b"me\n");
    view.mirror(b"hello me\n", now);
    assert!(view.echo_due().is_some());
    view.show(b"me\r\n");
    assert_eq!(view.echo_due(), None);
    view.mirror(b"bye\n", now);
    view.expect_echo(b"lost\n");
    view.mirror(b"last\n", now);
    view.hold();
    view.show(b"$ ");
    view.release();
    assert_eq!(view.since(0).text, "read x\nname? me\nhello me\nbye\nlast\n$ ");
}
