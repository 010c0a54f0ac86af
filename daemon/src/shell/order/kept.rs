//! What is sent for a shell that a tmux on the host keeps, and for no other.

use super::script::{CLEAR, KEEP, without_comments};

/// Where a session's shell lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// On the connection; it ends with that.
    Connection,
    /// In a session that a tmux of the host begins, by this name and size; it ends by itself when nobody has come back
    /// to it for so long.
    Begin {
        /// Its name for tmux.
        name: String,
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
        /// Seconds.
        orphan_after: u64,
    },
    /// In a terminal of the host's that OpenSSH's client in a tmux of ours holds; what is kept on the host ends by itself
    /// when nobody has come back to it for so long.
    Beside {
        /// Seconds.
        orphan_after: u64,
    },
    /// The same, begun earlier, with this directory.
    BesideAgain {
        /// The helper's directory.
        dir: String,
    },
    /// In such a session of the host's tmux that was begun earlier, with this directory.
    Return {
        /// Its name for tmux.
        name: String,
        /// The helper's directory.
        dir: String,
    },
}

/// Ends the private server of a session, and what of its clients is stuck. tmux leaves its socket behind.
pub(super) const END_TMUX: &str = r#"end_tmux() {
  for k in $("$tm" -L "$na" list-clients -F '#{client_pid}'); do
    kill -s KILL "$k"
  done
  # tmux 3.7 lists none that is to end.
  for k in /proc/[0-9]*; do
    read -r st <"$k/stat" || continue
    case $st in *" (tmux: client) "*) ;; *) continue ;; esac
    case $(tr '\0' ' ' <"$k/cmdline") in *" -L $na "*) kill -s KILL "${k#/proc/}" ;; esac
  done
  "$tm" -L "$na" kill-server
  rm -f "${TMUX_TMPDIR:-/tmp}/tmux-$(id -u)/$na"
} 2>/dev/null
"#;
/// The same where the shell has a terminal of the host's: its session ends. Which shell it is stands in a file, for the
/// guard, with the time when it began: a number is used again.
pub(super) const END_SHELL: &str = r#"end_tmux() {
  {
    v= w= y=
    read -r v w <"$d/sp" && read -r y <"/proc/$v/stat" || return
    y=${y##*\) }
    set -- $y
    shift 19
    [ "$1" = "$w" ] || return
    kill -s HUP "$v"
    kill -s CONT "$v"
    ( sleep 1; kill -s KILL "$v" ) </dev/null >/dev/null 6>&- &
  } 2>/dev/null
}
"#;
/// Writes that file, when the helper is told which shell it is.
pub(super) const NOTE_SHELL: &str = r#"    began "$sp"
    [ -e "$d/sp" ] || printf '%s %s
' "$sp" "$st" >"$d/sp"
"#;
/// The orders that only a helper of a kept shell takes.
pub(super) const KEPT_ORDERS: &str = r#"  "g "*)
    set -- ${l#g }
    follow_from "$1" "$2" "$3"
    eval "printf '%s\\n' \"\$keep_t$1\"" >"$d/p$1"
    ;;
  "m "*)
    head -c "${l#m }" >"$d/m" || exit 0
    # A terminal that somebody stopped holds nobody else up.
    ( dd bs=8192 if="$d/m" of="$t" 2>/dev/null ) </dev/null >/dev/null 2>&1 6>&- &
    ;;
  a)
    IFS= read -r v || exit 0
    { printf '%s\n' "$v" >"$d/who"; } 2>/dev/null
    ;;
  "T "*) ( trap - TERM EXIT; where "${l#T }" ) </dev/null 6>&- & ;;
  "d "*) seen "${l#d }" ;;
  v) interested ;;
  y)
    end_tmux
    unfollow
    clear "$d"
    trap '' TERM EXIT
    exit 0
    ;;
"#;
/// The same where a tmux keeps the shell: from these places on, and on from there by orders as `follow` gives them.
pub fn follow_command(dir: &str, nonce: &str, places: &[(char, u8, u64, u64)]) -> (String, Vec<u8>) {
    let mut script = format!("n={nonce} d={dir}\n{CLEAR}{KEEP}trap '' INT QUIT HUP PIPE\n");
    for (letter, set, segment, offset) in places {
        script += &format!(
            "follow_from {letter}{set} {segment} {offset}\nprintf '%s\\n' \"$keep_t{letter}{set}\" >\"$d/p{letter}{set}\"\n"
        );
    }
    script += r#"while IFS= read -r l; do
  case $l in
  "g "*)
    set -- ${l#g }
    follow_from "$1" "$2" "$3"
    eval "printf '%s\n' \"\$keep_t$1\"" >"$d/p$1"
    ;;
  esac
done
unfollow
"#;
    let script = without_comments(&script);
    let command = format!(r#"exec /bin/sh -c 'eval "$(head -c {})"'"#, script.len());
    (command, script.into_bytes())
}
/// The order to hand on what a kept stream says from this place on; what is before its segment may go.
/// `letter` is `o` or `e`.
pub fn follow(letter: char, set: u8, segment: u64, offset: u64) -> Vec<u8> {
    format!("g {letter}{set} {segment} {offset}\n").into_bytes()
}
/// The order to put a mark with this number on the pane's terminal, and to tell where that is in all that the terminal
/// ever showed.
pub fn place(number: u32) -> Vec<u8> {
    format!("T {number}\n").into_bytes()
}

/// The order to forget what the terminal showed before this place, as far as that is easy.
pub fn seen(place: u64) -> Vec<u8> {
    format!("d {place}\n").into_bytes()
}

/// The command line of an exec channel that hands out what a kept terminal showed, and its script: from a place to
/// another, or the end.
pub fn catch_command(dir: &str, nonce: &str, from: u64, to: Option<u64>) -> (String, Vec<u8>) {
    let to = to.unwrap_or(u64::MAX >> 1);
    let script = format!(
        r#"LC_ALL=C n={nonce} p={from} m={to}
export LC_ALL
for f in {dir}/s.t.[0-9]*; do
  [ -f "$f" ] || continue
  b=${{f##*.}}
  set -- $(ls -ln "$f")
  e=$((b + $5))
  [ "$e" -gt "$p" ] && [ "$b" -lt "$m" ] || continue
  if [ "$b" -gt "$p" ]; then
    printf '\036%s!L;%s\037' "$n" "$((b - p))"
    p=$b
  fi
  [ "$e" -le "$m" ] || e=$m
  tail -c "+$((p - b + 1))" "$f" | head -c "$((e - p))"
  p=$e
done
printf '\036%s!Z;%s\037' "$n" "$p"
"#
    );
    let command = format!(r#"exec /bin/sh -c 'eval "$(head -c {})"'"#, script.len());
    (command, script.into_bytes())
}

/// The order to write something on the pane's terminal, in one piece.
pub fn show(bytes: &[u8]) -> Vec<u8> {
    let mut order = format!("m {}\n", bytes.len()).into_bytes();
    order.extend_from_slice(bytes);
    order
}

/// The order that has the directory say this of itself, one line.
pub fn label(text: &str) -> Vec<u8> {
    format!("a\n{text}\n").into_bytes()
}

/// The order that ends a kept session for good, with all that is there of it.
pub fn end_keeping() -> Vec<u8> {
    b"y\n".to_vec()
}
/// The order that tells what is kept that somebody is still interested.
pub fn still_interested() -> Vec<u8> {
    b"v\n".to_vec()
}
