# Sourced once by the session's login shell (bash, zsh, dash, ash, ksh, mksh). Everything of ours begins with
# __sshmcp_. A command's text is fetched by a function, but run by `eval` at top level, so that declare, set -- and
# return mean what they mean at a prompt.
__sshmcp_d=@DIR@
__sshmcp_n=@NONCE@
__sshmcp_i='' __sshmcp_s=0 __sshmcp_x=: __sshmcp_m=t __sshmcp_o='' __sshmcp_e='' __sshmcp_l='' __sshmcp_g='' __sshmcp_q='' __sshmcp_j='' __sshmcp_y=0 __sshmcp_v=: __sshmcp_vt=: __sshmcp_dt='' __sshmcp_h0='' __sshmcp_w0='' __sshmcp_d0='' __sshmcp_x0='' __sshmcp_k0=''
__sshmcp_w='
'
# Words are reached behind aliases by a backslash, and behind functions by what follows.
case ${BASH_VERSION:+bash}${ZSH_VERSION:+zsh},${KSH_VERSION-} in
bash*) __sshmcp_k=bash ;;
zsh*) __sshmcp_k=zsh ;;
*MIRBSD*|*LEGACY*) __sshmcp_k=mksh ;;
*) if (\eval '[[ -n ${.sh.version} ]]') 2>/dev/null; then
     __sshmcp_k=ksh
     # Its functions have the user's DEBUG trap; it is put back at their ends.
     __sshmcp_v='case $__sshmcp_dt in "") __sshmcp_dt=$(\trap -p DEBUG) ;; esac; \trap - DEBUG'
   else case $(\set -o 2>/dev/null) in *pipefail*) __sshmcp_k=ash ;; *) __sshmcp_k=dash ;; esac; fi ;;
esac
# By which words the builtins are reached that a function of the same name may hide.
__sshmcp_ev='command eval' __sshmcp_pf='command printf' __sshmcp_rd='command read' __sshmcp_rt=return
case $__sshmcp_k in
bash)
  __sshmcp_b=builtin
  __sshmcp_v=__sshmcp_g0
  if \declare -F builtin >/dev/null; then
    __sshmcp_b=command
    # Nothing else would reach a builtin then.
    if \declare -F command >/dev/null; then __sshmcp_b=builtin; \unset -f builtin; fi
  fi
  ;;
zsh)
  __sshmcp_b=builtin
  if [[ -n "${functions[builtin]-}" ]]; then \unfunction builtin; fi
  # Options that change what a function may do; local, so that the user's come back at its end.
  # The user's traps of our lines are taken away first, for the function alone.
  __sshmcp_vt='\builtin setopt local_options local_traps; \builtin trap - DEBUG ZERR'
  __sshmcp_v=$__sshmcp_vt'; [[ -o err_return ]] && __sshmcp_h0=1 || __sshmcp_h0=; \builtin setopt local_options no_err_return no_ksh_arrays no_warn_create_global; __sshmcp_g0'
  ;;
mksh)
  # command would keep `set --` from having an effect, and there is no builtin printf.
  __sshmcp_v=__sshmcp_g0
  __sshmcp_ev='builtin eval' __sshmcp_pf=__sshmcp_1 __sshmcp_rd='builtin read'
  __sshmcp_1e=$(\builtin print -n '\033') __sshmcp_1b=$(\builtin print -n '\007')
  __sshmcp_1r=$(\builtin print -n '\036') __sshmcp_1u=$(\builtin print -n '\037')
  \eval '__sshmcp_1() {
    case $1 in %b*) \builtin print -n -- "$2${1#%b}"; \return ;; esac
    __sshmcp_1f=${1//\\033/$__sshmcp_1e} __sshmcp_1o=
    __sshmcp_1f=${__sshmcp_1f//\\007/$__sshmcp_1b}
    __sshmcp_1f=${__sshmcp_1f//\\036/$__sshmcp_1r}
    __sshmcp_1f=${__sshmcp_1f//\\037/$__sshmcp_1u}
    while :; do
      case $__sshmcp_1f in *%s*) ;; *) break ;; esac
      __sshmcp_1o=$__sshmcp_1o${__sshmcp_1f%%%s*}$2
      __sshmcp_1f=${__sshmcp_1f#*%s}
      shift
    done
    \builtin print -rn -- "$__sshmcp_1o$__sshmcp_1f"
  }'
  ;;
ash)
  # Behind `command eval` a subshell that meets an error goes on as a second copy of the shell. No function hides eval
  # here, and an assignment before it would stay.
  __sshmcp_ev=eval
  __sshmcp_v=__sshmcp_g0
  case $(LC_ALL=C \type command) in
  *function*)
    case $(LC_ALL=C \type printf; LC_ALL=C \type read) in
    *function*) \unset -f command ;;
    *) __sshmcp_pf=printf __sshmcp_rd=read ;;
    esac ;;
  esac
  ;;
