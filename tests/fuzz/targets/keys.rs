//! Names of keys: a name that is none is never text, and what a key sends is what keyboards send.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sshmcp_fuzz::terminal::keys::encode;

fuzz_target!(|data: &[u8]| {
    let Ok(name) = std::str::from_utf8(data) else {
        return;
    };
    for application in [false, true] {
        let Some(bytes) = encode(name, application) else {
            continue;
        };
        let inner = bytes.strip_prefix(b"\x1b").unwrap_or(&bytes);
        let is_sequence = inner.len() <= 7 && inner.is_ascii();
        let is_letter = std::str::from_utf8(inner).is_ok_and(|text| text.chars().count() <= 1);
        assert!(is_sequence || is_letter, "{name:?}: {bytes:?}");
        // A letter that is sent was named.
        if is_letter && !inner.is_ascii() {
            let letter = std::str::from_utf8(inner).expect("a letter");
            assert!(name.ends_with(letter), "{name:?}: {bytes:?}");
        }
        assert!(!name.chars().any(char::is_control), "{name:?}");
        assert!(name.len() < 64, "{name:?}");
    }
});
