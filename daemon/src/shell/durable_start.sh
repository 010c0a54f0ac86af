# Starts a durable command, as a child of the session's shell, whose directory, umask and environment it has; nothing is
# given back. Comes as standard input. Before it stand __sshmcp_n the nonce, __sshmcp_i the shell that runs this and what
# follows, __sshmcp_s the command's shell and __sshmcp_a its arguments, __sshmcp_l the time limit, __sshmcp_k the
# directory's script and __sshmcp_c the command's text. No other name of ours: whatever has one may be exported.
# Says "NONCE DIRECTORY;BOOT;MACHINE;WORKING DIRECTORY", or "NONCE!WHY".
__sshmcp_p=${PATH-} __sshmcp_u=$(umask)
PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
umask 077
__sshmcp_no() {
  printf '%s!%s\n' "$__sshmcp_n" "$1"
  exit 0
}
# Not in memory, for it may be much; nor where a logout clears away.
__sshmcp_d= __sshmcp_r= __sshmcp_m=
[ -r /proc/sys/kernel/random/boot_id ] && read -r __sshmcp_r </proc/sys/kernel/random/boot_id
[ -r /etc/machine-id ] && read -r __sshmcp_m </etc/machine-id
for __sshmcp_b in /var/tmp /tmp "${TMPDIR-}" "${HOME-}"; do
  [ -n "$__sshmcp_b" ] && [ -d "$__sshmcp_b" ] && [ -w "$__sshmcp_b" ] || continue
  case $__sshmcp_b in *[!A-Za-z0-9/._-]*) continue ;; esac
  # What an earlier boot of the host left, or a start that was cut off, and nobody fetched in three days.
  for __sshmcp_x in "$__sshmcp_b"/.sshmcp-*; do
    [ -O "$__sshmcp_x" ] && [ -n "$(find "$__sshmcp_x" -prune -mtime +3 2>/dev/null)" ] || continue
    rmdir "$__sshmcp_x" 2>/dev/null && continue
    [ -f "$__sshmcp_x/b" ] || continue
    { read -r __sshmcp_t <"$__sshmcp_x/b"; } 2>/dev/null
    [ "$__sshmcp_t" = "$__sshmcp_r" ] && [ -d "$__sshmcp_x/begun" ] || rm -rf "$__sshmcp_x"
  done
  __sshmcp_d=$__sshmcp_b/.sshmcp-$__sshmcp_n
  mkdir "$__sshmcp_d" 2>/dev/null || { __sshmcp_d=; continue; }
  if {
    printf 'd=%s\nn=%s\n%s' "$__sshmcp_d" "$__sshmcp_n" "$__sshmcp_k" >"$__sshmcp_d/k" &&
      printf '%s\n' "$__sshmcp_c" >"$__sshmcp_d/c" &&
      printf '%s\n' "$__sshmcp_l" >"$__sshmcp_d/l" &&
      printf '%s\n' "$__sshmcp_r" >"$__sshmcp_d/b" &&
      printf '%65536s' '' >"$__sshmcp_d/t" && rm "$__sshmcp_d/t" && mkfifo "$__sshmcp_d/t" && rm "$__sshmcp_d/t"
  } 2>/dev/null; then break; fi
  rm -rf "$__sshmcp_d"
  __sshmcp_d=
done
[ -n "$__sshmcp_d" ] || __sshmcp_no directory
# A session of its own, so that neither the terminal's end nor a key there reaches it.
if command -v setsid >/dev/null; then
  __sshmcp_t=setsid
elif command -v perl >/dev/null; then
  # shellcheck disable=SC2016
  printf '%s\n' 'use POSIX "setsid"; setsid; exec @ARGV' >"$__sshmcp_d/setsid"
  __sshmcp_t="perl $__sshmcp_d/setsid"
else
  rm -rf "$__sshmcp_d"
  __sshmcp_no setsid
