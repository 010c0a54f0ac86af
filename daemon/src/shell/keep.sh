# The spool on a host of what must survive its connection: the drains of a directory's streams, as processes of their
# own. Plain POSIX sh; the script that has these functions has set d, the directory (0700), and n, the nonce, has `clear`
# of clear.sh, and ends with "$@": as file k of the directory it is what `apart` runs.
# A stream (o0, e0, ...) is a pair of FIFOs, as the helper drains them, and segments s.STREAM.1, s.STREAM.2, ...: what
# was written, with the same frames, byte for byte. A position in it is a segment and an offset there. At most 16
# segments of at most 4 MiB: then the writers wait until the oldest is taken.

# apart WORD...: runs one of these functions beside us, in a session of its own where the host has a way to that.
apart() {
  (
    trap '' INT QUIT HUP PIPE
    exec </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    if command -v setsid; then exec setsid /bin/sh "$d/k" "$@"; fi
    if command -v perl; then exec perl -e 'use POSIX "setsid"; setsid; exec @ARGV' /bin/sh "$d/k" "$@"; fi
    exec /bin/sh "$d/k" "$@"
  ) &
}

# stream NAME [SEGMENTS]: makes what a stream needs, and its drain.
stream() {
  mkfifo "$d/${1}0" "$d/${1}1" "$d/g.$1" && printf '' >"$d/s.$1.1" && apart keep "$@"
}

# keep NAME [SEGMENTS]: the drain. dd never reads more than it writes; we hold the FIFO, so that between two of them no
# writer is without a reader.
keep() {
  cd "$d" || exit 1
  LC_ALL=C
  export LC_ALL
  keep_max=${2:-16} keep_g=1 keep_k=0 keep_z=0
  printf '%s\n' "$$" >"k.$1"
  exec 4<>"g.$1"
  # n.NAME: which FIFO it is at.
  while { printf '%s\n' "$keep_k" >"n.$1"; } 2>/dev/null; exec 3<"$1$keep_k"; do
    while :; do
      # 32 reads of at most 64 KiB: fewer are the end of file.
      keep_w=$(dd bs=65536 count=32 2>&1 <&3 >>"s.$1.$keep_g") && keep_r=0 || keep_r=1
      keep_i=0
      case $keep_w in
      *" records in"*)
        keep_i=${keep_w%%" records in"*}
        keep_i=${keep_i##*[!0-9+]}
        keep_i=$((${keep_i%+*} + ${keep_i#*+}))
        ;;
      esac
      keep_size "$1"
      case $keep_r,$keep_i in
      1,*) keep_say "$1" D ;;
      0,32) ;;
      *) break ;;
      esac
      [ "$keep_z" -lt 2097152 ] || keep_next "$1"
    done
    keep_say "$1" "M$keep_k"
    exec 3<&-
    keep_k=$((1 - keep_k))
    [ "$keep_z" -lt 1048576 ] || keep_next "$1"
  done
}
# How large the segment is; wc would read it.
keep_size() {
  # shellcheck disable=SC2012
  set -- $(ls -ln "s.$1.$keep_g")
  keep_z=${5:-0}
}
# A frame in the stream: M0, M1 the last writer of that FIFO has gone; G;NUMBER it goes on in that segment; D up to
# 64 KiB were dropped here, for want of room on the disk. What does not fit is said when there is room.
keep_say() {
  case $2 in D) keep_r=1 ;; *) keep_r=0 ;; esac
  while :; do
    if [ "$keep_r" = 1 ]; then
      until printf '%65536s' '' >"t.$1"; do keep_rest; done
      rm -f "t.$1"
    fi 2>/dev/null
    { printf '\036%s;%s\037' "$n" "$2" >>"s.$1.$keep_g"; } 2>/dev/null && return
    keep_r=1
  done
}
# Goes on in the next segment, once there are few enough. w.NAME: somebody waits for a line in g.NAME.
keep_next() {
  keep_o=s.$1.$((keep_g + 1 - keep_max))
  while [ -e "$keep_o" ]; do
    keep_make "w.$1"
    [ ! -e "$keep_o" ] || IFS= read -r keep_w <&4
  done
  rm -f "w.$1"
  keep_make "s.$1.$((keep_g + 1))"
  keep_say "$1" "G;$((keep_g + 1))"
  keep_g=$((keep_g + 1)) keep_z=0
}
keep_make() {
  until printf '' >>"$1"; do keep_rest; done 2>/dev/null
}
# There may be room later; where the directory was removed before our number stood in it, nobody ends us.
keep_rest() {
  [ -d "$d" ] || exit 0
  sleep 1
}

