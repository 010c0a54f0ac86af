# Runs on the host beside one session's login shell, on an exec channel of the same connection. Plain POSIX sh.
# stdin: orders, a line each. stdout and stderr: the command's stdout and stderr, drained from FIFOs, and frames:
# RS nonce ! letter ; fields US from this script itself, one write of less than PIPE_BUF bytes, never torn;
# RS nonce ; letter ; fields US from the FIFOs, in order with the data there, perhaps with one of the former inside.
# Leaves nothing: whatever ends it, the directory goes with it.
# The function `clear` of clear.sh comes before it.
# Where a tmux keeps the shell (kp=n: it is begun; kp=o: we come back to it), directory and drains outlive us, until the
# order y.
um=$(umask) lc=${LC_ALL-}
umask 077
LC_ALL=C
export LC_ALL
n=@NONCE@
kp=@KEEP@
d=
# Whoever started us may be gone at any time.
trap '' INT QUIT HUP PIPE
trap '[ -z "$d" ] || [ "$kp" = o ] || clear "$d"; exit 0' TERM EXIT
case $kp in
o)
  d=@DIR@
  [ -p "$d/x" ] && [ -w "$d/x" ] || d=
  set --
  ;;
# What is kept may be much, and stay long: not in memory, if there is another place.
n) set -- /var/tmp /tmp "${HOME:-}" /dev/shm ;;
*) set -- /dev/shm "${XDG_RUNTIME_DIR:-}" "${TMPDIR:-}" /tmp /var/tmp "${HOME:-}" ;;
esac
for b; do
  [ -n "$b" ] && [ -d "$b" ] && [ -w "$b" ] || continue
  # Its name stands in what is typed and sourced.
  case $b in *[!A-Za-z0-9/._-]*) continue ;; esac
  d=$b/.sshmcp-$n
  mkdir "$d" 2>/dev/null || { d=; continue; }
  # What is put there later needs room: a full disk is seen now.
  if mkfifo "$d/x" && printf '%16384s' '' >"$d/b"; then break; fi 2>/dev/null
  rm -rf "$d"
  d=
done
r=
u=$(uname -sm)
[ -r /proc/sys/kernel/random/boot_id ] && read -r r </proc/sys/kernel/random/boot_id
@PANE@
printf '\036%s!H;%s;%s;%s;%s;%s;%s\037' "$n" "$d" "$r" "$u" "${SHELL:-}" "$$" "$tp"
[ -n "$d" ] || { cat >/dev/null; exit 0; }

