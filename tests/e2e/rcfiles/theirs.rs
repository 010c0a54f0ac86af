//! fish's files, and files that put another shell in the login shell's place.

use sshmcp_tests::Shell;

use super::row::{Row, Then, row};

const FISH_FILE: &str = ".config/fish/config.fish";

pub(super) fn rows() -> Vec<Row> {
    [fish(), changed(), unguarded()].concat()
}

fn fish() -> Vec<Row> {
    let fish = |name, rc: &str| row(name, Shell::Fish, rc);
    vec![
        fish("f-prints", "echo welcome; echo warning >&2; function fish_greeting; echo hello; end").greets("welcome"),
        fish("f-starship", r#"function fish_prompt; set -l s $status; printf '\n%s via x\n❯ ' (basename $PWD); end
function fish_right_prompt; date +%T; end
function __starship --on-event fish_prompt; set -g STARSHIP $status; end
function __direnv_export_eval --on-event fish_prompt; echo 'set -gx DIRENV x' | source; end
function fish_mode_prompt; echo '[I] '; end"#),
        fish("f-vi", "fish_vi_key_bindings"),
        fish("f-functions", "function cd; builtin cd $argv; and echo \"now in $PWD\"; end\nfunction printf; echo mine; end\nfunction math; echo 9; end\nfunction functions; echo mine; end\nfunction tty; echo mine; end\nfunction source; echo mine; end\nfunction .; echo mine; end")
            .plays(&[("cd /usr", 0, "now in /usr\n", ""), ("pwd; echo err >&2", 0, "/usr\n", "err\n"), ("echo two\necho lines; echo three", 0, "two\nlines\nthree\n", "")]),
        fish("f-abbr", "abbr -a . 'echo no'; abbr -a builtin 'echo no'; abbr -a source 'echo no'; abbr -a c1 no"),
        fish("f-asks", "read -g -P 'continue? ' answer").then(Then::Asks("continue?", "the answer")),
        fish("f-slow", "sleep 5"),
        fish("f-never", "sleep 100000").then(Then::Fails("unreachable", "no prompt", "sshctl doctor")),
    ]
}

/// Only at a terminal, as people do who cannot change their login shell.
fn changed() -> Vec<Row> {
    let bash = |name, rc: &str| row(name, Shell::Bash, rc);
    vec![
        bash("x-b-zsh", "exec zsh")
            .and(".zshrc", "PROMPT='z> '")
            .speaks(Shell::Zsh),
        bash("x-b-zsh-l", "SHELL=$(command -v zsh) exec zsh -l")
            .and(".zshrc", "")
            .speaks(Shell::Zsh),
        bash("x-b-fish", "exec fish").speaks(Shell::Fish),
        bash("x-b-dash", "exec dash").speaks(Shell::Dash),
        bash("x-b-ksh", "exec ksh93").and(".kshrc", "").speaks(Shell::Ksh),
        bash("x-b-mksh", "exec mksh").speaks(Shell::Mksh),
        bash("x-b-ash", "exec busybox ash").speaks(Shell::Ash),
        bash(
            "x-b-bash",
            "[ -n \"$AGAIN\" ] || AGAIN=1 exec bash --rcfile ~/.other",
        )
        .and(".other", "PS1='b> '"),
        row("x-z-bash", Shell::Zsh, "exec bash"),
        row("x-z-fish", Shell::Zsh, "exec fish").speaks(Shell::Fish),
        row("x-f-zsh", Shell::Fish, "exec zsh")
            .and(".zshrc", "")
            .speaks(Shell::Zsh),
        row("x-f-bash", Shell::Fish, "exec bash").speaks(Shell::Bash),
        row("x-d-zsh", Shell::Dash, "exec zsh")
            .and(".zshrc", "")
            .speaks(Shell::Zsh),
        // What they start without `exec` is theirs, and is left first.
        bash("i-b-zsh", "zsh")
            .and(".zshrc", "")
            .then(Then::Holds("in zsh", "exit")),
        bash("i-b-fish", "fish").then(Then::Holds("in fish", "exit")),
        bash("i-b-python", "python3 -q").then(Then::Holds("in python3", "exit()")),
        bash(
            "i-b-tmux",
            "[ -n \"$TMUX\" ] || { tmux -L rc$UID -f /dev/null new-session; clear; }",
        )
        .then(Then::Holds("in tmux", "exit")),
        bash(
            "i-b-ask",
            "sh -c 'printf \"passphrase: \"; stty -echo; read x; stty echo'",
        )
        .then(Then::Holds("in sh", "secret")),
    ]
}

/// For commands without a terminal too.
fn unguarded() -> Vec<Row> {
    let files = |name, line: &'static str, more: (&'static str, &str)| {
        row(name, Shell::Bash, "").files(&[(".bash_profile", ". ~/.bashrc"), (".bashrc", line), more])
    };
    vec![
        files("u-b-zsh", "exec zsh", (".zshrc", "")).speaks(Shell::Zsh),
        files("u-b-dash", "exec dash", (".x", "")).speaks(Shell::Dash),
        files("u-b-ksh", "exec ksh93", (".kshrc", "")).speaks(Shell::Ksh),
        files("u-b-fish", "exec fish", (FISH_FILE, ""))
            .speaks(Shell::Fish)
            .then(Then::OneStream),
    ]
}
