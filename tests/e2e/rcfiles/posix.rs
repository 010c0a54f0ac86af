//! What people and their tools write into the files of bash, zsh, dash, ash, ksh and mksh.

use sshmcp_tests::Shell;

use super::row::{Row, SLEEP, Then, row};

/// Words that are ours to use, and theirs to take.
const NAMES: [&str; 12] = [
    "eval", "set", ".", "printf", "read", "builtin", "command", "cd", "return", "alias", "test", "[",
];

/// An alias for each of these that says so and does nothing.
fn aliases() -> String {
    NAMES
        .iter()
        .map(|name| format!("\\alias {name}='echo alias-{name} #'\n"))
        .collect()
}

/// A function for each of these that says so and fails.
fn functions(names: &[&str]) -> String {
    let function = |name: &&str| format!("{name}() {{ echo function-{name} >&2; false; }}\n");
    // The last one would be needed by those behind it.
    names.iter().map(function).collect()
}

fn without(names: &[&str]) -> Vec<&'static str> {
    NAMES.into_iter().filter(|name| !names.contains(name)).collect()
}

/// What is played where words have another meaning.
const PLAIN: [(&str, i64, &str, &str); 4] = [
    ("echo out; echo err >&2; (exit 3)", 3, "out\n", "err\n"),
    ("kept='a  b'", 0, "", ""),
    ("echo \"$kept\"", 0, "a  b\n", ""),
    (SLEEP, 130, "", ""),
];

/// The hooks that bash-preexec, and with it starship, installs.
const STARSHIP: &str = r#"starship_preexec() { STARSHIP_START=${EPOCHREALTIME:-0}; : "$1"; }
starship_precmd() {
  STARSHIP_CMD_STATUS=$? STARSHIP_PIPE_STATUS=("${PIPESTATUS[@]}")
  [ -z "${NUM:-}" ] || (exit $STARSHIP_CMD_STATUS)
  PS1="$(printf '\n\[\e[1;36m\]%s\[\e[0m\] via \[\e[1;33m\]x\[\e[0m\]\n\[\e[1;32m\]❯\[\e[0m\] ' "${PWD##*/}")"
  STARSHIP_START=
  for n in a b; do :; done
}
trap '[ -n "${COMP_LINE:-}" ] || starship_preexec "$_"' DEBUG
PS0='$(starship_preexec x)'
PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND;}starship_precmd"
PROMPT_COMMAND+=('history -a')"#;

const DIRENV: &str = r#"_direnv_hook() {
  local previous_exit_status=$?;
  trap -- '' SIGINT;
  eval "$(echo 'export DIRENV_DIFF=x')";
  trap - SIGINT;
  return $previous_exit_status;
};
if [[ ";${PROMPT_COMMAND[*]:-};" != *";_direnv_hook;"* ]]; then
  PROMPT_COMMAND="_direnv_hook${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
fi"#;

