//! How a shell ends, and what only looks as if it did.

use sshmcp_tests::Shell;

use super::table::{Row, Text, gives, like, sees};

pub(super) fn rows(shell: Shell) -> Vec<Row> {
    let zsh = shell.is_zsh();
    let ksh = matches!(shell, Shell::Ksh | Shell::Mksh);
    // As they tell at a prompt.
    let killed = if zsh {
        Text::Is(String::new())
    } else {
        Text::Has("Killed")
    };
    let unset = if matches!(shell, Shell::Dash | Shell::Ash) {
        2
    } else {
        1
    };
    let nothing = || Text::Is(String::new());
    let mut rows = vec![
        gives("exit 3", 3, "", logout(shell)).ends(),
        gives("echo last; exit", 0, "last\n", logout(shell)).ends(),
        gives("(exit 7); exit", 7, "", logout(shell)).ends(),
        gives("set -e; false; echo NO", 1, "", "").ends(),
        gives("set -e", 0, "", ""),
        gives("echo fine; true || false", 0, "fine\n", ""),
        gives("(exit 5)", 5, "", "").ends(),
        sees(
            "set -u; echo \"$nosuch\"; echo NO",
            unset,
            nothing(),
            Text::Has("nosuch"),
        ),
        sees("echo ${nosuch}", unset, nothing(), Text::Has("nosuch")),
        gives("set +u; echo \"<$nosuch>\"", 0, "<>\n", ""),
        trace(shell),
        sees(
            "set -x",
            0,
            nothing(),
            if shell == Shell::Mksh {
                Text::Any
            } else {
                nothing()
            },
        )
        .traced(),
        kept_trace(shell).traced(),
        sees(
            "set +x",
            0,
            nothing(),
            if ksh { Text::Any } else { Text::Has("set +x") },
        ),
        sees("set -v", 0, nothing(), Text::Any).traced(),
        sees("set +v", 0, nothing(), Text::Any),
        gives("exec sh -c 'echo gone; exit 4'", 4, "gone\n", "").ends(),
        gives("trap 'echo bye' EXIT; exit 5", 5, "bye\n", logout(shell)).ends(),
        gives("f() { exit 6; }; f; echo NO", 6, "", logout(shell)).ends(),
        gives("echo part; kill -9 $$", 137, "part\n", "").ends(),
        gives("exec true", 0, "", "").ends(),
        gives("(exit 8); (exec false)", 1, "", ""),
        gives("echo a; exit 2; echo NO", 2, "a\n", logout(shell)).ends(),
        sees(
            "sh -c 'kill -9 $$'; echo $?",
            0,
            Text::Is(if shell == Shell::Ksh { "265\n" } else { "137\n" }.into()),
            killed,
        ),
        if zsh {
            like("break; echo on")
        } else {
            sees("break; echo on", 0, Text::Is("on\n".into()), Text::Any)
        },
    ];
    rows.push(if zsh {
        // Its line editor reads the terminal itself.
        gives("exec </dev/null; exec </dev/tty", 0, "", "")
    } else {
        gives("exec </dev/null", 0, "", "").ends()
    });
    rows.push(match shell {
        // It leaves the shell, as it leaves a script.
        Shell::Dash | Shell::Ash | Shell::Ksh | Shell::Mksh => gives("return 3", 3, "", "").ends(),
        _ => like("return 3"),
    });
    rows
}

/// What bash, as a login shell, says when it leaves by `exit`.
pub(super) fn logout(shell: Shell) -> &'static str {
    if shell == Shell::Bash { "logout\n" } else { "" }
}

fn trace(shell: Shell) -> Row {
    let stderr = match shell {
        Shell::Bash => "++ echo hi\n++ set +x\n",
        Shell::Zsh | Shell::ZshThemed => "+(eval):1> echo hi\n+(eval):1> set +x\n",
        Shell::Ksh => "+ echo hi\n",
        // Its prompt for a trace is the time, by Debian's start-up file.
        Shell::Mksh => {
            return sees(
                "set -x; echo hi; set +x",
                0,
                Text::Is("hi\n".into()),
                Text::Has("] echo hi\n"),
            );
        }
        _ => "+ echo hi\n+ set +x\n",
    };
    gives("set -x; echo hi; set +x", 0, "hi\n", stderr)
}

fn kept_trace(shell: Shell) -> Row {
    let stderr = match shell {
        Shell::Bash => "++ echo there\n",
        Shell::Zsh | Shell::ZshThemed => "+(eval):1> echo there\n",
        // Lines of ours stand behind it.
        Shell::Mksh => {
            return sees(
                "echo there",
                0,
                Text::Is("there\n".into()),
                Text::Has("] echo there\n"),
            );
        }
        _ => "+ echo there\n",
    };
    gives("echo there", 0, "there\n", stderr)
}
