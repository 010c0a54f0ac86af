# The drains of a session whose shell a tmux keeps: they outlive the helper; a part of helper.sh. The functions of
# keep.sh come before it, and stand in file k for those.
pair() {
  stream "o$1" && stream "e$1"
}
leave() {
  trap '' TERM EXIT
  unfollow
  # A shell that nobody has introduced did not become a session's: nobody will come back to it.
  case $kp,${sp-} in n,) end_tmux; clear "$d" ;; esac
  exit 0
}
trap leave TERM EXIT
na=@NAME@
@ENDTMUX@
case $kp in
n)
  cat >"$d/k" <<'@NONCE@'
d=${0%/*} n=@NONCE@
# A session that nobody comes back to ends before its directory goes.
expire() {
  read -r tm <"$d/tm"
  read -r na <"$d/na"
  end_tmux
}
@ENDTMUX@
@KEEP@
"$@"
@NONCE@
  printf '%s\n' @ORPHAN@ >"$d/l"
  pair 0
  apart guard
  ;;
esac
interested
# where NUMBER: puts a mark on the terminal, and says behind which byte of all that this ever showed it stands, or "-":
# "T;NUMBER;OFFSET".
where() {
  v= i=-
  for k in "$d"/s.t.[0-9]*; do [ ! -f "$k" ] || v=$k; done
  if [ -n "$v" ]; then
    # shellcheck disable=SC2012,SC2046
    set -- "$1" $(ls -ln "$v")
    z=$6 e=$((${v##*.} + $6)) j=0
    w=$(printf '\033]6973;%s;L;%s\007' "$n" "$1" | od -An -v -tx1 | tr -d ' \n')
    ( printf '\033]6973;%s;L;%s\007' "$n" "$1" >"$t" ) 2>/dev/null &
    while [ "$j" -lt 60 ]; do
      a=$(
        {
          tail -c "+$((z + 1))" "$v"
          for k in "$d"/s.t.[0-9]*; do [ "${k##*.}" -le "${v##*.}" ] || cat "$k"; done
        } 2>/dev/null | head -c 262144 | od -An -v -tx1 | tr -d ' \n'
      )
      case $a in
      *"$w"*)
        a=${a%%"$w"*}
        i=$((e + (${#a} + ${#w}) / 2))
        break
        ;;
      esac
      j=$((j + 1))
      sleep 0.05 2>/dev/null || sleep 1
    done
  fi
  printf '\036%s!T;%s;%s\037' "$n" "$1" "$i"
}
# seen OFFSET: what the terminal showed before that is somewhere else safely.
seen() {
  v=
  for k in "$d"/s.t.[0-9]*; do
    [ -z "$v" ] || [ "${k##*.}" -gt "$1" ] || rm -f "$v"
    v=$k
  done
}
# What is there, for one who comes back: "STREAM TURN HELD SEGMENT SIZE|" for each; held: somebody may still write to it.
pairs() {
  out=
  for k in "$d"/n.*; do
    [ -e "$k" ] || continue
    v=${k##*/n.}
    while :; do
      y= f=0 i=
      { read -r y <"$k"; } 2>/dev/null
      for z in "$d/s.$v."*; do
        z=${z##*.}
        [ "$z" -le "$f" ] || f=$z
      done
      z=$(wc -c <"$d/s.$v.$f")
      { read -r i <"$d/k.$v"; } 2>/dev/null
      w=0
      [ ! -e "/proc/$i/fd/3" ] || w=1
      i=
      { read -r i <"$k"; } 2>/dev/null
      [ "$i" != "$y" ] || break
    done
    out="$out$v $y $w $f $((z))|"
  done
  printf '\036%s!P;%s\037' "$n" "$out"
}
[ "$kp" != o ] || pairs
