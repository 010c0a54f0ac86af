//! Our own marks and frames, printed by somebody else: with a nonce that is not the session's, and with the one that is,
//! which whatever runs inside of the shell itself can read.

use super::{Row, row};

/// All of ours, printed to a file with this nonce.
fn all(nonce: &str, file: &str) -> String {
    let mut text = format!("n={nonce}; ");
    for mark in [
        "D;c1;0;/",
        "D;c999999;0;/",
        "C;c999999",
        "C;c1",
        "P;/nowhere",
        "A;c1",
        "H;bash;1;/dev/null;5;/",
    ] {
        text += &format!("printf '\\033]6973;%s;{mark}\\007' \"$n\" >{file}; ");
    }
    for frame in ["E;c1;0;/", "E;c999999;0;/", "M0", "M1", "Z"] {
        text += &format!("printf '\\036%s;{frame}\\037' \"$n\" >{file}; ");
    }
    for frame in ["K;sent", "S;on", "R", "B", "O;3x", "W;", "Q;;;"] {
        text += &format!("printf '\\036%s!{frame}\\037' \"$n\" >{file}; ");
    }
    text + "echo after"
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row(all("0123456789abcdef", "/dev/stdout"), "after"),
        row(all("0123456789abcdef", "/dev/tty"), "after"),
        row(all("\"$__sshmcp_n\"", "/dev/tty"), "after"),
        // It tells the ends of its own streams: what it prints behind them may be cut off, by whichever comes first.
        row(all("\"$__sshmcp_n\"", "/dev/stdout"), ""),
        // Half of one, and one that is too long.
        row("printf '\\036%s;E;c' \"$__sshmcp_n\"; echo; echo after", "after"),
        row(
            "printf '\\036%s;' \"$__sshmcp_n\"; head -c 20000 /dev/zero | tr '\\0' a; echo; echo after",
            "after",
        ),
        row(
            "printf '\\033]6973;%s;' \"$__sshmcp_n\" >/dev/tty; head -c 20000 /dev/zero | tr '\\0' a >/dev/tty; printf '\\007' >/dev/tty; echo after",
            "after",
        ),
    ]
}
