//! Programs that read a line or a key from the terminal, of the user's own.

use super::row::{
    Row,
    Source::Terminal,
    Step::{Asks, Ends, Type},
    asks, presses, says,
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        asks("read x", true, ""),
        asks("read -p 'Name: ' x", true, "Name:"),
        asks("read -s x", false, ""),
        asks("read -s -p 'Token: ' x", false, "Token:"),
        asks("read -t 30 x", true, ""),
        asks("read -n1 x", true, ""),
        presses("read -s -n1 x", ""),
        presses("read -rsn1 -p 'Press any key to continue ' x", "continue"),
        presses(
            "python3 -c 'import sys, termios, tty; tty.setcbreak(0); print(\"Press any key\", end=\"\", flush=True); sys.stdin.read(1)'",
            "Press any key",
        )
        .spoiling(),
        presses("top", "").spoiling(),
        // Each key is taken, and a star shown for it.
        asks(
            "python3 -c 'import sys, termios, tty; tty.setcbreak(0); print(\"Password: \", end=\"\", flush=True); sys.stdin.read(1)'",
            false,
            "Password:",
        )
        .spoiling(),
        asks("read -e -p 'Edit: ' x", true, "Edit:").on_terminal(),
        asks("read x </dev/tty", true, ""),
        asks("select f in one two; do break; done", true, "#?"),
        asks("cat", true, ""),
        asks("cat -", true, ""),
        asks("head -1", true, ""),
        asks("grep x", true, ""),
        asks("cat | tr a b", true, ""),
        asks("tee @/t", true, ""),
        asks("awk '{ print }'", true, ""),
        asks("xargs echo", true, ""),
        asks("setsid -w cat", true, "").on_terminal(),
        asks("sleep 0.3; cat", true, ""),
        asks("(echo working; sleep 0.5; echo more; read x)", true, ""),
        asks("read -t 0.01 x; read -p 'Again: ' y", true, "Again:"),
        asks(
            "sh -c 'printf \"Who: \"; read x; printf \"Why: \"; read y; exit 3'",
            true,
            "Who:",
        )
        .then(&[Type("me"), Asks(Terminal, true, "Why:"), Type("so"), Ends(3)]),
        asks("zsh -fc 'read x'", true, ""),
        asks("dash -c 'read x'", true, ""),
        asks("ksh93 -c 'read x'", true, ""),
        asks("mksh -c 'read x'", true, ""),
        asks("busybox sh -c 'read -p \"Name: \" x'", true, "Name:"),
        asks("fish --no-config -c 'read -P \"Name: \" x'", true, "Name:").on_terminal(),
        asks("python3 -c 'input(\"Your name: \")'", true, "Your name:"),
        asks(
            "python3 -c 'import getpass; getpass.getpass(\"Password for user app: \")'",
            false,
            "Password for user app:",
        ),
        asks(
            "python3 -c 'import getpass; getpass.getpass()'",
            false,
            "Password:",
        ),
        asks("python3 -c 'import sys; sys.stdin.read()'", true, ""),
        asks("perl -e '$x = <STDIN>'", true, ""),
        asks(
            "ssh-keygen -q -t ed25519 -f @/key",
            false,
            "(empty for no passphrase):",
        ),
        asks(
            "sh -c 'exec 3<>/dev/tty; stty -echo <&3; printf \"Enter passphrase: \" >&3; read p <&3; stty echo <&3'",
            false,
            "Enter passphrase:",
        ).spoiling(),
        asks("python3 -c 'import readline; input(\"app=# \")'", true, "app=#").on_terminal(),
        asks("python3 -q", true, ">>>").on_terminal(),
        asks("python3 -q -i -c ''", true, ">>>"),
        asks("bc -q", true, ""),
        asks("bc -q", true, "").on_terminal(),
        asks("sqlite3", true, "sqlite>").on_terminal(),
        asks(
            "printf '*** motd (Y/I/N/O/D/Z) [default=N] ? '; read a",
            true,
            "[default=N] ?",
        ),
        asks("printf 'Do you want to continue? [Y/n] '; read a", true, "[Y/n]"),
        asks("printf 'Do you want to continue? [Y/n] ' >&2; cat", true, "[Y/n]"),
        asks("read -p 'Proceed (y/n) ' -n1 a", true, "(y/n)"),
        asks(
            "python3 -c 'import sys, threading; t = threading.Thread(target=sys.stdin.readline); t.start(); t.join()'",
            true,
            "",
        ),
        asks(
            "python3 -c 'import select, sys; select.select([sys.stdin], [], [])'",
            true,
            "",
        ),
        asks(
            "python3 -c 'import select; p = select.poll(); p.register(0, select.POLLIN); p.poll()'",
            true,
            "",
        ),
        asks(
            "python3 -c 'import select; p = select.epoll(); p.register(0, select.EPOLLIN); p.poll()'",
            true,
            "",
        ),
        says("python3 %PROGRAMS/either.py 'Name: '", true, "Name:"),
        presses("more %PROGRAMS/long.txt", "%)").on_terminal(),
    ]
}