# taken NAME NUMBER: segments before this one are somewhere else safely, and go.
taken() {
  for keep_q in "$d/s.$1."*; do
    case ${keep_q##*.} in
    *[!0-9]*) ;;
    *) [ "${keep_q##*.}" -ge "$2" ] || rm -f "$keep_q" ;;
    esac
  done
  [ ! -e "$d/w.$1" ] || echo 1<>"$d/g.$1"
}

# follow: gives out what is there and what comes, on stdout, and of streams e... on stderr, until stdin ends. Orders:
# "n NAME SEGMENT OFFSET": from there on; what is before that segment is taken. "p NAME", "c NAME": no more for now, and
# on with it. "v": somebody is still interested. Any other is for the function `order`, if there is one.
# What is not there any more is told by the frame X in its stream.
follow() {
  while read -r keep_a keep_s keep_g keep_o; do
    case $keep_a in
    n) follow_from "$keep_s" "$keep_g" "$keep_o" ;;
    p) eval "kill -s STOP \"\$keep_t$keep_s\"" 2>/dev/null ;;
    c) eval "kill -s CONT \"\$keep_t$keep_s\"" 2>/dev/null ;;
    v) interested ;;
    *) ! command -v order >/dev/null || order "$keep_a" "$keep_s" "$keep_g" ;;
    esac
  done
  unfollow
}
keep_ts=
follow_from() {
  keep_s=$1 keep_g=$2 keep_o=$3
  case " $keep_ts " in
  *" $keep_s "*) follow_end "$keep_s" ;;
  *) keep_ts="$keep_ts $keep_s" ;;
  esac
  taken "$keep_s" "$keep_g"
  case $keep_s in
  e*) follow_one >&2 & ;;
  *) follow_one & ;;
  esac
  eval "keep_t$keep_s=$!"
}
unfollow() {
  for keep_s in $keep_ts; do
    follow_end "$keep_s"
  done
}
follow_end() {
  eval "keep_t=\$keep_t$1"
  # One that is stopped dies only when it goes on.
  kill "$keep_t"
  kill -s CONT "$keep_t"
  wait "$keep_t"
} 2>/dev/null
follow_one() {
  if [ -f "$d/s.$keep_s.$keep_g" ]; then
    exec tail -c "+$((keep_o + 1))" -f "$d/s.$keep_s.$keep_g" 2>/dev/null 6>&-
  fi
  printf '\036%s;X\037' "$n"
}

# interested: the guard's time begins anew; and what removes old files finds ours young.
interested() {
  # Without -c it would open FIFOs, and close them again.
  touch -c "$d"/* 2>/dev/null
  printf '%s %s\n' "$$" "$(date +%s)" >"$d/v"
}

# guard: removes all when for so many seconds as file l says (three days) nobody was interested. It counts minutes of
# its own: clocks are set. Where the function `expire` is defined it ends first what else belongs to the directory.
guard() {
  cd "$d" || exit 1
  printf '%s\n' "$$" >k.guard
  trap 'kill "$!"; exit 0' TERM
  keep_i=0 keep_o=
  while [ -d "$d" ]; do
    keep_l=
    { read -r keep_l <l; } 2>/dev/null
    case $keep_l in '' | *[!0-9]*) keep_l=259200 ;; esac
    keep_w=60
    [ "$keep_l" -ge 60 ] || keep_w=$keep_l
    sleep "$keep_w" &
    wait "$!"
    keep_g=
    { read -r keep_g <v; } 2>/dev/null
    if [ "$keep_g" != "$keep_o" ]; then
      keep_o=$keep_g keep_i=0
      continue
    fi
    keep_i=$((keep_i + keep_w))
    [ "$keep_i" -ge "$keep_l" ] || continue
    rm -f k.guard
    ! command -v expire >/dev/null || expire
    cd /
    clear "$d"
    exit 0
  done
}
