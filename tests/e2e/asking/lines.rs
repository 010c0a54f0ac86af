//! Programs that read a line or a key from the terminal, of the user's own.

use super::row::{Row, asks, says};

pub(super) fn rows() -> Vec<Row> {
    vec![
        asks("read x", true, ""),
        asks("read -s x", false, ""),
        asks("read -t 30 x", true, ""),
        asks("read -n1 x", true, ""),
        asks("read -s -n1 x", false, ""),
        asks("read -e -p 'Edit: ' x", true, "Edit:").on_terminal(),
        asks("read x </dev/tty", true, ""),
        asks("cat", true, ""),
        asks("cat -", true, ""),
        asks("head -1", true, ""),
        asks("grep x", true, ""),
        asks("cat | tr a b", true, ""),
        asks("sleep 0.3; cat", true, ""),
        asks("(echo working; sleep 0.5; echo more; read x)", true, ""),
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
        ),
        asks("python3 -c 'import readline; input(\"app=# \")'", true, "app=#").on_terminal(),
        asks("python3 -q", true, ">>>").on_terminal(),
        asks("bc -q", true, ""),
        asks("bc -q", true, "").on_terminal(),
        asks("sqlite3", true, "sqlite>").on_terminal(),
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
        asks("more %PROGRAMS/long.txt", false, "%)").on_terminal(),
    ]
}
