# Looks at the account it runs in, for `sshctl doctor`; a limit: it changes nothing, and reads no file but by running the
# login shell's start-up files as every login does. Prints `@key value` lines; what start-up files print goes nowhere, and
# of their traces only file, line and time leave this host. Times without a clock of their own are those of the lines'
# arrival: `@mark NAME` ends what began at the line before.
exec 2>/dev/null 5>&1 </dev/null
say() { printf '@%s %s\n' "$1" "$2" >&5; }
have() { command -v "$1" >/dev/null; }
tab=$(printf '\t')
shell=${SHELL:-/bin/sh}
name=${shell##*/}
# A start-up file that never ends must not hold up the rest.
if have timeout; then limit='timeout -k 1 20'; else limit=; fi

say clock "$(date +%s.%N)"
say system "$(uname -sr)"
say user "$(id -un)"
say uid "$(id -u)"
say shell "$shell"
for path in "$HOME" "$HOME/.ssh" "$HOME/.ssh/authorized_keys"; do
  # mode links uid …
  set -- $(ls -ldnL "$path")
  [ $# -gt 3 ] && say path "$1 $3 $path"
done
if have sudo; then
  set -- $(sudo -V)
  say sudo "${3:-there}"
fi
have tmux && say tmux "$(tmux -V)"
dir=@DIR@
if [ -n "$dir" ]; then
  set -- $(df -Pk "$dir" | tail -n 1)
  say private "${4:-0} $dir"
fi

ask='printf "@umask %s\n@tmout %s\n@charmap %s\n" "$(umask)" "${TMOUT-}" "$(locale charmap)" >&5'
case $name in
fish) ask='printf "@umask %s\n@charmap %s\n" (umask) (locale charmap) >&5' ;;
csh | tcsh) ask= ;;
esac
say mark begin
case $name in
csh | tcsh) $limit "$shell" -c exit >/dev/null ;;
*) $limit "$shell" -l -i -c "$ask" >/dev/null ;;
esac
say mark with
case $name in
bash) $limit "$shell" --noprofile --norc -l -i -c exit >/dev/null ;;
zsh | csh | tcsh) $limit "$shell" -f -c exit >/dev/null ;;
fish) $limit "$shell" --no-config -l -i -c exit >/dev/null ;;
*) $limit env -u ENV "$shell" -c exit >/dev/null ;;
esac
say mark without

# What a trace gives: time until the next line belongs to the file and line of this one.
sum() {
  awk -F "$tab" '
    /^[+]+@trace\t/ {
      t = $2; sub(/,/, ".", t)
      if (f != "") { d = t - last; all[f] += d; if (d > most[f]) { most[f] = d; at[f] = l } }
      f = $3; l = $4; last = t
    }
    END { for (f in all) printf "%d %d %d %s\n", all[f] * 1000, most[f] * 1000, at[f], f }' |
    sort -rn | head -n 20 | while read -r line; do say file "$line"; done
}
each='for f in /etc/profile "$HOME/.bash_profile" "$HOME/.bash_login" "$HOME/.profile"; do
    [ -r "$f" ] || continue
    case $f:$user in "$HOME"/*:yes) continue ;; "$HOME"/*) user=yes ;; esac'
case $name in
bash)
  if "$shell" -c '[ -n "$EPOCHREALTIME" ]'; then
    $limit "$shell" --noprofile --norc -l -i -c '
      exec 6>&1 >/dev/null
      BASH_XTRACEFD=6 PS4="+@trace'"$tab"'\${EPOCHREALTIME}'"$tab"'\${BASH_SOURCE[0]}'"$tab"'\${LINENO}'"$tab"'"
      user=
      '"$each"'
        set -x; . "$f"
        { set +x; } 2>/dev/null
      done' 5>&- | sum
  else
    $limit "$shell" --noprofile --norc -l -i -c "user=
      $each"'
        printf "@mark\n" >&5; . "$f" >/dev/null; printf "@mark file %s\n" "$f" >&5
      done'
  fi
  ;;
zsh)
  PS4="+@trace$tab%D{%s.%6.}$tab%x$tab%I$tab" $limit "$shell" -l -i -x -c exit 2>&1 >/dev/null 5>&- | sum
  ;;
fish)
  $limit "$shell" --no-config -l -i -c '
    for f in $__fish_sysconf_dir/conf.d/*.fish $__fish_config_dir/conf.d/*.fish $__fish_sysconf_dir/config.fish $__fish_config_dir/config.fish
      test -r $f; or continue
      printf "@mark\n" >&5; source $f >/dev/null; printf "@mark file %s\n" $f >&5
    end'
  ;;
csh | tcsh) ;;
*)
  $limit env -u ENV "$shell" -i -c '
    for f in /etc/profile "$HOME/.profile" rc; do
      case $f in rc) eval "f=${ENV-}" ;; esac
      [ -r "$f" ] || continue
      printf "@mark\n" >&5; . "$f" >/dev/null; printf "@mark file %s\n" "$f" >&5
    done'
  ;;
esac
say done yes
