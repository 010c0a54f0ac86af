"""Switches of fake-switches, a simulator that others made: Cisco, Arista, Dell and Brocade, with their own prompts, words,
passwords and pagers.

It has what FakeNOS has not: a password of the privileged mode that is not shown, a pager that waits for a key, a question that takes
one. Its Juniper speaks NETCONF alone, so that it is not here. Argument: the password. Prints the ports as JSON, and ends with its
standard input.
"""

import json
import sys

from fake_switches.adapters import tftp_reader
from fake_switches.switch_configuration import Port
from fake_switches.switch_factory import SwitchFactory
from fake_switches.transports.ssh_service import SwitchSshService
from twisted.internet import reactor, stdio
from twisted.internet.protocol import Protocol

# Enough for three pages of Dell's.
DELL = [Port(f"ethernet 1/g{number}") for number in range(1, 51)]
SWITCHES = {
    "cisco_generic": None,
    "cisco_6500": None,
    "arista_generic": None,
    "dell_generic": DELL,
    "dell10g_generic": None,
    "brocade_generic": None,
}


class Lifetime(Protocol):
    def connectionLost(self, _reason=None):
        reactor.stop()


def main():
    # It would wait for a server of files, and everything with it.
    tftp_reader.read_tftp = lambda _server, _name: "vlan 1234"
    ports = {}
    for model, switch_ports in SWITCHES.items():
        name = model.split("_", maxsplit=1)[0] + "1"
        core = SwitchFactory().get(model, name, sys.argv[1], ports=switch_ports)
        service = SwitchSshService(ip="127.0.0.1", port=0, switch_core=core, users={"user": b"let-me-in"})
        ports[model] = service.hook_to_reactor(reactor).getHost().port
    print(json.dumps(ports), flush=True)
    stdio.StandardIO(Lifetime())
    reactor.run()


main()
