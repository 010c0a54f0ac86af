//! Commands for shells that have no FIFOs to fetch them from: typed whole, between marks that the shell prints on its
//! terminal. Their ends and exit codes are as exact; stdout and stderr are one stream.

use std::fmt::Write as _;

use super::order;
use crate::id::CommandId;

/// A typed line of this length passes every terminal in canonical mode (4,096 bytes) even when each byte is escaped.
const LINE_MAX: usize = 900;

/// Longest text that is typed: every character is echoed by the shell's line editor.
pub const TEXT_MAX: usize = 32 << 10; // 32 KiB

/// How a shell without FIFOs is worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The integration script, typed.
    Posix,
    /// fish: `$status`, and its own quotes.
    Fish,
    /// A restricted POSIX shell (rbash), which redirects nothing: the integration script does not run there.
    Restricted,
    /// csh and tcsh: `$status`, and history expansion within quotes.
    Csh,
}

impl Dialect {
    /// By the name of the shell's process; none: it is worth trying as a POSIX one.
    pub fn by_name(name: &str) -> Option<Self> {
        match name.trim_start_matches('-') {
            "fish" => Some(Self::Fish),
            "csh" | "tcsh" => Some(Self::Csh),
            "rbash" | "rksh" | "rmksh" | "rzsh" => Some(Self::Restricted),
            _ => None,
        }
    }

    /// By what it says of its `version`; where it says nothing it is worth trying as a POSIX one.
    pub fn by_version(version: &str) -> Self {
        match version {
            version if version.starts_with("tcsh") => Self::Csh,
            version if version.starts_with(|first: char| first.is_ascii_digit()) => Self::Fish,
            _ => Self::Posix,
        }
    }

    /// What the session's shell is called.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Posix => "sh",
            Self::Fish => "fish",
            Self::Restricted => "restricted sh",
            Self::Csh => "csh",
        }
    }
}

/// The lines that install the integration script without a file.
pub fn install(nonce: &str) -> Vec<u8> {
    let script = order::posix_script("", nonce);
    let mut typed = pieces("__sshmcp_q=$__sshmcp_q", &escape(&script));
    typed.extend_from_slice(b" eval \"$(printf %b \"$__sshmcp_q\")\"\r");
    let mut lines = b" __sshmcp_q=\r".to_vec();
    lines.append(&mut typed);
    lines
}

/// The line that has any shell say whether what the helper made is where it is itself: in sh, fish and csh alike.
pub fn ask_for(nonce: &str, dir: &str) -> Vec<u8> {
    let say = |word| format!("printf '\\033]6973;{nonce};I;{word}\\007'");
    format!(" test -p {dir}/x && {} || {}\r", say(1), say(0)).into_bytes()
}

/// bash leaves out of its history what begins with a space from here on, and this line.
const FORGET: &str = "case ${BASH_VERSION:+:${HISTCONTROL-}:} in ''|*:ignorespace:*|*:ignoreboth:*) ;; *) \
    HISTCONTROL=ignorespace:${HISTCONTROL-}; history -d $((HISTCMD-1)) ;; esac; ";

/// The line that makes a shell without an integration script say where it is. Our lines are to reach no file of its.
pub fn greet(nonce: &str, dialect: Dialect) -> Vec<u8> {
    let before = match dialect {
        // It remembers all that it reads.
        Dialect::Csh => "unset savehist; ",
        Dialect::Restricted => FORGET,
        // A space in front is enough.
        Dialect::Fish | Dialect::Posix => "",
    };
    format!(" {before}printf '\\033]6973;{nonce};H;x;0;;;%s\\007' \"$PWD\"\r").into_bytes()
}

/// The same for a shell that nobody can look at: fish and tcsh have a variable that tells them from others.
pub fn greet_unseen(nonce: &str) -> Vec<u8> {
    format!(" printf '\\033]6973;{nonce};H;x;0;;%s;%s\\007' \"$version\" \"$PWD\"\r").into_bytes()
}

/// The same with the options of a POSIX shell instead: `r` among them is said of a restricted one alone.
pub fn greet_options(nonce: &str) -> Vec<u8> {
    format!(" printf '\\033]6973;{nonce};H;x;0;;%s;%s\\007' \"$-\" \"$PWD\"\r").into_bytes()
}

