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
