# clear DIR: removes a helper's directory. Before that it puts readers where background jobs still hold a FIFO, which
# outlive us, so that those jobs neither block nor die; and ends the readers that there were, known by being there.
clear() {
  for k in "$1"/[oe][0-9]*[01]; do
    [ -p "$k" ] || continue
    exec 7<>"$k" 8<"$k" 7>&-
    cat <&8 >/dev/null 2>&1 6>&- &
  done
  exec 8<&-
  for k in "$1"/p[oe][0-9]* "$1"/k.*; do
    c=
    { read -r c <"$k"; } 2>/dev/null
    [ -n "$c" ] || continue
    [ ! -e /proc/self ] || [ "/proc/$c/cwd" -ef "$1" ] || continue
    # Those of keep.sh lead groups.
    kill -- "-$c" 2>/dev/null || kill "$c" 2>/dev/null
    # One that is stopped dies only when it goes on.
    kill -s CONT "$c" 2>/dev/null
  done
  # A reader that was just begun may have put its number there meanwhile.
  rm -rf "$1" 2>/dev/null || rm -rf "$1"
}
