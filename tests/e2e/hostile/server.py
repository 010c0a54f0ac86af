"""SSH servers that mean harm, one for each port; for a client all of them are real up to where the harm begins. Each connection is
served by a process of its own, which waits for whoever else wants the processor.

Prints the ports as JSON, and ends with its standard input. What they do is in HARMS and PLACES: what is sent without an end, and
where that begins. Up to the shell none of them reads what it is answered.
"""

import itertools
import json
import os
import signal
import socket
import sys
import threading

import paramiko
from paramiko.message import Message

IGNORE, UNIMPLEMENTED, DEBUG = 2, 3, 4
BANNER, INFO_REQUEST = 53, 60
GLOBAL_REQUEST, CHANNEL_OPEN = 80, 90
WINDOW_ADJUST, DATA = 93, 94


def message(number, *fields):
    made = Message()
    made.add_byte(bytes([number]))
    for field in fields:
        if isinstance(field, bool):
            made.add_boolean(field)
        elif isinstance(field, int):
            made.add_int(field)
        else:
            made.add_string(field)
    return made


def same(*fields):
    """The same again and again."""
    return lambda: itertools.repeat(message(*fields))


def opens(kind, *more):
    """A channel of the server's own after the other."""
    return lambda: (message(CHANNEL_OPEN, kind, number, 1 << 21, 1 << 15, *more) for number in itertools.count(100))


WORDS = b"x" * 1000
HARMS = {
    "ignore": same(IGNORE, WORDS),
    "debug": same(DEBUG, True, WORDS, b""),
    "unimplemented": same(UNIMPLEMENTED, 3),
    "global requests": same(GLOBAL_REQUEST, b"harm@example.org", True),
    "sessions": opens(b"session"),
    "agents": opens(b"auth-agent@openssh.com"),
    "forwards": opens(b"forwarded-tcpip", b"127.0.0.1", 22, b"127.0.0.1", 23),
    "banners": same(BANNER, WORDS, b""),
    "prompts": same(INFO_REQUEST, b"", b"", b"", 0xFFFFFFFF, b"Password: ", False),
    "windows": same(WINDOW_ADJUST, 0, 0xFFFFFFFF),
    "strangers": same(DATA, 77, WORDS),
}
# Before any key is exchanged, while the login waits for its answer, once it is over, and once there is a shell.
PLACES = {
    "at once": ["ignore", "debug", "unimplemented"],
    "in the login": ["ignore", "debug", "unimplemented", "global requests", "sessions", "banners", "prompts"],
    "behind the login": ["ignore", "debug", "unimplemented", "global requests", "sessions", "agents", "forwards"],
    "behind the shell": ["ignore", "global requests", "windows", "strangers"],
}
KEY = paramiko.ECDSAKey.generate()
PARENT = os.getpid()


class Server(paramiko.ServerInterface):
    def __init__(self, place, harm):
        self.place, self.harm = place, harm
        self.transport = None

    def hurt(self, place):
        if place == self.place:
            for what in HARMS[self.harm]():
                self.transport._send_message(what)
                if os.getppid() != PARENT:
                    os._exit(0)

    def hurt_beside(self):
        threading.Thread(target=self.hurt, args=("behind the shell",), daemon=True).start()
        return True

    def get_allowed_auths(self, _user):
        return "keyboard-interactive" if self.harm == "prompts" else "password"

    def check_auth_password(self, _user, _password):
        self.hurt("in the login")
        return paramiko.AUTH_SUCCESSFUL

    def check_auth_interactive(self, _user, _submethods):
        self.hurt("in the login")

    def check_channel_request(self, _kind, _number):
        self.hurt("behind the login")
        return paramiko.OPEN_SUCCEEDED

    def check_channel_pty_request(self, *_):
        return True

    def check_channel_shell_request(self, _channel):
        return self.hurt_beside()

    def check_channel_exec_request(self, _channel, _command):
        return self.hurt_beside()


def plain(made):
    """A packet as it is before there are keys."""
    body = made.asbytes()
    padding = 8 - (len(body) + 5) % 8
    padding += 8 if padding < 4 else 0
    return (len(body) + padding + 1).to_bytes(4, "big") + bytes([padding]) + body + bytes(padding)


def serve(stream, place, harm):
    try:
        if place == "at once":
            stream.sendall(b"SSH-2.0-x\r\n")
            many = b"".join(plain(what) for what in itertools.islice(HARMS[harm](), 64))
            while True:
                stream.sendall(many)
        transport = paramiko.Transport(stream)
        transport.add_server_key(KEY)
        server = Server(place, harm)
        server.transport = transport
        transport.start_server(threading.Event(), server)
        transport.join()
    except OSError:
        pass


def listen(place, harm):
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            stream, _ = listener.accept()
            if os.fork() == 0:
                os.nice(10)
                serve(stream, place, harm)
                os._exit(0)
            stream.close()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def main():
    # Nobody waits for the processes.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ports = {f"{harm} {place}".replace(" ", "-"): listen(place, harm) for place, harms in PLACES.items() for harm in harms}
    print(json.dumps(ports), flush=True)
    sys.stdin.read()
    os._exit(0)


main()
