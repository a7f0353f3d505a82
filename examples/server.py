"""
A monitor with three commands and an event::

    python server.py unix:monitor.sock:mode=600
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from twisted.application import strports
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from txqmp import CommandFailed, CommandTable, Request, TextServerFactory


def monitor(reactor: Any) -> TextServerFactory:
    """Make a factory of servers for one machine, which has two network devices."""
    links = {"user.0": "up", "ne2k_pci.0": "up"}
    table = CommandTable()
    factory = TextServerFactory(table, reactor)

    @table.command("info network", help="show the network devices")
    def info_network(request: Request) -> Iterator[str]:
        yield "VLAN 0 devices:"
        for name, state in links.items():
            yield f"  {name}: link={state}"

    @table.command("set_link", args="ss", params="name up|down", help="set a link")
    def set_link(request: Request, name: str, state: str) -> None:
        if name not in links:
            raise CommandFailed(f"could not find network device '{name}'")
        if state not in ("up", "down"):
            raise CommandFailed(f"invalid link status '{state}'; only 'up' or 'down' valid")
        links[name] = state

    @table.command("system_reset", help="reset the machine")
    def system_reset(request: Request) -> None:
        links.update(dict.fromkeys(links, "up"))
        factory.broadcast("reboot")

    return factory


async def main(reactor: Any, description: str) -> None:
    service = strports.service(description, monitor(reactor), reactor)
    service.startService()
    reactor.callWhenRunning(print, f"listening at {description}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, (sys.argv[1],))
