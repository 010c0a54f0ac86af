//! tmux's control mode: how it was cut does not matter, what comes out is bounded by what went in, a screen has its rows,
//! and what a pane wrote comes out as it was, whatever was before it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sshmcp_fuzz::tmux::control::{Control, Event};

const PANE: &str = "%0";

/// What tmux says, for bytes that are no text; chance does not find it.
const SAYS: [&[u8]; 10] = [
    b"%output %0 ",
    b"%extended-output %0 7 : ",
    b"%begin 1 2 1\n",
    b"%end 1 2 1\n",
    b"%error 1 2 1\n",
    b"%begin 1 3 1\n",
    b"%end 1 3 1\n",
    b"sshmcp-screen 80 3 2 1 0 77 /dev/pts/3\n",
    b"%pause %0\n",
    b"%exit\n",
];

fn spell(data: &[u8]) -> Vec<u8> {
    let said = |byte: u8| {
        byte.checked_sub(0xf5)
            .and_then(|number| SAYS.get(usize::from(number)))
    };
    let mut spelled = Vec::new();
    for byte in data {
        match said(*byte) {
            Some(says) => spelled.extend_from_slice(says),
            None => spelled.push(*byte),
        }
    }
    spelled
}

/// As tmux writes what a pane does.
fn escape(data: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in data {
        match byte {
            0..=0x1f | b'\\' => escaped.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            byte => escaped.push(*byte),
        }
    }
    escaped
}

fuzz_target!(|data: &[u8]| {
    let (first, rest) = data.split_first().unwrap_or((&0, data));
    let spelled = spell(rest);
    let mut whole = Control::new(PANE);
    let events = whole.feed(&spelled);
    let mut cut = Control::new(PANE);
    let pieces: Vec<Event> = spelled
        .chunks(usize::from(*first).max(1))
        .flat_map(|piece| cut.feed(piece))
        .collect();
    assert_eq!(events, pieces);
    let mut bytes = 0;
    for event in &events {
        bytes += match event {
            Event::Output(output) => {
                assert!(!output.is_empty());
                output.len()
            }
            Event::Screen(screen) => {
                assert_eq!(screen.rows.len(), usize::from(screen.pane.height));
                screen.rows.iter().map(Vec::len).sum()
            }
            // Three bytes for each that is no text.
            Event::Failed(words) | Event::Exit(words) => words.len() / 3,
            Event::Attached | Event::Paused | Event::Garbled => 0,
        };
    }
    assert!(bytes <= spelled.len());
    assert!(events.len() <= spelled.len());
    assert!(events.iter().filter(|event| **event == Event::Garbled).count() <= 1);
    if !rest.is_empty() {
        let line = [b"%output %0 ", escape(rest).as_slice(), b"\n"].concat();
        assert_eq!(Control::new(PANE).feed(&line), [Event::Output(rest.to_vec())]);
        // And behind something else, but within a reply.
        let is_outside = spelled.ends_with(b"\n") && !spelled.windows(6).any(|word| word == b"%begin");
        if is_outside {
            assert_eq!(whole.feed(&line), [Event::Output(rest.to_vec())]);
        }
    }
});
