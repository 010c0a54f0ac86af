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

/// How fish 4 asks what its terminal is (primary device attributes). It does so before its first prompt, and at each one
/// from 4.1 on, and waits for the answer up to ten seconds. (fish 4.0.2 and 4.7.1)
const QUESTIONS: [&[u8]; 2] = [b"\x1b[0c", b"\x1b[c"];
/// What a plain terminal answers; all else that fish asks may go unanswered.
const ANSWER: &[u8] = b"\x1b[?62;22c";
/// What only fish 4 asks, before its first prompt: the terminfo capability `indn`.
const GREETING: &[u8] = b"\x1bP+q696e646e";

/// Finds fish's question in what comes in pieces.
#[derive(Debug, Default)]
pub struct Questions {
    /// The end of the last piece, where a question may have begun.
    begun: Vec<u8>,
}

impl Questions {
    /// What is to be answered to this output, if it asks.
    pub fn answer(&mut self, output: &[u8]) -> Option<&'static [u8]> {
        self.begun.extend(output);
        let asks = QUESTIONS
            .iter()
            .any(|question| memchr::memmem::find(&self.begun, question).is_some());
        let begun = (1..4)
            .filter_map(|length| self.begun.len().checked_sub(length))
            .find(|&at| {
                self.begun.get(at..).is_some_and(|end| {
                    QUESTIONS
                        .iter()
                        .any(|question| question.starts_with(end) && question.len() > end.len())
                })
            });
        self.begun.drain(..begun.unwrap_or(self.begun.len()));
        asks.then_some(ANSWER)
    }
}

/// True if a fish 4 is about to show its first prompt: it is known by what it asks where nobody can look.
pub fn greets(output: &[u8]) -> bool {
    memchr::memmem::find(output, GREETING).is_some()
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
        let mut questions = Questions::default();
        assert!(questions.answer(b"\x1b[?u\x1b[0c").is_some());
        assert!(questions.answer(b"c").is_none(), "asked once");
        assert!(questions.answer(b"\x1b[6n\x1b[31mc").is_none());
        for cut in 1..4 {
            let (begin, end) = b"\x1b[0c".split_at(cut);
            assert!(questions.answer(begin).is_none());
            assert!(questions.answer(end).is_some(), "{cut}");
            assert!(questions.answer(end).is_none(), "{cut}");
        }
        assert!(questions.answer(b"\x1b[").is_none());
        assert!(questions.answer(b"31mc\x1b[c\x1b").is_some());
    }
}
