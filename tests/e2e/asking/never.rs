//! What is at work, or waits for something else than the terminal, whatever it prints.

use super::row::{Row, works};

pub(super) fn rows() -> Vec<Row> {
    [
        "sleep 9",
        "while :; do :; done",
        "python3 -c 'while True: pass'",
        "python3 -c 'import time; time.sleep (9)'",
        "dd if=/dev/zero of=/dev/null 2>&1",
        // The network.
        "curl -s http://127.0.0.1:%SILENT/",
        "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", %SILENT)).recv(1)'",
        "python3 -c 'import socket; s = socket.create_connection((\"127.0.0.1\", %SILENT)); s.settimeout(9); s.recv(1)'",
        "python3 -c 'import socket; socket.create_server((\"127.0.0.1\", 0)).accept()'",
        "python3 -m http.server --bind 127.0.0.1 0",
        "python3 %PROGRAMS/server.py",
        "python3 %PROGRAMS/either.py 'serving '",
        "exec 3<>/dev/tcp/127.0.0.1/%SILENT; read x <&3",
        "ssh -p %SILENT 127.0.0.1 true",
        // Pipes, locks, children, files.
        "mkfifo @/f; cat @/f",
        "mkfifo @/f; cat 0<>@/f",
        "mkfifo @/f; read x 0<>@/f",
        "sleep 9 | cat",
        "{ sleep 9; echo; } | python3 -c 'import select, sys; select.select([sys.stdin], [], [])'",
        "python3 -c 'import os, select; select.select([os.pipe()[0]], [], [])'",
        "flock @/l sleep 9 & sleep 0.3; flock -w 8 @/l true",
        "sh -c 'sleep 9 & wait'",
        "sh -c 'sleep 9; true'",
        "tail -f %PROGRAMS/long.txt",
        "seq 1 900 | xargs -n 3 sh -c 'sleep 0.05'",
        "timeout 9 sleep 9",
        "mkfifo @/f; { sleep 9 >@/f & }; wait",
        "python3 -c 'import threading, time; t = threading.Thread(target=time.sleep, args=(9,)); t.start(); t.join()'",
        // Whatever it prints.
        "for i in 1 2 3 4; do printf 'Step %s: ' $i; sleep 1; done",
        "for i in 1 2 3 4; do printf 'Ready? '; sleep 1; done",
        "printf 'Continue? '; sleep 9",
        "printf 'Password: '; sleep 9",
        "printf 'Password: ' >/dev/tty; sleep 9",
        "sh -c 'printf \"Continue? [y/N] \" >&2; python3 -c \"import time; time.sleep (9)\"'",
        // A background job that reads is stopped, and reads nothing.
        "cat & sleep 9; kill -9 $!",
        // The terminal is open, and another descriptor is waited for.
        "python3 -c 'import select; p = select.epoll(); p.register(0, select.EPOLLOUT | select.EPOLLET); exec(\"while True: p.poll()\")'",
    ]
    .into_iter()
    .map(works)
    .chain([
        works("stty -echo; printf 'Password: ' >/dev/tty; sleep 9; stty echo").spoiling(),
        works("read -t 0.01 x; sleep 9"),
        works("sleep 9").on_terminal(),
        works("printf 'Password: '; sleep 9").on_terminal(),
        works("stty raw -echo; sleep 9; stty sane").on_terminal(),
        works("printf '\\033[?1049h\\033[5;5Hbusy'; sleep 9; printf '\\033[?1049l'").on_terminal(),
    ])
    .collect()
}
