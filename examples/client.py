"""
Send commands to a monitor, then show its events until interrupted::

    python client.py unix:monitor.sock "info network" "set_link foo down"
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.task import react

from txqmp import MonitorError, TextClient, TextClientFactory

say = partial(print, flush=True)


def prepare(client: TextClient) -> None:
    """Called with each new connection, before anything that the monitor says is read."""
    client.subscribe(None, lambda event: say(f"event: {event.name}"))
    client.when_greeted().addCallbacks(
        lambda greeting: say(f"connected to QEMU {greeting.qemu}"),
        lambda failure: say(f"no greeting: {failure.value}"),
    )
    client.when_disconnected().addCallback(lambda reason: say(f"disconnected: {reason}"))


async def show(client: TextClient, line: str) -> None:
    """Send one command and show how it ended."""
    try:
        reply = await client.execute_line(line)
    except MonitorError as error:
        say(f"error: {error}")
    else:
        say(f"{line}:", *reply.lines, sep="\n    ")


async def main(reactor: Any, description: str, lines: Sequence[str]) -> None:
    factory = TextClientFactory(reactor, command_timeout=10.0)
    endpoint = clientFromString(reactor, description)
    service = ClientService(endpoint, factory, clock=reactor, prepareConnection=prepare)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    with suppress(CancelledError):
        client = await service.whenConnected()
        for line in lines:
            await show(client, line)
        await Deferred()


if __name__ == "__main__":
    react(main, (sys.argv[1], sys.argv[2:]))
