//! asciicast version 2, which every asciinema player reads: its lines, made and read. Input events are not known here.
//! (Version 3 is known to asciinema's rewrite alone, which neither PyPI nor Debian has.)

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::Opened;

/// What a recording says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// Columns and rows at its beginning.
    pub(super) size: (u16, u16),
}

/// The first line of a file.
pub(super) fn header(name: &str, opened: &Opened, size: (u16, u16), unix_seconds: u64) -> String {
    let Opened { target, shell, .. } = opened;
    let header = json!({
        "version": 2, "width": size.0, "height": size.1, "timestamp": unix_seconds,
        "title": format!("session {name} on {target}"),
        "env": {"TERM": "xterm-256color", "SHELL": shell},
    });
    format!("{header}\n")
}

/// Appends an event: `o` output, `r` resize, `m` marker.
pub(super) fn event(at: Duration, code: char, data: &str, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "[{}.{:06}, \"{code}\", \"", at.as_secs(), at.subsec_micros());
    escape(data, out);
    out.push_str("\"]\n");
}

/// JSON's escapes, and also for all that a terminal could act on: the file may be shown by `cat`.
fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(is_special) {
        let (plain, behind) = rest.split_at(at);
        out.push_str(plain);
        let Some(c) = behind.chars().next() else { return };
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => {
                // None of them is above U+FFFF.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
        rest = behind.get(c.len_utf8()..).unwrap_or_default();
    }
    out.push_str(rest);
}

const fn is_special(c: char) -> bool {
    matches!(c, '\0'..='\x1f' | '"' | '\\' | '\x7f'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Reads a header; none if it is no asciicast of version 2.
pub(super) fn read_header(line: &[u8]) -> Option<Facts> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let side = |name: &str| u16::try_from(value.get(name)?.as_u64()?).ok();
    (value.get("version")?.as_u64()? == 2).then_some(())?;
    Some(Facts {
        size: (side("width")?, side("height")?),
    })
}

/// The time of an event's line.
pub(super) fn read_time(line: &[u8]) -> Option<Duration> {
    let value: Value = serde_json::from_slice(line).ok()?;
    Duration::try_from_secs_f64(value.get(0)?.as_f64()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is written is read again, and holds nothing that a terminal acts on.
    #[test]
    fn lines() {
        let opened = Opened {
            target: "u@h:22".into(),
            shell: "bash".into(),
            size: (80, 24),
        };
        let line = header("web\"1", &opened, (100, 30), 7);
        assert_eq!(read_header(line.as_bytes()), Some(Facts { size: (100, 30) }));
        assert_eq!(
            read_header(b"{\"version\": 3, \"width\": 1, \"height\": 1}"),
            None
        );
        let mut line = String::new();
        event(
            Duration::from_micros(3_000_041),
            'o',
            "a\x1b[31m\"\\\r\n\t\u{9b}\u{202e}é",
            &mut line,
        );
        assert_eq!(
            line,
            "[3.000041, \"o\", \"a\\u001b[31m\\\"\\\\\\r\\n\\t\\u009b\\u202eé\"]\n"
        );
        assert_eq!(read_time(line.as_bytes()), Some(Duration::from_micros(3_000_041)));
    }

    proptest! {
        /// Any text comes back as it was.
        #[test]
        fn any_text(text in any::<String>()) {
            let mut line = String::new();
            event(Duration::ZERO, 'o', &text, &mut line);
            let read: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read[2].as_str().unwrap(), text);
            prop_assert!(!line.trim_end_matches('\n').chars().any(char::is_control));
        }
    }
}
