//! Marks on the terminal: whatever surrounds them and however it is cut, the same data and marks come out, and what is
//! held back is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sshmcp_fuzz::shell::{
    mark::{self, Mark},
    scan::{PAYLOAD_MAX, Piece, Scanner},
};

const NONCE: &str = "ab12";

fn scan<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<(usize, Option<Mark>)>) {
    let introducer = mark::introducer(NONCE);
    let mut scanner = Scanner::new(&introducer, mark::TERMINATOR);
    let (mut data, mut marks) = (Vec::new(), Vec::new());
    let (mut given, mut taken) = (0, 0);
    let mut take = |piece: Piece, taken: &mut usize| match piece {
        Piece::Data(bytes) => {
            *taken += bytes.len();
            data.extend(bytes);
        }
        Piece::Frame(body) => {
            assert!(body.len() <= PAYLOAD_MAX);
            *taken += introducer.len() + body.len() + 1;
            marks.push((data.len(), mark::parse(&body)));
        }
    };
    for chunk in chunks {
        given += chunk.len();
        for piece in scanner.feed(chunk) {
            take(piece, &mut taken);
        }
        assert!(given - taken <= introducer.len() + PAYLOAD_MAX, "it holds {}", given - taken);
    }
    if let Some(piece) = scanner.finish() {
        take(piece, &mut taken);
    }
    assert_eq!(given, taken);
    (data, marks)
}

fuzz_target!(|data: &[u8]| {
    let (first, rest) = data.split_first().unwrap_or((&0, data));
    // A short way to an introducer, as chance does not find it.
    let spelled: Vec<u8> = rest
        .iter()
        .flat_map(|byte| if *byte == 0xf8 { mark::introducer(NONCE) } else { vec![*byte] })
        .collect();
    let whole = scan(std::iter::once(&*spelled));
    assert_eq!(whole, scan(spelled.chunks(usize::from(*first).max(1))));
});
