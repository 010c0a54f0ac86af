# ghost DIR: ends what serves the connection of the helper of that directory, if that helper still lives. The connection
# has died on our side, and the server need not find out for hours. The shell and the helper end with it, as ever.
ghost() {
  p= s= b= r= y= z=
  { read -r p s b <"$1/h" && read -r r </proc/sys/kernel/random/boot_id && read -r st <"/proc/$p/stat"; } 2>/dev/null || return
  st=${st##*\) }
  # shellcheck disable=SC2086
  set -- $st
  [ "$b" = "$r" ] && [ "${20}" = "$s" ] || return
  { read -r y <"/proc/$2/comm" && read -r z <"/proc/$PPID/comm"; } 2>/dev/null
  [ -z "$y" ] || [ "$y" != "$z" ] || [ "$2" = "$PPID" ] || kill "$2" 2>/dev/null
  kill "$p" 2>/dev/null
}
