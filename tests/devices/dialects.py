"""The router that makes it hard, in every dialect: pagers that wait for a key and how they take themselves away, the privileged
mode with its password, configuration mode, words for an error, a question, and something that runs until its key is typed.

Arguments: as nasty.py's, and the dialect. What is below is what Netmiko and the vendors' manuals publish of each; no real device
was asked. Every page that its pager asks about is one more line `paged` in the file.
"""

import sys

from nasty import ASKED, PASSWORD, Router, main

BACK = "\x08"


class Dialect:
    """The prompts of a user, of one with privileges and of a configuration; words and keys."""

    enable = ("enable", "")
    refused = "% Access denied"
    enter, leave = "configure terminal", "end"
    pager, erase = " --More-- ", BACK * 10 + " " * 10 + BACK * 10
    # Its pager is turned off by those with privileges alone.
    paging_is_privileged = False
    asks_name = False
    interrupt = b"\x03"


class Ios(Dialect):
    greeting = "User Access Verification"
    prompts = "R1>", "R1#", "R1(config)#"
    paging, error = "terminal length 0", "% Invalid input detected at '^' marker."
    asks = "reload", "Proceed with reload? [confirm]"
    refused = "% Bad secrets"
    interrupt = b"\x1e"


class NxOs(Dialect):
    greeting = "Cisco Nexus Operating System (NX-OS) Software"
    prompts = "n9k>", "n9k#", "n9k(config)#"
    paging, error = "terminal length 0", "% Invalid command at '^' marker."
    asks = "reload", "This command will reboot the system. (y/n)?  [n] "
    pager, erase = "--More--", "\r" + " " * 8 + "\r"


class Asa(Dialect):
    greeting = "Type help or '?' for a list of available commands."
    prompts = "asa/pri/act>", "asa/pri/act#", "asa/pri/act(config)#"
    paging, error = "terminal pager 0", "ERROR: % Invalid input detected at '^' marker."
    asks = "reload", "Proceed with reload? [confirm] "
    refused = "Access denied."
    pager, erase = "<--- More --->", "\r" + " " * 14 + "\r"
    paging_is_privileged = True


class Eos(Dialect):
    greeting = "Arista vEOS"
    prompts = "sw1>", "sw1#", "sw1(config)#"
    paging, error = "terminal length 0", "% Invalid input"
    asks = "reload", "Proceed with reload? [confirm]"


class Junos(Dialect):
    greeting = "--- JUNOS 21.4R1"
    prompts = "admin@mx1> ", "root@mx1:RE:0% ", "[edit]\r\nadmin@mx1# "
    enable, refused = ("su -", ""), "su: Sorry"
    paging, error = "set cli screen-length 0", "syntax error, expecting <command>."
    enter, leave = "configure", "exit"
    asks = "request system reboot", "Reboot the system ? [yes,no] (no) "
    pager, erase = "---(more 35%)---", "\r" + " " * 40 + "\r"


class RouterOs(Dialect):
    greeting = "MikroTik RouterOS 7.12"
    prompts = "[admin@MikroTik] > ", None, "[admin@MikroTik] /ip/address> "
    enable = None
    paging, error = None, "bad command name nonsense (line 1 column 1)"
    enter, leave = "/ip address", "/"
    asks = "/system reboot", "Reboot, yes? [y/N]: "
    pager, erase = "-- [Q quit|D dump|down]", "\r\x1b[K"


class Vrp(Dialect):
    greeting = "Info: The max number of VTY users is 5. Huawei"
    prompts = "<HUAWEI>", "<HUAWEI>", "[~HUAWEI]"
    enable = "super", "Now user privilege is level 3, and only those commands whose level is equal to or less than this level can be used."
    refused = "Error: Failed to authenticate."
    paging, error = "screen-length 0 temporary", "Error: Unrecognized command found at '^' position."
    enter, leave = "system-view", "return"
    asks = "reboot", "Continue? [Y/N]:"
    pager, erase = "  ---- More ----", "\x1b[16D" + " " * 16 + "\x1b[16D"


class Comware(Vrp):
    greeting = "H3C Comware Software"
    prompts = "<sw-7>", "<sw-7>", "[sw-7]"
    enable = "super", "User privilege role is network-admin, and only those commands that authorized to the role can be used."
    refused = "Super authentication failed."
    paging, error = "screen-length disable", "% Unrecognized command found at '^' position."
    asks = "reboot", "Current configuration may be lost after the reboot. Continue? [Y/N]:"
    pager, erase = "---- More ----", "\r" + " " * 14 + "\r"


