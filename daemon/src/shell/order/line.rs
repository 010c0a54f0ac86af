//! The lines that are typed into a shell: fixed but for a command's id, whatever the command is.

use super::Capture;
use crate::{
    id::CommandId,
    shell::{
        mark::ShellHello,
        sudo::{self, Sudo},
    },
};

/// Where zsh begins a line in vi's command mode: `i` begins text, and is itself taken away where it is text already.
const FROM_COMMAND_MODE: &str = "i\x7f \\builtin .";

/// The lines that make a shell read the integration script, each for where the one before did nothing: aliases and
/// functions of start-up files may have the names of builtins.
pub fn type_install(dir: &str, name: &str) -> Vec<Vec<u8>> {
    let name = name.trim_start_matches('-');
    let words: &[&str] = match name {
        "fish" => &["builtin source", "\\."],
        "bash" => &[
            "\\builtin .",
            "\\command .",
            "\\.",
            "\\unset -f builtin;\\builtin .",
        ],
        "zsh" => &[
            "\\builtin .",
            FROM_COMMAND_MODE,
            "\\.",
            "\\unfunction builtin;\\builtin .",
        ],
        _ => &["\\.", "\\command ."],
    };
    let line = |word: &&str| match *word {
        FROM_COMMAND_MODE => format!("{word} {dir}/b vi{}", enter(name)).into_bytes(),
        word => format!(" {word} {dir}/b{}", enter(name)).into_bytes(),
    };
    words.iter().map(line).collect()
}

/// The line that makes the shell fetch and run a command.
pub fn type_run(
    ShellHello { kind, eval, .. }: &ShellHello,
    dir: &str,
    nonce: &str,
    id: CommandId,
    capture: Capture,
    stdin: bool,
    sudo: &Sudo,
) -> Vec<u8> {
    let (kind, eval) = (kind.as_str(), format!("\\{eval} \"$__sshmcp_x\""));
    // bash, zsh and mksh hand an assignment before a builtin on to nobody, or not for long, and ash for ever: there
    // the script sets it.
    let prompt = match (sudo, kind) {
        (Sudo::Ignored, _) | (_, "bash" | "zsh" | "ash" | "mksh") => String::new(),
        _ => format!("{} ", sudo::PROMPT),
    };
    let eval = match sudo {
        Sudo::Ignored | Sudo::Answered(_) => format!("{prompt}{eval}"),
        Sudo::Below { shell, .. } => {
            format!(
                "{prompt}\\command {}",
                sudo::below(shell, dir, nonce, id, capture)
            )
        }
    };
    let input = if stdin { " <\"$__sshmcp_d/s\"" } else { "" };
    let output = match capture {
        Capture::Apart => " >|\"$__sshmcp_o\" 2>|\"$__sshmcp_e\"",
        Capture::Terminal => "",
    };
    if kind == "fish" {
        let eval = match sudo {
            Sudo::Ignored => "eval \"$__sshmcp_x\"".to_owned(),
            Sudo::Answered(_) => format!("{} eval \"$__sshmcp_x\"", sudo::PROMPT),
            Sudo::Below { shell, .. } => format!(
                "{} command {}",
                sudo::PROMPT,
                sudo::below(shell, dir, nonce, id, capture)
            ),
        };
        // Its end is told within the block, where both streams are open: fish opens no FIFO without a reader.
        let (tell, output) = match capture {
            Capture::Apart => ("__sshmcp_y;", " >$__sshmcp_o 2>$__sshmcp_e"),
            Capture::Terminal => ("", ""),
        };
        let input = if stdin { " <$__sshmcp_d/s" } else { "" };
        return format!(" __sshmcp_f {id};begin;{eval};{tell}end{input}{output};__sshmcp_z $status\r")
            .into_bytes();
    }
    // These keep a trace on the stderr from before a simple command's redirection; a group has no such copy.
    let run = if matches!(kind, "zsh" | "ksh") {
        // What a function does to zsh's options is gone with it.
        let quiet = match kind {
            "zsh" => "{ set +x; __sshmcp_c&&\\:; } 2>/dev/null;",
            _ => "",
        };
        format!("{quiet}{{ {eval}; }}{input}{output}")
    } else {
        format!("{eval}{input}{output}")
    };
    // What gives the last status back is no failure to an ERR trap: not before `&&`.
    format!(
        " __sshmcp_f {id} \"$-\"&&\\:;{run};{{ __sshmcp_z \"$?\" \"$-\"&&\\:; }} 2>/dev/null{}",
        enter(kind)
    )
    .into_bytes()
}

