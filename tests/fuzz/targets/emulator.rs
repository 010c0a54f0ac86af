//! The screen: nothing fails, what is kept and answered is bounded, and how the bytes were cut does not matter. Two bytes
//! that are no UTF-8 stand for a change of size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sshmcp_fuzz::terminal::screen::{Screen, Shot};

const SCROLLBACK: usize = 20;

/// What 0xfe and a byte mean.
fn size(byte: u8) -> (u16, u16) {
    (u16::from(byte & 15) * 5, u16::from(byte >> 4) * 3)
}

fn play(data: &[u8], piece: usize) -> (Shot, usize) {
    let mut screen = Screen::new(20, 5, SCROLLBACK);
    let mut answers = 0;
    let mut parts = data.split(|byte| *byte == 0xfe);
    for bytes in parts.next().unwrap_or_default().chunks(piece) {
        screen.feed(bytes);
    }
    for part in parts {
        let (cols, rows) = size(part.first().copied().unwrap_or(0));
        screen.resize(cols, rows);
        for bytes in part.get(1..).unwrap_or_default().chunks(piece) {
            screen.feed(bytes);
        }
        answers += screen.answers().len();
        let painting = screen.paint(10, 4);
        assert!(painting.rows.len() <= 4);
    }
    (screen.shot(1000), answers)
}

fuzz_target!(|data: &[u8]| {
    let (first, rest) = data.split_first().unwrap_or((&0, data));
    let (whole, answers) = play(rest, rest.len().max(1));
    let (cut, _) = play(rest, usize::from(*first).max(1));
    assert_eq!(whole, cut);
    assert!(answers <= rest.len() * 64);
    assert!(whole.rows.len() <= SCROLLBACK + 1000);
    for row in &whole.rows {
        assert!(row.chars().count() <= 1000 * 9);
        assert!(!row.chars().any(|c| c.is_control()), "{row:?}");
    }
});
