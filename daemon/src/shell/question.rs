//! Whether the last line on a terminal reads like a question. A guess, asked only where nobody can look at who waits,
//! and said to be one; so rather no than yes.

/// What prompts of shells and interpreters end in.
const PROMPT_ENDS: [char; 13] = ['>', '$', '#', '%', '❯', '➜', '»', 'λ', '›', '⟩', '▶', '➤', '→'];

/// Words that ask for something that is not to be shown.
const SECRETS: [&str; 9] = [
    "password",
    "passphrase",
    "passcode",
    "passwort",
    "verification code",
    "one-time",
    "otp",
    "secret",
    "pin for",
];

/// A line that a program would print before it waits for an answer.
pub fn looks_like_question(text: &str) -> bool {
    let line = text.trim_end();
    let Some(last) = line.chars().last() else {
        return false;
    };
    let before = line
        .get(..line.len() - last.len_utf8())
        .unwrap_or_default()
        .trim_end_matches(last);
    match last {
        _ if is_pager(line) => true,
        '?' | ':' => true,
        ']' | ')' => has_choices(line, last),
        // A percentage and a progress bar are no prompt.
        '%' if before.ends_with(|c: char| c.is_ascii_digit()) => false,
        '#' | '>' | '=' if is_bar(line) => false,
        last => PROMPT_ENDS.contains(&last),
    }
}

/// The question is for something that is not to be shown while it is typed.
pub fn asks_for_secret(text: &str) -> bool {
    let lower = text.to_lowercase();
    SECRETS.iter().any(|word| lower.contains(word))
}

/// The last brackets hold choices or a default: `[Y/n]`, `(yes/no)`, `[Y/I/N/O/D/Z]`, `[default=N]`, `[y]`.
fn has_choices(line: &str, close: char) -> bool {
    let open = if close == ']' { '[' } else { '(' };
    let Some((before, inside)) = line.strip_suffix(close).and_then(|rest| rest.rsplit_once(open)) else {
        return false;
    };
    let choices: Vec<&str> = inside.split(['/', '|', ',']).map(str::trim).collect();
    let is_word = |word: &&str| {
        !word.is_empty()
            && word.len() <= 20
            && word.chars().all(|c| c.is_alphanumeric() || "=?- ".contains(c))
    };
    let few = choices.len() > 1
        && choices.iter().all(is_word)
        && !choices
            .iter()
            .all(|word| word.chars().all(|c| c.is_ascii_digit()));
    let default = choices.len() == 1
        && !before.trim().is_empty()
        && (inside.starts_with("default") || matches!(&*inside.to_lowercase(), "y" | "n" | "yes" | "no"));
    few || default
}

/// `[=====>    ]`, `#####     `.
fn is_bar(line: &str) -> bool {
    let drawn = line
        .chars()
        .rev()
        .skip_while(|c| *c == '>')
        .take_while(|c| matches!(c, '#' | '=' | '-'))
        .count();
    drawn >= 3
}

/// What pagers show in the last row.
fn is_pager(line: &str) -> bool {
    line.ends_with("--More--") || line.contains("--More--(") || line == "(END)"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prompts of real programs, and lines that are none.
    #[test]
    fn table() {
        for prompt in [
            "[sudo] password for alice:",
            "Password: ",
            "Continue? [y/N]",
            "Do you want to continue? [Y/n] ",
            "*** motd (Y/I/N/O/D/Z) [default=N] ?",
            "Configuration file [Y/I/N/O/D/Z]",
            "Really [y]",
            "mysql>",
            "postgres=#",
            "postgres=>",
            "alice@web1:~$ ",
            "[root@web1 ~]# ",
            "host% ",
            "❯ ",
            ">>> ",
            "sqlite> ",
            "Overwrite (y/n)",
            "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
            "--More--(12%)",
            "(END)",
        ] {
            assert!(looks_like_question(prompt), "{prompt}");
        }
        for line in [
            "",
            "Downloading 50%...",
            "Downloading 50%",
            "compiling foo v1.2",
            "done.",
            "0% [Working]",
            "10% [3 libc6 12.3 kB/2,800 kB 0%]",
            "0% [Waiting for headers]",
            "[  OK  ]",
            "[INFO]",
            "[=========>          ]",
            "  [#####     ]",
            "##########",
            "==========>",
            "(Reading database ... 45%",
            "Get:1 http://deb.debian.org (1/3)",
            "processed [12/40]",
        ] {
            assert!(!looks_like_question(line), "{line}");
        }
    }

    /// Secrets are told from other questions.
    #[test]
    fn secrets() {
        for prompt in [
            "[sudo] password for alice:",
            "Enter passphrase for key 'x':",
            "Verification code:",
        ] {
            assert!(asks_for_secret(prompt), "{prompt}");
        }
        for prompt in ["Continue? [y/N]", "login:", "Pinning packages >"] {
            assert!(!asks_for_secret(prompt), "{prompt}");
        }
    }
}
