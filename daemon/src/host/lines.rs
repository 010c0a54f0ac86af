//! ssh_config text by lines: keyword and words. Only what listing aliases and doing without `ssh` need; what it means
//! is OpenSSH's to say.

/// One line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Lower case.
    pub(super) keyword: String,
    /// Words after it, without quotes.
    pub(super) words: Vec<String>,
    /// The same as it is written.
    pub(super) rest: String,
}

/// The lines of a file, without comments and empty ones.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line> + '_ {
    text.lines().filter_map(line)
}

fn line(text: &str) -> Option<Line> {
    let text = text.trim();
    if text.starts_with('#') {
        return None;
    }
    // `Keyword value`, `Keyword=value`, `Keyword = value`.
    let end = text
        .find(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or(text.len());
    let (keyword, rest) = text.split_at(end);
    if keyword.is_empty() {
        return None;
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    Some(Line {
        keyword: keyword.to_ascii_lowercase(),
        words: words(rest),
        rest: rest.trim().to_owned(),
    })
}

/// Words between spaces; quotes of either kind keep spaces, and a backslash quotes and backslashes; `#` before a word ends
/// the line.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = None;
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\\' => {
                let is_escape =
                    |next: &char| matches!(next, '\'' | '"' | '\\') || *next == ' ' && quoted.is_none();
                let escaped = letters.next_if(is_escape);
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            '"' | '\'' if quoted == Some(c) => quoted = None,
            '"' | '\'' if quoted.is_none() => {
                quoted = Some(c);
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && quoted.is_none() => found.extend(word.take()),
            '#' if quoted.is_none() && word.is_none() => break,
            c => word.get_or_insert_default().push(c),
        }
    }
    found.extend(word);
    found
}

/// OpenSSH's wildcard match: `*` is any text, `?` any one character; case counts.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // Where to go on if the last `*` has to take one character more.
    let (mut at, mut upto, mut retry) = (0, 0, None);
    while upto < name.len() {
        match pattern.get(at) {
            Some('*') => {
                retry = Some((at, upto));
                at += 1;
            }
            Some('?') => {
                at += 1;
                upto += 1;
            }
            Some(c) if name.get(upto) == Some(c) => {
                at += 1;
                upto += 1;
            }
            _ => {
                let Some((star, taken)) = retry else {
                    return false;
                };
                retry = Some((star, taken + 1));
                at = star + 1;
                upto = taken + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|c| *c == '*')
}

/// Whether the patterns of a `Host` line take a name: one must, and none with `!` may.
pub(super) fn host_matches(patterns: &[String], name: &str) -> bool {
    let mut taken = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, name) => return false,
            Some(_) => {}
            None => taken |= matches(pattern, name),
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_forms() {
        let text = "# c\n\n Host  a \"b c\" # d\nPort=22\nUser = joe\n\tIdentityFile \"~/my key\"\r\nEmpty\nx \"\"\n";
        let found: Vec<(String, Vec<String>)> = lines(text).map(|line| (line.keyword, line.words)).collect();
        let expected = [
            ("host", vec!["a", "b c"]),
            ("port", vec!["22"]),
            ("user", vec!["joe"]),
            ("identityfile", vec!["~/my key"]),
            ("empty", vec![]),
            ("x", vec![""]),
        ];
        let expected: Vec<(String, Vec<String>)> = expected
            .into_iter()
            .map(|(keyword, words)| (keyword.to_owned(), words.into_iter().map(str::to_owned).collect()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn wildcards() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.example.*", "web.example.com", true),
            ("**a", "bba", true),
            ("", "", true),
            ("", "a", false),
            ("ab", "a", false),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        // Many stars against a long name end in bounded time.
        assert!(!matches(
            &"a*".repeat(200),
            &"a".repeat(5000).replace("aaaaa", "aaaab").replace('a', "b")
        ));
        let host = |patterns: &[&str], name: &str| {
            host_matches(
                &patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>(),
                name,
            )
        };
        assert!(host(&["*", "!db*"], "web"));
        assert!(!host(&["*", "!db*"], "db1"));
        assert!(!host(&["!db*"], "web"));
    }
}
