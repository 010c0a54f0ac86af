# The part of the helper that looks: at the terminal's modes, and at what the processes in front of it wait for. Builtins
# alone, and no process is started, unless somebody may be reading. $t is the terminal, $sp the login shell.

# The system calls in which a process waits for input, by machine: read, readv, splice; sendfile; poll, ppoll; select,
# pselect6; epoll.
case ${u##* } in
x86_64 | amd64) yr=' 0 19 275 ' yf=' 40 ' yp=' 7 271 ' ys=' 23 270 ' ye=' 232 281 441 ' ;;
aarch64 | arm64 | riscv64 | loongarch64) yr=' 63 65 76 ' yf=' 71 ' yp=' 73 ' ys=' 72 ' ye=' 22 441 ' ;;
*) yr= yf= yp= ys= ye= ;;
esac
x0= new= lp=

# What descriptor $2 of process $1 is, added to $q: t the terminal $tt, o something that others write to, nothing for
# what a process wakes itself by.
kind() {
  v=/proc/$1/fd/$2
  if [ "$v" -ef "$tt" ] || [ "$v" -ef /dev/tty ]; then q=${q}t
  elif [ -S "$v" ] || [ -p "$v" ] || [ -c "$v" ]; then q=${q}o
  fi
}
# $2 bytes of process $1 at $3, as od prints them with $4; empty if they may not be read.
memory() {
  dd if="/proc/$1/mem" bs=1 skip="$3" count="$2" 2>/dev/null | od -An -v "$4" 2>/dev/null
}
# What polling says of a process, from $q.
polls() {
  case $q in
  *\?*) k=w ;;
  *t*o* | *o*t*) k=m ;;
  *t*) k=p ;;
  *) k=n ;;
  esac
}
# poll: $2 is the address of $3 entries. $4 tells whether the thread has run since it was last looked at.
polled() {
  q=
  if [ "$3" -gt 64 ]; then q='?'
  elif [ "$3" -gt 0 ]; then
    p=$1
    v=$(memory "$p" $(($3 * 8)) "$2" -td4)
    # shellcheck disable=SC2086
    set -- $v
    [ $# -gt 0 ] || q='?'
    while [ $# -gt 1 ]; do
      [ "$1" -lt 0 ] || [ $(($2 & 65)) = 0 ] || kind "$p" "$1"
      shift 2
    done
  fi
  polls
}
# select: descriptors below $2, their bits at $3.
selected() {
  q=
  if [ "$2" -gt 1024 ]; then q='?'
  elif [ "$2" -gt 0 ] && [ "$3" != 0 ]; then
    p=$1 b=0
    v=$(memory "$p" $((($2 + 7) / 8)) "$3" -tu1)
    # shellcheck disable=SC2086
    set -- $v
    [ $# -gt 0 ] || q='?'
    for v; do
      i=$b
      while [ "$v" -gt 0 ]; do
        [ $((v & 1)) = 0 ] || kind_at "$p" "$i"
        v=$((v / 2)) i=$((i + 1))
      done
      b=$((b + 8))
    done
  fi
  polls
}
kind_at() {
  o=$v
  kind "$1" "$2"
  v=$o
}
# epoll: what descriptor $2 watches.
epolled() {
  q=
  { [ -r "/proc/$1/fdinfo/$2" ] || q='?'; } 2>/dev/null
  while read -r w i v e v; do
    case $w in tfd:) [ $((0x$e & 65)) = 0 ] || kind "$1" "$i" ;; esac
  done 2>/dev/null <"/proc/$1/fdinfo/$2"
  polls
}
# Where system calls are not told (the kernel traces nothing, or for parents alone): its function, and what is open.
guessed() {
  k=n w=
  { read -r w <"/proc/$1/task/$2/wchan"; } 2>/dev/null
  case $w in
  n_tty_read | tty_read | wait_woken)
    # Sockets and inotify sleep in the same function.
    opened "$1"
    case $q in *t*[sa]* | *[sa]*t*) k=h ;; *t*) k=t ;; esac
    ;;
  ep_* | *epoll*)
    opened "$1"
    case $ep in '' | *\ *) case $q in *t*) k=a ;; esac ;; *) q=; epolled "$1" "$ep" ;; esac
    ;;
  *poll* | *select*)
    opened "$1"
    case $q in *t*[sao]* | *[sao]*t*) k=a ;; *t*) k=w ;; esac
    ;;
  esac
}
# What process $1 has open, added to $q: t the terminal $tt, s sockets, a what has no name, o pipes and terminals to read
# from. What can be watched by epoll is in $ep.
opened() {
  q= ep=
  for v in "/proc/$1/fd"/*; do
    if [ "$v" -ef "$tt" ] || [ "$v" -ef /dev/tty ]; then q=${q}t
    elif [ -S "$v" ]; then q=${q}s
    elif [ -p "$v" ] || [ -c "$v" ]; then
      case ${v##*/} in 1 | 2) ;; *) [ "$v" -ef /dev/null ] || q=${q}o ;; esac
    elif [ -e "$v" ] && [ ! -f "$v" ] && [ ! -d "$v" ] && [ ! -b "$v" ]; then
      w=
      while read -r i; do
        case $i in tfd:*) w=x; break ;; esac
      done 2>/dev/null <"/proc/$1/fdinfo/${v##*/}"
      case $w in x) ep="${ep:+$ep }${v##*/}" ;; *) q=${q}a ;; esac
    fi
  done
}
# What thread $2 of process $1 waits for: t reads the terminal, p polls it, m polls it and more, w polls who knows what,
# a the same and has more than the terminal open, h nobody can say, n nothing of that.
thread() {
  y=- r=
  { read -r y a1 a2 a3 v <"/proc/$1/task/$2/syscall"; } 2>/dev/null
  { read -r v v r <"/proc/$1/task/$2/schedstat"; } 2>/dev/null
  case $y,$yr in
  running,* | -1,*) k=n; return ;;
  -,* | ,* | *,) guessed "$1" "$2"; return ;;
  esac
  # A thread that has not run since waits for what it waited for then.
  key="$2:$y:$a1:$a2:$r:"
  case $r,$old in
  [0-9]*" $key"*) k=${old#*" $key"}; k=${k%% *} ;;
  *)
    k=n
    case "$yr" in *" $y "*) q=; kind "$1" $((a1)); case $q in t) k=t ;; esac ;; esac
    case "$yf" in *" $y "*) q=; kind "$1" $((a2)); case $q in t) k=t ;; esac ;; esac
    case "$yp" in *" $y "*) polled "$1" $((a1)) $((a2)) ;; esac
    case "$ys" in *" $y "*) selected "$1" $((a1)) $((a2)) ;; esac
    case "$ye" in *" $y "*) epolled "$1" $((a1)) ;; esac
    # io_uring does not tell what it waits for.
    case $y in 426) k=w ;; esac
    ;;
  esac
  new="$new $key$k "
}
# One process of those in front of terminal $tt: what it waits for, in $g, and a count that moves when it runs, in $r.
# Of its threads the one counts that is most likely to be typed at.
one() {
  if [ -e "/proc/$1/cwd" ]; then
    g=n m=0
    for v in "/proc/$1/task"/*; do
      m=$((m + 1))
      [ "$m" -le 64 ] || break
      thread "$1" "${v##*/}"
      [ "$m" = 1 ] || [ "$k" != t ] || socketed "$1"
      case $k$g in t? | x[pmwahn] | p[mwahn] | m[wahn] | w[ahn] | a[hn] | hn) g=$k ;; esac
    done
    r=0
  else
    g=h r=-
    { read -r v v r <"/proc/$1/schedstat"; } 2>/dev/null
    c=
    { read -r c <"/proc/$1/task/$1/children"; } 2>/dev/null
    [ -n "$c" ] || bare "$1"
  fi
}
# A thread beside the first reads the terminal, and there is a socket: it may pass on what it reads.
socketed() {
  for v in "/proc/$1/fd"/*; do
    [ ! -S "$v" ] || { k=x; return; }
  done
}
# A shell that was given no script reads one. Its name is $cm.
bare() {
  case ${cm#-} in bash | sh | dash | ash | zsh | ksh | ksh93 | mksh | fish | tcsh | csh) ;; *) return ;; esac
  c=$(tr '\000' ' ' 2>/dev/null <"/proc/$1/cmdline")
  [ -n "$c" ] || return
  for v in ${c#* }; do
    case $v in --*) ;; -*[!a-z]* | -*c* | [!-]*) return ;; esac
  done
  g=s
}
# Process $1 and those below it that are in front; $2 is the next above it of which that is so, $3 whose terminal that
# has: a session of its own without a terminal (su -c, setsid) can read from there all the same. Those in front of a
# terminal below (of sudo, script, …) too.
walk() {
  [ "$z" -lt 200 ] || return
  z=$((z + 1))
  if { read -r st <"/proc/$1/stat"; } 2>/dev/null; then
    cm=${st#*\(}
    cm=${cm%\)*}
    # shellcheck disable=SC2086
    set -- "$1" "$2" "$3" ${st##*\) }
    tt=
    if [ "$8" = 0 ]; then
      case $3 in
      '') ;;
      *+) tb=${3%+} tt=x ;;
      *) [ ! -e "/proc/$1/cwd" ] || tb=$3 tt=x ;;
      esac
      case $tt$tb in x.) tt=$t ;; x*) tt=/dev/pts/$tb ;; esac
    elif [ "$8" = "$tn" ]; then
      [ "$6" != "$fg" ] || tt=$t tb=.
    elif [ "$8" -gt 34815 ] && [ "$8" -lt 36864 ] && [ "$6" = "$9" ]; then
      tb=$(($8 - 34816))
      tt=/dev/pts/$tb
      case "$ti" in *" $tb "*) ;; *) ti="$ti$tb " ;; esac
    fi
    if [ -n "$tt" ]; then
      case $4 in
      Z | X) g=n r=0 ;;
      *) one "$1" ;;
      esac
      case $g,$tb,$cm in n,.,tmux* | n,.,screen) ask=1 ;; n,.,*) ;; *) ask=1 ;; esac
      [ "${#out}" -gt 3000 ] || out="$out$1 $2 $tb $4 $g $r ${cm%%[!A-Za-z0-9._+-]*}|"
      case $1,$g in
      "$sp",*) tb= ;;
      *,[hs]) tb=$tb+ ;;
      *) ps="$ps $1" ;;
      esac
      set -- "$1" "$1" "$tb"
    else
      case $8 in 0) ;; *) set -- "$1" "$2" '' ;; esac
    fi
  else
    # There, and hidden.
    ask=1
    out="$out$1 $2 . ? h - ?|"
    set -- "$1" "$1" ''
  fi
  all=
  for v in "/proc/$1/task"/*; do
    c=
    { read -r c <"$v/children"; } 2>/dev/null
    all="$all$c "
  done
  for k in $all; do walk "$k" "$2" "$3"; done
}
# What was written into the FIFOs $2 and $3 before this look stands before a frame with the number $1 in each. Only while
# somebody who can be looked into has it open: or its reader would take us for its last writer, and go on to the next.
# Beside us: who has a FIFO filled from the terminal by the kernel (sendfile) holds up everybody at it.
level() {
  [ -z "$lp" ] || [ ! -e "/proc/$lp/exe" ] || return
  lv=
  for v in "$2:1" "$3:2"; do
    for k in $sp $ps; do
      [ "/proc/$k/fd/${v#*:}" -ef "$d/${v%:*}" ] || continue
      lv="$lv $d/${v%:*}" f=$f${v%%[0-9]*}
      break
    done
  done
  [ -n "$lv" ] || return
  for v in $lv; do
    [ ! -p "$v" ] || printf '\036%s;L;%s\037' "$n" "$1" 1<>"$v"
  done 2>/dev/null &
  lp=$!
}
# The answer to a probe: modes; the group in front; whether the shell runs another program now; processes; the modes of
# terminals below; and where it was asked for with a number and FIFOs, in which of them the number stands.
probe() {
  out= fg=- z=0 ti=' ' ask= old=$new new= x=- ps= f=
  ql=${1-} qo=${2-} qe=${3-}
  if { read -r st <"/proc/$sp/stat"; } 2>/dev/null; then
    # shellcheck disable=SC2086
    set -- ${st##*\) }
    fg=$6 tn=$5
    [ "${26}" = "$x0" ] || x=x
    walk "$sp" 0 ''
  else
    ask=1
  fi
  l=u
  [ -z "$ask" ] || modes "$t"
  y=$l
  w=
  for b in $ti; do
    modes "/dev/pts/$b"
    w="$w$b $l|"
  done
  [ -z "$ql" ] || level "$ql" "$qo" "$qe"
  printf '\036%s!Q;%s;%s;%s;%s;%s;%s\037' "$n" "$y" "$fg" "$x" "$out" "$w" "$ql$f"
}
# What the shell runs now, by where its stack begins: another program has another.
mark_shell() {
  x0= new=
  if { read -r st <"/proc/$sp/stat"; } 2>/dev/null; then
    # shellcheck disable=SC2086
    set -- ${st##*\) }
    x0=${26}
  fi
}
# How terminal $1 takes input: raw, canonical or unknown; whether it shows it; whether it is set as line editors and
# full-screen programs want it (e): Enter is left as it is, or comes as another key (zsh), or no key makes a signal (busybox).
modes() {
  a=$(stty -F "$1" -a 2>/dev/null || stty -a 2>/dev/null <"$1")
  l=
  case " $a" in *[!-a-z]-icanon*) l=${l}r ;; *[!-a-z]icanon*) l=${l}c ;; *) l=${l}u ;; esac
  case " $a " in *[!-a-z]-echo[!a-z]*) l=${l}n ;; *) l=${l}e ;; esac
  case " $a" in *[!-a-z]-icrnl* | *[!-a-z]inlcr* | *[!-a-z]-isig*) l=${l}e ;; *) l=${l}k ;; esac
}
