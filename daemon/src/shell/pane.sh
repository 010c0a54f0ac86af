# Finds the tmux of this host, begins a server with the session of ours or finds it again, and tells its pane; a part of
# helper.sh. A server for each session: tmux 3.3a dies of many control clients that come at once, and with it what it has.
# tp: "PATH OF TMUX;WHAT IT SAYS OF ITS VERSION;PANE;PROCESS;TERMINAL;EXIT CODE OF ITS SHELL". The size of the window is
# set once it is there: tmux 3.3a dies of `window-size manual` before it has a client.
# A control client whose connection was lost with something on its way never ends by itself (tmux 3.3a), nor does its
# server then.
unstick() {
  x=$("$tm" -L @NAME@ list-clients -F '#{?client_control_mode,#{client_pid},}' 2>/dev/null)
  # tmux 3.7 lists none that is to end.
  case $tv in
  "tmux 3."[2-6]*) ;;
  *)
    for v in /proc/[0-9]*; do
      { read -r st <"$v/stat"; } 2>/dev/null || continue
      case $st in *" (tmux: client) "?" 1 "*) ;; *) continue ;; esac
      case $(tr '\0' ' ' <"$v/cmdline") in *" -L @NAME@ -C "*) x="$x ${v#/proc/}" ;; esac 2>/dev/null
    done
    ;;
  esac
  for x in $x; do
    { read -r st <"/proc/$x/stat"; } 2>/dev/null || continue
    case ${st##*\) } in ?" 1 "*) kill -s KILL "$x" ;; esac
  done
}
tm= tv= tp= v=
for v in tmux /usr/local/bin/tmux /opt/homebrew/bin/tmux /usr/pkg/bin/tmux "${HOME:-}/.local/bin/tmux"; do
  tv=$("$v" -V 2>/dev/null) && tm=$(command -v "$v") && break
done
case $tm in *[!A-Za-z0-9/._-]*) tm= ;; esac
tp="$tm;${tv%%;*};;;;"
case $tv in
"tmux 3."[2-9]* | "tmux 3."1[0-9]* | "tmux "[4-9].* | "tmux "[1-9][0-9].* | "tmux next-"*)
  f='#{pane_id};#{pane_pid};#{pane_tty}'
  [ "$kp" != o ] || unstick
  case $kp,$d in
  ?*,) ;;
  o,*) v=$("$tm" -L @NAME@ list-panes -t "=@NAME@:" -F "$f" 2>/dev/null | head -n 1) ;;
  *)
    printf '%s\n' "$tm" >"$d/tm"
    printf '%s' @NAME@ >"$d/na"
    cat >"$d/p" <<'@NONCE@'
unset TMUX TMUX_PANE
"${SHELL:-/bin/sh}" -l
x=$?
[ ! -d "${0%/*}" ] || printf '%s\n' "$x" >"${0%/*}/exit"
printf '\033]6973;@NONCE@;X;%s\007' "$x" >/dev/tty
sleep 20
@NONCE@
    # All that the pane ever shows, byte for byte, in files that are named by how much was before them, from 10^15 on: 4 MiB
    # each, the two oldest and the three latest. Never waits, or tmux would grow instead. Without them nobody knows.
    cat >"$d/tp" <<'@NONCE@'
cd "${0%/*}" || exit 1
trap '' INT QUIT HUP
LC_ALL=C
export LC_ALL
printf '%s\n' "$$" >k.t
b=1000000000000000
# Some count in 32 bits.
[ "$((b + 1))" = 1000000000000001 ] || exec cat >/dev/null
while :; do
  v=$(dd bs=65536 count=256 2>&1 >>"s.t.$b") || break
  i=${v%%" records in"*}
  i=${i##*[!0-9+]}
  [ "$((${i%+*} + ${i#*+}))" = 256 ] || exit 0
  set -- $(ls -ln "s.t.$b")
  [ "$5" -ge 4194304 ] || continue
  b=$((b + $5))
  set -- s.t.*
  [ $# -lt 5 ] || rm -f "$3"
done
# The disk has no room: from here on it is not known.
rm -f s.t.*
exec cat >/dev/null
@NONCE@
    te=screen-256color
    for v in /etc /lib /usr/lib /usr/share /usr/local/share; do
      [ ! -e "$v/terminfo/t/tmux-256color" ] || te=tmux-256color
    done
    v=$(
      umask "$um"
      unset LC_ALL TMUX
      [ -z "$lc" ] || export LC_ALL="$lc"
      "$tm" -L @NAME@ -f /dev/null start-server \; set -s exit-empty on \; set -s escape-time 10 \; set -s set-clipboard off \; set -g history-limit 5000 \; set -g allow-rename off \; set -g remain-on-exit off \; set -g destroy-unattached off \; set -g detach-on-destroy on \; set -g default-terminal $te \; new-session -d -P -F "$f" -s @NAME@ @SIZE@ "exec /bin/sh $d/p" \; pipe-pane -O -t "=@NAME@:" "exec /bin/sh $d/tp" \; set -w -t "=@NAME@:" window-size manual 2>/dev/null
    )
    ;;
  esac
  case $v in %*) ;; *) v=';;' ;; esac
  x=
  [ "$kp" != o ] || { read -r x <"$d/exit"; } 2>/dev/null
  tp="$tm;${tv%%;*};$v;$x"
  ;;
esac
# Where none began nothing is left.
case $kp,$d,$tp in
n,?*,*%*) ;;
n,?*,*) clear "$d"; d= ;;
esac