: >"$d/s"
# Whose it is: process, the time when that began, boot.
began() {
  st=
  { read -r st <"/proc/$1/stat"; } 2>/dev/null
  st=${st##*\) }
  # shellcheck disable=SC2086
  set -- $st
  st=-
  # One that only waits to be forgotten is none.
  case ${1-} in Z | X) return ;; esac
  [ $# -lt 20 ] || { shift 19; st=$1; }
}
began "$$"
bg=$st
[ -n "$kp" ] || printf '%s %s %s\n' "$$" "$st" "$r" >"$d/h"

@DRAINS@
t=
sp=

@LOOK@
# The login shells on our connection: children of the same sshd that have a terminal. With a number the child of that
# process; with another argument those on others of the user's connections that are not older than a minute (clock
# ticks, 100 a second).
who() {
  out=
  c=
  wi=${1-}
  case $wi in
  '') { read -r c <"/proc/$PPID/task/$PPID/children"; } 2>/dev/null ;;
  [0-9]*)
    # What a tmux runs in our pane.
    { read -r c <"/proc/$wi/task/$wi/children"; } 2>/dev/null
    wi=
    ;;
  *) for k in /proc/[0-9]*; do [ ! -O "$k" ] || c="$c ${k#/proc/}"; done ;;
  esac
  for k in $c; do
    { read -r st <"/proc/$k/stat"; } 2>/dev/null || continue
    cm=${st#*\(}
    cm=${cm%\)*}
    st=${st##*\) }
    # shellcheck disable=SC2086
    set -- $st
    [ "$5" -gt 34815 ] && [ "$5" -lt 36864 ] || continue
    case $wi in
    ?*)
      [ "$4" = "$k" ] && [ "${20}" -gt "$((bg - 6000))" ] || continue
      { read -r y <"/proc/$2/comm" && read -r z <"/proc/$PPID/comm"; } 2>/dev/null
      [ "$y" = "$z" ] || continue
      ;;
    esac
    v=/dev/pts/$(($5 - 34816))
    modes "$v"
    w=-
    { read -r w <"/proc/$k/wchan"; } 2>/dev/null
    # What it waits for, or else how many bytes it reads at once.
    j=$k f=- i=-
    while :; do
      y= z=
      { read -r y <"/proc/$j/wchan"; } 2>/dev/null
      case $y in *wait_woken* | *tty_read* | *select* | *poll*) break ;; esac
      { read -r z <"/proc/$j/task/$j/children"; } 2>/dev/null
      [ -n "$z" ] || break
      j=${z##* }
    done
    if [ "$j" != "$k" ]; then
      { read -r st <"/proc/$j/stat"; } 2>/dev/null && {
        f=${st##*\) }
        st=${st#*\(}
        st=${st%\)*}
        f="${f%% *},${y:-0},${st%%[!A-Za-z0-9._+-]*}"
      }
    else
      # And how deep in its work it does: from where its stack begins.
      { read -r y z z i z z z v0 z <"/proc/$k/syscall"; } 2>/dev/null || y=- v0=
      case $y in 0 | 63) i=$((i)) ;; running) i=r ;; *) i=- ;; esac
      case $v0 in 0x*) i="$i $((${26} - v0))" ;; esac
    fi
    out="$out$k $v $l $1 $3 $6 ${w:-0} ${cm%%[!A-Za-z0-9._+-]*} $f $i|"
  done
  [ "${#out}" -lt 3500 ] || out=
  printf '\036%s!W;%s\037' "$n" "$out"
}
# Whether Ctrl-S stops what the terminal shows.
flow() {
  a=$(stty -F "$t" -a 2>/dev/null || stty -a <"$t" 2>/dev/null)
  case $a in *-ixon*) a=off ;; *ixon*) a=on ;; *) a=off ;; esac
  printf '\036%s!S;%s\037' "$n" "$a"
}
# The readers of a pair stop (STOP), or go on (CONT).
readers() {
  for k in o e; do
    c=
    { read -r c <"$d/p$k$2"; } 2>/dev/null
    [ -z "$c" ] || kill -s "$1" "$c" 2>/dev/null
  done
}
# One process of the tree: "pid class state uid ignored caught name|". Classes: s the shell, g of the group in front,
# l below that group and no longer in it, b any other (background jobs).
seen() {
  { read -r st <"/proc/$1/stat"; } 2>/dev/null || return
  cm=${st#*\(}
  cm=${cm%\)*}
  st=${st##*\) }
  # shellcheck disable=SC2086
  set -- "$1" "$2" $st
  if [ "$1" = "$sp" ]; then k=s; elif [ "$5" = "$fg" ]; then k=g ms="$ms $1"; elif [ "$2" = g ] || [ "$2" = l ]; then k=l; else k=b; fi
  u=- ig=- ca=-
  {
    while read -r w y z; do
      case $w in Uid:) u=$y ;; SigIgn:) ig=$y ;; SigCgt:) ca=$y; break ;; esac
    done <"/proc/$1/status"
  } 2>/dev/null
  out="$out$1 $k $3 $u $ig $ca ${cm%%[!A-Za-z0-9._+-]*}|"
  [ "${#out}" -lt 3000 ] || return
  c=
  { read -r c <"/proc/$1/task/$1/children"; } 2>/dev/null
  # shellcheck disable=SC2086
  set -- "$k" $c
  while [ $# -gt 1 ]; do
    seen "$2" "$1"
    k=$1
    shift 2
    set -- "$k" "$@"
  done
}
# Clears away directories beside ours whose helper was killed, where only its next of kin can: of the same user and
# boot, its process gone, and nobody at its order FIFO (who is in another process namespace).
sweep() {
  me=$(id -u)
  for q in "${d%/*}"/.sshmcp-*; do
    [ "$q" != "$d" ] && [ -w "$q/h" ] && [ -p "$q/x" ] || continue
    v= w= y=
    { read -r v w y <"$q/h"; } 2>/dev/null
    [ -n "$y" ] && [ "$y" = "$r" ] && [ "$w" != - ] || continue
    began "$v"
    [ "$st" != "$w" ] || continue
    # shellcheck disable=SC2012
    set -- $(ls -ldn "$q")
    [ "${3-}" = "$me" ] || continue
    # Opening it waits until somebody reads there.
    ( : >"$q/x" ) 2>/dev/null &
    v=$!
    sleep 1
    kill -0 "$v" 2>/dev/null || continue
    kill "$v" 2>/dev/null
    clear "$q"
  done
}
# front NUMBER SIGNAL: tells who is in front of the shell, and signals them: the foreground process group, or where the
# shell itself leads that, what it waits for. LOOK signals nobody, KEYINT and KEYQUIT only where the typed key met nobody.
# "K;number;what became of it;modes;interrupt character;processes".
front() {
  out= ms= fg=
  modes "$t"
  case $a in *-isig*) l=${l}i ;; *) l=${l}s ;; esac
  ch=${a#*intr = }
  ch=${ch%%[;]*}
  if { read -r st <"/proc/$sp/stat"; } 2>/dev/null; then
    st=${st##*\) }
    # shellcheck disable=SC2086
    set -- "$1" "$2" $st
    fg=$8 sg=$5
    seen "$sp" s
    to="-$fg"
    [ "$fg" != "$sg" ] || to=$ms
    # shellcheck disable=SC2086
    case $2,$to in
    LOOK,*) k=seen ;;
    KEY*,*)
      # Nobody that lives is in front (ksh in the end of a pipeline): the terminal has given the signal to nobody. A shell
      # that has just reaped who was there takes the terminal back, and what it was to end has ended.
      j=0
      while [ "$fg" != "$sg" ] && [ "$8" = "$fg" ] && [ -z "$ms" ] && ! kill -0 -- "-$fg" 2>/dev/null; do
        [ "$j" -lt 4 ] || { kill -s "${2#KEY}" "$sp" 2>/dev/null; break; }
        j=$((j + 1))
        sleep 0.1 2>/dev/null || sleep 1
        { read -r st <"/proc/$sp/stat"; } 2>/dev/null || break
        # shellcheck disable=SC2086
        set -- "$1" "$2" ${st##*\) }
      done
      k=seen
      ;;
    SHELL,*) kill -s KILL "$sp" 2>/dev/null && k=sent || k=refused ;;
    *,) k=shell ;;
    *)
      if kill -s "$2" -- $to 2>/dev/null; then
        k=sent
        kill -s CONT -- $to 2>/dev/null
      else
        # Refused by those that are there; who has ended meanwhile refuses nothing.
        k=shell
        for v in $ms; do [ ! -e "/proc/$v" ] || k=refused; done
      fi
      ;;
    esac
  else
    k=unknown
  fi
  printf '\036%s!K;%s;%s;%s;%s;%s\037' "$n" "$1" "$k" "$l" "${ch#"${ch%%[!\ ]*}"}" "$out"
}
# labels MARK: kept sessions of this user that say so with this mark, and that no helper attends: "A;label" for each, and
# "A" behind the last.
labels() {
  for q in /var/tmp/.sshmcp-*/who /tmp/.sshmcp-*/who "${HOME:-}"/.sshmcp-*/who /dev/shm/.sshmcp-*/who; do
    [ -f "$q" ] && [ -O "$q" ] || continue
    v=
    { read -r v <"$q"; } 2>/dev/null
    case $v in "$1 "*) ;; *) continue ;; esac
    case $v in *[!A-Za-z0-9+/=\ ]*) continue ;; esac
    q=${q%/who} w= y=
    { read -r w z <"$q/v"; } 2>/dev/null
    { read -r y <"/proc/$w/cmdline"; } 2>/dev/null
    case $y in *"${q##*/.sshmcp-}"*) continue ;; esac
    printf '\036%s!A;%s\037' "$n" "$v"
  done
  printf '\036%s!A\037' "$n"
}
# Who would take what is typed now: "pid euid children reads stamp name|" for each process in front, whoever's it is;
# the stamp is another when it did anything meanwhile.
takers() {
  out= pp=' '
  modes "$t"
  fg=-
  { read -r st <"/proc/$sp/stat"; } 2>/dev/null && { st=${st##*\) }; set -- $st; fg=$6; }
  for k in /proc/[0-9]*; do
    { read -r st <"$k/stat"; } 2>/dev/null || continue
    cm=${st#*\(}
    cm=${cm%\)*}
    st=${st##*\) }
    # shellcheck disable=SC2086
    set -- $st
    pp="$pp$2 "
    [ "$3" = "$fg" ] || continue
    i="$1.$8.${12}.${13}"
    w=-
    while read -r y z u v; do case $y in Uid:) w=$u; break ;; esac; done 2>/dev/null <"$k/status"
    case $w in *[!0-9]*|'') continue ;; esac
    f=-
    { read -r y z u <"$k/syscall"; } 2>/dev/null || { y=-; z=-; }
    case $y,$z in 0,0x[0-9a-f]|0,0x[0-9a-f][0-9a-f]|63,0x[0-9a-f]) f=$((z)); if [ "$k/fd/$f" -ef "$t" ] || [ "$k/fd/$f" -ef /dev/tty ]; then f=tty; fi ;; esac
    out="$out${k##*/} $w @${k##*/}@ $f $i ${cm%%[!A-Za-z0-9._+-]*}|"
  done
  # Whose parents' numbers were seen has children.
  v=
  while :; do
    case $out in *@*@*) ;; *) break ;; esac
    k=${out#*@}
    k=${k%%@*}
    case $pp in *" $k "*) y=1 ;; *) y=0 ;; esac
    v=$v${out%%@*}$y
    out=${out#*@}
    out=${out#*@}
  done
  out=$v$out
  [ "${#out}" -lt 3500 ] || out=
  printf '\036%s!U;%s;%s;%s\037' "$n" "$l" "$(id -u)" "$out"
}

exec 6<>"$d/x"
# What the shell will source, and a first look at it, without being asked.
[ "$kp" = o ] || sed "s|@DIR@|$d|" >"$d/b" <<'@NONCE@' && printf '\036%s!B\037' "$n"
@SCRIPT@
@NONCE@
[ -n "$kp" ] || who
while IFS= read -r l; do
  # shellcheck disable=SC2086
  case $l in
  "r "*)
    k=${l##* }
    printf '%s\n' "$l" >&6
    while [ "$k" -gt 0 ]; do
      IFS= read -r v || exit 0
      printf '%s\n' "$v" >&6
      k=$((k - 1))
    done
    ;;
  "R "*)
    head -c "${l##* }" >"$d/t" || exit 0
    printf '%s\n' "$l" >&6
    ;;
  "i "*) head -c "${l##* }" >"$d/s" || exit 0 ;;
  "b "*) head -c "${l##* }" >"$d/b" && printf '\036%s!B\037' "$n" || exit 0 ;;
  "t "*)
    set -- $l
    sp=$2
    t=$3
    mark_shell
