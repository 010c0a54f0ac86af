//! A command's text as if it had been typed at the prompt: it draws nothing but itself.

/// A command's text as line editors show it, and the end of its line: control characters have no effect.
pub(super) fn typed(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\r\n"),
            '\t' => shown.push('\t'),
            '\0'..='\x1f' | '\x7f' => {
                shown.push('^');
                shown.push(char::from(u8::try_from(character).unwrap_or_default() ^ 0x40));
            }
            // C1 controls begin sequences too.
            '\u{80}'..='\u{9f}' => shown.push('\u{fffd}'),
            other => shown.push(other),
        }
    }
    shown.push_str("\r\n");
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sequences in a text are seen, and have no effect.
    #[test]
    fn texts_have_no_effect() {
        assert_eq!(
            typed("printf '\x1b[2J\u{9b}?1049h\x7f'\n\techo ü"),
            "printf '^[[2J\u{fffd}?1049h^?'\r\n\techo ü\r\n"
        );
    }
}
