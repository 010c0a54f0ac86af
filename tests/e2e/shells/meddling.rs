//! Changes to the shell that our own machinery must bear: names, options, traps and prompts that are the user's.

use sshmcp_tests::Shell;

use super::{
    endings::logout,
    table::{Row, Text, gives, sees},
};

pub(super) fn rows(shell: Shell) -> Vec<Row> {
    let nothing = || Text::Is(String::new());
    // mksh has no printf of its own for the plain command after it.
    let pathless = |row: Row| if shell == Shell::Mksh { row.other() } else { row };
    let mut rows = vec![
        pathless(gives("saved=$PATH; PATH=", 0, "", "")),
        gives("echo found", 0, "found\n", "").other(),
        pathless(sees("ls", 127, nothing(), Text::Has("ls"))),
        gives("PATH=$saved; ls /etc/hostname", 0, "/etc/hostname\n", ""),
        gives("unset PATH; echo without", 0, "without\n", ""),
        gives("PATH=$saved", 0, "", ""),
        gives("IFS=", 0, "", ""),
        gives("x='a b'; printf '<%s>' $x; echo", 0, "<a b>\n", ""),
        gives("IFS=0123456789abcdef/:-", 0, "", ""),
        gives("echo split", 0, "split\n", ""),
        gives("unset IFS; echo unset", 0, "unset\n", ""),
        gives("IFS=' \t\n'", 0, "", ""),
        gives("PS1=", 0, "", ""),
        gives("PS1='$ '; PS2='... '", 0, "", ""),
        gives("PS1='line one\nline two $ '", 0, "", ""),
        gives("PS1='$(echo noise; false)> '", 0, "", ""),
        gives("unset PS1; echo no prompt", 0, "no prompt\n", ""),
        gives("PS1='> '; PROMPT_COMMAND=", 0, "", ""),
        gives("PROMPT_COMMAND='echo noise; false'", 0, "", ""),
        gives("echo clean", 0, "clean\n", ""),
        gives("unset PROMPT_COMMAND", 0, "", ""),
        gives(
            "unset HOME; echo homeless; HOME=~root; HOME=/tmp",
            0,
            "homeless\n",
            "",
        ),
        gives("TERM=dumb; unset TERM; echo terminal", 0, "terminal\n", ""),
        gives("TERM=xterm", 0, "", ""),
        gives(
            "LC_ALL=C; export LC_ALL; echo ü | wc -c; unset LC_ALL",
            0,
            "3\n",
            "",
        ),
        gives(
            "alias printf=false read=false set=false; echo aliased",
            0,
            "aliased\n",
            "",
        )
        .other(),
        gives("unalias printf read set", 0, "", ""),
        gives("printf() { echo mine; }; echo function", 0, "function\n", "")
            .traced()
            .other(),
        gives("printf x; unset -f printf", 0, "mine\n", ""),
        gives(
            "read() { echo mine; }; cat() { echo mine; }; cat; unset -f read cat",
            0,
            "mine\n",
            "",
        ),
        gives("stty -echo", 0, "", ""),
        gives("stty echo; stty raw", 0, "", ""),
        gives("stty sane", 0, "", ""),
        // ash knows no other.
        gives(
            if shell == Shell::Ash {
                "set -o vi"
            } else {
                "set -o vi; set -o emacs"
            },
            0,
            "",
            "",
        ),
        gives("trap 'echo left' EXIT; (exit 3)", 3, "", ""),
        gives("trap - EXIT", 0, "", ""),
        gives("trap '' INT QUIT", 0, "", ""),
        gives("trap - INT QUIT", 0, "", ""),
        // mksh leaves the line for it, as at its prompt.
        if shell == Shell::Mksh {
            gives("kill -TERM $$; echo NO", 143, "", "")
        } else {
            gives("kill -TERM $$; echo alive", 0, "alive\n", "")
        },
        gives("kill -INT $$; echo NO", 130, "", ""),
        gives("__sshmcp_x='echo stolen'; echo kept", 0, "kept\n", ""),
        gives("TMOUT=0; unset TMOUT", 0, "", ""),
        gives("readonly PS1", 0, "", ""),
    ];
    match shell {
        Shell::Bash => rows.extend(bash()),
        Shell::Zsh | Shell::ZshThemed => rows.extend(zsh()),
        _ => {}
    }
    // The read-only ones would stay.
    rows.push(gives("exit 0", 0, "", logout(shell)).ends());
    rows
}

fn bash() -> Vec<Row> {
    vec![
        gives("trap 'echo dbg' DEBUG", 0, "", "").other(),
        sees("echo hi", 0, Text::Has("dbg\nhi\n"), Text::Is(String::new())).other(),
        sees("trap - DEBUG", 0, Text::Any, Text::Is(String::new())),
        gives("trap 'echo failed >&2' ERR; true", 0, "", ""),
        gives("false; true", 0, "", "failed\n"),
        gives("trap - ERR", 0, "", ""),
        gives(
            "shopt -s extdebug; shopt -u extdebug; shopt -s failglob; shopt -u failglob",
            0,
            "",
            "",
        ),
        gives("set -o posix; set +o posix", 0, "", ""),
        gives(
            "eval() { echo mine; }; unset -f eval; builtin echo b",
            0,
            "b\n",
            "",
        ),
        gives("PROMPT_COMMAND=(true 'echo noise'); echo list", 0, "list\n", ""),
        gives(
            "unset PROMPT_COMMAND; HISTCONTROL=; HISTFILE=/dev/null; set -o history; echo h",
            0,
            "h\n",
            "",
        ),
        gives("history 1 | grep -c '__ssh[m]cp'", 1, "0\n", ""),
        gives("fc -l -5 2>/dev/null | grep -c '__ssh[m]cp'", 1, "0\n", ""),
        gives("readonly PROMPT_COMMAND", 0, "", ""),
        gives("echo still", 0, "still\n", ""),
    ]
}

fn zsh() -> Vec<Row> {
    vec![
        gives("precmd() { echo noise; false; }", 0, "", ""),
        gives("echo clean; unfunction precmd", 0, "clean\n", ""),
        gives("precmd_functions=()", 0, "", ""),
        gives("echo hookless", 0, "hookless\n", ""),
        gives("unset precmd_functions; echo unset", 0, "unset\n", ""),
        gives("preexec() { echo ran; }; echo pre", 0, "pre\n", ""),
        gives("echo pre; unfunction preexec", 0, "pre\n", ""),
        gives("setopt ksh_arrays sh_word_split no_nomatch err_return", 0, "", ""),
        gives(
            "echo opts; unsetopt ksh_arrays sh_word_split err_return; setopt nomatch",
            0,
            "opts\n",
            "",
        ),
        gives("alias -g s='| sort' 0=zero", 0, "", ""),
        gives("echo global; unalias 's' '0'", 0, "global\n", ""),
        gives("emulate sh", 0, "", ""),
        gives("echo sh; emulate zsh", 0, "sh\n", ""),
        gives(
            "TRAPINT() { return 1; }; echo trap; unfunction TRAPINT",
            0,
            "trap\n",
            "",
        ),
        gives(
            "TRAPDEBUG() { :; }; echo debug; unfunction TRAPDEBUG",
            0,
            "debug\n",
            "",
        ),
        gives(
            "setopt no_hist_ignore_space; fc -l -5 2>/dev/null | grep -c '__ssh[m]cp'",
            1,
            "0\n",
            "",
        ),
    ]
}
