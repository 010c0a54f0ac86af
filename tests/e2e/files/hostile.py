"""An SFTP server that does harm: what kind of, the file that its argument names says. Some kinds stand in front of a real one."""

import os
import struct
import subprocess
import sys
import threading

MODE = open(sys.argv[1]).read().strip()
REAL = sys.argv[2]
BIG = 2**63 - 1

INIT, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, REALPATH, STAT, EXTENDED = 1, 3, 4, 5, 6, 7, 8, 16, 17, 200
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105


def take(source, size):
    data = source.read(size)
    if len(data) < size:
        # A server whose client has gone ends.
        os._exit(0)
    return data


def packet(source):
    (size,) = struct.unpack(">I", take(source, 4))
    return take(source, size)


def send(kind, body):
    sys.stdout.buffer.write(struct.pack(">IB", len(body) + 1, kind) + body)
    sys.stdout.buffer.flush()


def text(data):
    return struct.pack(">I", len(data)) + data


def wait():
    """Says nothing more, and goes when the client does."""
    while True:
        packet(sys.stdin.buffer)


def relay():
    """A real server, up to the moment that the mode names."""
    real = subprocess.Popen([REAL], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def back():
        while True:
            data = real.stdout.read1(65536)
            if not data:
                os._exit(0)
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    threading.Thread(target=back, daemon=True).start()
    writes = 0
    while True:
        request = packet(sys.stdin.buffer)
        writes += request[0] == WRITE
        ends = writes == 3 if MODE == "dies writing" else b"posix-rename@" in request[:40]
        if ends:
            real.kill()
            os._exit(1)
        real.stdin.write(struct.pack(">I", len(request)) + request)
        real.stdin.flush()


def answer(request):
    kind, number = request[0], request[1:5]
    if kind in (STAT, LSTAT, FSTAT):
        if MODE == "wrong kind":
            send(HANDLE, number + text(b"x"))
        elif MODE == "wrong number":
            send(ATTRS, b"\xff\xff\xff\xff" + struct.pack(">I", 0))
        elif MODE == "long":
            sys.stdout.buffer.write(b"\xff\xff\xff\xf0" + b"x" * 1000)
            sys.stdout.buffer.flush()
        elif MODE == "silent":
            wait()
        elif MODE == "flood":
            while True:
                send(DATA, b"\0\0\0\0" + text(b"x" * 32768))
        else:
            send(ATTRS, number + struct.pack(">IQI", 5, BIG, 0o100644))
    elif kind == OPEN:
        send(HANDLE, number + text(b"h"))
    elif kind == READ:
        handle = struct.unpack(">I", request[5:9])[0]
        offset, size = struct.unpack(">QI", request[9 + handle : 21 + handle])
        if MODE == "more than asked":
            send(DATA, number + text(b"x" * (size + 1)))
        elif MODE == "endless":
            send(DATA, number + text(b"x" * size))
        elif offset == 0:
            send(DATA, number + text(b"abc"))
        else:
            send(STATUS, number + struct.pack(">I", 1) + text(b"") + text(b""))
    else:
        send(STATUS, number + struct.pack(">I", 4) + text(b"no \x1b[2J\n") + text(b""))


def main():
    if MODE.startswith("dies"):
        relay()
    if MODE == "mute":
        wait()
    if MODE == "greets people":
        print("Welcome to this host!", flush=True)
        wait()
    packet(sys.stdin.buffer)
    send(2, struct.pack(">I", 3))
    while True:
        answer(packet(sys.stdin.buffer))


main()
