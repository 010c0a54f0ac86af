# The drains of a session's first pair of FIFOs, which live and end with the helper; a part of helper.sh.
# The end-of-file marks that the drains below print whenever the last writer of a FIFO has gone, one for each of the
# two in turn: what somebody prints of them by chance is no end of the other.
printf '\036%s;M0\037' "$n" >"$d/m0"
printf '\036%s;M1\037' "$n" >"$d/m1"
# cat reads its arguments one after the other: when the last writer of a FIFO has gone it prints the mark and opens
# the other FIFO, without a fork. Two in turn, so that what is written after the end of one command never meets the
# reader of the next. The list is long and even, and the loop begins it anew. Which process reads is in a file, so that
# it can be stopped: then the FIFO fills, and its writers wait.
drain() {
  cd "$d" || exit 0
  w=p$1
  set -- "${1}0" m0 "${1}1" m1
  # A reader whose number is not in the file yet is known here alone; and one that has not become cat yet forgets a TERM.
  trap 'kill -s KILL "$!" 2>/dev/null; exit 0' TERM
  set -- "$@" "$@" "$@" "$@" "$@" "$@" "$@" "$@"
  while :; do
    cat "$@" 2>/dev/null &
    printf '%s\n' "$!" >"$w"
    wait "$!" || break
  done
  [ -p "$1" ] && printf '\036%s;X\037' "$n"
}
pair() {
  mkfifo "$d/o${1}0" "$d/o${1}1" "$d/e${1}0" "$d/e${1}1"
}
pair 0
( drain o0 ) </dev/null &
po=$!
( drain e0 ) </dev/null >&2 &
pe=$!

leave() {
  trap '' TERM EXIT
  kill "$po" "$pe" 2>/dev/null
  clear "$d"
  exit 0
}
trap leave TERM EXIT
