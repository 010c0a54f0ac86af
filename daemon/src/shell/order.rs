//! What is sent to the helper and typed into the shell. Every command goes as data of the helper's channel; what is
//! typed is fixed but for a command's id.

mod kept;

pub use kept::{
    Keeping, catch_command, end_keeping, follow, follow_command, label, place, seen, show, still_interested,
};

use super::{
    mark::ShellHello,
    sudo::{self, Sudo},
};
use crate::id::CommandId;
use kept::{END_SHELL, END_TMUX, KEPT_ORDERS, NOTE_SHELL};

/// The helper as it is in the source.
const HELPER: &str = include_str!("helper.sh");
/// Its part that looks at the terminal and at what waits for input there.
const LOOK: &str = include_str!("look.sh");
/// Its drains.
const DRAINS: &str = include_str!("drains.sh");
/// Its drains where a tmux keeps the shell, and its way to that.
const KEPT: &str = include_str!("kept.sh");
const PANE: &str = include_str!("pane.sh");
/// What survives on a host.
const KEEP: &str = include_str!("keep.sh");
/// What removes a helper's directory, as it is in the source.
const CLEAR: &str = include_str!("clear.sh");
/// What ends a helper whose connection is dead, as it is in the source.
const GHOST: &str = include_str!("ghost.sh");
/// The integration script for POSIX-like shells as it is in the source.
const POSIX: &str = include_str!("posix.sh");
/// The integration script for fish as it is in the source.
const FISH: &str = include_str!("fish.fish");

/// Texts up to this go line by line through the FIFO, without a process; the shell reads them a byte at a time.
const SMALL_TEXT: usize = 2 << 10; // 2 KiB

/// How a command's output is got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Through FIFOs, stdout and stderr apart.
    Apart,
    /// The command has the terminal.
    Terminal,
}

