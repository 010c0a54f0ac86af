//! What stays from one command to the next, as at a prompt.

use sshmcp_tests::Shell;

use super::table::{Row, Text, gives, sees};

pub(super) fn rows(shell: Shell) -> Vec<Row> {
    let mut rows = vec![
        gives("cd /usr/share", 0, "", ""),
        gives("pwd; cd ..; pwd", 0, "/usr/share\n/usr\n", ""),
        gives("cd - >/dev/null; pwd; cd", 0, "/usr/share\n", ""),
        gives("plain=5 other='a b'", 0, "", ""),
        gives("echo $plain \"$other\"; plain=6", 0, "5 a b\n", ""),
        gives("echo $plain", 0, "6\n", ""),
        gives("export EXPORTED=yes", 0, "", ""),
        gives("sh -c 'echo $EXPORTED $plain'", 0, "yes\n", ""),
        gives("unset EXPORTED; echo ${EXPORTED-gone}", 0, "gone\n", ""),
        // Their ends are the shell's own, in zsh and ksh.
        gives(
            "seq 3 | while read n; do echo \"<$n>\"; done",
            0,
            "<1>\n<2>\n<3>\n",
            "",
        ),
        gives("echo one | read n; false | true", 0, "", ""),
        gives("echo next; sh -c 'exit 3' | (exit 4)", 4, "next\n", ""),
        gives("set -- a 'b c' d", 0, "", ""),
        gives("echo $#; echo \"$2\"; shift", 0, "3\nb c\n", ""),
        gives("echo \"$# $1\"; set --", 0, "2 b c\n", ""),
        gives("greet() { echo \"hello $1\"; return 4; }", 0, "", ""),
        gives("greet you", 4, "hello you\n", ""),
        gives(
            "unset -f greet; command -v greet",
            if matches!(shell, Shell::Dash | Shell::Ash) {
                127
            } else {
                1
            },
            "",
            "",
        ),
        gives("alias shout='echo ALIASED'", 0, "", ""),
        gives("shout now", 0, "ALIASED now\n", ""),
        gives("unalias shout", 0, "", ""),
        gives(
            "umask 027; umask",
            0,
            if shell.is_zsh() || shell == Shell::Mksh {
                "027\n"
            } else {
                "0027\n"
            },
            "",
        ),
        gives(
            ": >@/masked; ls -l @/masked | cut -c1-10; umask 022",
            0,
            "-rw-r-----\n",
            "",
        ),
        gives("set -o noglob", 0, "", ""),
        gives("echo /etc/pass*d; set +o noglob", 0, "/etc/pass*d\n", ""),
        gives("echo /etc/pass*d", 0, "/etc/passwd\n", ""),
        gives("set -C; echo a >@/there", 0, "", ""),
        sees(
            "echo b >@/there",
            if shell == Shell::Dash { 2 } else { 1 },
            Text::Is(String::new()),
            Text::Has("exist"),
        ),
        gives("set +C; echo c >@/there; cat @/there", 0, "c\n", ""),
        gives(
            "set -a; auto=exported; set +a; sh -c 'echo $auto'",
            0,
            "exported\n",
            "",
        ),
        gives("trap 'echo usr1' USR1", 0, "", ""),
        gives("kill -USR1 $$; trap - USR1", 0, "usr1\n", ""),
        gives("exec 5>@/five", 0, "", ""),
        gives("echo through >&5; exec 5>&-; cat @/five", 0, "through\n", ""),
        gives("echo 'sourced=1; return 3' >@/lib; . @/lib", 3, "", ""),
        gives("echo $sourced", 0, "1\n", ""),
        gives("exec 2>@/errors; echo lost >&2", 0, "", ""),
        gives("echo again >&2", 0, "", "again\n"),
        gives(
            "umask >/dev/null; mkdir @/gone; cd @/gone; rmdir @/gone",
            0,
            "",
            "",
        ),
        gives("echo nowhere; cd", 0, "nowhere\n", ""),
        gives("wait; jobs", 0, "", ""),
        gives("false", 1, "", ""),
    ];
    rows.extend(match shell {
        Shell::Bash => bash(),
        Shell::Zsh | Shell::ZshThemed => of_zsh(),
        _ => Vec::new(),
    });
    rows
}

fn bash() -> Vec<Row> {
    vec![
        gives("declare -i count=3; declare -r fixed=1", 0, "", ""),
        gives("count+=4; echo $count", 0, "7\n", ""),
        sees(
            "fixed=2",
            1,
            Text::Is(String::new()),
            Text::Has("fixed: readonly variable"),
        ),
        gives(
            "declare -a list=(one 'two words'); declare -A map=([k]=v)",
            0,
            "",
            "",
        ),
        gives(
            "echo \"${list[1]} ${#list[@]} ${map[k]}\"",
            0,
            "two words 2 v\n",
            "",
        ),
        gives("typeset -x typed=1; sh -c 'echo $typed'", 0, "1\n", ""),
        gives("declare -p typed", 0, "declare -x typed=\"1\"\n", ""),
        gives("shopt -s nullglob", 0, "", ""),
        gives("echo /nosuch/*; shopt -u nullglob", 0, "\n", ""),
        gives("pushd /usr >/dev/null; popd >/dev/null; dirs", 0, "~\n", ""),
        gives("mapfile -t lines <<<$'a\\nb'; echo ${#lines[@]}", 0, "2\n", ""),
        gives("diff <(echo a) <(echo a); echo $?", 0, "0\n", ""),
        gives("set -o pipefail; false | true", 1, "", ""),
        gives(
            "set +o pipefail; false | true; echo ${PIPESTATUS[*]}",
            0,
            "1 0\n",
            "",
        ),
        sees(
            "local x=1",
            1,
            Text::Is(String::new()),
            Text::Has("can only be used in a function"),
        ),
        gives("[[ abc =~ b(.) ]] && echo ${BASH_REMATCH[1]}", 0, "c\n", ""),
    ]
}

fn of_zsh() -> Vec<Row> {
    vec![
        gives("typeset -i count=3; typeset -r fixed=1", 0, "", ""),
        gives("(( count += 4 )); echo $count", 0, "7\n", ""),
        sees(
            "fixed=2",
            1,
            Text::Is(String::new()),
            Text::Has("read-only variable: fixed"),
        ),
        gives("list=(one 'two words'); typeset -A map; map=(k v)", 0, "", ""),
        gives("echo \"$list[2] ${#list} $map[k]\"", 0, "two words 2 v\n", ""),
        gives("declare -x typed=1; sh -c 'echo $typed'", 0, "1\n", ""),
        gives("setopt null_glob", 0, "", ""),
        gives("echo /nosuch/*; unsetopt null_glob", 0, "\n", ""),
        gives(
            "pushd -q /usr; popd -q; pwd | sed 's/.*sshmcp.*/home/'",
            0,
            "home\n",
            "",
        ),
        gives("diff <(echo a) =(echo a); echo $?", 0, "0\n", ""),
        gives("echo ${(U)plain:-x} ${(j:,:)list}", 0, "6 one,two words\n", ""),
        gives("print -l -- *(N/e:'false':) end", 0, "end\n", ""),
        gives("[[ abc =~ 'b(.)' ]] && echo $match[1]", 0, "c\n", ""),
    ]
}
