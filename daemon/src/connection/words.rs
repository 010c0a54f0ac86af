//! What a remote side says, made harmless, and the names of places in errors. Decides nothing.

use std::fmt::Display;

use super::{dial::io_words, handshake::NO_METHOD_LEFT};
use crate::host::Target;

/// Characters of a server's text that an error repeats: enough for a sentence, too few for a speech.
const REMOTE_TEXT_MAX: usize = 200;

/// Text from outside on one line: control characters and those that turn the direction of writing become spaces,
/// and what is longer than two hundred characters is cut.
pub fn plain(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        let harmful = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if !harmful && !c.is_whitespace() {
            line.push(c);
        } else if !line.ends_with(' ') && !line.is_empty() {
            line.push(' ');
        }
    }
    crate::id::shorten(line.trim_end(), REMOTE_TEXT_MAX)
}

/// A target as errors name it: `web1 (10.0.0.7:22)`.
pub(super) fn place(target: &Target) -> String {
    let address = address(&target.hostname, target.port);
    if target.alias.is_empty() || target.alias == target.hostname {
        address
    } else {
        format!("{} ({address})", plain(&target.alias))
    }
}

/// `host:port`, with brackets where the host is an IPv6 address.
pub(super) fn address(host: impl Display, port: u16) -> String {
    let host = plain(&host.to_string());
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Why a connection ended, in words.
pub(super) fn cause_words(error: &russh::Error) -> String {
    match error {
        russh::Error::IO(error) => io_words(error),
        russh::Error::KeepaliveTimeout => "the host no longer answers".to_owned(),
        russh::Error::NoAuthMethod => NO_METHOD_LEFT.to_owned(),
        russh::Error::Disconnect | russh::Error::HUP => "connection closed".to_owned(),
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            plain(&format!("{kind:?}, it offers {}", theirs.join(",")))
        }
        other => plain(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server cannot write on the reader's terminal, nor fill the screen.
    #[test]
    fn remote_text_is_harmless() {
        assert_eq!(plain("a\u{1b}[31mred\r\n\u{202e}b\t c"), "a [31mred b c");
        assert_eq!(plain("  \n"), "");
        assert_eq!(plain(&"x".repeat(500)).chars().count(), REMOTE_TEXT_MAX + 1);
    }

    /// An IPv6 address and its port stay apart.
    #[test]
    fn addresses() {
        assert_eq!(address("::1", 22), "[::1]:22");
        assert_eq!(address("web1", 2222), "web1:2222");
    }
}
