//! What fish does otherwise than other shells on its terminal: its own messages go there, whatever a command's stderr
//! is, and it asks the terminal what it is before it reads a line.

/// How lines of fish's own begin: errors in a text, words that name no command, wildcards that match nothing; failed
/// redirections; programs that could not be started.
const OWN: [&str; 4] = ["fish: ", "warning: ", "exec: ", "error: "];

/// fish's own messages in what its terminal showed while a command ran: from the first such line on.
pub fn messages(shown: &str) -> &str {
    let mut from = 0;
    for line in shown.split_inclusive('\n') {
        if OWN.iter().any(|own| line.starts_with(own)) {
            return shown.get(from..).unwrap_or_default();
        }
        from += line.len();
    }
    ""
}

/// What a plain terminal answers to the questions in this output: what it is (`ESC [ c`), nothing more. fish 4 waits
/// for that up to ten seconds before its first prompt.
pub fn answers(output: &[u8]) -> Option<&'static [u8]> {
    [&b"\x1b[c"[..], b"\x1b[0c"]
        .iter()
        .any(|question| memchr::memmem::find(output, question).is_some())
        .then_some(b"\x1b[?62;22c")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what fish says itself, with what follows.
    #[test]
    fn own_words() {
        assert_eq!(
            messages("Password: \nfish: Unknown command: x\n"),
            "fish: Unknown command: x\n"
        );
        assert_eq!(
            messages("warning: An error occurred\nopen: No such file\n"),
            "warning: An error occurred\nopen: No such file\n"
        );
        assert_eq!(messages("user@host> fish: no\n"), "");
        assert_eq!(messages(""), "");
    }

    /// The question as fish 4 puts it, and what is none.
    #[test]
    fn questions() {
        assert!(answers(b"\x1b[?u\x1b[0c").is_some());
        assert!(answers(b"\x1b[6n\x1b[31mc").is_none());
    }
}
