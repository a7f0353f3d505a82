"""``txqmp run``: one command, its output, an exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.usage import Options, UsageError

from txqmp.errors import CommandError, MonitorError, escaped
from txqmp.service.options import client_endpoint, seconds
from txqmp.text.client import TextClient, TextClientFactory


class RunOptions(Options):
    """The command line of ``txqmp run``."""

    synopsis = "txqmp run [options] ENDPOINT COMMAND [ARGUMENT …]"
    longdesc = (
        "ENDPOINT is a Twisted client endpoint, such as unix:monitor.sock, tcp:localhost:4444 or "
        "machine: (a simulated machine). COMMAND is one word with its arguments after it, or a "
        'whole line in quotes: "info network".'
    )
    optParameters = [["timeout", "t", 30.0, "seconds to wait for the answer.", seconds]]

    def parseArgs(self, endpoint: str = "", *command: str) -> None:
        """
        Take the endpoint and the command.

        :raises UsageError: one of them is missing.
        """
        if not endpoint or not command:
            raise UsageError("run wants an endpoint and a command")
        self["endpoint"] = endpoint
        self["command"] = command

    def postOptions(self) -> None:
        """
        Check the endpoint.

        :raises UsageError: it is none.
        """
        self["client"] = client_endpoint("ENDPOINT", self["endpoint"])

    def run(self) -> None:
        """Send the command; see ``txqmp run --help``."""
        react(_run, (self["client"], self["command"], self["timeout"]))


def _run(reactor: Any, *arguments: Any) -> Deferred[None]:
    return Deferred.fromCoroutine(_talk(reactor, *arguments))


async def _talk(reactor: Any, endpoint: Any, command: Sequence[str], timeout: float) -> None:
    factory = TextClientFactory(reactor, greeting_timeout=timeout)
    try:
        connecting = endpoint.connect(factory)
        connecting.addTimeout(timeout, reactor)
        client: TextClient = await connecting
    except Exception as error:
        raise SystemExit(f"txqmp: cannot connect: {error}") from None
    try:
        await client.when_greeted()
        if len(command) == 1:
            reply = await client.execute_line(command[0], timeout=timeout)
        else:
            reply = await client.execute(*command, timeout=timeout)
    except CommandError as error:
        _show(error.lines)
        raise SystemExit(f"txqmp: {error}") from None
    except MonitorError as error:
        raise SystemExit(f"txqmp: {error}") from None
    finally:
        await client.close()
    _show(reply.lines)


def _show(lines: Sequence[str]) -> None:
    for line in lines:
        data = line.encode("ascii", "surrogateescape")
        if sys.stdout.isatty():
            print(escaped(data, limit=len(data)))
        else:
            sys.stdout.buffer.write(data + b"\n")
    sys.stdout.flush()