@NOTE@
    ;;
  "u "*) head -c "${l##* }" >"$d/u" || exit 0 ;;
  q*) probe ${l#q} ;;
  x) flow ;;
  "l "*) labels "${l#l }" ;;
  z) ( trap - TERM EXIT; sweep ) </dev/null >/dev/null 2>&1 6>&- & ;;
  "p "*) readers STOP "${l#p }" ;;
  "c "*) readers CONT "${l#c }" ;;
  s)
    takers
    sleep 0.06 2>/dev/null || sleep 1
    takers
    ;;
  w) who ;;
  W) who everywhere ;;
  # It is heard; what it says does not matter.
  e) printf '\036%s!E\037' "$n" ;;
  "w "*) who "${l#w }" ;;
@ORDERS@
  "n "*)
    # Not to be held up by one that is stopped.
    for k in ${l#n }; do
      ( printf '\033]6973;%s;T;%s\007' "$n" "$k" >"$k" ) 2>/dev/null 6>&- &
    done
    ;;
  "k "*)
    set -- $l
    front "$2" "$3"
    ;;
  "f "*)
    set -- ${l#f }
    v=$1
    case $# in 3) set -- "$d/$2" "$d/$3" ;; *) set -- "$d"/[oe][0-9]*[01] ;; esac
    for k; do
      printf '\036%s;E;%s;;\037' "$n" "$v" 1<>"$k"
    done
    ;;
  "o "*)
    k=${l#o }
    pair "$k" 2>/dev/null
    printf '\036%s!O;%s\037' "$n" "$k"
    ;;
  esac
done
exit 0