/// What ends a typed line: a line editor wants Enter; without one a line feed works in every mode of the terminal.
fn enter(kind: &str) -> &'static str {
    // ksh reads without one by default, and does not always take back what a killed program made of the terminal.
    if matches!(kind, "dash" | "ksh") {
        "\n"
    } else {
        "\r"
    }
}

/// A typed line for a shell that remembers another status than the last command is said to have had.
/// One whose hook runs in a subshell still takes its last command for aborted, and `$?` for what that left.
pub fn with_status(kind: &str, status: i32, line: &[u8]) -> Vec<u8> {
    let mut typed = match kind {
        "fish" => format!(" __sshmcp_z {status};"),
        _ => format!(" __sshmcp_s={status} __sshmcp_i=;"),
    }
    .into_bytes();
    typed.extend_from_slice(line.trim_ascii_start());
    typed
}

/// A typed line that first gives the terminal the modes that a shell expects, for one that does
/// not do that itself: a program that was killed may have left it raw.
pub fn mending(kind: &str, id: CommandId, line: &[u8]) -> Vec<u8> {
    let line = String::from_utf8_lossy(line);
    if kind == "fish" {
        // The status of before comes with the line. What it runs has no flow control.
        let line = line.trim_start();
        return format!(" command stty {SANE} -ixon 2>/dev/null;{line}").into_bytes();
    }
    // The last status is kept first: what mends has one of its own.
    let short = format!(" __sshmcp_0 {id};");
    let rest = match line.strip_prefix(&short) {
        Some(rest) => rest.to_owned(),
        None => line.trim_start().replacen("\"$-\"", "\"$-\" 0 s", 1),
    };
    format!("{short}{{ \\command stty {SANE}; }} 2>/dev/null;{rest}").into_bytes()
}

/// What a terminal has before anybody changes it, as far as programs do.
const SANE: &str =
    "icanon isig iexten echo echoe echok -echonl icrnl -inlcr -igncr ixon opost onlcr tab0 lnext '^V'";

/// The same for a command without `stdin` whose output is captured: short, by an alias of the integration script.
pub fn type_run_short(kind: &str, id: CommandId) -> Vec<u8> {
    format!(" __sshmcp_0 {id};__sshmcp_{}", enter(kind)).into_bytes()
}

/// The line that makes a shell which lost its hook report the end of what ran last.
pub fn type_sync(kind: &str) -> Vec<u8> {
    if kind == "fish" {
        return b" __sshmcp_z $status '' r;__sshmcp_h\r".to_vec();
    }
    b" __sshmcp_z \"$?\" \"$-\" '' r;__sshmcp_h\r".to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(kind: &str) -> ShellHello {
        ShellHello {
            kind: kind.into(),
            eval: "builtin eval".into(),
            pid: 5,
            tty: String::new(),
            version: String::new(),
            cwd: "/".into(),
        }
    }

    /// The last status is taken before anything else runs.
    #[test]
    fn mended_lines() {
        let id = CommandId::new(7);
        let short = String::from_utf8(mending("dash", id, &type_run_short("dash", id))).expect("text");
        assert!(
            short.starts_with(" __sshmcp_0 c7;{ \\command stty icanon "),
            "{short}"
        );
        assert!(short.ends_with("; } 2>/dev/null;__sshmcp_\n"), "{short}");
        let long = type_run(
            &shell("dash"),
            "/d",
            "n",
            id,
            Capture::Terminal,
            false,
            &Sudo::Ignored,
        );
        let long = String::from_utf8(mending("dash", id, &long)).expect("text");
        assert!(
            long.contains("2>/dev/null;__sshmcp_f c7 \"$-\" 0 s&&\\:;"),
            "{long}"
        );
    }

    /// What is typed never depends on what a user wrote.
    #[test]
    fn typed_lines_are_fixed() {
        for kind in ["bash", "zsh", "dash", "fish", "$(x)"] {
            let below = Sudo::Below {
                nonce: "1f".into(),
                shell: "/bin/bash".into(),
            };
            for sudo in [Sudo::Ignored, Sudo::Answered("1f".into()), below] {
                let line = type_run(
                    &shell(kind),
                    "/d",
                    "n",
                    CommandId::new(7),
                    Capture::Apart,
                    true,
                    &sudo,
                );
                assert!(line.ends_with(enter(kind).as_bytes()) && line.starts_with(b" "));
                assert!(!line.windows(3).any(|part| part == b"(x)"));
                assert!(line.len() < 500, "a canonical terminal takes 4,096 bytes a line");
            }
        }
    }
}