/// The command line of the exec channel that runs the helper: short, and the same in every login shell's syntax.
pub fn helper_command(nonce: &str, keeping: &Keeping) -> (String, Vec<u8>) {
    // The integration script goes with it: on a slow link that is a round trip less than an order for it.
    let kept = |keep: &str, pane: &str, end: &str, note: &str| {
        let functions = format!("{CLEAR}{KEEP}");
        [
            ("@KEEP@", keep.to_owned()),
            ("@PANE@\n", without_comments(pane)),
            (
                "@DRAINS@\n",
                without_comments(&format!(
                    "{functions}{}",
                    KEPT.replace("@ENDTMUX@\n", end).replace("@KEEP@\n", &functions)
                )),
            ),
            ("@NOTE@\n", note.to_owned()),
            ("@ORDERS@\n", KEPT_ORDERS.to_owned()),
        ]
    };
    let nothing = "tp=\n";
    let parts = match keeping {
        Keeping::Connection => [
            ("@KEEP@", String::new()),
            ("@PANE@\n", nothing.to_owned()),
            ("@DRAINS@\n", without_comments(DRAINS)),
            ("@NOTE@\n", String::new()),
            ("@ORDERS@\n", String::new()),
        ],
        Keeping::Begin { .. } => kept("n", PANE, END_TMUX, ""),
        Keeping::Return { .. } => kept("o", PANE, END_TMUX, ""),
        Keeping::Beside { .. } => kept("n", nothing, END_SHELL, NOTE_SHELL),
        Keeping::BesideAgain { .. } => kept("o", nothing, END_SHELL, NOTE_SHELL),
    };
    let mut script = without_comments(&format!("{CLEAR}{HELPER}"));
    for (place, part) in parts {
        script = script.replacen(place, &part, 1);
    }
    script = match keeping {
        Keeping::Connection => script.replacen("@DIR@", "", 1),
        Keeping::Begin {
            name,
            cols,
            rows,
            orphan_after,
        } => script
            .replacen("@DIR@", "", 1)
            .replace("@NAME@", name)
            .replace("@SIZE@", &format!("-x {cols} -y {rows}"))
            .replace("@ORPHAN@", &orphan_after.to_string()),
        Keeping::Return { name, dir } => script.replacen("@DIR@", dir, 1).replace("@NAME@", name),
        Keeping::Beside { orphan_after } => script
            .replacen("@DIR@", "", 1)
            .replace("@NAME@", "none")
            .replace("@ORPHAN@", &orphan_after.to_string()),
        Keeping::BesideAgain { dir } => script.replacen("@DIR@", dir, 1).replace("@NAME@", "none"),
    };
    let script = script
        .replace("@LOOK@\n", &without_comments(LOOK))
        .replace("@NONCE@", nonce)
        .replace("@SCRIPT@\n", &posix_script("@DIR@", nonce));
    // Start-up files that read would swallow a script that came before this word.
    let length = script.len();
    let command = format!(r#"exec /bin/sh -c 'printf "\036%s!R\037" {nonce}; eval "$(head -c {length})"'"#);
    (command, script.into_bytes())
}

/// The command line of an exec channel that drains one further pair of FIFOs.
pub fn drain_command(dir: &str, nonce: &str, set: u8) -> (String, Vec<u8>) {
    let script = format!(
        r#"n={nonce} d={dir}
drain() {{
  cd "$d" || exit 0
  w=p$1
  set -- "${{1}}0" m0 "${{1}}1" m1
  set -- "$@" "$@" "$@" "$@" "$@" "$@" "$@" "$@"
  while :; do
    cat "$@" 2>/dev/null &
    printf '%s\n' "$!" >"$w"
    wait "$!" || break
  done
}}
trap '' INT QUIT HUP PIPE
( drain o{set} ) </dev/null &
po=$!
( drain e{set} ) </dev/null >&2 &
pe=$!
cat >/dev/null
for k in "$po" "$pe"; do
  c=
  {{ read -r c <"/proc/$k/task/$k/children"; }} 2>/dev/null
  kill "$k" $c 2>/dev/null
  [ -z "$c" ] || kill -s CONT $c 2>/dev/null
done
"#
    );
    let command = format!(r#"exec /bin/sh -c 'eval "$(head -c {})"'"#, script.len());
    (command, script.into_bytes())
}

/// The command line of an exec channel, and its script, that removes the directories of helpers which were killed.
pub fn clear_away(directories: &[String]) -> (String, Vec<u8>) {
    let each = directories
        .iter()
        .map(|directory| format!("clear {}\n", quote(directory)));
    let script = CLEAR.to_owned() + &each.collect::<String>();
    let command = format!(r#"exec /bin/sh -c 'eval "$(head -c {})"'"#, script.len());
    (command, script.into_bytes())
}

/// The same that ends the helpers of these directories, and what serves their connections there, which are dead on our
/// side.
pub fn end_ghosts(directories: &[String]) -> (String, Vec<u8>) {
    let ghosts = directories
        .iter()
        .map(|directory| format!("ghost {}\n", quote(directory)));
    let script = without_comments(GHOST) + &ghosts.collect::<String>();
    let command = format!(r#"exec /bin/sh -c 'eval "$(head -c {})"'"#, script.len());
    (command, script.into_bytes())
}

/// The order to remove what killed helpers left there.
pub fn sweep() -> Vec<u8> {
    b"z\n".to_vec()
}

/// The order that asks what kept sessions of ours are there, by our mark.
pub fn labels(mark: &str) -> Vec<u8> {
    format!("l {mark}\n").into_bytes()
}

/// Which integration script a shell takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// For bash, zsh, dash and their like.
    Posix,
    /// For fish.
    Fish,
}

impl Script {
    /// By the name of the shell's process, or its path.
    pub fn of(shell: &str) -> Self {
        match shell.rsplit('/').next().map(|name| name.trim_start_matches('-')) {
            Some("fish") => Self::Fish,
            _ => Self::Posix,
        }
    }
}

/// The order that puts another integration script into the helper's directory than the one that it brought.
pub fn install(script: Script, dir: &str, nonce: &str) -> Vec<u8> {
    let script = match script {
        Script::Posix => posix_script(dir, nonce),
        Script::Fish => filled(FISH, dir, nonce),
    };
    let mut order = format!("b {}\n", script.len()).into_bytes();
    order.extend_from_slice(script.as_bytes());
    order
}

/// The integration script; without a directory it takes texts that are typed.
pub(super) fn posix_script(dir: &str, nonce: &str) -> String {
    filled(POSIX, dir, nonce)
}

/// A script for one session.
fn filled(script: &str, dir: &str, nonce: &str) -> String {
    without_comments(script)
        .replace("@NONCE@", nonce)
        .replace("@DIR@", dir)
}

pub(super) fn without_comments(script: &str) -> String {
    script
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect()
}

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

/// The order to say a word: where it is heard, the host answers.
pub fn say_here() -> Vec<u8> {
    b"e\n".to_vec()
}

/// The order to look at the login shells on the helper's connection, or, where ours is on another, at all that began
/// lately.
pub fn look_for_shells(everywhere: bool) -> Vec<u8> {
    if everywhere {
        b"W\n".to_vec()
    } else {
        b"w\n".to_vec()
    }
}

/// The order to write on each of these terminals which one it is: ours shows it.
pub fn name_terminals<'t>(terminals: impl Iterator<Item = &'t str>) -> Vec<u8> {
    let mut order = "n".to_owned();
    for terminal in terminals {
        order.push(' ');
        order.push_str(terminal);
    }
    order.push('\n');
    order.into_bytes()
}

/// The order to look at what runs in our pane, below its process.
pub fn look_below(pid: u32) -> Vec<u8> {
    format!("w {pid}\n").into_bytes()
}
/// The order that tells the helper which shell and terminal are ours.
pub fn introduce(pid: u32, tty: &str) -> Vec<u8> {
    let tty: String = tty
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'))
        .collect();
    format!("t {pid} {tty}\n").into_bytes()
}

/// What the integration script is told of a command: `c` or `t`, the nonce of sudo's prompts in it, `i` for `stdin`.
pub fn mode(capture: Capture, stdin: bool, sudo: &Sudo) -> String {
    let capture = match capture {
        Capture::Apart => 'c',
        Capture::Terminal => 't',
    };
    let nonce = sudo.nonce().unwrap_or_default();
    format!("{capture}{nonce}{}", if stdin { "i" } else { "" })
}

/// The order with a command's text, for the FIFOs `out` and `err`.
pub fn text(
    kind: &str,
    id: CommandId,
    out: &str,
    err: &str,
    mode: &str,
    stdin: Option<&[u8]>,
    text: &str,
) -> Vec<u8> {
    let mut order = Vec::with_capacity(text.len() + 64);
    if let Some(stdin) = stdin {
        order.extend_from_slice(format!("i {}\n", stdin.len()).as_bytes());
        order.extend_from_slice(stdin);
    }
    let is_plain = text
        .bytes()
        .all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~'));
    if text.len() <= SMALL_TEXT && is_plain {
        let lines = text.split('\n').count();
        order.extend_from_slice(format!("r {id} {out} {err} {mode} {lines}\n{text}\n").as_bytes());
    } else {
        // fish reads the file as it is; the others source it.
        let file = match kind {
            "fish" => text.to_owned(),
            _ => format!("{ASSIGN}{}\n", quote(text)),
        };
        order.extend_from_slice(format!("R {id} {out} {err} {mode} {}\n", file.len()).as_bytes());
        order.extend_from_slice(file.as_bytes());
    }
    order
}

/// What a file with a command's text begins with.
const ASSIGN: &str = "__sshmcp_x=";

/// The order that ends the streams of a command whose shell is gone.
pub fn finish(id: CommandId) -> Vec<u8> {
    format!("f {id}\n").into_bytes()
}

/// The order to look at the terminal, and to say with this number in the FIFOs `out` and `err` what came before.
pub fn look(level: Option<(u32, &str, &str)>) -> Vec<u8> {
    level
        .map_or_else(
            || "q\n".into(),
            |(number, out, err)| format!("q {number} {out} {err}\n"),
        )
        .into_bytes()
}

/// The order that stops the readers of a pair of FIFOs, so that its writers wait.
pub fn stop_readers(set: u8) -> Vec<u8> {
    format!("p {set}\n").into_bytes()
}

/// The order that lets the readers of a pair go on.
pub fn continue_readers(set: u8) -> Vec<u8> {
    format!("c {set}\n").into_bytes()
}

/// The order that asks whether Ctrl-S stops the terminal.
pub fn ask_flow() -> Vec<u8> {
    b"x\n".to_vec()
}

/// The order that ends the streams of a command whose shell lives: these FIFOs alone, for the reader of another would
/// move on without the shell's knowing.
pub fn finish_streams(id: CommandId, out: &str, err: &str) -> Vec<u8> {
    format!("f {id} {out} {err}\n").into_bytes()
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

/// One word of POSIX shell, whatever it holds.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
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

    /// A text's form depends on its size and characters only.
    #[test]
    fn forms() {
        let small = text("bash", CommandId::new(1), "o00", "e00", "c", None, "a\nb");
        assert_eq!(small, b"r c1 o00 e00 c 2\na\nb\n");
        let unicode = text("bash", CommandId::new(2), "o00", "e01", "t", None, "ü'");
        let quoted = "__sshmcp_x='ü'\\'''\n";
        assert_eq!(
            unicode,
            format!("R c2 o00 e01 t {}\n{quoted}", quoted.len()).into_bytes()
        );
        let fed = text(
            "bash",
            CommandId::new(3),
            "o00",
            "e00",
            &mode(Capture::Apart, true, &Sudo::Answered("1f".into())),
            Some(b"in"),
            "cat",
        );
        assert_eq!(fed, b"i 2\ninr c3 o00 e00 c1fi 1\ncat\n");
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
        assert_eq!(introduce(5, "/dev/pts/0;rm\n"), b"t 5 /dev/pts/0rm\n");
    }
}
