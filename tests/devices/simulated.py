"""Devices of FakeNOS, a simulator that others made: its engine, its SSH server and the outputs that it has of each platform.

Its prompts are one vendor's; each dialect's own, its configuration mode, its words for an error and a question are added here by
its own means. Prints the ports as JSON, and ends with its standard input. FakeNOS reads whole lines: it has no pager that waits for
a key, and nothing runs there that could be interrupted.
"""

import json
import socket
import sys

from fakenos import FakeNOS
from fakenos.core.nos import Nos
from fakenos.plugins.nos import nos_plugins

# platform: what it says first; prompts of a user, of one with privileges, and of a configuration; what leads into that and out
# again; what turns the pager off; its word for what it does not know; a command that asks, and the question.
DIALECTS = {
    "cisco_ios": ("User Access Verification", "R1>", "R1#", "R1(config)#", "configure terminal", "end",
                  "terminal length 0", "% Invalid input detected at '^' marker.", "reload", "Proceed with reload? [confirm]"),
    "cisco_nxos": ("Cisco Nexus Operating System (NX-OS) Software", "n9k>", "n9k#", "n9k(config)#", "configure terminal", "end",
                   "terminal length 0", "% Invalid command at '^' marker.", "reload",
                   "This command will reboot the system. (y/n)?  [n]"),
    "cisco_asa": ("Type help or '?' for a list of available commands.", "asa/pri/act>", "asa/pri/act#", "asa/pri/act(config)#",
                  "configure terminal", "end", "terminal pager 0", "ERROR: % Invalid input detected at '^' marker.", "reload",
                  "System config has been modified. Save? [Y]es/[N]o:"),
    "arista_eos": ("Arista vEOS", "sw1>", "sw1#", "sw1(config)#", "configure terminal", "end", "terminal length 0",
                   "% Invalid input", "reload", "Proceed with reload? [confirm]"),
    "juniper_junos": ("--- JUNOS 21.4R1", "admin@mx1>", "", "[edit]\r\nadmin@mx1#", "configure", "exit",
                      "set cli screen-length 0", "syntax error, expecting <command>.", "request system reboot",
                      "Reboot the system ? [yes,no] (no)"),
    "mikrotik_routeros": ("MikroTik RouterOS 7.12", "[admin@MikroTik] >", "", "[admin@MikroTik] /ip/address>", "/ip address", "/",
                          "", "bad command name nonsense (line 1 column 1)", "/system reboot", "Reboot, yes? [y/N]:"),
    "huawei_vrp": ("Info: The max number of VTY users is 5. Huawei", "<HUAWEI>", "", "[~HUAWEI]", "system-view", "return",
                   "screen-length 0 temporary", "Error: Unrecognized command found at '^' position.", "reboot",
                   "Continue? [Y/N]:"),
    "hp_comware": ("H3C Comware Software", "<sw-7>", "", "[sw-7]", "system-view", "return", "screen-length disable",
                   "% Unrecognized command found at '^' position.", "reboot", "Current configuration may be lost. Save? [Y/N]:"),
    "hp_procurve": ("ProCurve J9726A Switch 2920-24G", "HP-2920>", "HP-2920#", "HP-2920(config)#", "configure", "end", "no page",
                    "Invalid input: nonsense", "reload", "Do you want to save current configuration [y/n/^C]?"),
    "aruba_os": ("", "(Aruba7005) >", "(Aruba7005) #", "(Aruba7005) [mynode] (config) #", "configure terminal", "end", "no paging",
                 "% Parse error", "reload", "Do you really want to restart the system(y/n):"),
    "fortinet": ("FortiGate-60F", "FGT60 #", "", "FGT60 (global) #", "config system global", "end", "",
                 "Unknown action 0", "execute reboot", "Do you want to continue? (y/n)"),
}  # fmt: skip


def change(nos, dialect):
    greeting, user, privileged, config, enter, leave, paging, error, asking, question = dialect
    for name in list(nos.commands):
        if nos.commands[name].get("new_prompt"):
            del nos.commands[name]
        else:
            nos.commands[name].pop("prompt", None)
    nos.initial_prompt = user
    first = privileged or user
    added = {
        "_default_": {"output": error},
        enter: {"output": None, "prompt": first, "new_prompt": config},
        leave: {"output": None, "prompt": config, "new_prompt": first},
        asking: {"output": None, "new_prompt": question + " "},
        "y": {"output": "it was done", "prompt": question + " ", "new_prompt": first},
    }
    if privileged:
        added["enable"] = {"output": None, "prompt": user, "new_prompt": privileged}
    if paging:
        added[paging] = {"output": None}
    for name, command in added.items():
        nos.commands[name] = {"help": "", **command}
    return {"plugin": "CMDShell", "configuration": {"intro": greeting}}


def main():
    hosts, plugins, ports = {}, {}, {}
    for platform, dialect in DIALECTS.items():
        nos = Nos(filename=nos_plugins[platform])
        shell = change(nos, dialect)
        plugins[platform] = nos
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        ports[platform] = free.getsockname()[1]
        free.close()
        hosts[platform.replace("_", "-")] = {
            "port": ports[platform], "platform": platform, "username": "user", "password": "let-me-in", "shell": shell,
        }  # fmt: skip
    fakenos = FakeNOS(inventory={"hosts": hosts})
    fakenos.nos_plugins.update(plugins)
    fakenos.start()
    print(json.dumps(ports), flush=True)
    sys.stdin.read()
    fakenos.stop()


main()