/// The lines that run a command.
pub fn run(dialect: Dialect, nonce: &str, id: CommandId, text: &str) -> Vec<u8> {
    let start = format!("printf '\\033]6973;{nonce};C;{id}\\007'");
    let end = |status: &str| format!("printf '\\033]6973;{nonce};D;{id};%s;%s\\007' {status} \"$PWD\"");
    match dialect {
        Dialect::Posix => {
            let escaped = escape(text);
            let mut lines = pieces("__sshmcp_p ", &escaped);
            let length = escaped.iter().map(String::len).sum::<usize>();
            lines.extend_from_slice(
                format!(" __sshmcp_f {id} \"$-\" {length};eval \"$__sshmcp_x\";__sshmcp_z \"$?\" \"$-\"\r")
                    .as_bytes(),
            );
            lines
        }
        Dialect::Restricted => {
            let mut lines = b" __sshmcp_q=\r".to_vec();
            lines.append(&mut pieces("__sshmcp_q=$__sshmcp_q", &escape(text)));
            let run = "eval \"$(printf %b \"$__sshmcp_q\")\"";
            lines.extend_from_slice(format!(" {start}; {run}; {}\r", end("\"$?\"")).as_bytes());
            lines
        }
        Dialect::Fish => format!(" {start}; eval {}; {}\r", quote_fish(text), end("$status")).into_bytes(),
        Dialect::Csh => format!(" {start}; eval {}; {}\r", quote_csh(text), end("$status")).into_bytes(),
    }
}

/// A line end within quotes is typed as Enter: fish reads on until the quote is closed. Other control characters would be
/// keys to its line editor.
fn quote_fish(text: &str) -> String {
    let mut quoted = String::from("'");
    for character in text.chars() {
        match character {
            '\\' | '\'' => quoted.extend(['\\', character]),
            '\n' => quoted.push('\r'),
            '\0'..='\x1f' | '\x7f' => {
                let _ = write!(quoted, "'\\x{:02x}'", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted + "'"
}

/// The same for csh, to which without a UTF-8 locale every byte of a character that is not ASCII is a key.
fn quote_csh(text: &str) -> String {
    let mut quoted = String::from("'");
    let mut in_printf = false;
    for byte in text.bytes() {
        let is_key = byte != b'\n' && !(b' '..=b'~').contains(&byte);
        if is_key != in_printf {
            quoted.push_str(if is_key { "'\"`printf '" } else { "'`\"'" });
            in_printf = is_key;
        }
        match byte {
            _ if is_key => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
            b'\'' => quoted.push_str("'\\''"),
            b'!' => quoted.push_str("\\!"),
            b'\n' => quoted.push_str("\\\r"),
            _ => quoted.push(char::from(byte)),
        }
    }
    quoted + if in_printf { "'`\"" } else { "'" }
}

/// A text cut into pieces that `printf %b` gives back, of characters that no line editor, quote or history minds.
fn escape(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for byte in text.bytes() {
        let piece = match byte {
            b'\\' | b'\'' | b'!' | b'\0'..=b'\x1f' | b'\x7f'..=b'\xff' => format!("\\0{byte:03o}"),
            other => char::from(other).to_string(),
        };
        match lines.last_mut() {
            Some(line) if line.len() + piece.len() <= LINE_MAX => line.push_str(&piece),
            _ => lines.push(piece),
        }
    }
    lines
}

fn pieces(before: &str, escaped: &[String]) -> Vec<u8> {
    let mut typed = Vec::new();
    for piece in escaped {
        typed.extend_from_slice(format!(" {before}'{piece}'\r").as_bytes());
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a text holds, what is typed are plain characters and Enter.
    #[test]
    fn typed_text_is_plain() {
        let text = "echo 'a!b'\n\tü\u{1b}[201~\\";
        let lines = run(Dialect::Posix, "n", CommandId::new(1), text);
        assert!(
            lines
                .iter()
                .all(|&byte| byte == b'\r' || (b' '..=b'~').contains(&byte))
        );
        assert!(lines.starts_with(b" __sshmcp_p 'echo \\0047a\\0041b\\0047\\0012\\0011\\0303\\0274"));
        let long = run(Dialect::Posix, "n", CommandId::new(1), &"x".repeat(5000));
        assert!(long.split(|&byte| byte == b'\r').all(|line| line.len() < 1000));
    }

    /// Quotes of the shells that are not POSIX.
    #[test]
    fn quotes() {
        let fish = String::from_utf8(run(Dialect::Fish, "n", CommandId::new(1), "a'b\\c")).expect("text");
        assert!(fish.contains("eval 'a\\'b\\\\c';"), "{fish}");
        let csh = String::from_utf8(run(Dialect::Csh, "n", CommandId::new(1), "a'b!c")).expect("text");
        assert!(csh.contains("eval 'a'\\''b\\!c';"), "{csh}");
        assert_eq!(quote_csh("ü\t"), "''\"`printf '\\303\\274\\011'`\"");
        assert_eq!(quote_csh("aü\nb"), "'a'\"`printf '\\303\\274'`\"'\\\rb'");
        assert_eq!(quote_fish("a\tü\nb"), "'a'\\x09'ü\rb'");
    }
}