*)
  case $(LC_ALL=C \type command) in
  *function*)
    case $(LC_ALL=C \type printf; LC_ALL=C \type read) in
    *function*) \unset -f command ;;
    *) __sshmcp_ev=eval __sshmcp_pf=printf __sshmcp_rd=read ;;
    esac ;;
  esac
  ;;
esac
__sshmcp_b=${__sshmcp_b-} __sshmcp_bs='\'
case $__sshmcp_b in
?*) __sshmcp_bs="\\$__sshmcp_b " __sshmcp_ev="$__sshmcp_b eval" __sshmcp_pf="$__sshmcp_b printf" __sshmcp_rd="$__sshmcp_b read" __sshmcp_rt="$__sshmcp_b return" ;;
esac

# ksh takes its terminal back by descriptor 2 alone (93u+m 1.0.4), which a command's output has: behind a pipeline whose
# end is the shell's own, nobody that lives is in front. A job with the terminal there puts that right.
__sshmcp_fg=
case $__sshmcp_k in
ksh)
  __sshmcp_fg='__sshmcp_l=
  { IFS= \command read -r __sshmcp_l <"/proc/$$/stat"; } 2>/dev/null
  case $__sshmcp_l in
  *" $$ $$ "*" $$ "*) ;;
  *) { \: | \:; } 2>/dev/tty ;;
  esac'
  ;;
esac

# sudo's prompt is for one command, whose mode has a nonce. Where an assignment before eval reaches all of it, and no
# more (in dash and ksh), that is typed instead.
__sshmcp_g1() {
  case $__sshmcp_m in
  ????????????????*)
    __sshmcp_p=${SUDO_PROMPT-}
    \export SUDO_PROMPT="[sudo $__sshmcp_m] password for %p: " ;;
  esac
}
__sshmcp_g0() {
  case ${SUDO_PROMPT-} in
  "[sudo $__sshmcp_m]"*)
    case ${__sshmcp_p-} in
    "") \unset SUDO_PROMPT ;;
    *) SUDO_PROMPT=$__sshmcp_p ;;
    esac ;;
  esac
}

