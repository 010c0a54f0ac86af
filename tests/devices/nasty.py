"""A router that makes it hard: late prompts, slow echo, text that looks like a prompt, a pager, log lines in between.

Its command line is like IOS'. It runs as the ForceCommand of an sshd that gives one channel a connection, and refuses to run
anything beside its terminal. Arguments: the password of its privileged mode, and a file that counts how often that was asked.
"""

import os
import select
import sys
import termios
import time
import tty

PASSWORD, ASKED = sys.argv[1], sys.argv[2]
LOG = "*Mar  1 00:01:02.345: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up"


class Gone(Exception):
    """The session is over."""


class Router:
    def __init__(self):
        self.name, self.mode, self.level = "R1", "", ">"
        self.paging, self.rows = True, 10
        self.shown = 0

    # The terminal

    def write(self, text):
        os.write(1, text.encode())

    def key(self, wait=None):
        if wait is not None and not select.select([0], [], [], wait)[0]:
            return None
        data = os.read(0, 1)
        if not data:
            raise Gone
        return data

    def line(self, prompt, echo=True):
        self.write(prompt)
        typed = b""
        while True:
            key = self.key()
            if key in (b"\r", b"\n"):
                self.write("\r\n")
                return typed.decode(errors="replace")
            if key == b"\x03":
                self.write("^C\r\n")
                return None
            if key in (b"\x08", b"\x7f"):
                if typed:
                    typed = typed[:-1]
                    self.write("\x08 \x08")
                continue
            if key in (b"\x15", b"\x1e"):
                self.write("\x08 \x08" * len(typed))
                typed = b""
                continue
            if key == b"?" and echo:
                self.write("?\r\n  lines    Many of them\r\n  nothing  None\r\n\r\n" + prompt + typed.decode())
                continue
            typed += key
            if echo:
                # It is slow to echo.
                time.sleep(0.004)
                os.write(1, key)

    def out(self, text=""):
        """A line of output, page by page."""
        self.write(text + "\r\n")
        self.shown += 1
        if self.paging and self.shown >= self.rows:
            self.shown = 0
            pager = " --More-- "
            self.write(pager)
            key = self.key()
            self.write("\x08" * len(pager) + " " * len(pager) + "\x08" * len(pager))
            if key != b" ":
                raise KeyboardInterrupt

    # The commands

    @property
    def prompt(self):
        return f"{self.name}{self.mode}{self.level if not self.mode else '#'}"

    def run(self):
        self.write("\r\n*** R9# is not this router. Authorised use only. ***\r\nR9#\r\n")
        time.sleep(0.4)
        while True:
            text = self.line(self.prompt)
            self.shown = 0
            try:
                self.obey((text or "").strip())
            except KeyboardInterrupt:
                self.write("\r\n")

    def obey(self, text):
        words = text.split()
        short = " ".join(word[:4] for word in words)
        if not words:
            return
        if text.startswith("terminal length "):
            self.paging, self.rows = words[2] != "0", int(words[2]) or 24
        elif text == "terminal page":
            self.paging, self.rows = True, 10
        elif text == "enable":
            self.enable()
        elif text == "disable":
            self.level = ">"
        elif short in ("conf term", "conf t") and self.level == "#":
            self.write("Enter configuration commands, one per line.  End with CNTL/Z.\r\n")
            self.mode = "(config)"
        elif self.mode and words[0] == "hostname":
            self.name = words[1]
        elif self.mode and words[0] == "interface":
            self.mode = "(config-if)"
        elif self.mode and words[0] in ("description", "no", "shutdown"):
            pass
        elif text in ("end", "exit") and self.mode:
            self.mode = "(config)" if text == "exit" and self.mode == "(config-if)" else ""
            self.write("\r\n" + LOG + "\r\n" if text == "end" else "")
        elif text in ("exit", "logout", "quit"):
            raise Gone
        elif text == "show lines":
            for number in range(1, 36):
                self.out(f"  line {number} of 35")
        elif text == "show prompts":
            self.out("R1#")
            self.out("R1# show clock")
            self.write("R1#")
            # Far less than what a prompt is believed after, also on a busy machine.
            time.sleep(0.03)
            self.out(" is how a prompt looks")
            self.out("R1>")
            self.out("the end")
        elif text == "show stubborn":
            # Its pager reads whole lines, and shows what is typed.
            for number in range(3):
                self.write(f"page {number}\r\n")
                self.line(" --More-- ")
        elif text == "show late":
            self.out("soon")
            time.sleep(1.2)
            self.out("done")
            time.sleep(0.6)
        elif text == "show echo":
            self.out("show echo")
            self.out("  show echo  ")
        elif text == "show nothing":
            pass
        elif text == "show logged":
            self.out("before")
            self.write(self.prompt)
            self.write("\r\n" + LOG + "\r\n")
            # The prompt is not drawn again.
            typed = self.line("")
            self.obey((typed or "").strip())
        elif text == "show log":
            self.out("one")
            self.out(LOG)
            self.out("two")
        elif short == "relo":
            if self.confirm("Proceed with reload? [confirm]"):
                self.out("Reload was not meant seriously")
        elif text == "copy run start":
            name = self.line("Destination filename [startup-config]? ")
            self.out("Building configuration...")
            time.sleep(0.3)
            self.write("[OK]")
            time.sleep(0.3)
            self.out("")
            self.out(f"to {name or 'startup-config'}")
        elif words[0] == "ping":
            self.out("Type escape sequence to abort.")
            for _ in range(3000):
                self.write("!")
                if self.key(wait=0.01) == b"\x1e":
                    self.write("\r\n")
                    self.out("Success rate is 100 percent")
                    return
        elif text == "deaf":
            # Nothing but Enter ends it.
            while self.key() not in (b"\r", b"\n"):
                self.write("still here\r\n")
        elif text == "drop":
            self.out("going")
            time.sleep(0.1)
            os.kill(os.getppid(), 9)
            raise Gone
        elif text == "show":
            self.out("% Incomplete command.")
            self.out()
        else:
            self.out(" " * (len(self.prompt) + 1) + "^")
            self.out("% Invalid input detected at '^' marker.")
            self.out()

    def confirm(self, question):
        self.write(question)
        key = self.key()
        self.write("\r\n")
        return key in (b"\r", b"y", b"Y")

    def enable(self):
        if self.level == "#":
            return
        for _ in range(3):
            with open(ASKED, "a", encoding="ascii") as asked:
                asked.write("asked\n")
            typed = self.line("Password: ", echo=False)
            if typed == PASSWORD:
                self.level = "#"
                return
            if typed is None:
                return
            time.sleep(0.2)
        self.write("% Bad secrets\r\n\r\n")


def main(router):
    if os.environ.get("SSH_ORIGINAL_COMMAND"):
        print("% This router runs nothing beside its terminal")
        return 1
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        router.run()
    except (Gone, OSError):
        pass
    finally:
        try:
            termios.tcsetattr(0, termios.TCSANOW, before)
        except termios.error:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main(Router()))
