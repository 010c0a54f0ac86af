//! What an error must say: its code, and words in its sentence and its hint. `a|b` is one of both.

use sshmcp_tests::ToolError;

/// One cause.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: &'static str,
    code: &'static str,
    sentence: &'static [&'static str],
    hint: &'static [&'static str],
}

impl Wanted {
    pub(super) fn new(
        name: &'static str,
        code: &'static str,
        sentence: &'static [&'static str],
        hint: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            code,
            sentence,
            hint,
        }
    }

    /// Holds an error against it.
    pub(super) fn check(&self, error: &ToolError) {
        let Self {
            name,
            code,
            sentence,
            hint,
        } = self;
        assert_eq!(&error.code, code, "{name}: {error:?}");
        for (text, words) in [(&error.message, sentence), (&error.hint, hint)] {
            assert!(
                !text.is_empty() && !text.contains('\n'),
                "{name}: one line: {error:?}"
            );
            for word in *words {
                let has = word.split('|').any(|word| text.contains(word));
                assert!(has, "{name}: {word:?} is not in {text:?}");
            }
        }
    }
}
