# Serves by epoll; the terminal is its standard input, and it never looks at it.
import select
import socket

server = socket.create_server(("127.0.0.1", 0))
poll = select.epoll()
poll.register(server, select.EPOLLIN)
print("Listening:", end="", flush=True)
poll.poll()
