"""``txqmp run``: one command, its output, an exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.usage import UsageError

from txqmp.cli.answers import answer_lines, ask, connected, data_lines, error_text, write_out
from txqmp.cli.command import CommandOptions
from txqmp.errors import CommandError, MonitorError
from txqmp.service.options import client_endpoint, seconds


class RunOptions(CommandOptions):
    """The command line of ``txqmp run``."""

    synopsis = "txqmp run [options] ENDPOINT COMMAND [ARGUMENT …]"
    longdesc = (
        "ENDPOINT is a Twisted client endpoint, such as unix:monitor.sock, tcp:localhost:4444 or "
        "machine: (a simulated machine). COMMAND is one word with its arguments after it, or a "
        'whole line in quotes: "info network". To a monitor that speaks JSON, arguments are '
        "key=value: device_del id=net1. A value is JSON where it can be read so, and else a "
        "string; a key with dots makes objects: server.port=7. One argument that begins with { "
        "is a whole JSON command. The answer is laid out on a terminal, and elsewhere one line."
    )
    optParameters = [
        ["timeout", "t", 30.0, "seconds to connect in, and to wait for the answer.", seconds]
    ]

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
    terminal = sys.stdout.isatty()
    client = await connected(reactor, endpoint, timeout)
    try:
        answer = await ask(client, command, timeout)
    except MonitorError as error:
        if isinstance(error, CommandError):
            write_out(data_lines(error.lines, terminal))
        raise SystemExit(f"txqmp: {error_text(error)}") from None
    finally:
        await client.close()
    write_out(answer_lines(answer, terminal))