# __sshmcp_f ID FLAGS [LENGTH [SHORT]]: fetches the text of command ID into __sshmcp_x and says where its output goes.
# A command that was aborted left its status in $?, where the hook runs in a subshell (dash).
# A header line "r ID OUT ERR MODE LINES" is followed by so many lines; "R ID OUT ERR MODE BYTES" by the file t.
$__sshmcp_b eval '__sshmcp_0() {
  __sshmcp_y=$?
  __sshmcp_j=$1
}
__sshmcp_f() {
  case ${4-} in
  "") __sshmcp_y=$? ;;
  esac
  '"$__sshmcp_bs"'eval "$__sshmcp_v"
  { '"$__sshmcp_bs"'set +aeuxvC; } 2>/dev/null
  case $__sshmcp_i in
  ?*) __sshmcp_s=$__sshmcp_y ;;
  esac
  __sshmcp_x=: __sshmcp_o=/dev/null __sshmcp_e=/dev/null __sshmcp_i=
  # An id runs once, however often it is typed: a line that seemed to be swallowed may only have been read late.
  case $1 in
  "$__sshmcp_w0") __sshmcp_q= __sshmcp_x=__sshmcp_c; __sshmcp_u "$2"; \'$__sshmcp_rt' ;;
  esac
  __sshmcp_g=$2
  case $__sshmcp_d in
  "") __sshmcp_t "$1" "$3" ;;
  *) __sshmcp_r "$1" <"$__sshmcp_d/x" ;;
  esac
  __sshmcp_a
  case $__sshmcp_i in
  ?*) __sshmcp_w0=$__sshmcp_i ;;
  esac
  \'$__sshmcp_pf' "\033]6973;%s;C;%s\007" "$__sshmcp_n" "$__sshmcp_i" >/dev/tty
  # A trace begins within the text, so that it shows nothing of ours.
  case $__sshmcp_i,$2 in
  ?*,*x*)
    __sshmcp_x0=x
    # mksh traces to where stderr went at `set -x`.
    case $__sshmcp_k,$__sshmcp_s in
    mksh,0) __sshmcp_x="set -x;$__sshmcp_x" ;;
    mksh,*) __sshmcp_x="set -x;__sshmcp_c;$__sshmcp_x" ;;
    *) __sshmcp_x="{ set -x; __sshmcp_c&&\:; } 2>/dev/null;$__sshmcp_x" ;;
    esac
    __sshmcp_u "${2%%x*}${2#*x}"
    ;;
  *) __sshmcp_u "$2" ;;
  esac
} 2>/dev/null
__sshmcp_r() {
  while IFS= \'$__sshmcp_rd' -r __sshmcp_l; do
    case $__sshmcp_l in
    [rR]" $1 "*) ;;
    *) continue ;;
    esac
    __sshmcp_m=${__sshmcp_l% *}
    __sshmcp_q=${__sshmcp_l##* }
    __sshmcp_x=
    case $__sshmcp_l in
    r*)
      while :; do
        IFS= \'$__sshmcp_rd' -r __sshmcp_l
        __sshmcp_x=$__sshmcp_x$__sshmcp_l
        case $__sshmcp_q in 1) break ;; esac
        __sshmcp_x=$__sshmcp_x$__sshmcp_w
        __sshmcp_q=$((__sshmcp_q - 1))
      done
      ;;
    *)
      '"$__sshmcp_bs"'. "$__sshmcp_d/t"
      : >"$__sshmcp_d/t"
      ;;
    esac
    __sshmcp_i=$1
    __sshmcp_l=${__sshmcp_m#* * }
    __sshmcp_o=$__sshmcp_d/${__sshmcp_l%% *}
    __sshmcp_l=${__sshmcp_l#* }
    __sshmcp_e=$__sshmcp_d/${__sshmcp_l%% *}
    __sshmcp_m=${__sshmcp_l#* }
    \'$__sshmcp_rt' 0
  done
}
# Without a directory the text is typed in pieces, written as printf %b reads it; LENGTH says that none is missing.
__sshmcp_p() {
  __sshmcp_q=$__sshmcp_q$1
} 2>/dev/null
__sshmcp_t() {
  case ${#__sshmcp_q} in
  "$2")
    __sshmcp_x=$(\'$__sshmcp_pf' "%b." "$__sshmcp_q")
    __sshmcp_x=${__sshmcp_x%.}
    __sshmcp_m=t
    __sshmcp_i=$1
    ;;
  esac
  __sshmcp_q=
}
# __sshmcp_u FLAGS: gives the shell its options and the last status back.
__sshmcp_u() {
  case $__sshmcp_dt in
  ?*)
    '"$__sshmcp_bs"'eval "\trap -- $__sshmcp_dt DEBUG"
    __sshmcp_dt=
    ;;
  esac
  case $1 in *a*) '"$__sshmcp_bs"'set -a ;; esac
  case $1 in *u*) '"$__sshmcp_bs"'set -u ;; esac
  case $1 in *C*) '"$__sshmcp_bs"'set -C ;; esac
  case $1 in *v*) '"$__sshmcp_bs"'set -v ;; esac
  case $1 in *x*) '"$__sshmcp_bs"'set -x ;; esac
  case $1 in *e*) '"$__sshmcp_bs"'set -e; \'$__sshmcp_rt' 0 ;; esac
  case $__sshmcp_h0 in ?*) \'$__sshmcp_rt' 0 ;; esac
  \'$__sshmcp_rt' "$__sshmcp_s"
} 2>/dev/null
# __sshmcp_z STATUS FLAGS [a [r]]: reports the end of the running command, once; with r the last end again, for Ctrl-C
# takes from the terminal what nobody has read there yet.
__sshmcp_z() {
  '"$__sshmcp_bs"'eval "$__sshmcp_v"
  { '"$__sshmcp_bs"'set +aeuxvC; } 2>/dev/null
  '"$__sshmcp_fg"'
  __sshmcp_s=$1
  case $__sshmcp_i in
  "")
    case ${4-} in
    r) \'$__sshmcp_pf' "\033]6973;%s;D;%s;%s\007" "$__sshmcp_n" "$__sshmcp_d0" "$PWD" >/dev/tty ;;
    esac
    ;;
  *)
    __sshmcp_d0="$__sshmcp_i;$1${3-}"
    \'$__sshmcp_pf' "\033]6973;%s;D;%s;%s\007" "$__sshmcp_n" "$__sshmcp_d0" "$PWD" >/dev/tty
    case $__sshmcp_m in
    c*)
      \'$__sshmcp_pf' "\036%s;E;%s;%s;%s\037" "$__sshmcp_n" "$__sshmcp_i" "$1" "$PWD" 1<>"$__sshmcp_o"
      \'$__sshmcp_pf' "\036%s;E;%s;%s;%s\037" "$__sshmcp_n" "$__sshmcp_i" "$1" "" 1<>"$__sshmcp_e"
      ;;
    esac
    case $__sshmcp_m in *i) : >"$__sshmcp_d/s" ;; esac
    __sshmcp_i=
    ;;
  esac
  case ${3-},$__sshmcp_k0,${HISTFILE-} in
  ,?*,/dev/null) ;;
  ,?*) __sshmcp_k0=${HISTFILE-} HISTFILE=/dev/null ;;
  esac
  # A text that could not even be read did not begin its trace.
  __sshmcp_l=$2$__sshmcp_x0
  __sshmcp_x0=
  __sshmcp_u "$__sshmcp_l"
} 2>/dev/null
# __sshmcp_c: the last status again, unless the shell would leave for it.
__sshmcp_c() {
  __sshmcp_x0=
  case $__sshmcp_g$__sshmcp_h0 in *[e1]*) \'$__sshmcp_rt' 0 ;; esac
  \'$__sshmcp_rt' "$__sshmcp_s"
}
# The prompt hook. It finds a command only where the line was aborted, and says so.
# In zsh only a group's stderr takes the trace of its own lines.
__sshmcp_h() {
  {
    __sshmcp_y=$?
    '"$__sshmcp_bs"'eval "$__sshmcp_vt"
    __sshmcp_z "$__sshmcp_y" "$-" a && \:
    \'$__sshmcp_pf' "\033]6973;%s;P;%s\007" "$__sshmcp_n" "$PWD" >/dev/tty
    \'$__sshmcp_rt' "$__sshmcp_s"
  } 2>/dev/null
}'

