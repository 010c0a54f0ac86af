//! The key notation of `send_keys`: `:wq<enter>` as runs of text and named keys. Which names exist the daemon knows.

/// Text and the keys behind it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) keys: Vec<String>,
}

/// The longest name between `<` and `>` that is taken for a key.
const NAME_MAX: usize = 16;

/// Splits `typed`; what is not `<name>` stays text.
pub(crate) fn runs(typed: &str) -> Vec<Run> {
    let mut runs = vec![Run::default()];
    let mut rest = typed;
    while let Some(first) = rest.chars().next() {
        let (piece, key) = match key(rest) {
            Some((name, length)) => (length, Some(name)),
            None => (first.len_utf8(), None),
        };
        let (taken, left) = rest.split_at_checked(piece).unwrap_or((rest, ""));
        rest = left;
        let begins_anew = key.is_none() && runs.last().is_some_and(|run| !run.keys.is_empty());
        if begins_anew {
            runs.push(Run::default());
        }
        if let Some(run) = runs.last_mut() {
            match key {
                Some(name) => run.keys.push(name),
                None => run.text.push_str(taken),
            }
        }
    }
    runs
}

/// The key that `text` begins with, and its length there.
fn key(text: &str) -> Option<(String, usize)> {
    let inner = text.strip_prefix('<')?;
    let (name, _) = inner.split_once('>')?;
    let named = !name.is_empty()
        && name.len() <= NAME_MAX
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '+');
    named.then(|| (name.to_ascii_lowercase().replace('+', "-"), name.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Order is kept: text, then keys, then text again in a run of its own.
    #[test]
    fn text_and_keys_alternate() {
        let run = |text: &str, keys: &[&str]| Run {
            text: text.to_owned(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        for (typed, expected) in [
            ("", vec![run("", &[])]),
            ("ls", vec![run("ls", &[])]),
            ("<esc>:wq<enter>", vec![run("", &["esc"]), run(":wq", &["enter"])]),
            ("<Ctrl+C><up>", vec![run("", &["ctrl-c", "up"])]),
            ("a < b > ü<tab>", vec![run("a < b > ü", &["tab"])]),
            ("<not a key>", vec![run("<not a key>", &[])]),
        ] {
            assert_eq!(runs(typed), expected, "{typed}");
        }
    }
}
