//! Command lines for tmux, of ids, numbers and our own words alone; and the oldest tmux that is used.

use std::fmt::Write as _;

/// A version of tmux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// As in `major.minor`.
    pub major: u32,
    /// As in `major.minor`.
    pub minor: u32,
}

/// Flow control of control mode came with it (tmux's CHANGES).
pub const OLDEST: Version = Version { major: 3, minor: 2 };

/// What the line before a captured screen begins with.
pub const CAPTURE: &str = "sshmcp-screen ";

/// Bytes typed by one command; each is three characters of its line.
const KEYS_MAX: usize = 1024;

/// How long what tmux has for us may wait before it stops sending, seconds: at the 13 MB/s that control mode reads from a
/// pane, tens of MB in its memory.
pub const PAUSE_AFTER: u32 = 3;

/// The command line, for any login shell (zsh takes a bare `=name` for a program), that attaches to the session with exactly this name on the private server of that name.
pub fn attach(tmux: &str, name: &str) -> String {
    format!("exec {tmux} -u -L {name} -C attach-session -f pause-after={PAUSE_AFTER} -t '={name}'")
}

/// Types these bytes, whatever they are (`send-keys -H`, tmux ≥ 3.0).
pub fn keys(pane: &str, bytes: &[u8]) -> Vec<u8> {
    let mut lines = String::with_capacity(bytes.len() * 3 + 32);
    for part in bytes.chunks(KEYS_MAX) {
        let _ = write!(lines, "send-keys -t {pane} -H");
        for byte in part {
            let _ = write!(lines, " {byte:02x}");
        }
        lines.push('\n');
    }
    lines.into_bytes()
}

/// Asks for the screen; the answer is `Event::Screen`.
pub fn capture(pane: &str) -> Vec<u8> {
    format!(
        "display-message -p -t {pane} '{CAPTURE}#{{pane_width}} #{{pane_height}} #{{cursor_x}} #{{cursor_y}} #{{alternate_on}} #{{pane_pid}} #{{pane_tty}}' ; capture-pane -p -e -t {pane}\n"
    )
    .into_bytes()
}

/// Lets a paused pane go on.
pub fn go_on(pane: &str) -> Vec<u8> {
    format!("refresh-client -A '{pane}:continue'\n").into_bytes()
}

/// Gives the pane's window so many columns and rows.
pub fn resize(pane: &str, cols: u16, rows: u16) -> Vec<u8> {
    format!("resize-window -t {pane} -x {} -y {}\n", cols.max(1), rows.max(1)).into_bytes()
}

/// `tmux 3.3a`, `tmux next-3.5`, `tmux openbsd-7.4` (no number of its own: none).
pub fn version(words: &str) -> Option<Version> {
    let word = words.trim().strip_prefix("tmux ")?;
    let word = word.strip_prefix("next-").unwrap_or(word);
    let (major, rest) = word.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(Version {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of versions.
    #[test]
    fn versions() {
        for (words, wanted) in [
            ("tmux 3.3a\n", Some((3, 3))),
            ("tmux next-3.6", Some((3, 6))),
            ("tmux 2.9", Some((2, 9))),
            ("tmux openbsd-7.4", None),
            ("tmux", None),
            ("sh: tmux: not found", None),
        ] {
            let wanted = wanted.map(|(major, minor)| Version { major, minor });
            assert_eq!(version(words), wanted, "{words}");
        }
    }

    /// All bytes are typed by their numbers, a thousand a line.
    #[test]
    fn any_bytes() {
        assert_eq!(keys("%0", b"a;\0\xff"), b"send-keys -t %0 -H 61 3b 00 ff\n");
        assert_eq!(keys("%0", b""), b"");
        let many = keys("%0", &[b'x'; 2500]);
        assert_eq!(many.iter().filter(|byte| **byte == b'\n').count(), 3);
    }
}