pub(super) fn bash() -> Vec<Row> {
    let bash = |name, rc: &str| row(name, Shell::Bash, rc);
    vec![
        bash("b-prints", "echo welcome; echo warning >&2; printf 'no line end'").greets("welcome\nwarning"),
        bash(
            "b-floods",
            "head -c 10000000 /dev/zero | tr '\\0' 'x'; yes 'many lines' | head -n 300000",
        ),
        bash(
            "b-marks",
            r"printf '\e]6973;0123456789abcdef;H;bash;1;/dev/pts/0;5;/\a\e]6973;\e]6973;;P;/\a\036abc!B\037\e]0;never ends'",
        ),
        bash(
            "b-fake-prompt",
            "printf 'user@host:~$ '; sleep 1.5; echo; echo ready",
        )
        .greets("ready"),
        bash("b-vi", "set -o vi; bind 'set show-mode-in-prompt on'"),
        bash("b-starship", STARSHIP).and(".inputrc", "set bell-style none\nset completion-ignore-case on"),
        bash("b-direnv", DIRENV),
        bash(
            "b-history",
            "HISTCONTROL=; HISTFILESIZE=-1; shopt -s histappend; PROMPT_COMMAND='history -a; history -n'",
        )
        .history(),
        bash("b-tmout", "readonly TMOUT=600; export TMOUT"),
        bash("b-aliases", &aliases()).plays(&PLAIN),
        bash("b-functions", &functions(&without(&["builtin", "command"]))).plays(&PLAIN),
        bash(
            "b-builtin",
            &functions(&["builtin", "printf", "read", "eval", "."]),
        )
        .plays(&PLAIN),
        bash(
            "b-command",
            &functions(&["command", "printf", "read", "eval", "."]),
        )
        .plays(&PLAIN),
        bash(
            "b-cd",
            "cd() { builtin cd \"$@\" && echo \"now in $PWD\"; }; shopt -s autocd cdspell",
        )
        .plays(&[("cd /usr", 0, "now in /usr\n", ""), ("pwd", 0, "/usr\n", "")]),
        bash(
            "b-readonly",
            "PROMPT_COMMAND=:; readonly PROMPT_COMMAND PS1 HISTCONTROL HISTFILE HISTSIZE LC_ALL",
        ),
        bash("b-readonly-ifs", "readonly IFS PS1 PS4 SUDO_PROMPT"),
        bash(
            "b-strict",
            "set -euo pipefail; set -C; shopt -s failglob nocasematch",
        )
        .plays(&[
            ("echo out; echo err >&2", 0, "out\n", "err\n"),
            ("kept='a  b'; cd /usr", 0, "", ""),
            ("echo \"$kept $PWD\"", 0, "a  b /usr\n", ""),
        ]),
        bash("b-posix", "set -o posix; set -o nounset"),
        bash(
            "b-trap",
            "trap 'echo bye' EXIT; trap '' INT QUIT TSTP; trap 'echo failed' ERR; trap - INT ERR",
        ),
        bash(
            "b-stty",
            "stty -ixon -echo erase ^H intr ^C; stty -icrnl; stty icrnl",
        ),
        bash("b-cwd", "cd /var; OLDPWD=/").plays(&[("pwd", 0, "/var\n", "")]),
        bash("b-syntax", "if true; then echo").greets("syntax error"),
        bash("b-slow", "sleep 5"),
        bash("b-slow-always", "").files(&[(".bash_profile", ". ~/.bashrc"), (".bashrc", "sleep 5")]),
        bash(
            "b-slow-prompt",
            "PS1='$(sleep 0.4)\\w\\n$(git branch 2>/dev/null)$ '",
        ),
        bash("b-no-path", "PATH=").plays(&[("echo out; echo err >&2; (exit 3)", 3, "out\n", "err\n")]),
        bash("b-asks", "read -p 'continue? ' answer").then(Then::Asks("continue?", "the answer")),
        bash("b-asks-key", "read -n 3 -p 'press y: ' answer").then(Then::Asks("press y:", "yes")),
        bash("b-asks-always", "")
            .files(&[
                (".bash_profile", ". ~/.bashrc"),
                (".bashrc", "read -p 'continue? ' answer"),
            ])
            .then(Then::Fails(
                "not_supported",
                "also where there is no terminal",
                "interactive shells",
            )),
        bash("b-never", "echo waiting; sleep 100000").then(Then::Fails(
            "unreachable",
            "waiting",
            "sshctl doctor",
        )),
        bash("b-never-always", "")
            .files(&[
                (".bash_profile", ". ~/.bashrc"),
                (".bashrc", "echo waiting; while :; do sleep 1; done"),
            ])
            .then(Then::Fails("unreachable", "waiting", "sshctl doctor")),
        bash("b-leaves", "echo not you; exit 4").then(Then::Fails("not_supported", "not you", "login")),
    ]
}

