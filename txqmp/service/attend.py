"""What a logger asks of a monitor, in the monitor's own dialect, and how a machine ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred

from txqmp.errors import CommandError
from txqmp.jsonqmp.arguments import parse_line
from txqmp.jsonqmp.client import JSONClient
from txqmp.sniffer import Client
from txqmp.text.events import canonical


def ask(client: Client, line: str, timeout: float) -> Deferred[Any]:
    """
    Send a line that a user wrote: words of the text protocol, or a JSON command with
    ``key=value`` for each argument.

    :param timeout: seconds.
    :returns: as the client's ``execute``.
    :raises InvalidCommand: the monitor speaks JSON, and the line is no command.
    """
    if isinstance(client, JSONClient):
        command = parse_line(line)
        return client.execute(command.name, command.arguments, timeout=timeout)
    return client.execute_line(line, timeout=timeout)


async def survey(client: Client, timeout: float) -> dict[str, Any]:
    """
    Ask what the machine is and how it is.

    :param timeout: seconds for each answer.
    :returns: ``status``, and ``name`` and ``uuid`` where it has them.
    :raises MonitorError: the connection is not what it was.
    """
    found: dict[str, Any] = {}
    for key, text, command, member in (
        ("status", "info status", "query-status", "status"),
        ("name", "info name", "query-name", "name"),
        ("uuid", "info uuid", "query-uuid", "UUID"),
    ):
        try:
            if isinstance(client, JSONClient):
                answer = await client.execute(command, timeout=timeout)
                value = answer.get(member) if isinstance(answer, dict) else None
            else:
                value = (await client.execute_line(text, timeout=timeout)).text
        except CommandError:
            continue
        if value:
            found[key] = value
    return found


class LastWords:
    """How a machine ended, as far as its events told before the connection did."""

    def __init__(self) -> None:
        self._ending = ""

    def hear(self, event: Any) -> None:
        """An event came."""
        name = canonical(event.name)
        data = event.data if isinstance(event.data, Mapping) else {}
        if name == "guest_panicked":
            self._ending = "guest-panicked"
        elif name == "shutdown":
            self._ending = self._ending or _shutdown(data)
        elif name in ("reboot", "cont"):
            # It lives: whatever was said before did not end it.
            self._ending = ""

    @property
    def ending(self) -> str:
        """
        ``guest-shutdown``, ``guest-panicked``, ``quit``, or ``killed``: it said nothing. A
        ``shutdown`` that says no more is all that the text protocol tells.
        """
        return self._ending or "killed"


def _shutdown(data: Mapping[str, Any]) -> str:
    reason = data.get("reason")
    if reason == "guest-panic":
        return "guest-panicked"
    if reason == "host-qmp-quit":
        return "quit"
    if data.get("guest") is True:
        return "guest-shutdown"
    return str(reason) if reason else "shutdown"
