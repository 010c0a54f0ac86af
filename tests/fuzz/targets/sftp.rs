//! SFTP replies: how they were cut does not matter, nothing in one is longer than it, and attributes are what they were once
//! they are written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sshmcp_fuzz::file::read;

/// Heads of packets, for bytes above: chance does not find lengths that fit. The last byte of a length is the next one.
const KINDS: [u8; 8] = [2, 101, 102, 103, 104, 105, 201, 0];

/// A byte of 0xf8 and above begins a packet of that kind, as long as the next byte says.
fn spell(data: &[u8]) -> Vec<u8> {
    let mut spelled = Vec::new();
    let mut bytes = data.iter().copied();
    while let Some(byte) = bytes.next() {
        let Some(kind) = byte.checked_sub(0xf8).and_then(|at| KINDS.get(usize::from(at))) else {
            spelled.push(byte);
            continue;
        };
        spelled.extend([0, 0, 0, bytes.next().unwrap_or(5), *kind]);
    }
    spelled
}

fuzz_target!(|data: &[u8]| {
    let (first, rest) = data.split_first().unwrap_or((&0, data));
    read(usize::from(*first), rest);
    read(usize::from(*first), &spell(rest));
});