pub(super) fn zsh() -> Vec<Row> {
    let zsh = |name, rc: &str| row(name, Shell::Zsh, rc);
    vec![
        zsh("z-prints", "print welcome; print -u2 warning; print -n 'no line end'").greets("welcome"),
        zsh("z-instant", r#"exec {old}>&1 {olderr}>&2
print -rn -- $'\e[?25l\e]0;instant\a~ ❯ '
exec >/tmp/.instant-$$ 2>&1
autoload -Uz add-zsh-hook
_finalize() { exec >&$old 2>&$olderr {old}>&- {olderr}>&-; print -rn -- $'\r\e[J\e[?25h'; cat /tmp/.instant-$$; rm -f /tmp/.instant-$$; add-zsh-hook -d precmd _finalize; }
add-zsh-hook precmd _finalize
setopt prompt_subst prompt_sp
print slow part; sleep 1
PROMPT=$'%F{blue}%~%f ${(%):-%n}\n❯ ' RPROMPT='%T'"#),
        zsh("z-starship", r#"zmodload zsh/datetime; setopt prompt_subst
prompt_starship_precmd() { STARSHIP_CMD_STATUS=$? STARSHIP_PIPE_STATUS=(${pipestatus[@]}); }
prompt_starship_preexec() { STARSHIP_START_TIME=$EPOCHREALTIME; }
precmd_functions+=(prompt_starship_precmd); preexec_functions+=(prompt_starship_preexec)
starship_zle-keymap-select() { zle reset-prompt; }
zle -N zle-keymap-select starship_zle-keymap-select
PROMPT='$(printf "\n%s via x\n❯ " "${PWD:t}")' RPROMPT='$(printf right)' PROMPT2='> '"#),
        zsh("z-direnv", r#"_direnv_hook() { trap -- '' SIGINT; eval "$(print 'export DIRENV_DIFF=x')"; trap - SIGINT; }
typeset -ag precmd_functions chpwd_functions
precmd_functions=(_direnv_hook $precmd_functions); chpwd_functions=(_direnv_hook $chpwd_functions)"#),
        zsh("z-vi", "bindkey -v; KEYTIMEOUT=1; setopt vi"),
        zsh(
            "z-vicmd",
            "zle-line-init() { zle -K vicmd }; zle -N zle-line-init; setopt inc_append_history; HISTFILE=~/.history SAVEHIST=99",
        )
        .history(),
        // Nobody can type text into it.
        zsh("z-vicmd-main", "bindkey -A vicmd main").then(Then::Fails(
            "not_supported",
            "did not take the session's set-up",
            "line editor",
        )),
        zsh("z-correct", "setopt correct correct_all; cd; : >c2; : >c1x; : >usr2")
            .and("c3", "").and("__sshmcp", "").and("true1", ""),
        zsh("z-options", "setopt sh_word_split no_unset ksh_arrays no_nomatch extended_glob no_bang_hist no_hist_ignore_space inc_append_history share_history; HISTFILE=~/.zhistory; HISTSIZE=100; SAVEHIST=100").history(),
        zsh("z-aliases", &format!("{}alias -g c='| wc -c' G='| grep'\nalias -s b='echo suffix'\n", aliases())).plays(&PLAIN),
        zsh("z-functions", &functions(&without(&["builtin", "command", "."]))).plays(&PLAIN),
        zsh("z-builtin", &functions(&["builtin", "printf", "read", "eval"])).plays(&PLAIN),
        zsh("z-command", &functions(&["command", "printf", "read", "eval"])).plays(&PLAIN),
        zsh("z-readonly", "readonly PS1 PROMPT; typeset -r HISTFILE=~/.zh; precmd() { false; }; readonly TMOUT=600"),
        zsh("z-asks", "read 'answer?continue? '").then(Then::Asks("continue?", "the answer")),
        zsh("z-asks-key", "read -k 3 'answer?press y: '").then(Then::Asks("press y:", "yes")),
        zsh("z-new-user", "").files(&[]).then(Then::Holds("Type one of the keys in parentheses", "q")),
        zsh("z-never", "while :; do sleep 1; done").then(Then::Fails("unreachable", "no prompt", "sshctl doctor")),
        zsh("z-slow", "sleep 5"),
        zsh("z-plugins", r"accept-line() { [[ -z $BUFFER ]] && BUFFER='ls'; zle .accept-line; }; zle -N accept-line
self-insert() { zle .self-insert; POSTDISPLAY=' suggestion'; region_highlight=('0 1 bold'); }; zle -N self-insert
globalias() { zle _expand_alias; zle self-insert; }; zle -N globalias; bindkey ' ' globalias"),
    ]
}

pub(super) fn small() -> Vec<Row> {
    let mut rows = vec![
        row("d-asks", Shell::Dash, "printf 'continue? '; read answer")
            .then(Then::Asks("continue?", "the answer")),
        row("a-asks", Shell::Ash, "printf 'continue? '; read answer")
            .then(Then::Asks("continue?", "the answer")),
        row("d-stty", Shell::Dash, "stty -icrnl"),
        row("d-slow", Shell::Dash, "echo working; sleep 3").greets("working"),
    ];
    let names: [(Shell, [&'static str; 5]); 4] = [
        (
            Shell::Dash,
            ["d-prints", "d-aliases", "d-functions", "d-readonly", "d-vi"],
        ),
        (
            Shell::Ash,
            ["a-prints", "a-aliases", "a-functions", "a-readonly", "a-vi"],
        ),
        (
            Shell::Ksh,
            ["k-prints", "k-aliases", "k-functions", "k-readonly", "k-vi"],
        ),
        (
            Shell::Mksh,
            ["m-prints", "m-aliases", "m-functions", "m-readonly", "m-vi"],
        ),
    ];
    for (shell, [prints, aliased, functional, fixed, vi]) in names {
        let vi_mode = if shell == Shell::Dash {
            "set -o vi 2>/dev/null; :"
        } else {
            "set -o vi"
        };
        rows.extend([
            row(
                prints,
                shell,
                "echo welcome; echo warning >&2; printf 'no line end'",
            )
            .greets("welcome"),
            row(aliased, shell, &aliases()).plays(&PLAIN),
            // Names of special builtins no function can have there.
            row(
                functional,
                shell,
                &functions(&["printf", "read", "cd", "test", "command", "alias"]),
            )
            .plays(&PLAIN),
            row(fixed, shell, "PS1='$ '; readonly PS1 TMOUT"),
            row(vi, shell, vi_mode),
        ]);
    }
    rows
}
