//! Commands that ask, that are silent for long, and that are interrupted.

use sshmcp_tests::Shell;

use super::table::{Act, Row, Text, gives, sees};

pub(super) fn rows(shell: Shell) -> Vec<Row> {
    let mut rows = vec![
        gives("read x; echo \"got $x\"", 0, "got hello\n", "").act(Act::Answer(&["hello"], true)),
        gives("read -r a b; read c; echo \"$a-$b-$c\"", 0, "1-2 3-4\n", "")
            .act(Act::Answer(&["1 2 3", "4"], true)),
        gives("sh -c 'read y; echo \"child $y\"'", 0, "child öäü\n", "").act(Act::Answer(&["öäü"], true)),
        gives("read -r p; echo \"[$p]\"", 0, "[a;b $HOME 'c]\n", "")
            .act(Act::Answer(&["a;b $HOME 'c"], true)),
        gives("cat", 0, "typed line\n", "").act(Act::AnswerAndEnd("typed line")),
        gives("stty -echo; read s; stty echo; echo \"${#s}\"", 0, "6\n", "")
            .act(Act::Answer(&["secret"], false)),
        gives("cat | tr a-z A-Z", 0, "PIPED\n", "").act(Act::AnswerAndEnd("piped")),
        gives("sleep 100", 130, "", "").act(Act::Interrupt),
        gives("sleep 100; echo NO", 130, "", "").act(Act::Interrupt),
        // busybox ash may hang of a Ctrl-C in its own builtins: the matrix of interrupts has that.
        match shell {
            Shell::Ash => gives("while :; do sleep 0.1; done; echo NO", 130, "", ""),
            _ => gives("while :; do :; done; echo NO", 130, "", ""),
        }
        .act(Act::Interrupt),
        gives("for i in 1 2 3; do sleep 100; done", 130, "", "").act(Act::Interrupt),
        gives("echo before; sh -c 'sleep 100'", 130, "before\n", "").act(Act::Interrupt),
        gives("cat", 130, "", "").act(Act::Interrupt),
        sees("read x", 130, Text::Is(String::new()), Text::Any).act(Act::Interrupt),
        gives("yes >/dev/null", 130, "", "").act(Act::Interrupt),
        gives("sleep 100 | cat", 130, "", "").act(Act::Interrupt),
        gives(
            "sh -c 'trap \"echo caught; exit 7\" INT; while :; do sleep 0.1; done'",
            7,
            "caught\n",
            "",
        )
        .act(Act::Interrupt),
        sees(
            "sleep 12; echo done",
            0,
            Text::Is("done\n".into()),
            Text::Is(String::new()),
        ),
    ];
    if shell == Shell::Ksh {
        // Behind an interrupted pipeline ksh93 itself fails at times to start the next program (126, "Inappropriate ioctl
        // for device"); its interrupts are played in the matrix of interrupts.
        rows.retain(|row| row.text() != "sleep 100 | cat" && !row.text().contains("echo caught"));
    }
    rows.push(
        match shell {
            // A subshell of its is no process, and only what runs in it is interrupted: so at its prompt, too.
            Shell::Ksh => gives("(sleep 100); echo on", 0, "on\n", ""),
            _ => gives("(sleep 100); echo NO", 130, "", ""),
        }
        .act(Act::Interrupt),
    );
    if shell == Shell::Bash || shell.is_zsh() {
        rows.push(gives("read -s s; echo \"${#s}\"", 0, "6\n", "").act(Act::Answer(&["secret"], false)));
    }
    rows
}
