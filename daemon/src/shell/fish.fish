# Sourced once by the session's login shell, fish 3.4 or newer. Everything of ours begins with __sshmcp_. A command's
# text is fetched by a function, but run by `eval` at top level, so that `set` and `return` mean what they mean there.
set -g __sshmcp_d @DIR@
set -g __sshmcp_n @NONCE@
set -g __sshmcp_i
set -g __sshmcp_d0
set -g __sshmcp_w
set -g __sshmcp_b
set -g __sshmcp_x
set -g __sshmcp_o /dev/null
set -g __sshmcp_e /dev/null
set -g __sshmcp_m t
set -g __sshmcp_s 0

# __sshmcp_f ID: fetches the text of command ID, unless that was done when its line was entered, and says where its output
# goes.
function __sshmcp_f
    set -g __sshmcp_s $status
    if test "$argv[1]" != "$__sshmcp_b"
        # An id runs once, however often it is typed.
        test "$argv[1]" = "$__sshmcp_w"
        and return $__sshmcp_s
        __sshmcp_g $argv[1]
    end
    set -g __sshmcp_i $__sshmcp_b
    set -g __sshmcp_b
    builtin printf '\e]6973;%s;C;%s\a' $__sshmcp_n "$__sshmcp_i" >/dev/tty
    return $__sshmcp_s
end

# __sshmcp_g ID: fetches the text of command ID into __sshmcp_x; __sshmcp_b is ID then.
# A header line "r ID OUT ERR MODE LINES" is followed by so many lines; "R ID OUT ERR MODE BYTES" by the file t.
function __sshmcp_g
    set -g __sshmcp_i
    set -g __sshmcp_x
    set -g __sshmcp_o /dev/null
    set -g __sshmcp_e /dev/null
    while read -lL line
        # A group sets the variable of its name, also the user's.
        builtin string match -qr -- "^(?<__sshmcp_1>[rR]) $argv[1] (?<__sshmcp_2>\S+) (?<__sshmcp_3>\S+) (?<__sshmcp_4>\S+) (?<__sshmcp_5>\d+)\$" "$line"
        or continue
        if test $__sshmcp_1 = r
            read -gL __sshmcp_x
            while test $__sshmcp_5 -gt 1
                read -lL line
                set __sshmcp_x "$__sshmcp_x"\n"$line"
                set __sshmcp_5 (builtin math $__sshmcp_5 - 1)
            end
        else
            read -gz __sshmcp_x <$__sshmcp_d/t
            builtin printf '' >$__sshmcp_d/t
        end
        set -g __sshmcp_o $__sshmcp_d/$__sshmcp_2
        set -g __sshmcp_e $__sshmcp_d/$__sshmcp_3
        set -g __sshmcp_m $__sshmcp_4
        set -g __sshmcp_b $argv[1]
        set -g __sshmcp_w $argv[1]
        break
    end <$__sshmcp_d/x
end

# __sshmcp_y: ends both streams, which are still open; what comes behind is a background job's.
function __sshmcp_y
    set -l code $status
    builtin printf '\x1e%s;E;%s;%s;%s\x1f' $__sshmcp_n "$__sshmcp_i" $code $PWD
    builtin printf '\x1e%s;E;%s;%s;\x1f' $__sshmcp_n "$__sshmcp_i" $code >&2
    return $code
end

# __sshmcp_z STATUS [a [r]]: reports the end of the running command, once; with r the last end again, for Ctrl-C takes
# from the terminal what nobody has read there yet.
function __sshmcp_z
    set -g __sshmcp_s $argv[1]
    if set -q __sshmcp_i[1]
        set -g __sshmcp_d0 "$__sshmcp_i;$argv[1]$argv[2]"
        builtin printf '\e]6973;%s;D;%s;%s\a' $__sshmcp_n $__sshmcp_d0 $PWD >/dev/tty
        builtin string match -q '*i' -- $__sshmcp_m
        and builtin printf '' >$__sshmcp_d/s
        set -g __sshmcp_i
        # A line whose beginning was lost runs nothing again.
        set -g __sshmcp_x
        set -g __sshmcp_o /dev/null
        set -g __sshmcp_e /dev/null
    else if set -q argv[3]
        builtin printf '\e]6973;%s;D;%s;%s\a' $__sshmcp_n "$__sshmcp_d0" $PWD >/dev/tty
    end
    return $__sshmcp_s
end

# The prompt hook. It finds a command only where the line was aborted, and says so. For Ctrl-C at its prompt fish draws
# another, and calls that by another name.
function __sshmcp_h --on-event fish_prompt --on-event fish_cancel
    __sshmcp_z $status a
    builtin printf '\e]6973;%s;P;%s\a' $__sshmcp_n $PWD >/dev/tty
    return $__sshmcp_s
end

# fish 4 asks whether a line that was entered is for its history. The text that ours fetches may be; behind our line, which
# fish forgets when the next is entered, it would keep that for good.
if builtin string match -qr '^([4-9]|[1-9]\d)' -- $version
    set -g __sshmcp_h1 1
    if builtin functions -q fish_should_add_to_history
        builtin functions -c fish_should_add_to_history __sshmcp_u
        set -g __sshmcp_h1
    end
    function fish_should_add_to_history
        if not builtin string match -q ' *__sshmcp_*' -- "$argv[1]"
            __sshmcp_a "$argv[1]"
            return $status
        end
        if not set -q __sshmcp_h1[1]
            # The user's function was asked about the line that brought this; the file has it without the space.
            set -g __sshmcp_h1 1
            for line in (builtin history search --max 5 --null --prefix -- ' ' | builtin string split0)
                builtin string match -q "*$__sshmcp_d*" -- "$line"
                and builtin history delete --exact --case-sensitive -- "$line" (builtin string trim -- "$line")
            end
        end
        builtin string match -qr '^ (?:[^;]*;)*?__sshmcp_f (?<__sshmcp_1>c\d+);begin;' -- "$argv[1]"
        and test "$__sshmcp_1" != "$__sshmcp_w"
        and __sshmcp_g $__sshmcp_1
        and test "$__sshmcp_1" = "$__sshmcp_b"
        and test (builtin string length -- "$__sshmcp_x") -lt 10000
        and __sshmcp_a "$__sshmcp_x"
        and builtin history append -- "$__sshmcp_x" >/dev/null 2>&1
        return 1
    end
    # __sshmcp_a TEXT: whether it is for the history, as the user's function says, or fish.
    function __sshmcp_a
        if builtin functions -q __sshmcp_u
            __sshmcp_u $argv
        else
            not builtin string match -q ' *' -- "$argv[1]"
        end
    end
end

# A keyword that stands alone opens its help in a pager, on the terminal, and so does one in the wrong place behind its
# message: not while the output is captured.
if builtin functions -q __fish_print_help
    builtin functions -c __fish_print_help __sshmcp_q
    function __fish_print_help
        if not set -q __sshmcp_i[1]; or not builtin string match -q 'c*' -- $__sshmcp_m
            __sshmcp_q $argv
        else if set -q argv[2]
            builtin printf 'fish: %s\n' (builtin string trim -- "$argv[2..]" | builtin string split \n) >&2
        else
            set -lx PAGER cat
            __sshmcp_q $argv
        end
    end
end
builtin printf '\e]6973;%s;H;%s;%s;%s;%s;%s\a' $__sshmcp_n fish $fish_pid (command tty) $version $PWD >/dev/tty
