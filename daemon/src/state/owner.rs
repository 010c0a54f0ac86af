//! Who has this state directory: a key that stands nowhere else, and by which what was left on a host is known as ours when
//! nothing else is known of it any more. What another directory's daemon left is never taken for that.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use ring::hmac;
use sha2::{Digest as _, Sha256};

/// The key's file; twice, for one may be damaged.
const FILES: [&str; 2] = ["owner", "owner.copy"];
/// Bytes of the key.
const KEY: usize = 32;
/// Hexadecimal digits of the mark: it only saves asking about what is others'.
const MARK: usize = 16;

/// The key.
pub struct Owner {
    bytes: [u8; KEY],
    key: hmac::Key,
    mark: String,
}

impl Owner {
    /// The one of a state directory, which gets one if it has none. Where that cannot be written it is a new one each time.
    /// `anchor`: where a copy may be that outlives the directory.
    pub(super) fn open(state_dir: &Path, anchor: Option<&Path>) -> Self {
        let files = FILES.iter().map(|name| state_dir.join(name));
        let copy = anchor.map(|anchor| anchor.join(FILES[0]));
        let found = files.chain(copy).find_map(|file| read(&file));
        let key = found.unwrap_or_else(rand::random);
        for name in FILES {
            let path = state_dir.join(name);
            if read(&path) != Some(key)
                && let Err(error) = write(&path, &key)
            {
                tracing::info!(path = %path.display(), %error, "the owner's key is not kept");
            }
        }
        let owner = Self::of(&key);
        if let Some(anchor) = anchor {
            owner.copy_to(anchor);
        }
        owner
    }

    /// Leaves a copy of the key there.
    pub(super) fn copy_to(&self, anchor: &Path) {
        let path = anchor.join(FILES[0]);
        if read(&path) != Some(self.bytes)
            && let Err(error) = write(&path, &self.bytes)
        {
            tracing::info!(path = %path.display(), %error, "the owner's key is not kept there");
        }
    }

    fn of(key: &[u8; KEY]) -> Self {
        Self {
            bytes: *key,
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            mark: hex(&Sha256::digest([b"sshmcp owner ".as_slice(), key].concat()))
                .chars()
                .take(MARK)
                .collect(),
        }
    }

    /// What is ours says so with this word. Anybody can say it.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// What nobody else can say of this text.
    pub fn sign(&self, text: &str) -> String {
        hex(hmac::sign(&self.key, text.as_bytes()).as_ref())
    }

    /// It was said by us.
    pub fn has_signed(&self, text: &str, signature: &str) -> bool {
        unhex(signature).is_some_and(|tag| hmac::verify(&self.key, text.as_bytes(), &tag).is_ok())
    }
}

/// A key whose check is right.
fn read(path: &Path) -> Option<[u8; KEY]> {
    let text = fs::read_to_string(path).ok()?;
    let (key, check) = text.strip_suffix('\n')?.split_once(' ')?;
    let key: [u8; KEY] = unhex(key)?.try_into().ok()?;
    (check == checked(&key)).then_some(key)
}

fn write(path: &Path, key: &[u8; KEY]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(format!("{} {}\n", hex(key), checked(key)).as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn checked(key: &[u8; KEY]) -> String {
    format!("{:08x}", crc32fast::hash(key))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some((high << 4) | low),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It stays the same, also where one of its files is damaged, and knows what it has said.
    #[test]
    fn the_same_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = Owner::open(directory.path(), None);
        let signature = first.sign("words");
        assert_eq!(first.mark().len(), MARK);
        for damaged in FILES {
            fs::write(directory.path().join(damaged), "00 00\n").expect("written");
            let again = Owner::open(directory.path(), None);
            assert_eq!(again.mark(), first.mark());
            assert!(again.has_signed("words", &signature));
        }
        assert!(!first.has_signed("other words", &signature));
        for odd in ["", "0", "zz", "ü", &signature[1..]] {
            assert!(!first.has_signed("words", odd), "{odd:?}");
        }
        let anchor = tempfile::tempdir().expect("a directory");
        let elsewhere = tempfile::tempdir().expect("a directory");
        first.copy_to(anchor.path());
        let found = Owner::open(elsewhere.path(), Some(anchor.path()));
        assert_eq!(found.mark(), first.mark());
        let other = Owner::open(tempfile::tempdir().expect("a directory").path(), None);
        assert!(other.mark() != first.mark() && !other.has_signed("words", &signature));
    }
}
