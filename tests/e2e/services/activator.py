"""A service manager's side of socket activation: it listens, and runs the daemon each time that somebody comes."""

import os
import select
import socket
import sys

path, program, times = sys.argv[1:]
os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(128)
print("listening", flush=True)
for _ in range(int(times)):
    select.select([listener], [], [])
    child = os.fork()
    if child == 0:
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execv(program, [program, "--started-by", "systemd"])
    os.waitpid(child, 0)
