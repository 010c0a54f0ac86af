//! The scripts that run on a host, as they are sent: the helper with its parts, what drains and what clears away beside it,
//! and what a shell is made to read.

use super::{
    kept::{END_SHELL, END_TMUX, KEPT_ORDERS, Keeping, NOTE_SHELL},
    quote,
};

/// The helper as it is in the source.
const HELPER: &str = include_str!("../helper.sh");
/// Its part that looks at the terminal and at what waits for input there.
const LOOK: &str = include_str!("../look.sh");
/// Its drains.
const DRAINS: &str = include_str!("../drains.sh");
/// Its drains where a tmux keeps the shell, and its way to that.
const KEPT: &str = include_str!("../kept.sh");
const PANE: &str = include_str!("../pane.sh");
/// What survives on a host.
pub(super) const KEEP: &str = include_str!("../keep.sh");
/// What removes a helper's directory, as it is in the source.
pub(super) const CLEAR: &str = include_str!("../clear.sh");
/// What ends a helper whose connection is dead, as it is in the source.
const GHOST: &str = include_str!("../ghost.sh");
/// The integration script for POSIX-like shells as it is in the source.
const POSIX: &str = include_str!("../posix.sh");
/// The integration script for fish as it is in the source.
const FISH: &str = include_str!("../fish.fish");

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
pub(in crate::shell) fn posix_script(dir: &str, nonce: &str) -> String {
    filled(POSIX, dir, nonce)
}

/// A script for one session.
fn filled(script: &str, dir: &str, nonce: &str) -> String {
    without_comments(script)
        .replace("@NONCE@", nonce)
        .replace("@DIR@", dir)
}

pub(in crate::shell) fn without_comments(script: &str) -> String {
    script
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect()
}
