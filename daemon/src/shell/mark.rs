//! The marks that the integration script and the helper print on the terminal, parsed: `ESC ] 6973 ; nonce ; letter ; fields BEL`.
//! The nonce makes them unmistakable for anything that a host's output may contain by chance or by malice.

use crate::id::CommandId;

/// One mark on the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The integration script was read.
    Hello(ShellHello),
    /// The terminal is this one, as the helper names it, e.g. `/dev/pts/3`.
    Terminal(String),
    /// The text of the command was fetched; it runs from here. None: the text did not arrive, nothing runs.
    Start(Option<CommandId>),
    /// The short line's alias was taken away; nothing was fetched.
    NoAlias(CommandId),
    /// The child shell of this command runs below sudo.
    Below(CommandId),
    /// The command ended.
    End {
        /// Which one.
        id: CommandId,
        /// Its status.
        status: i32,
        /// The line was aborted: the prompt's hook told the end.
        aborted: bool,
        /// Working directory then.
        cwd: String,
    },
    /// The shell has ended, with this exit code; what a tmux runs in its pane says so.
    Exit(i32),
    /// The way to the shell has ended, and the shell with it: OpenSSH's client in the pane says so.
    Gone,
    /// Whether what the helper made is where the shell is.
    Here(bool),
    /// What we show in a pane ourselves begins, or ends.
    Ours(bool),
    /// One that only tells where it is, with its number.
    Place(u32),
    /// The shell is about to show its prompt.
    Prompt {
        /// Working directory.
        cwd: String,
    },
}

/// What the shell says of itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ShellHello {
    /// `bash`, `zsh`, `dash`, …
    pub kind: String,
    /// How it is told to evaluate a text, past functions of that name: `builtin eval`, `command eval` or `eval`.
    pub eval: String,
    /// Its process id.
    pub pid: u32,
    /// Its terminal, e.g. `/dev/pts/3`; empty if unknown.
    pub tty: String,
    /// Its version; empty if it has none.
    pub version: String,
    /// Working directory.
    pub cwd: String,
}

impl ShellHello {
    /// A fish that asks its terminal what it is, and reads no key before it knows: 4 and newer.
    pub fn is_asking_fish(&self) -> bool {
        self.kind == "fish" && !["2.", "3."].iter().any(|old| self.version.starts_with(old))
    }
}

/// What begins a mark.
pub fn introducer(nonce: &str) -> Vec<u8> {
    format!("\x1b]6973;{nonce};").into_bytes()
}

/// Bytes of a whole mark.
pub const fn length(nonce: &str, body: &[u8]) -> usize {
    // ESC ] 6973 ; nonce ; and BEL.
    nonce.len() + body.len() + 9
}

/// What ends a mark.
pub const TERMINATOR: u8 = 0x07;

/// The words of `ShellHello::eval`: they are typed, so that a host may choose, and say nothing else.
const EVALS: [&str; 3] = ["builtin eval", "command eval", "eval"];

/// Parses the inside of a mark.
pub fn parse(body: &[u8]) -> Option<Mark> {
    let text = String::from_utf8_lossy(body);
    let (letter, rest) = text.split_once(';')?;
    match letter {
        "H" => {
            let mut fields = rest.splitn(5, ';');
            let kind = fields.next()?;
            let (kind, eval) = kind.split_once('/').unwrap_or((kind, ""));
            let eval = EVALS.into_iter().find(|known| *known == eval);
            Some(Mark::Hello(ShellHello {
                kind: kind.to_owned(),
                eval: eval.unwrap_or("eval").to_owned(),
                pid: fields.next()?.parse().ok()?,
                tty: fields.next()?.to_owned(),
                version: fields.next()?.to_owned(),
                cwd: directory(fields.next()?),
            }))
        }
        "I" => match rest {
            "1" => Some(Mark::Here(true)),
            "0" => Some(Mark::Here(false)),
            _ => None,
        },
        "Y" => Some(Mark::Ours(rest == "1")),
        "L" => rest.parse().ok().map(Mark::Place),
        "X" => rest.parse().ok().map(Mark::Exit),
        "G" => Some(Mark::Gone),
        "T" => Some(Mark::Terminal(rest.to_owned())),
        "A" => CommandId::parse(rest).map(Mark::NoAlias),
        "S" => CommandId::parse(rest).map(Mark::Below),
        "C" => Some(Mark::Start(CommandId::parse(rest))),
        "D" => {
            let mut fields = rest.splitn(3, ';');
            let id = CommandId::parse(fields.next()?)?;
            let status = fields.next()?;
            Some(Mark::End {
                id,
                status: status.trim_end_matches('a').parse().ok()?,
                aborted: status.ends_with('a'),
                cwd: directory(fields.next().unwrap_or_default()),
            })
        }
        "P" => Some(Mark::Prompt { cwd: directory(rest) }),
        _ => None,
    }
}

/// A directory as its name is: the terminal has put a carriage return before a line feed in it.
fn directory(told: &str) -> String {
    told.replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks as the scripts print them, and broken ones.
    #[test]
    fn table() {
        assert_eq!(
            parse(b"H;bash/builtin eval;12;/dev/pts/0;5.2;/root"),
            Some(Mark::Hello(ShellHello {
                kind: "bash".into(),
                eval: "builtin eval".into(),
                pid: 12,
                tty: "/dev/pts/0".into(),
                version: "5.2".into(),
                cwd: "/root".into()
            }))
        );
        assert_eq!(parse(b"C;c9"), Some(Mark::Start(Some(CommandId::new(9)))));
        assert_eq!(parse(b"C;"), Some(Mark::Start(None)));
        assert_eq!(
            parse(b"D;c9;130;/a;b"),
            Some(Mark::End {
                id: CommandId::new(9),
                status: 130,
                aborted: false,
                cwd: "/a;b".into()
            })
        );
        assert_eq!(
            parse(b"D;c9;2a;/"),
            Some(Mark::End {
                id: CommandId::new(9),
                status: 2,
                aborted: true,
                cwd: "/".into()
            })
        );
        assert_eq!(parse(b"X;3"), Some(Mark::Exit(3)));
        assert_eq!(parse(b"I;0"), Some(Mark::Here(false)));
        assert_eq!(parse(b"I;%d"), None);
        assert_eq!(parse(b"G;"), Some(Mark::Gone));
        assert_eq!(parse(b"P;/x"), Some(Mark::Prompt { cwd: "/x".into() }));
        assert_eq!(parse(b"P;/x\r\ny"), Some(Mark::Prompt { cwd: "/x\ny".into() }));
        for bad in [
            &b""[..],
            b"D",
            b"D;x;1;/",
            b"D;c1;x;/",
            b"Q;1",
            b"H;bash;x;;;",
            b"\xff;\xff",
        ] {
            assert_eq!(parse(bad), None);
        }
    }
}
