//! Orders to the helper. Every command goes as data of the helper's channel; what is typed is fixed but for a command's
//! id (`line`).

mod kept;
mod line;
mod script;

pub use kept::{
    Keeping, catch_command, end_keeping, follow, follow_command, label, place, seen, show, still_interested,
};
pub use line::{mending, type_install, type_run, type_run_short, type_sync, with_status};
pub use script::{Script, clear_away, drain_command, end_ghosts, helper_command, install};
pub(super) use script::{posix_script, without_comments};

use super::sudo::Sudo;
use crate::id::CommandId;

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

/// The order to remove what killed helpers left there.
pub fn sweep() -> Vec<u8> {
    b"z\n".to_vec()
}

/// The order that asks what kept sessions of ours are there, by our mark.
pub fn labels(mark: &str) -> Vec<u8> {
    format!("l {mark}\n").into_bytes()
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

/// One word of POSIX shell, whatever it holds.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// What a shell says of its terminal is a name, and no order.
    #[test]
    fn a_terminals_name_is_no_order() {
        assert_eq!(introduce(5, "/dev/pts/0;rm\n"), b"t 5 /dev/pts/0rm\n");
    }
}
