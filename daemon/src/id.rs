//! Names and numbers of the domain, each its own type, so that none passes for another.

use std::fmt;

use sshmcp_proto::{error::Fault, v1::Reason};

/// A session's unique name: 1 to 64 of `[A-Za-z0-9._-]`, not beginning with a dot or a dash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(String);

/// Longest session name, in bytes.
pub const SESSION_NAME_MAX: usize = 64;

impl SessionName {
    /// Takes a name as a user gave it, or says what is wrong with it.
    pub fn parse(name: &str) -> Result<Self, Fault> {
        let first_is_plain = name
            .bytes()
            .next()
            .is_some_and(|byte| byte != b'.' && byte != b'-');
        let all_are_plain = name.bytes().all(is_name_byte);
        if name.len() <= SESSION_NAME_MAX && first_is_plain && all_are_plain {
            return Ok(Self(name.to_owned()));
        }
        Err(Fault::new(
            Reason::InvalidArgument,
            format!("{:?} is not a session name", shorten(name, 80)),
        )
        .hint("use 1 to 64 letters, digits, dots, dashes or underscores, beginning with none of `.` and `-`"))
    }

    /// The name of a host's default session: other characters replaced by `_`, cut to the longest name.
    pub fn for_host(host: &str) -> Self {
        let mut name: String = host
            .chars()
            .map(|c| {
                if c.is_ascii() && is_name_byte(c as u8) {
                    c
                } else {
                    '_'
                }
            })
            .take(SESSION_NAME_MAX)
            .collect();
        if name.is_empty() || name.starts_with(['.', '-']) {
            name.insert(0, '_');
            name.truncate(SESSION_NAME_MAX);
        }
        Self(name)
    }

    /// This name with `-number` behind it, cut so that it fits.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        let suffix = format!("-{number}");
        let keep = SESSION_NAME_MAX.saturating_sub(suffix.len());
        let stem: String = self.0.chars().take(keep).collect();
        Self(stem + &suffix)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command's id, unique in one state directory: `c1`, `c2`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(u64);

impl CommandId {
    /// The id with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Takes an id as a user gave it; none if it cannot be one.
    pub fn parse(id: &str) -> Option<Self> {
        let digits = id.strip_prefix('c')?;
        if digits.is_empty() || digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok().map(Self)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// The first `max` characters of a text, with `…` behind them if there were more.
pub fn shorten(text: &str, max: usize) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(max).collect();
    if chars.next().is_some() {
        head + "…"
    } else {
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that real use brings: only plain ones pass.
    #[test]
    fn session_names() {
        for good in ["web1", "a.b_c-d", "_x", &"a".repeat(64)] {
            assert_eq!(SessionName::parse(good).expect(good).as_str(), good);
        }
        for bad in [
            "",
            "../x",
            "a/b",
            "a\0b",
            "\u{1b}[31m",
            "a\nb",
            "-x",
            ".x",
            "#(touch p)",
            "a;b",
            "a.b:c",
            "=",
            "{last}",
            "ü",
            "😀",
            &"a".repeat(65),
        ] {
            let fault = SessionName::parse(bad).expect_err(bad);
            assert_eq!(fault.reason, Reason::InvalidArgument);
        }
    }

    /// Every host gives a name that is itself valid.
    #[test]
    fn default_names_are_valid() {
        for host in ["web1", "user@h:22", "[::1]:22", "-x", "", "…", &"h".repeat(256)] {
            let name = SessionName::for_host(host);
            assert_eq!(SessionName::parse(name.as_str()).as_ref(), Ok(&name));
            let second = name.numbered(2);
            assert_eq!(SessionName::parse(second.as_str()).as_ref(), Ok(&second));
        }
        assert_eq!(SessionName::for_host("user@h:22").as_str(), "user_h_22");
    }

    /// Ids read back as they were written, and nothing else is one.
    #[test]
    fn command_ids() {
        assert_eq!(CommandId::parse("c42"), Some(CommandId::new(42)));
        for bad in [
            "",
            "c",
            "42",
            "c01",
            "c-1",
            "c1 ",
            "C1",
            "c99999999999999999999999",
        ] {
            assert_eq!(CommandId::parse(bad), None, "{bad:?}");
        }
    }
}
