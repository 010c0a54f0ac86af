//! `Secret`: text that no formatter, log or error can show. Where it comes from is the configuration's matter.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

/// A password or passphrase; has no `Display`, and its `Debug` hides it. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The text, for the one place that hands it to the far side.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
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
}