# __sshmcp_a: puts the hook where this shell looks for it, again before each command, and remembers the text.
case $__sshmcp_k in
bash) $__sshmcp_b eval '
__sshmcp_a() {
  __sshmcp_g1
  case "${PROMPT_COMMAND[*]-}" in
  *__sshmcp_h*) ;;
  *)
    if ! (PROMPT_COMMAND=) 2>/dev/null; then :; elif (( BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501 )); then
      PROMPT_COMMAND=("{ __sshmcp_h&&\\:; } 2>/dev/null" "${PROMPT_COMMAND[@]}")
    else
      PROMPT_COMMAND="{ __sshmcp_h&&\\:; } 2>/dev/null${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
    fi ;;
  esac
  case ":${HISTCONTROL-}:" in
  *:ignorespace:*|*:ignoreboth:*) ;;
  *) (HISTCONTROL=) 2>/dev/null && HISTCONTROL=${HISTCONTROL:+$HISTCONTROL:}ignorespace ;;
  esac
  case $__sshmcp_i,${#__sshmcp_x} in
  ,*|*,?????*) ;;
  *)
    case $__sshmcp_x in
    " "*) ;;
    *) '"$__sshmcp_bs"'history -s -- "$__sshmcp_x" ;;
    esac ;;
  esac
}
while :; do
  __sshmcp_l=$(HISTTIMEFORMAT= '"$__sshmcp_bs"'history 1)
  case $__sshmcp_l in
  *". $__sshmcp_d/b"|*__sshmcp_q*) __sshmcp_l=${__sshmcp_l#"${__sshmcp_l%%[! ]*}"}; '"$__sshmcp_bs"'history -d "${__sshmcp_l%%[!0-9]*}" || break ;;
  *) break ;;
  esac
