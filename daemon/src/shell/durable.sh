# A durable command's part of its directory's script, behind keep.sh: d and n are set. Beside the spool of o0 and e0 there
# are c, the command's text; p and r, "process start" of its group and of its runner; x, its exit code.

# born PROCESS: when that began, in ticks since the host's boot, so that another of its number is not taken for it.
born() {
  keep_b=
  { read -r keep_b <"/proc/$1/stat"; } 2>/dev/null
  keep_b=${keep_b##*\) }
  # shellcheck disable=SC2086
  set -- $keep_b
  keep_b=-
  # One that only waits to be forgotten is none.
  case ${1-} in
  Z) keep_b=gone ;;
  *) [ $# -lt 20 ] || { shift 19; keep_b=$1; } ;;
  esac
}
# lives FILE: the process of that file does.
lives() {
  keep_p= keep_q=
  { read -r keep_p keep_q <"$d/$1"; } 2>/dev/null
  [ -n "$keep_p" ] && kill -0 "$keep_p" 2>/dev/null || return 1
  born "$keep_p"
  [ "$keep_b" = "${keep_q:-$keep_b}" ]
}
# Where it does not any more, its group may have others.
group_lives() {
  lives p || { [ -n "$keep_p" ] && [ ! -e "/proc/$keep_p" ] && kill -s 0 -- "-$keep_p" 2>/dev/null; }
}

# started FILE: it is there, or was long on its way.
started() {
  keep_i=0
  while [ ! -s "$d/$1" ] && [ ! -s "$d/x" ] && [ "$keep_i" -lt 5 ]; do
    sleep 1
    keep_i=$((keep_i + 1))
  done
}

# state: "V;run|end|gone;exit code;drains that live;the command lives".
state() {
  started r
  keep_x= keep_n=0 keep_l=0 keep_w=gone
  { read -r keep_x <"$d/x"; } 2>/dev/null
  for keep_q in o0 e0; do
    ! lives "k.$keep_q" || keep_n=$((keep_n + 1))
  done
  ! group_lives || keep_l=1
  if [ -n "$keep_x" ]; then keep_w=end; elif lives r; then keep_w=run; fi
  printf '\036%s!V;%s;%s;%s;%s\037' "$n" "$keep_w" "$keep_x" "$keep_n" "$keep_l"
}

# order WORD...: what the daemon asks for beside the output.
# "k NUMBER SIGNAL": signals the command's group: "K;NUMBER;sent|gone|refused;the signal is ignored".
# "s": state. "z NAME": its last segment and how large that is: "Z;NAME;SEGMENT;BYTES". "e": removes all: "C".
order() {
  case $1 in
  k)
    started p
    keep_i=0
    if group_lives; then
      signal_ignored "$keep_p" "$3" && keep_i=1
      kill -s "$3" -- "-$keep_p" 2>/dev/null && keep_w=sent || keep_w=refused
    else
      keep_w=gone
    fi
    printf '\036%s!K;%s;%s;%s\037' "$n" "$2" "$keep_w" "$keep_i"
    ;;
  s) state ;;
  z)
    keep_w=0
    for keep_q in "$d/s.$2."*; do
      case ${keep_q##*.} in
      *[!0-9]*) ;;
      *) [ "${keep_q##*.}" -le "$keep_w" ] || keep_w=${keep_q##*.} ;;
      esac
    done
    keep_l=$(ls -ln "$d/s.$2.$keep_w" 2>/dev/null)
    # shellcheck disable=SC2086
    set -- "$2" "$keep_w" $keep_l
    printf '\036%s!Z;%s;%s;%s\037' "$n" "$1" "$2" "${7:-0}"
    ;;
  e)
    rm -f "$d/k.follow"
    clear "$d"
    printf '\036%s!C\037' "$n"
    ;;
  esac
}
signal_ignored() {
  case $2 in INT) keep_b=1 ;; QUIT) keep_b=2 ;; TERM) keep_b=14 ;; *) return 1 ;; esac
  keep_q=
  while read -r keep_a keep_q; do
    case $keep_a in SigIgn:) break ;; esac
    keep_q=
  done 2>/dev/null <"/proc/$1/status"
  [ -n "$keep_q" ] && [ $((0x${keep_q#????????} >> keep_b & 1)) = 1 ]
}

# alone: whoever followed before us over a connection that is dead, and does not know it yet, is ended.
alone() {
  cd "$d" || exit 0
  keep_q=
  { read -r keep_q <k.follow; } 2>/dev/null
  if [ -n "$keep_q" ] && [ "/proc/$keep_q/cwd" -ef . ]; then
    kill -- "-$keep_q" || kill "$keep_q"
  fi 2>/dev/null
  printf '%s\n' "$$" >k.follow
}

# The time is over (keep.sh): the command goes with its directory.
expire() {
  for keep_q in TERM KILL; do
    ! group_lives || kill -s "$keep_q" -- "-$keep_p" 2>/dev/null
    [ "$keep_q" = KILL ] || sleep 5
  done
}