fi
case $__sshmcp_s in
dash | ash) command -v "$__sshmcp_s" >/dev/null || __sshmcp_s=sh ;;
esac
__sshmcp_s=$(command -v "$__sshmcp_s") || { rm -rf "$__sshmcp_d"; __sshmcp_no shell; }
__sshmcp_x=$(command -v cat)
case $__sshmcp_s in
*/fish) __sshmcp_x="eval ($__sshmcp_x $__sshmcp_d/c | string collect)" ;;
*) __sshmcp_x="eval \"\$($__sshmcp_x $__sshmcp_d/c)\"" ;;
esac
# fish 3.3 and newer: start-up files would change what is exported.
case $__sshmcp_a in
-N) "$__sshmcp_s" -N -c true >/dev/null 2>&1 || __sshmcp_a= ;;
esac
# The command's own process: leads its group, and has the session's PATH and umask.
# shellcheck disable=SC2016
__sshmcp_g='
__sshmcp_g() {
  [ $# -lt 20 ] || { shift 19; printf " %s" "$1"; }
}
__sshmcp_g0=
{ read -r __sshmcp_g0 <"/proc/$$/stat"; } 2>/dev/null
__sshmcp_g0="$$$(__sshmcp_g ${__sshmcp_g0##*\) })"'
# shellcheck disable=SC2016
__sshmcp_w=$__sshmcp_g'
printf "%s\n" "$__sshmcp_g0" >"$0/p"
PATH=$1
umask "$2"
shift 2
exec "$@"'
# The runner: waits for the command, and tells its end in the streams behind all that it wrote, and in a file. It runs
# the command in the foreground, for behind & INT and QUIT would be ignored there for ever.
# shellcheck disable=SC2016
__sshmcp_q=$__sshmcp_g'
printf "%s\n" "$__sshmcp_g0" >"$0/r"
echo
exec </dev/null >/dev/null 2>&1
__sshmcp_t=$1 __sshmcp_i=$2 __sshmcp_n=$3 __sshmcp_w=$4
shift 4
exec 8>"$0/o00" 9>"$0/e00"
( exec $__sshmcp_t $__sshmcp_i -c "$__sshmcp_w" "$0" "$@" ) >&8 2>&9 8>&- 9>&-
__sshmcp_t=$?
[ "$__sshmcp_t" -lt 256 ] || __sshmcp_t=$((__sshmcp_t - 128))
printf "%s\n" "$__sshmcp_t" >"$0/x.new" && mv "$0/x.new" "$0/x"
printf "\036%s;E;c0;%s;\037" "$__sshmcp_n" "$__sshmcp_t" >&8
printf "\036%s;E;c0;%s;\037" "$__sshmcp_n" "$__sshmcp_t" >&9'
# Whoever starts the runner would wait for it: it is killed instead. From the directory `begun` on the command runs, in
# whatever state the session is; who comes from outside and finds none makes it, and nothing is run.
# shellcheck disable=SC2016
__sshmcp_f='
mkdir "$0/begun" || exit
__sshmcp_t=$1 __sshmcp_i=$2
( exec $__sshmcp_t $__sshmcp_i -c "$4" "$0" "$1" "$2" "$3" "$5" "$6" "$7" "$8" $9 -c "${10}" "${11}" ) |
  { read -r __sshmcp_x; kill -s KILL "$$"; }'
/bin/sh "$__sshmcp_d/k" stream o0 && /bin/sh "$__sshmcp_d/k" stream e0 && /bin/sh "$__sshmcp_d/k" apart guard
{
  $__sshmcp_t $__sshmcp_i -c "$__sshmcp_f" "$__sshmcp_d" "$__sshmcp_t" "$__sshmcp_i" "$__sshmcp_n" "$__sshmcp_q" \
    "$__sshmcp_w" "$__sshmcp_p" "$__sshmcp_u" "$__sshmcp_s" "$__sshmcp_a" "$__sshmcp_x" "${__sshmcp_s##*/}"
} </dev/null >/dev/null 2>&1
if [ -s "$__sshmcp_d/r" ]; then
  printf '%s %s;%s;%s;%s\n' "$__sshmcp_n" "$__sshmcp_d" "$__sshmcp_r" "$__sshmcp_m" "$PWD"
else
  /bin/sh "$__sshmcp_d/k" clear "$__sshmcp_d"
  __sshmcp_no start
fi
exit 0
