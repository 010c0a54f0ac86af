//! What stands between the terminal and a program: other terminals, other hosts, other users.

use super::row::{
    Row,
    Source::{Terminal, Text},
    Step::{Asks, Draws, Ends, Type, TypePassword, Works},
    Who::{Root, User},
    asks, draws, row, says, works,
};

/// A password of sudo's first; the rest follows.
pub(super) fn after_password(command: &'static str) -> Row {
    says(command, false, "[sudo] password for %ASKER:")
        .then(&[TypePassword])
        .of(User)
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        asks("script -qc cat /dev/null", true, ""),
        asks("script -qc 'stty -echo; read x; stty echo' /dev/null", false, ""),
        asks("python3 -c 'import pty; pty.spawn([\"cat\"])'", true, ""),
        asks(
            "script -qc \"script -qc 'sh -c \\\"read x\\\"' /dev/null\" /dev/null",
            true,
            "",
        ),
        works("script -qc 'sleep 9' /dev/null"),
        works("python3 -c 'import pty; pty.spawn([\"sleep\", \"9\"])'"),
        // A relay to what no process of ours can be seen doing, as `docker exec -it` is.
        says(
            "python3 %PROGRAMS/relay.py 'printf \"Go on? [y/N] \"; read x'",
            true,
            "Go on? [y/N]",
        ),
        says(
            "python3 %PROGRAMS/relay.py 'printf \"Password: \"; read x'",
            false,
            "Password:",
        ),
        works("python3 %PROGRAMS/relay.py 'echo begun; sleep 9'"),
        says("%SSH -tt 'printf \"Deploy now? \"; read x'", true, "Deploy now?"),
        works("%SSH -tt 'echo begun; sleep 9'"),
        works("%SSH 'echo begun; sleep 9'"),
        draws("%SSH -tt 'vi'"),
        // ssh's own questions.
        row(
            "%ASK_SSH true",
            vec![
                Asks(Terminal, true, "(yes/no/[fingerprint])?"),
                Type("yes"),
                Asks(Terminal, false, "'s password:"),
                TypePassword,
                Ends(0),
            ],
        ),
        // sudo, with a terminal of its own (use_pty) and without.
        after_password("sudo sh -c 'printf \"Continue? [y/N] \"; read x'").then(&[
            Asks(Text, true, "Continue? [y/N]"),
            Type("y"),
            Ends(0),
        ]),
        after_password("sudo nice sh -c 'printf \"Continue? [y/N] \"; read x'").then(&[
            Asks(Text, true, "Continue? [y/N]"),
            Type("y"),
            Ends(0),
        ]),
        after_password("sudo timeout 60 sleep 60").then(&[Works]),
        after_password("sudo nice sleep 60").then(&[Works]),
        after_password("sudo timeout 60 sleep 60")
            .then(&[Works])
            .on_terminal(),
        after_password("sudo -u nobody sh -c 'printf \"Name: \"; read x'").then(&[Asks(Text, true, "Name:")]),
        works("sudo sleep 9").of(User),
        works("sudo sleep 9").of(User).on_terminal(),
        works("sudo env sleep 9").of(User),
        // Its output captured, sudo takes the terminal only once somebody behind it reads.
        after_password("sudo cat").then(&[Asks(Text, true, "")]),
        after_password("sudo sh -c 'sleep 0.5; read x'").then(&[Asks(Text, true, ""), Type("y"), Ends(0)]),
        after_password("sudo sh -c 'stty sane; sleep 60'").then(&[Works]),
        after_password("sudo sh -c 'read x; sleep 60'").then(&[Asks(Text, true, ""), Type("y"), Works]),
        // It only prints, and its terminal is not passed on: nobody reads.
        works("sudo sh -c 'printf \"Continue? \"; sleep 9'").of(Root),
        works("sudo sleep 9").of(Root),
        asks("sudo cat", true, "").of(Root),
        asks("sudo -u %ASKER sh -c 'stty -echo; read x'", false, ""),
        asks("sudo nice sh -c 'printf \"Name: \"; read x'", true, "Name:")
            .of(Root)
            .on_terminal(),
        says("passwd", false, "assword:").of(User),
        asks("passwd %ASKER", false, "ew password:").of(Root),
        says("su %ASKER -c 'printf \"Sure? \"; read x'", false, "Password:")
            .of(User)
            .then(&[TypePassword, Asks(Terminal, true, "Sure?"), Type("y"), Ends(0)]),
        asks("su %ASKER -c 'printf \"Sure? \"; read x'", true, "Sure?").of(Root),
        asks("su %ASKER -c 'read x'", true, "").of(Root),
        works("su %ASKER -c 'sleep 9'").of(Root),
    ]
}

/// Shells within the shell.
pub(super) fn inner() -> Vec<Row> {
    vec![
        asks("bash", true, ""),
        asks("bash --norc", true, "$").of(User).on_terminal(),
        asks("bash --norc", true, "#").of(Root).on_terminal(),
        asks("zsh -f", true, "%").of(User).on_terminal(),
        asks("zsh -f", true, "#").of(Root).on_terminal(),
        asks("exec zsh -f", true, "%").of(User).on_terminal(),
        asks("exec bash --norc", true, "$").of(User).on_terminal(),
        asks("exec bash --norc", true, ""),
        asks("exec fish --no-config", true, ">").of(User).on_terminal(),
        says("%SSH", true, "$"),
        says("%SSH", true, "$").on_terminal(),
        after_password("sudo -i").then(&[Asks(Text, true, "")]),
        after_password("sudo -s").then(&[Asks(Text, true, "")]),
        asks("sudo -i", true, "").of(Root),
        after_password("sudo -i")
            .then(&[Asks(Text, true, "#")])
            .on_terminal(),
        says("su - %ASKER", false, "Password:")
            .of(User)
            .then(&[TypePassword, Asks(Terminal, true, "")]),
        says("su - %ASKER", false, "Password:")
            .of(User)
            .then(&[TypePassword, Asks(Terminal, true, "$")])
            .on_terminal(),
        asks("su - %ASKER", true, "").of(Root),
        asks("su - %ASKER", true, "$").of(Root).on_terminal(),
        // script outlives its terminal.
        row("script -qc vi /dev/null", vec![Draws, Type(":q!"), Ends(0)]).on_terminal(),
    ]
}
