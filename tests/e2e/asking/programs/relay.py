# Passes the terminal on to a shell command that hangs below another process, as docker and its daemon do: raw on this
# side, a socket between, a terminal on the other.
import os
import pty
import select
import socket
import sys
import termios
import tty

here, there = socket.socketpair()
if os.fork() == 0:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    here.close()
    os.dup2(os.open("/dev/null", os.O_RDWR), 0)
    pid, master = pty.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", sys.argv[1]])
    while True:
        ready, _, _ = select.select([there, master], [], [])
        try:
            if there in ready:
                data = there.recv(1000)
                if not data:
                    break
                os.write(master, data)
            if master in ready:
                there.send(os.read(master, 1000))
        except OSError:
            break
    os.kill(pid, 9)
    os._exit(0)
there.close()
os.wait()
saved = termios.tcgetattr(0)
tty.setraw(0)
try:
    while True:
        ready, _, _ = select.select([0, here], [], [])
        if 0 in ready:
            key = os.read(0, 1000)
            if key == b"\x03":
                break
            here.send(key)
        if here in ready:
            data = here.recv(1000)
            if not data:
                break
            os.write(1, data)
finally:
    termios.tcsetattr(0, termios.TCSADRAIN, saved)