done' ;;
zsh) $__sshmcp_b eval '
__sshmcp_a() {
  \builtin emulate -L zsh
  __sshmcp_g1
  (( ${precmd_functions[(I)__sshmcp_h]} )) || precmd_functions=(__sshmcp_h $precmd_functions)
  [[ -z $__sshmcp_i || $__sshmcp_x == " "* || ${#__sshmcp_x} -gt 9999 ]] || \builtin print -sr -- "$__sshmcp_x"
}
\builtin setopt hist_ignore_space interactive_comments
# No word of what is typed is taken for another.
\builtin alias __sshmcp_0="nocorrect __sshmcp_0" __sshmcp_f="nocorrect __sshmcp_f"
# Where lines begin in command mode, a space on an empty one, with which ours begin, is text.
if [[ ${1-} == vi ]]; then
  __sshmcp_vi() {
    if [[ -z $BUFFER ]]; then \builtin zle vi-insert; LBUFFER=" "; else \builtin zle vi-forward-char; fi
  }
  \builtin zle -N __sshmcp_vi
  \builtin bindkey -M vicmd " " __sshmcp_vi
fi
# The lines that brought us here are in the history already, and in its file where that is written line by line. The
# file loses them; the list is left behind unsaved, and a new one is read from the file.
while [[ -w ${HISTFILE-} ]]; do
  __sshmcp_l=$(tail -n 1 -- "$HISTFILE" 2>/dev/null)
  [[ $__sshmcp_l == *". $__sshmcp_d/b" || $__sshmcp_l == *". $__sshmcp_d/b vi" ]] || break
  __sshmcp_q=$(wc -c <"$HISTFILE")
  dd if=/dev/null of="$HISTFILE" bs=1 seek=$((__sshmcp_q - ${#__sshmcp_l} - 1)) 2>/dev/null || break
done
__sshmcp_q=${SAVEHIST-0}
if [[ ${(t)HISTFILE}${(t)SAVEHIST} == *readonly* ]]; then :
elif SAVEHIST=0; [[ -n ${HISTFILE-} ]]; then fc -p "$HISTFILE" "${HISTSIZE-30}" "$__sshmcp_q"; else fc -p; SAVEHIST=$__sshmcp_q; fi
__sshmcp_q=' ;;
*) \eval '
__sshmcp_a() {
  case $__sshmcp_k in ash|mksh) __sshmcp_g1 ;; esac
  case $__sshmcp_i,$__sshmcp_k0 in
  ?*,?*) HISTFILE=$__sshmcp_k0 ;;
  esac
  case $__sshmcp_x in
  " "*) ;;
  *)
    case $__sshmcp_i,${#__sshmcp_x},$__sshmcp_k in
    ,*|*,?????*,*) ;;
    *,mksh) \builtin print -rs -- "$__sshmcp_x" ;;
    *,ksh) \command print -rs -- "$__sshmcp_x" ;;
    esac ;;
  esac
  case ${PS1-} in
  *__sshmcp_h*) ;;
  *) (PS1=) 2>/dev/null && PS1="\${__sshmcp_i:+\$(__sshmcp_h)}'"$(\eval "\\$__sshmcp_pf '\\033]6973;'")"'\$__sshmcp_n;P;\$PWD'"$(\eval "\\$__sshmcp_pf '\\007'")"'${PS1-}" ;;
  esac
}'
# ksh has no list but its file, and puts every line there that it reads: it has a file of ours while it runs a command,
# with the commands' texts, and none at its prompt. The line that brought us here goes from its own.
case $__sshmcp_k,$__sshmcp_d in
ksh,?*)
  if (HISTFILE=) 2>/dev/null; then
    __sshmcp_q=${HISTFILE:-${HOME-}/.sh_history}
    HISTFILE=/dev/null
    __sshmcp_k0=$__sshmcp_d/hist
    __sshmcp_l=
    [ ! -w "$__sshmcp_q" ] || __sshmcp_l=$(tail -c 300 "$__sshmcp_q" 2>/dev/null | tr -d "\\000" | tail -n 1)
    case $__sshmcp_l in
    *". $__sshmcp_d/b")
      # It ends with a line feed and a NUL, and one more where that makes the length even.
      __sshmcp_y=$((${#__sshmcp_l} + 2))
      __sshmcp_y=$((__sshmcp_y + __sshmcp_y % 2))
      dd if=/dev/null of="$__sshmcp_q" bs=1 seek=$(($(wc -c <"$__sshmcp_q") - __sshmcp_y)) 2>/dev/null
      ;;
    esac
    __sshmcp_q= __sshmcp_l= __sshmcp_y=0
  fi
  ;;
esac ;;
esac
{ __sshmcp_a; } 2>/dev/null

# __sshmcp_0 ID;__sshmcp_ is all that is typed for a plain command: line editors are slow with more. Where the alias
# was taken away, the function of its name says so, and the long line is typed instead.
$__sshmcp_b eval '__sshmcp_() {
  \'$__sshmcp_pf' "\033]6973;%s;A;%s\007" "$__sshmcp_n" "$__sshmcp_j" >/dev/tty
}'
case $__sshmcp_k in
zsh) \alias __sshmcp_='__sshmcp_f "$__sshmcp_j" "$-" "0" "s"&&\:;{ '"$__sshmcp_bs"'set +x; __sshmcp_c&&\:; } 2>/dev/null;{ \'"$__sshmcp_ev"' "$__sshmcp_x"; } >|"$__sshmcp_o" 2>|"$__sshmcp_e";{ __sshmcp_z "$?" "$-"&&\:; } 2>/dev/null' ;;
ksh) \alias __sshmcp_='__sshmcp_f "$__sshmcp_j" "$-" 0 s&&\:;{ \'"$__sshmcp_ev"' "$__sshmcp_x"; } >|"$__sshmcp_o" 2>|"$__sshmcp_e";{ __sshmcp_z "$?" "$-"&&\:; } 2>/dev/null' ;;
*) $__sshmcp_b alias __sshmcp_="__sshmcp_f \"\$__sshmcp_j\" \"\$-\" 0 s&&\\:;\\$__sshmcp_ev \"\$__sshmcp_x\" >|\"\$__sshmcp_o\" 2>|\"\$__sshmcp_e\";{ __sshmcp_z \"\$?\" \"\$-\"&&\\:; } 2>/dev/null" ;;
esac
__sshmcp_t=$(\tty 2>/dev/null)
$__sshmcp_b eval "\\$__sshmcp_pf"' "\033]6973;%s;H;%s;%s;%s;%s;%s\007" "$__sshmcp_n" "$__sshmcp_k/$__sshmcp_ev" "$$" "${__sshmcp_t:-${SSH_TTY-}}" "${BASH_VERSION-}${ZSH_VERSION-}${KSH_VERSION-}" "$PWD"' >/dev/tty
\unset __sshmcp_t