class ProCurve(Dialect):
    greeting = "ProCurve J9726A Switch 2920-24G"
    prompts = "HP-2920> ", "HP-2920# ", "HP-2920(config)# "
    paging, error = "no page", "Invalid input: nonsense"
    enter = "configure"
    asks = "reload", "Do you want to save current configuration [y/n/^C]? "
    refused = "Unable to verify password"
    pager = "-- MORE --, next page: Space, next line: Enter, quit: Control-C"
    erase = "\r\x1b[2K\r"
    asks_name = True


class ArubaOs(Dialect):
    greeting = ""
    prompts = "(Aruba7005) >", "(Aruba7005) #", "(Aruba7005) [mynode] (config) #"
    paging, error = "no paging", "% Parse error"
    asks = "reload", "Do you really want to restart the system(y/n): "
    pager, erase = "--More-- (q) quit (u) pageup (/) search (n) repeat", "\r\x1b[K"
    paging_is_privileged = True


class FortiOs(Dialect):
    greeting = "FortiGate-60F"
    prompts = "FGT60 # ", None, "FGT60 (global) # "
    enable = None
    paging, error = None, "Unknown action 0"
    enter = "config system global"
    asks = "execute reboot", "Do you want to continue? (y/n)"
    pager, erase = "--More-- ", "\r" + " " * 9 + "\r"


DIALECTS = {
    "cisco_ios": Ios,
    "cisco_nxos": NxOs,
    "cisco_asa": Asa,
    "arista_eos": Eos,
    "juniper_junos": Junos,
    "mikrotik_routeros": RouterOs,
    "huawei_vrp": Vrp,
    "hp_comware": Comware,
    "hp_procurve": ProCurve,
    "aruba_os": ArubaOs,
    "fortinet": FortiOs,
}


class Speaker(Router):
    def __init__(self, dialect):
        super().__init__()
        self.of, self.is_privileged, self.is_configuring = dialect, False, False

    @property
    def prompt(self):
        return self.of.prompts[2 if self.is_configuring else 1 if self.is_privileged else 0]

    def out(self, text=""):
        self.write(text + "\r\n")
        self.shown += 1
        if not self.paging or self.shown < self.rows:
            return
        self.shown = 0
        self.note("paged")
        self.write(self.of.pager)
        while (key := self.key()) not in (b" ", b"q", b"\x03"):
            pass
        self.write(self.of.erase)
        if key != b" ":
            raise KeyboardInterrupt

    @staticmethod
    def note(what):
        with open(ASKED, "a", encoding="ascii") as asked:
            asked.write(what + "\n")

    def run(self):
        self.write(f"\r\n{self.of.greeting}\r\n\r\n")
        while True:
            text = self.line(self.prompt)
            self.shown = 0
            try:
                self.obey((text or "").strip())
            except KeyboardInterrupt:
                self.write("\r\n")

    def obey(self, text):
        of = self.of
        if not text:
            return
        if text == of.paging and (self.is_privileged or not of.paging_is_privileged):
            self.paging = False
        elif text == "pages":
            self.paging = True
        elif text == "show lines":
            for number in range(1, 36):
                self.out(f"  line {number} of 35")
        elif of.enable and text == of.enable[0] and not self.is_configuring:
            self.elevate()
        elif text == of.enter:
            self.is_configuring = True
        elif text == of.leave and self.is_configuring:
            self.is_configuring = False
        elif text == of.asks[0]:
            if (self.line(of.asks[1]) or "").lower() in ("", "y", "yes"):
                self.out("it was done")
        elif text.startswith("ping"):
            for _ in range(3000):
                self.write("!")
                if self.key(wait=0.01) == of.interrupt:
                    self.write("\r\nstopped\r\n")
                    return
        else:
            self.out(of.error)

    def elevate(self):
        if self.is_privileged:
            return
        if self.of.asks_name:
            self.note("name " + (self.line("Username: ") or ""))
        self.note("password")
        if self.line("Password: ", echo=False) == PASSWORD:
            self.is_privileged = True
            if self.of.enable[1]:
                self.write(self.of.enable[1] + "\r\n")
        else:
            self.write(self.of.refused + "\r\n")


sys.exit(main(Speaker(DIALECTS[sys.argv[3]]())))
