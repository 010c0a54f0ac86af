//! `Secret`: text that no formatter, log or error can show, kept shielded in memory. Where it comes from is the
//! configuration's matter.

use std::{fmt, sync::OnceLock};

use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

/// Bytes that the shield is made of: who reads memory in pieces or with errors has not all of them (as in OpenSSH's
/// shielded keys). Who has the whole memory and this program can undo it.
const SHIELD: usize = 16 << 10; // 16 KiB

/// A password or passphrase; has no `Display`, and its `Debug` hides it. Its text stands in memory only while it is
/// being used.
#[derive(Clone)]
pub struct Secret {
    salt: u128,
    shielded: Vec<u8>,
}

impl Secret {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        let salt = rand::random();
        let mut shielded = text.as_bytes().to_vec();
        shield(&mut shielded, salt);
        Self { salt, shielded }
    }

    /// The text, for the one place that hands it to the far side; wiped when it is dropped.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut bytes = self.shielded.clone();
        shield(&mut bytes, self.salt);
        Zeroizing::new(String::from_utf8(bytes).unwrap_or_default())
    }
}

/// Shields bytes, or takes the shield off them.
fn shield(bytes: &mut [u8], salt: u128) {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let words = (0..SHIELD / 8).map(|_| rand::random::<u64>());
        words.flat_map(u64::to_le_bytes).collect()
    });
    for (block, number) in bytes.chunks_mut(64).zip(0_u64..) {
        let hash = Sha512::new()
            .chain_update(key)
            .chain_update(salt.to_le_bytes())
            .chain_update(number.to_le_bytes())
            .finalize();
        for (byte, mask) in block.iter_mut().zip(hash) {
            *byte ^= mask;
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{:?}` of anything that holds a secret shows none.
    #[test]
    fn debug_hides() {
        assert_eq!(
            format!("{:?}", Some(Secret::new("hunter2".into()))),
            "Some([secret])"
        );
    }

    /// What is kept is not the text, is another each time, and gives the text back.
    #[test]
    fn shielded() {
        for text in ["", "hunter2", &"ä long one ".repeat(50)] {
            let (one, two) = (Secret::new(text.into()), Secret::new(text.into()));
            assert_eq!(
                (one.expose().as_str(), two.clone().expose().as_str()),
                (text, text)
            );
            assert!(text.is_empty() || one.shielded != two.shielded && one.shielded != text.as_bytes());
        }
    }
}
