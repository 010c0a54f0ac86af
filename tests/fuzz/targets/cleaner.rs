//! The cleaner: nothing that acts on a terminal comes out, its size is bounded by what went in, and how the bytes were cut
//! does not matter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sshmcp_fuzz::terminal::clean::{Cleaner, clean};

/// What movement may add, once; and what a spelled-out character is longer than it was.
const PADDING: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let (first, whole) = data.split_first().unwrap_or((&0, data));
    let cut = whole.chunks(usize::from(*first).max(1));
    let text = clean(whole);
    let mut cleaner = Cleaner::new();
    cut.for_each(|piece| cleaner.feed(piece));
    assert_eq!(cleaner.finish(), text);
    let acts = |c: char| match c {
        '\n' | '\t' => false,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    };
    assert!(!text.chars().any(acts), "{text:?}");
    assert!(text.len() <= whole.len() * 8 + PADDING);
    let mut capped = Cleaner::with_line_cap(64);
    let mut settled = 0;
    for piece in whole.chunks(16) {
        capped.feed(piece);
        settled += capped.take_settled(256).len();
    }
    assert!(settled + capped.finish().len() <= whole.len() * 8 + PADDING);
});
