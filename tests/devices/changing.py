"""An SSH server that wants a new password before it lets anybody in (SSH_MSG_USERAUTH_PASSWD_CHANGEREQ, RFC 4252 section 8).

`changing.py OLD`: prints its port and its key as a line, and then each password that it was given, with what became of it; ends with
its standard input. Whoever got in has a channel that says so, and no shell.
"""

import socket
import sys
import threading

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.message import Message

REQUEST = bytes([60])
password = sys.argv[1]
is_expired = True
of_library = AuthHandler._parse_userauth_request


def userauth_request(handler, message):
    """As the library's, but for passwords, whose change it knows nothing of."""
    global password, is_expired
    user, _service, method = message.get_text(), message.get_text(), message.get_text()
    if method != "password":
        message.rewind()
        of_library(handler, message)
        return
    is_change, given = message.get_boolean(), message.get_text()
    verdict = paramiko.AUTH_FAILED
    if given == password and is_change:
        password, is_expired, verdict = message.get_text(), False, paramiko.AUTH_SUCCESSFUL
        print("changed to", password, flush=True)
    elif given == password and is_expired:
        print("asked for a new one", flush=True)
        answer = Message()
        answer.add_byte(REQUEST)
        answer.add_string("Your password has expired.")
        answer.add_string("en")
        handler.transport._send_message(answer)
        return
    elif given == password:
        print("taken", flush=True)
        verdict = paramiko.AUTH_SUCCESSFUL
    handler.auth_username = user
    handler._send_auth_result(user, method, verdict)


AuthHandler._parse_userauth_request = userauth_request


class Server(paramiko.ServerInterface):
    def get_allowed_auths(self, username):
        return "password"

    def check_channel_request(self, kind, number):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_pty_request(self, *_):
        return True

    def check_channel_shell_request(self, channel):
        threading.Thread(target=self.greet, args=(channel,), daemon=True).start()
        return True

    @staticmethod
    def greet(channel):
        channel.sendall("welcome, and good bye\r\n")
        channel.send_exit_status(0)
        channel.close()


def serve(listener, key):
    while True:
        stream, _ = listener.accept()
        transport = paramiko.Transport(stream)
        transport.add_server_key(key)
        try:
            transport.start_server(event=threading.Event(), server=Server())
        except (EOFError, paramiko.SSHException):
            pass


key = paramiko.ECDSAKey.generate()
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], key.get_name(), key.get_base64(), flush=True)
threading.Thread(target=serve, args=(listener, key), daemon=True).start()
sys.stdin.read()
